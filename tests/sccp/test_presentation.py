"""A message's fields as plain data and for people."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from tests.sccp.wire import address, halves, text, words

from callgate.sccp import (
    AsSent,
    Message,
    UnknownMessage,
    decode,
    described,
    fields_of,
    labelled,
    text_of,
    unexplained_tail,
)
from callgate.sccp.enums.media import MediaPayloadType, PortHandling
from callgate.sccp.fields import RawAddress
from callgate.sccp.framing import frame
from callgate.sccp.messages.calls import CallStateMessage, Precedence
from callgate.sccp.messages.capabilities import CapabilitiesResMessage, MediaCapability
from callgate.sccp.messages.display import DisplayTextMessage
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.lines import LineStatV2ResMessage
from callgate.sccp.messages.media import (
    MediaPortListMessage,
    OpenReceiveChannelAckMessage,
    OpenReceiveChannelMessage,
    StartMediaReceptionMessage,
    StopMediaTransmissionMessage,
)
from callgate.sccp.messages.registration import RegisterRejectMessage, RegisterReqMessage
from callgate.sccp.messages.structures import CodecParameters, MediaQualifierIncoming, StationIdentifier
from callgate.sccp.messages.user_data import UserAndDeviceData, UserToDeviceDataMessage
from callgate.sccp.presentation import form_of

V4 = IPv4Address("192.0.2.7")
CAPS = (
    MediaCapability(MediaPayloadType.G711_ULAW64K, 20, CodecParameters(1, 2, 3, 4)),
    MediaCapability(MediaPayloadType.G7231, 30, 2),
    MediaCapability(9999, 40, CodecParameters(0, 0, 0, 0)),
)

PLAIN: dict[str, tuple[Message | UnknownMessage, dict[str, Any]]] = {
    "numbers, those that are there": (
        KeypadButtonMessage(kp_button=5, line_instance=1),
        {"kpButton": 5, "lineInstance": 1},
    ),
    "no field": (KeypadButtonMessage(), {}),
    "a structure": (
        CallStateMessage(call_state=4, line_instance=1, call_reference=2, privacy=0, precedence=Precedence(3, 0)),
        {
            "callState": 4,
            "lineInstance": 1,
            "callReference": 2,
            "privacy": 0,
            "precedence": {"precedenceLevel": 3, "precedenceDomain": 0},
        },
    ),
    "addresses, a hardware address, strings": (
        RegisterReqMessage(
            sid=StationIdentifier(b"SEP001122334455", 0, 1),
            station_ip_addr=V4,
            mac_address=b"\0\x11\x22\x33\x44\x55",
            station_ip_v6_addr=IPv6Address("2001:db8::7"),
            firmware_load_name=b"SCCP41",
        ),
        {
            "sid": {"DeviceName": "SEP001122334455", "reserved_for_future_use": 0, "instance": 1},
            "stationIpAddr": "192.0.2.7",
            "macAddress": "00:11:22:33:44:55",
            "stationIpV6Addr": "2001:db8::7",
            "firmwareLoadName": "SCCP41",
        },
    ),
    "an address of both families": (
        OpenReceiveChannelAckMessage(
            media_reception_status=0, ip_addr=RawAddress(2, bytes(range(16))), header_version=17
        ),
        {"mediaReceptionStatus": 0, "ipAddr": {"family": 2, "octets": "000102030405060708090a0b0c0d0e0f"}},
    ),
    "octets that are no hardware address": (
        StartMediaReceptionMessage(ip_addr=V4, uninitialised=b"twelve bytes"),
        {"ipAddr": "192.0.2.7", "uninitialised": b"twelve bytes".hex()},
    ),
    "entries and what their unions hold": (
        CapabilitiesResMessage(cap_count=3, caps=CAPS),
        {
            "capCount": 3,
            "caps": [
                {
                    "payloadCapability": 4,
                    "maxFramesPerPacket": 20,
                    "PAYLOADS": {
                        "codecParams": {"codecMode": 1, "dynamicPayload": 2, "codecParam1": 3, "codecParam2": 4}
                    },
                },
                {"payloadCapability": 9, "maxFramesPerPacket": 30, "PAYLOADS": {"g723BitRate": 2}},
                {
                    "payloadCapability": 9999,
                    "maxFramesPerPacket": 40,
                    "PAYLOADS": {
                        "codecParams": {"codecMode": 0, "dynamicPayload": 0, "codecParam1": 0, "codecParam2": 0}
                    },
                },
            ],
        },
    ),
    "a union selected from outside its structure": (
        OpenReceiveChannelMessage(
            conference_id=1, compression_type=9, qualifier_in=MediaQualifierIncoming(0, 1), header_version=11
        ),
        {
            "conferenceId": 1,
            "compressionType": 9,
            "qualifierIn": {"ecValue": 0, "codecParamsUnion": {"g723BitRate": 1}},
        },
    ),
    "a union whose selector is missing": (
        OpenReceiveChannelMessage(qualifier_in=MediaQualifierIncoming(0, CodecParameters(1)), header_version=11),
        {"qualifierIn": {"ecValue": 0, "codecParamsUnion": {"CodecParameters": {"codecMode": 1}}}},
    ),
    "a list of numbers": (
        MediaPortListMessage(port_count=2, rtp_media_port=(16384, 16386)),
        {"portCount": 2, "rtpMediaPort": [16384, 16386]},
    ),
    "data as text": (
        UserToDeviceDataMessage(user_to_device_data=UserAndDeviceData(data_length=4, xmldata=b"<x/>")),
        {"userToDeviceData": {"dataLength": 4, "xmldata": "<x/>"}},
    ),
    "strings that take their own bytes": (
        LineStatV2ResMessage(line_number=1, line_dir_number=b"1001"),
        {"lineNumber": 1, "lineDirNumber": "1001"},
    ),
    "an unknown message": (UnknownMessage(0x7000, b"\x01\xff"), {"body": "01ff"}),
    "an unknown message without a body": (UnknownMessage(0x7000), {"body": ""}),
}


@pytest.mark.parametrize(("message", "plain"), PLAIN.values(), ids=PLAIN)
def test_the_fields_that_are_there_as_plain_data(message: Message | UnknownMessage, plain: dict[str, Any]) -> None:
    found = fields_of(message)
    assert found == plain
    assert list(found) == list(plain)
    assert json.loads(json.dumps(found)) == plain
    assert all(type(value) in (int, str, list, dict) for value in found.values())


def test_a_key_is_hexadecimal_and_only_as_long_as_counted() -> None:
    body = words(1, 2, 20, 4, 0, 0, 5) + words(1) + halves(3, 2) + text(b"abc", 16) + text(b"de", 16) + words(0, 0)
    found = fields_of(decode(frame(0x105, body)))
    assert found["mRxMediaEncryptionKeyInfo"]["key"] == "616263"
    assert found["mRxMediaEncryptionKeyInfo"]["salt"] == "6465"


def test_a_union_that_no_member_is_chosen_for_is_hexadecimal() -> None:
    video = words(103, 2, 0) + bytes(96) + words(64, 50)
    body = bytearray(1840)
    body[4:8] = words(1)
    start = 20 + 120 + 12 + 160 + 288
    body[start : start + 116] = video
    found = fields_of(decode(frame(0x30, bytes(body))))
    assert found["vidCaps"][0]["payloadCapability"] == 103
    assert found["vidCaps"][0]["capability"] == words(64, 50).hex()


def test_the_form_of_a_message_is_that_of_its_version_or_as_it_was_sent() -> None:
    assert form_of(OpenReceiveChannelAckMessage(header_version=16)) == (("address", 4),)
    assert form_of(OpenReceiveChannelAckMessage(header_version=17)) == (("address", 20),)
    assert form_of(OpenReceiveChannelAckMessage(header_version=99)) == (("address", 20),)
    assert form_of(OpenReceiveChannelAckMessage(as_sent=AsSent(form=1))) == (("address", 20),)
    assert form_of(OpenReceiveChannelAckMessage(header_version=17, as_sent=AsSent(form=0))) == (("address", 4),)
    assert form_of(OpenReceiveChannelAckMessage(header_version=17, as_sent=AsSent(room=3))) == (("address", 20),)


@pytest.mark.parametrize(
    ("string", "utf8", "expected"),
    [
        (b"Zo\xc3\xab", None, "Zoë"),
        (b"Zo\xc3\xab", True, "Zoë"),
        (b"Zo\xc3\xab", False, "ZoÃ«"),
        (b"Zo\xeb", None, "Zoë"),
        (b"Zo\xeb", False, "Zoë"),
        (b"Zo\xeb", True, "Zo\N{REPLACEMENT CHARACTER}"),
        (b"", None, ""),
        (bytes(range(128, 256)), None, bytes(range(128, 256)).decode("latin-1")),
    ],
)
def test_a_string_is_text_in_one_of_two_encodings(string: bytes, utf8: bool | None, expected: str) -> None:
    assert text_of(string, utf8=utf8) == expected
    assert labelled(string, utf8=utf8) == expected
    assert fields_of(RegisterRejectMessage(text=string[:32]), utf8=utf8) == {"text": text_of(string[:32], utf8=utf8)}


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        (b"\x80\x01", "{Redial}"),
        (b"\x80\x01 \x80\x02", "{Redial} {Newcall}"),
        (b"to \x80\x01", "to {Redial}"),
        (b"\x80\x01\xc3\xab", "{Redial}ë"),
        (b"\x80", "\x80"),
        (b"a\x80", "a\x80"),
        (b"\x80\xff", "\x80ÿ"),
        (b"", ""),
    ],
)
def test_labels_that_the_phone_has_a_text_for_are_in_braces(string: bytes, expected: str) -> None:
    assert labelled(string) == expected


@pytest.mark.parametrize(
    ("message", "tail"),
    [
        (UnknownMessage(0x7000, b"body"), b""),
        (KeypadButtonMessage(), b""),
        (KeypadButtonMessage(as_sent=AsSent()), b""),
        (KeypadButtonMessage(as_sent=AsSent(tail=b"")), b""),
        (KeypadButtonMessage(as_sent=AsSent(tail=bytes(3))), b""),
        (KeypadButtonMessage(as_sent=AsSent(tail=bytes(4))), bytes(4)),
        (KeypadButtonMessage(as_sent=AsSent(tail=b"\0\1")), b"\0\1"),
        (StopMediaTransmissionMessage(as_sent=AsSent(tail=b"junk")), b""),
        (StopMediaTransmissionMessage(as_sent=AsSent(tail=b"junk!")), b"junk!"),
    ],
)
def test_a_tail_is_unexplained_if_it_neither_rounds_up_nor_is_known(
    message: Message | UnknownMessage, tail: bytes
) -> None:
    assert unexplained_tail(message) == tail


DESCRIBED: dict[str, tuple[Message | UnknownMessage, list[tuple[str, str]]]] = {
    "names of values": (
        StopMediaTransmissionMessage(conference_id=3, port_handling_flag=PortHandling.KEEP_PORT),
        [("conferenceId", "3"), ("portHandlingFlag", "KEEP_PORT")],
    ),
    "a structure and strings": (
        RegisterReqMessage(sid=StationIdentifier(b"SEP001122334455", None, 1), station_ip_addr=V4),
        [("sid.DeviceName", '"SEP001122334455"'), ("sid.instance", "1"), ("stationIpAddr", "192.0.2.7")],
    ),
    "an array is counted": (
        CapabilitiesResMessage(cap_count=3, caps=CAPS, as_sent=AsSent(room=48)),
        [("capCount", "3"), ("caps", "[3]")],
    ),
    "a label": (DisplayTextMessage(text=b"\x80\x01"), [("text", '"{Redial}"')]),
    "what would move a terminal's cursor": (DisplayTextMessage(text=b"a\x1b[2Jb"), [("text", '"a\\u001b[2Jb"')]),
    "letters that are printable": (DisplayTextMessage(text=b"Zo\xc3\xab"), [("text", '"Zoë"')]),
    "a quote": (DisplayTextMessage(text=b'a"b'), [("text", '"a\\"b"')]),
    "an unknown message": (UnknownMessage(0x7000, b"\1\xff"), [("body", "01ff")]),
    "an unknown message without a body": (UnknownMessage(0x7000), []),
}


@pytest.mark.parametrize(("message", "lines"), DESCRIBED.values(), ids=DESCRIBED)
def test_the_fields_for_people(message: Message | UnknownMessage, lines: list[tuple[str, str]]) -> None:
    assert list(described(message)) == lines


def test_each_entry_of_an_array_for_people() -> None:
    found = list(described(CapabilitiesResMessage(cap_count=2, caps=CAPS[:2]), entries=True))
    assert found == [
        ("capCount", "2"),
        ("caps[0].payloadCapability", "G711_ULAW64K"),
        ("caps[0].maxFramesPerPacket", "20"),
        ("caps[0].PAYLOADS.codecMode", "1"),
        ("caps[0].PAYLOADS.dynamicPayload", "2"),
        ("caps[0].PAYLOADS.codecParam1", "3"),
        ("caps[0].PAYLOADS.codecParam2", "4"),
        ("caps[1].payloadCapability", "G7231"),
        ("caps[1].maxFramesPerPacket", "30"),
        ("caps[1].PAYLOADS", "2"),
    ]
    ports = MediaPortListMessage(port_count=2, rtp_media_port=(1, 2))
    assert list(described(ports, entries=True))[1:] == [("rtpMediaPort[0]", "1"), ("rtpMediaPort[1]", "2")]


def test_text_for_people_is_in_the_encoding_of_the_phone() -> None:
    message = DisplayTextMessage(text=b"Zo\xc3\xab")
    assert list(described(message, utf8=False)) == [("text", '"ZoÃ«"')]
    assert list(described(message, utf8=True)) == [("text", '"Zoë"')]


def test_an_address_as_it_is_in_a_frame() -> None:
    found = decode(frame(0x22, words(0) + address("192.0.2.7") + words(16384, 7)))
    assert fields_of(found)["ipAddr"] == "192.0.2.7"
    assert dict(described(found))["ipAddr"] == "192.0.2.7"
