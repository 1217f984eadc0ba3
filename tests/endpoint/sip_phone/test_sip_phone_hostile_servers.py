"""Whatever the server sends or does not send, the phone ends in bounded time, with a named result."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from itertools import pairwise

import pytest
from tests.endpoint.sip_phone.one_registration import Sent, at_udp
from tests.endpoint.sip_phone.scripted_server import (
    ACCOUNT,
    HASTE,
    Server,
    obliging,
    over_tcp,
    over_udp,
    raw_tcp,
    reply,
    run,
)

from callgate.endpoint.attempt import Attempt, AttemptFailed, Ending
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import Patience, SipPhone, SipTransport, call_once, options_once, register_once
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip.message import Request

TCP = SipTransport.TCP


def nothing(server: Server, request: Request) -> Sent:
    return ()


def test_silence_over_udp_is_no_reply_after_the_retransmissions_of_rfc_3261() -> None:
    async def act() -> tuple[Attempt, Server]:
        async with over_udp(nothing) as server:
            waits = Patience(answer=3.7, leave=0.1)
            return await options_once(LocalNetwork(), server.address, ACCOUNT, patience=waits), server

    attempt, server = run(act)
    assert (attempt.ending, attempt.text) == (Ending.NO_REPLY, "no reply to OPTIONS")
    waits = [later - sooner for sooner, later in pairwise(server.times)]
    assert waits == pytest.approx([0.5, 1.0, 2.0], abs=0.3)
    assert len(set(map(Request.encode, server.requests))) == 1
    assert attempt.source is not None


def test_garbage_over_udp_is_named() -> None:
    attempt, _ = at_udp(lambda *_: [b"\x00garbage\xff", b"HTTP/1.1 400 Bad\r\n\r\n"])
    assert attempt.ending is Ending.GARBLED
    assert "no SIP message: not SIP: the first line is 'HTTP/1.1 400 Bad'" in attempt.text


def test_keepalives_are_nothing() -> None:
    attempt, _ = at_udp(lambda *_: [b"\r\n\r\n", b"\0\0\0\0", b""])
    assert attempt.ending is Ending.NO_REPLY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b";branch=z9hG4bK", b";branch=z9hG4bKx"),
        (b" REGISTER\r\n", b"0 REGISTER\r\n"),
        (b" REGISTER\r\n", b" INVITE\r\n"),
        (b"Call-ID: ", b"Call-ID: x"),
        (b">;tag=", b">;tag=x"),
        (b"Via: ", b"Via: SIP/2.0/UDP x;branch=z9hG4bKx\r\nVia: "),
    ],
    ids=["branch", "sequence", "method", "call", "tag", "via"],
)
def test_a_response_to_something_else_is_not_believed(old: bytes, new: bytes) -> None:
    def script(server: Server, request: Request) -> Sent:
        data = reply(server, request, 200, "OK").encode()
        assert old in data
        yield data.replace(old, new, 1)

    attempt, _ = at_udp(script)
    assert attempt.ending is Ending.GARBLED
    assert "belongs to no request of this phone: 200 OK" in attempt.text


@pytest.mark.parametrize("field", [b"CSeq", b"Call-ID", b"From", b"Via"])
def test_a_response_without_a_field_it_must_have_is_named(field: bytes) -> None:
    def script(server: Server, request: Request) -> Sent:
        yield reply(server, request, 200, "OK").encode().replace(b"\r\n" + field, b"\r\nX")

    attempt, _ = at_udp(script)
    assert attempt.ending is Ending.GARBLED
    assert f"{field.decode()} is missing" in attempt.text


def test_provisional_responses_for_ever_end() -> None:
    attempt, _ = at_udp(lambda server, request: [reply(server, request, 100, "Trying")] * 200)
    assert (attempt.ending, attempt.text) == (
        Ending.SILENT,
        "no final response to REGISTER, only provisional ones",
    )
    assert attempt.milliseconds < 1500


def test_an_answer_from_another_address_is_not_heard() -> None:
    async def act() -> Attempt:
        def script(server: Server, request: Request) -> Sent:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind(("127.0.0.2", 0))
                other.sendto(reply(server, request, 200, "OK").encode(), (str(server.peer[0]), server.peer[1]))
            return ()

        async with over_udp(script) as server:
            return await register_once(LocalNetwork(), server.address, ACCOUNT, patience=HASTE)

    assert run(act).ending is Ending.NO_REPLY


def closed_port() -> tuple[socket.socket, TransportAddress]:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, TransportAddress(ip_address("127.0.0.1"), held.getsockname()[1])


@pytest.mark.parametrize("transport", list(SipTransport))
def test_a_closed_port_refuses(transport: SipTransport) -> None:
    held, address = closed_port()
    with held:
        attempt = run(lambda: register_once(LocalNetwork(), address, ACCOUNT, transport=transport, patience=HASTE))
    assert attempt.ending is Ending.REFUSED


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def _closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write_eof()
    await reader.read(-1)


async def _resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _sending(data: bytes, *, endless: bool = False, then_close: bool = False) -> Callable[..., object]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        while True:
            writer.write(data)
            await writer.drain()
            if not endless:
                break
        if then_close:
            writer.write_eof()
        await reader.read(-1)

    return serve


async def _dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for octet in b"SIP/2.0 200 OK\r\n" + 4000 * b"a":
        writer.write(bytes((octet,)))
        await asyncio.sleep(0.02)


HUGE = b"SIP/2.0 200 OK\r\nv: SIP/2.0/TCP a;branch=b\r\nf: <sip:a>;tag=1\r\nt: <sip:a>\r\ni: 1\r\nCSeq: 1 A\r\n"


@pytest.mark.parametrize(
    ("serve", "ending", "text"),
    [
        (_silent, Ending.SILENT, "no response to REGISTER"),
        (_closing, Ending.CLOSED, "the server closed the connection"),
        (_resetting, Ending.RESET, "reset"),
        (_sending(b"\x15\x03\x01\x00\x02\x02\x46"), Ending.GARBLED, "not SIP: it begins"),
        (_sending(b"SSH-2.0-OpenSSH\r\n"), Ending.GARBLED, "not SIP: it begins 'SSH-2.0-OpenSSH'"),
        (_sending(b"SIP/2.0 200 OK\r\nVia", then_close=True), Ending.GARBLED, "in the middle of a message"),
        (_sending(b"SIP/2.0 200 OK\r\n" + 500 * b"A: b\r\n"), Ending.SILENT, "no response"),
        (_sending(b"SIP/2.0 200 OK\r\n" + 9000 * b"A: b\r\n"), Ending.GARBLED, "header has more than 16384 bytes"),
        (_sending(b"\r\n" * 1000, endless=True), Ending.SILENT, "no response to REGISTER"),
        (_sending(b"a" * 4096, endless=True), Ending.GARBLED, "not SIP: it begins 'aaaa"),
        (_sending(HUGE + b"Content-Length: 999999999\r\n\r\n"), Ending.GARBLED, "Content-Length is 999999999"),
        (_sending(HUGE + b"Content-Length: 65000\r\n\r\nabc"), Ending.SILENT, "no response"),
        (_sending(HUGE + b"Content-Length: 0\r\n\r\n", endless=True), Ending.GARBLED, "belongs to no request"),
        (_dripping, Ending.SILENT, "no response"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_streams_that_go_wrong_end_by_name(serve: Callable[..., object], ending: Ending, text: str) -> None:
    async def act() -> Attempt:
        async with raw_tcp(serve) as address:  # type: ignore[arg-type]
            return await register_once(LocalNetwork(), address, ACCOUNT, transport=TCP, patience=HASTE)

    attempt = run(act)
    assert attempt.ending is ending
    assert text in attempt.text
    assert attempt.milliseconds < 2500


@pytest.mark.parametrize(
    ("serve", "text"), [(_silent, "no TLS handshake within"), (_sending(b"SIP/2.0 200 OK\r\n\r\n"), "no TLS server")]
)
def test_a_server_without_tls_is_named(serve: Callable[..., object], text: str) -> None:
    async def act() -> Attempt:
        async with raw_tcp(serve) as address:  # type: ignore[arg-type]
            waits = Patience(connect=0.5, answer=0.5, leave=0.2)
            return await register_once(LocalNetwork(), address, ACCOUNT, transport=SipTransport.TLS, patience=waits)

    attempt = run(act)
    assert attempt.ending is Ending.TLS_FAILED
    assert text in attempt.text


def test_a_server_that_goes_away_does_not_hold_the_phone_up() -> None:
    async def act() -> float:
        async with over_tcp(obliging) as server:
            phone = SipPhone(LocalNetwork(), server.address, ACCOUNT, transport=TCP, patience=HASTE)
            async with phone:
                await phone.register()
                server.script = nothing
                begin = asyncio.get_running_loop().time()
            return asyncio.get_running_loop().time() - begin

    assert run(act) < 2.5


def test_a_broken_stream_is_named_by_what_comes_after() -> None:
    async def act() -> AttemptFailed:
        async with raw_tcp(_closing) as address:
            async with SipPhone(LocalNetwork(), address, ACCOUNT, transport=TCP, patience=HASTE) as phone:
                for _ in range(2):
                    with pytest.raises(AttemptFailed) as caught:
                        await phone.register()
            return caught.value

    assert run(act).ending is Ending.CLOSED


def test_a_server_that_reads_nothing_does_not_hold_the_phone_up() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def act() -> Attempt:
        async with raw_tcp(serve) as address:
            return await call_once(LocalNetwork(), address, ACCOUNT, number="1", transport=TCP, patience=HASTE)

    assert run(act).ending is Ending.SILENT
