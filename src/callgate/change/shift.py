"""What changed between two snapshots of a host: sources that gained or lost access, and everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from callgate.firewall.intervals import Intervals
from callgate.firewall.sources import Door, Entrance


@dataclass(frozen=True, slots=True)
class Shift:
    """The sources that gained, or lost, access to one service by one entrance."""

    service: str
    entrance: Entrance
    door: Door
    """Who: surely, and perhaps; `ways` are how they get in, now or before."""
    rules: tuple[str, ...] = ()
    """The rules responsible: of those who gained, what lets them in now; of those who lost, what refuses them now."""
    offered: bool = True
    """Whether something offers the service, now or before; else the rules alone differ."""
    example: str = ""
    """One source, and what becomes of its packet now, in words."""

    @property
    def surely(self) -> Intervals:
        """Those for whom the change is certain."""
        return self.door.surely

    @property
    def perhaps(self) -> Intervals:
        """Those for whom it rests on something that one snapshot or the other does not tell."""
        return self.door.perhaps


Kind = Literal["access", "listeners", "translations", "sysctls", "network", "persistence"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of another kind, by meaning."""

    kind: Kind
    text: str
    """In words, one line; text of the host is in it as it stands, to be made safe where it is shown."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs: texts, numbers, and lists of them."""
