"""A call to servers that answer it in every wrong way: it is hung up or called off, and its ending named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.endpoint.sip_phone.scripted_server import (
    ACCOUNT,
    HASTE,
    Server,
    authorized,
    challenge,
    obliging,
    over_tcp,
    over_udp,
    reply,
    run,
    session,
)

from callgate.endpoint.attempt import Attempt, CallRecord, Ending
from callgate.endpoint.sip_phone import SipPhone, SipTransport, call_once
from callgate.endpoint.sip_phone.call import unfit
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip.message import Request, Response
from callgate.sip.sdp import read_description

Sent = Iterable[Response | Request | bytes]


def calling(
    script: Callable[[Server, Request], Sent], *, seconds: float = 0.1, transport: SipTransport = SipTransport.UDP
) -> tuple[Attempt, Server]:
    async def act() -> tuple[Attempt, Server]:
        async with (over_udp if transport is SipTransport.UDP else over_tcp)(script) as server:
            attempt = await call_once(
                LocalNetwork(),
                server.address,
                ACCOUNT,
                number="6#0",
                seconds=seconds,
                register=False,
                transport=transport,
                patience=HASTE,
            )
            return attempt, server

    return run(act)


def answering(body: bytes) -> Callable[[Server, Request], Sent]:
    return lambda server, request: obliging(server, request, body=body)


@pytest.mark.parametrize("transport", [SipTransport.UDP, SipTransport.TCP])
def test_a_call_is_invited_authorized_acknowledged_and_ended(transport: SipTransport) -> None:
    attempt, server = calling(obliging, transport=transport)
    assert server.methods == ["INVITE", "ACK", "INVITE", "ACK", "BYE"]
    first, refused, second, accepted, bye = server.requests
    assert first.uri == second.uri == "sip:6%230@pbx.lab"
    assert (refused.via.branch, refused.uri) == (first.via.branch, first.uri)
    assert (second.call_id, second.sender) == (first.call_id, first.sender)
    assert second.via.branch != first.via.branch
    assert [request.cseq.sequence for request in server.requests] == [1, 1, 2, 2, 3]
    assert accepted.uri == bye.uri == f"sip:callee@{server.address}"
    assert accepted.via.branch != second.via.branch
    assert accepted.value("Proxy-Authorization") == second.value("Proxy-Authorization")  # RFC 3261, 13.2.2.4
    assert accepted.recipient.tag == bye.recipient.tag == "srv"
    offered = read_description(second.body).audio
    assert offered is not None
    assert offered.formats == (0, 8)
    assert attempt.call is not None
    assert attempt.call.audio.sent > 0
    assert attempt.ending is Ending.ONE_WAY  # nobody listens at the script's port
    assert attempt.call.codec == "PCMU"


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (486, "Busy Here"), (603, "Decline")])
def test_a_refused_call_is_named_and_acknowledged(status: int, reason: str) -> None:
    attempt, server = calling(lambda server, request: [reply(server, request, status, reason)] if request.body else ())
    assert (attempt.ending, attempt.text) == (Ending.REJECTED, f"INVITE: {status} {reason}")
    assert server.methods == ["INVITE", "ACK"]


def test_a_call_that_is_not_answered_is_cancelled() -> None:
    def script(server: Server, request: Request) -> Sent:
        if request.method == "INVITE":
            yield reply(server, request, 100, "Trying")
            yield reply(server, request, 180, "Ringing")
        elif request.method == "CANCEL":
            yield reply(server, request, 200, "OK")
            yield reply(server, server.requests[0], 487, "Request Terminated")

    attempt, server = calling(script)
    assert (attempt.ending, attempt.text) == (Ending.SILENT, "INVITE: 180 Ringing, but not answered within 0.3 s")
    assert server.methods == ["INVITE", "CANCEL", "ACK"]
    assert server.requests[1].via == server.requests[0].via


def test_ringing_for_ever_ends() -> None:
    async def act() -> tuple[Attempt, Server]:
        def script(server: Server, request: Request) -> Sent:
            if request.method == "INVITE":
                asyncio.get_running_loop().call_later(0.01, again, server, request)
            return ()

        def again(server: Server, request: Request) -> None:
            if len(server.requests) < 3:
                server.send(reply(server, request, 180, "Ringing").encode())
                asyncio.get_running_loop().call_later(0.001, again, server, request)

        async with over_udp(script) as server:
            attempt = await call_once(
                LocalNetwork(), server.address, ACCOUNT, number="1", register=False, patience=HASTE
            )
            return attempt, server

    attempt, server = run(act)
    assert attempt.ending is Ending.SILENT
    assert server.methods[:2] == ["INVITE", "CANCEL"]
    assert attempt.milliseconds < 1500


def test_an_answer_that_crosses_the_cancellation_is_acknowledged_and_hung_up() -> None:
    def script(server: Server, request: Request) -> Sent:
        if request.method == "INVITE":
            yield reply(server, request, 180, "Ringing")
        elif request.method == "CANCEL":
            yield reply(server, server.requests[0], 200, "OK", ("Contact", "<sip:a@127.0.0.1>"), body=session())
        elif request.method == "BYE":
            yield reply(server, request, 200, "OK")

    attempt, server = calling(script)
    assert attempt.ending is Ending.SILENT
    assert [method for method in server.methods if method != "CANCEL"] == ["INVITE", "ACK", "BYE"]


def test_no_answer_at_all_is_not_cancelled() -> None:
    attempt, server = calling(lambda *_: ())
    assert (attempt.ending, attempt.text) == (Ending.NO_REPLY, "no reply to INVITE")
    assert set(server.methods) == {"INVITE"}


@pytest.mark.parametrize(
    ("body", "ending", "text"),
    [
        (session("224.0.0.1"), Ending.GARBLED, "audio is wanted at 224.0.0.1:40000, a group"),
        (session("255.255.255.255"), Ending.GARBLED, "a broadcast address"),
        (session("0.0.0.1"), Ending.GARBLED, "a broadcast address"),
        (session("::1"), Ending.GARBLED, "an address of IPv6 to a phone of IPv4"),
        (session(port=70000), Ending.GARBLED, "an m= line is not valid"),
        (session("pbx.example"), Ending.GARBLED, "no address for audio"),
        (session().replace(b"AVP 0", b"SAVP 0"), Ending.GARBLED, "RTP/SAVP without a codec that was offered"),
        (session().replace(b"AVP 0", b"AVP 18"), Ending.GARBLED, "without a codec that was offered"),
        (b"<html>", Ending.GARBLED, "not a session description"),
        (session("0.0.0.0"), Ending.NO_AUDIO, "0 packets sent"),
        (session(port=0), Ending.NO_AUDIO, "0 packets sent"),
        (session("127.0.0.1", 40000, "a=sendonly"), Ending.NO_AUDIO, "0 packets sent"),
        (session("127.0.0.1", 40000, "a=inactive"), Ending.NO_AUDIO, "0 packets sent"),
    ],
)
def test_no_audio_goes_where_it_must_not_and_the_call_is_ended(body: bytes, ending: Ending, text: str) -> None:
    attempt, server = calling(answering(body), seconds=0.05)
    assert attempt.ending is ending
    assert text in attempt.text
    assert attempt.call is None or attempt.call.audio.sent == 0
    assert server.methods[-2:] == ["ACK", "BYE"]


@pytest.mark.parametrize("field", ["Contact", "Record-Route"])
def test_an_answer_that_cannot_be_read_is_acknowledged_and_hung_up(field: str) -> None:
    def script(server: Server, request: Request) -> Sent:
        if request.method == "INVITE":
            yield reply(server, request, 200, "OK", (field, "<nonsense"), body=session())
        elif request.method == "BYE":
            yield reply(server, request, 200, "OK")

    attempt, server = calling(script)
    assert attempt.ending is Ending.GARBLED
    assert server.methods == ["INVITE", "ACK", "BYE"]


def test_every_phone_that_answers_is_acknowledged_and_all_but_one_hung_up() -> None:
    def script(server: Server, request: Request) -> Sent:
        if request.method == "INVITE":
            for tag in ("one", "two", "one", "three"):
                contact = ("Contact", f"<sip:{tag}@{server.address}>")
                yield reply(server, request, 200, "OK", contact, body=session(), tag=tag)
        elif request.method == "BYE":
            yield reply(server, request, 200, "OK")

    attempt, server = calling(script)
    assert attempt.call is not None
    acknowledged = [request.uri.partition("@")[0] for request in server.of("ACK")]
    assert sorted(acknowledged) == ["sip:one", "sip:one", "sip:three", "sip:two"]
    assert [request.recipient.tag for request in server.of("BYE")] == ["two", "three", "one"]


def test_an_endless_number_of_forks_is_bounded() -> None:
    def script(server: Server, request: Request) -> Sent:
        if request.method == "INVITE":
            for number in range(60):
                yield reply(server, request, 200, "OK", body=session(), tag=f"t{number}")

    attempt, server = calling(script)
    assert attempt.call is not None
    assert len({request.recipient.tag for request in server.of("BYE")}) <= 9


def test_a_call_the_other_side_ends_is_not_ended_again() -> None:
    def script(server: Server, request: Request) -> Sent:
        yield from obliging(server, request)
        if request.method == "ACK" and authorized(request):
            yield bye_to(server)

    attempt, server = calling(script, seconds=5.0)
    assert attempt.call is not None
    assert attempt.call.seconds < 1.0
    assert "BYE" not in server.methods
    assert [response.status for response in server.responses] == [200]


def bye_to(server: Server) -> Request:
    """A BYE from the called side, within the call."""
    ack = server.of("ACK")[-1]
    return Request(
        method="BYE",
        uri=server.of("INVITE")[0].contacts[0].uri,
        fields=(
            ("Via", f"SIP/2.0/UDP {server.address};branch=z9hG4bKbye"),
            ("From", ack.values("To")[0]),
            ("To", ack.values("From")[0]),
            ("Call-ID", ack.call_id),
            ("CSeq", "1 BYE"),
            ("Content-Length", "0"),
        ),
    )


@pytest.mark.parametrize("wrong", ["From", "To", "Call-ID"])
def test_a_bye_of_another_call_ends_nothing(wrong: str) -> None:
    def script(server: Server, request: Request) -> Sent:
        yield from obliging(server, request)
        if request.method == "ACK" and authorized(request):
            bye = bye_to(server)
            fields = tuple((name, value + "x" if name == wrong else value) for name, value in bye.fields)
            yield replace(bye, fields=fields)

    attempt, server = calling(script)
    assert attempt.call is not None
    assert [response.status for response in server.responses] == [481]
    assert server.methods[-1] == "BYE"


def test_a_new_offer_within_the_call_is_declined_and_the_call_goes_on() -> None:
    def script(server: Server, request: Request) -> Sent:
        yield from obliging(server, request)
        if request.method == "ACK" and authorized(request) and not server.responses:
            bye = bye_to(server)
            fields = tuple((name, value.replace("BYE", "INVITE")) for name, value in bye.fields)
            yield replace(bye, method="INVITE", fields=fields)

    attempt, server = calling(script)
    assert attempt.call is not None
    assert server.responses[0].status == 488
    assert server.methods[-1] == "BYE"


def test_a_call_that_is_cancelled_while_it_stands_is_hung_up() -> None:
    async def act() -> list[str]:
        async with over_udp(obliging) as server:
            task = asyncio.create_task(
                call_once(LocalNetwork(), server.address, ACCOUNT, number="1", seconds=60, patience=HASTE)
            )
            await server.until(lambda: len(server.of("ACK")) == 2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return server.methods

    assert run(act) == ["REGISTER"] * 2 + ["INVITE", "ACK"] * 2 + ["BYE"] + ["REGISTER"] * 2


def test_a_call_that_is_cancelled_while_it_rings_is_called_off() -> None:
    async def act() -> list[str]:
        def script(server: Server, request: Request) -> Sent:
            if request.method == "INVITE":
                yield reply(server, request, 180, "Ringing")
            elif request.method == "CANCEL":
                yield reply(server, request, 200, "OK")
                yield reply(server, server.requests[0], 487, "Request Terminated")

        async with over_udp(script) as server:
            async with SipPhone(LocalNetwork(), server.address, ACCOUNT, patience=HASTE) as phone:
                task = asyncio.create_task(phone.call("1"))
                await server.until(lambda: server.requests)
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            return server.methods

    assert run(act) == ["INVITE", "CANCEL", "ACK"]


def test_a_bye_that_is_not_answered_does_not_hold_the_phone_up() -> None:
    attempt, server = calling(lambda server, request: () if request.method == "BYE" else obliging(server, request))
    assert attempt.call is not None
    assert server.methods[-1] == "BYE"
    assert attempt.milliseconds < 1500


def test_a_bye_is_authorized_when_that_is_asked_for() -> None:
    def script(server: Server, request: Request) -> Sent:
        if request.method == "BYE" and not authorized(request):
            return [challenge(server, request)]
        return obliging(server, request)

    _, server = calling(script)
    assert [authorized(request) for request in server.of("BYE")] == [False, True]


def test_one_phone_makes_calls_one_after_the_other() -> None:
    async def act() -> list[CallRecord]:
        async with (
            over_udp(obliging) as server,
            SipPhone(LocalNetwork(), server.address, ACCOUNT, patience=HASTE) as phone,
        ):
            first = asyncio.create_task(phone.call("1", seconds=0.1))
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="has a call"):
                await phone.call("2")
            return [await first, await phone.call("3", seconds=0.05)]

    assert [record.number for record in run(act)] == ["1", "3"]


@pytest.mark.parametrize(
    ("address", "own", "reason"),
    [
        ("192.0.2.1", "192.0.2.9", ""),
        ("127.0.0.1", "192.0.2.9", "the phone's own machine"),
        ("127.0.0.9", "127.0.0.1", ""),
        ("::1", "2001:db8::1", "the phone's own machine"),
        ("ff02::1", "2001:db8::1", "a group"),
        ("::", "2001:db8::1", "no address"),
        ("::ffff:127.0.0.1", "2001:db8::1", "an IPv4 address in disguise"),
    ],
)
def test_where_audio_must_not_go(address: str, own: str, reason: str) -> None:
    assert unfit(ip_address(address), ip_address(own)) == reason
