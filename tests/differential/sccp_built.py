"""Messages with all fields, every member of their unions, arrays full and empty: what is drawn at random seldom has."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from typing import Any, Final, TypeVar

from callgate.sccp import Message
from callgate.sccp.fields import (
    V4,
    V6,
    Array,
    Blob,
    Choice,
    CountedOctets,
    CString,
    FamilyAddress,
    Integer,
    LastText,
    LeadingCString,
    Octets,
    RawAddress,
    Text,
)
from callgate.sccp.forms import forms, usual_form
from callgate.sccp.generate import union_of
from callgate.sccp.layout import Form, Node, layout
from callgate.sccp.message import Structure

M = TypeVar("M", bound=Message)

_OF_NO_MEMBER: Final = 200
"""A codec that no union has a member of its own for."""
_MOST: Final = 10
"""Entries of an array that has room for more."""
_FEW: Final = (2, 0)
_FAMILIES: Final = (0, 1, 2, 3)
"""Of addresses: IPv4, IPv6, both, none that is known."""


def built(cls: type[M], version: int) -> Iterator[M]:
    """Messages of the class with all fields: for every member of its unions; and of the one with most fields, for every
    family of an address that may be of any, and with little or nothing in strings, data and arrays."""
    form = forms(cls)[usual_form(cls, version)]
    nodes = list(_within(layout(cls, form).nodes, form))
    selections = sorted(
        (node.kind.selector.rpartition(".")[2], value)
        for node in nodes
        if isinstance(node.kind, Choice)
        for value in _selectors(node.kind, form)
    )
    chosen = [{name: value} for name, value in dict.fromkeys(selections)] or [{}]
    fullest = max(chosen, key=lambda selected: _Building(form, selected, 0, _MOST).size(layout(cls, form).nodes))
    families = _FAMILIES if any(isinstance(node.kind, FamilyAddress) for node in nodes) else _FAMILIES[:1]
    holds = any(isinstance(n.kind, (Text, LastText, CString, LeadingCString, Blob, Array)) for n in nodes)
    variants = [(selected, 0, _MOST) for selected in chosen]
    variants += [(fullest, family, _MOST) for family in families[1:]]
    variants += [(fullest, 0, few) for few in _FEW * holds]
    for selected, family, most in variants:
        fields = _Building(form, selected, family, most).fields(layout(cls, form).nodes)
        yield cls(**fields, header_version=version)


def _within(nodes: tuple[Node, ...], form: Form) -> Iterator[Node]:
    for node in nodes:
        yield node
        if node.structure:
            yield from _within(layout(node.structure, form).nodes, form)
        if isinstance(node.kind, Choice):
            for case in node.kind.cases:
                if issubclass(case.kind, Structure):
                    yield from _within(layout(case.kind, form).nodes, form)


def _selectors(choice: Choice, form: Form) -> Iterator[int]:
    """For every member a value that chooses it."""
    union = union_of(choice, form)
    for case in choice.cases:
        values = (*case.when[:1], *case.when[-1:], _OF_NO_MEMBER)
        yield next(value for value in values if (chosen := union.case(value)) and chosen.name == case.name)


class _Building:
    def __init__(self, form: Form, selected: dict[str, int], family: int, most: int) -> None:
        self._form = form
        self._selected = selected
        self._family = family
        self._most = most
        self._ordinal = count(1)
        self._known: dict[str, int] = {}
        """The last number of each name: what counts and selects."""

    def fields(self, nodes: tuple[Node, ...]) -> dict[str, Any]:
        """Arguments for every field; numbers count up, so that no two neighbours are alike."""
        counts = {
            node.kind.count: min(node.kind.size, self._most)
            for node in nodes
            if isinstance(node.kind, (Array, Blob, CountedOctets)) and node.kind.count
        }
        fields: dict[str, Any] = {}
        for node in nodes:
            if isinstance(node.kind, Integer):
                number = next(self._ordinal) * 0x010203 % (1 << 8 * node.kind.size - 1)
                value: Any = {**self._selected, **counts}.get(node.attribute, number)
                self._known[node.attribute] = value
            else:
                value = self._value(node)
            fields[node.attribute] = value
        return fields

    def size(self, nodes: tuple[Node, ...]) -> int:
        """How many fields there are, those of structures included."""
        self.fields(nodes)
        return next(self._ordinal)

    def _value(self, node: Node) -> Any:
        number = next(self._ordinal)
        match node.kind:
            case None if node.structure:
                return node.structure(**self.fields(node.children))
            case Text(size=size) | LastText(size=size) | CString(size=size) | LeadingCString(size=size):
                return f"text {number}".encode()[: size - 1] if self._most else b""
            case Octets(size=size):
                return bytes((number + place) % 255 + 1 for place in range(size))
            case CountedOctets(count=counter) | Blob(count=counter):
                return bytes((number + place) % 255 + 1 for place in range(self._known[counter]))
            case V4():
                return IPv4Address(0x0A000000 + number)
            case FamilyAddress() if self._family == 0:
                return IPv4Address(0x0A000000 + number)
            case FamilyAddress() if self._family > 1:
                return RawAddress(self._family, bytes(range(number, number + 16)))
            case V6() | FamilyAddress():
                return IPv6Address((0x20010DB8 << 96) + number)
            case Array(count=counter, size=size):
                entries = range(self._known[counter] if counter else size)
                if node.structure is None:
                    return tuple((number + place) % 256 for place in entries)
                return tuple(self._structure(node.structure) for _ in entries)
            case Choice():
                case = union_of(node.kind, self._form).case(self._known[node.kind.selector.rpartition(".")[2]])
                if case is None:
                    return bytes(node.kind.room)
                return self._structure(case.kind) if issubclass(case.kind, Structure) else number
        raise TypeError(f"{node.attribute} cannot be built")

    def _structure(self, cls: type[Structure]) -> Structure:
        return cls(**self.fields(layout(cls, self._form).nodes))
