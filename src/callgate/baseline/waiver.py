"""Waivers: failing controls that somebody accepted, until a time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from callgate.baseline.control import ControlId
from callgate.baseline.service import ServiceName
from callgate.baseline.text import Line

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = rf"{_DAY}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})"


def _expiry(value: Any) -> Any:
    """An end of acceptance in UTC: a time with zone, or a day, which counts to its end."""
    try:
        if isinstance(value, str) and re.fullmatch(_DAY, value):
            return datetime.combine(date.fromisoformat(value) + timedelta(days=1), time(), UTC)
        if isinstance(value, str) and re.fullmatch(_TIME, value):
            return datetime.fromisoformat(value).astimezone(UTC)
        if isinstance(value, datetime) and value.utcoffset() is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("a day like 2026-12-31 or a UTC time like 2026-12-31T18:00:00Z is expected")


class Waiver(BaseModel):
    """A failing control that somebody accepted, until a time."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    control: ControlId
    host: Line
    """A pattern over host names and URIs, like `pbx1` or `ssh://*@lab-*`."""
    service: ServiceName | None = None
    """Without it, every service is meant."""
    reason: Line
    owner: Line
    ticket: Line
    """Where it is followed, like a change number."""
    expires: Annotated[
        datetime,
        BeforeValidator(_expiry),
        WithJsonSchema({"type": "string", "pattern": f"^({_DAY}|{_TIME})$"}),
    ]
    """A day, which counts to its end in UTC, or a time with its zone."""

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
