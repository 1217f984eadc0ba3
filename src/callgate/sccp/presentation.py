"""A message's fields as plain data: what `callgate decode` prints.

Names are those of the wire diagrams; numbers stay numbers, strings become text, addresses and bytes too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from callgate.sccp.enums.labels import LABELS
from callgate.sccp.fields import (
    Array,
    Blob,
    Choice,
    CountedOctets,
    CString,
    LastText,
    LeadingCString,
    Octets,
    RawAddress,
    Text,
)
from callgate.sccp.forms import clamped, forms, usual_form
from callgate.sccp.generate import union_of
from callgate.sccp.layout import Form, Node, layout, wire_name
from callgate.sccp.message import AnyMessage, Message, Structure, UnknownMessage

Plain = dict[str, Any]


def fields_of(message: AnyMessage, *, utf8: bool | None = None) -> Plain:
    """The fields that are there, by name: int, str, list or a nested dict; of an unknown message its body in hex.

    `utf8` says whether strings are UTF-8 (the phone's feature bit) or ISO-8859-1; None tries UTF-8 first.
    """
    if isinstance(message, UnknownMessage):
        return {"body": message.body.hex()}
    return _plain(message, layout(type(message), form_of(message)).nodes, form_of(message), {}, utf8)


def form_of(message: Message) -> Form:
    """The form a message has."""
    cls = type(message)
    sent = message.as_sent
    number = usual_form(cls, clamped(message.header_version)) if sent is None or sent.form is None else sent.form
    return forms(cls)[number]


def text_of(string: bytes, *, utf8: bool | None = None) -> str:
    """A string as text. Any byte has a meaning in ISO-8859-1, so this cannot fail."""
    if utf8 is not False:
        try:
            return string.decode()
        except UnicodeDecodeError:
            if utf8:
                return string.decode(errors="replace")
    return string.decode("latin-1")


def labelled(string: bytes, *, utf8: bool | None = None) -> str:
    """A string as text, with the labels that the phone has a text of its own for in braces: `{Redial}`."""
    parts = []
    start = position = 0
    while position + 1 < len(string):
        label = LABELS.get((string[position], string[position + 1]))
        if label is None:
            position += 1
            continue
        parts += [text_of(string[start:position], utf8=utf8), "{" + label + "}"]
        position += 2
        start = position
    parts.append(text_of(string[start:], utf8=utf8))
    return "".join(parts)


def unexplained_tail(message: AnyMessage) -> bytes:
    """The bytes behind the fields that no source explains: neither up to three zeros, nor known spare bytes."""
    if isinstance(message, UnknownMessage) or message.as_sent is None or not message.as_sent.tail:
        return b""
    tail = message.as_sent.tail
    if len(tail) <= max(message.spare, 0) or (len(tail) <= 3 and not tail.strip(b"\0")):
        return b""
    return tail


def _plain(owner: Any, nodes: tuple[Node, ...], form: Form, selectors: dict[str, int], utf8: bool | None) -> Plain:
    plain: Plain = {}
    known = dict(selectors)
    for node in nodes:
        value = getattr(owner, node.attribute)
        if value is None:
            continue
        if node.children:
            plain[node.name] = _plain(value, node.children, form, known, utf8)
            known |= {f"{node.attribute}.{name}": number for name, number in _numbers(value)}
            continue
        if isinstance(value, int):
            known[node.attribute] = value
        plain[node.name] = _value(value, node, form, known, utf8)
    return plain


def _numbers(structure: Any) -> Iterator[tuple[str, int]]:
    for name in structure.__struct_fields__:
        value = getattr(structure, name)
        if isinstance(value, int):
            yield name, value


def _value(value: Any, node: Node, form: Form, selectors: dict[str, int], utf8: bool | None) -> Any:
    match node.kind:
        case Text() | LastText() | CString() | LeadingCString() | Blob():
            return text_of(value, utf8=utf8)
        case Octets() if node.size == 12 and len(value) == 6:
            return value.hex(":")
        case Octets() | CountedOctets():
            return value.hex()
        case Array():
            if node.structure is None:
                return [int(entry) for entry in value]
            nodes = layout(node.structure, form).nodes
            return [_plain(entry, nodes, form, selectors, utf8) for entry in value]
        case Choice():
            return _member(value, node.kind, form, selectors, utf8)
    if isinstance(value, RawAddress):
        return {"family": value.family, "octets": value.octets.hex()}
    if isinstance(value, (IPv4Address, IPv6Address)):
        return str(value)
    return int(value)


def _member(value: Any, choice: Choice, form: Form, selectors: dict[str, int], utf8: bool | None) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    case = union_of(choice, form).case(selectors.get(choice.selector, -1))
    name = case.name if case else type(value).__name__
    if isinstance(value, Structure):
        return {name: _plain(value, layout(type(value), form).nodes, form, selectors, utf8)}
    return {name: int(value)}


def described(message: AnyMessage, *, entries: bool = False, utf8: bool | None = None) -> Iterator[tuple[str, str]]:
    """The fields for people: path and text. Enumerated values by name, strings in quotes, labels in braces.

    Arrays are counted; with `entries` each entry is described.
    """
    if isinstance(message, UnknownMessage):
        if message.body:
            yield "body", message.body.hex()
        return
    yield from _described(message, "", entries, utf8)


def _described(owner: Any, prefix: str, entries: bool, utf8: bool | None) -> Iterator[tuple[str, str]]:
    for attribute in owner.__struct_fields__:
        value = getattr(owner, attribute)
        if value is None or (isinstance(owner, Message) and attribute in Message.__struct_fields__):
            continue
        yield from _described_value(value, f"{prefix}{wire_name(type(owner), attribute)}", entries, utf8)


def _described_value(value: Any, path: str, entries: bool, utf8: bool | None) -> Iterator[tuple[str, str]]:
    if isinstance(value, Structure):
        yield from _described(value, f"{path}.", entries, utf8)
    elif isinstance(value, tuple):
        if not entries:
            yield path, f"[{len(value)}]"
            return
        for number, entry in enumerate(value):
            yield from _described_value(entry, f"{path}[{number}]", entries, utf8)
    elif isinstance(value, bytes):
        yield path, _quoted(labelled(value, utf8=utf8))
    elif isinstance(value, IntEnum):
        yield path, value.name
    else:
        yield path, str(value)


def _quoted(text: str) -> str:
    """A string of a stranger, safe on a terminal."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else json.dumps(text)
