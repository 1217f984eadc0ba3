from __future__ import annotations

import random
import re
import time
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.faults import fault
from tests.sip.specimens import ALL, CHALLENGED, INVITE, OFFER, REGISTER, RINGING

from callgate.errors import ProtocolError
from callgate.sip.message import (
    MAXIMUM_BODY,
    MAXIMUM_FIELDS,
    MAXIMUM_HEAD,
    Message,
    Request,
    Response,
    read_message,
)

SOURCE = (ip_address("192.168.1.10"), 5062)


def changed(message: bytes, old: bytes, new: bytes) -> bytes:
    assert old in message
    return message.replace(old, new, 1)


def read_everything(message: Message) -> None:
    """Every property a phone reads."""
    _ = message.via, message.via.branch, message.call_id, message.cseq, message.sender.tag, message.recipient.tag
    _ = message.product, message.start_line, message.encode()
    fault(lambda: message.contacts)
    fault(lambda: message.media_type)
    fault(lambda: message.elements("Record-Route"))
    fault(lambda: message.number("Expires"))
    if isinstance(message, Request):
        message.response(200, "OK", SOURCE, tag="t").encode()
    else:
        assert isinstance(message, Response)
        assert re.fullmatch(r"[ -~]{3,110}", message.shown)


def read_whole(data: bytes) -> None:
    read_everything(read_message(data))


def test_a_request_is_read() -> None:
    message = read_message(REGISTER)
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.call_id) == ("REGISTER", "sip:pbx.lab", "1@192.168.1.50")
    assert (message.sender.name, message.sender.tag) == ('Front "Desk", lobby', "a1")
    assert message.recipient.tag is None
    assert (message.via.transport, message.via.host, message.via.port) == ("UDP", "192.168.1.50", 40000)
    assert message.via.branch == "z9hG4bKabc"
    assert message.contacts[0].parameters == {"expires": "300"}
    assert message.encode() == REGISTER


def test_a_response_is_read() -> None:
    message = read_message(CHALLENGED)
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.shown) == (401, "Unauthorized", "401 Unauthorized")
    assert message.final
    assert not message.success
    assert message.product == "kamailio (5.6.3 (x86_64/linux))"


def test_compact_names_folded_lines_and_lists_are_read() -> None:
    message = read_message(INVITE)
    assert (message.call_id, message.cseq.sequence, message.media_type) == ("call@192.168.1.51", 7, "application/sdp")
    assert message.body == OFFER
    assert message.via.branch == "z9hG4bKproxy"
    assert message.elements("Via")[1].endswith(";branch=z9hG4bKphone;received=fd00:1::51;rport=1024")
    assert message.elements("Record-Route") == ["<sip:192.168.1.10;lr>", "<sip:192.168.1.10:5061;transport=tls;lr>"]
    assert message.sender.uri == "sip:1002@pbx.lab;user=phone"


def test_a_bare_ipv6_address_in_via_is_read() -> None:
    assert read_message(RINGING).via.parameters["received"] == "fd00:1::50"


def test_text_that_is_not_utf8_is_kept() -> None:
    message = read_message(changed(INVITE, b"f: <", b'f: "M\xfcller" <'))
    assert b'"M\xfcller"' in message.encode()
    assert isinstance(message, Request)
    assert b'From: "M\xfcller" <sip:1002@pbx.lab' in message.response(180, "Ringing", SOURCE).encode()


@pytest.mark.parametrize("blank", [b"\r\n", b"\r\n\r\n\r\n"])
def test_line_ends_before_a_message_are_passed_over(blank: bytes) -> None:
    assert read_message(blank + REGISTER) == read_message(REGISTER)


def test_the_body_ends_where_content_length_says() -> None:
    assert read_message(INVITE + b"more").body == OFFER
    assert read_message(changed(REGISTER, b"Content-Length: 0\r\n", b"") + b"all").body == b"all"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Content-Length: 0", b"Content-Length: 1", "the body has 0 bytes where Content-Length says 1"),
        (b"Content-Length: 0", b"Content-Length: -1", "Content-Length is not a number: -1"),
        (b"Content-Length: 0", b"Content-Length: 0\r\nl: 1", "Content-Length is there twice"),
        (b"Content-Length: 0", b"Content-Length: 99999999999", "Content-Length is not a number"),
        (b"Call-ID: 1@192.168.1.50\r\n", b"", "Call-ID is missing"),
        (b"Call-ID: 1@192.168.1.50\r\n", b"Call-ID: 1\r\ni: 2\r\n", "Call-ID is there 2 times"),
        (b"CSeq: 1 REGISTER\r\n", b"", "CSeq is missing"),
        (b"CSeq: 1 REGISTER", b"CSeq: one", "CSeq is not valid: one"),
        (b"CSeq: 1 REGISTER", b"CSeq: 1 INVITE", "CSeq names INVITE in a request of REGISTER"),
        (b"CSeq: 1 REGISTER", b"CSeq: 4294967296 REGISTER", "CSeq is out of range"),
        (b"CSeq: 1 R", b"CSeq: " + 5000 * b"9" + b" R", "CSeq is longer than 4096"),
        (b"CSeq: 1 R", b"CSeq: " + 4090 * b"9" + b" R", "CSeq is"),
        (b"From: ", b"X: ", "From is missing"),
        (b"To: <sip:1001@pbx.lab>", b"To: ", "To is not an address"),
        (b";tag=a1", b";tag=a1;=", "From has a parameter that is not valid"),
        (b";tag=a1", 70 * b";a", "From has more than 64 parameters"),
        (b"Via: SIP/2.0/UDP 192", b"Via: SIP/3.0/UDP 192", "Via is not valid"),
        (b":40000;branch", b":99999;branch", "Via is not valid"),
        (b"Via: ", b"Voa: ", "Via is missing"),
        (b"Max-Forwards: 70", b"Max-Forwards", "a header line is not valid: 'Max-Forwards'"),
        (b"Max-Forwards: 70", b"Max-Forwards: \x00", "a header line is not valid"),
        (b"Max-Forwards: 70", b"A: b\nInjected: c", "a header line is not valid"),
        (b"SIP/2.0\r\n", b"HTTP/1.1\r\n", "not SIP: the first line is 'REGISTER sip:pbx.lab HTTP/1.1'"),
        (b"SIP/2.0\r\n", b"SIP/2.1\r\n", "not SIP: the first line is"),
    ],
)
def test_what_is_wrong_is_named(old: bytes, new: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=re.escape(reason)):
        read_message(changed(REGISTER, old, new))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not SIP: it begins ''"),
        (b"\x16\x03\x01\x00\xa5\x01", r"not SIP: it begins '\\\\x16"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not SIP: the first line is 'HTTP/1.1 400 Bad Request'"),
        (b"SIP/2.0 200 OK\r\nVia: x", "the header does not end with an empty line"),
        (REGISTER.replace(b"\r\n", b"\n"), "the header does not end with an empty line"),
        (b"SIP/2.0 99 Low\r\n\r\n", "not SIP: the first line is"),
        (b"SIP/2.0 200 OK\r\n" + MAXIMUM_FIELDS * b"a: b\r\n" + b"a: b\r\n\r\n", "the header has more than 256 lines"),
        (b"SIP/2.0 200 OK\r\nA: " + MAXIMUM_HEAD * b"a" + b"\r\n\r\n", "the header has more than 16384 bytes"),
        (
            INVITE.partition(b"l: ")[0] + b"l: 70000\r\n\r\n" + 70000 * b"a",
            f"the body has more than {MAXIMUM_BODY} bytes",
        ),
    ],
)
def test_what_is_no_message_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        read_message(data)


@pytest.mark.parametrize("name", ["self", "cls", "key", "__class__", "%61", "a b"])
def test_parameters_named_like_pythons_own_do_no_harm(name: str) -> None:
    """sipmessage's readers raise TypeError or KeyError upon some of them."""
    data = changed(REGISTER, b";expires=300", f";{name}=1;expires=3".encode())
    assert bool(fault(lambda: read_message(data).contacts)) == (name == "a b")
    data = changed(REGISTER, b":40000>;", f":40000;{name}=1>;".encode())
    told = fault(lambda: read_message(data).contacts[0].parsed("Contact"))
    assert not told or told.startswith("Contact is not ")


def mutated(chance: random.Random) -> bytes:
    message = bytearray(chance.choice(ALL))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randrange(len(message))
        match chance.randrange(6):
            case 0:
                message[place] = chance.randrange(256)
            case 1:
                del message[place : place + chance.randint(1, 40)]
            case 2:
                message[place:place] = message[chance.randrange(len(message)) :][: chance.randint(1, 60)]
            case 3:
                message[place:place] = chance.choice(
                    (b"\r\n", b"\0", b'"', b"<", b">", b";", b",", b"\xff", b":", b"=")
                )
            case 4:
                message[place:place] = bytes(chance.randrange(256) for _ in range(4))
            case _:
                lines = message.split(b"\r\n")
                chance.shuffle(lines)
                message = bytearray(b"\r\n".join(lines))
        if not message:
            message = bytearray(b"\r\n")
    return bytes(message)


def test_twenty_thousand_mutated_messages_leak_nothing() -> None:
    chance, read = random.Random(5060), 0
    for _ in range(20_000):
        read += not fault(read_whole, mutated(chance))
    assert 2_000 < read < 18_000  # both ways are taken often


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    assert fault(read_whole, data)  # none so short is a message
    fault(read_whole, b"SIP/2.0 200 OK\r\n" + data)
    fault(read_whole, REGISTER[:-2] + data)


@given(st.lists(st.sampled_from([b'"', b"\\", b"<", b">", b";", b",", b"=", b"a", b" ", b"\r\n ", b"@", b":"])))
def test_any_value_of_an_address_is_read_or_named(words: list[bytes]) -> None:
    for old in (b"<sip:1001@192.168.1.50:40000>;expires=300", b"<sip:1001@pbx.lab>;tag=a1"):
        assert fault(read_whole, changed(REGISTER, old, b"".join(words))).isascii()


@pytest.mark.parametrize(
    "unit", [b'"', b'\\"', b"<", b";a", b";a=a", b"a.", b"a-", b"%41", b" ", b",", b"1", b"1:", b"a"]
)
@pytest.mark.parametrize("old", [b"192.168.1.50:40000;b", b"sip:1001@192", b"<sip:1001@pbx.lab>\r", b"1 REGISTER\r"])
def test_repetition_does_not_take_long(old: bytes, unit: bytes) -> None:
    data = changed(REGISTER, old, unit * (4000 // len(unit)) + b"!" + old)
    begin = time.process_time()
    fault(read_whole, data)
    assert time.process_time() - begin < 0.5


def test_a_response_goes_back_as_the_request_came() -> None:
    request = read_message(INVITE)
    assert isinstance(request, Request)
    response = read_message(request.response(200, "OK", SOURCE, tag="mine", body=b"x").encode())
    assert response.values("Via") == [
        "SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKproxy, SIP/2.0/UDP [fd00:1::51]:5060"
        " ;branch=z9hG4bKphone;received=fd00:1::51;rport=1024"
    ]
    assert (response.sender, response.recipient.tag) == (request.sender, "mine")
    assert (response.cseq, response.call_id, response.body) == (request.cseq, request.call_id, b"x")


def test_a_tag_that_is_there_is_not_replaced() -> None:
    request = read_message(changed(REGISTER, b"To: <sip:1001@pbx.lab>", b"To: <sip:1001@pbx.lab>;tag=theirs"))
    assert isinstance(request, Request)
    assert request.response(200, "OK", SOURCE, tag="mine").recipient.tag == "theirs"
