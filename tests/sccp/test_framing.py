from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import ProtocolError
from callgate.sccp.framing import (
    HEADER_BYTES,
    MAXIMUM_LENGTH,
    MINIMUM_LENGTH,
    Header,
    KeepaliveReply,
    frame,
    judge_keepalive_reply,
    keepalive,
    pack_header,
    unpack_header,
)

# What Asterisk 18.26 chan_skinny and chan-sccp 4.3.5 were asked and answered; the first exchange of the captures
# skinny-probe.pcap and sccp-probe.pcap, byte for byte the same in both and in the two exchanges that follow.
ASKED = bytes.fromhex("040000000000000000000000")
ACKNOWLEDGED = bytes.fromhex("040000000000000000010000")

HEADERS = st.builds(
    Header, st.integers(MINIMUM_LENGTH, MAXIMUM_LENGTH), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)
)


def test_keepalive_is_what_real_servers_were_asked() -> None:
    assert keepalive() == ASKED


def test_the_reply_of_real_servers_is_an_acknowledgement() -> None:
    assert judge_keepalive_reply(ACKNOWLEDGED) is KeepaliveReply.ACK
    assert unpack_header(ACKNOWLEDGED) == Header(4, 0, 0x0100)


@pytest.mark.parametrize(
    ("received", "reply"),
    [
        (b"", KeepaliveReply.NOTHING),
        (ASKED, KeepaliveReply.ECHO),
        (ACKNOWLEDGED * 2, KeepaliveReply.OTHER),
        (ACKNOWLEDGED + b"\x00", KeepaliveReply.OTHER),
        (ACKNOWLEDGED[:-1], KeepaliveReply.OTHER),
        (frame(0x0100, b"\x00" * 4), KeepaliveReply.OTHER),
        (frame(0x0100, version=17), KeepaliveReply.OTHER),
        (frame(0x0086, b"\x00" * 12), KeepaliveReply.OTHER),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", KeepaliveReply.OTHER),
    ],
)
def test_other_replies_are_told_apart(received: bytes, reply: KeepaliveReply) -> None:
    assert judge_keepalive_reply(received) is reply


@given(st.binary(max_size=64) | st.builds(lambda head, tail: head + tail, st.just(ACKNOWLEDGED), st.binary()))
def test_only_the_exact_acknowledgement_is_one(received: bytes) -> None:
    assert (judge_keepalive_reply(received) is KeepaliveReply.ACK) == (received == ACKNOWLEDGED)


@given(HEADERS)
def test_header_round_trip(header: Header) -> None:
    assert unpack_header(pack_header(header)) == header


@given(st.binary(max_size=40))
def test_bytes_are_a_header_or_a_protocol_error(data: bytes) -> None:
    try:
        header = unpack_header(data)
    except ProtocolError:
        length = int.from_bytes(data[:4], "little")
        assert len(data) < HEADER_BYTES or not MINIMUM_LENGTH <= length <= MAXIMUM_LENGTH
    else:
        assert pack_header(header) == data[:HEADER_BYTES]


@given(st.integers(0, 2**32 - 1), st.binary(max_size=256), st.integers(0, 22))
def test_a_frame_is_as_long_as_its_header_says(message_id: int, body: bytes, version: int) -> None:
    message = frame(message_id, body, version)
    header = unpack_header(message)
    assert header == Header(4 + len(body), version, message_id)
    assert (header.message_bytes, header.body_bytes) == (len(message), len(body))
    assert message.endswith(body)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an SCCP header takes 12 bytes, 0 are there"),
        (ASKED[:-1], "an SCCP header takes 12 bytes, 11 are there"),
        (bytes.fromhex("030000000000000000000000"), "SCCP length 3 is not in 4..8192"),
        (bytes.fromhex("012000000000000000000000"), "SCCP length 8193 is not in 4..8192"),
        (b"HTTP/1.1 400", "SCCP length 1347703880 is not in 4..8192"),
    ],
)
def test_a_header_that_cannot_be_is_a_protocol_error(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        unpack_header(data)
    assert str(raised.value) == reason


def test_a_body_too_large_for_any_server_is_a_protocol_error() -> None:
    assert len(frame(0x39, b"\x00" * (MAXIMUM_LENGTH - 4))) == MAXIMUM_LENGTH + 8
    with pytest.raises(ProtocolError, match="SCCP length 8193"):
        frame(0x39, b"\x00" * (MAXIMUM_LENGTH - 3))


@pytest.mark.parametrize(("version", "message_id"), [(-1, 0), (2**32, 0), (0, -1), (0, 2**32)])
def test_a_field_beyond_32_bits_is_a_protocol_error(version: int, message_id: int) -> None:
    with pytest.raises(ProtocolError, match="does not fit in 32 bits"):
        frame(message_id, version=version)
