"""Messages that cannot be encoded: the error names the field, where it stands in the body, and the rule."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from callgate.errors import ProtocolError
from callgate.sccp import AsSent, FieldError, Message, encode
from callgate.sccp.explain import explain
from callgate.sccp.fields import RawAddress
from callgate.sccp.messages.calls import CallInfoV2Message, CallStateMessage, ConnectionStatisticsResMessage, Precedence
from callgate.sccp.messages.devices import ConfigStatV2ResMessage, DynamicStationIdentifier
from callgate.sccp.messages.display import DisplayTextMessage
from callgate.sccp.messages.keys import EnblocCallMessage, KeypadButtonMessage
from callgate.sccp.messages.lines import LineStatV2ResMessage
from callgate.sccp.messages.media import (
    OpenReceiveChannelAckMessage,
    OpenReceiveChannelMessage,
    StartMediaReceptionMessage,
)
from callgate.sccp.messages.registration import (
    RegisterAckMessage,
    RegisterRejectMessage,
    RegisterReqMessage,
    RegisterTokenReq,
)
from callgate.sccp.messages.structures import (
    CodecParameters,
    MediaEncryptionKeyInfo,
    MediaQualifierIncoming,
    StationIdentifier,
)
from callgate.sccp.messages.subscriptions import SubscriptionStatReqMessage

V4 = IPv4Address("192.0.2.7")
V6 = IPv6Address("2001:db8::7")
SID = StationIdentifier(b"SEP001122334455", 0, 1)
OPEN: dict[str, Any] = {
    "conference_id": 1,
    "pass_through_party_id": 2,
    "milli_second_packet_size": 20,
    "compression_type": 4,
    "qualifier_in": MediaQualifierIncoming(0, CodecParameters(0, 0, 0, 0)),
    "call_reference": 5,
    "header_version": 11,
}


def opened(**changes: Any) -> Message:
    return OpenReceiveChannelMessage(**{**OPEN, **changes})


def acknowledged(address: Any, version: int, form: Any = None) -> Message:
    return OpenReceiveChannelAckMessage(
        media_reception_status=0, ip_addr=address, header_version=version, as_sent=AsSent(form=form)
    )


UNENCODABLE: dict[str, tuple[Message, str]] = {
    "a missing field in front of one that is there": (
        KeypadButtonMessage(kp_button=5, call_reference=2),
        "SCCP KeypadButtonMessage lineInstance (body offset 4): is missing, but callReference, which follows, is there",
    ),
    "a missing structure": (
        RegisterReqMessage(station_ip_addr=V4),
        "SCCP RegisterReqMessage sid.DeviceName (body offset 0): "
        "is missing, but stationIpAddr, which follows, is there",
    ),
    "a missing field inside a structure": (
        RegisterReqMessage(sid=StationIdentifier(b"SEP", None, 1)),
        "SCCP RegisterReqMessage sid.reserved_for_future_use (body offset 16): "
        "is missing, but sid.instance, which follows, is there",
    ),
    "a missing word before strings": (
        LineStatV2ResMessage(line_number=1, line_dir_number=b"1001"),
        "SCCP LineStatV2ResMessage lineType (body offset 4): is missing, but lineDirNumber, which follows, is there",
    ),
    "a missing string among strings": (
        LineStatV2ResMessage(line_number=1, line_type=0, line_dir_number=b"1001", line_text_label=b"Desk"),
        "SCCP LineStatV2ResMessage lineFullyQualifiedDisplayName (body offset 8): "
        "is missing, but lineTextLabel, which follows, is there",
    ),
    "a number above 32 bits": (
        KeypadButtonMessage(kp_button=5, line_instance=1 << 32, call_reference=2),
        "SCCP KeypadButtonMessage lineInstance (body offset 4): 4294967296 does not fit in 32 bits",
    ),
    "a number below zero": (
        KeypadButtonMessage(kp_button=-1),
        "SCCP KeypadButtonMessage kpButton (body offset 0): -1 does not fit in 32 bits",
    ),
    "a number that is none": (
        KeypadButtonMessage(kp_button="5"),  # type: ignore[arg-type]
        "SCCP KeypadButtonMessage kpButton (body offset 0): '5' does not fit in 32 bits",
    ),
    "a number above 8 bits": (
        RegisterAckMessage(
            keep_alive_interval=30,
            date_template=b"D.M.Y",
            alignment_padding=0,
            secondary_keep_alive_interval=30,
            max_protocol_ver=256,
        ),
        "SCCP RegisterAckMessage maxProtocolVer (body offset 16): 256 does not fit in 8 bits",
    ),
    "a number above 16 bits": (
        RegisterAckMessage(keep_alive_interval=30, date_template=b"D.M.Y", alignment_padding=65536),
        "SCCP RegisterAckMessage alignmentPadding (body offset 10): 65536 does not fit in 16 bits",
    ),
    "the second of two numbers": (
        CallStateMessage(call_state=1, line_instance=1, call_reference=1, privacy=0, precedence=Precedence(4, 1 << 40)),
        f"SCCP CallStateMessage precedence.precedenceDomain (body offset 20): {1 << 40} does not fit in 32 bits",
    ),
    "a header version above 32 bits": (
        KeypadButtonMessage(kp_button=5, header_version=1 << 32),
        "SCCP KeypadButtonMessage header version: 4294967296 does not fit in 32 bits",
    ),
    "a header version below zero": (
        KeypadButtonMessage(kp_button=5, header_version=-1),
        "SCCP KeypadButtonMessage header version: -1 does not fit in 32 bits",
    ),
    "a header version that is none": (
        KeypadButtonMessage(kp_button=5, header_version=None),  # type: ignore[arg-type]
        "SCCP KeypadButtonMessage header version: None does not fit in 32 bits",
    ),
    "a string too long": (
        RegisterRejectMessage(text=b"x" * 33),
        "SCCP RegisterRejectMessage text (body offset 0): 33 bytes do not fit in 32",
    ),
    "a string with a NUL": (
        RegisterRejectMessage(text=b"a\0b"),
        "SCCP RegisterRejectMessage text (body offset 0): a string holds no NUL",
    ),
    "a string too long in a structure": (
        RegisterReqMessage(sid=StationIdentifier(b"x" * 17, 0, 0)),
        "SCCP RegisterReqMessage sid.DeviceName (body offset 0): 17 bytes do not fit in 16",
    ),
    "a number of 25 digits below version 19": (
        EnblocCallMessage(called_party=b"1" * 25, line_instance=1, header_version=18),
        "SCCP EnblocCallMessage calledParty (body offset 0): 25 bytes do not fit in 24",
    ),
    "a number of 26 digits from version 19": (
        EnblocCallMessage(called_party=b"1" * 26, line_instance=1, header_version=19),
        "SCCP EnblocCallMessage calledParty (body offset 0): 26 bytes do not fit in 25",
    ),
    "a string with a NUL in a list of strings": (
        LineStatV2ResMessage(
            line_number=1, line_type=0, line_dir_number=b"1001", line_fully_qualified_display_name=b"a\0"
        ),
        "SCCP LineStatV2ResMessage lineFullyQualifiedDisplayName (body offset 8): a string holds no NUL",
    ),
    "a leading string with a NUL": (
        ConfigStatV2ResMessage(sid=DynamicStationIdentifier(b"a\0b", 1, 2)),
        "SCCP ConfigStatV2ResMessage sid.DeviceName (body offset 0): a string holds no NUL",
    ),
    "a last string too long": (
        SubscriptionStatReqMessage(transaction_id=1, subscription_feature_id=1, timer=1, subscription_id=b"x" * 65),
        "SCCP SubscriptionStatReqMessage subscriptionID (body offset 12): 65 bytes do not fit in 64",
    ),
    "text for a string": (
        DisplayTextMessage(text="text"),  # type: ignore[arg-type]
        "SCCP DisplayTextMessage text (body offset 0): 'text' is not bytes",
    ),
    "an IPv6 address in a narrow form": (
        acknowledged(V6, 11),
        "SCCP OpenReceiveChannelAckMessage ipAddr (body offset 4): "
        "2001:db8::7 is no IPv4 address, and this form of the message has room for no other",
    ),
    "no address at all": (
        acknowledged("192.0.2.7", 17),
        "SCCP OpenReceiveChannelAckMessage ipAddr (body offset 4): 192.0.2.7 is no IP address",
    ),
    "a raw address of a known family": (
        acknowledged(RawAddress(1, bytes(16)), 17),
        "SCCP OpenReceiveChannelAckMessage ipAddr (body offset 4): "
        "RawAddress(family=1, octets=b'" + "\\x00" * 16 + "') is no IP address",
    ),
    "a raw address too short": (
        acknowledged(RawAddress(2, bytes(15)), 17),
        "SCCP OpenReceiveChannelAckMessage ipAddr (body offset 4): takes 16 bytes, not 15",
    ),
    "an IPv4 address where IPv6 is": (
        RegisterTokenReq(sid=SID, station_ip_addr=V4, device_type=7, station_ip_v6_addr=V4, header_version=17),
        "SCCP RegisterTokenReq stationIpV6Addr (body offset 32): 192.0.2.7 is no IPv6 address",
    ),
    "octets too few": (
        StartMediaReceptionMessage(
            ip_addr=V4, milli_second_packet_size=20, compression_type=4, uninitialised=b"eleven byte"
        ),
        "SCCP StartMediaReceptionMessage uninitialised (body offset 12): takes 12 bytes, not 11",
    ),
    "a form that the message does not have": (
        KeypadButtonMessage(kp_button=5, as_sent=AsSent(form=1)),
        "SCCP KeypadButtonMessage form: 1 is none of its 1",
    ),
    "a form that is none": (
        acknowledged(V4, 17, "narrow"),
        "SCCP OpenReceiveChannelAckMessage form: 'narrow' is none of its 2",
    ),
    "a raw address of a family above 32 bits": (
        acknowledged(RawAddress(1 << 32, bytes(16)), 17),
        "SCCP OpenReceiveChannelAckMessage ipAddr (body offset 4): "
        f"RawAddress(family={1 << 32}, octets=b'" + "\\x00" * 16 + "') is no IP address",
    ),
    "a field that has no place in the form": (
        CallInfoV2Message(alternate_calling_party=b"1", header_version=11),
        "SCCP CallInfoV2Message alternate_calling_party: has no place in this form of CallInfoV2Message",
    ),
    "junk of a decoded message that a change has lost the place of": (
        RegisterRejectMessage(text=b"x" * 33, as_sent=AsSent(junk=(("text", b"junk"),))),
        "SCCP RegisterRejectMessage text (body offset 0): 33 bytes do not fit in 32",
    ),
    "a missing field of a decoded message": (
        KeypadButtonMessage(kp_button=5, call_reference=2, as_sent=AsSent(tail=b"")),
        "SCCP KeypadButtonMessage lineInstance (body offset 4): is missing, but callReference, which follows, is there",
    ),
    "a number too large in a form of its own": (
        EnblocCallMessage(called_party=b"600", line_instance=1 << 32, header_version=22, as_sent=AsSent(form=0)),
        "SCCP EnblocCallMessage lineInstance (body offset 24): 4294967296 does not fit in 32 bits",
    ),
    "a mode that is a byte in the newest layout": (
        ConnectionStatisticsResMessage(
            directory_num=b"600", call_reference=1, stats_processing_mode=256, header_version=22
        ),
        "SCCP ConnectionStatisticsResMessage statsProcessingMode (body offset 32): 256 does not fit in 8 bits",
    ),
}


@pytest.mark.parametrize(("message", "reason"), UNENCODABLE.values(), ids=UNENCODABLE)
def test_a_message_that_cannot_be_encoded_is_a_field_error(message: Message, reason: str) -> None:
    with pytest.raises(FieldError) as raised:
        encode(message)
    assert str(raised.value) == reason
    assert raised.value.__cause__ is None


def test_the_error_tells_field_offset_and_rule_apart() -> None:
    with pytest.raises(FieldError) as raised:
        encode(KeypadButtonMessage(kp_button=-1))
    found = raised.value
    assert (found.field, found.offset) == ("KeypadButtonMessage kpButton", 0)
    assert found.rule == "-1 does not fit in 32 bits"
    assert isinstance(found, ProtocolError)


@pytest.mark.parametrize("level", [-(2**31), -1, 2**31 - 1])
def test_signed_numbers_fit_from_below_zero(level: int) -> None:
    message = adjusted(level)
    assert encode(message)[12 + 112 :] == level.to_bytes(4, "little", signed=True)


@pytest.mark.parametrize("level", [-(2**31) - 1, 2**31])
def test_signed_numbers_have_ends(level: int) -> None:
    with pytest.raises(FieldError) as raised:
        encode(adjusted(level))
    assert str(raised.value) == (
        f"SCCP OpenReceiveChannelMessage audioLevelAdjustment (body offset 112): {level} does not fit in 32 bits"
    )


def adjusted(level: int) -> Message:
    return opened(
        m_rx_media_encryption_key_info=MediaEncryptionKeyInfo(0, 0, 0, b"", b"", 0, 0),
        stream_pass_through_id=0,
        associated_stream_id=0,
        rfc2833_payload_type=0,
        dtmf_type=0,
        mixing_mode=0,
        party_direction=0,
        source_ip_addr=V4,
        source_port_number=0,
        requested_ip_addr_type=0,
        audio_level_adjustment=level,
    )


@pytest.mark.parametrize("button", [0, 2**32 - 1])
def test_numbers_reach_to_the_ends_of_their_field(button: int) -> None:
    assert encode(KeypadButtonMessage(kp_button=button))[12:] == button.to_bytes(4, "little")


def test_what_no_field_explains_is_told_as_python_told_it() -> None:
    found = explain(KeypadButtonMessage(kp_button=5), ValueError("something else"))
    assert (found.field, found.offset, found.rule) == ("KeypadButtonMessage", None, "something else")
    empty = explain(KeypadButtonMessage(), ValueError("something else"))
    assert str(empty) == "SCCP KeypadButtonMessage: something else"


def test_numbers_at_the_ends_of_their_field_are_not_to_blame() -> None:
    highest = KeypadButtonMessage(kp_button=0xFFFFFFFF, line_instance=-1)
    assert explain(highest, ValueError()).field == "KeypadButtonMessage lineInstance"
    lowest = KeypadButtonMessage(kp_button=0, line_instance=-1)
    assert explain(lowest, ValueError()).field == "KeypadButtonMessage lineInstance"
    for level in (-(2**31), 2**31 - 1):
        assert explain(adjusted(level), ValueError("other")).rule == "other"
    flags = RegisterAckMessage(
        keep_alive_interval=0, date_template=b"", alignment_padding=65535, secondary_keep_alive_interval=-1
    )
    assert explain(flags, ValueError()).field == "RegisterAckMessage secondaryKeepAliveInterval"


def test_a_number_in_place_of_a_structure_is_a_structure_that_is_missing() -> None:
    with pytest.raises(FieldError) as raised:
        encode(RegisterReqMessage(sid=5, station_ip_addr=V4))  # type: ignore[arg-type]
    assert raised.value.rule == "is missing, but stationIpAddr, which follows, is there"


def test_a_missing_structure_behind_all_others_is_no_mistake() -> None:
    assert encode(RegisterReqMessage(sid=StationIdentifier())) == encode(RegisterReqMessage())
