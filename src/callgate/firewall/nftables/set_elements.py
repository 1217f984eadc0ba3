"""Sets and maps of nft, named and anonymous: their elements, and what a lookup among them amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from callgate.firewall.nftables.key import CATCH_ALL, Key, all_of, any_of, presence
from callgate.firewall.nftables.member import covers, members
from callgate.firewall.nftables.value import Json, MalformedJsonError, mapping, shorten, string
from callgate.firewall.rule import ALWAYS, NEVER, Condition, Every, Unknown

_HARMLESS: Final = frozenset(("val", "timeout", "expires", "comment", "counter", "last"))
"""What may stand at an element without deciding whether a lookup finds it (an expiry does, in time)."""


@dataclass(slots=True, eq=False)
class NamedSet:
    """A set or map with a name, as the dump shows it."""

    name: str
    elements: list[Json]
    maps: bool
    changes: bool
    """Whether packets add to it or take from it."""
    _conditions: dict[Key, Condition] = field(default_factory=dict)
    _branches: dict[Key, list[tuple[Condition, Json]]] = field(default_factory=dict)

    @property
    def doubt(self) -> str | None:
        """Why no lookup is sure, if none is."""
        return f"{'map' if self.maps else 'set'} {shorten(self.name)} changes with traffic" if self.changes else None

    def lookup(self, key: Key) -> Condition:
        """The key is in the set; the same object for the same key, for sets can be big. Raises MalformedJsonError."""
        condition = self._conditions.get(key)
        if condition is None:
            condition = self._conditions[key] = self._members(key)
        return condition

    def _members(self, key: Key) -> Condition:
        if self.doubt is not None:
            return Unknown(self.doubt)
        return among(key, [entry[0] for entry in self.pairs()] if self.maps else self.elements)

    def branches(self, key: Key) -> list[tuple[Condition, Json]]:
        """What a lookup in the map gives; worked out once for each key. Raises MalformedJsonError."""
        found = self._branches.get(key)
        if found is None:
            found = self._branches[key] = branches(key, self.pairs(), self.doubt)
        return found

    def pairs(self) -> list[tuple[Json, Json]]:
        """The entries of a map, as key and data. Raises MalformedJsonError."""
        if not self.maps:
            raise MalformedJsonError(f"{self.name} is a set, not a map")
        return pairs(self.elements)


def read_set(content: dict[str, Json], *, maps: bool) -> NamedSet:
    """A `set` or `map` entry of the dump. Raises MalformedJsonError."""
    name = string(content.get("name"), "a set's name")
    elements = content.get("elem", [])
    if type(elements) is not list:
        raise MalformedJsonError(f"set {shorten(name)}: its elements are no list")
    if maps and "map" not in content:
        raise MalformedJsonError(f"map {shorten(name)} does not say what it maps to")
    flags = content.get("flags", [])
    dynamic = "dynamic" in flags if type(flags) is list else flags == "dynamic"
    statements = content.get("stmt", [])
    if type(statements) is not list:
        statements = [statements]
    limited = any(type(one) is not dict or not one.keys() <= _HARMLESS for one in statements)
    return NamedSet(name, elements, maps, dynamic or limited)


def pairs(elements: Json) -> list[tuple[Json, Json]]:
    """The entries of a map, as key and data. Raises MalformedJsonError."""
    if type(elements) is not list or not all(type(one) is list and len(one) == 2 for one in elements):
        raise MalformedJsonError(f"the entries of a map are not pairs: {shorten(elements)}")
    return [(one[0], one[1]) for one in elements]


def among(key: Key, elements: Sequence[Json]) -> Condition:
    """The key is one of the elements; one that expires or is limited may be one or not. Raises MalformedJsonError."""
    if not any(type(one) is dict and "elem" in one for one in elements):
        return members(key, elements)
    sure: list[Json] = []
    doubtful: dict[str, list[Json]] = {}
    for one in elements:
        value, doubt = element(one)
        if doubt is None:
            sure.append(value)
        else:
            doubtful.setdefault(doubt, []).append(value)
    alternatives = [members(key, sure)] if sure or not doubtful else []
    alternatives += [all_of([members(key, values), Unknown(doubt)]) for doubt, values in doubtful.items()]
    return any_of(alternatives)


def element(one: Json) -> tuple[Json, str | None]:
    """An element's value, and why it may not be found, if that is in doubt. Raises MalformedJsonError."""
    if type(one) is not dict or "elem" not in one:
        return one, None
    content = mapping(one["elem"], "an element")
    if "val" not in content:
        raise MalformedJsonError(f"an element without a value: {shorten(content)}")
    extra = content.keys() - _HARMLESS
    if extra:
        return content["val"], shorten(f"an element with {', '.join(sorted(extra))}")
    if content.get("expires") or content.get("timeout"):
        return content["val"], "an element that expires"
    return content["val"], None


def branches(key: Key, entries: Sequence[tuple[Json, Json]], doubt: str | None) -> list[tuple[Condition, Json]]:
    """For each different datum of a map, the condition under which a lookup gives it; the catch-all last.

    Keys do not overlap, so entries of the same datum are put together. With `doubt` no entry is sure.
    Raises MalformedJsonError.
    """
    by_datum: dict[str, tuple[Json, list[Json]]] = {}
    otherwise: list[tuple[Condition, Json]] = []
    for one, datum in entries:
        value, unsure = element(one)
        if value == CATCH_ALL:
            rest = [*presence(key), *([Unknown(unsure)] if unsure else [])]
            otherwise.append((all_of(rest) if rest else ALWAYS, datum))
        else:
            by_datum.setdefault(repr(datum), (datum, []))[1].append(one)
    found = [(among(key, values), datum) for datum, values in by_datum.values()]
    found = [(condition, datum) for condition, datum in found if condition != NEVER]
    if found and not otherwise and doubt is None and covers(key, [element(one)[0] for one, _ in entries]):
        found[-1] = (ALWAYS, found[-1][1])
    found += otherwise
    if doubt is not None:
        found = [(Every((condition, Unknown(doubt))), datum) for condition, datum in found]
    return found
