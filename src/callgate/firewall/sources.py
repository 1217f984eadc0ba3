"""Sets of sources, by family and ingress interface: who gets in surely, and who perhaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from callgate.errors import NotDetermined
from callgate.firewall.host import LAST, prefix_interval
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import Family
from callgate.firewall.trace import write_address

Network = IPv4Network | IPv6Network
SHOWN: Final = 2
"""How many networks an explanation names before it counts the rest."""
COUNTED: Final = 4096
"""Among how many networks the largest are looked for."""
UNCOUNTED: Final = 10**12
"""More addresses than that are many: nobody reads the number."""


class Entrance(NamedTuple):
    """Where packets come in: the family and the ingress interface."""

    family: Family
    interface: str


@dataclass(frozen=True, slots=True)
class Door:
    """Who gets in by one entrance, and how."""

    surely: Intervals = NOTHING
    perhaps: Intervals = NOTHING
    """Those for whom it rests on something the evidence does not tell; none of them is among `surely`."""
    ways: tuple[Way, ...] = ()
    """How: each with the sources it is good for."""

    @property
    def any(self) -> Intervals:
        """Both together."""
        return self.surely | self.perhaps


@dataclass(frozen=True, slots=True)
class Way:
    """One way in: the packet's destination and port, for whom it works, and the rules that let them."""

    destination: str
    """What the packet is sent to, like `192.168.1.10:2000/tcp`, with where it ends if that is elsewhere."""
    sources: Intervals
    sure: bool
    rules: tuple[str, ...]
    """The rules responsible; of a way that many rules open, some of them. `at` tells which opens it to whom."""
    tell: Callable[[int], tuple[str, tuple[str, ...]]] | None = field(default=None, compare=False)
    """Destination and rules for one source, where they differ from source to source."""

    def at(self, members: Intervals) -> tuple[int, Way] | None:
        """A source among the members for whom this is a way, and the way as it is for that one; None when none is."""
        common = self.sources & members
        if not common:
            return None
        source = common.bounds[0]
        if self.tell is None:
            return source, self
        destination, rules = self.tell(source)
        return source, replace(self, destination=destination, rules=rules)


@dataclass(frozen=True)
class Sources:
    """A set of sources. `-`, `&` and `|` work entrance by entrance; `-` and `&` also take networks.

    True when somebody surely is in it. A set that holds nobody surely but somebody perhaps is neither: asking
    for its truth raises NotDetermined, so that doubt never passes for an empty set.
    """

    doors: Mapping[Entrance, Door] = field(default_factory=dict)
    what: str = "the service"
    """What they reach, for explanations."""

    def __bool__(self) -> bool:
        if any(door.surely for door in self.doors.values()):
            return True
        if any(door.perhaps for door in self.doors.values()):
            raise NotDetermined(self.explain())
        return False

    def __iter__(self) -> Iterator[tuple[Entrance, Door]]:
        return iter(self.doors.items())

    @property
    def surely(self) -> Sources:
        """Those who surely are in it."""
        return Sources({at: Door(door.surely, NOTHING, door.ways) for at, door in self.doors.items()}, self.what)

    @property
    def doubtful(self) -> Sources:
        """Those who perhaps are in it."""
        return Sources({at: Door(NOTHING, door.perhaps, door.ways) for at, door in self.doors.items()}, self.what)

    @property
    def empty(self) -> bool:
        """Whether nobody is in it, not even perhaps."""
        return not any(door.surely or door.perhaps for door in self.doors.values())

    def on(self, interfaces: Iterable[str]) -> Sources:
        """The part that comes in by these interfaces."""
        wanted = set(interfaces)
        kept = {entrance: door for entrance, door in self.doors.items() if entrance.interface in wanted}
        return Sources(kept, self.what)

    def of(self, family: Family) -> Sources:
        """The part of one family."""
        return Sources(
            {entrance: door for entrance, door in self.doors.items() if entrance.family == family}, self.what
        )

    def __sub__(self, other: Sources | Iterable[Network]) -> Sources:
        def left(entrance: Entrance, door: Door) -> Door:
            surely, perhaps = _members(other, entrance)
            return _door(door, door.surely - surely - perhaps, door.any - surely)

        return Sources({entrance: left(entrance, door) for entrance, door in self.doors.items()}, self.what)

    def __and__(self, other: Sources | Iterable[Network]) -> Sources:
        def common(entrance: Entrance, door: Door) -> Door:
            surely, perhaps = _members(other, entrance)
            return _door(door, door.surely & surely, door.any & (surely | perhaps))

        return Sources({entrance: common(entrance, door) for entrance, door in self.doors.items()}, self.what)

    def __or__(self, other: Sources) -> Sources:
        total = dict(self.doors)
        for entrance, door in other.doors.items():
            mine = total.get(entrance, Door())
            surely = mine.surely | door.surely
            total[entrance] = Door(surely, (mine.perhaps | door.perhaps) - surely, mine.ways + door.ways)
        return Sources(total, self.what)

    def explain(self, limit: int = 4) -> str:
        """Who is in it, by which interface, and through which rules; one line for each of up to `limit` entrances."""
        lines = []
        for entrance, door in sorted(self.doors.items()):
            for members, word in ((door.surely, "reach"), (door.perhaps, "perhaps reach")):
                if members:
                    lines.append(_sentence(entrance, door, members, word, self.what))
        if not lines:
            return f"nobody reaches {self.what}"
        more = [f"and {len(lines) - limit} more"] if len(lines) > limit else []
        return "; ".join(lines[:limit] + more)


def _door(door: Door, surely: Intervals, anybody: Intervals) -> Door:
    return Door(surely, anybody - surely, door.ways)


def _members(other: Sources | Iterable[Network], entrance: Entrance) -> tuple[Intervals, Intervals]:
    if isinstance(other, Sources):
        door = other.doors.get(entrance, Door())
        return door.surely, door.perhaps
    return interval_of(other, entrance.family), NOTHING


def interval_of(networks: Iterable[Network], family: Family) -> Intervals:
    """The addresses of the networks that are of this family."""
    return Intervals.of(
        (int(network.network_address), int(network.broadcast_address))
        for network in networks
        if network.version == family
    )


def _sentence(entrance: Entrance, door: Door, members: Intervals, word: str, what: str) -> str:
    said = f"{in_words(entrance.family, members)} on {entrance.interface} {word} {what}"
    found = next((found for way in door.ways if (found := way.at(members)) is not None), None)
    if found is None:
        return said
    source, way = found
    through = f" through {' and '.join(way.rules)}" if way.rules else ", no rule forbids it"
    return f"{said} (for example {write_address(entrance.family, source)} to {way.destination}){through}"


def in_words(family: Family, members: Intervals) -> str:
    """A set of addresses in words: everybody, all but some networks, or the largest networks and how many more."""
    space = LAST[family] + 1
    if members.size == space:
        return f"every IPv{family} source"
    if members.size * 2 > space:
        return f"every IPv{family} source but {_largest(family, members.complement(LAST[family]))}"
    if members and len(members) > 1:
        around = _covering(family, members)
        if members.size * 8 >= around.size * 7:
            return f"{_largest(family, around)} but {_largest(family, around - members)}"
    return _largest(family, members)


def _covering(family: Family, members: Intervals) -> Intervals:
    """The smallest network around all of them."""
    first, last = members.bounds[0], members.bounds[-1] - 1
    return prefix_interval(family, first, LAST[family].bit_length() - (first ^ last).bit_length())


def _largest(family: Family, members: Intervals) -> str:
    networks = sorted(cidrs(family, members, COUNTED), key=lambda network: -network[1])
    shown = ", ".join(text for text, _ in networks[:SHOWN])
    rest = members.size - sum(size for _, size in networks[:SHOWN])
    if rest > UNCOUNTED:
        return f"{shown} and many more"
    return f"{shown} and {rest:,} more" if rest else shown


def cidrs(family: Family, members: Intervals, limit: int | None = None) -> list[tuple[str, int]]:
    """The set as networks in CIDR form with their sizes, in order; at most `limit` of them."""
    bits = 32 if family == 4 else 128
    found: list[tuple[str, int]] = []
    for first, last in members:
        while first <= last:
            span = first & -first if first else 1 << bits
            while first + span - 1 > last:
                span >>= 1
            length = bits - span.bit_length() + 1
            found.append((f"{write_address(family, first)}/{length}", span))
            first += span
            if limit is not None and len(found) >= limit:
                return found
    return found
