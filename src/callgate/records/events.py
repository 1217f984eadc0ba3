"""What conversations consist of: the events the other modules of this package give.

The events are msgspec structures, for they come by the million.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import msgspec

Address = IPv4Address | IPv6Address


class Endpoint(NamedTuple):
    """An address and a port; compares equal to the plain pair."""

    address: Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """One direction of one conversation.

    Every event of the direction holds the same object, so flows compare by identity and are cheap keys. The
    other direction has the same `conversation` with source and destination exchanged.
    """

    source: Endpoint
    destination: Endpoint
    conversation: int
    """Counts TCP connections and UDP pairs of a capture from 0, in the order they begin."""
    from_client: bool | None = field(default=None, kw_only=True)
    """Whether the source opened the connection (sent the first SYN); None if that was not seen, and in UDP."""

    def __str__(self) -> str:
        return f"{self.source} > {self.destination}"


class EndReason(StrEnum):
    """Why nothing more comes of a direction."""

    FIN = "closed"
    """The source said it has no more to send."""
    RESET = "reset"
    REPLACED = "replaced"
    """A new connection took the same addresses and ports."""
    EVICTED = "evicted"
    """Too many connections were open at once, and this one was the longest idle."""
    CAPTURE_END = "capture ended"


class Segment(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a TCP stream, next in the stream's order; never empty."""

    flow: Flow
    time: int
    """Nanoseconds since 1970 of the packet that carried the bytes; behind a filled hole it may lie before the
    time of the event before."""
    data: bytes


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a TCP stream that the capture does not have; what follows does not join what came before."""

    flow: Flow
    time: int
    """Nanoseconds since 1970 of the packet that made it certain (or the last one seen of the flow)."""
    size: int
    """Bytes, at least 1. A FIN that was acknowledged but not captured counts as one byte."""


class End(msgspec.Struct, frozen=True, gc=False):
    """Nothing more comes of this direction; each direction of each TCP connection has exactly one, its last event."""

    flow: Flow
    time: int
    reason: EndReason


class Datagram(msgspec.Struct, frozen=True, gc=False):
    """A UDP datagram's payload, reassembled if it came in fragments."""

    flow: Flow
    time: int
    data: bytes
    missing: int = 0
    """Bytes at its end that the capture does not have."""


Event = Segment | Gap | End | Datagram

_PORTS = struct.Struct("!HH")


def flows_of(key: bytes, conversation: int, from_client: bool | None) -> tuple[Flow, Flow]:
    """Both directions of a conversation; `key` is source and destination address, then both ports, in network order."""
    half = len(key) // 2 - 2
    address = IPv4Address if half == 4 else IPv6Address
    ports = _PORTS.unpack_from(key, 2 * half)
    source = Endpoint(address(key[:half]), ports[0])
    destination = Endpoint(address(key[half : 2 * half]), ports[1])
    back = None if from_client is None else not from_client
    return (
        Flow(source, destination, conversation, from_client=from_client),
        Flow(destination, source, conversation, from_client=back),
    )


def reverse_key(key: bytes) -> bytes:
    """The key of the other direction."""
    half = len(key) // 2 - 2
    return key[half : 2 * half] + key[:half] + key[-2:] + key[-4:-2]
