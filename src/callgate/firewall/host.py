"""What a packet's fate depends on beside the rules: addresses, routes, kernel parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import AddressKind, Family

LAST: Final[dict[Family, int]] = {4: 2**32 - 1, 6: 2**128 - 1}
EVERYONE: Final[dict[Family, Intervals]] = {family: Intervals.single(0, last) for family, last in LAST.items()}

_LOOPBACK: Final[dict[Family, Intervals]] = {4: Intervals.single(127 << 24, (128 << 24) - 1), 6: Intervals.single(1)}
_MULTICAST: Final[dict[Family, Intervals]] = {
    4: Intervals.single(224 << 24, (240 << 24) - 1),
    6: Intervals.single(0xFF << 120, 2**128 - 1),
}
_ALL_ONES: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """One address of an interface, as a number, with the length of its network's prefix."""

    interface: str
    family: Family
    address: int
    prefix: int

    @property
    def network(self) -> Intervals:
        """The network it lies in."""
        return prefix_interval(self.family, self.address, self.prefix)


@dataclass(frozen=True, slots=True)
class HostRoute:
    """One route: `interfaces` is empty for routes that lead nowhere (blackhole, unreachable, prohibit)."""

    family: Family
    network: int
    prefix: int
    interfaces: tuple[str, ...]
    table: str = "main"


def prefix_interval(family: Family, address: int, prefix: int) -> Intervals:
    """The addresses that share their first `prefix` bits with `address`."""
    span = LAST[family] >> prefix
    first = address & ~span
    return Intervals.single(first, first + span)


@dataclass(frozen=True)
class Host:
    """One host's own part in routing. Parameters that the evidence does not tell are None."""

    addresses: tuple[LinkAddress, ...]
    routes: tuple[HostRoute, ...] | None = None
    interfaces: tuple[str, ...] = ()
    """Every interface, also those without addresses."""
    loopback: str = "lo"
    sysctls: Mapping[str, str] = field(default_factory=dict)
    programs: frozenset[str] = frozenset()
    """Interfaces at which programs (XDP, tc) see packets before any rule: they may do anything."""
    bridges: frozenset[str] = frozenset()
    """Interfaces that are bridges: tables of family bridge see what comes in by them."""
    closed: frozenset[str] = frozenset()
    """Interfaces by which no packet comes in as from itself: down, or a port of a bridge."""

    @property
    def entrances(self) -> tuple[str, ...]:
        """The interfaces by which packets of others come in."""
        return tuple(name for name in self.interfaces if name != self.loopback and name not in self.closed)

    def number(self, name: str) -> int | None:
        """A kernel parameter as a number; None where it is not told."""
        value = self.sysctls.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None

    def forwards(self, family: Family, interface: str) -> bool | None:
        """Whether packets that came in by the interface are routed on; None when the evidence does not tell."""
        if family == 4:
            # ip_forward writes through to every interface; an interface may still differ.
            own = self.number(f"net.ipv4.conf.{interface}.forwarding")
            value = own if own is not None else self.number("net.ipv4.ip_forward")
        else:
            value = self.number("net.ipv6.conf.all.forwarding")
            own = self.number(f"net.ipv6.conf.{interface}.forwarding")
            value = own if own is not None else value
        return None if value is None else value != 0

    def reverse_path(self, interface: str) -> int | None:
        """The kernel's reverse path filter for IPv4: 0 none, 1 strict, 2 loose (RFC 3704); None when not told.

        The kernel takes the larger of the interface's value and that of `all` (ip-sysctl.rst, rp_filter).
        """
        own = self.number(f"net.ipv4.conf.{interface}.rp_filter")
        everywhere = self.number("net.ipv4.conf.all.rp_filter")
        if own is None or everywhere is None:
            return 2 if 2 in (own, everywhere) else None
        return max(own, everywhere)

    def flag(self, family: Family, interface: str, name: str, default: bool) -> bool:
        """Whether a per-interface switch is on, there or for all; `default` when the evidence has neither."""
        values = [self.number(f"net.ipv{family}.conf.{scope}.{name}") for scope in (interface, "all")]
        told = [value for value in values if value is not None]
        return any(told) if told else default

    @cached_property
    def kinds(self) -> Mapping[tuple[Family, AddressKind, str | None], Intervals]:
        """Addresses by kind and family; with an interface, only those that the interface itself has."""
        found: dict[tuple[Family, AddressKind, str | None], Intervals] = {}
        families: tuple[Family, Family] = (4, 6)
        for family in families:
            for interface in (None, *self.interfaces):
                mine = [
                    entry for entry in self.addresses if entry.family == family and interface in (None, entry.interface)
                ]
                local = Intervals.of((entry.address, entry.address) for entry in mine)
                if interface in (None, self.loopback):
                    local |= _LOOPBACK[family]
                broadcast = NOTHING
                if family == 4:
                    broadcast = Intervals.of(
                        [(entry.network.bounds[1] - 1,) * 2 for entry in mine if entry.prefix < 31]
                        + [(_ALL_ONES, _ALL_ONES), (0, 0)]
                    )
                    broadcast -= local
                multicast = _MULTICAST[family]
                rest = EVERYONE[family] - local - broadcast - multicast
                for kind, addresses in (
                    ("local", local),
                    ("broadcast", broadcast),
                    ("multicast", multicast),
                    ("unicast", rest),
                ):
                    found[family, kind, interface] = addresses  # type: ignore[index]
        return found

    def of_kind(self, family: Family, kind: AddressKind, interface: str | None = None) -> Intervals:
        """The addresses of a kind; with an interface, as the kernel sees them from there."""
        return self.kinds.get((family, kind, interface), NOTHING)

    def local(self, family: Family) -> tuple[int, ...]:
        """The host's own addresses, without those of the loopback network."""
        own = [entry.address for entry in self.addresses if entry.family == family]
        return tuple(dict.fromkeys(address for address in own if address not in _LOOPBACK[family]))

    def own(self, family: Family) -> Intervals:
        """Every address the host takes for its own: also the subnet routers' anycast ones (RFC 4291 section 2.6.1)."""
        own = self.of_kind(family, "local")
        if family == 6:
            own |= Intervals.of((entry.network.bounds[0],) * 2 for entry in self.addresses if entry.family == 6)
        return own

    def first_address(self, family: Family, interface: str) -> int | None:
        """The address REDIRECT takes: the interface's first one."""
        for entry in self.addresses:
            if entry.family == family and entry.interface == interface and not _link_local(entry):
                return entry.address
        return None

    @cached_property
    def _table(self) -> Mapping[Family, tuple[HostRoute, ...]]:
        """The routes by family, longest prefix first; what addresses alone imply where no route is told."""
        implied = [
            HostRoute(entry.family, entry.network.bounds[0], entry.prefix, (entry.interface,))
            for entry in self.addresses
        ]
        routes = list(self.routes or ())
        for family in (4, 6):
            if not any(route.family == family for route in routes):
                routes += [route for route in implied if route.family == family]
        routes.sort(key=lambda route: -route.prefix)
        return {family: tuple(route for route in routes if route.family == family) for family in (4, 6)}

    def egress(self, family: Family, address: int) -> tuple[tuple[str, ...], bool]:
        """The interfaces a packet to the address may leave by, and whether that is certain.

        Longest prefix first, over all tables: where several tables or next hops answer, each may be the one.
        """
        found: list[str] = []
        longest: int | None = None
        for route in self._table[family]:
            span = LAST[family] >> route.prefix
            if route.network != address & ~span:
                continue
            if longest is not None and route.prefix < longest and route.table == "main":
                break
            if route.table == "main":
                longest = route.prefix
            found += [name for name in route.interfaces if name not in found]
            if route.table == "main" and len(self._tables(family)) < 2:
                # The first match of the longest prefix; equal ones differ by metric alone.
                break
        return tuple(found), (self.told(family) or bool(found)) and len(found) < 2

    def cuts(self, family: Family) -> tuple[int, ...]:
        """The addresses at which the way of packets may change: bounds of routes and of the host's own addresses."""
        found: set[int] = set()
        for route in self._table[family]:
            found.update(prefix_interval(family, route.network, route.prefix).bounds)
        for kind in ("local", "broadcast", "multicast"):
            found.update(self.of_kind(family, kind).bounds)
        return tuple(sorted(found))

    def told(self, family: Family) -> bool:
        """Whether the evidence holds the routes of the family, and not only what addresses imply."""
        return self.routes is not None and any(route.family == family for route in self.routes)

    def attached(self, family: Family) -> Intervals:
        """The networks the host has an address in."""
        return Intervals.of(span for entry in self.addresses if entry.family == family for span in entry.network)

    def _tables(self, family: Family) -> frozenset[str]:
        return frozenset(route.table for route in self._table[family])

    def behind(self, family: Family, interface: str) -> Intervals:
        """The addresses whose way back is the interface: what strict reverse path filtering lets in by it."""
        return self._reverse[family].get(interface, NOTHING)

    def routed(self, family: Family) -> Intervals:
        """The addresses to which any route leads: what loose reverse path filtering lets in."""
        total = NOTHING
        for addresses in self._reverse[family].values():
            total |= addresses
        return total

    @cached_property
    def _reverse(self) -> Mapping[Family, Mapping[str, Intervals]]:
        told: dict[Family, dict[str, Intervals]] = {4: {}, 6: {}}
        families: tuple[Family, Family] = (4, 6)
        for family in families:
            taken = NOTHING
            for route in self._table[family]:
                net = prefix_interval(family, route.network, route.prefix)
                left = net - taken
                for name in route.interfaces:
                    told[family][name] = told[family].get(name, NOTHING) | left
                if route.table == "main":
                    taken |= net
        return told

    def excused(self, destination: int, interface: str) -> Intervals:
        """Martian IPv4 sources that routing takes for this destination (route.c: limited broadcast, 224.0.0.0/24)."""
        if destination == _ALL_ONES and self.reverse_path(interface):
            return Intervals.single(0)
        if destination == _ALL_ONES:
            return Intervals.single(0) | (_LOOPBACK[4] - Intervals.single(127 << 24 | 1))
        return Intervals.single(0) if destination >> 8 == 224 << 16 else NOTHING

    def martian(self, family: Family, interface: str) -> Intervals:
        """Sources that routing drops whatever the rules say, as seen on real kernels (Linux 6.18)."""
        if interface == self.loopback:
            return NOTHING
        dropped = _MULTICAST[family]
        if family == 4:
            accepts = self.flag(4, interface, "accept_local", False)
            own = (
                NOTHING
                if accepts
                else Intervals.of((entry.address, entry.address) for entry in self.addresses if entry.family == 4)
            )
            if not self.flag(4, interface, "route_localnet", False):
                dropped |= _LOOPBACK[4]
            dropped |= own | Intervals.single(0) | Intervals.single(_ALL_ONES)
            # Linux looks at other broadcast addresses only where it filters by the way back (fib_frontend.c).
            return dropped | self.of_kind(4, "broadcast") if self.reverse_path(interface) else dropped
        return dropped | _LOOPBACK[6]


def _link_local(entry: LinkAddress) -> bool:
    return entry.family == 6 and entry.address >> 118 == 0x3FA


Locality = Literal["local", "forwarded"]
