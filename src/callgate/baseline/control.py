"""A control: one thing a baseline demands of a host."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

ControlId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$", max_length=40)]
"""A control's name in baselines, marks, waivers and reports, like `LSN-01`."""


class Severity(StrEnum):
    """How much a failing control matters; the order of definition is from worst to least."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Control(BaseModel):
    """What a control demands, why, and how to comply.

    `references` maps a catalogue (`nist-800-53r5`, `cis-8.1`, `disa-evvm-srg`, `pci-dss-4`, `scanner` ...)
    to the ids in it that the control serves.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: ControlId
    title: Annotated[str, Field(min_length=1, max_length=200)]
    severity: Severity
    rationale: Annotated[str, Field(min_length=1)]
    remedy: Annotated[str, Field(min_length=1)]
    references: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
