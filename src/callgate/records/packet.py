"""One packet of a capture."""

from __future__ import annotations

from typing import Final

import msgspec

PACKET_LIMIT: Final = 262_144
"""Bytes of one packet that are taken: libpcap's own greatest snapshot length (MAXIMUM_SNAPLEN)."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """A packet as it was captured.

    A msgspec structure, for captures hold millions: it is built in a tenth of the time a dataclass takes.
    """

    time: int
    """Nanoseconds since 1970, UTC; 0 where the capture gives no time (pcapng's simple packet block)."""
    linktype: int
    """How `data` begins: a LINKTYPE_ number (https://www.tcpdump.org/linktypes.html), like 1 for Ethernet."""
    data: bytes
    original_length: int
    """Bytes the packet had on the wire, never less than `data` has; more where the capture cut it."""

    @property
    def seconds(self) -> float:
        """The time in seconds since 1970; a float holds it to about a quarter of a microsecond."""
        return self.time / 1_000_000_000
