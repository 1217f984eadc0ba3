from __future__ import annotations

from email.parser import BytesHeaderParser
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate import __version__
from callgate.sip.options import MAXIMUM_HEAD_BYTES, Response, options_request, response_to

TOKEN = "0123456789abcdef"
REQUEST = options_request(IPv4Address("192.0.2.1"), 5060, "udp", TOKEN)

# Headers as Kamailio 5.6.3 sends them back on such a request; {first} and {via} are filled in.
RESPONSE = (
    "{first}\r\n"
    "Via: SIP/2.0/UDP callgate.invalid;branch={branch};rport=40217;received=127.0.0.1\r\n"
    "From: <sip:callgate@callgate.invalid>;tag=0123456789abcdef\r\n"
    "To: <sip:192.0.2.1:5060>;tag=b27e1a1d33761e85846fc98f5f3a7e58.0c2d\r\n"
    "Call-ID: {call}\r\n"
    "CSeq: {sequence}\r\n"
    "Server: kamailio (5.6.3 (x86_64/linux))\r\n"
    "Content-Length: 0\r\n"
    "\r\n"
)


def response(
    first: str = "SIP/2.0 200 OK",
    branch: str = f"z9hG4bK{TOKEN}",
    call: str = f"{TOKEN}@callgate.invalid",
    sequence: str = "1 OPTIONS",
) -> bytes:
    return RESPONSE.format(first=first, branch=branch, call=call, sequence=sequence).encode()


def test_the_request_is_as_rfc_3261_wants_it() -> None:
    assert REQUEST.decode().split("\r\n") == [
        "OPTIONS sip:192.0.2.1:5060 SIP/2.0",
        f"Via: SIP/2.0/UDP callgate.invalid;branch=z9hG4bK{TOKEN};rport",
        "Max-Forwards: 70",
        f"From: <sip:callgate@callgate.invalid>;tag={TOKEN}",
        "To: <sip:192.0.2.1:5060>",
        f"Call-ID: {TOKEN}@callgate.invalid",
        "CSeq: 1 OPTIONS",
        "Contact: <sip:callgate@callgate.invalid>",
        "Accept: application/sdp",
        f"User-Agent: callgate/{__version__}",
        "Content-Length: 0",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("address", "host"), [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "[2001:db8::1]"), ("fe80::1%eth0", "[fe80::1]")]
)
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_the_request_names_its_target_and_transport(address: str, host: str, transport: str) -> None:
    start_line, via, *_ = options_request(ip_address(address), 5061, transport, TOKEN).decode().split("\r\n")
    assert start_line == f"OPTIONS sip:{host}:5061 SIP/2.0"
    assert via.startswith(f"Via: SIP/2.0/{transport.upper()} callgate.invalid;")


@given(
    st.ip_addresses(),
    st.integers(1, 65535),
    st.sampled_from(["udp", "tcp", "tls"]),
    st.from_regex("[A-Za-z0-9]{8,64}", fullmatch=True),
)
def test_the_same_arguments_make_the_same_request(
    address: IPv4Address | IPv6Address, port: int, transport: str, token: str
) -> None:
    request = options_request(address, port, transport, token)
    assert request == options_request(address, port, transport, token)
    headers = BytesHeaderParser().parsebytes(request.partition(b"\r\n")[2])
    assert headers.defects == []
    assert all(token in headers[name] for name in ("Via", "Call-ID", "From"))


@pytest.mark.parametrize("token", ["", "short", "x" * 65, "new\r\nline00", "spa ce12345", "ünicode12"])
def test_a_token_that_could_break_a_header_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        options_request(IPv4Address("192.0.2.1"), 5060, "udp", token)


def test_other_transports_and_ports_are_refused() -> None:
    with pytest.raises(ValueError, match="sctp"):
        options_request(IPv4Address("192.0.2.1"), 5060, "sctp", TOKEN)
    with pytest.raises(ValueError, match="65536"):
        options_request(IPv4Address("192.0.2.1"), 65536, "udp", TOKEN)


@pytest.mark.parametrize(
    ("first", "status", "reason"),
    [
        ("SIP/2.0 100 Trying", 100, "Trying"),
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 401 Unauthorized", 401, "Unauthorized"),
        ("SIP/2.0 403 Forbidden", 403, "Forbidden"),
        ("SIP/2.0 404 Not Found", 404, "Not Found"),
        ("SIP/2.0 405 Method Not Allowed", 405, "Method Not Allowed"),
        ("SIP/2.0 500 Service Unavailable", 500, "Service Unavailable"),
        ("SIP/2.0 503 ", 503, ""),
        ("SIP/2.0 603", 603, ""),
    ],
)
def test_every_final_and_provisional_response_answers(first: str, status: int, reason: str) -> None:
    expected = Response(status, reason, "kamailio (5.6.3 (x86_64/linux))")
    assert response_to(REQUEST, response(first)) == expected


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(REQUEST, id="the request itself"),
        pytest.param(response("SIP/2.0 OK"), id="no status"),
        pytest.param(response("SIP/2.0 099 Too Low"), id="status below 100"),
        pytest.param(response("SIP/2.0 700 Too High"), id="status above 699"),
        pytest.param(response("SIP/3.0 200 OK"), id="another version"),
        pytest.param(response("HTTP/1.1 200 OK"), id="another protocol"),
        pytest.param(response("OPTIONS sip:x SIP/2.0"), id="a request with our transaction"),
        pytest.param(response(branch="z9hG4bKsomeoneelse"), id="another branch"),
        pytest.param(response(branch=f"z9hG4bK{TOKEN}0"), id="a longer branch"),
        pytest.param(response(call=f"{TOKEN.upper()}@callgate.invalid"), id="another call"),
        pytest.param(response(sequence="2 OPTIONS"), id="another number"),
        pytest.param(response(sequence="1 INVITE"), id="another method"),
        pytest.param(response()[:-2], id="unfinished head"),
        pytest.param(response().replace(b"CSeq:", b"Sequence:"), id="no CSeq"),
        pytest.param(response().replace(b"Server:", b"Call-ID: x\r\nServer:"), id="two calls"),
        pytest.param(response().replace(b"Via:", b"Via: SIP/2.0/UDP other;branch=z9hG4bKx\r\nVia:"), id="not on top"),
        pytest.param(response().replace(b"Server: ", b"no header at all "), id="malformed header"),
        pytest.param(response().replace(b"Server: ", b"Server: " + b"x" * MAXIMUM_HEAD_BYTES), id="too long"),
        pytest.param(b"junk" + response(), id="junk before it"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_response_to_the_request_does_not_answer(message: bytes) -> None:
    assert response_to(REQUEST, message) is None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\r\n\r\n" + response(), id="keepalive before it"),
        pytest.param(response() + b"v=0\r\n" * 9999, id="a body behind it"),
        pytest.param(response().replace(b"Via:", b"v:").replace(b"Call-ID:", b"i:"), id="compact forms"),
        pytest.param(response().replace(b"Via: ", b"VIA\t : "), id="upper case and space"),
        pytest.param(response().replace(b";branch", b"\r\n ; Branch"), id="folded line"),
        pytest.param(response().replace(b"1 OPTIONS", b"1 \t OPTIONS"), id="wide CSeq"),
        pytest.param(response().replace(b"=127.0.0.1\r\n", b"=127.0.0.1, SIP/2.0/UDP two;branch=x\r\n"), id="two Vias"),
    ],
)
def test_other_spellings_of_the_response_answer(message: bytes) -> None:
    assert response_to(REQUEST, message) is not None


def test_the_user_agent_is_the_product_when_no_server_is_named() -> None:
    answered = response_to(REQUEST, response().replace(b"Server:", b"User-Agent:"))
    assert answered is not None
    assert answered.product == "kamailio (5.6.3 (x86_64/linux))"


def test_texts_are_made_printable_and_short() -> None:
    hostile = response("SIP/2.0 200 \x1b[2J\u202eKO").replace(b"kamailio", b"\xff" + b"A" * 500)
    answered = response_to(REQUEST, hostile)
    assert answered is not None
    assert answered.reason == "\\x1b[2J\\u202eKO"
    assert answered.product == "\\ufffd" + "A" * 114


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_answer_and_never_raise(message: bytes) -> None:
    assert response_to(REQUEST, message) is None
    assert response_to(message, REQUEST) is None


@given(st.data())
def test_a_damaged_response_answers_only_with_its_transaction_intact(data: st.DataObject) -> None:
    message = bytearray(response())
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    if response_to(REQUEST, bytes(message)) is not None:
        for part in (b"SIP/2.0 ", f";branch=z9hG4bK{TOKEN}".encode(), f"{TOKEN}@callgate.invalid".encode()):
            assert part.lower() in bytes(message).lower()
