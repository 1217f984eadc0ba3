"""Strict reading: for each rule a frame that keeps it and one that breaks it, and what the error says."""

from __future__ import annotations

import pytest
from tests.sccp.wire import address, halves, text, words

from callgate.errors import ProtocolError
from callgate.sccp import FieldError, UnknownMessage, decode, decode_strict, encode, encode_strict
from callgate.sccp.framing import frame
from callgate.sccp.messages.calls import CallInfoMessage
from callgate.sccp.messages.display import DisplayTextMessage
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.lines import LineStatV2ResMessage
from callgate.sccp.strict import check

CALL = words(*range(8))
KEY = words(1) + halves(3, 2) + text(b"abc", 16) + text(b"de", 16) + words(0, 0)
OPEN = words(1, 2, 20, 4, 0, 0, 5)
CAPABILITY = words(4, 20, 0, 0)
SERVERS = bytes(240) + words(1, 2, 3, 4, 5)

KEPT: dict[str, bytes] = {
    "a keepalive": frame(0),
    "an id that nobody knows": frame(0x7000, b"12345"),
    "every length that senders write": frame(0x8F, bytes(128)),
    "known bytes behind the fields": frame(0x9D, text(b"No Authority: ", 32) + b"\0"),
    "known bytes that are not zero": frame(0x9D, text(b"x", 32) + b"junk"),
    "as many entries as counted": frame(0x10, words(1) + CAPABILITY + bytes(17 * 16)),
    "as many bytes of key as counted": frame(0x105, OPEN + KEY + words(1, 2, 3, 4)),
    "as much data as counted": frame(0x23, bytes(60) + words(3) + b"abc\0", 17),
    "a reservoir of zeros behind the data": frame(0x23, bytes(60) + words(3) + text(b"abc", 600), 17),
    "strings that leave room for their NUL": frame(0x14A, CALL + b"1" * 24 + b"\0" + bytes(15), 22),
    "a count of what is not there": frame(0x97, words(0, 0, 0)),
    "half a message": frame(0x8A, words(1, 2) + address("192.0.2.7") + words(1, 2, 3, 4, 5, 6)),
}


@pytest.mark.parametrize("sent", KEPT.values(), ids=KEPT)
def test_a_frame_that_keeps_all_rules_is_its_message(sent: bytes) -> None:
    message = decode_strict(sent)
    assert message == decode(sent)
    assert encode(message) == sent


BROKEN: dict[str, tuple[bytes, str]] = {
    "a length that no sender writes": (
        frame(0x8F, bytes(104)),
        "SCCP CallInfoMessage: a body of 104 bytes; known ones have 128 to 384",
    ),
    "more bytes than any sender adds": (
        frame(0x9D, text(b"x", 32) + bytes(5)),
        "SCCP RegisterRejectMessage (body offset 32): 5 bytes are behind the fields",
    ),
    "bytes behind a message that has none": (
        frame(0x22, bytes(20) + bytes(3)),
        "SCCP OpenReceiveChannelAckMessage (body offset 20): 3 bytes are behind the fields",
    ),
    "bytes that end in the middle of a field": (
        frame(3, words(5) + b"\1\2"),
        "SCCP KeypadButtonMessage (body offset 4): 2 bytes are behind the fields",
    ),
    "strings that are not rounded up": (
        frame(0x14A, CALL + b"1001\0", 22),
        "SCCP CallInfoV2Message (body offset 37): the body is not rounded up to 4",
    ),
    "junk behind a string's end": (
        frame(0x9D, text(b"text\0junk", 32)),
        "SCCP RegisterRejectMessage text (body offset 0): 27 bytes of unused room are not zero",
    ),
    "junk in a field behind others": (
        frame(0x92, words(1) + text(b"1001\0j", 24)),
        "SCCP LineStatResMessage lineDirNumber (body offset 4): 19 bytes of unused room are not zero",
    ),
    "junk behind the counted entries": (
        frame(0x97, words(0, 1, 1) + bytes([1, 9]) + b"\0\xff" * 41),
        "SCCP ButtonTemplateResMessage buttonTemplate.definition (body offset 12): "
        "82 bytes of unused room are not zero",
    ),
    "junk inside an entry": (
        frame(0x9E, SERVERS + bytes(20) + words(0) + bytes(4) + b"j" + bytes(11) + bytes(60), 17),
        "SCCP ServerResMessage serverIpAddr[1].stationIpAddr (body offset 260): 12 bytes of unused room are not zero",
    ),
    "junk behind the data": (
        frame(0x23, bytes(60) + words(3) + text(b"abcdef", 600), 17),
        "SCCP ConnectionStatisticsResMessage data (body offset 64): 597 bytes of unused room are not zero",
    ),
    "more entries counted than there is room for": (
        frame(0x10, words(19) + CAPABILITY * 18),
        "SCCP CapabilitiesResMessage capCount (body offset 0): counts 19, there are 18 in caps",
    ),
    "more entries counted in a structure": (
        frame(0x97, words(0, 0, 43) + bytes([1, 9]) * 42),
        "SCCP ButtonTemplateResMessage buttonTemplate.totalButtonCount (body offset 8): "
        "counts 43, there are 42 in buttonTemplate.definition",
    ),
    "more bytes of key counted than there is room for": (
        frame(0x105, OPEN + words(1) + halves(17, 0) + b"k" * 16 + bytes(24)),
        "SCCP OpenReceiveChannelMessage mRxMediaEncryptionKeyInfo.keylen (body offset 32): "
        "counts 17, there are 16 in mRxMediaEncryptionKeyInfo.key",
    ),
    "more data counted than is there": (
        frame(0x11E, words(1, 2, 3, 4, 9) + b"data"),
        "SCCP UserToDeviceDataMessage userToDeviceData.dataLength (body offset 16): "
        "counts 9, there are 4 in userToDeviceData.xmldata",
    ),
    "a string that leaves no room for its NUL": (
        frame(0x14A, CALL + b"1" * 25 + b"\0" + bytes(14), 22),
        "SCCP CallInfoV2Message callingParty (body offset 32): 25 bytes and a NUL exceed 25",
    ),
    "a leading string that leaves no room for its NUL": (
        frame(0x142, b"1" * 16 + b"\0" + words(1, 2, 3, 4) + bytes(3)),
        "SCCP ConfigStatV2ResMessage sid.DeviceName (body offset 0): 16 bytes and a NUL exceed 16",
    ),
    "a last string without its NUL": (
        frame(0x14A, CALL + b"1001", 22),
        "SCCP CallInfoV2Message (body offset 36): the last string has no NUL",
    ),
}


@pytest.mark.parametrize(("sent", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_frame_that_breaks_a_rule_is_refused(sent: bytes, reason: str) -> None:
    with pytest.raises(FieldError) as raised:
        decode_strict(sent)
    assert str(raised.value) == reason
    assert encode(decode(sent)) == sent


def test_the_error_tells_field_offset_and_rule_apart() -> None:
    with pytest.raises(FieldError) as raised:
        decode_strict(frame(0x92, words(1) + text(b"1001\0j", 24)))
    found = raised.value
    assert (found.field, found.offset) == ("LineStatResMessage lineDirNumber", 4)
    assert found.rule == "19 bytes of unused room are not zero"
    assert isinstance(found, ProtocolError)


def test_what_is_no_frame_is_refused_as_by_faithful_reading() -> None:
    with pytest.raises(ProtocolError, match="announces 12 bytes, 13 are there"):
        decode_strict(frame(0) + b"\0")


def test_an_unknown_message_breaks_no_rule() -> None:
    assert decode_strict(frame(0x7000, b"12345", 0xFFFFFFFF)) == UnknownMessage(0x7000, b"12345", 0xFFFFFFFF)


def test_a_body_without_the_structure_that_holds_a_string_is_too_short() -> None:
    with pytest.raises(FieldError) as raised:
        decode_strict(frame(0x142))
    assert str(raised.value) == "SCCP ConfigStatV2ResMessage: a body of 0 bytes; known ones have 19 to 276"


def test_a_message_that_breaks_a_rule_is_not_written() -> None:
    kept = DisplayTextMessage(text=b"text", time_out_value=5)
    assert encode_strict(kept) == encode(kept)
    unknown = UnknownMessage(0x7000, b"12345")
    assert encode_strict(unknown) == encode(unknown)
    short = CallInfoMessage(calling_party_name=b"Ann")
    assert len(encode(short)) == 52
    with pytest.raises(FieldError) as raised:
        encode_strict(short)
    assert str(raised.value) == "SCCP CallInfoMessage: a body of 40 bytes; known ones have 128 to 384"
    with pytest.raises(FieldError, match="25 bytes and a NUL exceed 25"):
        encode_strict(LineStatV2ResMessage(line_number=1, line_type=0, line_dir_number=b"1" * 25))


def test_strict_reading_goes_by_what_is_negotiated() -> None:
    sent = frame(0x14A, CALL + b"1\x002\x003\0\0\0")
    assert decode_strict(sent, negotiated=11) == decode(sent, negotiated=11)
    assert decode_strict(sent, negotiated=11) != decode_strict(sent)


def test_lengths_are_checked_to_the_byte() -> None:
    message = KeypadButtonMessage(kp_button=5)
    check(message, 4)
    check(message, 20)
    for length in (3, 21):
        with pytest.raises(FieldError, match=f"a body of {length} bytes; known ones have 4 to 20"):
            check(message, length)
