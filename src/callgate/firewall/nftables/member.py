"""Membership: the condition under which a key has one of the values of a set."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import prod
from typing import Any, Final, get_args

from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.nftables.key import (
    CATCH_ALL,
    STATE_BITS,
    AddressTypeKey,
    ConcatKey,
    InterfaceKey,
    Key,
    NumberKey,
    ReversePathKey,
    StateKey,
    StatusKey,
    UndecidedKey,
    all_of,
    any_of,
    presence,
)
from callgate.firewall.nftables.value import STATE, Json, MalformedJsonError, UnreadableValueError, shorten
from callgate.firewall.rule import (
    ALWAYS,
    NEVER,
    AddressKind,
    AddressType,
    Condition,
    FieldName,
    InState,
    Interface,
    InterfaceName,
    ReversePath,
    Tuples,
    Unknown,
    Within,
)

_ADDRESS_KINDS: Final[frozenset[str]] = frozenset(get_args(AddressKind))
_MAX_GROUPS: Final = 4096
_MAX_BOXES: Final = 32


def members(key: Key, values: Iterable[Json]) -> Condition:
    """The key has one of the values. What nobody can read among them makes a part unknown, never false."""
    if isinstance(key, NumberKey):
        return _numbers(key, values)
    if isinstance(key, ConcatKey):
        return _concatenations(key, values)
    listed = list(values)
    if isinstance(key, UndecidedKey):
        return Unknown(key.why) if listed else NEVER
    if CATCH_ALL in listed:
        return ALWAYS
    if isinstance(key, StatusKey):
        return Unknown("ct status as a whole") if listed else NEVER
    if isinstance(key, ReversePathKey):
        return any_of([_path(key, value) for value in listed])
    if isinstance(key, InterfaceKey):
        return _interfaces(key, listed)
    if isinstance(key, StateKey):
        return _states(key, listed)
    return _address_types(key, listed)


def covers(key: Key, values: Iterable[Json]) -> bool:
    """Whether an undecided key surely has one of the values (`numgen inc mod 2 map { 0 : ..., 1 : ... }`)."""
    if not isinstance(key, UndecidedKey) or key.count is None:
        return False
    numbers = {value for value in values if type(value) is int}
    return len(numbers) >= key.count and all(key.first + number in numbers for number in range(key.count))


def _numbers(key: NumberKey, values: Iterable[Json]) -> Condition:
    pairs: list[tuple[int, int]] = []
    unread: list[Condition] = []
    everything = False
    kind = key.kind
    plain = kind.becomes is None and not kind.shift
    for value in values:
        if value == CATCH_ALL:
            everything = True
            continue
        try:
            pair = kind.interval(value)
        except UnreadableValueError as problem:
            unread.append(Unknown(f"the value {problem}"))
            continue
        if plain:
            pairs.append(pair)
        else:
            pairs += kind.modelled(*pair)
    if everything:
        return Within(key.field, NOTHING, True)
    known = Within(key.field, Intervals.of(pairs), mask=key.mask)
    return any_of([known, *unread[:1]])


def _interfaces(key: InterfaceKey, values: list[Json]) -> Condition:
    names: list[InterfaceName] = []
    unread: list[Condition] = []
    for value in values:
        name = interface_name(key, value)
        if name is None:
            unread.append(Unknown(f"{key.side} {shorten(value)}"))
        else:
            names.append(name)
    known = Interface(key.side, tuple(dict.fromkeys(names)))
    return any_of([known, *unread[:1]])


def interface_name(key: InterfaceKey, value: Json) -> InterfaceName | None:
    """The interfaces a value names; None where that is not known.

    An index nft cannot put a name to is one no interface has, so no interface is called so either; 0 is "none".
    """
    if key.by_index:
        if type(value) is int and value > 0:
            return InterfaceName(str(value))
        return InterfaceName(value) if type(value) is str and value not in ("", "0") else None
    if type(value) is not str or not value:
        return None
    if value.endswith("\\*"):
        return InterfaceName(value[:-2] + "*")
    if value.endswith("*"):
        return InterfaceName(value[:-1], prefix=True)
    return InterfaceName(value)


def _states(key: StateKey, values: list[Json]) -> Condition:
    wanted: set[int] = set()
    unread: list[Condition] = []
    for value in values:
        try:
            wanted.add(STATE.flags(value))
        except UnreadableValueError as problem:
            unread.append(Unknown(f"the state {problem}"))
    mask = STATE.last if key.mask is None else key.mask
    known = InState(frozenset(name for bit, name in STATE_BITS if bit & mask in wanted))
    return any_of([known, *unread[:1]])


def _address_types(key: AddressTypeKey, values: list[Json]) -> Condition:
    kinds: Any = frozenset(value for value in values if type(value) is str and value in _ADDRESS_KINDS)
    unread = [Unknown(f"fib type {shorten(value)}") for value in values if type(value) is not str or value not in kinds]
    known = AddressType(key.side, kinds, interface=key.interface)
    return any_of([known, *unread[:1]])


def _path(key: ReversePathKey, value: Json) -> Condition:
    if value is True:
        return ReversePath(key.loose)
    if value is False or value == "0" or (type(value) is int and value == 0):
        return ReversePath(key.loose, negated=True)
    return Unknown(f"fib oif {shorten(value)}")


def _concatenations(key: ConcatKey, values: Iterable[Json]) -> Condition:
    """Boxes of the numeric fields, grouped by what the other parts demand."""
    numeric = [(at, part) for at, part in enumerate(key.parts) if isinstance(part, NumberKey) and part.mask is None]
    others = [
        (at, part) for at, part in enumerate(key.parts) if not isinstance(part, NumberKey) or part.mask is not None
    ]
    groups: dict[str, tuple[list[Condition], list[tuple[tuple[int, int], ...]]]] = {}
    conditions: dict[tuple[int, str], Condition] = {}
    unread: list[Condition] = []
    for value in values:
        if value == CATCH_ALL:
            return all_of(presence(key))
        parts = value.get("concat") if type(value) is dict else None
        if type(parts) is not list or len(parts) != len(key.parts):
            raise MalformedJsonError(f"not a concatenation of {len(key.parts)}: {shorten(value)}")
        try:
            sides = [_sides(part, parts[at]) for at, part in numeric]
            if prod(map(len, sides)) > _MAX_BOXES:
                raise UnreadableValueError(shorten(value))
        except UnreadableValueError as problem:
            unread.append(Unknown(f"the value {problem}"))
            continue
        name = repr([parts[at] for at, _ in others]) if others else ""
        group = groups.get(name)
        if group is None:
            if len(groups) >= _MAX_GROUPS:
                return Unknown(f"a set of more than {_MAX_GROUPS} different concatenations")
            demands = []
            for at, part in others:
                slot = (at, repr(parts[at]))
                if slot not in conditions:
                    conditions[slot] = members(part, [parts[at]])
                demands.append(conditions[slot])
            group = groups[name] = (demands, [])
        group[1].extend(product(*sides))
    fields = tuple(part.field for _, part in numeric)
    alternatives: list[Condition] = [all_of([*demands, *_boxes(fields, boxes)]) for demands, boxes in groups.values()]
    if alternatives or unread:
        return any_of([*alternatives, *unread[:1]])
    return Tuples(fields, ()) if not others and len(fields) > 1 else NEVER


def _sides(part: NumberKey, value: Json) -> list[tuple[int, int]]:
    if value == CATCH_ALL:
        return [(0, part.kind.last + part.kind.shift)]
    return part.kind.modelled(*part.kind.interval(value))


def _boxes(fields: tuple[FieldName, ...], boxes: list[tuple[tuple[int, int], ...]]) -> list[Condition]:
    if not fields:
        return []
    if len(fields) == 1:
        return [Within(fields[0], Intervals.of(box[0] for box in boxes))]
    return [Tuples(fields, tuple(boxes))]
