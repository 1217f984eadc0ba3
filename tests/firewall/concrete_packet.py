"""One packet, and the choices where something is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from callgate.firewall.rule import Family

Thing = TypeVar("Thing")
PORTED: Final = (6, 17, 33, 132, 136)


class TooManyWaysError(Exception):
    """More ways through the unknowns than are worth trying."""


class Fork:
    """Hands out choices, and remembers them, so that every row of choices can be tried in turn."""

    def __init__(self, script: list[int]) -> None:
        self.taken: list[tuple[int, int]] = []
        self._script = script

    def pick(self, ways: int) -> int:
        """One of `ways` choices, from 0."""
        at = len(self.taken)
        chosen = self._script[at] if at < len(self._script) else 0
        self.taken.append((chosen, ways))
        return chosen


def every_way(run: Callable[[Fork], Thing], limit: int) -> Iterator[Thing]:
    """Run for every row of choices. Raises TooManyWaysError beyond `limit` rows."""
    script: list[int] = []
    for _ in range(limit):
        fork = Fork(script)
        yield run(fork)
        script = [chosen for chosen, _ in fork.taken]
        while script and script[-1] + 1 == fork.taken[len(script) - 1][1]:
            script.pop()
        if not script:
            return
        script[-1] += 1
    raise TooManyWaysError


@dataclass
class Concrete:
    """One packet, every field a number."""

    iif: str | None
    family: Family
    source: int
    destination: int
    protocol: int
    sport: int = 40000
    dport: int = 2000
    tcp_flags: int = 2
    ttl: int = 64
    length: int = 60
    dscp: int = 0
    icmp: tuple[int, int] = (8, 0)
    told: str | None = None
    pkttype: int = 0
    oif: str | None = None
    mark: int = 0
    ctmark: int = 0
    state: str | None = None
    bound: set[str] = field(default_factory=set)
    translated: set[str] = field(default_factory=set)
    original: Concrete | None = None

    @property
    def tracked(self) -> bool:
        """Whether the packet belongs to a flow."""
        return self.state not in (None, "invalid", "untracked")

    def number(self, name: str) -> int | None:
        """A field; None where the packet has none."""
        if name.startswith("orig_"):
            if self.original is None or not self.tracked:
                return None
            return self.original.number(name.removeprefix("orig_"))
        if name in ("saddr4", "daddr4", "saddr6", "daddr6"):
            if self.family != int(name[-1]):
                return None
            return self.source if name[0] == "s" else self.destination
        if name in ("sport", "dport"):
            return getattr(self, name) if self.protocol in PORTED else None
        if name == "tcp_flags":
            return self.tcp_flags if self.protocol == 6 else None
        if name in ("icmp_type", "icmp_code"):
            return self.icmp[name == "icmp_code"] if self.protocol in (1, 58) else None
        if name == "ctmark":
            return self.ctmark if self.tracked else None
        if name == "ct_direction":
            return 0 if self.tracked else None
        number = getattr(self, name)
        assert isinstance(number, int)
        return number
