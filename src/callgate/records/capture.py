"""Captures of all forms: pcap and pcapng, each also compressed with gzip, told apart by their first bytes.

    for packet in open_capture(Path("site.pcapng")):
        packet.time, packet.linktype, packet.data, packet.original_length

A capture of any size streams: at most a packet (262,144 bytes) or a packet block with its options (1 MiB) and a
chunk (64 KiB) are held. A damaged capture gives all that is good before the damage, then CaptureError.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from callgate.errors import CaptureError
from callgate.records.packet import PACKET_LIMIT, Packet
from callgate.records.pcap import MAGICS, read_pcap
from callgate.records.pcapng import SECTION, read_pcapng
from callgate.records.source import Source

__all__ = ["PACKET_LIMIT", "Packet", "open_capture", "read_packets"]


def read_packets(stream: BinaryIO) -> Iterator[Packet]:
    """The packets of a capture, in the capture's order.

    Raises CaptureError, after every good packet, where the capture is damaged, cut short, unreadable or of an
    unknown form; its offset counts bytes of the capture after decompression.
    """
    source = Source(stream)
    magic = source.more(0, 4)[:4]
    if magic in MAGICS:
        yield from read_pcap(source)
    elif magic == SECTION.to_bytes(4, "big"):
        yield from read_pcapng(source)
    elif source.damage is not None:
        raise source.cut("")
    elif not magic:
        raise CaptureError("the capture is empty")
    else:
        raise CaptureError(f"neither pcap nor pcapng: it begins with {magic.hex(' ')}")


def open_capture(path: Path | str) -> Iterator[Packet]:
    """The packets of a capture file, as `read_packets` gives them; the file is opened at the first one.

    The file is closed with the iterator. CaptureError also where it cannot be opened.
    """
    try:
        stream = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by the `with` below
    except OSError as error:
        raise CaptureError(f"the capture cannot be opened: {error.strerror or error}") from error
    with stream:
        yield from read_packets(stream)
