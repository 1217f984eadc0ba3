from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.faults import fault
from tests.sip.specimens import OFFER

from callgate.errors import ProtocolError
from callgate.sip import sdp
from callgate.sip.sdp import Direction, read_description

HOST = ip_address("192.168.1.50")


def audio(*lines: str, session: tuple[str, ...] = ("c=IN IP4 192.0.2.1",)) -> sdp.Audio:
    text = "".join(f"{line}\r\n" for line in ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", *session, "t=0 0", *lines))
    read = read_description(text.encode()).audio
    assert read is not None
    return read


def test_an_offer_is_read_by_our_own_reader() -> None:
    for host in (HOST, ip_address("fd00:1::50"), ip_address("fe80::1%eth0")):
        read = read_description(sdp.offer(host, 4000, 7)).audio
        assert read is not None
        assert read.address == ip_address(str(host).partition("%")[0])
        assert (read.port, read.protocol, read.formats, read.direction) == (4000, "RTP/AVP", (0, 8), Direction.SENDRECV)
        assert (read.names, read.packet_milliseconds) == ({0: "PCMU/8000", 8: "PCMA/8000"}, 20)


def test_a_description_as_phones_send_it() -> None:
    read = read_description(OFFER).audio
    assert read is not None
    assert (str(read.address), read.port, read.formats, read.payload_type) == ("192.168.1.51", 4000, (8, 0, 101), 8)


def test_the_streams_own_connection_and_direction_count_before_the_sessions() -> None:
    read = audio("m=audio 4000 RTP/AVP 0", "c=IN IP6 fd00::1", "a=recvonly", session=("c=IN IP4 1.2.3.4", "a=inactive"))
    assert (str(read.address), read.direction) == ("fd00::1", Direction.RECVONLY)
    read = audio("m=audio 4000 RTP/AVP 0", session=("c=IN IP4 1.2.3.4/127", "a=sendonly"))
    assert (str(read.address), read.direction) == ("1.2.3.4", Direction.SENDONLY)


@pytest.mark.parametrize("connection", ["c=IN IP4 pbx.example", "c=IN IP4", "c=", "x=1"])
def test_a_connection_that_is_no_address_is_none(connection: str) -> None:
    assert audio("m=audio 4000 RTP/AVP 0", session=(connection,)).address is None


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        (("m=audio 1 RTP/AVP 18 8",), 8),
        (("m=audio 1 RTP/AVP 18 101",), None),
        (("m=audio 1 RTP/AVP 0", "a=rtpmap:0 G729/8000"), None),
        (("m=audio 1 RTP/AVP 0", "a=rtpmap:0 pcmu/8000/1"), 0),
        (("m=audio 1 RTP/AVP 999 x 8",), 8),
        (("m=audio 1 RTP/AVP",), None),
    ],
)
def test_the_codec_is_the_first_that_is_g711(lines: tuple[str, ...], number: int | None) -> None:
    assert audio(*lines).payload_type == number


def test_a_refused_stream_has_port_0() -> None:
    assert audio("m=audio 0 RTP/AVP 0").port == 0


def test_the_first_audio_stream_counts() -> None:
    read = read_description(
        b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=video 1 RTP/AVP 31\r\nm=audio 2 RTP/AVP 0\r\nm=audio 3 RTP/AVP 0\r\n"
    )
    assert read.audio is not None
    assert (read.audio.port, read.audio_index, len(read.streams)) == (2, 1, 3)


def test_lines_may_end_as_they_like() -> None:
    for end in (b"\n", b"\r", b"\r\n", b" \n"):
        assert read_description(OFFER.replace(b"\r\n", end)).audio == read_description(OFFER).audio


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not a session description"),
        (b"<?xml?>", "not a session description: it begins '<"),
        (b"v=0\r\nm=audio x RTP/AVP 0", "an m= line is not valid"),
        (b"v=0\r\nm=audio 70000 RTP/AVP 0", "an m= line is not valid"),
        (b"v=0\r\nm=audio 1 RTP/AVP" + 65 * b" 0", "more than 64 formats"),
        (b"v=0\r\n" + 33 * b"m=audio 1 RTP/AVP 0\r\n", "more than 32 streams"),
        (b"v=0\r\n" + 17000 * b"a", "more than 16384 bytes"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        read_description(body)


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_an_answer_takes_one_codec_and_turns_the_direction_round(offered: str, answered: str) -> None:
    body = sdp.answer(read_description(OFFER.replace(b"sendrecv", offered.encode())), HOST, 5000, 1)
    assert body is not None
    read = read_description(body).audio
    assert read is not None
    assert (read.formats, read.direction, read.port, read.address) == ((8,), Direction(answered), 5000, HOST)


def test_an_answer_has_a_line_for_each_stream_offered() -> None:
    offered = read_description(
        b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=video 9 RTP/SAVP 31 evil\x00\r\nm=audio 2 RTP/AVP 0\r\nm=x\r\n"
    )
    body = sdp.answer(offered, HOST, 5000, 1)
    assert body is not None
    assert [line for line in body.split(b"\r\n") if line.startswith(b"m=")] == [
        b"m=video 0 RTP/SAVP 31",
        b"m=audio 5000 RTP/AVP 0",
        b"m=x 0 RTP/AVP 0",
    ]


@pytest.mark.parametrize(
    "media", [b"m=audio 1 RTP/AVP 18", b"m=audio 1 RTP/SAVP 0", b"m=audio 0 RTP/AVP 0", b"m=video 1 RTP/AVP 0", b""]
)
def test_what_cannot_be_answered_is_not(media: bytes) -> None:
    assert sdp.answer(read_description(b"v=0\r\nc=IN IP4 1.2.3.4\r\n" + media), HOST, 5000, 1) is None


@given(
    st.lists(
        st.sampled_from(
            [
                "v=0",
                "c=IN IP4 1.2.3.4",
                "m=audio 1 RTP/AVP 0 8",
                "a=",
                "m=",
                "a=sendonly",
                "\xff",
                "c=",
                "m=audio 1/2 RTP/AVP",
            ]
        )
    )
)
def test_any_lines_are_read_or_named_and_answered_in_ascii(lines: list[str]) -> None:
    data = "\r\n".join(lines).encode("latin-1")
    if fault(lambda: read_description(data)):
        return
    read = read_description(data)
    body = sdp.answer(read, HOST, 4000, 1)
    if body is not None:
        assert len(read_description(body).streams) == len(read.streams)
