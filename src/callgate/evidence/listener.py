"""Sockets that wait for strangers or phones: the model every socket reader fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

Transport = Literal["tcp", "udp"]
Address = IPv4Address | IPv6Address
Family = Literal[4, 6]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that holds a socket. The name is what the process calls itself: a claim, not a proof."""

    name: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listening TCP socket, or a UDP socket without a peer.

    `address` is None for a wildcard. `v6only` matters for an IPv6 wildcard alone: True takes IPv6 only, False
    takes IPv4 too, None is not known (netstat and /proc/net do not tell) and must be read as both.
    `device` is the interface the socket is bound to; None means no binding, or one the source does not show.
    """

    transport: Transport
    socket_family: Family
    address: Address | None
    port: int
    device: str | None = None
    v6only: bool | None = None
    processes: tuple[Process, ...] = ()
    line: str = ""
    """The evidence: the line as the tool printed it."""

    @property
    def families(self) -> frozenset[Family]:
        """The families whose packets may arrive here."""
        if self.address is not None:
            return frozenset({4 if isinstance(self.address, IPv4Address) else 6})
        if self.socket_family == 4:
            return frozenset({4})
        return frozenset({6}) if self.v6only else frozenset({4, 6})

    @property
    def loopback(self) -> bool:
        """Whether only this very host can send to it (127.0.0.0/8, ::1, or bound to `lo`)."""
        return self.device == "lo" or (self.address is not None and self.address.is_loopback)

    @property
    def binding(self) -> str:
        """The binding in words a report can show, like `every IPv4 and IPv6 address on eth0`."""
        if self.address is not None:
            where = str(self.address)
        elif self.families == {4}:
            where = "every IPv4 address"
        elif self.families == {6}:
            where = "every IPv6 address"
        elif self.v6only is None:
            where = "every IPv6 and, as far as is known, every IPv4 address"
        else:
            where = "every IPv4 and IPv6 address"
        return f"{where} on {self.device} only" if self.device else where

    @property
    def endpoint(self) -> str:
        """Transport and port with the processes, like `2000/tcp (asterisk)`."""
        who = ", ".join(dict.fromkeys(process.name for process in self.processes))
        return f"{self.port}/{self.transport}" + (f" ({who})" if who else "")


def unmapped(address: Address) -> Address:
    """An IPv4-mapped IPv6 address as the IPv4 address whose packets it receives (RFC 4291 section 2.5.5.2)."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def union(main: Iterable[Listener], other: Iterable[Listener]) -> tuple[Listener, ...]:
    """All of `main`, and those of `other` it does not show: a socket seen by either source is there.

    Sockets are counted: where `other` shows more of a kind than `main` does, one of them may lack the device or
    the IPv6-only mark of its like.
    """
    merged = list(main)
    unmatched = Counter(map(_kind, merged))
    # ss before iproute2 4.17 writes an IPv4 wildcard like one of both families.
    both = Counter((one.transport, one.port) for one in merged if one.address is None and len(one.families) == 2)
    rest = []
    for one in other:
        if unmatched[_kind(one)]:
            unmatched[_kind(one)] -= 1
            both[one.transport, one.port] -= one.address is None and one.socket_family == 6
        else:
            rest.append(one)
    for one in rest:
        if one.address is None and one.socket_family == 4 and both[one.transport, one.port] > 0:
            both[one.transport, one.port] -= 1
        else:
            merged.append(one)
    return tuple(merged)


def _kind(one: Listener) -> tuple[str, int, Address | Family]:
    # The sources disagree on the family of a mapped address, so an address alone identifies it.
    return one.transport, one.port, one.socket_family if one.address is None else one.address
