"""Registration, lines and strings that end a body, at every length that is known.

Put together after Wireshark 4.0, chan-sccp 4.3 and the lengths that were seen on the wire.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from tests.sccp.wire import address, assert_carries, halves, text, words

from callgate.sccp import AsSent, Message, decode, encode
from callgate.sccp.enums.conferences import AddParticipantResult
from callgate.sccp.enums.devices import DeviceType
from callgate.sccp.framing import frame
from callgate.sccp.messages.conferences import AddParticipantResMessage
from callgate.sccp.messages.devices import EnhancedAlarmMessage, LocationInfoMessage
from callgate.sccp.messages.display import DisplayTextMessage
from callgate.sccp.messages.lines import (
    LineStatResMessage,
    LineStatV2ResMessage,
    ServiceURLStatV2ResMessage,
    SpeedDialStatV2FixedResMessage,
    SpeedDialStatV2ResMessage,
)
from callgate.sccp.messages.registration import (
    RegisterAckMessage,
    RegisterRejectMessage,
    RegisterReqMessage,
    RegisterTokenReq,
)
from callgate.sccp.messages.structures import StationIdentifier
from callgate.sccp.messages.subscriptions import SubscriptionStatReqMessage
from callgate.sccp.messages.templates import ButtonTemplateReqMessage
from callgate.sccp.messages.user_data import UserAndDeviceData, UserToDeviceDataMessage

SID = StationIdentifier(b"SEP001122334455", 7, 1)
SID_BYTES = text(b"SEP001122334455", 16) + words(7, 1)
V6 = IPv6Address("2001:db8::7")

PARTS: tuple[tuple[int, dict[str, Any], bytes], ...] = (
    (
        36,
        {
            "sid": SID,
            "station_ip_addr": IPv4Address("192.0.2.7"),
            "device_type": DeviceType.STATION_TELECASTER_MGR,
            "max_streams": 3,
        },
        SID_BYTES + address("192.0.2.7") + words(7, 3),
    ),
    (
        44,
        {"active_streams": 4, "protocol_ver": 20, "unknown": 0x20, "phone_features": 0x8570},
        words(4) + bytes([20, 0x20]) + halves(0x8570),
    ),
    (52, {"max_conferences": 5, "active_conferences": 6}, words(5, 6)),
    (64, {"mac_address": b"\0\x11\x22\x33\x44\x55"}, text(b"\0\x11\x22\x33\x44\x55", 12)),
    (68, {"ip_v4_address_scope": 8}, words(8)),
    (
        124,
        {
            "max_number_of_lines": 9,
            "station_ip_v6_addr": V6,
            "ip_v6_address_scope": 10,
            "firmware_load_name": b"SCCP41.8-5-3S",
        },
        words(9) + V6.packed + words(10) + text(b"SCCP41.8-5-3S", 32),
    ),
    (172, {"config_version_stamp": b"{stamp}"}, text(b"{stamp}", 48)),
)


@pytest.mark.parametrize("count", range(1, len(PARTS) + 1), ids=[f"{length} bytes" for length, _, _ in PARTS])
def test_a_registration_has_as_many_fields_as_its_body_holds(count: int) -> None:
    length = PARTS[count - 1][0]
    values = {name: value for _, part, _ in PARTS[:count] for name, value in part.items()}
    body = b"".join(octets for _, _, octets in PARTS[:count])
    assert len(body) == length
    assert_carries(frame(1, body), RegisterReqMessage(**values))


def test_a_registration_with_the_mac_address_as_text() -> None:
    """A 6961 sends twelve hexadecimal characters where others send six bytes and room."""
    body = b"".join(octets for _, _, octets in PARTS[:3]) + b"001122334455"
    found = decode(frame(1, body))
    assert isinstance(found, RegisterReqMessage)
    assert found.mac_address == b"001122"
    assert found.as_sent == AsSent(junk=(("macAddress", b"334455"),))
    assert encode(found) == frame(1, body)


REGISTRATION: dict[str, tuple[Message, bytes, int]] = {
    "accepted, 12 bytes, the format fills its six": (
        RegisterAckMessage(keep_alive_interval=30, date_template=b"M/D/YA", alignment_padding=513),
        words(30) + b"M/D/YA" + halves(513),
        0x81,
    ),
    "accepted, 20 bytes, the format fills its six": (
        RegisterAckMessage(
            keep_alive_interval=30,
            date_template=b"M/D/YA",
            alignment_padding=0,
            secondary_keep_alive_interval=60,
            max_protocol_ver=22,
            unknown=0x20,
            phone_features=0xFFF1,
        ),
        words(30) + b"M/D/YA\0\0" + words(60) + bytes([22, 0x20, 0xF1, 0xFF]),
        0x81,
    ),
    "rejected, 32 bytes": (RegisterRejectMessage(text=b"Device Unknown"), text(b"Device Unknown", 32), 0x9D),
    "rejected, 36 bytes": (
        RegisterRejectMessage(text=b"x" * 32, as_sent=AsSent(tail=b"\xaa\xbb\xcc\xdd")),
        b"x" * 32 + b"\xaa\xbb\xcc\xdd",
        0x9D,
    ),
    "token, 36 bytes": (
        RegisterTokenReq(
            sid=SID,
            station_ip_addr=IPv4Address("192.0.2.7"),
            device_type=DeviceType.STATION_TELECASTER_MGR,
            station_ip_v6_addr=IPv4Address("192.0.2.8"),
        ),
        SID_BYTES + address("192.0.2.7") + words(7) + address("192.0.2.8"),
        0x29,
    ),
    "token, 52 bytes, although the header says 0": (
        RegisterTokenReq(
            sid=SID,
            station_ip_addr=IPv4Address("192.0.2.7"),
            device_type=DeviceType.STATION_TELECASTER_MGR,
            station_ip_v6_addr=V6,
            unknown=11,
            as_sent=AsSent(form=1),
        ),
        SID_BYTES + address("192.0.2.7") + words(7) + V6.packed + words(11),
        0x29,
    ),
    "which buttons, 0 bytes": (ButtonTemplateReqMessage(), b"", 0x0E),
    "which buttons, 4 bytes": (ButtonTemplateReqMessage(total_button_count=34), words(34), 0x0E),
    "text on the display, 36 bytes, without NUL": (
        DisplayTextMessage(text=b"0123456789abcdef0123456789abcdef", time_out_value=5),
        b"0123456789abcdef0123456789abcdef" + words(5),
        0x99,
    ),
    "text on the display, 40 bytes": (
        DisplayTextMessage(text=b"text", time_out_value=5, as_sent=AsSent(tail=words(6))),
        text(b"text", 32) + words(5, 6),
        0x99,
    ),
    "line, 28 bytes: the number alone": (
        LineStatResMessage(line_number=1, line_dir_number=b"1001"),
        words(1) + text(b"1001", 24),
        0x92,
    ),
    "line, 112 bytes": (
        LineStatResMessage(
            line_number=1,
            line_dir_number=b"1001",
            line_fully_qualified_display_name=b"Ann",
            line_text_label=b"Desk",
            line_display_options=15,
        ),
        words(1) + text(b"1001", 24) + text(b"Ann", 40) + text(b"Desk", 40) + words(15),
        0x92,
    ),
    "line in strings, two of three": (
        LineStatV2ResMessage(
            line_number=1, line_type=2, line_dir_number=b"100", line_fully_qualified_display_name=b"Ann"
        ),
        words(1, 2) + b"100\0Ann\0",
        0x147,
    ),
    "speed dial in strings": (
        SpeedDialStatV2ResMessage(speed_dial_number=3, speed_dial_dir_number=b"1002", speed_dial_display_name=b"Bob"),
        words(3) + b"1002\0Bob\0" + bytes(3),
        0x149,
    ),
    "speed dial, 68 bytes": (
        SpeedDialStatV2FixedResMessage(
            speed_dial_number=3, speed_dial_dir_number=b"1002", speed_dial_display_name=b"Bob"
        ),
        words(3) + text(b"1002", 24) + text(b"Bob", 40),
        0x149,
    ),
    "speed dial in strings under a header version of 32 bits": (
        SpeedDialStatV2ResMessage(
            speed_dial_number=3,
            speed_dial_dir_number=b"1002",
            speed_dial_display_name=b"Bob",
            header_version=0xFFFFFFFF,
        ),
        words(3) + b"1002\0Bob\0" + bytes(3),
        0x149,
    ),
    "service, the number alone": (ServiceURLStatV2ResMessage(service_url_index=4), words(4), 0x148),
}


@pytest.mark.parametrize(("message", "body", "message_id"), REGISTRATION.values(), ids=REGISTRATION)
def test_a_message_of_registration_or_lines_at_a_known_length(message: Message, body: bytes, message_id: int) -> None:
    assert_carries(frame(message_id, body, message.header_version), message)


SUBSCRIPTION: dict[str, Any] = {"transaction_id": 1, "subscription_feature_id": 1, "timer": 60}
SUBSCRIPTION_BYTES = words(1, 1, 60)
DATA: dict[str, Any] = {"application_id": 1, "line_instance": 2, "call_reference": 3, "transaction_id": 4}
XML = b"<CiscoIPPhoneText/>"

ENDINGS: dict[str, tuple[Message, bytes, int]] = {
    "a string in its usual room": (
        SubscriptionStatReqMessage(**SUBSCRIPTION, subscription_id=b"1002"),
        SUBSCRIPTION_BYTES + text(b"1002", 64),
        0x48,
    ),
    "a string in the larger room that some senders have": (
        SubscriptionStatReqMessage(**SUBSCRIPTION, subscription_id=b"1002", as_sent=AsSent(room=256)),
        SUBSCRIPTION_BYTES + text(b"1002", 256),
        0x48,
    ),
    "a string cut short": (
        SubscriptionStatReqMessage(**SUBSCRIPTION, subscription_id=b"1002", as_sent=AsSent(room=8)),
        SUBSCRIPTION_BYTES + text(b"1002", 8),
        0x48,
    ),
    "a string with junk behind it": (
        SubscriptionStatReqMessage(
            **SUBSCRIPTION, subscription_id=b"1002", as_sent=AsSent(junk=(("subscriptionID", b"\xcc" * 59),))
        ),
        SUBSCRIPTION_BYTES + b"1002\0" + b"\xcc" * 59,
        0x48,
    ),
    "a string longer than the room of any sender": (
        SubscriptionStatReqMessage(**SUBSCRIPTION, subscription_id=b"x" * 256, as_sent=AsSent(room=256, tail=b"y" * 4)),
        SUBSCRIPTION_BYTES + b"x" * 256 + b"y" * 4,
        0x48,
    ),
    "no string": (SubscriptionStatReqMessage(**SUBSCRIPTION), SUBSCRIPTION_BYTES, 0x48),
    "a string of 257 bytes, rounded up": (
        AddParticipantResMessage(
            conference_id=1,
            call_reference=2,
            add_participant_result=AddParticipantResult(0),
            bridge_participant_id=b"b1",
        ),
        words(1, 2, 0) + text(b"b1", 257) + bytes(3),
        0x38,
    ),
    "a number in place of a string": (
        AddParticipantResMessage(
            conference_id=1,
            call_reference=2,
            add_participant_result=AddParticipantResult(0),
            bridge_participant_id=b"\1",
            as_sent=AsSent(room=4),
        ),
        words(1, 2, 0, 1),
        0x38,
    ),
    "a body that is one string of 2401 bytes, rounded up": (
        LocationInfoMessage(location_info=b"<ap/>"),
        text(b"<ap/>", 2401) + bytes(3),
        0x157,
    ),
    "a body that is one free string": (EnhancedAlarmMessage(alarm_info=b"<x/>"), b"<x/>", 0x15A),
    "a body that is one free string, rounded up": (EnhancedAlarmMessage(alarm_info=b"<xyz/>"), b"<xyz/>\0\0", 0x15A),
    "a free string in room": (
        EnhancedAlarmMessage(alarm_info=b"<x/>", as_sent=AsSent(room=12)),
        b"<x/>" + bytes(8),
        0x15A,
    ),
    "a free string in room full of junk": (
        EnhancedAlarmMessage(alarm_info=b"<x/>", as_sent=AsSent(room=12, junk=(("alarmInfo", b"\xcc" * 7),))),
        b"<x/>\0" + b"\xcc" * 7,
        0x15A,
    ),
    "an empty free string": (EnhancedAlarmMessage(alarm_info=b""), b"", 0x15A),
    "data as long as was counted": (
        UserToDeviceDataMessage(user_to_device_data=UserAndDeviceData(**DATA, data_length=len(XML), xmldata=XML)),
        words(1, 2, 3, 4, len(XML)) + XML + b"\0",
        0x11E,
    ),
    "data in a reservoir": (
        UserToDeviceDataMessage(
            user_to_device_data=UserAndDeviceData(**DATA, data_length=len(XML), xmldata=XML), as_sent=AsSent(room=2000)
        ),
        words(1, 2, 3, 4, len(XML)) + text(XML, 2000),
        0x11E,
    ),
    "data with other data behind it": (
        UserToDeviceDataMessage(
            user_to_device_data=UserAndDeviceData(**DATA, data_length=5, xmldata=b"hello"),
            as_sent=AsSent(room=12, junk=(("userToDeviceData.xmldata", b" world!"),)),
        ),
        words(1, 2, 3, 4, 5) + b"hello world!",
        0x11E,
    ),
    "less data than was counted": (
        UserToDeviceDataMessage(user_to_device_data=UserAndDeviceData(**DATA, data_length=99, xmldata=b"hell")),
        words(1, 2, 3, 4, 99) + b"hell",
        0x11E,
    ),
    "more than the sender's buffer holds": (
        UserToDeviceDataMessage(
            user_to_device_data=UserAndDeviceData(**DATA, data_length=4, xmldata=b"data"),
            as_sent=AsSent(room=2000, tail=b"\xcc" * 4),
        ),
        words(1, 2, 3, 4, 4) + text(b"data", 2000) + b"\xcc" * 4,
        0x11E,
    ),
}


@pytest.mark.parametrize(("message", "body", "message_id"), ENDINGS.values(), ids=ENDINGS)
def test_what_ends_a_body_takes_what_is_left(message: Message, body: bytes, message_id: int) -> None:
    assert_carries(frame(message_id, body), message)


def test_a_body_that_stops_inside_a_field_keeps_the_piece() -> None:
    for length in range(113):
        whole = bytes(range(1, 113))[:length]
        found = decode(frame(0x92, whole))
        assert isinstance(found, LineStatResMessage)
        assert (found.line_number is None) == (length < 4)
        assert (found.line_dir_number is None) == (length < 28)
        assert (found.line_display_options is None) == (length < 112)
        assert encode(found) == frame(0x92, whole)
