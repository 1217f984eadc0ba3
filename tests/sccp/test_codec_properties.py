"""What holds for every message, every frame and every stream."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.errors import ProtocolError
from callgate.sccp import Decoder, FieldError, Message, UnknownMessage, decode, decode_strict, encode, fields_of
from callgate.sccp.framing import HEADER, HEADER_BYTES, MAXIMUM_LENGTH
from callgate.sccp.message import AnyMessage
from callgate.sccp.strategies import HEADER_VERSIONS, frames, message_classes, messages, unknown_messages


@pytest.mark.parametrize("cls", message_classes(), ids=lambda cls: str(cls.__name__))
@settings(max_examples=30)
@given(data=st.data(), version=st.sampled_from(HEADER_VERSIONS))
def test_a_message_comes_back_as_it_was(cls: type[Message], data: st.DataObject, version: int) -> None:
    message = data.draw(messages(cls, version))
    frame = encode(message)
    assert decode(frame) == message
    assert type(decode(frame)) is cls
    assert len(frame) % 4 == 0
    shortest, longest = cls.lengths
    if shortest <= len(frame) - HEADER_BYTES <= longest:
        assert decode_strict(frame) == message
    else:
        with pytest.raises(FieldError, match="known ones have"):
            decode_strict(frame)


@given(unknown_messages())
def test_an_unknown_message_is_kept_whole(message: UnknownMessage) -> None:
    assert decode(encode(message)) == message
    assert fields_of(message) == {"body": message.body.hex()}


@settings(max_examples=500)
@given(frame=frames(), negotiated=st.sampled_from(HEADER_VERSIONS))
def test_a_frame_is_rebuilt_to_the_byte(frame: bytes, negotiated: int) -> None:
    message = decode(frame, negotiated=negotiated)
    assert encode(message) == frame
    assert fields_of(message) is not None
    assert hash(message) == hash(decode(frame, negotiated=negotiated))


@settings(max_examples=300)
@given(frame=frames())
def test_what_strict_reading_takes_is_what_faithful_reading_takes(frame: bytes) -> None:
    try:
        message = decode_strict(frame)
    except FieldError as found:
        refused = found
    else:
        assert message == decode(frame)
        return
    assert refused.rule
    assert refused.offset is None or 0 <= refused.offset <= len(frame) - HEADER_BYTES


@given(st.lists(frames(), max_size=6), st.data())
def test_any_chunking_gives_what_one_chunk_gives(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(sent)
    whole = Decoder().feed(stream)
    assert whole == Decoder().feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    decoder = Decoder()
    pieces: list[AnyMessage] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        pieces += decoder.feed(stream[start:end])
    assert pieces == whole
    assert len(whole) == len(sent)
    assert decoder.pending == 0


@given(st.binary(max_size=3000))
def test_arbitrary_bytes_give_messages_or_one_kind_of_error(stream: bytes) -> None:
    by_byte: list[AnyMessage] = []
    decoder = Decoder()
    consumed = 0
    for place in range(len(stream)):
        try:
            by_byte += decoder.feed(stream[place : place + 1])
        except ProtocolError:
            break
        consumed = place + 1
        assert decoder.pending < MAXIMUM_LENGTH + HEADER_BYTES
    else:
        assert b"".join(encode(message) for message in by_byte) == stream[: consumed - decoder.pending]
    try:
        at_once = Decoder().feed(stream)
    except ProtocolError:
        at_once = []
    assert at_once == by_byte


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_header_alone_is_a_message_a_beginning_or_an_error(length: int, version: int, message_id: int) -> None:
    decoder = Decoder()
    try:
        messages_ = decoder.feed(HEADER.pack(length, version, message_id))
    except ProtocolError:
        assert not 4 <= length <= MAXIMUM_LENGTH
    else:
        assert len(messages_) == (length == 4)


@pytest.mark.parametrize("body", [bytes(17), bytes(17) + b"\1", bytes(18), b"\1" * 19], ids=len)
def test_a_body_that_stops_within_a_word_is_rebuilt(body: bytes) -> None:
    """RegisterAck has single bytes behind byte 16: such a body is not rounded up to 4."""
    frame = HEADER.pack(4 + len(body), 0, 0x81) + body
    assert encode(decode(frame)) == frame
