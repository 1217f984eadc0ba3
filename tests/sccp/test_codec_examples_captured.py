"""Frames of two real servers and of the phone that spoke with them: what each field is, and the bytes again.

Copied from the captures of Asterisk 18.26 (chan_skinny) and chan-sccp 4.3.5 under tests/data/sccp/captures. chan_skinny
writes header version 0 whatever it has negotiated.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from tests.sccp.wire import assert_carries

from callgate.sccp import AsSent, Message, decode
from callgate.sccp.enums.calls import CallSecurityStatusType, CallType, DCallState, StatsProcessingType
from callgate.sccp.enums.devices import DeviceType, DeviceUnregisterStatus
from callgate.sccp.enums.keys import ButtonType, DeviceStimulus, KeyPadButton, SoftKeySet
from callgate.sccp.enums.media import MediaPayloadType, MediaStatus
from callgate.sccp.enums.signals import DeviceTone, LampMode, RingDuration, RingMode, ToneOutputDirection
from callgate.sccp.messages.calls import (
    CallInfoV2Message,
    CallStateMessage,
    ConnectionStatisticsReqMessage,
    DialedNumberMessage,
    Precedence,
)
from callgate.sccp.messages.capabilities import CapabilitiesResMessage, MediaCapability
from callgate.sccp.messages.display import (
    ClearDisplay,
    DisplayNotifyV2Message,
    DisplayPromptStatusMessage,
    DisplayPromptStatusV2Message,
)
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.lines import LineStatResMessage, LineStatV2ResMessage
from callgate.sccp.messages.media import OpenReceiveChannelAckMessage, StopMediaTransmissionMessage
from callgate.sccp.messages.registration import (
    KeepAliveAckMessage,
    KeepAliveReqMessage,
    RegisterAckMessage,
    RegisterRejectMessage,
    RegisterReqMessage,
    UnregisterAckMessage,
)
from callgate.sccp.messages.signals import SetLampMessage, SetRingerMessage, StartToneMessage
from callgate.sccp.messages.structures import CodecParameters, StationIdentifier
from callgate.sccp.messages.templates import (
    ButtonDefinition,
    ButtonTemplate,
    ButtonTemplateResMessage,
    SelectSoftKeysMessage,
)

NO_PARAMETERS = CodecParameters(codec_mode=0, dynamic_payload=0, codec_param1=0, codec_param2=0)
CODECS = (MediaPayloadType.G711_ULAW64K, MediaPayloadType.G711_ALAW64K, MediaPayloadType.G729_ANNEX_A)
CAPABILITIES: dict[str, Any] = {
    "cap_count": 3,
    "caps": tuple(MediaCapability(codec, 40, NO_PARAMETERS) for codec in CODECS),
    "as_sent": AsSent(room=48),
}
CAPABILITIES_BODY = """
    03000000 0400000028000000 0000000000000000 0200000028000000 0000000000000000 0c00000028000000 0000000000000000"""
OK = MediaStatus.OK
LOCAL = IPv4Address("127.0.0.1")

FROM_THE_PHONE: dict[str, tuple[Message, str]] = {
    "keepalive": (KeepAliveReqMessage(), "040000000000000000000000"),
    "keepalive at 22": (KeepAliveReqMessage(header_version=22), "040000001600000000000000"),
    "register at 11": (
        RegisterReqMessage(
            sid=StationIdentifier(b"SEP001122334455", 0, 1),
            station_ip_addr=LOCAL,
            device_type=DeviceType.STATION_TELECASTER_MGR,
            max_streams=0,
            active_streams=0,
            protocol_ver=11,
            unknown=0,
            phone_features=0x8560,
            max_conferences=0,
            active_conferences=0,
            mac_address=bytes(6),
            ip_v4_address_scope=0,
        ),
        """480000000000000001000000 53455030303131323233333434353500 0000000001000000 7f000001 07000000 0000000000000000
        0b006085 0000000000000000 000000000000000000000000 00000000""",
    ),
    "key 6 to chan_skinny": (
        KeypadButtonMessage(kp_button=KeyPadButton.SIX, line_instance=1, call_reference=19),
        "100000000000000003000000060000000100000013000000",
    ),
    "key 6 at 22": (
        KeypadButtonMessage(kp_button=KeyPadButton.SIX, line_instance=1, call_reference=4, header_version=22),
        "100000001600000003000000060000000100000004000000",
    ),
    "codecs, room for three": (CapabilitiesResMessage(**CAPABILITIES), f"380000000000000010000000{CAPABILITIES_BODY}"),
    "codecs at 22": (
        CapabilitiesResMessage(**CAPABILITIES, header_version=22),
        f"380000001600000010000000{CAPABILITIES_BODY}",
    ),
    "channel open, to chan_skinny at 11": (
        OpenReceiveChannelAckMessage(
            media_reception_status=OK, ip_addr=LOCAL, port_number=43433, pass_through_party_id=19, call_reference=19
        ),
        "180000000000000022000000000000007f000001a9a900001300000013000000",
    ),
    "channel open, to chan-sccp at 11": (
        OpenReceiveChannelAckMessage(
            media_reception_status=OK,
            ip_addr=LOCAL,
            port_number=53771,
            pass_through_party_id=0xFFFFFFFE,
            call_reference=1,
            header_version=11,
        ),
        "180000000b00000022000000000000007f0000010bd20000feffffff01000000",
    ),
    "channel open, to chan_skinny at 17": (
        OpenReceiveChannelAckMessage(
            media_reception_status=OK,
            ip_addr=LOCAL,
            port_number=40005,
            pass_through_party_id=2,
            call_reference=2,
            as_sent=AsSent(form=1),
        ),
        "28000000000000002200000000000000000000007f000001000000000000000000000000459c00000200000002000000",
    ),
    "channel open, to chan-sccp at 22": (
        OpenReceiveChannelAckMessage(
            media_reception_status=OK,
            ip_addr=LOCAL,
            port_number=48710,
            pass_through_party_id=0xFFFFFFFB,
            call_reference=4,
            header_version=22,
        ),
        "28000000160000002200000000000000000000007f00000100000000000000000000000046be0000fbffffff04000000",
    ),
}

TONE: dict[str, Any] = {
    "tone": DeviceTone.INSIDE_DIAL_TONE,
    "tone_output_direction": ToneOutputDirection.USER,
    "line_instance": 1,
}
NAMES: dict[str, Any] = {
    "line_instance": 1,
    "call_type": CallType.OUT_BOUND_CALL,
    "original_cdpn_redirect_reason": 0,
    "last_redirecting_reason": 0,
    "call_security_status": CallSecurityStatusType.UNKNOWN,
    "party_pi_restriction_bits": 0,
    "calling_party": b"1001",
    "called_party": b"600",
    "original_called_party": b"",
    "cgpn_voice_mailbox": b"",
    "cdpn_voice_mailbox": b"",
    "original_cdpn_voice_mailbox": b"",
    "last_redirecting_voice_mailbox": b"",
    "calling_party_name": b"Phone One",
    "called_party_name": b"",
    "original_called_party_name": b"",
}

OF_CHAN_SKINNY: dict[str, tuple[Message, str]] = {
    "keepalive answered": (KeepAliveAckMessage(), "040000000000000000010000"),
    "registered": (
        RegisterAckMessage(
            keep_alive_interval=120,
            date_template=b"D.M.Y",
            alignment_padding=48,
            secondary_keep_alive_interval=120,
            max_protocol_ver=48,
            unknown=0,
            phone_features=0,
        ),
        "18000000000000008100000078000000442e4d2e590030007800000030000000",
    ),
    "rejected: 33 bytes": (
        RegisterRejectMessage(text=b"No Authority: ", as_sent=AsSent(tail=b"\0")),
        "25000000000000009d0000004e6f20417574686f726974793a2000000000000000000000000000000000000000",
    ),
    "lamp": (
        SetLampMessage(stimulus=DeviceStimulus.VOICE_MAIL, stimulus_instance=1, lamp_mode=LampMode.OFF),
        "1000000000000000860000000f0000000100000001000000",
    ),
    "ringer, four bytes more": (
        SetRingerMessage(
            ring_mode=RingMode.RING_OFF,
            ring_duration=RingDuration.NORMAL_RING,
            line_instance=1,
            call_reference=0,
            as_sent=AsSent(tail=bytes(4)),
        ),
        "1800000000000000850000000100000001000000010000000000000000000000",
    ),
    "media stops, four bytes more": (
        StopMediaTransmissionMessage(
            conference_id=0,
            pass_through_party_id=19,
            call_reference=0,
            port_handling_flag=0,
            as_sent=AsSent(tail=bytes(4)),
        ),
        "18000000000000008b0000000000000013000000000000000000000000000000",
    ),
    "clear display, four bytes in an empty message": (
        ClearDisplay(as_sent=AsSent(tail=bytes(4))),
        "08000000000000009a00000000000000",
    ),
    "tone": (StartToneMessage(**TONE, call_reference=19), "14000000000000008200000021000000000000000100000013000000"),
    "call state": (
        CallStateMessage(
            call_state=DCallState.OFF_HOOK,
            line_instance=1,
            call_reference=19,
            privacy=0,
            precedence=Precedence(0, 0),
        ),
        "1c0000000000000011010000010000000100000013000000000000000000000000000000",
    ),
    "prompt, twelve bytes more": (
        DisplayPromptStatusMessage(
            time_out_value=0,
            prompt_status=b"\x80\x20",
            line_instance=1,
            call_reference=19,
            as_sent=AsSent(tail=bytes(12)),
        ),
        f"3c0000000000000012010000 00000000 8020{'00' * 30} 0100000013000000 {'00' * 12}",
    ),
    "number dialled": (
        DialedNumberMessage(dialed_number=b"600", line_instance=1, call_reference=19),
        f"24000000000000001d010000 363030{'00' * 21} 0100000013000000",
    ),
    "who calls whom, at 17: thirteen strings": (
        CallInfoV2Message(
            **NAMES,
            call_reference=2,
            call_instance=0,
            alternate_calling_party=b"",
            last_redirecting_party=b"",
            last_redirecting_party_name=b"",
        ),
        """44000000000000004a010000 0100000002000000020000000000000000000000000000000000000000000000
        3130303100 00 36303000 000000000000 50686f6e65204f6e6500 000000 000000""",
    ),
    "number and names of a line": (
        LineStatResMessage(
            line_number=1,
            line_dir_number=b"1001",
            line_fully_qualified_display_name=b"1001",
            line_text_label=b"",
            line_display_options=0,
        ),
        f"740000000000000092000000 01000000 31303031{'00' * 20} 31303031{'00' * 36} {'00' * 44}",
    ),
    "one button, room for 42": (
        ButtonTemplateResMessage(button_template=ButtonTemplate(0, 1, 1, (ButtonDefinition(1, ButtonType.LINE),))),
        f"640000000000000097000000 000000000100000001000000 0109{'00' * 82}",
    ),
}

OF_CHAN_SCCP: dict[str, tuple[Message, str]] = {
    "registered at 11": (
        RegisterAckMessage(
            keep_alive_interval=50,
            date_template=b"D.M.Y",
            alignment_padding=0,
            secondary_keep_alive_interval=50,
            max_protocol_ver=11,
            unknown=0x20,
            phone_features=0xFFF1,
        ),
        "18000000000000008100000032000000442e4d2e59000000320000000b20f1ff",
    ),
    "unregistered": (UnregisterAckMessage(status=DeviceUnregisterStatus.OK), "08000000000000001801000000000000"),
    "soft keys at 22": (
        SelectSoftKeysMessage(
            line_instance=0,
            call_reference=0,
            soft_key_set_index=SoftKeySet.ON_HOOK,
            valid_key_mask=0xFFFFFFFF,
            header_version=22,
        ),
        "140000001600000010010000000000000000000000000000ffffffff",
    ),
    "number dialled at 11: 24 bytes, then four more": (
        DialedNumberMessage(
            dialed_number=b"600", line_instance=1, call_reference=1, header_version=11, as_sent=AsSent(tail=bytes(4))
        ),
        f"280000000b0000001d010000 363030{'00' * 21} 0100000001000000 00000000",
    ),
    "number dialled at 22: 25 bytes, the next field at once": (
        DialedNumberMessage(
            dialed_number=b"600", line_instance=1, call_reference=4, header_version=22, as_sent=AsSent(form=1)
        ),
        f"28000000160000001d010000 363030{'00' * 22} 0100000004000000 000000",
    ),
    "statistics wanted at 11": (
        ConnectionStatisticsReqMessage(
            directory_num=b"600",
            call_reference=1,
            stats_processing_mode=StatsProcessingType.CLEAR_STATS,
            header_version=11,
        ),
        f"240000000b00000007010000 363030{'00' * 21} 0100000000000000",
    ),
    "statistics wanted at 22: 28 bytes": (
        ConnectionStatisticsReqMessage(
            directory_num=b"600",
            call_reference=4,
            stats_processing_mode=StatsProcessingType.CLEAR_STATS,
            header_version=22,
        ),
        f"280000001600000007010000 363030{'00' * 25} 0400000000000000",
    ),
    "who calls whom, at 11: twelve strings": (
        CallInfoV2Message(
            **NAMES,
            call_reference=1,
            call_instance=1,
            last_redirecting_party=b"1001",
            last_redirecting_party_name=b"Phone One",
            header_version=11,
        ),
        """500000000b0000004a010000 0100000001000000020000000000000000000000010000000000000000000000
        3130303100 36303000 00 3130303100 00000000 50686f6e65204f6e6500 0000 50686f6e65204f6e6500 000000""",
    ),
    "who calls whom, at 22: fifteen strings": (
        CallInfoV2Message(
            **NAMES,
            call_reference=4,
            call_instance=1,
            alternate_calling_party=b"",
            last_redirecting_party=b"1001",
            last_redirecting_party_name=b"Phone One",
            hunt_pilot_number=b"",
            hunt_pilot_name=b"",
            header_version=22,
        ),
        """50000000160000004a010000 0100000004000000020000000000000000000000010000000000000000000000
        3130303100 00 36303000 00 3130303100 00000000 50686f6e65204f6e6500 0000 50686f6e65204f6e6500 0000""",
    ),
    "notice, without room": (
        DisplayNotifyV2Message(time_out_value=5, notify=b"Asterisk \x80\x18", header_version=22),
        "140000001600000043010000 05000000 417374657269736b20801800",
    ),
    "prompt, one zero rounds up": (
        DisplayPromptStatusV2Message(
            time_out_value=0, line_instance=0, call_reference=0, prompt_status=b"\x80\x13", header_version=11
        ),
        "140000000b00000045010000000000000000000000000000 80130000",
    ),
    "number and names of a line at 22": (
        LineStatV2ResMessage(
            line_number=1,
            line_type=0,
            line_dir_number=b"1001",
            line_fully_qualified_display_name=b"phone1",
            line_text_label=b"1001",
            header_version=22,
        ),
        "200000001600000047010000 0100000000000000 3130303100 70686f6e653100 3130303100 000000",
    ),
    "one button, room for 56 that says none": (
        ButtonTemplateResMessage(
            button_template=ButtonTemplate(0, 1, 1, (ButtonDefinition(1, ButtonType.LINE),)),
            header_version=22,
            as_sent=AsSent(room=112, junk=(("buttonTemplate.definition", b"\0\xff" * 55),)),
        ),
        f"800000001600000097000000 000000000100000001000000 0109{'00ff' * 55}",
    ),
}

CAPTURED = {
    **{f"phone: {name}": case for name, case in FROM_THE_PHONE.items()},
    **{f"chan_skinny: {name}": case for name, case in OF_CHAN_SKINNY.items()},
    **{f"chan-sccp: {name}": case for name, case in OF_CHAN_SCCP.items()},
}


@pytest.mark.parametrize(("message", "frame"), CAPTURED.values(), ids=CAPTURED)
def test_a_captured_frame_is_its_message_and_back(message: Message, frame: str) -> None:
    assert_carries(bytes.fromhex(frame), message)


def test_what_is_negotiated_changes_no_message_whose_length_tells_its_form() -> None:
    for message, frame in OF_CHAN_SKINNY.values():
        if not isinstance(message, CallInfoV2Message):
            assert [decode(bytes.fromhex(frame), negotiated=version) for version in (11, 17, 22)] == [message] * 3


def test_what_is_negotiated_tells_how_many_strings_there_are() -> None:
    message, frame = OF_CHAN_SKINNY["who calls whom, at 17: thirteen strings"]
    assert decode(bytes.fromhex(frame), negotiated=17) == message
    shifted = decode(bytes.fromhex(frame), negotiated=11)
    assert isinstance(shifted, CallInfoV2Message)
    assert (shifted.alternate_calling_party, shifted.called_party, shifted.original_called_party) == (None, b"", b"600")
