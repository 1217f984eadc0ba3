"""The kinds of field an SCCP message is declared with: what each takes on the wire.

A message class annotates each field with one of the aliases below, in wire order; `callgate.sccp.layout` turns the
annotations into layouts, and `callgate.sccp.generate` those into code. Every field may be missing (None): an SCCP body
may stop at any field boundary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, TypeVar

import msgspec

E = TypeVar("E", bound=IntEnum)
F = TypeVar("F", bound=IntFlag)


@dataclass(frozen=True, slots=True)
class Integer:
    """A little-endian integer."""

    size: int
    """Bytes: 1, 2 or 4."""
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string in a field of fixed size: it ends at the first NUL, or fills the field. The rest is room."""

    size: int
    pad: int = 0
    """Bytes after the field that no string reaches."""


@dataclass(frozen=True, slots=True)
class LastText:
    """A string that ends the body: the field takes what is there, up to `size` bytes."""

    size: int
    """Bytes that the field usually takes."""
    most: int = 0
    """Bytes that it takes with some senders, where they are more."""
    whole: bool = True
    """Whether senders send the whole field; else what the string takes."""


@dataclass(frozen=True, slots=True)
class CString:
    """A string that takes its bytes and a NUL; the strings of a dynamic message follow each other."""

    size: int
    """Largest size the sender's own buffer has, NUL included."""


@dataclass(frozen=True, slots=True)
class LeadingCString:
    """A string that begins the body and takes its bytes and a NUL: what follows stands where it ends."""

    size: int
    """Largest size the sender's own buffer has, NUL included."""


@dataclass(frozen=True, slots=True)
class Octets:
    """Bytes that mean something, then room."""

    size: int
    room: int = 0


@dataclass(frozen=True, slots=True)
class CountedOctets:
    """Bytes of which an earlier field says how many are valid, in room of a fixed size."""

    size: int
    count: str


@dataclass(frozen=True, slots=True)
class V4:
    """Four bytes in network order."""


@dataclass(frozen=True, slots=True)
class V6:
    """Sixteen bytes."""


@dataclass(frozen=True, slots=True)
class FamilyAddress:
    """A u32 family (0 IPv4, 1 IPv6, 2 both) and sixteen bytes; IPv4 takes the first four."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Data that ends the body; an earlier field counts its bytes. What follows it may be room."""

    count: str
    size: int
    """Most bytes the sender's own buffer has."""


@dataclass(frozen=True, slots=True)
class Array:
    """Entries of one kind. The array takes its full room whatever the count says (all real frames do)."""

    size: int
    """Entries there is room for."""
    count: str | None = None
    """The field that says how many entries are valid; None when all are."""
    of: Integer | None = None
    """What an entry is, when it is a number and not a structure."""
    last: bool = False
    """The body ends with it: it takes as many entries as the body has room for."""


ANY = range(1 << 32)


def only(value: int) -> range:
    """One value, as a range."""
    return range(value, value + 1)


@dataclass(frozen=True, slots=True)
class Case:
    """One member of a union."""

    name: str
    """The member's name on the wire diagrams."""
    kind: type
    """A Structure, an IntEnum (a u32), or int (a u32)."""
    when: range
    """The values of the selecting field that choose it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A union: another field selects the member. What the member does not fill is room."""

    selector: str
    """The field that selects, looked up in this structure, then in those around it."""
    room: int
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class ByForm:
    """A field whose wire type differs between the forms of a message: `key` names what the forms differ in."""

    key: str
    kinds: Mapping[int, object]
    """By the form's value of that key; None where the form lacks the field."""


@dataclass(frozen=True, slots=True)
class Since:
    """Senders write the field from this protocol version; whether it is there, the length decides."""

    version: int


@dataclass(frozen=True, slots=True)
class Named:
    """The field's name on the wire diagrams, where it is not the attribute's in camel case."""

    name: str


class RawAddress(msgspec.Struct, frozen=True, gc=False):
    """An address whose family is neither IPv4 nor IPv6 alone: kept as it was sent."""

    family: int
    octets: bytes
    """Sixteen bytes."""


ADDRESS = "address"
NUMBER = "number"
PACKED = "packed number"
RATE = "rate"
PARTIES = "parties"
STATISTICS = "statistics"
VIDEO = "video"
"""What the forms of a message differ in; `callgate.sccp.forms` tells them apart."""

U8 = Annotated[int | None, Integer(1)]
U16 = Annotated[int | None, Integer(2)]
U32 = Annotated[int | None, Integer(4)]
I32 = Annotated[int | None, Integer(4, signed=True)]

Enum8 = Annotated[E | int | None, Integer(1)]
Enum16 = Annotated[E | int | None, Integer(2)]
Enum32 = Annotated[E | int | None, Integer(4)]
"""An enumerated value; one that has no name stays an int."""
Flags16 = Annotated[F | int | None, Integer(2)]
Flags32 = Annotated[F | int | None, Integer(4)]
"""Bits; decoded as a plain int (an IntFlag remembers every combination it ever saw)."""

Text6 = Annotated[bytes | None, Text(6)]
Text16 = Annotated[bytes | None, Text(16)]
Text24 = Annotated[bytes | None, Text(24)]
Text25 = Annotated[bytes | None, Text(25)]
Text32 = Annotated[bytes | None, Text(32)]
Text40 = Annotated[bytes | None, Text(40)]
Text48 = Annotated[bytes | None, Text(48)]

DirectoryNumber = Annotated[bytes | None, ByForm(NUMBER, {24: Text(24), 25: Text(25), 28: Text(25, pad=3)})]
"""24 bytes up to header version 18; 25 from 19, and what follows is aligned to 4 or not (captured both ways)."""

PackedNumber = Annotated[bytes | None, ByForm(PACKED, {24: Text(24), 25: Text(25)})]
"""24 bytes up to header version 18; 25 from 19, with the next field right behind: no source aligns it."""

IPv4 = Annotated[IPv4Address | None, V4()]
IPv6 = Annotated[IPv6Address | None, V6()]
Address = Annotated[IPv4Address | IPv6Address | RawAddress | None, ByForm(ADDRESS, {4: V4(), 20: FamilyAddress()})]
"""Four bytes below header version 17; family and sixteen bytes from 17."""
Mac = Annotated[bytes | None, Octets(6, room=6)]
"""Six bytes of a MAC address, six of room."""
