"""The pcapng file format (draft-ietf-opsawg-pcapng).

A file is a row of sections, a section a row of blocks: type, length, body, and the length once more. The byte
order is the section's. Packets name an interface of their section, which gives link type and unit of time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from callgate.errors import CaptureError
from callgate.records.packet import PACKET_LIMIT, Packet
from callgate.records.source import Source

SECTION: Final = 0x0A0D0D0A
INTERFACE: Final = 1
PACKET: Final = 2
"""Obsolete, but written by old tools."""
SIMPLE_PACKET: Final = 3
ENHANCED_PACKET: Final = 6

BYTE_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

BLOCK_LIMIT: Final = 4 * PACKET_LIMIT
"""Bytes of a block that must be held to be read (interfaces and packets, with their options)."""
INTERFACE_LIMIT: Final = 65_536
"""Interfaces of one section."""

_END: Final = 0
_RESOLUTION: Final = 9
_OFFSET: Final = 14
_HELD: Final = frozenset({SECTION, INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET})
"""The blocks that are read; all others are passed over."""


class Interface(NamedTuple):
    """What an interface description says of its packets."""

    linktype: int
    snaplen: int
    multiply: int
    """Nanoseconds are `ticks * multiply // divide + offset`."""
    divide: int
    offset: int


def read_pcapng(source: Source) -> Iterator[Packet]:
    """The packets of a pcapng file whose first byte is `source`'s next; CaptureError where it is damaged."""
    order = "<"
    unpack_block = struct.Struct("<II").unpack_from
    unpack_packet = struct.Struct("<IIIIIII").unpack_from
    unpack_length = struct.Struct("<I").unpack_from
    interfaces: list[Interface] = []
    buffer = source.buffer
    at = 0
    size = len(buffer)
    while True:
        if at + 12 > size:
            buffer, at = source.more(at, 12), 0
            size = len(buffer)
            if not size and source.damage is None:
                return
            if size < 12:
                raise source.cut("the capture ends inside a block")
        if at + 32 <= size:
            kind, length, number, high, low, captured, original = unpack_packet(buffer, at)
            end = at + length
            # The short way for the packets of a sound capture; what fails here is looked at again below.
            if (
                kind == ENHANCED_PACKET
                and end <= size
                and captured + 32 <= length
                and captured <= PACKET_LIMIT
                and number < len(interfaces)
                and not length & 3
                and unpack_length(buffer, end - 4)[0] == length
            ):
                linktype, _, multiply, divide, offset = interfaces[number]
                ticks = (high << 32 | low) * multiply
                yield Packet(
                    (ticks if divide == 1 else ticks // divide) + offset,
                    linktype,
                    buffer[at + 28 : at + 28 + captured],
                    original if original > captured else captured,
                )
                at = end
                continue
        kind, length = unpack_block(buffer, at)
        if kind == SECTION:  # the same number in both byte orders
            order = _byte_order(buffer[at + 8 : at + 12], source.base + at)
            unpack_block = struct.Struct(f"{order}II").unpack_from
            unpack_packet = struct.Struct(f"{order}IIIIIII").unpack_from
            unpack_length = struct.Struct(f"{order}I").unpack_from
            interfaces = []
            kind, length = unpack_block(buffer, at)
        if length < 12 or length % 4:
            raise CaptureError(f"a block says it has {length} bytes", source.base + at)
        if kind not in _HELD:
            said = buffer[at + 4 : at + 8]
            buffer, at = source.skip(at, length - 4), 0
            if len(buffer) < 4:
                buffer = source.more(0, 4)
            size = len(buffer)
            if size < 4:
                raise source.cut("the capture ends inside a block")
            if buffer[:4] != said:
                raise CaptureError("a block's two lengths differ", source.base)
            at = 4
            continue
        if length > BLOCK_LIMIT:
            raise CaptureError(f"a block of {length} bytes, more than {BLOCK_LIMIT}", source.base + at)
        end = at + length
        if end > size:
            buffer, at, end = source.more(at, length), 0, length
            size = len(buffer)
            if size < length:
                raise source.cut("the capture ends inside a block")
        if buffer[at + 4 : at + 8] != buffer[end - 4 : end]:
            raise CaptureError("a block's two lengths differ", source.base + at)
        if kind == INTERFACE:
            if len(interfaces) >= INTERFACE_LIMIT:
                raise CaptureError(f"a section has more than {INTERFACE_LIMIT} interfaces", source.base + at)
            interfaces.append(_interface(order, buffer[at:end], source.base + at))
        elif kind == SECTION:
            _check_version(order, buffer[at:end], source.base + at)
        else:
            yield _packet(kind, order, buffer[at:end], interfaces, source.base + at)
        at = end


def _byte_order(magic: bytes, offset: int) -> str:
    order = BYTE_ORDERS.get(magic)
    if order is None:
        raise CaptureError("a section header without a byte order", offset)
    return order


def _check_version(order: str, block: bytes, offset: int) -> None:
    if len(block) < 28:
        raise CaptureError(f"a section header of {len(block)} bytes", offset)
    major, minor = struct.unpack_from(f"{order}HH", block, 12)
    if major != 1:
        raise CaptureError(f"pcapng version {major}.{minor} is not known", offset)


def _interface(order: str, block: bytes, offset: int) -> Interface:
    """Read an interface description block. Without options, time counts microseconds."""
    if len(block) < 20:
        raise CaptureError(f"an interface description of {len(block)} bytes", offset)
    linktype, snaplen = struct.unpack_from(f"{order}H2xI", block, 8)
    multiply, divide, seconds = 1000, 1, 0
    at = 16
    end = len(block) - 4
    while at + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", block, at)
        value = block[at + 4 : min(at + 4 + length, end)]
        if code == _END:
            break
        if len(value) < length:
            raise CaptureError("an interface's options are longer than its block", offset)
        if code == _RESOLUTION and length == 1:
            multiply, divide = _unit(value[0])
        elif code == _OFFSET and length == 8:
            (seconds,) = struct.unpack(f"{order}q", value)
        at += 4 + (length + 3) // 4 * 4
    return Interface(linktype, snaplen, multiply, divide, seconds * 1_000_000_000)


def _unit(resolution: int) -> tuple[int, int]:
    """Nanoseconds per tick as a fraction: the byte is a negative power of 10, or of 2 with its top bit set."""
    power = resolution & 0x7F
    if resolution & 0x80:
        return 1_000_000_000, 1 << power
    return (10 ** (9 - power), 1) if power <= 9 else (1, 10 ** (power - 9))


def _packet(kind: int, order: str, block: bytes, interfaces: list[Interface], offset: int) -> Packet:
    """Read a packet block of any kind; CaptureError where it is damaged."""
    room = len(block) - (16 if kind == SIMPLE_PACKET else 32)
    if room < 0:
        raise CaptureError(f"a packet block of {len(block)} bytes", offset)
    if kind == SIMPLE_PACKET:
        (original,) = struct.unpack_from(f"{order}I", block, 8)
        if not interfaces:
            raise _refused(0, 0, 0, offset)
        linktype, snaplen, *_ = interfaces[0]
        captured = min(original, snaplen or original)
        if captured > room or captured > PACKET_LIMIT:
            raise _refused(captured, 0, len(interfaces), offset)
        return Packet(0, linktype, block[12 : 12 + captured], original)
    form = "IIIII" if kind == ENHANCED_PACKET else "H2xIIII"
    number, high, low, captured, original = struct.unpack_from(f"{order}{form}", block, 8)
    if captured > room or captured > PACKET_LIMIT or number >= len(interfaces):
        raise _refused(captured, number, len(interfaces), offset)
    linktype, _, multiply, divide, seconds = interfaces[number]
    time = (high << 32 | low) * multiply // divide + seconds
    return Packet(time, linktype, block[28 : 28 + captured], max(original, captured))


def _refused(captured: int, number: int, known: int, offset: int) -> CaptureError:
    if number >= known:
        return CaptureError(f"a packet of interface {number}, which the section does not describe", offset)
    if captured > PACKET_LIMIT:
        return CaptureError(f"a packet of {captured} bytes, more than {PACKET_LIMIT}", offset)
    return CaptureError(f"a packet of {captured} bytes in a smaller block", offset)
