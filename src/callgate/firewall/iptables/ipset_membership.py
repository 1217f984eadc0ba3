"""What it means for a packet to be in an ipset.

Facts from net/netfilter/ipset: the element with the most specific prefix decides, and `nomatch` there means no;
a set of another family, or one that asks for more directions than the rule gives, never matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Literal

from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.iptables.ipset_entry import Addresses, Member, Port, Ports
from callgate.firewall.iptables.number import BITS
from callgate.firewall.rule import (
    NEVER,
    Condition,
    Every,
    Family,
    FieldName,
    Interface,
    InterfaceName,
    Not,
    Some,
    Tuples,
    Unknown,
    Within,
)

Direction = Literal["src", "dst"]
Range = tuple[int, int]
"""A closed range of addresses."""

_MOST_LEVELS: Final = 64
_TCP_UDP: Final = Within("protocol", Intervals.of(((6, 6), (17, 17))))
_FIELDS: Final[dict[tuple[str, Direction], FieldName]] = {
    ("4", "src"): "saddr4", ("4", "dst"): "daddr4", ("6", "src"): "saddr6", ("6", "dst"): "daddr6",
    ("port", "src"): "sport", ("port", "dst"): "dport",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class IpSet:
    """One set: its type, and the elements it held when the dump was made."""

    name: str
    kind: str
    """The type, like `hash:net,port`."""
    family: Family | None
    """None for types whose elements have no addresses."""
    plain: list[Range] = field(default_factory=list)
    """The elements of sets of addresses that have no options."""
    expiring: list[Range] = field(default_factory=list)
    """The elements of sets of addresses whose only option is a timeout."""
    members: list[Member] = field(default_factory=list)
    """All others."""
    length: int | None = None
    """The netmask: how long a prefix a plain address stands for."""
    mask: int | None = None
    """What the packet's address (its mark, for hash:ip,mark) is masked with before it is compared."""
    doubt: str | None = None
    """Why nothing can be said of the set."""
    others: Mapping[str, IpSet] = field(default_factory=dict)
    _conditions: dict[tuple[tuple[Direction, ...], Family, bool], Condition] = field(default_factory=dict)

    dimensions: tuple[str, ...] = field(init=False)
    """The parts of an element, like `net`, `port`."""
    of_addresses: bool = field(init=False)
    """Whether an element is one address or network."""

    def __post_init__(self) -> None:
        self.dimensions = tuple(self.kind.partition(":")[2].split(","))
        self.of_addresses = self.dimensions in (("ip",), ("net",))

    def condition(
        self, directions: tuple[Direction, ...], family: Family, *, return_nomatch: bool = False
    ) -> Condition:
        """The condition of `--match-set NAME src,dst`; the same object for the same question.

        With `--return-nomatch` it holds where an element with `nomatch` decides, and only there.
        """
        asked = directions, family, return_nomatch
        if asked not in self._conditions:
            self._conditions[asked] = self._condition(directions, family, return_nomatch)
        return self._conditions[asked]

    def _condition(self, directions: tuple[Direction, ...], family: Family, return_nomatch: bool) -> Condition:
        if self.doubt is not None:
            return Unknown(f"ipset {self.name}: {self.doubt}"[:120])
        if self.family not in (None, family) or len(directions) < len(self.dimensions):
            return NEVER
        if self.kind == "list:set":
            return _some(self._listed(member, directions, family, return_nomatch) for member in self.members)
        swaps = return_nomatch and "net" in self.dimensions
        if self.of_addresses:
            return self._address(_FIELDS[str(self.family), directions[0]], swaps)
        members = [each._replace(nomatch=not each.nomatch) for each in self.members] if swaps else self.members
        certain = self._holding([each for each in members if each.nomatch or not each.expires], directions)
        if not any(each.expires for each in members):
            return certain
        possible = self._holding([each for each in members if not each.nomatch or not each.expires], directions)
        return self._in_doubt(certain, possible)

    def _listed(
        self, member: Member, directions: tuple[Direction, ...], family: Family, return_nomatch: bool
    ) -> Condition:
        name = str(member.parts[0])
        other = self.others.get(name)
        if other is None or other.kind == "list:set":  # the kernel has no lists of lists
            return Unknown(f"ipset {name[:60]} in {self.name}: not in the dump")
        condition = other.condition(directions, family, return_nomatch=return_nomatch)
        return self._in_doubt(NEVER, condition) if member.expires else condition

    def _in_doubt(self, certain: Condition, possible: Condition) -> Condition:
        return _some((certain, Every((possible, Unknown(f"entries of ipset {self.name[:60]} expire")))))

    def _address(self, name: FieldName, swaps: bool) -> Condition:
        """Elements of one address, in intervals: an element that expires may be there or gone."""
        bits = BITS[self.family or 4]
        blocks = [(span, swaps, False) for span in self.plain] + [(span, swaps, True) for span in self.expiring]
        blocks += (
            (part[:2], each.nomatch != swaps, each.expires)
            for each in self.members
            for part in each.parts
            if isinstance(part, Addresses)
        )
        certain = _layered(((span, hole) for span, hole, expires in blocks if hole or not expires), bits)
        holds = Within(name, certain, mask=self.mask)
        if not any(expires for _, _, expires in blocks):
            return holds
        possible = _layered(((span, hole) for span, hole, expires in blocks if not (hole and expires)), bits)
        return self._in_doubt(holds, Within(name, possible if self.mask else possible - certain, mask=self.mask))

    def _holding(self, chosen: Sequence[Member], directions: tuple[Direction, ...]) -> Condition:
        """One of these elements holds the packet, and no `nomatch` more specific than it does."""
        if not any(each.nomatch for each in chosen):
            return self._any_of(chosen, directions)
        if any(each.wildcard for each in chosen):
            return Unknown(f"ipset {self.name}: nomatch among wildcard interfaces"[:120])
        holds: Condition = NEVER
        waiting: list[Member] = []
        depth = 0
        ranked = sorted(chosen, key=lambda each: each.lengths)
        for _, level in groupby(ranked, key=lambda each: each.lengths):
            here = list(level)
            waiting += (each for each in here if not each.nomatch)
            holes = [each for each in here if each.nomatch]
            if holes:
                depth += 1
                holds = _some((holds, self._any_of(waiting, directions)))
                holds = Every((holds, Not(self._any_of(holes, directions))))
                waiting = []
        if depth > _MOST_LEVELS:
            return Unknown(f"ipset {self.name}: nomatch on more than {_MOST_LEVELS} levels"[:120])
        return _some((holds, self._any_of(waiting, directions)))

    def _any_of(self, chosen: Iterable[Member], directions: tuple[Direction, ...]) -> Condition:
        """Elements in groups that compare the same fields, and the same beside the fields."""
        groups: dict[tuple[tuple[FieldName, ...], Condition | None], list[tuple[Range, ...]]] = {}
        for member in chosen:
            fields, box, beside = self._fields(member, directions)
            groups.setdefault((fields, beside), []).append(box)
        conditions: list[Condition] = []
        for (fields, beside), boxes in groups.items():
            parts: list[Condition] = []
            if len(fields) == 1:
                parts.append(Within(fields[0], Intervals.of(box[0] for box in boxes)))
            elif fields:
                parts.append(Tuples(fields, tuple(dict.fromkeys(boxes))))
            if beside is not None:
                parts.append(beside)
            conditions.append(parts[0] if len(parts) == 1 else Every(tuple(parts)))
        return _some(conditions)

    def _fields(
        self, member: Member, directions: tuple[Direction, ...]
    ) -> tuple[tuple[FieldName, ...], tuple[Range, ...], Condition | None]:
        fields: list[FieldName] = []
        box: list[Range] = []
        beside: Condition | None = None
        for part, direction, kind in zip(member.parts, directions, self.dimensions, strict=False):
            if isinstance(part, Addresses):
                fields.append(_FIELDS[str(self.family), direction])
                box.append(part[:2])
            elif isinstance(part, Port):
                fields.append(_FIELDS["port", direction])
                box.append(part[:2])
                beside = _TCP_UDP  # bitmap:port looks at no other transport
            elif isinstance(part, Ports):
                fields.append("protocol")
                box.append((part.protocol, part.protocol))
                if part.is_icmp:
                    fields += ("icmp_type", "icmp_code")
                    box += ((part.first, part.first), (part.last, part.last))
                elif part.has_ports:
                    fields.append(_FIELDS["port", direction])
                    box.append((part.first, part.last))
            elif isinstance(part, int):
                beside = Within("mark", Intervals.single(part), mask=self.mask)
            elif kind == "iface":
                beside = _interface(part, direction, member.wildcard)
        if self.dimensions[-1] == "mac":
            beside = Unknown(f"hardware addresses in ipset {self.name}"[:120])
        return tuple(fields), tuple(box), beside


def _interface(name: str, direction: Direction, wildcard: bool) -> Condition:
    if name.startswith("physdev:"):
        return Unknown(f"bridge port {name[8:60]}")
    return Interface("iif" if direction == "src" else "oif", (InterfaceName(name, prefix=wildcard),))


def _layered(blocks: Iterable[tuple[Range, bool]], bits: int) -> Intervals:
    """Blocks and holes (True), from the widest to the most specific."""
    levels: dict[int, tuple[list[Range], list[Range]]] = {}
    for (first, last), hole in blocks:
        length = bits - (last - first).bit_length()
        if length not in levels:
            levels[length] = ([], [])
        levels[length][hole].append((first, last))
    if not any(outside for _, outside in levels.values()):
        return Intervals.of(span for inside, _ in levels.values() for span in inside)
    values = NOTHING
    for length in sorted(levels):
        inside, outside = levels[length]
        values = (values | Intervals.of(inside)) - Intervals.of(outside)
    return values


def _some(conditions: Iterable[Condition]) -> Condition:
    flat: list[Condition] = []
    for condition in conditions:
        flat.extend(condition.conditions if isinstance(condition, Some) else (condition,))
    return flat[0] if len(flat) == 1 else Some(tuple(flat))


def may_have_changed(name: str, sets: Mapping[str, IpSet], changed: frozenset[str]) -> bool:
    """Whether rules change this set, or a set it lists."""
    if name in changed:
        return True
    found = sets.get(name)
    listed = found.members if found is not None and found.kind == "list:set" else ()
    return any(str(member.parts[0]) in changed for member in listed)
