"""Bodies put together by hand, and what must hold of a frame and the message it carries."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from callgate.errors import ProtocolError
from callgate.sccp import Decoder, Negotiation, decode, encode
from callgate.sccp.framing import keepalive
from callgate.sccp.message import AnyMessage


def words(*numbers: int) -> bytes:
    """Little-endian u32."""
    return struct.pack(f"<{len(numbers)}I", *numbers)


def halves(*numbers: int) -> bytes:
    """Little-endian u16."""
    return struct.pack(f"<{len(numbers)}H", *numbers)


def text(string: bytes, size: int) -> bytes:
    """A string in a field of fixed size."""
    assert len(string) <= size
    return string.ljust(size, b"\0")


def address(text_: str) -> bytes:
    """The bytes of an IP address."""
    return ip_address(text_).packed


def family_v4(text_: str) -> bytes:
    """An IPv4 address as senders write it from version 17: family, address, twelve zeros."""
    return words(0) + address(text_) + bytes(12)


def assert_carries(frame: bytes, message: AnyMessage, negotiated: int = 0) -> None:
    """The frame is the message, whole, by the byte, with bytes behind it; and no part of it is one."""

    def decoder() -> Decoder:
        negotiation = Negotiation()
        negotiation.version = negotiated
        return Decoder(negotiation=negotiation)

    assert decode(frame, negotiated=negotiated) == message
    assert encode(message).hex() == frame.hex()

    at_once = decoder()
    assert at_once.feed(frame) == [message]
    assert at_once.pending == 0

    by_byte = decoder()
    for place in range(len(frame) - 1):
        assert by_byte.feed(frame[place : place + 1]) == []
        assert by_byte.pending == place + 1
    assert by_byte.feed(frame[-1:]) == [message]
    assert by_byte.pending == 0

    followed = decoder()
    assert followed.feed(frame + keepalive()[:11]) == [message]
    assert followed.pending == 11
    assert followed.feed(keepalive()[11:] + frame)[0] == decode(keepalive())

    for end in range(len(frame)):
        with pytest.raises(ProtocolError, match="are there"):
            decode(frame[:end], negotiated=negotiated)
    with pytest.raises(ProtocolError, match=f"announces {len(frame)} bytes, {len(frame) + 1} are there"):
        decode(frame + b"\0", negotiated=negotiated)
