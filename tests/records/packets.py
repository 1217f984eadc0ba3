"""Frames and capture files, built byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

CLIENT = "10.0.0.1"
SERVER = "10.0.1.1"
CLIENT_6 = "fd00::1"
SERVER_6 = "fd00::2"

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


@dataclass(frozen=True, slots=True)
class Record:
    """A packet as it is put into a capture file."""

    data: bytes
    time: int = START
    original: int | None = None

    @property
    def length(self) -> int:
        return len(self.data) if self.original is None else self.original


def tcp(
    seq: int,
    ack: int = 0,
    flags: int = ACK,
    data: bytes = b"",
    *,
    ports: tuple[int, int] = (40000, 2000),
    options: bytes = b"",
) -> bytes:
    assert len(options) % 4 == 0
    offset = (20 + len(options)) // 4 << 4
    header = struct.pack("!HHIIBBHHH", *ports, seq % 2**32, ack % 2**32, offset, flags, 8192, 0, 0)
    return header + options + data


def udp(data: bytes, *, ports: tuple[int, int] = (40000, 5060), length: int | None = None) -> bytes:
    return struct.pack("!HHHH", *ports, 8 + len(data) if length is None else length, 0) + data


def ipv4(
    payload: bytes,
    *,
    source: str = CLIENT,
    destination: str = SERVER,
    protocol: int = 6,
    options: bytes = b"",
    total: int | None = None,
    identification: int = 1,
    offset: int = 0,
    more: bool = False,
) -> bytes:
    assert len(options) % 4 == 0
    assert offset % 8 == 0
    header = 20 + len(options)
    return (
        struct.pack(
            "!BBHHHBBH4s4s",
            0x40 | header // 4,
            0,
            header + len(payload) if total is None else total,
            identification,
            (0x2000 if more else 0) | offset // 8,
            64,
            protocol,
            0,
            ip_address(source).packed,
            ip_address(destination).packed,
        )
        + options
        + payload
    )


def ipv6(
    payload: bytes,
    *,
    source: str = CLIENT_6,
    destination: str = SERVER_6,
    protocol: int = 6,
    length: int | None = None,
) -> bytes:
    return (
        struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, protocol, 64)
        + ip_address(source).packed
        + ip_address(destination).packed
        + payload
    )


def ipv6_fragment(
    payload: bytes, *, protocol: int = 17, offset: int = 0, more: bool = False, identification: int = 1
) -> bytes:
    return ipv6(struct.pack("!BxHI", protocol, offset | more, identification) + payload, protocol=44)


def ethernet(packet: bytes, *, ethertype: int | None = None, tags: Sequence[int] = ()) -> bytes:
    """A frame; the EtherType is found from the packet's version, `tags` are tags' EtherTypes."""
    kind = {4: 0x0800, 6: 0x86DD}[packet[0] >> 4] if ethertype is None else ethertype
    tagged = b"".join(struct.pack("!HH", tag, 5) for tag in tags)
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + tagged + struct.pack("!H", kind) + packet


def pcap(
    records: Iterable[Record],
    *,
    order: str = "<",
    nanoseconds: bool = False,
    modified: bool = False,
    linktype: int = 1,
    snaplen: int = 262144,
) -> bytes:
    magic = 0xA1B2CD34 if modified else 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype)]
    for record in records:
        seconds, rest = divmod(record.time, SECOND)
        parts.append(
            struct.pack(f"{order}IIII", seconds, rest if nanoseconds else rest // 1000, len(record.data), record.length)
        )
        if modified:
            parts.append(struct.pack(f"{order}IHBB", 1, 0x0800, 0, 0))
        parts.append(record.data)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", options: bytes = b"") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def interface(order: str = "<", *, linktype: int = 1, snaplen: int = 262144, options: bytes = b"") -> bytes:
    return block(1, struct.pack(f"{order}HHI", linktype, 0, snaplen) + options, order)


def enhanced(
    record: Record, order: str = "<", *, number: int = 0, ticks: int | None = None, options: bytes = b""
) -> bytes:
    """An enhanced packet block; time counts microseconds unless `ticks` are given."""
    count = record.time // 1000 if ticks is None else ticks
    head = struct.pack(f"{order}IIIII", number, count >> 32, count & 0xFFFFFFFF, len(record.data), record.length)
    return block(6, head + record.data + bytes(-len(record.data) % 4) + options, order)


def obsolete(record: Record, order: str = "<") -> bytes:
    count = record.time // 1000
    head = struct.pack(f"{order}HHIIII", 0, 0, count >> 32, count & 0xFFFFFFFF, len(record.data), record.length)
    return block(2, head + record.data, order)


def simple(record: Record, order: str = "<") -> bytes:
    return block(3, struct.pack(f"{order}I", record.length) + record.data, order)


def pcapng(records: Iterable[Record], *, order: str = "<", linktype: int = 1) -> bytes:
    return b"".join(
        [section(order), interface(order, linktype=linktype), *(enhanced(record, order) for record in records)]
    )
