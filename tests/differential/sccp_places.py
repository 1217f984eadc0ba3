"""Where a decoded message's fields stand: its layout's fields with path, offset, size and value, down to the last one.

Entries of arrays, members of unions and the parts of an address that has a family count as fields of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

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
from callgate.sccp.generate import union_of
from callgate.sccp.layout import Form, Leaf, layout
from callgate.sccp.message import Message, Structure
from callgate.sccp.presentation import form_of

BOTH: Final = 2
"""The family of an address that is of both; its sixteen bytes are shown like those of IPv6."""

Value = int | bytes | IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Placed:
    """One field of a message."""

    path: str
    """Names on the wire, as tshark groups them: a union has no name of its own."""
    start: int
    """Offset in the body."""
    size: int
    """Bytes, without room that no value reaches."""
    value: Value


def placed(message: Message, body_length: int) -> list[Placed]:
    """Every field that has bytes in a body of that length, in wire order."""
    return [one for one in _Placing(form_of(message), body_length).of(message, "", 0, {}) if one.size]


class _Placing:
    def __init__(self, form: Form, body_length: int) -> None:
        self._form = form
        self._body_length = body_length
        self._string_end = 0
        """Where the last of the strings that follow each other ended."""

    def of(self, owner: Message | Structure, around: str, start: int, scope: dict[str, int]) -> Iterator[Placed]:
        """The fields of a message or structure that starts there."""
        known = dict(scope)
        for leaf in layout(type(owner), self._form).leaves:
            value = _value(owner, leaf)
            if value is None:
                continue
            if isinstance(value, int):
                known[leaf.node.attribute] = value
                known[".".join(node.attribute for node in leaf.path)] = value
            yield from self._leaf(leaf, value, around, start + leaf.start, known)
            if isinstance(leaf.node.kind, LeadingCString):
                start += len(value) + 1

    def _leaf(self, leaf: Leaf, value: Any, around: str, start: int, scope: dict[str, int]) -> Iterator[Placed]:
        path = around + leaf.name
        match leaf.node.kind:
            case Integer(size=size):
                yield Placed(path, start, size, int(value) % (1 << 8 * size))
            case Text(size=size):
                yield Placed(path, start, size, value)
            case LastText(whole=False):
                yield Placed(path, start, len(value), value)
            case LastText(size=size, most=most):
                yield Placed(path, start, min(max(size, most), self._body_length - start), value)
            case LeadingCString():
                yield Placed(path, start, len(value) + 1, value)
            case CString():
                start = max(start, self._string_end)
                self._string_end = start + len(value) + 1
                yield Placed(path, start, len(value) + 1, value)
            case Blob() | V6():
                yield Placed(path, start, len(value) if isinstance(value, bytes) else 16, value)
            case Octets(size=size):
                yield Placed(path, start, size, value)
            case CountedOctets():
                for number, octet in enumerate(value):
                    yield Placed(f"{path}[{number}]", start + number, 1, octet)
            case V4():
                yield Placed(path, start, 4, value)
            case FamilyAddress():
                yield from _address(path, start, value)
            case Array():
                yield from self._entries(leaf, value, path, start, scope)
            case Choice():
                yield from self._member(leaf.node.kind, value, path, start, scope)
            case _:
                raise TypeError(f"{path} is of no kind that has a place")

    def _entries(self, leaf: Leaf, value: Any, path: str, start: int, scope: dict[str, int]) -> Iterator[Placed]:
        size = leaf.node.entry_size
        for number, entry in enumerate(value):
            place = start + number * size
            if isinstance(entry, Structure):
                yield from self.of(entry, f"{path}[{number}].", place, scope)
            else:
                yield Placed(f"{path}[{number}]", place, size, int(entry))

    def _member(self, choice: Choice, value: Any, path: str, start: int, scope: dict[str, int]) -> Iterator[Placed]:
        around = path.rpartition(".")[0]
        around = f"{around}." if around else ""
        case = union_of(choice, self._form).case(scope[choice.selector])
        if case is None:
            return
        if isinstance(value, Structure):
            yield from self.of(value, f"{around}{case.name}.", start, scope)
        else:
            yield Placed(f"{around}{case.name}", start, 4, int(value))


def is_whole(message: Message) -> bool:
    """Whether every field of the message's form is there."""
    return all(_value(message, leaf) is not None for leaf in layout(type(message), form_of(message)).leaves)


def _value(owner: Message | Structure, leaf: Leaf) -> Any:
    """What a leaf holds; None if it is not there."""
    value: Any = owner
    for node in leaf.path:
        value = getattr(value, node.attribute)
        if value is None:
            break
    return value


def _address(path: str, start: int, address: IPv4Address | IPv6Address | RawAddress) -> Iterator[Placed]:
    """The family, then four or sixteen bytes."""
    around = path.removesuffix(path.rpartition(".")[2])
    if isinstance(address, RawAddress):
        yield Placed(f"{around}ipv4or6", start, 4, address.family)
        if address.family == BOTH:
            yield Placed(f"{path}.ipv6", start + 4, 16, IPv6Address(address.octets))
        else:
            yield Placed(f"{path}.octets", start + 4, 16, address.octets)
    elif isinstance(address, IPv6Address):
        yield Placed(f"{around}ipv4or6", start, 4, 1)
        yield Placed(f"{path}.ipv6", start + 4, 16, address)
    else:
        yield Placed(f"{around}ipv4or6", start, 4, 0)
        yield Placed(f"{path}.ipv4", start + 4, 4, address)
