"""Link layers: the IP packet of a frame is found, or it is named why not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.records.packets import ethernet, ipv4, ipv6, tcp

from callgate.records.link import IPV4, IPV6, SHORT, network_layer

PACKET = ipv4(tcp(1))
PACKET_6 = ipv6(tcp(1))
LINKTYPES = [0, 1, 9, 12, 14, 50, 101, 108, 113, 228, 229, 276]

FRAMES = {
    "ethernet": (1, ethernet(PACKET)),
    "802.1Q": (1, ethernet(PACKET, tags=[0x8100])),
    "802.1ad": (1, ethernet(PACKET, tags=[0x88A8, 0x8100])),
    "old stacked tags": (1, ethernet(PACKET, tags=[0x9100, 0x9100, 0x8100])),
    "as many tags as are read": (1, ethernet(PACKET, tags=[0x8100] * 8)),
    "snap": (1, ethernet(b"\xaa\xaa\x03\0\0\0\x08\0" + PACKET, ethertype=8 + len(PACKET))),
    "snap in 802.1Q": (1, ethernet(b"\xaa\xaa\x03\0\0\0\x08\0" + PACKET, ethertype=48, tags=[0x8100])),
    "mpls": (1, ethernet(b"\0\x01\0\x40" + b"\0\x02\x01\x40" + PACKET, ethertype=0x8847)),
    "pppoe": (1, ethernet(b"\x11\0\0\x01\0\x2a\0\x21" + PACKET, ethertype=0x8864)),
    "pppoe in 802.1Q": (1, ethernet(b"\x11\0\0\x01\0\x2a\0\x21" + PACKET, ethertype=0x8864, tags=[0x8100])),
    "ppp": (9, b"\0\x21" + PACKET),
    "ppp, hdlc-like": (50, b"\xff\x03\0\x21" + PACKET),
    "ppp, compressed": (9, b"\x21" + PACKET),
    "raw": (101, PACKET),
    "raw, BSD": (12, PACKET),
    "raw, OpenBSD": (14, PACKET),
    "raw IPv4": (228, PACKET),
    "null, little endian": (0, struct.pack("<I", 2) + PACKET),
    "null, big endian": (0, struct.pack(">I", 2) + PACKET),
    "loop": (108, struct.pack(">I", 2) + PACKET),
    "cooked": (113, struct.pack("!HHHQH", 0, 1, 6, 0, 0x0800) + PACKET),
    "cooked, 802.1Q": (113, struct.pack("!HHHQHHH", 0, 1, 6, 0, 0x8100, 5, 0x0800) + PACKET),
    "cooked 2": (276, struct.pack("!HHIHBBQ", 0x0800, 0, 2, 1, 0, 6, 0) + PACKET),
}
FRAMES_6 = {
    "ethernet": (1, ethernet(PACKET_6)),
    "802.1Q": (1, ethernet(PACKET_6, tags=[0x8100])),
    "mpls": (1, ethernet(b"\0\x01\x01\x40" + PACKET_6, ethertype=0x8848)),
    "ppp": (9, b"\0\x57" + PACKET_6),
    "raw": (101, PACKET_6),
    "raw IPv6": (229, PACKET_6),
    **{f"null, family {family}": (0, struct.pack("<I", family) + PACKET_6) for family in (10, 24, 28, 30)},
    "cooked": (113, struct.pack("!HHHQH", 0, 1, 6, 0, 0x86DD) + PACKET_6),
    "cooked 2": (276, struct.pack("!HHIHBBQ", 0x86DD, 0, 2, 1, 0, 6, 0) + PACKET_6),
}


@pytest.mark.parametrize("name", FRAMES)
def test_ipv4_is_found(name: str) -> None:
    linktype, frame = FRAMES[name]
    assert network_layer(linktype, frame) == (IPV4, len(frame) - len(PACKET))


@pytest.mark.parametrize("name", FRAMES_6)
def test_ipv6_is_found(name: str) -> None:
    linktype, frame = FRAMES_6[name]
    assert network_layer(linktype, frame) == (IPV6, len(frame) - len(PACKET_6))


@pytest.mark.parametrize(
    ("linktype", "frame", "reason"),
    [
        (1, ethernet(bytes(28), ethertype=0x0806), "not IP: ARP"),
        (1, ethernet(bytes(28), ethertype=0x1234), "not IP: EtherType 0x1234"),
        (1, ethernet(bytes(28), ethertype=0x0806, tags=[0x8100]), "not IP: ARP"),
        (1, ethernet(b"\x42\x42\x03" + bytes(35), ethertype=38), "not IP: LLC"),
        (1, ethernet(b"\xaa\xaa\x03\0\0\x0c\x20\0" + bytes(35), ethertype=43), "not IP: CDP"),
        (1, ethernet(PACKET, tags=[0x8100] * 9), "more than 8 tags in a frame"),
        (1, ethernet(b"\0\x01\x01\x40" + bytes(20), ethertype=0x8847), "not IP: MPLS"),
        (1, ethernet(b"\x11\0\0\x01\0\x04\xc0\x21" + bytes(4), ethertype=0x8864), "not IP: PPP protocol 0xc021"),
        (101, b"\x50" + bytes(30), "not IP: version 5"),
        (0, struct.pack("<I", 7) + bytes(30), "not IP: address family 7"),
        (113, struct.pack("!HHHQH", 0, 1, 6, 0, 0x000C) + bytes(16), "not IP: EtherType 0x000c"),
        (105, bytes(100), "link type 105 not supported"),
        (127, bytes(100), "link type 127 not supported"),
    ],
)
def test_what_is_not_ip_is_named(linktype: int, frame: bytes, reason: str) -> None:
    assert network_layer(linktype, frame) == reason


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_cut_before_its_ip_packet_is_short(name: str) -> None:
    linktype, frame = FRAMES[name]
    for cut in range(len(frame) - len(PACKET)):
        assert network_layer(linktype, frame[:cut]) == SHORT


@settings(max_examples=100)
@given(
    st.sampled_from(LINKTYPES),
    st.binary(max_size=120),
    st.lists(st.sampled_from([0x8100, 0x8847, 0x8864]), max_size=12),
)
def test_any_frame_gives_a_place_inside_it_or_a_reason(linktype: int, data: bytes, tags: list[int]) -> None:
    for frame in (data, ethernet(data, ethertype=0x0800, tags=tags)):
        found = network_layer(linktype, frame)
        if isinstance(found, tuple):
            assert found[0] in (IPV4, IPV6)
            assert 0 <= found[1] <= len(frame)
        else:
            assert found


def test_endless_snap_headers_are_bounded() -> None:
    one = b"\xaa\xaa\x03\0\0\0\x81\0" + b"\0\5\0\x10"
    assert network_layer(1, ethernet(one * 20_000, ethertype=16)) == "more than 8 tags in a frame"
