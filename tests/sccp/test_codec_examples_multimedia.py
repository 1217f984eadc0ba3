"""Unions in unions: what a video or data channel carries is selected by fields outside of it.

Put together after Wireshark 4.0 and chan-sccp 4.3; none of these messages has been captured.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from tests.sccp.wire import address, assert_carries, family_v4, halves, words

from callgate.sccp import AsSent, FieldError, Message, decode, encode
from callgate.sccp.enums.devices import IpAddrType
from callgate.sccp.enums.keys import KeyPadButton
from callgate.sccp.enums.media import Layout, MediaG723BitRate, MediaPayloadType, MiscCommandType
from callgate.sccp.enums.soft_keys import SoftKeyEvent, SoftKeyInfoIndex, SoftKeyTemplateIndex
from callgate.sccp.framing import frame
from callgate.sccp.messages.capabilities import UpdateCapabilitiesMessage
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.multimedia import (
    ChannelDataParameters,
    ChannelVideoParameters,
    LostPartialPicture,
    MediaAudioIncomingParameters,
    MiscellaneousCommandMessage,
    OpenMultiMediaReceiveChannelMessage,
    PictureFormatSupport,
    PictureReference,
    PictureReferenceValues,
    RTPPayloadType,
    StartMultiMediaTransmissionMessage,
    VideoFastUpdateGOB,
    VideoFastUpdateMB,
)
from callgate.sccp.messages.structures import (
    CodecParameters,
    H261VideoCapability,
    H264VideoCapability,
    MediaEncryptionKeyInfo,
    MediaQualifierIncoming,
)
from callgate.sccp.messages.templates import SoftKeySetResMessage, SoftKeyTemplateResMessage

KEY_INFO = MediaEncryptionKeyInfo(0, 0, 0, b"", b"", 0, 0)
PARAMETERS = CodecParameters(1, 2, 3, 4)
FORMATS = (PictureFormatSupport(1, 2), PictureFormatSupport(3, 4))
VIDEO_HEAD = words(384, 2) + words(1, 2, 3, 4) + bytes(3 * 8) + words(5)

CHANNELS: dict[str, tuple[int, int, int, Any, bytes]] = {
    "audio": (
        4,
        0,
        11,
        MediaAudioIncomingParameters(20, MediaQualifierIncoming(1, PARAMETERS)),
        words(20, 1) + bytes([1, 2, 3, 4]) + bytes(64),
    ),
    "audio of G.723": (
        9,
        0,
        11,
        MediaAudioIncomingParameters(30, MediaQualifierIncoming(1, MediaG723BitRate.RATE_6_3)),
        words(30, 1, 2) + bytes(64),
    ),
    "audio before version 11": (
        4,
        98,
        0,
        MediaAudioIncomingParameters(20, MediaQualifierIncoming(1, MediaG723BitRate.RATE_6_3)),
        words(20, 1, 2) + bytes(64),
    ),
    "video of H.261": (
        100,
        100,
        11,
        ChannelVideoParameters(384, 2, FORMATS, 5, H261VideoCapability(30, 31)),
        VIDEO_HEAD + words(30, 31) + bytes(16),
    ),
    "video of H.264": (
        4,
        103,
        17,
        ChannelVideoParameters(384, 2, FORMATS, 5, H264VideoCapability(64, 50, 1, 2, 3, 4)),
        VIDEO_HEAD + words(64, 50, 1, 2, 3, 4),
    ),
    "video of a codec without a member": (
        103,
        115,
        11,
        ChannelVideoParameters(384, 2, FORMATS, 5, words(1, 2, 3, 4, 5, 6)),
        VIDEO_HEAD + words(1, 2, 3, 4, 5, 6),
    ),
    "data": (4, 120, 17, ChannelDataParameters(7, 8), words(7, 8) + bytes(68)),
    "data of the highest number": (4, 0xFFFFFFFF, 17, ChannelDataParameters(7, 8), words(7, 8) + bytes(68)),
    "nothing that is known": (4, 99, 17, bytes(range(76)), bytes(range(76))),
}


@pytest.mark.parametrize(("codec", "selector", "version", "member", "union"), CHANNELS.values(), ids=CHANNELS)
def test_what_a_channel_carries(codec: int, selector: int, version: int, member: Any, union: bytes) -> None:
    assert len(union) == 76
    wide = version >= 17
    receive = OpenMultiMediaReceiveChannelMessage(
        conference_id=1,
        pass_through_party_id=2,
        compression_type=codec,
        line_instance=3,
        call_reference=4,
        payload_type=RTPPayloadType(5, selector),
        is_conference_creator=6,
        capability=member,
        m_rx_media_encryption_key_info=KEY_INFO,
        stream_pass_through_id=7,
        associated_stream_id=8,
        source_ip_addr=IPv4Address("192.0.2.7"),
        source_port_number=9,
        requested_ip_addr_type=IpAddrType.IPV4_V6,
        header_version=version,
    )
    body = words(1, 2, codec, 3, 4, 5, selector, 6) + union + bytes(48) + words(7, 8)
    body += (family_v4("192.0.2.7") if wide else address("192.0.2.7")) + words(9, 2)
    assert_carries(frame(0x131, body, version), receive)

    transmit = StartMultiMediaTransmissionMessage(
        conference_id=1,
        passthru_party_id=2,
        compression_type=codec,
        remote_ip_addr=IPv4Address("192.0.2.7"),
        remote_port_number=3,
        call_reference=4,
        payload_type=RTPPayloadType(5, selector),
        dscp_value=6,
        capability=member,
        m_tx_media_encryption_key_info=KEY_INFO,
        stream_pass_through_id=7,
        associated_stream_id=8,
        header_version=version,
    )
    body = words(1, 2, codec) + (family_v4("192.0.2.7") if wide else address("192.0.2.7"))
    body += words(3, 4, 5, selector, 6) + union + bytes(48) + words(7, 8)
    assert_carries(frame(0x132, body, version), transmit)


def test_junk_in_a_union_in_a_union_is_kept_by_its_path() -> None:
    union = VIDEO_HEAD + words(30, 31) + b"sixteen bytes!!!"
    body = words(1, 2, 100, 3, 4, 5, 100, 6) + union + bytes(48) + words(7, 8)
    found = decode(frame(0x131, body))
    assert found.as_sent == AsSent(junk=(("capability.capability", b"sixteen bytes!!!"),))  # type: ignore[union-attr]
    assert encode(found) == frame(0x131, body)


def test_a_mistake_in_a_union_in_a_union_is_named() -> None:
    def receiving(member: Any) -> Message:
        return OpenMultiMediaReceiveChannelMessage(
            conference_id=1,
            pass_through_party_id=2,
            compression_type=4,
            line_instance=3,
            call_reference=4,
            payload_type=RTPPayloadType(5, 100),
            is_conference_creator=6,
            capability=member,
        )

    with pytest.raises(FieldError) as raised:
        encode(receiving(ChannelVideoParameters(384, 2, FORMATS, 5, H261VideoCapability(30, 1 << 32))))
    assert str(raised.value) == (
        "SCCP OpenMultiMediaReceiveChannelMessage capability.capability.stillImageTransmission (body offset 32): "
        "4294967296 does not fit in 32 bits"
    )
    with pytest.raises(FieldError) as raised:
        encode(receiving(MediaAudioIncomingParameters(1 << 32, MediaQualifierIncoming(0, PARAMETERS))))
    assert str(raised.value) == (
        "SCCP OpenMultiMediaReceiveChannelMessage capability.milliSecondPacketSize (body offset 32): "
        "4294967296 does not fit in 32 bits"
    )
    with pytest.raises(FieldError) as raised:
        encode(receiving(ChannelVideoParameters(384, 3, FORMATS, 5, H261VideoCapability(30, 31))))
    assert str(raised.value) == (
        "SCCP OpenMultiMediaReceiveChannelMessage capability.pictureFormat (body offset 32): "
        "2 entries, where the count says 3"
    )
    with pytest.raises(FieldError) as raised:
        encode(receiving(ChannelVideoParameters(384, 2, FORMATS, 5, H264VideoCapability(64, 50, 1, 2, 3, 4))))
    assert str(raised.value) == (
        "SCCP OpenMultiMediaReceiveChannelMessage capability.capability (body offset 32): "
        "100 chooses h261VideoCapability, a H261VideoCapability"
    )


REFERENCES = (PictureReference(1, 2), PictureReference(3, 4))
COMMANDS: dict[MiscCommandType | int, tuple[Any, bytes]] = {
    MiscCommandType.VIDEO_FAST_UPDATE_PICTURE: (VideoFastUpdateGOB(1, 2), words(1, 2)),
    MiscCommandType.VIDEO_FAST_UPDATE_GOB: (VideoFastUpdateGOB(3, 4), words(3, 4)),
    MiscCommandType.VIDEO_FAST_UPDATE_MB: (VideoFastUpdateMB(5, 6, 7), words(5, 6, 7)),
    MiscCommandType.LOST_PICTURE: (PictureReference(8, 9), words(8, 9)),
    MiscCommandType.LOST_PARTIAL_PICTURE: (LostPartialPicture(PictureReference(1, 2), 3, 4), words(1, 2, 3, 4)),
    MiscCommandType.RECOVERY_REFERENCE_PICTURE: (PictureReferenceValues(2, REFERENCES), words(2, 1, 2, 3, 4)),
    MiscCommandType.TEMPORAL_SPATIAL_TRADE_OFF: (31, words(31)),
    77: (0xFFFFFFFF, words(0xFFFFFFFF)),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_holds(command: MiscCommandType | int) -> None:
    member, union = COMMANDS[command]
    message = MiscellaneousCommandMessage(
        conference_id=1, passthru_party_id=2, call_reference=3, command=command, u=member
    )
    assert_carries(frame(0x134, words(1, 2, 3, command) + union.ljust(36, b"\0")), message)


def test_values_that_have_a_name_have_it_wherever_they_stand() -> None:
    """An enumerated value equals its number: that it is decoded as a member has to be asked for."""
    pressed = decode(frame(3, words(14)))
    assert isinstance(pressed, KeypadButtonMessage)
    assert pressed.kp_button is KeyPadButton.STAR

    body = words(1, 2, 9, 3, 4, 5, 0, 6) + words(30, 1, 2) + bytes(64)
    channel = decode(frame(0x131, body, 11))
    assert isinstance(channel, OpenMultiMediaReceiveChannelMessage)
    assert channel.compression_type is MediaPayloadType.G7231
    assert isinstance(channel.capability, MediaAudioIncomingParameters)
    assert channel.capability.qualifier_in is not None
    assert channel.capability.qualifier_in.codec_params_union is MediaG723BitRate.RATE_6_3

    template = decode(frame(0x108, words(0, 1, 1) + bytes(16) + words(1)))
    assert isinstance(template, SoftKeyTemplateResMessage)
    assert template.soft_key_template is not None
    assert template.soft_key_template.definition is not None
    assert template.soft_key_template.definition[0].soft_key_event is SoftKeyEvent.REDIAL

    sets = decode(frame(0x109, words(0, 1, 1) + bytes([1, 250]) + bytes(14) + halves(301, 9) + bytes(28)))
    assert isinstance(sets, SoftKeySetResMessage)
    assert sets.soft_key_sets is not None
    assert sets.soft_key_sets.definition is not None
    first = sets.soft_key_sets.definition[0]
    assert [type(index) for index in first.soft_key_template_index or ()][:2] == [SoftKeyTemplateIndex, int]
    assert [type(index) for index in first.soft_key_info_index or ()][:2] == [SoftKeyInfoIndex, int]

    resources = 20 + 120
    body = bytes(resources + 8) + words(1, 2, 1, 99)
    capabilities = decode(frame(0x30, body.ljust(1840, b"\0")))
    assert isinstance(capabilities, UpdateCapabilitiesMessage)
    assert capabilities.conf_resources is not None
    layouts = (capabilities.conf_resources.service_resource or ())[0].layouts
    assert [type(layout) for layout in layouts or ()] == [Layout, int]
