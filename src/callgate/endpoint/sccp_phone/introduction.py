"""What a phone says of itself: in RegisterReq, and when it is asked for its codecs."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from callgate.endpoint.network import Address
from callgate.endpoint.sccp_phone.identity import Identity
from callgate.sccp.enums.media import MediaPayloadType
from callgate.sccp.messages.capabilities import MediaCapability
from callgate.sccp.messages.structures import CodecParameters, StationIdentifier

FEATURES: Final = 0x8560
"""What a 7960 announces (chan-sccp's dumps)."""
PACKET_ROOM: Final = 40
"""Milliseconds of audio in a packet that the phone announces."""

CAPABILITIES: Final = tuple(
    MediaCapability(payload_capability=kind, max_frames_per_packet=PACKET_ROOM, payloads=CodecParameters(0, 0, 0, 0))
    for kind in (MediaPayloadType.G711_ULAW64K, MediaPayloadType.G711_ALAW64K)
)


def introduction(identity: Identity, local: Address) -> Mapping[str, object]:
    """The fields of RegisterReq: 68 bytes as captured with both servers, 92 where the phone's address is IPv6."""
    wide = isinstance(local, IPv6Address)
    fields: dict[str, object] = {
        "sid": StationIdentifier(identity.device_name.encode("ascii"), 0, 1),
        "station_ip_addr": IPv4Address(0) if wide else local,
        "device_type": identity.device_type,
        "max_streams": 0,
        "active_streams": 0,
        "protocol_ver": identity.version,
        "unknown": 0,
        "phone_features": FEATURES,
        "max_conferences": 0,
        "active_conferences": 0,
        "mac_address": bytes(6),
        "ip_v4_address_scope": 0,
    }
    if wide:
        fields |= {"max_number_of_lines": identity.lines, "station_ip_v6_addr": local, "ip_v6_address_scope": 0}
    return fields
