"""Whether a condition holds for a view: for which peers surely, and for which perhaps."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any, Final

from callgate.firewall.host import EVERYONE, LAST, Host
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import (
    AddressType,
    Condition,
    Every,
    Family,
    InState,
    Interface,
    Not,
    ReversePath,
    Some,
    Tuples,
    Unknown,
    Within,
)
from callgate.firewall.view import PEER, Value, View

Peers = tuple[Intervals, Intervals]
"""The peers for which something surely holds, and those for which it may; the first are among the second."""

NOBODY: Final[Peers] = (NOTHING, NOTHING)
MASKS_EXPANDED: Final = 1 << 12
"""How many intervals a mask with holes may become before the answer is left in doubt."""


class Deciding:
    """Decides conditions for one view; equal conditions once."""

    def __init__(self, host: Host, view: View) -> None:
        self.host = host
        self.view = view
        self.everyone = EVERYONE[view.family]
        self.yes: Final[Peers] = (self.everyone, self.everyone)
        self.perhaps: Final[Peers] = (NOTHING, self.everyone)
        self._numbers = view.numbers
        self._known: dict[int, Peers] = {}
        self._by_type: dict[type, Callable[[Any], Peers]] = {
            Within: self._within,
            Interface: self._interface,
            InState: self._in_state,
            AddressType: self._address_type,
            ReversePath: self._reverse_path,
            Tuples: self._tuples,
            Unknown: self._unknown,
            Every: self._every,
            Some: self._some,
            Not: self._not,
        }

    def holds(self, condition: Condition) -> Peers:
        """The peers for which it surely holds, and those for which it may."""
        key = id(condition)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._by_type[type(condition)](condition)
        return known

    def _plain(self, truth: bool) -> Peers:
        return self.yes if truth else NOBODY

    def _unknown(self, one: Unknown) -> Peers:
        if self.view.luck is None or one.at_first is None:
            return self.perhaps
        return self._plain(self.view.luck == "good" if one.at_first == "either" else one.at_first)

    def _within(self, one: Within) -> Peers:
        if one.field not in self._numbers:
            return NOBODY
        value = self._numbers[one.field]
        if value is None:
            # The field is there, its value is not known: what holds of every value still holds.
            if one.mask is None and (not one.values or one.values.covers(0, self._last(one))):
                return self._plain(bool(one.values) != one.negated)
            return self.perhaps
        if isinstance(value, str):
            members = one.values if one.mask is None else unmasked(self.view.family, one.values, one.mask)
            if members is None:
                return self.perhaps
            members = (
                members & self.everyone
                if members.bounds and members.bounds[-1] > LAST[self.view.family] + 1
                else members
            )
            members = self.everyone - members if one.negated else members
            return (members, members)
        first, last = value
        if one.mask is not None:
            if first != last:
                return self.perhaps
            return self._plain(((first & one.mask) in one.values) != one.negated)
        if one.values.covers(first, last):
            return self._plain(not one.negated)
        if one.values.meets(first, last):
            return self.perhaps
        return self._plain(one.negated)

    def _last(self, one: Within) -> int:
        if one.field.endswith("6") and "addr" in one.field:
            return LAST[6]
        return LAST[4] if "addr" in one.field or one.field.endswith("mark") else 0xFFFF

    def _interface(self, one: Interface) -> Peers:
        name = self.view.iif if one.side == "iif" else self.view.oif
        named = name is not None and any(
            name.startswith(each.name) if each.prefix else name == each.name for each in one.names
        )
        if name is None:
            # A missing interface is compared as an empty name: only the pattern for all fits it.
            named = any(each.prefix and not each.name for each in one.names)
        return self._plain(named != one.negated)

    def _in_state(self, one: InState) -> Peers:
        view = self.view
        told = {view.state or "invalid"}
        if view.state not in (None, "invalid", "untracked"):
            told |= {"dnat" if side == "destination" else "snat" for side in view.translated}
            if view.told is not None and view.told != "new" and not told & one.states and one.states & {"snat", "dnat"}:
                return self.perhaps  # whether an older flow is translated is not known
        return self._plain(bool(told & one.states) != one.negated)

    def _address_type(self, one: AddressType) -> Peers:
        family = self.view.family
        interface = None
        if one.interface is not None:
            interface = self.view.iif if one.interface == "iif" else self.view.oif
            if interface is None:
                return self.perhaps
        known = ("local", "broadcast", "multicast", "unicast")
        members = reduce(Intervals.__or__, (self.host.of_kind(family, kind, interface) for kind in one.kinds), NOTHING)
        unsure = any(kind not in known for kind in one.kinds)
        value = self.view.saddr if one.side == "source" else self.view.daddr
        surely, maybe = self._among(value, members)
        if unsure:
            maybe = self.everyone
        return self._but(surely, maybe) if one.negated else (surely, maybe)

    def _among(self, value: Value, members: Intervals) -> Peers:
        if isinstance(value, str):
            return (members, members)
        if value is None:
            return self.perhaps
        first, last = value
        if members.covers(first, last):
            return self.yes
        return self.perhaps if members.meets(first, last) else NOBODY

    def _reverse_path(self, one: ReversePath) -> Peers:
        view, host = self.view, self.host
        if view.saddr is None or view.iif is None:
            return self.perhaps
        if view.iif == host.loopback:
            return self._plain(not one.negated)
        routed = host.routed(view.family) if one.loose else host.behind(view.family, view.iif)
        # The lookup must end at a unicast route: not at an address of the host's own, nor at a broadcast one.
        routed -= host.own(view.family) | host.of_kind(view.family, "broadcast")
        # Where routes are not told, one that is not known may lead there.
        maybe = routed if host.told(view.family) else self.everyone - host.own(view.family)
        if isinstance(view.saddr, tuple):
            maybe = self._among(view.saddr, maybe)[1]
            routed = self._among(view.saddr, routed)[0]
        return self._but(routed, maybe) if one.negated else (routed, maybe)

    def _tuples(self, one: Tuples) -> Peers:
        values = []
        for name in one.fields:
            if name not in self._numbers:
                return NOBODY
            values.append(self._numbers[name])
        fixed = [(at, value) for at, value in enumerate(values) if isinstance(value, tuple)]
        varying = [at for at, value in enumerate(values) if value == PEER]
        unsure = any(value is None for value in values)
        sure: list[tuple[int, int]] = []
        maybe: list[tuple[int, int]] = []
        for box in one.boxes:
            inside, meets = not unsure, True
            for at, (first, last) in fixed:
                low, high = box[at]
                if high < first or low > last:
                    meets = False
                    break
                inside = inside and low <= first and last <= high
            if not meets:
                continue
            span = (0, LAST[self.view.family])
            for at in varying:
                span = (max(span[0], box[at][0]), min(span[1], box[at][1]))
            maybe.append(span)
            if inside:
                sure.append(span)
        members, doubtful = Intervals.of(sure), Intervals.of(maybe)
        return self._but(members, doubtful) if one.negated else (members, doubtful)

    def _but(self, surely: Intervals, maybe: Intervals) -> Peers:
        return (self.everyone - maybe, self.everyone - surely)

    def _every(self, one: Every) -> Peers:
        surely, maybe = self.yes
        for condition in one.conditions:
            also, perhaps = self.holds(condition)
            surely, maybe = surely & also, maybe & perhaps
            if not maybe:
                break
        return (surely, maybe)

    def _some(self, one: Some) -> Peers:
        surely, maybe = NOBODY
        for condition in one.conditions:
            also, perhaps = self.holds(condition)
            surely, maybe = surely | also, maybe | perhaps
        return (surely, maybe)

    def _not(self, one: Not) -> Peers:
        return self._but(*self.holds(one.condition))


@lru_cache(maxsize=256)
def unmasked(family: Family, values: Intervals, mask: int) -> Intervals | None:
    """The addresses whose masked value is among `values`; None when there are too many intervals of them."""
    bits = LAST[family].bit_length()
    free = LAST[family] & ~mask
    low = 0
    while low < bits and free >> low & 1:
        low += 1
    scattered = [bit for bit in range(low, bits) if free >> bit & 1]
    if values.size > MASKS_EXPANDED or values.size << len(scattered) > MASKS_EXPANDED:
        return None
    span = (1 << low) - 1
    starts = [number for first, last in values for number in range(first, last + 1) if number & ~mask == 0]
    for bit in scattered:
        starts += [start | 1 << bit for start in starts]
    return Intervals.of((start, start + span) for start in starts)
