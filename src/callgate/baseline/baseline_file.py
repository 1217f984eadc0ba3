"""A baseline file as its author writes it, before it is joined with what it extends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from callgate.baseline.control import ControlId, Severity
from callgate.baseline.service import ServiceName
from callgate.baseline.text import Form, Line, Paragraph, Switch, Title


class ControlEntry(BaseModel):
    """A control as a baseline file writes it: complete where it is new, only what differs where it is inherited."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    id: ControlId
    enabled: Switch = True
    """`false` leaves an inherited control out."""
    title: Title | None = None
    severity: Severity | None = None
    rationale: Paragraph | None = None
    """Why it matters."""
    remedy: Paragraph | None = None
    """How to comply."""
    references: dict[str, tuple[Line, ...]] | None = None
    """The ids it serves in other catalogues, like `nist-800-53r5: [SC-7]`; replaces what is inherited."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Values its check takes; each replaces the inherited one of that name."""


class BaselineFile(BaseModel):
    """One baseline file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Form(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "an id in small letters like voip-core", 60)]
    title: Title
    extends: tuple[str, ...] = ()
    """Names of shipped baselines, or paths relative to this file."""
    judged_from: Literal["inside", "outside"] | None = None
    """`outside`: the hosts have no shell, nothing is collected there and only probes judge them."""
    services: tuple[ServiceName, ...] = ()
    """The services to judge, beside those of the extended baselines."""
    controls: tuple[ControlEntry, ...] = ()
