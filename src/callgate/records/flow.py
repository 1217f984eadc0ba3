"""Conversations of a capture: TCP streams in order, and UDP datagrams.

    tally = Tally()
    for event in conversation_events(open_capture(path), tally):
        match event:
            case Segment(flow=flow, time=time, data=data): ...    # the stream's next bytes
            case Gap(flow=flow, size=size): ...                   # bytes the capture lacks: nothing joins over it
            case End(flow=flow, reason=reason): ...               # last event of this direction
            case Datagram(flow=flow, data=data, missing=0): ...   # UDP
    tally.packets, tally.unread, tally.notes

`flow` is one object per direction of a conversation (compared by identity): `source` and `destination` are
(address, port) pairs, `conversation` a number both directions share, `from_client` who opened it, if seen. Times are
integer nanoseconds since 1970. Each TCP connection, with or without data, ends with one End per direction.

Checksums are not verified: a capture made on a host holds what the network card was still to fill in. VLANs, tunnels'
outer headers and interfaces are not told apart: a packet captured on two of them counts as a retransmission.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

from callgate.errors import CaptureError
from callgate.records.direction import COMPARED, HALF, MASK
from callgate.records.events import (
    Address,
    Datagram,
    End,
    Endpoint,
    EndReason,
    Event,
    Flow,
    Gap,
    Segment,
    flows_of,
    reverse_key,
)
from callgate.records.ip import TCP, UDP, IpReader, Transport
from callgate.records.link import ETHERNET, IPV4, IPV6, SHORT, VLAN, network_layer
from callgate.records.packet import Packet
from callgate.records.tally import Tally
from callgate.records.tcp import ACK, TcpReassembler

__all__ = [
    "Address",
    "Conversations",
    "Datagram",
    "End",
    "EndReason",
    "Endpoint",
    "Event",
    "Flow",
    "Gap",
    "Segment",
    "Tally",
    "conversation_events",
]

UDP_FLOWS_LIMIT: Final = 65_536
"""UDP flows that are remembered; one that is forgotten gets another number when it goes on."""

CUT_HEADER: Final = "header cut by the capture"
MALFORMED_TCP: Final = "malformed TCP header"
MALFORMED_UDP: Final = "malformed UDP header"

_PROTOCOLS: Final = {1: "ICMP", 2: "IGMP", 47: "GRE", 50: "ESP", 58: "ICMPv6", 59: "none", 89: "OSPF", 132: "SCTP"}

_FLAT = struct.Struct("!12xHBxH2xHxB2x12sIIBB")
"""Ethernet, IPv4 without options and TCP read at one go. UDP's length lies where the sequence number begins."""
_FLAT_6 = struct.Struct("!B3xHBx36sIIBB")
"""IPv6 without extension headers, and TCP."""
_TCP = struct.Struct("!4sIIBB")
_NONE: Final[Sequence[Event]] = ()


def conversation_events(packets: Iterable[Packet], tally: Tally | None = None) -> Iterator[Event]:
    """The events of all conversations, each as soon as it is certain.

    A CaptureError of `packets` is raised again after all that could be read before it, open streams included.
    """
    tally = Tally() if tally is None else tally
    conversations = Conversations(tally)
    feed, feed_tcp, directions = conversations.feed, conversations.tcp.feed, conversations.tcp.directions
    udp_flows = conversations.udp_flows
    unpack, unpack_6 = _FLAT.unpack_from, _FLAT_6.unpack_from
    damage: CaptureError | None = None
    taken = 0
    try:
        for packet in packets:
            data = packet.data
            size = len(data)
            # The short way for what most packets are, written out flat: it takes a third of the time.
            if packet.linktype == ETHERNET and size >= 54:
                ethertype, version, total, fragment, protocol, key, seq, ack, offset, flags = unpack(data)
                start = 34
                if ethertype == VLAN:
                    ethertype, version, total, fragment, protocol, key, seq, ack, offset, flags = unpack(data, 4)
                    start = 38
                if ethertype == IPV4 and version == 0x45 and not fragment & 0x3FFF:
                    end = start - 20 + total
                elif ethertype == IPV6 and size >= start + 34:
                    start += 20
                    version, total, protocol, key, seq, ack, offset, flags = unpack_6(data, start - 40)
                    end = start + total if version & 0xF0 == 0x60 else 0
                else:
                    end = 0
                if end > size:
                    pass
                elif protocol == TCP and offset >= 0x50 and (begin := start + (offset >> 2 & 0x3C)) <= end:
                    taken += 1
                    direction = directions.get(key)
                    if (
                        direction is not None
                        and seq == direction.next
                        and flags & 0x17 == ACK
                        and direction.plain
                        and (direction.peer.next - ack) & MASK < HALF
                    ):
                        direction.seen = time = packet.time
                        if begin < end:
                            payload = data[begin:end]
                            direction.next = (seq + end - begin) & MASK
                            direction.last = payload if end - begin <= COMPARED else b""
                            yield Segment(direction.flow, time, payload)
                    else:
                        yield from feed_tcp(packet.time, key, seq, ack, flags, data[begin:end])
                    continue
                elif protocol == UDP and (flow := udp_flows.get(key)) and 8 <= seq >> 16 <= end - start:
                    taken += 1
                    yield Datagram(flow, packet.time, data[start + 8 : start + (seq >> 16)])
                    continue
            if events := feed(packet):
                yield from events
    except CaptureError as error:
        damage = error
    finally:
        tally.packets += taken
    yield from conversations.finish()
    if damage is not None:
        raise damage


class Conversations:
    """The conversations of a capture, sans-IO: packets in, events out."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        number = count().__next__
        self.tcp = TcpReassembler(tally, next_number=number)
        self._ip = IpReader(tally)
        self._number = number
        self.udp_flows: dict[bytes, Flow] = {}

    def finish(self) -> list[Event]:
        """The capture has ended."""
        self._ip.finish()
        return self.tcp.finish()

    def feed(self, packet: Packet) -> Sequence[Event]:
        """Take a packet."""
        self.tally.packets += 1
        data = packet.data
        events: Sequence[Event] | str
        found = network_layer(packet.linktype, data)
        if isinstance(found, str):
            events = found
        else:
            read = self._ip.read_ipv4 if found[0] == IPV4 else self._ip.read_ipv6
            transport = read(data, found[1], packet.original_length, packet.time)
            if transport is None:
                return _NONE
            events = transport if isinstance(transport, str) else self._transport(transport, packet.time)
        if isinstance(events, str):
            cut = events == SHORT and packet.original_length > len(data)
            self.tally.leave(CUT_HEADER if cut else events)
            return _NONE
        return events

    def _transport(self, transport: Transport, time: int) -> Sequence[Event] | str:
        protocol, addresses, data, missing = transport
        if protocol == TCP:
            if len(data) < 20:
                return SHORT if missing else MALFORMED_TCP
            ports, seq, ack, offset, flags = _TCP.unpack_from(data)
            start = offset >> 2 & 0x3C
            if not 20 <= start <= len(data):
                return SHORT if missing and start >= 20 else MALFORMED_TCP
            return self.tcp.feed(time, addresses + ports, seq, ack, flags, data[start:], missing)
        if protocol == UDP:
            if len(data) < 8:
                return SHORT if missing else MALFORMED_UDP
            # A length of 0 is a jumbogram's (RFC 2675).
            length = (data[4] << 8 | data[5]) or len(data) + missing
            if not 8 <= length <= len(data) + missing:
                return MALFORMED_UDP
            payload = data[8:length]
            return (Datagram(self._flow(addresses + data[:4]), time, payload, length - 8 - len(payload)),)
        name = _PROTOCOLS.get(protocol)
        return f"IP protocol {protocol} ({name})" if name else f"IP protocol {protocol}"

    def _flow(self, key: bytes) -> Flow:
        flow = self.udp_flows.get(key)
        if flow is None:
            flow, back = flows_of(key, self._number(), None)
            while len(self.udp_flows) >= UDP_FLOWS_LIMIT:
                del self.udp_flows[next(iter(self.udp_flows))]
            self.udp_flows[key] = flow
            self.udp_flows.setdefault(reverse_key(key), back)
        return flow
