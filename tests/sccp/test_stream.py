"""Messages from a stream: pieces, limits, and what an error leaves."""

from __future__ import annotations

import pytest
from tests.sccp.wire import text, words

from callgate.errors import ProtocolError
from callgate.sccp import Decoder, FieldError, Negotiation, UnknownMessage, decode
from callgate.sccp.framing import HEADER, frame, keepalive
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.registration import KeepAliveReqMessage
from callgate.sccp.stream import whole_messages

KEY = frame(3, words(5, 1, 2))
PRESSED = KeypadButtonMessage(kp_button=5, line_instance=1, call_reference=2)
ALIVE = KeepAliveReqMessage()
BAD = HEADER.pack(3, 0, 0)


@pytest.mark.parametrize("limit", [3, 8193, 0, -4])
def test_a_limit_is_a_length_that_can_be(limit: int) -> None:
    with pytest.raises(ValueError, match="a length limit is") as raised:
        Decoder(limit=limit)
    assert str(raised.value) == f"a length limit is 4 to 8192, not {limit}"


def test_a_length_up_to_the_limit_is_taken() -> None:
    assert Decoder(limit=16).feed(KEY) == [PRESSED]
    assert Decoder(limit=4).feed(keepalive()) == [ALIVE]
    assert Decoder(limit=8192).feed(frame(0x7000, bytes(8188))) == [UnknownMessage(0x7000, bytes(8188))]
    assert Decoder().feed(frame(0x7000, bytes(8188))) == [UnknownMessage(0x7000, bytes(8188))]


def test_a_length_above_the_limit_ends_the_stream_with_its_header() -> None:
    decoder = Decoder(limit=15)
    with pytest.raises(ProtocolError) as raised:
        decoder.feed(KEY[:12])
    assert str(raised.value) == "SCCP length 16 is above the limit of 15"
    assert decoder.pending == 12


def test_nothing_gives_nothing() -> None:
    decoder = Decoder()
    assert decoder.feed(b"") == []
    assert (decoder.pending, decoder.error) == (0, None)


def test_many_messages_and_a_beginning_in_one_piece() -> None:
    decoder = Decoder()
    assert decoder.feed(keepalive() + KEY + KEY[:-1]) == [ALIVE, PRESSED]
    assert decoder.pending == len(KEY) - 1
    assert decoder.feed(b"") == []
    assert decoder.feed(KEY[-1:] + keepalive()) == [PRESSED, ALIVE]
    assert decoder.pending == 0


def test_an_error_behind_good_messages_is_raised_by_the_next_call() -> None:
    decoder = Decoder()
    assert decoder.feed(KEY + BAD + KEY) == [PRESSED]
    assert str(decoder.error) == "SCCP length 3 is not in 4..8192"
    assert decoder.pending == len(BAD + KEY)
    for data in (b"", KEY):
        with pytest.raises(ProtocolError) as raised:
            decoder.feed(data)
        assert raised.value is decoder.error
    assert decoder.pending == len(BAD + KEY)


def test_a_limit_broken_behind_good_messages_is_raised_by_the_next_call() -> None:
    decoder = Decoder(limit=16)
    assert decoder.feed(KEY + frame(3, words(1, 2, 3, 4))) == [PRESSED]
    assert decoder.pending == 28
    with pytest.raises(ProtocolError, match="SCCP length 20 is above the limit of 16"):
        decoder.feed(b"")


def test_an_error_that_comes_first_is_raised_at_once() -> None:
    decoder = Decoder()
    with pytest.raises(ProtocolError, match="SCCP length 3 is not in"):
        decoder.feed(BAD)
    assert decoder.error is not None


def test_what_is_not_decoded_can_be_taken_and_the_decoder_begins_anew() -> None:
    decoder = Decoder()
    decoder.feed(KEY + BAD)
    assert decoder.take_rest() == BAD
    assert (decoder.pending, decoder.error) == (0, None)
    assert decoder.feed(KEY) == [PRESSED]
    assert decoder.take_rest() == b""


def test_a_strict_stream_ends_with_the_first_message_that_breaks_a_rule() -> None:
    junk = frame(0x9D, text(b"text\0junk", 32))
    assert Decoder().feed(KEY + junk) == [PRESSED, decode(junk)]
    decoder = Decoder(strict=True)
    assert decoder.feed(KEY + frame(0x7000, b"1") + junk + KEY) == [PRESSED, UnknownMessage(0x7000, b"1")]
    assert isinstance(decoder.error, FieldError)
    assert decoder.pending == len(junk + KEY)
    with pytest.raises(FieldError) as raised:
        decoder.feed(b"")
    reason = "SCCP RegisterRejectMessage text (body offset 0): 27 bytes of unused room are not zero"
    assert str(raised.value) == reason
    with pytest.raises(FieldError, match="a body of 104 bytes; known ones have"):
        Decoder(strict=True).feed(frame(0x8F, bytes(104)))


def test_decoders_share_a_negotiation_or_have_their_own() -> None:
    shared = Negotiation()
    assert Decoder(negotiation=shared).negotiation is shared
    assert Decoder().negotiation is not Decoder().negotiation
    registered = frame(0x81, bytes(16) + bytes([17, 0, 0, 0]))
    phone, server = Decoder(negotiation=shared), Decoder(negotiation=shared)
    server.feed(registered)
    assert phone.negotiation.version == 17
    decoder = Decoder()
    decoder.feed(registered[:-1])
    assert decoder.negotiation.version == 0
    decoder.feed(registered[-1:])
    assert decoder.negotiation.version == 17


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"", False),
        (keepalive(), True),
        (keepalive()[:-1], False),
        (keepalive() + KEY, True),
        (keepalive() + KEY[:-1], False),
        (keepalive() + KEY + b"\0", False),
        (frame(0x7000, b"12345"), True),
        (frame(0, version=33), True),
        (frame(0, version=34), False),
        (frame(3, words(5)) + frame(0, version=34), False),
        (frame(0, version=1) + BAD, False),
        (keepalive() + frame(0x7000, b"1") + frame(0x7000, b"123"), True),
        (KEY + frame(0, version=34), False),
        (BAD, False),
        (HEADER.pack(8192, 0, 0) + bytes(8188), True),
        (HEADER.pack(8193, 0, 0) + bytes(8189), False),
    ],
)
def test_bytes_are_whole_messages_if_headers_lead_to_their_end(data: bytes, whole: bool) -> None:
    assert whole_messages(data) is whole
