"""Capture files: every form is read, and every damage is named after all that is good."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO, RawIOBase
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.records.damage import until_damage
from tests.records.packets import (
    SECOND,
    START,
    Record,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    pcap,
    pcapng,
    section,
    simple,
)

from callgate.errors import CaptureError, NotDetermined
from callgate.records.capture import PACKET_LIMIT, Packet, open_capture, read_packets

RECORDS = [
    Record(b"first", START + 1000),
    Record(b"", START + 2_000_000),
    Record(bytes(range(256)), START + SECOND + 999_999_000),
    Record(b"cut here", START + 2 * SECOND, 1500),
]
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
BUILD: dict[str, Callable[[list[Record]], bytes]] = {
    "pcap": pcap,
    "pcap-nanoseconds": partial(pcap, nanoseconds=True),
    "pcap-modified": partial(pcap, modified=True),
    "pcapng": pcapng,
    "pcapng-obsolete": lambda records: section() + interface() + b"".join(map(obsolete, records)),
}
FORMS = {name: build(RECORDS) for name, build in BUILD.items()}


def expected(records: list[Record], linktype: int = 1) -> list[Packet]:
    return [Packet(record.time, linktype, record.data, record.length) for record in records]


def read(data: bytes) -> list[Packet]:
    return list(read_packets(BytesIO(data)))


def read_until_damage(data: bytes) -> tuple[list[Packet], CaptureError]:
    packets, damage = until_damage(read_packets(BytesIO(data)))
    assert damage is not None
    return packets, damage


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_every_form_gives_the_same_packets(form: str, compressed: bool) -> None:
    data = gzip.compress(FORMS[form], mtime=0) if compressed else FORMS[form]
    assert read(data) == expected(RECORDS)


@ORDERS
@pytest.mark.parametrize("nanoseconds", [False, True])
@pytest.mark.parametrize("modified", [False, True])
def test_both_byte_orders_of_pcap_are_read(order: str, nanoseconds: bool, modified: bool) -> None:
    data = pcap(RECORDS, order=order, nanoseconds=nanoseconds, modified=modified and not nanoseconds, linktype=113)
    assert read(data) == expected(RECORDS, 113)


@ORDERS
def test_all_packet_blocks_of_pcapng_are_read(order: str) -> None:
    parts = [
        section(order, option(4, b"who wrote it", order)),
        interface(order, options=option(2, b"eth0", order) + option(0, b"", order)),
        block(0x0BAD, b"unknown to all", order),
        enhanced(RECORDS[0], order, options=option(1, b"comment", order) + option(0, b"", order)),
        obsolete(RECORDS[1], order),
        block(5, bytes(12), order),
        simple(RECORDS[2], order),
    ]
    assert read(b"".join(parts)) == [*expected(RECORDS[:2]), Packet(0, 1, RECORDS[2].data, 256)]


def test_sections_have_their_own_byte_order_and_interfaces() -> None:
    first, second = Record(b"one"), Record(b"two")
    data = (
        section("<")
        + interface("<", linktype=1)
        + interface("<", linktype=101)
        + enhanced(first, "<", number=1)
        + section(">")
        + interface(">", linktype=113)
        + enhanced(second, ">")
    )
    assert [(packet.linktype, packet.data) for packet in read(data)] == [(101, b"one"), (113, b"two")]
    _, damage = read_until_damage(data + enhanced(second, ">", number=1))
    assert "interface 1" in damage.reason


@pytest.mark.parametrize(
    ("resolution", "ticks", "nanoseconds"),
    [
        (0, 7, 7 * SECOND),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 1_700_000_123_456_789_999, 1_700_000_123_456_789),
        (0x80, 7, 7 * SECOND),
        (0x80 | 10, 1536, 1_500_000_000),
        (0x80 | 32, 3 << 31, 1_500_000_000),
    ],
)
@ORDERS
def test_time_counts_in_the_interfaces_unit(order: str, resolution: int, ticks: int, nanoseconds: int) -> None:
    options = option(9, bytes([resolution]), order) + option(0, b"", order)
    data = section(order) + interface(order, options=options) + enhanced(Record(b"x"), order, ticks=ticks)
    assert [packet.time for packet in read(data)] == [nanoseconds]


@ORDERS
@pytest.mark.parametrize("seconds", [3600, -3600])
def test_time_offset_is_added(order: str, seconds: int) -> None:
    options = option(14, struct.pack(f"{order}q", seconds), order)
    data = section(order) + interface(order, options=options) + enhanced(RECORDS[0], order)
    (packet,) = read(data)
    assert packet.time == RECORDS[0].time + seconds * SECOND
    assert packet.seconds == pytest.approx(packet.time / 1e9)


def test_simple_packet_is_cut_at_the_interfaces_length() -> None:
    data = section() + interface(snaplen=4) + simple(Record(b"four", original=1500))
    assert read(data) == [Packet(0, 1, b"four", 1500)]


@pytest.mark.parametrize("form", FORMS)
def test_capture_cut_at_any_byte_gives_what_is_whole_and_then_the_damage(form: str) -> None:
    whole = FORMS[form]
    ends = [len(BUILD[form](RECORDS[:count])) for count in range(len(RECORDS) + 1)]
    clean = {*ends, len(section())} if "ng" in form else set(ends)
    for cut in range(len(whole)):
        good = [record for record, end in zip(RECORDS, ends[1:], strict=True) if end <= cut]
        if cut in clean:
            assert read(whole[:cut]) == expected(good)
        else:
            packets, damage = read_until_damage(whole[:cut])
            assert packets == expected(good)
            assert damage.offset == (cut if cut >= 4 else None)


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_gzip_cut_at_any_byte_gives_a_prefix_and_the_damage(form: str) -> None:
    whole = gzip.compress(FORMS[form], mtime=0)
    longest = 0
    for cut in range(1, len(whole)):
        packets, _ = read_until_damage(whole[:cut])
        assert packets == expected(RECORDS)[: len(packets)]
        longest = max(longest, len(packets))
    assert longest == len(RECORDS)


def test_damaged_gzip_data_is_named() -> None:
    whole = bytearray(gzip.compress(FORMS["pcap"], mtime=0))
    whole[-5] ^= 1  # the length of the data
    packets, damage = read_until_damage(bytes(whole))
    assert packets == expected(RECORDS)[: len(packets)]
    assert "gzip" in str(damage)


def test_gzip_members_and_padding_are_passed() -> None:
    whole = FORMS["pcap"]
    data = gzip.compress(whole[:50], mtime=0) + gzip.compress(b"") + gzip.compress(whole[50:]) + bytes(600)
    assert read(data) == expected(RECORDS)


def test_gzip_bomb_streams() -> None:
    member = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = pcap([])
    packed = member.compress(head)
    zeros = struct.pack("<IIII", 0, 0, 65536, 65536) + bytes(65536)
    for _ in range(400):
        packed += member.compress(zeros)
    packed += member.flush()
    assert len(packed) < 60_000

    class Counting(BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counting.taken += len(data)
            return data

    count = sum(1 for packet in read_packets(Counting(packed)) if packet.data == bytes(65536))
    assert count == 400


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\xd4", "neither pcap nor pcapng: it begins with d4"),
        (b"#!/bin/sh\n", "neither pcap nor pcapng"),
        (gzip.compress(b"#!/bin/sh\n", mtime=0), "neither pcap nor pcapng"),
        (gzip.compress(FORMS["pcap"], mtime=0)[:8], "gzip data is cut short"),
        (b"\x1f\x8b" + bytes(30), "gzip data is damaged"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 3, 0, 0, 0, 65535, 1), "pcap version 3.0"),
        (FORMS["pcap"][:24] + struct.pack("<IIII", 0, 0, 1 << 31, 1 << 31) + bytes(64), "a packet of 2147483648 bytes"),
        (pcap([Record(bytes(PACKET_LIMIT + 1))]), "more than 262144"),
        (section()[:8] + bytes(20), "without a byte order"),
        (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)), "pcapng version 2.0"),
        (section() + struct.pack("<II", 6, 8) + bytes(20), "a block says it has 8 bytes"),
        (section() + struct.pack("<II", 6, 13) + bytes(20), "a block says it has 13 bytes"),
        (section() + struct.pack("<II", 6, 1 << 30) + bytes(40), "a block of 1073741824 bytes"),
        (section() + struct.pack("<II", 99, 1 << 30) + bytes(40), "ends inside a block"),
        (section() + block(99, b"")[:-4] + bytes(4), "two lengths differ"),
        (section() + interface()[:-4] + bytes(4), "two lengths differ"),
        (section() + block(1, bytes(4)), "an interface description of 16 bytes"),
        (section() + interface(options=struct.pack("<HH", 2, 400)), "options are longer"),
        (section() + enhanced(RECORDS[0]), "interface 0"),
        (section() + simple(RECORDS[0]), "interface 0"),
        (section() + interface() + block(6, bytes(4)), "a packet block of 16 bytes"),
        (section() + interface() + block(3, b""), "a packet block of 12 bytes"),
        (section() + interface() + block(3, struct.pack("<I", 400)), "in a smaller block"),
        (section() + interface() + block(6, struct.pack("<IIIII", 0, 0, 0, 400, 400)), "in a smaller block"),
        (section() + interface() + block(6, struct.pack("<IIIII", 0, 0, 0, 8, 8) + bytes(4)), "in a smaller block"),
        (section() + interface() + enhanced(RECORDS[0])[:-4] + bytes(4), "two lengths differ"),
        (section() + interface() + enhanced(Record(bytes(PACKET_LIMIT + 1))), "more than 262144"),
    ],
)
def test_what_cannot_be_a_capture_is_refused_by_name(data: bytes, reason: str) -> None:
    packets, damage = read_until_damage(data)
    assert packets == []
    assert reason in str(damage)
    assert isinstance(damage, NotDetermined)


def test_interfaces_of_a_section_are_bounded() -> None:
    _, damage = read_until_damage(section() + interface() * 65_537)
    assert "65536 interfaces" in damage.reason


@settings(max_examples=100)
@given(st.data())
def test_changed_captures_give_packets_or_the_named_error(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(sorted(FORMS.values()))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    packets, damage = until_damage(read_packets(BytesIO(bytes(whole))))
    assert all(len(packet.data) <= min(packet.original_length, len(whole)) for packet in packets)
    assert len(packets) <= len(whole) // 12
    assert damage is None or damage.reason


@settings(max_examples=100)
@given(
    st.sampled_from(sorted({form[:4] for form in FORMS.values()} | {b"\x1f\x8b\x08\0", b""})), st.binary(max_size=300)
)
def test_random_bytes_give_packets_or_the_named_error(magic: bytes, data: bytes) -> None:
    packets, damage = until_damage(read_packets(BytesIO(magic + data)))
    assert all(len(packet.data) <= len(data) for packet in packets)
    assert damage is None or damage.reason


@settings(max_examples=50)
@given(
    st.lists(st.builds(Record, st.binary(max_size=100), st.integers(0, 2**32 - 1).map(lambda s: s * SECOND))),
    st.integers(1, 200),
    st.sampled_from([pcap, pcapng]),
    st.booleans(),
)
def test_how_the_bytes_arrive_makes_no_difference(
    records: list[Record], step: int, form: object, compressed: bool
) -> None:
    assert callable(form)
    data = form(records)

    class Trickle(RawIOBase):
        """Gives a few bytes at a time, as pipes do."""

        left = gzip.compress(data, mtime=0) if compressed else data

        def read(self, size: int = -1, /) -> bytes:
            taken, self.left = self.left[:step], self.left[step:]
            return taken

    assert list(read_packets(Trickle())) == expected(records)  # type: ignore[arg-type]


def test_packets_larger_than_what_is_read_at_a_time_are_whole() -> None:
    records = [Record(bytes([n]) * (PACKET_LIMIT - n)) for n in range(5)]
    assert read(pcap(records)) == expected(records)
    assert read(pcapng(records)) == expected(records)
    filler = block(0x0BAD, bytes(3_000_000))
    assert read(section() + filler + interface() + filler + enhanced(records[1]) + filler) == expected(records[1:2])


def test_file_is_opened_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "site.pcap"
    path.write_bytes(FORMS["pcap"])
    assert list(open_capture(path)) == expected(RECORDS)
    packets = open_capture(str(path))
    assert next(packets).data == b"first"
    del packets  # the file closes here; an open one would warn, and warnings are errors
    for wrong in (tmp_path, tmp_path / "absent"):
        with pytest.raises(CaptureError, match="cannot be"):
            list(open_capture(wrong))


def test_reading_fails_by_name() -> None:
    class Failing(RawIOBase):
        count = 0

        def read(self, size: int = -1, /) -> bytes:
            self.count += 1
            if self.count == 1:
                return FORMS["pcap"]
            raise OSError(5, "Input/output error")

    packets, damage = until_damage(read_packets(Failing()))  # type: ignore[arg-type]
    assert packets == expected(RECORDS)
    assert damage is not None
    assert "Input/output error" in damage.reason
