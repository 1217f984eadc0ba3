"""IP packets: what they carry, and how fragments come together or are refused."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.records.packets import CLIENT, SECOND, SERVER, ipv4, ipv6, ipv6_fragment

from callgate.records import fragments as limits
from callgate.records.fragments import INCOMPLETE, OVERLAPPING, Fragments
from callgate.records.ip import BEYOND_FRAME, CUT_FRAGMENT, MALFORMED, UDP, IpReader, Transport
from callgate.records.link import SHORT
from callgate.records.tally import Tally

ADDRESSES = ip_address(CLIENT).packed + ip_address(SERVER).packed


def read_4(data: bytes, original: int | None = None) -> Transport | str | None:
    return IpReader(Tally()).read_ipv4(data, 0, len(data) if original is None else original, 0)


def read_6(data: bytes, original: int | None = None) -> Transport | str | None:
    return IpReader(Tally()).read_ipv6(data, 0, len(data) if original is None else original, 0)


def carried(found: Transport | str | None) -> tuple[int, bytes, int]:
    assert isinstance(found, Transport), found
    return found.protocol, found.data, found.missing


def test_ipv4_gives_protocol_addresses_and_payload() -> None:
    assert read_4(ipv4(b"payload", protocol=17)) == Transport(17, ADDRESSES, b"payload", 0)


def test_ipv4_options_are_passed_over() -> None:
    assert carried(read_4(ipv4(b"payload", options=bytes(40)))) == (6, b"payload", 0)


def test_ethernet_padding_is_no_payload() -> None:
    assert carried(read_4(ipv4(b"pay") + bytes(23))) == (6, b"pay", 0)
    assert carried(read_6(ipv6(b"pay") + bytes(3))) == (6, b"pay", 0)


def test_total_length_0_of_offloaded_packets_takes_the_rest() -> None:
    assert carried(read_4(ipv4(b"much", total=0))) == (6, b"much", 0)
    assert carried(read_4(ipv4(b"much", total=0), 100)) == (6, b"much", 76)
    assert carried(read_6(ipv6(b"much", length=0))) == (6, b"much", 0)


def test_cut_packets_say_how_much_is_missing() -> None:
    whole = ipv4(bytes(100))
    for cut in range(20, len(whole)):
        assert carried(read_4(whole[:cut], len(whole))) == (6, bytes(cut - 20), 120 - cut)
    whole = ipv6(bytes(100))
    for cut in range(40, len(whole)):
        assert carried(read_6(whole[:cut], len(whole))) == (6, bytes(cut - 40), 140 - cut)


@pytest.mark.parametrize("cut", range(20))
def test_cut_headers_are_short(cut: int) -> None:
    assert read_4(ipv4(b"payload")[:cut], 27) == SHORT
    assert read_6(ipv6(b"payload")[: cut * 2], 47) == SHORT


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"\x65" + ipv4(b"payload")[1:], MALFORMED),
        (b"\x44" + ipv4(b"payload")[1:], MALFORMED),
        (b"\x4f" + ipv4(b"payload")[1:], MALFORMED),
        (ipv4(b"payload", total=19), MALFORMED),
        (ipv4(b"payload", total=28), BEYOND_FRAME),
    ],
)
def test_ipv4_that_cannot_be_is_refused(packet: bytes, reason: str) -> None:
    assert read_4(packet) == reason


def test_ipv6_that_cannot_be_is_refused() -> None:
    assert read_6(b"\x40" + ipv6(b"payload")[1:]) == MALFORMED
    assert read_6(ipv6(b"payload", length=8)) == BEYOND_FRAME


def test_ipv6_extension_headers_are_passed_over() -> None:
    authentication = struct.pack("!BB", 60, 4) + bytes(22)
    chain = (
        struct.pack("!BB", 43, 0)
        + bytes(6)
        + struct.pack("!BB", 51, 1)
        + bytes(14)
        + authentication
        + struct.pack("!BB", 17, 2)
        + bytes(22)
    )
    assert carried(read_6(ipv6(chain + b"payload", protocol=0))) == (17, b"payload", 0)


def test_ipv6_extension_headers_are_bounded() -> None:
    chain = (struct.pack("!BB", 60, 0) + bytes(6)) * 16
    assert read_6(ipv6(chain + b"payload", protocol=60)) == "more than 16 IPv6 extension headers"
    assert read_6(ipv6(struct.pack("!BB", 6, 200) + bytes(30), protocol=60)) == MALFORMED
    whole = ipv6(struct.pack("!BB", 6, 3) + bytes(30) + b"payload", protocol=60)
    assert read_6(whole[:60], len(whole)) == SHORT


def test_atomic_fragment_stands_alone() -> None:
    assert carried(read_6(ipv6_fragment(b"whole"))) == (17, b"whole", 0)


PAYLOAD = bytes(range(201))


@st.composite
def pieces(draw: st.DrawFn, payload: bytes = PAYLOAD) -> list[tuple[int, bytes, bool]]:
    """Offset, bytes and whether more follow, of all fragments of the payload in any order."""
    cuts = sorted(draw(st.sets(st.integers(1, len(payload) // 8 - 1), max_size=12)))
    bounds = [0, *(cut * 8 for cut in cuts), len(payload)]
    found = [(low, payload[low:high], high < len(payload)) for low, high in pairwise(bounds)]
    return list(draw(st.permutations(found)))


@settings(max_examples=100)
@given(pieces(), st.data())
def test_fragments_in_any_order_give_the_datagram(
    fragments: list[tuple[int, bytes, bool]], data: st.DataObject
) -> None:
    tally = Tally()
    reader, reader_6 = IpReader(tally), IpReader(Tally())
    repeated = data.draw(st.sampled_from(fragments[:-1])) if len(fragments) > 1 else None
    found: list[Transport | str | None] = []
    found_6: list[Transport | str | None] = []
    sent = fragments if repeated is None else [repeated, *fragments]
    for offset, part, more in sent:
        packet = ipv4(part, protocol=17, offset=offset, more=more)
        packet_6 = ipv6_fragment(part, offset=offset, more=more)
        found.append(reader.read_ipv4(packet, 0, len(packet), 0))
        found_6.append(reader_6.read_ipv6(packet_6, 0, len(packet_6), 0))
    # A repetition before the end changes nothing.
    assert found[:-1] == [None] * (len(sent) - 1)
    assert found_6[:-1] == [None] * (len(sent) - 1)
    assert found[-1] == Transport(17, ADDRESSES, PAYLOAD, 0)
    assert carried(found_6[-1]) == (17, PAYLOAD, 0)
    reader.finish()
    assert not tally.unread
    assert tally.notes.total() == len(sent) - len(fragments)


@settings(max_examples=100)
@given(pieces(), st.integers(0, len(PAYLOAD) // 8 - 2), st.integers(1, 20), st.data())
def test_overlapping_fragments_are_refused_and_counted(
    fragments: list[tuple[int, bytes, bool]], start: int, length: int, data: st.DataObject
) -> None:
    forged = (start * 8, bytes(length * 8), True)
    # One that takes the very place of others can complete the datagram before they come.
    bounds = {offset for offset, _, _ in fragments}
    assume(not bounds >= {start * 8, (start + length) * 8})
    at = data.draw(st.integers(0, len(fragments) - 1))
    sent = [*fragments[:at], forged, *fragments[at:]]
    tally = Tally()
    reader = Fragments(tally)
    refused = 0
    for offset, part, more in sent:
        found = reader.add((ADDRESSES, 1, 17), 17, offset, more, part, 0)
        assert not isinstance(found, tuple)
        refused += found == OVERLAPPING
    assert refused
    reader.finish()
    # Every fragment is counted once: those refused by the caller, those taken back here.
    assert refused + tally.unread[OVERLAPPING] + tally.unread[INCOMPLETE] == len(sent)


@pytest.mark.parametrize(
    ("offset", "more", "part"),
    [(0, True, b"7 bytes"), (0, True, b""), (65528, False, bytes(9))],
    ids=["not of eight", "empty", "beyond 64 KiB"],
)
def test_malformed_fragments_are_refused(offset: int, more: bool, part: bytes) -> None:
    assert Fragments(Tally()).add((ADDRESSES, 1, 17), 17, offset, more, part, 0) == "malformed fragment"


def test_fragment_cut_by_the_capture_is_refused() -> None:
    packet = ipv4(bytes(64), more=True)
    assert read_4(packet[:50], len(packet)) == CUT_FRAGMENT
    packet = ipv6_fragment(bytes(64), more=True)
    assert read_6(packet[:80], len(packet)) == CUT_FRAGMENT


def test_two_ends_are_refused() -> None:
    fragments = Fragments(Tally())
    key = (ADDRESSES, 1, UDP)
    assert fragments.add(key, UDP, 80, False, bytes(8), 0) is None
    assert fragments.add(key, UDP, 160, False, bytes(8), 0) == OVERLAPPING
    assert fragments.add((ADDRESSES, 2, UDP), UDP, 80, True, bytes(8), 0) is None
    assert fragments.add((ADDRESSES, 2, UDP), UDP, 40, False, bytes(8), 0) == OVERLAPPING


def test_fragments_are_forgotten_after_30_seconds() -> None:
    tally = Tally()
    fragments = Fragments(tally)
    key = (ADDRESSES, 1, UDP)
    assert fragments.add(key, UDP, 0, True, bytes(8), 0) is None
    assert fragments.add(key, UDP, 8, False, bytes(8), 31 * SECOND) is None
    assert tally.unread == {INCOMPLETE: 1}
    fragments.finish()
    assert tally.unread == {INCOMPLETE: 2}


def test_pending_datagrams_and_their_bytes_are_bounded() -> None:
    tally = Tally()
    fragments = Fragments(tally)
    for number in range(limits.PENDING_LIMIT + 10):
        fragments.add((ADDRESSES, number, UDP), UDP, 0, True, bytes(8), 0)
    assert tally.unread == {INCOMPLETE: 10}
    tally = Tally()
    fragments = Fragments(tally)
    for number in range(100):
        fragments.add((ADDRESSES, number, UDP), UDP, 8, True, bytes(65520), 0)
    assert tally.unread == {INCOMPLETE: 100 - limits.BYTES_LIMIT // 65520}


def test_protocols_and_families_have_their_own_identifications() -> None:
    fragments = Fragments(Tally())
    assert fragments.add((ADDRESSES, 1, 6), 6, 0, True, bytes(8), 0) is None
    assert fragments.add((ADDRESSES, 1, 17), 17, 8, False, bytes(8), 0) is None
    assert fragments.add((ADDRESSES, 1, 17), 17, 0, True, b"12345678", 0) == (17, b"12345678" + bytes(8))


@settings(max_examples=100)
@given(st.binary(max_size=120), st.integers(0, 100), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, more: int, formed: bool) -> None:
    packet = ipv4(data[1:], protocol=data[0], more=data[0] % 2 == 0) if formed and data else data
    for read in (read_4, read_6):
        found = read(packet, len(packet) + more)
        if isinstance(found, Transport):
            assert len(found.data) <= len(packet)
            assert 0 <= found.missing <= more
        else:
            assert found is None or found
