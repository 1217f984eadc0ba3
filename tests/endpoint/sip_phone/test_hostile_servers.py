"""Whatever the server does, the phone ends in bounded time, with a named result and nothing left open."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from itertools import pairwise

import pytest
from tests.endpoint.sip_phone.scripted_server import (
    ACCOUNT,
    HASTE,
    PASSWORD,
    Server,
    authorized,
    challenge,
    obliging,
    over_tcp,
    over_udp,
    raw_tcp,
    reply,
    run,
)

from callgate.endpoint.attempt import Attempt, AttemptFailed, Ending
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import (
    Account,
    Patience,
    SipPhone,
    SipTransport,
    call_once,
    options_once,
    register_once,
)
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip.message import Request, Response

Sent = Iterable[Response | Request | bytes]
TCP = SipTransport.TCP


def at_udp(script: Callable[[Server, Request], Sent], account: Account = ACCOUNT) -> tuple[Attempt, Server]:
    async def act() -> tuple[Attempt, Server]:
        async with over_udp(script) as server:
            return await register_once(LocalNetwork(), server.address, account, patience=HASTE), server

    return run(act)


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


@pytest.mark.parametrize(("status", "text"), [(403, "403 Reason"), (404, "404 Reason"), (503, "503 Reason")])
def test_a_refusal_is_named_with_its_status(status: int, text: str) -> None:
    attempt, server = at_udp(lambda server, request: [reply(server, request, status)])
    assert (attempt.ending, attempt.text) == (Ending.REJECTED, f"REGISTER: {text}")
    assert server.methods == ["REGISTER"]  # nothing to take back


def test_a_reason_that_is_not_printable_is_escaped() -> None:
    attempt, _ = at_udp(lambda server, request: [reply(server, request, 403, "No\x1b[31m\u20ac")])
    assert attempt.text.isascii()
    assert attempt.text.isprintable()


def test_a_redirection_is_described_and_not_followed() -> None:
    async def act() -> tuple[Attempt, Server, Server]:
        async with over_udp(obliging) as elsewhere:

            def script(server: Server, request: Request) -> Sent:
                yield reply(server, request, 302, "Moved", ("Contact", f"<sip:1001@{elsewhere.address}>"))

            async with over_udp(script) as server:
                return (
                    await register_once(LocalNetwork(), server.address, ACCOUNT, patience=HASTE),
                    server,
                    elsewhere,
                )

    attempt, _, elsewhere = run(act)
    assert attempt.ending is Ending.REJECTED
    assert f"302 Moved, redirected to sip:1001@{elsewhere.address}; not followed" in attempt.text
    assert elsewhere.requests == []


def test_the_credentials_answer_the_strongest_challenge_and_never_basic() -> None:
    def script(server: Server, request: Request) -> Sent:
        values = [("WWW-Authenticate", f'{value} realm="pbx.lab"{more}') for value, more in offered]
        if authorized(request):
            return obliging(server, request)
        return [reply(server, request, 401, "Unauthorized", *values)]

    offered = (("Basic", ""), ("Digest", ', nonce="1"'), ("Digest", ', nonce="2", algorithm=SHA-256, qop="auth"'))
    attempt, server = at_udp(script)
    assert attempt.ending is Ending.DONE
    given = [request.value("Authorization") or "" for request in server.requests if authorized(request)]
    assert all('nonce="2"' in value and "algorithm=SHA-256" in value and "nc=0000000" in value for value in given)
    assert PASSWORD.encode() not in server.data


@pytest.mark.parametrize("value", ['Basic realm="pbx.lab"', 'Digest realm="r", nonce="n", algorithm=NEW', "Digest"])
def test_a_challenge_that_cannot_be_answered_gets_no_credentials(value: str) -> None:
    attempt, server = at_udp(lambda server, request: [challenge(server, request, value)])
    assert attempt.ending is Ending.REJECTED
    assert "no answer to that here" in attempt.text
    assert len(server.requests) == 1


def test_a_malformed_challenge_is_named() -> None:
    attempt, _ = at_udp(lambda server, request: [challenge(server, request, 'Digest realm="r')])
    assert attempt.ending is Ending.GARBLED
    assert "a challenge is not valid" in attempt.text


def test_wrong_credentials_are_given_once() -> None:
    attempt, server = at_udp(lambda server, request: [challenge(server, request)])
    assert (attempt.ending, attempt.text) == (
        Ending.REJECTED,
        "REGISTER: 401 Unauthorized upon our credentials",
    )
    assert [authorized(request) for request in server.requests] == [False, True]


def test_a_stale_nonce_is_renewed_but_not_for_ever() -> None:
    stale = 'Digest realm="pbx.lab", nonce="n", stale=true'
    attempt, server = at_udp(lambda server, request: [challenge(server, request, stale)])
    assert attempt.ending is Ending.REJECTED
    assert len(server.requests) == 4


def test_without_a_password_no_challenge_is_answered() -> None:
    attempt, server = at_udp(lambda server, request: [challenge(server, request)], Account(user="1001"))
    assert (attempt.ending, attempt.text) == (Ending.REJECTED, "401 Unauthorized, and no password was given")
    assert len(server.requests) == 1


def test_no_text_of_a_phone_has_the_password() -> None:
    async def act() -> str:
        async with (
            over_udp(obliging) as server,
            SipPhone(LocalNetwork(), server.address, ACCOUNT, patience=HASTE) as phone,
        ):
            await phone.register()
            record = await phone.call("600", seconds=0.05)
            return repr((phone, phone.account, phone.transcript, record, vars(phone))) + server.data.decode()

    assert PASSWORD not in run(act)


def test_the_longer_registration_that_423_demands_is_asked_for() -> None:
    def script(server: Server, request: Request) -> Sent:
        asked = request.number("Expires") or 0
        if 0 < asked < 600:
            return [reply(server, request, 423, "Interval Too Brief", ("Min-Expires", "600"))]
        return [reply(server, request, 200, "OK", ("Contact", request.values("Contact")[0]))]

    attempt, server = at_udp(script)
    assert attempt.registration is not None
    assert attempt.registration.interval_seconds == 600
    assert [request.number("Expires") for request in server.requests] == [300, 600, 0]
    assert [request.cseq.sequence for request in server.requests] == [1, 2, 3]
    assert len({request.call_id for request in server.requests}) == 1


@pytest.mark.parametrize("least", ["0", "100", "99999999", "x", ""])
def test_a_423_that_makes_no_sense_ends(least: str) -> None:
    attempt, server = at_udp(lambda server, request: [reply(server, request, 423, "Brief", ("Min-Expires", least))])
    assert attempt.ending in (Ending.REJECTED, Ending.GARBLED)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fields", "granted"),
    [
        ((("Contact", "{own};expires=45"), ("Expires", "7")), 45),
        ((("Contact", "<sip:other@192.0.2.1>;expires=9, {own};expires=46"),), 46),
        ((("Expires", "47"),), 47),
        ((("Contact", "{own}"),), 300),
    ],
)
def test_what_the_registrar_grants_is_read(fields: tuple[tuple[str, str], ...], granted: int) -> None:
    def script(server: Server, request: Request) -> Sent:
        own = request.values("Contact")[0].partition(";")[0]
        yield reply(server, request, 200, "OK", *((name, value.format(own=own)) for name, value in fields))

    attempt, _ = at_udp(script)
    assert attempt.registration is not None
    assert attempt.registration.interval_seconds == granted


@pytest.mark.parametrize("fields", [(), (("Contact", "<sip:other@192.0.2.1>;expires=60"),)])
def test_a_200_that_names_no_binding_of_ours_is_no_registration(fields: tuple[tuple[str, str], ...]) -> None:
    attempt, server = at_udp(lambda server, request: [reply(server, request, 200, "OK", *fields)])
    assert attempt.ending is Ending.GARBLED
    assert attempt.registration is None
    assert "names neither our contact" in attempt.text
    assert [request.number("Expires") for request in server.requests] == [300, 0]  # it may have bound it all the same


def test_a_registration_that_is_not_taken_back_is_told() -> None:
    def script(server: Server, request: Request) -> Sent:
        if request.number("Expires"):
            yield reply(server, request, 200, "OK", ("Expires", "60"))

    attempt, _ = at_udp(script)
    assert attempt.ending is Ending.DONE
    assert attempt.text.endswith("; the registrar did not confirm that it took the registration back")


def test_a_registration_that_expires_at_once_is_none() -> None:
    attempt, _ = at_udp(lambda server, request: [reply(server, request, 200, "OK", ("Expires", "0"))])
    assert attempt.ending is Ending.REJECTED
    assert "expires at once" in attempt.text


def test_leaving_takes_back_this_phones_own_contact_and_no_other() -> None:
    attempt, server = at_udp(obliging)
    assert attempt.ending is Ending.DONE
    first, last = server.requests[0], server.requests[-1]
    assert last.number("Expires") == 0
    (contact,) = last.contacts
    assert (contact.uri, contact.parameters) == (first.contacts[0].uri, {"expires": "0"})
    assert "*" not in last.values("Contact")[0]


def test_a_phone_that_is_cancelled_takes_its_registration_back() -> None:
    async def act() -> list[int | None]:
        async with over_udp(obliging) as server:

            async def stay() -> None:
                async with SipPhone(LocalNetwork(), server.address, ACCOUNT, patience=HASTE) as phone:
                    await phone.register()
                    await asyncio.sleep(60)

            task = asyncio.create_task(stay())
            await server.until(lambda: len(server.requests) == 2)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return [request.number("Expires") for request in server.requests]

    assert run(act) == [300, 300, 0, 0]


def test_a_phone_cancelled_before_the_answer_takes_back_what_may_have_been_granted() -> None:
    async def act() -> list[int | None]:
        def script(server: Server, request: Request) -> Sent:
            return () if request.number("Expires") else obliging(server, request)

        async with over_udp(script) as server:
            task = asyncio.create_task(register_once(LocalNetwork(), server.address, ACCOUNT, patience=HASTE))
            await server.until(lambda: server.requests)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return [request.number("Expires") for request in server.requests]

    assert run(act) == [300, 0, 0]


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
