"""Waivers: failing controls that somebody accepted, until a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from callgate.baseline.control import ControlId
from callgate.baseline.service import ServiceName

Line = Annotated[str, Field(min_length=1, max_length=300)]


def _expiry(value: Any) -> Any:
    """An end of acceptance in UTC: a time with zone, or a day, which counts to its end."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and len(value) == 10:
            return datetime.combine(date.fromisoformat(value) + timedelta(days=1), time(), UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise ValueError("a day like 2026-12-31 or a UTC time like 2026-12-31T18:00:00Z is expected")
    return moment.astimezone(UTC)


class Waiver(BaseModel):
    """A failing control that somebody accepted, until a time."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    control: ControlId
    host: Line
    """A pattern over host names and URIs, like `pbx1` or `ssh://*@lab-*`."""
    service: ServiceName | None = None
    reason: Line
    owner: Line
    ticket: Line
    expires: Annotated[datetime, BeforeValidator(_expiry), WithJsonSchema({"type": "string"})]

    def applies_to(self, control: str, host_uri: str, host_name: str, service: str | None) -> bool:
        """Whether it speaks of this outcome, expired or not. Without a service it speaks of every one."""
        return (
            self.control == control
            and (fnmatchcase(host_uri, self.host) or fnmatchcase(host_name, self.host))
            and self.service in (None, service)
        )

    @property
    def subject(self) -> str:
        """What it speaks of, like `LSN-01 on pbx1 (sccp)`."""
        return f"{self.control} on {self.host}" + (f" ({self.service})" if self.service else "")

    @property
    def words(self) -> str:
        """Reason, owner, ticket and end, as a report shows them."""
        return f"{self.reason} ({self.owner}, {self.ticket}, until {self.expires:%Y-%m-%d %H:%M} UTC)"
