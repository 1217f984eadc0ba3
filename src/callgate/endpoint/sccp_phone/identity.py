"""What a test phone is, and how long it waits."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Final

from callgate.errors import UsageMistake
from callgate.sccp.forms import NEWEST

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,15}")
"""A device name fills at most 15 of the 16 bytes of its field."""
MOST_LINES: Final = 42
"""Buttons that a ButtonTemplateRes of chan_skinny has room for."""
LONGEST: Final = 3600.0
"""Seconds: no single wait is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a phone says it is. UsageMistake if it cannot be.

    There is no default name: a phone that takes a name in use is rejected by chan_skinny, and makes chan-sccp drop
    both (observed).
    """

    device_name: str
    """Like `SEP001122334455`: 1 to 15 ASCII letters, digits, `-`, `_` and `.`."""
    version: int = 17
    """The protocol version it offers, 0 to 22."""
    device_type: int = 7
    """As in `callgate.sccp.enums.devices.DeviceType`; 7 is a 7960."""
    lines: int = 1
    """Lines it has room for, 1 to 42."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.device_name):
            raise UsageMistake(f"{self.device_name[:40]!a} is no device name: 1 to 15 of A-Z a-z 0-9 . _ -")
        for what, value, highest in (
            ("protocol version", self.version, NEWEST),
            ("device type", self.device_type, 0xFFFFFFFF),
        ):
            if not 0 <= value <= highest:
                raise UsageMistake(f"{value} is no {what}: 0 to {highest}")
        if not 1 <= self.lines <= MOST_LINES:
            raise UsageMistake(f"a phone has 1 to {MOST_LINES} lines, not {self.lines}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a phone waits for what, seconds. UsageMistake for a time that is no time, or longer than an hour."""

    connect: float = 4.0
    """For TCP, and as long again for TLS."""
    answer: float = 5.0
    """For what a server must answer. chan_skinny rejects a name in use only after 2 s."""
    step: float = 2.0
    """For each template and list that a registered phone asks for; what does not come is done without."""
    settle: float = 8.0
    """For all of these together."""
    ring: float = 30.0
    """For a call to be answered."""
    digit: float = 0.1
    """Between two keys."""
    hang_up: float = 1.5
    """For the server to confirm that a call has ended."""
    unregister: float = 1.0
    """For the server to confirm that the phone has left; chan_skinny closes without a word."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0.0 <= getattr(self, field.name) <= LONGEST:
                raise UsageMistake(f"patience: {field.name} is 0 to {LONGEST:g} seconds")
