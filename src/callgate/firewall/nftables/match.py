"""nft `match` expressions read into conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.nftables.expression import key_name, read_key
from callgate.firewall.nftables.key import (
    STATE_BITS,
    ConcatKey,
    Key,
    NumberKey,
    ReversePathKey,
    StateKey,
    StatusKey,
    UndecidedKey,
    all_of,
    any_of,
    negation,
)
from callgate.firewall.nftables.member import members
from callgate.firewall.nftables.set_elements import NamedSet, among
from callgate.firewall.nftables.tracking import tracks
from callgate.firewall.nftables.value import (
    STATE,
    STATUS,
    TCP_FLAGS,
    Json,
    MalformedJsonError,
    UnreadableValueError,
    mapping,
    shorten,
)
from callgate.firewall.rule import NEVER, Condition, FieldName, InState, Not, State, Unknown, Within

_COMPARISONS: Final = ("<", ">", "<=", ">=")
_OPERATORS: Final = ("==", "!=", "in", "!", *_COMPARISONS)
_TRANSLATED: Final[dict[int, State]] = {16: "snat", 32: "dnat"}


@dataclass(slots=True, eq=False)
class Scope:
    """What expressions mean within one table."""

    family: str
    sets: dict[str, NamedSet]
    chains: frozenset[str]
    frames: bool = False
    """Whether a chain of the table sees packets as they come off the wire (ingress)."""
    shared: dict[Condition, Condition] = field(default_factory=dict)
    """Conditions met so far: equal ones are to be one object."""
    fields: set[FieldName] = field(default_factory=set)
    """The fields that some condition looks at."""
    tracks: bool = False
    """Whether an expression met so far asks connection tracking."""
    _keys: dict[str, tuple[tuple[Condition, ...], Key]] = field(default_factory=dict)
    _matches: dict[str, tuple[Condition, ...]] = field(default_factory=dict)

    def key(self, expression: Json) -> tuple[tuple[Condition, ...], Key]:
        """What an expression looks at, behind the conditions nft puts in front. Raises MalformedJsonError."""
        name = repr(expression)
        known = self._keys.get(name)
        if known is None:
            needs, key = read_key(expression, self.family, frames=self.frames)
            known = self._keys[name] = (tuple(self.share(one) for one in needs), key)
            for part in key.parts if isinstance(key, ConcatKey) else (key,):
                if isinstance(part, NumberKey):
                    self.fields.add(part.field)
        return known

    def named(self, reference: Json) -> NamedSet:
        """The set a reference like `@blocked` names. Raises MalformedJsonError."""
        if type(reference) is not str or reference[:1] != "@":
            raise MalformedJsonError(f"not a reference to a set: {shorten(reference)}")
        found = self.sets.get(reference[1:])
        if found is None:
            raise MalformedJsonError(f"there is no set {shorten(reference)}")
        return found

    def match(self, content: Json) -> tuple[Condition, ...]:
        """A `match` expression as conditions that must all hold. Raises MalformedJsonError."""
        name = repr(content)
        conditions = self._matches.get(name)
        if conditions is None:
            content = mapping(content, "match")
            if not {"op", "left", "right"} <= content.keys() or content["op"] not in _OPERATORS:
                raise MalformedJsonError(f"not a match: {shorten(content)}")
            needs, key = self.key(content["left"])
            condition = self._condition(content["op"], key, content["right"], content["left"])
            conditions = (*needs, self.share(condition))
            self._matches[name] = conditions
            self.tracks = self.tracks or ("'ct'" in name and tracks(content))
        return conditions

    def share(self, condition: Condition) -> Condition:
        """The first condition that was equal to this one."""
        return self.shared.setdefault(condition, condition)

    def _condition(self, operator: str, key: Key, right: Json, left: Json) -> Condition:
        listed = self._listed(key, right)
        if listed is not None:
            if operator in ("==", "in"):
                return listed
            return negation(key, listed) if operator == "!=" else Unknown(f"{key_name(left)} {operator} a set")
        if isinstance(key, UndecidedKey):
            return Unknown(key.why, "either" if key.why.startswith("numgen") else None)
        try:
            if isinstance(key, StateKey):
                return _state(operator, STATE.flags(right), key.mask)
            if isinstance(key, StatusKey):
                return _status(operator, STATUS.flags(right), key.mask)
            if isinstance(key, NumberKey):
                return _number(operator, key, right)
        except UnreadableValueError as problem:
            return Unknown(shorten(f"{key_name(left)} {operator} {problem}"))
        if operator not in ("==", "!=") or (type(right) is list and not isinstance(key, ReversePathKey)):
            return Unknown(shorten(f"{key_name(left)} {operator} {shorten(right)}"))
        found = members(key, [right])
        return found if operator == "==" else negation(key, found)

    def _listed(self, key: Key, right: Json) -> Condition | None:
        """Membership in a set, named or written out; None where the right side is a value."""
        if type(right) is str and right[:1] == "@":
            return self.named(right).lookup(key)
        if type(right) is dict and "set" in right:
            elements = right["set"]
            if type(elements) is str and elements[:1] == "@":
                return self.named(elements).lookup(key)
            if type(elements) is not list:
                elements = [elements]
            return among(key, elements)
        return None


def _number(operator: str, key: NumberKey, right: Json) -> Condition:
    kind = key.kind
    if operator in ("in", "!"):
        if kind is not TCP_FLAGS:
            raise UnreadableValueError(shorten(right))
        bits = kind.flags(right) & (TCP_FLAGS.last if key.mask is None else key.mask)
        return Within(key.field, Intervals.single(0), negated=operator == "in", mask=bits)
    if operator in _COMPARISONS:
        number = kind.number(right)
        low, high = {
            "<": (0, number - 1), "<=": (0, number), ">": (number + 1, kind.last), ">=": (number, kind.last),
        }[operator]  # fmt: skip
        pairs = kind.modelled(low, high) if low <= high else []
        return Within(key.field, Intervals.of(pairs), mask=key.mask)
    if type(right) is list:
        if kind is not TCP_FLAGS:
            raise UnreadableValueError(shorten(right))
        right = kind.flags(right)
    first, last = kind.interval(right)
    values = Intervals.of(kind.modelled(first, last))
    return Within(key.field, values or NOTHING, negated=operator == "!=", mask=key.mask)


def _holds(operator: str, number: int, value: int) -> bool:
    if operator in ("in", "!"):
        return (number & value != 0) == (operator == "in")
    if operator in ("==", "!="):
        return (number == value) == (operator == "==")
    if operator in ("<", "<="):
        return number < value or (operator == "<=" and number == value)
    return number > value or (operator == ">=" and number == value)


def _state(operator: str, value: int, mask: int | None) -> Condition:
    """A state is one bit, so each can be tried: `ct state != established | related` holds for all of them."""
    mask = STATE.last if mask is None else mask
    return InState(frozenset(name for bit, name in STATE_BITS if _holds(operator, bit & mask, value)))


def _status(operator: str, value: int, mask: int | None) -> Condition:
    """The status is a sum of bits: `in` asks for any of them, a mask for exactly these."""
    if operator in ("in", "!"):
        value &= STATUS.last if mask is None else mask
        wanted: list[Condition] = [_bit(1 << at) for at in range(STATUS.bits) if value >> at & 1]
        known = frozenset(one for condition in wanted if isinstance(condition, InState) for one in condition.states)
        unread = [condition for condition in dict.fromkeys(wanted) if not isinstance(condition, InState)]
        alternatives = [*([InState(known)] if known else []), *unread]
        if operator == "in":
            return any_of(alternatives) if alternatives else NEVER
        return Not(any_of(alternatives)) if alternatives else Not(NEVER)
    if mask is None or operator not in ("==", "!="):
        return Unknown("ct status as a whole")
    exact: Condition
    if value & ~mask:
        exact = NEVER
    else:
        bits = [1 << at for at in range(STATUS.bits) if mask >> at & 1]
        exact = all_of(list(dict.fromkeys(_bit(bit) if value & bit else _unset(bit) for bit in bits)) or [Not(NEVER)])
    return exact if operator == "==" else Not(exact)


def _bit(bit: int) -> Condition:
    state = _TRANSLATED.get(bit)
    return Unknown("a bit of ct status") if state is None else InState(frozenset((state,)))


def _unset(bit: int) -> Condition:
    condition = _bit(bit)
    return InState(condition.states, negated=True) if isinstance(condition, InState) else cast(Unknown, condition)
