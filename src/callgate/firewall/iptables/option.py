"""What the readers of iptables matches and targets share: options, and the rule around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from callgate.firewall.intervals import Intervals
from callgate.firewall.iptables.ipset import IpSet
from callgate.firewall.rule import ALWAYS, Condition, Every, Family, FieldName, Not, Step, Unknown, Within


class Option(NamedTuple):
    """An option with its values; `negated` when a `!` stands before it."""

    name: str
    negated: bool
    values: tuple[str, ...]

    @property
    def value(self) -> str:
        """The only value."""
        return self.values[0]

    def __str__(self) -> str:
        return " ".join(("! " * self.negated + "--" + self.name, *self.values))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rest of the host says about a rule's matches."""

    family: Family
    sets: Mapping[str, IpSet] | None
    """None: no ipset dump at hand."""
    changed_sets: frozenset[str] = frozenset()
    """Sets whose members rules change."""
    rewritten: frozenset[str] = frozenset()
    """Fields that a target of the dump rewrites: `ttl`, `dscp`."""


@dataclass(frozen=True, slots=True)
class Use:
    """A match or target as one rule uses it."""

    name: str
    options: tuple[Option, ...]
    protocol: int | None
    """The protocol that -p demands; None when it demands none, or another than this."""
    target: str | None
    around: Surroundings

    @property
    def family(self) -> Family:
        """The family of the rule."""
        return self.around.family

    def get(self, name: str) -> Option | None:
        """The option of this name, if given."""
        for option in self.options:
            if option.name == name:
                return option
        return None

    def unknown(self, why: str = "", at_first: bool | Literal["either"] | None = None) -> Unknown:
        """The condition that nobody can decide, with the match as the rule has it."""
        text = " ".join((f"-m {self.name}", *map(str, self.options)))
        if len(text) > 120:
            text = text[:119] + "…"
        return Unknown(f"{text} ({why})" if why else text, at_first)


class Arity(NamedTuple):
    """An option's proper name, and how many words follow it."""

    name: str
    words: int


@dataclass(frozen=True, slots=True)
class Match:
    """How the options of a match are parsed, and what they mean."""

    options: Mapping[str, Arity]
    read: Callable[[Use], Condition]
    tracks: bool = False
    """Whether a rule with it makes the kernel track connections."""
    repeats: bool = False
    """Whether an option may be given more than once."""


@dataclass(frozen=True, slots=True)
class Target:
    """How the options of a target are parsed, and what it does."""

    options: Mapping[str, Arity]
    act: Callable[[Use], tuple[Step, ...]]
    tracks: Callable[[Use], bool]
    harmless: bool = False
    """Whether options not known here cannot change what it does to the packet."""


def options(*, one: str = "", flags: str = "", two: str = "") -> dict[str, Arity]:
    """A table of options that take one word, none, or two; `a|b` are names of the same option."""
    return {
        alias: Arity(names.split("|")[0], words)
        for words, group in ((1, one), (0, flags), (2, two))
        for names in group.split()
        for alias in names.split("|")
    }


def negate(condition: Condition, negated: bool = True) -> Condition:
    """The condition, or its contrary where the packet is known to have the field."""
    if not negated:
        return condition
    if isinstance(condition, Within):
        return Within(condition.field, condition.values, not condition.negated, condition.mask)
    return Not(condition)


def every(conditions: Iterable[Condition]) -> Condition:
    """All of them, without needless nesting."""
    flat: list[Condition] = []
    for condition in conditions:
        flat.extend(condition.conditions if isinstance(condition, Every) else (condition,))
    if not flat:
        return ALWAYS
    return flat[0] if len(flat) == 1 else Every(tuple(flat))


def one_number(field: FieldName, value: int, negated: bool = False, mask: int | None = None) -> Within:
    """The field (after the mask) is this number."""
    return Within(field, Intervals.single(value), negated, mask)


def span(field: FieldName, first: int, last: int, negated: bool = False) -> Within:
    """The field lies from `first` to `last`; never when that runs backwards."""
    return Within(field, Intervals.of(((first, last),)), negated)


Side = Literal["source", "destination"]
_ADDRESS_FIELDS: dict[tuple[Side, Family], FieldName] = {
    ("source", 4): "saddr4", ("destination", 4): "daddr4", ("source", 6): "saddr6", ("destination", 6): "daddr6",
}  # fmt: skip


def address_field(side: Side, family: Family) -> FieldName:
    """The field that holds the address."""
    return _ADDRESS_FIELDS[side, family]


@lru_cache(maxsize=1 << 16)
def shared(condition: Condition) -> Condition:
    """The first condition met that equals this one, so that equal conditions are one object."""
    return condition
