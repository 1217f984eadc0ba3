"""Audio messages at every body length that is known: which field stands where, and the bytes again.

Put together after Wireshark 4.0 and the lengths that were seen on the wire.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from tests.sccp.wire import address, assert_carries, family_v4, halves, words

from callgate.sccp.enums.devices import IpAddrType
from callgate.sccp.enums.media import (
    MediaEchoCancellation,
    MediaEncryptionAlgorithmType,
    MediaG723BitRate,
    MediaPayloadType,
    MediaSilenceSuppression,
)
from callgate.sccp.framing import frame
from callgate.sccp.messages.media import (
    LatentCapsInfo,
    OpenReceiveChannelMessage,
    PayloadParam,
    StartMediaTransmissionMessage,
)
from callgate.sccp.messages.structures import (
    CodecParameters,
    MediaEncryptionKeyInfo,
    MediaQualifierIncoming,
    MediaQualifierOutgoing,
    ModemRelay,
    SprtPayload,
    SseCapability,
)

PHONE = IPv4Address("192.0.2.7")
ULAW = MediaPayloadType.G711_ULAW64K
G723 = MediaPayloadType.G7231
PARAMETERS = CodecParameters(codec_mode=1, dynamic_payload=2, codec_param1=3, codec_param2=4)
KEY_INFO = MediaEncryptionKeyInfo(
    algorithm_id=MediaEncryptionAlgorithmType.CCM_AES_CM_128_HMAC_SHA1_32,
    keylen=16,
    saltlen=14,
    key=bytes(range(16)),
    salt=b"fourteen bytes",
    is_mki_present=1,
    key_derivation_rate=24,
)
CUT_KEY = MediaEncryptionKeyInfo(KEY_INFO.algorithm_id, 16, 14, KEY_INFO.key, KEY_INFO.salt)
KEY_INFO_BYTES = words(1) + halves(16, 14) + bytes(range(16)) + b"fourteen bytes\0\0" + words(1, 24)
LATENT = LatentCapsInfo(
    active=1,
    modem_relay=ModemRelay(2, 3),
    sprt_payload=SprtPayload(4, 5, 6, 7),
    sse=SseCapability(8, 9),
    payload_param=PayloadParam(10, 11, 12, 13, 14, 15, 16, 17),
)
LATENT_BYTES = words(1, 2, 3) + halves(4, 5, 6, 7) + words(8, 9) + bytes(range(10, 18))
assert len(KEY_INFO_BYTES) == 48
assert len(LATENT_BYTES) == 36


def fields(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


START: dict[str, Any] = {
    "conference_id": 1,
    "pass_through_party_id": 0xFFFFFFFE,
    "remote_ip_addr": PHONE,
    "remote_port_number": 16384,
    "milli_second_packet_size": 20,
    "compression_type": ULAW,
}
START_V4 = words(1, 0xFFFFFFFE) + address("192.0.2.7") + words(16384, 20, 4)
START_V6 = words(1, 0xFFFFFFFE) + family_v4("192.0.2.7") + words(16384, 20, 4)
OUTGOING_HEAD = words(184, 1) + halves(2, 3)
OUTGOING: dict[str, Any] = {
    "qualifier_out": MediaQualifierOutgoing(184, MediaSilenceSuppression.ON, 2, 3, PARAMETERS),
    "call_reference": 5,
}
OUTGOING_BYTES = OUTGOING_HEAD + bytes([1, 2, 3, 4]) + words(5)
TX_KEY: dict[str, Any] = {"m_tx_media_encryption_key_info": KEY_INFO}
STREAMS: dict[str, Any] = {
    "stream_pass_through_id": 31,
    "associated_stream_id": 32,
    "rfc2833_payload_type": 101,
    "dtmf_type": 10,
}
STREAMS_BYTES = words(31, 32, 101, 10)
MIXING: dict[str, Any] = {"mixing_mode": 33, "party_direction": 34}
# Header 0 has no codec parameters before version 11 is negotiated: the word is the G.723 bit rate.
RATE: dict[str, Any] = {
    "qualifier_out": MediaQualifierOutgoing(184, MediaSilenceSuppression.ON, 2, 3, MediaG723BitRate.RATE_6_3),
    "call_reference": 5,
}
RATE_BYTES = OUTGOING_HEAD + words(2, 5)

TRANSMISSION: dict[str, tuple[dict[str, Any], bytes, int]] = {
    "36 bytes: stops inside the qualifier": (
        fields(START, {"qualifier_out": MediaQualifierOutgoing(184, MediaSilenceSuppression.ON, 2, 3)}),
        START_V4 + OUTGOING_HEAD,
        0,
    ),
    "84 bytes: stops inside the key": (
        fields(
            START,
            RATE,
            {
                "m_tx_media_encryption_key_info": MediaEncryptionKeyInfo(
                    MediaEncryptionAlgorithmType.CCM_AES_CM_128_HMAC_SHA1_32,
                    16,
                    14,
                    bytes(range(16)),
                    b"fourteen bytes",
                )
            },
        ),
        START_V4 + RATE_BYTES + KEY_INFO_BYTES[:40],
        0,
    ),
    "116 bytes, header 0": (
        fields(START, RATE, TX_KEY, STREAMS, MIXING),
        START_V4 + RATE_BYTES + KEY_INFO_BYTES + STREAMS_BYTES + words(33, 34),
        0,
    ),
    "116 bytes, header 11": (
        fields(START, OUTGOING, TX_KEY, STREAMS, MIXING),
        START_V4 + OUTGOING_BYTES + KEY_INFO_BYTES + STREAMS_BYTES + words(33, 34),
        11,
    ),
    **{
        f"132 bytes, header {version}": (
            fields(START, OUTGOING, TX_KEY, STREAMS, MIXING),
            START_V6 + OUTGOING_BYTES + KEY_INFO_BYTES + STREAMS_BYTES + words(33, 34),
            version,
        )
        for version in (17, 18, 20)
    },
    "168 bytes, header 22": (
        fields(START, OUTGOING, TX_KEY, STREAMS, MIXING, {"latent_caps_info": LATENT}),
        START_V6 + OUTGOING_BYTES + KEY_INFO_BYTES + STREAMS_BYTES + words(33, 34) + LATENT_BYTES,
        22,
    ),
}


@pytest.mark.parametrize(("values", "body", "version"), TRANSMISSION.values(), ids=TRANSMISSION)
def test_start_media_transmission_at_every_length(values: dict[str, Any], body: bytes, version: int) -> None:
    assert_carries(frame(0x8A, body, version), StartMediaTransmissionMessage(**values, header_version=version))


OPEN: dict[str, Any] = {
    "conference_id": 1,
    "pass_through_party_id": 2,
    "milli_second_packet_size": 20,
    "compression_type": ULAW,
}
OPEN_BYTES = words(1, 2, 20, 4)
INCOMING: dict[str, Any] = {
    "qualifier_in": MediaQualifierIncoming(MediaEchoCancellation.ON, PARAMETERS),
    "call_reference": 5,
}
INCOMING_BYTES = words(1) + bytes([1, 2, 3, 4]) + words(5)
RATE_IN: dict[str, Any] = {"qualifier_in": MediaQualifierIncoming(MediaEchoCancellation.ON, 7), "call_reference": 5}
RATE_IN_BYTES = words(1, 7, 5)
RX_KEY: dict[str, Any] = {"m_rx_media_encryption_key_info": KEY_INFO}
SOURCE: dict[str, Any] = {"source_ip_addr": PHONE, "source_port_number": 4000}
SOURCE_V4 = address("192.0.2.7") + words(4000)
SOURCE_V6 = family_v4("192.0.2.7") + words(4000)
NEWER: dict[str, Any] = {"requested_ip_addr_type": IpAddrType.IPV4_V6, "audio_level_adjustment": -2}
NEWER_BYTES = words(2, 0xFFFFFFFE)

RECEPTION: dict[str, tuple[dict[str, Any], bytes, int]] = {
    "68 bytes: stops inside the key": (
        fields(
            OPEN,
            RATE_IN,
            {
                "m_rx_media_encryption_key_info": MediaEncryptionKeyInfo(
                    MediaEncryptionAlgorithmType.CCM_AES_CM_128_HMAC_SHA1_32,
                    16,
                    14,
                    bytes(range(16)),
                    b"fourteen bytes",
                )
            },
        ),
        OPEN_BYTES + RATE_IN_BYTES + KEY_INFO_BYTES[:40],
        0,
    ),
    "92 bytes": (
        fields(OPEN, RATE_IN, RX_KEY, STREAMS),
        OPEN_BYTES + RATE_IN_BYTES + KEY_INFO_BYTES + STREAMS_BYTES,
        0,
    ),
    "108 bytes, header 0": (
        fields(OPEN, RATE_IN, RX_KEY, STREAMS, MIXING, SOURCE),
        OPEN_BYTES + RATE_IN_BYTES + KEY_INFO_BYTES + STREAMS_BYTES + words(33, 34) + SOURCE_V4,
        0,
    ),
    **{
        f"128 bytes, header {version}": (
            fields(OPEN, INCOMING, RX_KEY, STREAMS, MIXING, SOURCE, {"requested_ip_addr_type": IpAddrType.IPV4_V6}),
            OPEN_BYTES + INCOMING_BYTES + KEY_INFO_BYTES + STREAMS_BYTES + words(33, 34) + SOURCE_V6 + words(2),
            version,
        )
        for version in (17, 18, 20)
    },
    "168 bytes, header 22": (
        fields(OPEN, INCOMING, RX_KEY, STREAMS, MIXING, SOURCE, NEWER, {"latent_caps_info": LATENT}),
        OPEN_BYTES
        + INCOMING_BYTES
        + KEY_INFO_BYTES
        + STREAMS_BYTES
        + words(33, 34)
        + SOURCE_V6
        + NEWER_BYTES
        + LATENT_BYTES,
        22,
    ),
}


@pytest.mark.parametrize(("values", "body", "version"), RECEPTION.values(), ids=RECEPTION)
def test_open_receive_channel_at_every_length(values: dict[str, Any], body: bytes, version: int) -> None:
    assert_carries(frame(0x105, body, version), OpenReceiveChannelMessage(**values, header_version=version))
