"""The packets of the differential test: their bytes, and how they are known again after NAT, in a RST or an ICMP error.

Each probe carries a mark of 32 bits: the TCP sequence number (and the acknowledgement number when ACK is set), or the
first four bytes of the UDP payload. Neither is changed by NAT.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal

Protocol = Literal["tcp", "udp"]

FLAGS: Final[Mapping[str, int]] = {
    "FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128, "NONE": 0,
}  # fmt: skip
RST: Final = FLAGS["RST"]

STEP: Final = 8
"""Marks lie that far apart: a RST acknowledges up to two sequence numbers more than it answers."""

_NUMBERS: Final[Mapping[Protocol, int]] = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
_UNREACHABLE: Final = {socket.IPPROTO_ICMP: 3, socket.IPPROTO_ICMPV6: 1}
_UDP_FILL: Final = b"callgate"


@dataclass(frozen=True, slots=True)
class Probe:
    """One packet to send; `iif` is the interface of the host it comes in by, `lo` for one the host sends to itself."""

    iif: str
    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    protocol: Protocol
    source_port: int
    destination_port: int
    tcp_flags: str = "SYN"
    ttl: int = 64

    @classmethod
    def read(cls, described: Mapping[str, object]) -> Probe:
        """The packet as `callgate.firewall.trace.read_packet` takes it; raises ValueError or KeyError."""
        protocol = described["protocol"]
        if protocol not in _NUMBERS:
            raise ValueError(f"no probe speaks {protocol!r}")
        return cls(
            str(described["iif"]),
            ip_address(str(described["source"])),
            ip_address(str(described["destination"])),
            "tcp" if protocol == "tcp" else "udp",
            int(str(described["source_port"])),
            int(str(described["destination_port"])),
            str(described.get("tcp_flags", "SYN")),
            int(str(described.get("ttl", 64))),
        )

    def describe(self) -> dict[str, object]:
        """The packet as `callgate.firewall.trace.read_packet` takes it."""
        described: dict[str, object] = {
            "iif": self.iif,
            "source": str(self.source),
            "destination": str(self.destination),
            "protocol": self.protocol,
            "source_port": self.source_port,
            "destination_port": self.destination_port,
        }
        if self.tcp_flags != "SYN":
            described["tcp_flags"] = self.tcp_flags
        if self.ttl != 64:
            described["ttl"] = self.ttl
        return described

    @property
    def flag_byte(self) -> int:
        """The TCP flags as a number; 0 for UDP."""
        if self.protocol == "udp":
            return 0
        return sum({FLAGS[name] for name in self.tcp_flags.split(",")}, start=0)

    def ip_packet(self, mark: int) -> bytes:
        """The IP packet, with right checksums: TCP without options, or UDP with 12 bytes of payload."""
        number = _NUMBERS[self.protocol]
        ports = struct.pack("!HH", self.source_port, self.destination_port)
        if self.protocol == "tcp":
            flags = self.flag_byte
            acknowledged = mark if flags & FLAGS["ACK"] else 0
            segment = ports + struct.pack("!IIBBHHH", mark, acknowledged, 5 << 4, flags, 64240, 0, 0)
            at = 16
        else:
            segment = ports + struct.pack("!HHI", 20, 0, mark) + _UDP_FILL
            at = 6
        ends = self.source.packed + self.destination.packed
        total = _sum16(ends + struct.pack("!II", len(segment), number) + segment)
        # A UDP checksum of 0 would say that there is none (RFC 768).
        checksum = (~total & 0xFFFF) or (0xFFFF if self.protocol == "udp" else 0)
        segment = segment[:at] + struct.pack("!H", checksum) + segment[at + 2 :]
        if self.source.version == 6:
            return struct.pack("!IHBB", 6 << 28, len(segment), number, self.ttl) + ends + segment
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), mark & 0xFFFF, 0, self.ttl, number, 0) + ends
        return head[:10] + struct.pack("!H", ~_sum16(head) & 0xFFFF) + head[12:] + segment


@dataclass(frozen=True, slots=True)
class Seen:
    """What a captured packet says of a probe: that it came through (`arrival`), or was answered by `refusal`."""

    kind: Literal["arrival", "refusal"]
    mark: int
    """Of a refusal by RST up to two more than the probe's."""
    flags: int = 0
    """TCP flags of an arrival: a RST to a bare ACK carries the same number as the probe it answers."""


def marks_in_packet(packet: bytes) -> Iterable[Seen]:
    """What an IP packet says of probes. Anything else than what probes cause gives nothing."""
    if (opened := _open(packet)) is not None:
        yield from marks_in_payload(*opened)


def marks_in_payload(number: int, payload: bytes) -> Iterable[Seen]:
    """The same for what an IP packet carries (`number` is its protocol)."""
    if number in _UNREACHABLE and len(payload) >= 8:
        # Code 2 of ICMPv6, "beyond scope of source address", comes from routing (RFC 4443, 3.1); no REJECT sends it.
        beyond_scope = number == socket.IPPROTO_ICMPV6 and payload[1] == 2
        if payload[0] == _UNREACHABLE[number] and not beyond_scope and (quoted := _open(payload[8:])) is not None:
            for seen in marks_in_payload(*quoted):
                if seen.kind == "arrival":
                    yield Seen("refusal", seen.mark)
    elif number == socket.IPPROTO_UDP and len(payload) >= 12:
        yield Seen("arrival", *struct.unpack("!I", payload[8:12]))
    elif number == socket.IPPROTO_TCP and len(payload) >= 8:
        sequence = struct.unpack("!I", payload[4:8])[0]
        flags = payload[13] if len(payload) > 13 else -1  # an ICMP error may quote eight bytes only
        yield Seen("arrival", sequence, flags)
        if flags & RST and len(payload) >= 14:
            yield Seen("refusal", struct.unpack("!I", payload[8:12])[0])
            yield Seen("refusal", sequence)


def _open(packet: bytes) -> tuple[int, bytes] | None:
    """Protocol number and segment of an IPv4 or IPv6 packet; the packets here have no extension headers."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        return packet[9], packet[(packet[0] & 15) * 4 :]
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return packet[6], packet[40:]
    return None


def _sum16(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))  # all that is summed here has an even length
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
