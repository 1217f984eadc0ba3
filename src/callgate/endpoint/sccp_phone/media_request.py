"""What a server may ask of a phone's audio. A phone must not become a source of packets at whatever a server names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from callgate.endpoint.network import Address, TransportAddress
from callgate.sccp.enums.media import MediaPayloadType
from callgate.sccp.messages.media import OpenReceiveChannelMessage, StartMediaTransmissionMessage
from callgate.sccp.messages.structures import MediaEncryptionKeyInfo

CODECS: Final[Mapping[int, tuple[int, str]]] = {
    MediaPayloadType.G711_ULAW64K: (0, "PCMU"),
    MediaPayloadType.G711_ALAW64K: (8, "PCMA"),
}
"""The codecs this phone has: RTP payload type (RFC 3551) and name."""

USUAL_PACKET: Final = 20
PACKETS: Final = frozenset({10, 20, 30, 40, 50, 60})
"""Milliseconds of audio a packet may hold."""
LOWEST_PORT: Final = 1024


class RefusedMedia(ValueError):  # noqa: N818 - it says what happened
    """The phone does not do what the server asks; the text says why."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How audio is packed."""

    payload_type: int
    codec: str
    packet_milliseconds: int


def coding_of(asked: OpenReceiveChannelMessage | StartMediaTransmissionMessage) -> Coding:
    """How a server wants audio packed. RefusedMedia if this phone does not do that."""
    kind = asked.compression_type
    if kind is None or kind not in CODECS:
        raise RefusedMedia(f"the server wants the codec {_name(kind)}, which the phone did not offer")
    milliseconds = USUAL_PACKET if asked.milli_second_packet_size is None else asked.milli_second_packet_size
    if milliseconds not in PACKETS:
        raise RefusedMedia(f"the server wants packets of {milliseconds} ms")
    payload_type, codec = CODECS[kind]
    return Coding(payload_type, codec, milliseconds)


def refuse_encryption(key: MediaEncryptionKeyInfo | None) -> None:
    """RefusedMedia if the server wants encrypted audio: the phone has announced none."""
    if key is not None and key.algorithm_id:
        raise RefusedMedia("the server wants encrypted audio, which the phone did not offer")


def destination(address: object, port: int | None, own: Address, server: Address) -> TransportAddress | None:
    """Where audio may be sent to; None if the server named no address (0.0.0.0 or ::).

    RefusedMedia for what is no single host that a server of that address has calls with: multicast, broadcast,
    reserved, a port below 1024; loopback or link-local addresses unless the server's is of that kind; an address of
    the family that the phone's is not.
    """
    if not isinstance(address, (IPv4Address, IPv6Address)):
        raise RefusedMedia("the server names no address to send audio to")
    if address == type(address)(0):
        return None
    if address.version != own.version:
        raise RefusedMedia(f"the server wants audio sent to {address}, the phone's address is IPv{own.version}")
    kind = _forbidden(_plain(address), _plain(server))
    if kind:
        raise RefusedMedia(f"the server wants audio sent to {kind}: {address}")
    if port is None or not LOWEST_PORT <= port < 65536:
        raise RefusedMedia(f"the server wants audio sent to port {port}")
    return TransportAddress(address, port)


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _forbidden(address: Address, server: Address) -> str:
    """What kind of address it is that no audio is sent to; empty if it may be."""
    if address.is_multicast:
        return "a multicast address"
    if address == IPv4Address("255.255.255.255"):
        return "the broadcast address"
    if address.is_unspecified or (address.version == 4 and int(address) >> 24 == 0):
        return "an address of no host"
    if address.is_loopback:
        return "" if server.is_loopback else "the loopback address"
    if address.is_link_local:
        return "" if server.is_link_local else "a link-local address"
    if address.version == 4 and address.is_reserved:
        return "a reserved address"
    return ""


def _name(kind: int | None) -> str:
    return kind.name if isinstance(kind, MediaPayloadType) else str(kind)
