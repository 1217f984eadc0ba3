"""From a message class to its layout: what stands where in a body, for one form of the message.

Pure tables. The hot paths are made from them once, by `callgate.sccp.generate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from callgate.sccp.fields import (
    V4,
    V6,
    Array,
    Blob,
    ByForm,
    Choice,
    CountedOctets,
    CString,
    FamilyAddress,
    Integer,
    LastText,
    LeadingCString,
    Named,
    Octets,
    Since,
    Text,
)
from callgate.sccp.message import Message, Structure

Form = tuple[tuple[str, int], ...]
"""What a message's forms differ in, and this one's values."""

Kind = (
    Integer
    | Text
    | LastText
    | CString
    | LeadingCString
    | Octets
    | CountedOctets
    | V4
    | V6
    | FamilyAddress
    | Blob
    | Array
    | Choice
    | None
)
"""The wire type of a field; None is a nested structure."""

LAST = (LastText, CString, Blob)


def padded(length: int) -> int:
    """The length with the zero bytes that round it up to 4: every captured frame has such a length."""
    return length + -length % 4


@dataclass(frozen=True, slots=True)
class Node:
    """One field of a message or structure, in one form."""

    attribute: str
    name: str
    """The name on the wire diagrams."""
    kind: Kind
    size: int
    """Bytes; of a last field, the fewest."""
    enum: type[IntEnum] | None = None
    structure: type[Structure] | None = None
    """What is nested here, or what an array's entries are."""
    children: tuple[Node, ...] = ()
    entry_size: int = 0
    since: int = 0

    @property
    def is_last(self) -> bool:
        """Whether its size is whatever the body has left."""
        return isinstance(self.kind, LAST) or (isinstance(self.kind, Array) and self.kind.last)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that is not a structure, where it stands in the body."""

    node: Node
    path: tuple[Node, ...]
    """The structures around it, then itself."""
    start: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.node.size

    @property
    def name(self) -> str:
        """The path of names: `sid.DeviceName`."""
        return ".".join(node.name for node in self.path)

    def holds(self, path: str) -> bool:
        """Whether a path of names leads to this field, or to what is inside it."""
        return f"{path}.".startswith((f"{self.name}.", f"{self.name}["))


@dataclass(frozen=True)
class Layout:
    """All fields of a message or structure in one form."""

    cls: type[Message] | type[Structure]
    form: Form
    nodes: tuple[Node, ...]
    absent: tuple[str, ...]
    """Attributes that this form has no room for."""
    spare: int = 0

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every field that is not a structure, in wire order."""
        return tuple(_leaves(self.nodes, (), 0))

    @property
    def lead(self) -> bool:
        """Whether a string of its own size begins the body; lengths and offsets then count from its end."""
        return bool(self.leaves) and isinstance(self.leaves[0].node.kind, LeadingCString)

    @cached_property
    def size(self) -> int:
        """Bytes of all fields; of a last field, the fewest."""
        return sum(node.size for node in self.nodes)

    @cached_property
    def whole_lengths(self) -> frozenset[int]:
        """Body lengths at which senders of some version stop, with and without the bytes that round up to 4."""
        ends = {self.size}
        reached = 0
        for node in self.nodes:
            if node.since and reached:
                ends.add(reached)
            reached += node.size
        return frozenset(ends) | {padded(end) for end in ends}

    @cached_property
    def stops(self) -> frozenset[int]:
        """Body lengths that end with a field, with and without the bytes that round up to 4."""
        ends = {leaf.end for leaf in self.leaves} | {0}
        return frozenset(ends) | {padded(end) for end in ends}

    def fits(self, length: int) -> bool:
        """Whether a body of that length ends with a field, or with what senders are known to add."""
        return length in self.stops or self.size <= length <= self.size + self.spare

    def extent(self, length: int) -> int:
        """How many leaves a body of that length holds. A last field holds what is left, be it nothing."""
        count = 0
        for leaf in self.leaves:
            if leaf.end > length:
                break
            count += 1
        return count


def _leaves(nodes: tuple[Node, ...], path: tuple[Node, ...], start: int) -> Iterator[Leaf]:
    for node in nodes:
        if node.children:
            yield from _leaves(node.children, (*path, node), start)
        else:
            yield Leaf(node, (*path, node), start)
        start += node.size


@dataclass(frozen=True, slots=True)
class _Declared:
    name: str
    kind: Kind | ByForm
    enum: type[IntEnum] | None
    structure: type[Structure] | None
    since: int


@cache
def _declarations(cls: type[Message] | type[Structure]) -> dict[str, _Declared]:
    hints = get_type_hints(cls, include_extras=True)
    fields = [name for name in cls.__struct_fields__ if name not in Message.__struct_fields__]
    return {name: _declaration(name, hints[name]) for name in fields}


def wire_name(cls: type[Message] | type[Structure], attribute: str) -> str:
    """The name on the wire diagrams of a field."""
    return _declarations(cls)[attribute].name


def _declaration(attribute: str, hint: Any) -> _Declared:
    marks: list[Any] = []
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
    types = list(get_args(hint)) if get_origin(hint) in (Union, UnionType) else [hint]
    for found in list(types):
        if get_origin(found) is tuple:
            element = get_args(found)[0]
            types += get_args(element) if get_origin(element) in (Union, UnionType) else [element]
    classes = [found for found in types if isinstance(found, type) and found is not NoneType]
    kinds = [mark for mark in marks if not isinstance(mark, (Named, Since))]
    kind = kinds[0] if kinds else None
    return _Declared(
        name=next((mark.name for mark in marks if isinstance(mark, Named)), _camel(attribute)),
        kind=kind,
        enum=None if isinstance(kind, Choice) else next((c for c in classes if issubclass(c, IntEnum)), None),
        structure=None if isinstance(kind, Choice) else next((c for c in classes if issubclass(c, Structure)), None),
        since=next((mark.version for mark in marks if isinstance(mark, Since)), 0),
    )


def _camel(attribute: str) -> str:
    first, *rest = attribute.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


@cache
def form_keys(cls: type[Message] | type[Structure]) -> dict[str, tuple[int, ...]]:
    """What the forms of a class differ in, its structures included, and the values there are."""
    keys: dict[str, tuple[int, ...]] = {}
    for declared in _declarations(cls).values():
        kinds = [declared.kind]
        if isinstance(declared.kind, ByForm):
            keys[declared.kind.key] = tuple(declared.kind.kinds)
            kinds = list(declared.kind.kinds.values())  # type: ignore[arg-type]
        for kind in kinds:
            inside = [case.kind for case in kind.cases] if isinstance(kind, Choice) else [declared.structure]
            for structure in inside:
                if isinstance(structure, type) and issubclass(structure, Structure):
                    keys |= form_keys(structure)
    return keys


@cache
def layout(cls: type[Message] | type[Structure], form: Form = ()) -> Layout:
    """The layout of a class in one form."""
    nodes = []
    absent = []
    for attribute, declared in _declarations(cls).items():
        kind: Any = declared.kind
        if isinstance(kind, ByForm):
            kind = kind.kinds[dict(form)[kind.key]]
            if kind is None:
                absent.append(attribute)
                continue
        nodes.append(_node(attribute, declared, kind, form))
    return Layout(cls, form, tuple(nodes), tuple(absent), cls.spare if issubclass(cls, Message) else 0)


def _node(attribute: str, declared: _Declared, kind: Kind, form: Form) -> Node:
    structure = declared.structure
    entry_size = 0
    children: tuple[Node, ...] = ()
    if isinstance(kind, Array):
        entry_size = kind.of.size if kind.of else layout(known(structure), form).size
        size = 0 if kind.last else kind.size * entry_size
    elif kind is None:
        children = layout(known(structure), form).nodes
        size = sum(child.size for child in children)
    else:
        size = _size(kind)
    return Node(attribute, declared.name, kind, size, declared.enum, structure, children, entry_size, declared.since)


def known(structure: type[Structure] | None) -> type[Structure]:
    """The structure of a field that has no wire type of its own; TypeError if it has none."""
    if structure is None:
        raise TypeError("a field is neither of a wire type nor a structure")
    return structure


def _size(kind: Kind) -> int:
    match kind:
        case Integer(size=size) | CountedOctets(size=size):
            return size
        case Text(size=size, pad=pad):
            return size + pad
        case Octets(size=size, room=room):
            return size + room
        case Choice(room=room):
            return room
        case V4():
            return 4
        case V6():
            return 16
        case FamilyAddress():
            return 20
    return 0
