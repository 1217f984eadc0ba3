"""What is asked of a policy: a service, and where it may stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import Family
from callgate.firewall.view import TCP, UDP, Span


@dataclass(frozen=True, slots=True)
class Question:
    """A service as the kernel knows it, and the ways to it that count."""

    transport: Literal["tcp", "udp"]
    ports: Span
    what: str = "the service"
    addresses: tuple[tuple[Family, Intervals], ...] | None = None
    """The host's addresses it listens on, by family; None for all."""
    direct: bool = True
    """Whether packets sent to one of these addresses and ports, and not translated, count."""
    translated: bool = True
    """Whether packets count that translation turns into the service, or takes elsewhere from its port."""
    behind: tuple[tuple[Family, Intervals], ...] = ()
    """Networks behind the host in which it may stand: then plain forwarding is a way in too."""

    @property
    def protocol(self) -> int:
        """The transport's number."""
        return TCP if self.transport == "tcp" else UDP

    def listened(self, family: Family) -> Intervals | None:
        """The addresses of one family it listens on; None for all."""
        if self.addresses is None:
            return None
        return next((members for other, members in self.addresses if other == family), Intervals())
