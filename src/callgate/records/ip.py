"""IPv4 (RFC 791) and IPv6 (RFC 8200): from an IP packet to the transport's bytes. Checksums are not verified."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from callgate.records.fragments import Fragments
from callgate.records.link import SHORT
from callgate.records.tally import Tally

EXTENSIONS_LIMIT: Final = 16
"""Extension headers of one IPv6 packet that are passed over."""

TCP: Final = 6
UDP: Final = 17

MALFORMED: Final = "malformed IP header"
BEYOND_FRAME: Final = "IP length beyond the frame"
CUT_FRAGMENT: Final = "fragment cut by the capture"

_IPV4 = struct.Struct("!BxHHHxB2x8s")
_FRAGMENT: Final = 44
_AUTHENTICATION: Final = 51
_EXTENSIONS: Final = frozenset({0, 43, 60, 135, 139, 140, _AUTHENTICATION})
"""Hop-by-hop, routing, destination options, mobility, HIP, Shim6."""


class Transport(NamedTuple):
    """What an IP packet carries."""

    protocol: int
    addresses: bytes
    """Source and destination: 8 bytes in IPv4, 32 in IPv6."""
    data: bytes
    missing: int
    """Bytes behind `data` that the capture does not have."""


class IpReader:
    """Reads IP packets and holds the fragments of those that are incomplete."""

    def __init__(self, tally: Tally) -> None:
        self._fragments = Fragments(tally)

    def read_ipv4(self, data: bytes, at: int, original_length: int, time: int) -> Transport | str | None:
        """What the IPv4 packet at `data[at:]` carries; text if it cannot be read, None if it waits for fragments."""
        if len(data) < at + 20:
            return SHORT
        version, total, identification, fragment, protocol, addresses = _IPV4.unpack_from(data, at)
        header = (version & 15) * 4
        on_wire = original_length - at
        if total == 0:  # segmentation offload: the length does not fit, or was not known yet
            total = on_wire
        if version >> 4 != 4 or not 20 <= header <= total:
            return MALFORMED
        if total > on_wire:
            return BEYOND_FRAME
        if len(data) < at + header:
            return SHORT
        payload = data[at + header : at + total]
        missing = total - header - len(payload)
        if fragment & 0x3FFF:
            if missing:
                return CUT_FRAGMENT
            key = (addresses, identification, protocol)
            more = bool(fragment & 0x2000)
            whole = self._fragments.add(key, protocol, (fragment & 0x1FFF) * 8, more, payload, time)
            if not isinstance(whole, tuple):
                return whole
            protocol, payload = whole
        return Transport(protocol, addresses, payload, missing)

    def read_ipv6(self, data: bytes, at: int, original_length: int, time: int) -> Transport | str | None:
        """What the IPv6 packet at `data[at:]` carries; text if it cannot be read, None if it waits for fragments."""
        if len(data) < at + 40:
            return SHORT
        if data[at] >> 4 != 6:
            return MALFORMED
        on_wire = original_length - at - 40
        total = data[at + 4] << 8 | data[at + 5]
        if total == 0:  # a jumbogram, or segmentation offload
            total = on_wire
        if total > on_wire:
            return BEYOND_FRAME
        payload = data[at + 40 : at + 40 + total]
        found = Transport(data[at + 6], data[at + 8 : at + 40], payload, total - len(payload))
        for _ in range(EXTENSIONS_LIMIT):
            following: Transport | str | None
            if found.protocol in _EXTENSIONS:
                following = _behind_extension(found)
            elif found.protocol == _FRAGMENT:
                following = self._fragment(found, time)
            else:
                return found
            if not isinstance(following, Transport):
                return following
            found = following
        return f"more than {EXTENSIONS_LIMIT} IPv6 extension headers"

    def finish(self) -> None:
        """Count the fragments whose datagrams stayed incomplete."""
        self._fragments.finish()

    def _fragment(self, found: Transport, time: int) -> Transport | str | None:
        if len(found.data) < 8:
            return SHORT
        protocol, offset, identification = struct.unpack_from("!BxHI", found.data)
        rest = found.data[8:]
        if not offset & 0xFFF9:  # an "atomic" fragment stands alone (RFC 6946)
            return Transport(protocol, found.addresses, rest, found.missing)
        if found.missing:
            return CUT_FRAGMENT
        key = (found.addresses, identification, -1)
        whole = self._fragments.add(key, protocol, offset & 0xFFF8, bool(offset & 1), rest, time)
        return Transport(whole[0], found.addresses, whole[1], 0) if isinstance(whole, tuple) else whole


def _behind_extension(found: Transport) -> Transport | str:
    if len(found.data) < 8:
        return SHORT
    length = (found.data[1] + 2) * 4 if found.protocol == _AUTHENTICATION else (found.data[1] + 1) * 8
    if length > len(found.data):
        return SHORT if found.missing else MALFORMED
    return Transport(found.data[0], found.addresses, found.data[length:], found.missing)
