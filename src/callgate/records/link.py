"""Link layers: from a frame to the IP packet in it.

Numbers: https://www.tcpdump.org/linktypes.html and IEEE's EtherTypes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
VLAN: Final = 0x8100

ETHERNET: Final = 1

TAGS_LIMIT: Final = 8
"""VLAN tags, MPLS labels and PPPoE headers of one frame that are passed over."""

SHORT: Final = "frame too short"

Found = tuple[int, int] | str
"""The EtherType and where its packet begins; or why there is none that can be read."""

_VLAN_TAGS: Final = frozenset({VLAN, 0x88A8, 0x9100})
_MPLS: Final = frozenset({0x8847, 0x8848})
_PPPOE_SESSION: Final = 0x8864
_PPP: Final = {0x0021: IPV4, 0x0057: IPV6}
_FAMILIES: Final = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""AF_INET, and AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin."""
_NAMES: Final = {
    0x0806: "ARP",
    0x8035: "RARP",
    0x8863: "PPPoE discovery",
    0x888E: "EAPOL",
    0x88CC: "LLDP",
    0x88F7: "PTP",
    0x2000: "CDP",
}


def network_layer(linktype: int, data: bytes) -> Found:
    """Where the IP packet of a frame begins; VLAN tags, MPLS labels and PPPoE are passed over."""
    begin = _LINKS.get(linktype)
    if begin is None:
        return f"link type {linktype} not supported"
    found = begin(data)
    for _ in range(TAGS_LIMIT + 1):
        if isinstance(found, str) or found[0] in (IPV4, IPV6):
            return found
        found = _inner(data, *found)
    return f"more than {TAGS_LIMIT} tags in a frame"


def _inner(data: bytes, ethertype: int, at: int) -> Found:
    """What lies behind one tag."""
    if ethertype in _VLAN_TAGS:
        return _typed(data, at + 2)
    if ethertype in _MPLS:
        if len(data) < at + 4:
            return SHORT
        if not data[at + 2] & 1:  # not the bottom of the stack
            return ethertype, at + 4
        found = _raw_ip(data, at + 4)
        return found if found == SHORT or not isinstance(found, str) else "not IP: MPLS"
    if ethertype == _PPPOE_SESSION:
        return _ppp_protocol(data, at + 6)
    return f"not IP: {_NAMES.get(ethertype) or f'EtherType 0x{ethertype:04x}'}"


def _ethernet(data: bytes) -> Found:
    return _typed(data, 12)


def _typed(data: bytes, at: int) -> Found:
    """Read the two bytes that are an EtherType, or the length of an LLC frame (up to 1500)."""
    if len(data) < at + 2:
        return SHORT
    ethertype = data[at] << 8 | data[at + 1]
    return (ethertype, at + 2) if ethertype > 1500 else _llc(data, at + 2)


def _llc(data: bytes, at: int) -> Found:
    """IEEE 802.2 LLC with a SNAP header (RFC 1042), the other way to put IP into Ethernet."""
    if len(data) < at + 8:
        return SHORT
    if data[at : at + 3] != b"\xaa\xaa\x03":
        return "not IP: LLC"
    return data[at + 6] << 8 | data[at + 7], at + 8


def _null(data: bytes) -> Found:
    """BSD loopback: the address family in the byte order of the host that captured."""
    if len(data) < 4:
        return SHORT
    family = int.from_bytes(data[:4], "little" if data[0] or data[1] else "big")
    ethertype = _FAMILIES.get(family)
    return f"not IP: address family {family}" if ethertype is None else (ethertype, 4)


def _raw_ip(data: bytes, at: int = 0) -> Found:
    if len(data) <= at:
        return SHORT
    version = data[at] >> 4
    if version == 4:
        return IPV4, at
    return (IPV6, at) if version == 6 else f"not IP: version {version}"


def _ppp(data: bytes) -> Found:
    """PPP (RFC 1661), with or without HDLC-like address and control bytes (RFC 1662)."""
    return _ppp_protocol(data, 2 if data[:2] in (b"\xff\x03", b"\x0f\x00") else 0)


def _ppp_protocol(data: bytes, at: int) -> Found:
    if len(data) < at + 2:
        return SHORT
    if data[at] & 1:  # the protocol field is compressed to one byte
        protocol, at = data[at], at + 1
    else:
        protocol, at = data[at] << 8 | data[at + 1], at + 2
    ethertype = _PPP.get(protocol)
    return f"not IP: PPP protocol 0x{protocol:04x}" if ethertype is None else (ethertype, at)


def _cooked(data: bytes) -> Found:
    """Linux "cooked" capture: what `-i any` writes."""
    if len(data) < 16:
        return SHORT
    return _cooked_protocol(data, data[14] << 8 | data[15], 16)


def _cooked_2(data: bytes) -> Found:
    if len(data) < 20:
        return SHORT
    return _cooked_protocol(data, data[0] << 8 | data[1], 20)


def _cooked_protocol(data: bytes, protocol: int, at: int) -> Found:
    """Read an EtherType, or one of Linux's own numbers below: 4 is LLC."""
    return _llc(data, at) if protocol == 4 else (protocol, at)


_LINKS: Final[dict[int, Callable[[bytes], Found]]] = {
    0: _null,
    ETHERNET: _ethernet,
    9: _ppp,
    12: _raw_ip,
    14: _raw_ip,
    50: _ppp,
    101: _raw_ip,
    108: _null,
    113: _cooked,
    228: _raw_ip,
    229: _raw_ip,
    276: _cooked_2,
}
"""12 and 14 are what BSDs write for raw IP; the number of 802.11 and others is named as not supported."""
