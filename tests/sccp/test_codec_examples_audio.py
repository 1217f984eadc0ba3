"""Answers to audio messages, and their old and multicast kin, at every body length that is known.

Put together after Wireshark 4.0 and the lengths that were seen on the wire.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from tests.sccp.wire import address, assert_carries, family_v4, text, words

from callgate.sccp import AsSent, Message, decode
from callgate.sccp.enums.media import (
    MediaEchoCancellation,
    MediaG723BitRate,
    MediaPayloadType,
    MediaStatus,
    PortHandling,
)
from callgate.sccp.fields import RawAddress
from callgate.sccp.framing import frame
from callgate.sccp.messages.media import (
    OpenReceiveChannelAckMessage,
    StartMediaReceptionMessage,
    StartMediaTransmissionAckMessage,
    StopMediaReceptionMessage,
    StopMediaTransmissionMessage,
)
from callgate.sccp.messages.multicast import StartMulticastMediaReceptionMessage
from callgate.sccp.messages.structures import (
    CodecParameters,
    MediaQualifierIncoming,
)

PHONE = IPv4Address("192.0.2.7")
ULAW = MediaPayloadType.G711_ULAW64K
PARAMETERS = CodecParameters(codec_mode=1, dynamic_payload=2, codec_param1=3, codec_param2=4)
ACK: dict[str, Any] = {"media_reception_status": MediaStatus.OK, "port_number": 16384, "pass_through_party_id": 7}
STARTED: dict[str, Any] = {"conference_id": 1, "pass_through_party_id": 2, "call_reference": 3, "port_number": 16384}
STARTED_BYTES = words(1, 2, 3)
MULTICAST: dict[str, Any] = {
    "conference_id": 1,
    "pass_through_party_id": 2,
    "multicast_ip_addr": IPv4Address("239.1.2.3"),
    "multicast_port_number": 20480,
    "milli_second_packet_size": 20,
    "compression_type": ULAW,
}
MULTICAST_TAIL = words(20480, 20, 4, 1)

OTHERS: dict[str, tuple[Message, bytes, int]] = {
    "channel open, 16 bytes": (
        OpenReceiveChannelAckMessage(**ACK, ip_addr=PHONE),
        words(0) + address("192.0.2.7") + words(16384, 7),
        0x22,
    ),
    "channel open, 20 bytes": (
        OpenReceiveChannelAckMessage(**ACK, ip_addr=PHONE, call_reference=9),
        words(0) + address("192.0.2.7") + words(16384, 7, 9),
        0x22,
    ),
    **{
        f"channel open, 36 bytes, header {version}": (
            OpenReceiveChannelAckMessage(**ACK, ip_addr=PHONE, call_reference=9, header_version=version),
            words(0) + family_v4("192.0.2.7") + words(16384, 7, 9),
            0x22,
        )
        for version in (17, 18, 20, 22)
    },
    "channel open, IPv6": (
        OpenReceiveChannelAckMessage(**ACK, ip_addr=IPv6Address("2001:db8::7"), call_reference=9, header_version=17),
        words(0, 1) + address("2001:db8::7") + words(16384, 7, 9),
        0x22,
    ),
    "channel open, both families": (
        OpenReceiveChannelAckMessage(**ACK, ip_addr=RawAddress(2, b"\7" * 16), call_reference=9, header_version=17),
        words(0, 2) + b"\7" * 16 + words(16384, 7, 9),
        0x22,
    ),
    "channel open, a family nobody knows": (
        OpenReceiveChannelAckMessage(**ACK, ip_addr=RawAddress(0xFFFFFFFF, b"\7" * 16), header_version=17),
        words(0, 0xFFFFFFFF) + b"\7" * 16 + words(16384, 7),
        0x22,
    ),
    "channel open, junk behind the address": (
        OpenReceiveChannelAckMessage(
            **ACK,
            ip_addr=PHONE,
            call_reference=9,
            header_version=22,
            as_sent=AsSent(junk=(("ipAddr", b"\xaa" * 11 + b"\0"),)),
        ),
        words(0, 0) + address("192.0.2.7") + b"\xaa" * 11 + b"\0" + words(16384, 7, 9),
        0x22,
    ),
    "sending, 24 bytes": (
        StartMediaTransmissionAckMessage(**STARTED, transmit_ip_addr=PHONE, media_transmission_status=MediaStatus.OK),
        STARTED_BYTES + address("192.0.2.7") + words(16384, 0),
        0x154,
    ),
    "sending, 40 bytes": (
        StartMediaTransmissionAckMessage(
            **STARTED, transmit_ip_addr=PHONE, media_transmission_status=MediaStatus.OK, header_version=17
        ),
        STARTED_BYTES + family_v4("192.0.2.7") + words(16384, 0),
        0x154,
    ),
    "sending, 48 bytes: two words nobody has named": (
        StartMediaTransmissionAckMessage(
            **STARTED,
            transmit_ip_addr=PHONE,
            media_transmission_status=MediaStatus.OK,
            header_version=20,
            as_sent=AsSent(tail=words(77, 78)),
        ),
        STARTED_BYTES + family_v4("192.0.2.7") + words(16384, 0, 77, 78),
        0x154,
    ),
    "stop sending, 4 bytes": (StopMediaTransmissionMessage(conference_id=3), words(3), 0x8B),
    "stop sending, 12 bytes": (
        StopMediaTransmissionMessage(conference_id=3, pass_through_party_id=4, call_reference=5),
        words(3, 4, 5),
        0x8B,
    ),
    "stop sending, 16 bytes": (
        StopMediaTransmissionMessage(
            conference_id=3,
            pass_through_party_id=4,
            call_reference=5,
            port_handling_flag=PortHandling.KEEP_PORT,
            header_version=17,
        ),
        words(3, 4, 5, 1),
        0x8B,
    ),
    "receive, CallManager 2": (
        StartMediaReceptionMessage(
            ip_addr=PHONE, milli_second_packet_size=30, compression_type=4, uninitialised=b"\1\2\3\4\5\6\7\x08\0\0\0\0"
        ),
        address("192.0.2.7") + words(30, 4) + text(b"\1\2\3\4\5\6\7\x08", 12),
        0x8C,
    ),
    "stop receiving, CallManager 2": (StopMediaReceptionMessage(conference_id=0x12345678), words(0x12345678), 0x8D),
    "multicast, 32 bytes: no call reference": (
        StartMulticastMediaReceptionMessage(
            **MULTICAST, qualifier_in=MediaQualifierIncoming(MediaEchoCancellation.ON, PARAMETERS), header_version=11
        ),
        words(1, 2) + address("239.1.2.3") + MULTICAST_TAIL + bytes([1, 2, 3, 4]),
        0x101,
    ),
    "multicast, 36 bytes": (
        StartMulticastMediaReceptionMessage(
            **MULTICAST,
            qualifier_in=MediaQualifierIncoming(MediaEchoCancellation.ON, PARAMETERS),
            call_reference=6,
            header_version=11,
        ),
        words(1, 2) + address("239.1.2.3") + MULTICAST_TAIL + bytes([1, 2, 3, 4]) + words(6),
        0x101,
    ),
    "multicast, 48 bytes": (
        StartMulticastMediaReceptionMessage(
            **MULTICAST, qualifier_in=MediaQualifierIncoming(MediaEchoCancellation.ON, PARAMETERS), header_version=17
        ),
        words(1, 2) + family_v4("239.1.2.3") + MULTICAST_TAIL + bytes([1, 2, 3, 4]),
        0x101,
    ),
    "multicast, 52 bytes": (
        StartMulticastMediaReceptionMessage(
            **MULTICAST,
            qualifier_in=MediaQualifierIncoming(MediaEchoCancellation.ON, PARAMETERS),
            call_reference=6,
            header_version=17,
        ),
        words(1, 2) + family_v4("239.1.2.3") + MULTICAST_TAIL + bytes([1, 2, 3, 4]) + words(6),
        0x101,
    ),
}


@pytest.mark.parametrize(("message", "body", "message_id"), OTHERS.values(), ids=OTHERS)
def test_an_audio_message_at_a_known_length(message: Message, body: bytes, message_id: int) -> None:
    assert_carries(frame(message_id, body, message.header_version), message)


def test_the_codec_tells_what_the_word_of_parameters_means() -> None:
    def word_of(codec: int, version: int) -> object:
        found = decode(frame(0x101, words(1, 2) + address("239.1.2.3") + words(3, 4, codec, 1, 2), version))
        assert isinstance(found, StartMulticastMediaReceptionMessage)
        assert found.qualifier_in is not None
        return found.qualifier_in.codec_params_union

    assert word_of(4, 10) is MediaG723BitRate.RATE_6_3
    assert word_of(9, 11) is MediaG723BitRate.RATE_6_3
    assert word_of(4, 11) == CodecParameters(2, 0, 0, 0)
    assert word_of(8, 11) == CodecParameters(2, 0, 0, 0)
    assert word_of(10, 11) == CodecParameters(2, 0, 0, 0)
