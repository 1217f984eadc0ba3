"""Hypothesis strategies for SCCP, derived from the declarations: messages, frames, streams. Needs hypothesis.

from callgate.sccp.strategies import messages

@given(messages())
def test_my_parser_reads_what_callgate_writes(message): ...
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from callgate.sccp.codec import class_of, encode
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
from callgate.sccp.forms import clamped, form_of_body, form_of_length, forms, told_by_body, usual_form
from callgate.sccp.framing import HEADER, HEADER_BYTES, MINIMUM_LENGTH
from callgate.sccp.generate import union_of
from callgate.sccp.layout import Form, Node, layout
from callgate.sccp.message import CATALOGUE, LENGTH_VARIANTS, Message, Structure, UnknownMessage

M = TypeVar("M", bound=Message)

HEADER_VERSIONS = (0, 10, 11, 15, 16, 17, 18, 19, 20, 21, 22)
"""The header versions in use."""


def message_classes() -> list[type[Message]]:
    """Every message class, in order of id; those for one length of an id too."""
    return [CATALOGUE[number] for number in sorted(CATALOGUE)] + [
        LENGTH_VARIANTS[key] for key in sorted(LENGTH_VARIANTS)
    ]


@st.composite
def messages(draw: st.DrawFn, cls: type[M] | None = None, header_version: int | None = None) -> M:
    """Messages of a class (default: any) as Callgate would send them with that header version (default: any in use).

    Bodies stop at any field; counts count what is there; unions hold the member that is selected. Left out are bodies
    whose length another form of the message claims.
    """
    chosen: Any = draw(st.sampled_from(message_classes())) if cls is None else cls
    version = draw(st.sampled_from(HEADER_VERSIONS)) if header_version is None else header_version
    form = forms(chosen)[usual_form(chosen, clamped(version))]
    stop = draw(st.sampled_from([None, *_stops(chosen, form)]))
    message: M = _Drawing(draw, form, version, stop).message(chosen)
    if not _reads_back(message):
        message = _Drawing(draw, form, version, None).message(chosen)
        if not _reads_back(message):
            reject()
    return message


def unknown_messages() -> SearchStrategy[UnknownMessage]:
    """Messages whose id no source knows."""
    ids = _WORDS.filter(lambda number: number not in CATALOGUE)
    return st.builds(UnknownMessage, ids, st.binary(max_size=200), st.sampled_from(HEADER_VERSIONS))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Frames with any body: a known or unknown id, and a length that tells the truth."""
    if draw(st.booleans()):
        frame = bytearray(encode(draw(st.one_of(messages(), unknown_messages()))))
        for place in draw(st.lists(st.integers(0, len(frame) - 1), max_size=8)):
            if place >= HEADER_BYTES:
                frame[place] = draw(st.integers(0, 255))
        body = bytes(frame[HEADER_BYTES : draw(st.integers(HEADER_BYTES, len(frame)))])
        body += draw(st.binary(max_size=12))
        message_id = HEADER.unpack_from(frame)[2]
    else:
        body = draw(st.binary(max_size=400))
        message_id = draw(st.one_of(st.sampled_from(sorted(CATALOGUE)), _WORDS))
    version = draw(st.one_of(st.sampled_from(HEADER_VERSIONS), _WORDS))
    return HEADER.pack(MINIMUM_LENGTH + len(body), version, message_id) + body


_WORDS = st.one_of(st.integers(0, 300), st.integers(0, 0xFFFFFFFF))


def _reads_back(message: Message) -> bool:
    """Whether a body of that length means the class and form it was written in."""
    cls = type(message)
    frame = encode(message)
    body = frame[HEADER_BYTES:]
    version = clamped(message.header_version)
    if class_of(cls.id, len(body)) is not cls:
        return False
    if told_by_body(cls):
        return form_of_body(cls, body, version) == usual_form(cls, version)
    return form_of_length(cls, len(body), message.header_version, version) == usual_form(cls, version)


def _stops(cls: type[Message], form: Form) -> list[int]:
    """The leaves a body may stop behind. Not inside a word: the zeros that round up would read as the next field. Not
    in front of data that may be empty; strings of a dynamic message come all or not at all."""
    leaves = layout(cls, form).leaves
    if layout(cls, form).lead:
        return [0]
    fixed = [leaf for leaf in leaves if not leaf.node.is_last]
    stops = [n + 1 for n, leaf in enumerate(fixed) if leaf.end % 4 == 0]
    last = leaves[-1].node.kind if leaves else None
    if isinstance(last, Blob) or (isinstance(last, LastText) and not last.whole):
        stops = [n for n in stops if n < len(fixed)]
    return stops if not leaves or (isinstance(last, LastText) and not last.whole) else [0, *stops]


class _Drawing:
    """Draws the fields of one message."""

    def __init__(self, draw: st.DrawFn, form: Form, version: int, stop: int | None) -> None:
        self._draw = draw
        self._form = form
        self._version = version
        self._left = 1 << 16 if stop is None else stop

    def message(self, cls: type[M]) -> M:
        """A message whose body stops behind as many leaves as were asked for."""
        return cls(**self._fields(layout(cls, self._form).nodes, {}), header_version=self._version)

    def _fields(self, nodes: tuple[Node, ...], scope: dict[str, int]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        counted = {node.kind.count for node in nodes if isinstance(node.kind, (Array, Blob, CountedOctets))}
        for node in nodes:
            if not self._left or (isinstance(node.kind, CString) and node.since > self._version):
                break
            if node.children and node.structure:
                below = dict(scope)
                fields[node.attribute] = node.structure(**self._fields(node.children, below))
                scope |= {f"{node.attribute}.{name}": below[name] for name in below if name not in scope}
                continue
            self._left -= 1
            value = self._count(node, nodes) if node.attribute in counted else self._value(node, scope, fields)
            fields[node.attribute] = value
            if isinstance(value, int):
                scope[node.attribute] = int(value)
        return fields

    def _count(self, count: Node, nodes: tuple[Node, ...]) -> int:
        most = min(
            8 if isinstance(node.kind, Blob) else node.kind.size
            for node in nodes
            if isinstance(node.kind, (Array, Blob, CountedOctets)) and node.kind.count == count.attribute
        )
        return self._draw(st.integers(0, min(most, 5)))

    def _value(self, node: Node, scope: dict[str, int], fields: dict[str, Any]) -> Any:
        draw = self._draw
        match node.kind:
            case Integer(size=size, signed=signed):
                return draw(_numbers(size, signed, node.enum))
            case Text(size=size) | LastText(size=size):
                return draw(_strings(size))
            case CString(size=size) | LeadingCString(size=size):
                return draw(_strings(size - 1))
            case Octets(size=size):
                return draw(st.binary(min_size=size, max_size=size))
            case CountedOctets(count=count) | Blob(count=count):
                return draw(st.binary(min_size=fields[count], max_size=fields[count]))
            case V4():
                return draw(_V4)
            case V6():
                return draw(_V6)
            case FamilyAddress():
                return draw(st.one_of(_V4, _V6, _OTHERS))
            case Array(count=count, size=size, of=of):
                entries = range(fields[count] if count else size)
                if node.structure is None or of is not None:
                    number = _numbers(node.entry_size, False, node.enum)
                    return tuple(draw(number) for _ in entries)
                return tuple(self._structure(node.structure, scope) for _ in entries)
            case Choice():
                return self._member(node.kind, scope)
        raise TypeError(f"no strategy for {node.attribute}")

    def _structure(self, cls: type[Structure], scope: dict[str, int]) -> Structure:
        whole = _Drawing(self._draw, self._form, self._version, None)
        return cls(**whole._fields(layout(cls, self._form).nodes, dict(scope)))

    def _member(self, choice: Choice, scope: dict[str, int]) -> Any:
        case = union_of(choice, self._form).case(scope[choice.selector])
        if case is None:
            return self._draw(st.binary(min_size=choice.room, max_size=choice.room))
        if issubclass(case.kind, Structure):
            return self._structure(case.kind, scope)
        return self._draw(_numbers(4, False, case.kind if issubclass(case.kind, IntEnum) else None))


_V4 = st.integers(0, 0xFFFFFFFF).map(IPv4Address)
_V6 = st.binary(min_size=16, max_size=16).map(IPv6Address)
_OTHERS = st.builds(RawAddress, st.integers(2, 0xFFFFFFFF), st.binary(min_size=16, max_size=16))


@cache
def _numbers(size: int, signed: bool, enum: type[IntEnum] | None) -> SearchStrategy[int]:
    most = (1 << (size * 8 - signed)) - 1
    least = -most - 1 if signed else 0
    numbers = st.one_of(st.integers(least, min(most, 300)), st.integers(least, most))
    if enum is None:
        return numbers
    named = enum._value2member_map_
    members: SearchStrategy[int] = st.sampled_from([member for member in enum if member <= most])
    return st.one_of(members, numbers.map(lambda number: named.get(number, number)))


@cache
def _strings(size: int) -> SearchStrategy[bytes]:
    return st.binary(max_size=size).map(lambda string: string.replace(b"\0", b"\x80"))
