"""A control: one thing a baseline demands of a host."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from callgate.baseline.text import Form, Paragraph, Title

ControlId = Annotated[str, Form(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+", "a control id like LSN-01", 40)]
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
    title: Title
    severity: Severity
    rationale: Paragraph
    remedy: Paragraph
    references: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
