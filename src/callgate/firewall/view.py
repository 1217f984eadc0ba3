"""One class of packets at one point of its path: every field fixed, but the address of the peer.

Chains are evaluated for a view at a time, and answer for all peers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from callgate.firewall.rule import Family, FieldName, State

Span = tuple[int, int]
"""A closed interval that the rules need not be able to tell apart further; one number is (n, n)."""
Peer = Literal["peer"]
PEER: Final[Peer] = "peer"
Value = Span | Peer | None
"""What a field holds: a span, the varying address itself, or None where it is not known."""

Luck = Literal["good", "bad"] | None
Side = Literal["source", "destination"]

TCP: Final = 6
UDP: Final = 17
PORTED: Final = frozenset({6, 17, 33, 132, 136})
"""TCP, UDP, DCCP, SCTP, UDP-Lite (IANA protocol numbers)."""


@dataclass(frozen=True)
class View:
    """What rules can see of a packet. Compared by value: evaluation is memoised by it."""

    family: Family
    protocol: int
    iif: str | None
    saddr: Value
    daddr: Value
    sport: Value = None
    dport: Value = None
    oif: str | None = None
    tcp_flags: int | None = 2
    ttl: Value = None
    length: Value = None
    mark: int | None = 0
    ctmark: int | None = 0
    state: State | None = None
    """None before connection tracking, and where nothing is tracked: rules see `invalid`."""
    told: State | None = None
    """The state connection tracking shall find, where the question says so."""
    bound: frozenset[Side] = frozenset()
    """The sides on which address translation has had its say; the kernel asks once for each flow."""
    translated: frozenset[Side] = frozenset()
    """The sides on which it changed something."""
    pkttype: int | None = 0
    orig_saddr: Value = None
    orig_daddr: Value = None
    orig_sport: Value = None
    orig_dport: Value = None
    direction: int = 0
    nexthdr: int | None = None
    """The IPv6 extension header in front of the transport; None for none."""
    luck: Luck = None
    """Whether the packet is the first after a long silence, and which way chance falls for it; None: any packet."""

    def __hash__(self) -> int:
        cached = self.__dict__.get("_hash")
        if cached is None:
            cached = hash(tuple(value for name, value in self.__dict__.items() if name != "_numbers"))
            self.__dict__["_hash"] = cached
        return int(cached)

    @property
    def numbers(self) -> dict[FieldName, Value]:
        """The fields this packet has. A field that is absent from it is absent here."""
        cached: dict[FieldName, Value] | None = self.__dict__.get("_numbers")
        if cached is None:
            cached = self.__dict__["_numbers"] = self._fields()
        return cached

    def _fields(self) -> dict[FieldName, Value]:
        found: dict[FieldName, Value] = {
            "family": (self.family, self.family),
            "protocol": (self.protocol, self.protocol),
            "ttl": self.ttl,
            "length": self.length,
            "dscp": None,
            "mark": _number(self.mark),
            "ctmark": _number(self.ctmark),
            "pkttype": _number(self.pkttype),
        }
        if self.family == 4:
            found |= {"saddr4": self.saddr, "daddr4": self.daddr}
        else:
            found |= {"saddr6": self.saddr, "daddr6": self.daddr}
            found["nexthdr"] = _number(self.protocol if self.nexthdr is None else self.nexthdr)
        if self.protocol in PORTED:
            found |= {"sport": self.sport, "dport": self.dport}
        if self.protocol == TCP:
            found["tcp_flags"] = _number(self.tcp_flags)
        if self.protocol in (1, 58):
            found |= {"icmp_type": None, "icmp_code": None}
        if self.state not in (None, "invalid", "untracked"):
            found |= {"ct_direction": (self.direction, self.direction), "orig_protocol": (self.protocol, self.protocol)}
            if self.family == 4:
                found |= {"orig_saddr4": self.orig_saddr, "orig_daddr4": self.orig_daddr}
            else:
                found |= {"orig_saddr6": self.orig_saddr, "orig_daddr6": self.orig_daddr}
            if self.protocol in PORTED:
                found |= {"orig_sport": self.orig_sport, "orig_dport": self.orig_dport}
        elif self.family:
            # Without a tracked flow there is no mark to compare, in either tool.
            del found["ctmark"]
        return found


def _number(value: int | None) -> Value:
    return None if value is None else (value, value)
