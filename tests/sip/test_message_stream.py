from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.faults import fault
from tests.sip.specimens import ALL, INVITE, OFFER, REGISTER

from callgate.errors import ProtocolError
from callgate.sip.message import MAXIMUM_HEAD, Request, Response, read_message
from callgate.sip.stream import MessageStream

WHOLE = b"\r\n\r\n".join(ALL) + b"\r\n"
EXPECTED = [read_message(data) for data in ALL]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


@given(st.lists(st.integers(0, 1 << 20), max_size=30))
def test_any_chunking_gives_the_same_messages(cuts: list[int]) -> None:
    stream, messages = MessageStream(), list[Request | Response]()
    for piece in pieces(WHOLE, cuts):
        messages += stream.feed(piece)
    assert messages == EXPECTED
    assert stream.between_messages


def test_byte_by_byte() -> None:
    stream, messages = MessageStream(), list[Request | Response]()
    for octet in WHOLE:
        messages += stream.feed(bytes((octet,)))
    assert messages == EXPECTED


def test_a_stream_that_ends_within_a_message_is_known() -> None:
    for end in (10, len(INVITE) - len(OFFER), len(INVITE) - 1):
        stream = MessageStream()
        assert stream.feed(INVITE[:end]) == []
        assert not stream.between_messages


def test_a_message_without_content_length_has_no_body() -> None:
    stream = MessageStream()
    assert len(stream.feed(2 * REGISTER.replace(b"Content-Length: 0\r\n", b""))) == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01", "not SIP: it begins"),
        (b"HTTP/1.1 200 OK\r\n", "not SIP: it begins 'HTTP/1.1 200 OK'"),
        (b"a" * 3000, "not SIP: it begins 'aaa"),
        (b"SIP/2.0 200 OK\r\nA: " + MAXIMUM_HEAD * b"a", "the header has more than 16384 bytes"),
        (REGISTER.replace(b"Length: 0", b"Length: 100000"), "Content-Length is 100000, more than"),
        (REGISTER.replace(b"Length: 0", b"Length: x"), "Content-Length is not a number"),
        (REGISTER.replace(b"CSeq: 1", b"CSeq: x"), "CSeq is not valid"),
    ],
)
def test_a_stream_that_cannot_go_on_is_refused_early(data: bytes, reason: str) -> None:
    stream = MessageStream()
    assert len(stream.feed(REGISTER + data)) == 1  # what came before the fault is given
    for _ in range(2):
        with pytest.raises(ProtocolError, match=reason):
            stream.feed(REGISTER)
    with pytest.raises(ProtocolError, match=reason):
        MessageStream().feed(data)


def test_an_endless_header_is_refused_in_time() -> None:
    stream, fed = MessageStream(), 0
    stream.feed(b"SIP/2.0 200 OK\r\n")
    while not fault(stream.feed, b"A: b\r\n"):
        fed += 6
        assert fed < 2 * MAXIMUM_HEAD


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_stream_gives_messages_or_a_protocol_error(chunks: list[bytes]) -> None:
    stream = MessageStream()
    told = [fault(stream.feed, chunk) for chunk in (b"SIP/2.0 200 OK\r\n", *chunks)]
    assert told == sorted(told, key=bool)  # once refused, always
