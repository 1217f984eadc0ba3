"""Headers: lengths that cannot be, ids that nobody knows, versions that are too high, and what version 0 means."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from tests.sccp.wire import address, assert_carries, family_v4, text, words

from callgate.errors import ProtocolError
from callgate.sccp import AsSent, Decoder, Message, Negotiation, UnknownMessage, decode, encode
from callgate.sccp.codec import class_of, reading, readings
from callgate.sccp.framing import HEADER, frame
from callgate.sccp.messages.calls import CallInfoV2Message
from callgate.sccp.messages.devices import (
    ConfigStatV2FixedResMessage,
    ConfigStatV2ResMessage,
    DynamicStationIdentifier,
)
from callgate.sccp.messages.keys import EnblocCallMessage, KeypadButtonMessage
from callgate.sccp.messages.lines import SpeedDialStatV2FixedResMessage, SpeedDialStatV2ResMessage
from callgate.sccp.messages.media import OpenReceiveChannelAckMessage, OpenReceiveChannelMessage
from callgate.sccp.messages.registration import KeepAliveReqMessage
from callgate.sccp.messages.structures import CodecParameters, StationIdentifier

PARAMETERS = CodecParameters(codec_mode=7, dynamic_payload=0, codec_param1=0, codec_param2=0)
PHONE = IPv4Address("192.0.2.7")


@pytest.mark.parametrize("length", [0, 1, 3, 8193, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_a_protocol_error(length: int) -> None:
    with pytest.raises(ProtocolError) as raised:
        decode(HEADER.pack(length, 0, 0) + bytes(8))
    assert str(raised.value) == f"SCCP length {length} is not in 4..8192"
    with pytest.raises(ProtocolError, match=f"SCCP length {length} is not in"):
        Decoder().feed(HEADER.pack(length, 0, 0))


def test_the_shortest_and_the_longest_message() -> None:
    assert_carries(frame(0), KeepAliveReqMessage())
    body = bytes(range(256)) * 32
    longest = UnknownMessage(0x7000, body[:8188])
    assert decode(frame(0x7000, body[:8188])) == longest
    assert Decoder().feed(frame(0x7000, body[:8188])) == [longest]
    assert encode(longest) == HEADER.pack(8192, 0, 0x7000) + body[:8188]


@pytest.mark.parametrize("data", [b"", bytes(11)])
def test_less_than_a_header_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        decode(data)
    assert str(raised.value) == f"an SCCP header takes 12 bytes, {len(data)} are there"


def test_a_frame_has_the_bytes_its_header_announces() -> None:
    with pytest.raises(ProtocolError) as raised:
        decode(frame(3, words(5))[:-1])
    assert str(raised.value) == "the SCCP header announces 16 bytes, 15 are there"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_is_decoded(kind: type) -> None:
    expected = KeypadButtonMessage(kp_button=5)
    assert decode(kind(frame(3, words(5)))) == expected
    assert Decoder().feed(kind(frame(3, words(5)))) == [expected]


@pytest.mark.parametrize(("message_id", "version"), [(0x7000, 0), (0xFFFFFFFF, 22), (0x29A, 0xFFFFFFFF)])
def test_a_message_of_an_id_that_nobody_knows_is_kept(message_id: int, version: int) -> None:
    assert class_of(message_id, 5) is None
    assert_carries(frame(message_id, b"12345", version), UnknownMessage(message_id, b"12345", version))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (UnknownMessage(-1), "SCCP header: "),
        (UnknownMessage(1 << 32), "SCCP header: "),
        (UnknownMessage(0x7000, b"", 1 << 32), "SCCP header: "),
        (UnknownMessage(0x7000, None), "SCCP header: "),  # type: ignore[arg-type]
    ],
)
def test_an_unknown_message_that_no_header_can_announce(message: UnknownMessage, reason: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        encode(message)
    assert str(raised.value).startswith(reason)
    assert len(str(raised.value)) > len(reason)


def test_one_id_has_a_class_of_its_own_for_one_length() -> None:
    assert class_of(0x149, 68) is SpeedDialStatV2FixedResMessage
    assert class_of(0x149, 64) is SpeedDialStatV2ResMessage
    assert class_of(0x149, 72) is SpeedDialStatV2ResMessage


@pytest.mark.parametrize("version", [23, 33, 0xFFFFFFFF])
def test_a_version_above_the_newest_is_read_as_the_newest_and_kept(version: int) -> None:
    message = OpenReceiveChannelAckMessage(
        media_reception_status=0,
        ip_addr=PHONE,
        port_number=1,
        pass_through_party_id=2,
        call_reference=3,
        header_version=version,
    )
    body = words(0) + family_v4("192.0.2.7") + words(1, 2, 3)
    assert_carries(frame(0x22, body, version), message)
    found = decode(frame(4, text(b"600", 28) + words(1), version))
    assert found == EnblocCallMessage(called_party=b"600", line_instance=1, header_version=version)


NARROW = words(0) + address("192.0.2.7") + words(1, 2, 3)
WIDE = words(0) + family_v4("192.0.2.7") + words(1, 2, 3)


def ack(sent: AsSent | None = None, call_reference: int | None = 3, header_version: int = 0) -> Message:
    return OpenReceiveChannelAckMessage(
        media_reception_status=0,
        ip_addr=PHONE,
        port_number=1,
        pass_through_party_id=2,
        call_reference=call_reference,
        header_version=header_version,
        as_sent=sent,
    )


@pytest.mark.parametrize("negotiated", [0, 11, 16, 17, 22, 33])
def test_under_header_0_a_whole_length_counts_more_than_what_is_negotiated(negotiated: int) -> None:
    assert_carries(frame(0x22, NARROW), ack(), min(negotiated, 22))
    assert decode(frame(0x22, WIDE), negotiated=negotiated) == ack(AsSent(form=1))


def test_under_header_0_a_length_that_is_whole_in_no_form_goes_by_what_is_negotiated() -> None:
    """Sixteen bytes: up to the pass-through id in the narrow form, inside the address in the wide one."""
    assert decode(frame(0x22, NARROW[:16]), negotiated=0) == ack(call_reference=None)
    assert decode(frame(0x22, NARROW[:16]), negotiated=17) == ack(call_reference=None)
    # 32 bytes: the wide form without its last field; the narrow one has no such end.
    assert decode(frame(0x22, WIDE[:32]), negotiated=0) == ack(AsSent(form=1), call_reference=None)


def test_a_header_that_names_a_version_is_believed_where_the_body_can_end_so() -> None:
    """24 bytes end with the port number from 17, and with nothing before; the other way round with 12."""
    wide = decode(frame(0x22, WIDE[:28], 17))
    assert wide == OpenReceiveChannelAckMessage(
        media_reception_status=0, ip_addr=PHONE, port_number=1, header_version=17
    )
    assert decode(frame(0x22, NARROW, 22)) == ack(AsSent(form=0), header_version=22)
    assert decode(frame(0x22, WIDE, 11)) == ack(AsSent(form=1), header_version=11)


def test_a_length_that_fits_no_form_is_read_in_the_usual_one_and_its_tail_kept() -> None:
    found = decode(frame(0x22, NARROW + b"tail!!", 11))
    assert found == ack(AsSent(tail=b"tail!!"), header_version=11)
    assert encode(found) == frame(0x22, NARROW + b"tail!!", 11)


@pytest.mark.parametrize(
    ("negotiated", "word", "sent"),
    [(0, 7, None), (10, 7, None), (11, PARAMETERS, AsSent(form=1)), (33, PARAMETERS, AsSent(form=3))],
)
def test_what_is_negotiated_tells_the_form_where_a_length_is_whole_in_all(
    negotiated: int, word: object, sent: AsSent | None
) -> None:
    body = words(1, 2, 20, 4, 0, 7) + bytes(68)
    found = decode(frame(0x105, body), negotiated=negotiated)
    assert isinstance(found, OpenReceiveChannelMessage)
    assert found.qualifier_in is not None
    assert (found.qualifier_in.codec_params_union, found.as_sent) == (word, sent)
    assert encode(found) == frame(0x105, body)


def test_a_stream_goes_by_the_version_that_its_registration_negotiated() -> None:
    call = frame(0x14A, words(*range(8)) + b"1\x002\x003\0\0\0")
    accepted = frame(0x81, bytes(16) + bytes([22, 0, 0, 0]))
    negotiation = Negotiation()
    phone, server = Decoder(negotiation=negotiation), Decoder(negotiation=negotiation)
    phone.feed(frame(1, bytes(40) + bytes([11, 0, 0, 0])))
    found = server.feed(call + accepted + call)
    assert [message.called_party for message in found if isinstance(message, CallInfoV2Message)] == [b"3", b"2"]
    assert negotiation.version == 11


NAME = DynamicStationIdentifier(b"SEP001122334455", 1, 2)
NAMED = b"SEP001122334455\0" + words(1, 2)

LED: dict[str, tuple[ConfigStatV2ResMessage, bytes]] = {
    "all fields": (
        ConfigStatV2ResMessage(
            sid=NAME, number_of_lines=3, number_of_speed_dials=4, user_name=b"ann", server_name=b"cm"
        ),
        NAMED + words(3, 4) + b"ann\0cm\0\0",
    ),
    "a short name, so that all else is unaligned": (
        ConfigStatV2ResMessage(
            sid=DynamicStationIdentifier(b"AB", 1, 2), number_of_lines=3, number_of_speed_dials=4, user_name=b""
        ),
        b"AB\0" + words(1, 2, 3, 4) + b"\0",
    ),
    "an empty name and junk behind the strings": (
        ConfigStatV2ResMessage(
            sid=DynamicStationIdentifier(b"", 1, 2),
            number_of_lines=3,
            number_of_speed_dials=4,
            user_name=b"ann",
            server_name=b"cm",
            as_sent=AsSent(tail=b"junk"),
        ),
        b"\0" + words(1, 2, 3, 4) + b"ann\0cm\0junk",
    ),
    "stops behind the identifier": (ConfigStatV2ResMessage(sid=NAME), NAMED),
    "stops behind the name": (
        ConfigStatV2ResMessage(sid=DynamicStationIdentifier(b"SEP"), as_sent=None),
        b"SEP\0",
    ),
    "a name without its NUL is no field": (ConfigStatV2ResMessage(as_sent=AsSent(tail=b"SEP0")), b"SEP0"),
    "nothing": (ConfigStatV2ResMessage(), b""),
}


@pytest.mark.parametrize(("message", "body"), LED.values(), ids=LED)
def test_a_string_that_begins_the_body_moves_what_follows(message: ConfigStatV2ResMessage, body: bytes) -> None:
    assert_carries(frame(0x142, body), message)


def test_the_layout_with_strings_of_fixed_size_is_told_by_its_length() -> None:
    message = ConfigStatV2FixedResMessage(
        sid=StationIdentifier(b"SEP001122334455", 1, 2),
        user_name=b"ann",
        server_name=b"x" * 121,
        number_of_lines=3,
        number_of_speed_dials=4,
    )
    start = text(b"SEP001122334455", 16) + words(1, 2) + text(b"ann", 121) + b"x" * 121
    assert_carries(frame(0x142, start + b"\0\0" + words(3, 4)), message)
    found = decode(frame(0x142, start + b"yz" + words(3, 4)))
    assert isinstance(found, ConfigStatV2FixedResMessage)
    assert (found.server_name, found.as_sent) == (b"x" * 121, AsSent(junk=(("serverName", b"yz"),)))
    assert encode(found) == frame(0x142, start + b"yz" + words(3, 4))


def test_readings_of_headers_are_remembered_and_never_more_than_4096() -> None:
    known = readings(5)
    known.clear()
    header = frame(0x7000)
    assert reading(header, 5) is reading(header, 5)
    assert list(known) == [header]
    for number in range(1, 4096):
        reading(HEADER.pack(4, 0, 0x7000 + number), 5)
    assert len(known) == 4096
    reading(HEADER.pack(4, 0, 0x9000), 5)
    assert list(known) == [HEADER.pack(4, 0, 0x9000)]
    assert readings(99) is readings(22)
    assert readings() is readings(0)
    assert readings(21) is not readings(22)
