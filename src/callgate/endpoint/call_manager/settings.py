"""What a lab call manager is told: its devices, its extensions, its times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from callgate.errors import UsageMistake

LONGEST_NAME: Final = 15
"""Characters of a device name: its field has 16 bytes, and a server that copies it wants the NUL."""
LONGEST_EXTENSION: Final = 23
"""Keys of an extension: a directory number's field has 24 bytes below protocol 19."""
LONGEST_TEXT: Final = 31

_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}")
_EXTENSION = re.compile(rf"[0-9*]{{1,{LONGEST_EXTENSION}}}")


@dataclass(frozen=True, slots=True)
class Line:
    """The one line of a device."""

    extension: str
    """What others dial to reach it; empty where nobody can."""
    owner: str = ""
    """The name others see when it calls; empty: the extension."""
    description: str = ""
    """The name its own display shows; empty: the extension."""

    @property
    def shown(self) -> str:
        """The name others see."""
        return self.owner or self.extension


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a call manager is set up. UsageMistake if that cannot be.

    Times are seconds. The profile gives the interval of keepalives and the time-outs unless they are set here;
    `time_scale` shortens (or lengthens) every time-out and delay, but not the interval a phone is told.
    """

    devices: Mapping[str, Line] = field(default_factory=dict)
    """By device name, like `SEP001122334455`."""
    echo: str = "600"
    """The extension that sends audio back; empty for none."""
    open: bool = False
    """Whether devices that are not in `devices` are registered too: chan-sccp's default-open hotline."""
    version: int = 22
    """The highest protocol version spoken, 0 to 22."""
    keepalive: int | None = None
    """Between keepalives, as phones are told."""
    patience: float | None = None
    """Without a keepalive, until a registered phone is given up; unset: as the profile relates it to `keepalive`."""
    idle: float | None = None
    """Until a connection without a registration is closed."""
    digits: float = 3.0
    """After the last key, until a number counts as complete."""
    dial: float = 15.0
    """Off hook without a key."""
    ring: float = 60.0
    """A phone rings, until the call is given up."""
    time_scale: float = 1.0
    connections: int = 2000
    """Served at once; one more is reset."""
    first_reference: int = 1
    """The first call's reference."""

    def __post_init__(self) -> None:
        numbers = [line.extension for line in self.devices.values()]
        for name, line in self.devices.items():
            if not _NAME.fullmatch(name):
                raise UsageMistake(f"{name!r} is no device name: up to {LONGEST_NAME} of A-Z a-z 0-9 . _ -")
            if any(not _is_short_text(text) for text in (line.owner, line.description)):
                raise UsageMistake(f"{name}: a name takes up to {LONGEST_TEXT} characters of ASCII")
        for number in [*numbers, self.echo]:
            if number and not _EXTENSION.fullmatch(number):
                raise UsageMistake(f"{number!r} is no extension: up to {LONGEST_EXTENSION} digits and *")
        taken = [number for number in [*numbers, self.echo] if number]
        if len(set(taken)) < len(taken):
            twice = next(number for number in taken if taken.count(number) > 1)
            raise UsageMistake(f"extension {twice} is given twice")
        if not 0 <= self.version <= 22:
            raise UsageMistake(f"a protocol version is 0 to 22, not {self.version}")
        if self.keepalive is not None and not 1 <= self.keepalive <= 86400:
            raise UsageMistake(f"a keepalive interval is 1 to 86400 s, not {self.keepalive}")
        times = [self.patience, self.idle, self.digits, self.dial, self.ring, self.time_scale]
        if any(time is not None and not 0 < time <= 1e6 for time in times):
            raise UsageMistake("times and their scale are above 0, and 1e6 at most")
        if not 1 <= self.connections <= 100_000 or not 1 <= self.first_reference < 1 << 31:
            raise UsageMistake("connections are 1 to 100000, references 1 to 2147483647")

    @property
    def extensions(self) -> frozenset[str]:
        """Every number that can be dialled."""
        return frozenset(
            number for number in (*(line.extension for line in self.devices.values()), self.echo) if number
        )


def device(text: str) -> tuple[str, Line]:
    """Read `NAME=EXTENSION`; UsageMistake if it is not that."""
    name, equals, extension = text.partition("=")
    if not (name and equals and extension):
        raise UsageMistake(f"{text!r} is not NAME=EXTENSION")
    return name, Line(extension)


def _is_short_text(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and text.isascii() and text.isprintable()
