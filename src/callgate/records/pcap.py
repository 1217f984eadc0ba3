"""The pcap file format (draft-ietf-opsawg-pcap, https://www.tcpdump.org/manpages/pcap-savefile.5.html).

A 24-byte header, then per packet a header (16 bytes: seconds, fraction, bytes captured, bytes on the wire) and
the bytes. The magic number gives the byte order and the unit of the fraction. Alexey Kuznetsov's modified form
has 8 bytes more per packet (interface, protocol, direction), which are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from callgate.errors import CaptureError
from callgate.records.packet import PACKET_LIMIT, Packet
from callgate.records.source import Source

FILE_HEADER_BYTES: Final = 24

MAGICS: Final = {
    magic.to_bytes(4, byteorder): ("<" if byteorder == "little" else ">", nanoseconds, header_bytes)
    for magic, nanoseconds, header_bytes in (
        (0xA1B2C3D4, 1000, 16),
        (0xA1B23C4D, 1, 16),
        (0xA1B2CD34, 1000, 24),
    )
    for byteorder in ("little", "big")
}
"""By the file's first four bytes: `struct`'s byte order, nanoseconds per unit of the fraction, packet header bytes."""


def read_pcap(source: Source) -> Iterator[Packet]:
    """The packets of a pcap file whose first byte is `source`'s next; CaptureError where it is damaged."""
    buffer = source.more(0, FILE_HEADER_BYTES)
    if len(buffer) < FILE_HEADER_BYTES:
        raise source.cut("the capture ends inside the file header")
    order, unit, header_bytes = MAGICS[buffer[:4]]
    major, minor, link = struct.unpack_from(f"{order}4xHH12xI", buffer)
    if (major, minor) not in ((2, 4), (2, 3)):
        raise CaptureError(f"pcap version {major}.{minor} is not known", 4)
    # Above the link type lie the bytes of a frame check sequence, which IP's own length leaves out anyway.
    linktype = link & 0xFFFF
    unpack = struct.Struct(f"{order}IIII").unpack_from
    at = FILE_HEADER_BYTES
    size = len(buffer)
    while True:
        while at + header_bytes <= size:
            seconds, fraction, captured, original = unpack(buffer, at)
            start = at + header_bytes
            end = start + captured
            if end > size or captured > PACKET_LIMIT:
                break
            yield Packet(
                seconds * 1_000_000_000 + fraction * unit,
                linktype,
                buffer[start:end],
                original if original > captured else captured,
            )
            at = end
        else:
            captured = 0
        if captured > PACKET_LIMIT:
            raise CaptureError(f"a packet of {captured} bytes, more than {PACKET_LIMIT}", source.base + at)
        buffer = source.more(at, header_bytes + captured)
        at = 0
        size = len(buffer)
        if not size and source.damage is None:
            return
        if size < header_bytes + captured:
            raise source.cut("the capture ends inside a packet")
