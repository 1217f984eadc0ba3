"""Calls to a phone, right ones and wrong ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.endpoint.sip_phone.scripted_server import (
    ACCOUNT,
    HASTE,
    Server,
    obliging,
    over_tcp,
    over_udp,
    run,
    session,
)

from callgate.endpoint.attempt import AttemptFailed, CallRecord, Ending
from callgate.endpoint.audio import AudioChannel
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import SipPhone, SipTransport
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip import sdp
from callgate.sip.message import Field, Request, Response
from callgate.sip.sdp import read_description


def ask(
    server: Server,
    method: str,
    *,
    branch: str = "b1",
    sequence: int = 1,
    to_tag: str | None = None,
    body: bytes = b"",
    contact: str = "<sip:caller@127.0.0.1>",
    more: tuple[Field, ...] = (),
) -> None:
    """Send the phone a request of the caller's."""
    fields: list[Field] = [
        ("Record-Route", f"<sip:{server.address};lr>"),
        ("Via", f"SIP/2.0/UDP {server.address};branch=z9hG4bK{branch}"),
        ("From", '"Alice" <sip:alice@pbx.lab>;tag=alice'),
        ("To", "<sip:1001@pbx.lab>" + (f";tag={to_tag}" if to_tag else "")),
        ("Call-ID", "incoming"),
        ("CSeq", f"{sequence} {method}"),
        *more,
    ]
    if contact:
        fields.append(("Contact", contact))
    if body:
        fields.append(("Content-Type", "application/sdp"))
    fields.append(("Content-Length", str(len(body))))
    server.send(Request(method=method, uri="sip:1001@127.0.0.1", fields=tuple(fields), body=body).encode())


def answers(server: Server, method: str) -> list[int]:
    return [response.status for response in server.responses if response.cseq.method == method]


async def status(server: Server, method: str, wanted: int) -> Response:
    await server.until(lambda: wanted in answers(server, method))
    return next(
        response for response in server.responses if (response.cseq.method, response.status) == (method, wanted)
    )


def called(
    act: Callable[[Server], Awaitable[None]], *, within: float = 2.0, over: Any = over_udp, **terms: Any
) -> tuple[Any, Server]:
    """Register a phone, let it answer, and let `act` play the caller; returns the record or the failure."""

    async def both() -> tuple[CallRecord | AttemptFailed, Server]:
        transport = SipTransport.UDP if over is over_udp else SipTransport.TCP
        async with over(obliging) as server:
            phone = SipPhone(LocalNetwork(), server.address, ACCOUNT, transport=transport, patience=HASTE)
            async with phone:
                await phone.register()
                answering = asyncio.create_task(phone.answer(within=within, **terms))
                await asyncio.sleep(0)
                await act(server)
                outcome: CallRecord | AttemptFailed
                try:
                    outcome = await answering
                except AttemptFailed as failure:
                    outcome = failure
            return outcome, server

    return run(both)


async def established(server: Server, body: bytes | None = None) -> str:
    ask(server, "INVITE", body=session() if body is None else body)
    tag = (await status(server, "INVITE", 200)).recipient.tag
    assert tag is not None
    ask(server, "ACK", branch="ack", to_tag=tag)
    return tag


def test_a_call_is_rung_answered_and_ended_by_the_caller() -> None:
    async def act(server: Server) -> None:
        tag = await established(server)
        await asyncio.sleep(0.05)
        ask(server, "BYE", branch="bye", sequence=2, to_tag=tag)

    record, server = called(act)
    assert record.number == "alice"
    assert record.ending is Ending.NO_AUDIO
    assert answers(server, "INVITE") == [180, 200]
    assert answers(server, "BYE") == [200]
    ringing, accepted = (response for response in server.responses if response.cseq.method == "INVITE")
    assert ringing.recipient.tag == accepted.recipient.tag
    assert accepted.values("Record-Route") == [f"<sip:{server.address};lr>"]
    assert accepted.contacts[0].uri == server.requests[0].contacts[0].uri
    assert "BYE" not in server.methods


@pytest.mark.parametrize("echo", [True, False])
def test_audio_is_echoed_or_a_tone_is_sent(echo: bool) -> None:
    async def act(server: Server) -> None:
        local = TransportAddress(server.address.address, 9)
        channel = AudioChannel(await LocalNetwork().datagrams(toward=local))
        try:
            tag = await established(server, session("127.0.0.1", channel.local.port))
            answered = read_description((await status(server, "INVITE", 200)).body).audio
            assert answered is not None
            assert answered.address is not None
            channel.transmit(TransportAddress(answered.address, answered.port))
            await asyncio.sleep(0.3)
            count = channel.count
            assert count.received > 5
            assert (count.echoed == count.received) is echo
            ask(server, "BYE", branch="bye", sequence=2, to_tag=tag)
        finally:
            await channel.close()

    record, _ = called(act, echo=echo)
    assert record.ending is Ending.DONE
    assert record.audio.echoed == 0


def test_the_phone_hangs_up_when_its_time_is_over() -> None:
    async def act(server: Server) -> None:
        await established(server)

    record, server = called(act, seconds=0.1)
    assert 0.1 <= record.seconds < 0.5
    (bye,) = server.of("BYE")
    assert (bye.uri, bye.values("Route")) == ("sip:caller@127.0.0.1", [f"<sip:{server.address};lr>"])
    assert (bye.sender.tag, bye.recipient.tag) == (server.responses[0].recipient.tag, "alice")


def test_a_caller_that_never_hangs_up_is_hung_up_on() -> None:
    async def act(server: Server) -> None:
        await established(server)

    record, server = called(act)
    assert record.seconds == pytest.approx(HASTE.call, abs=0.3)
    assert server.methods.count("BYE") == 1


def test_an_offer_may_come_with_ack() -> None:
    async def act(server: Server) -> None:
        ask(server, "INVITE")
        accepted = await status(server, "INVITE", 200)
        offered = read_description(accepted.body).audio
        assert offered is not None
        assert offered.formats == tuple(sdp.CODECS)
        ask(server, "ACK", branch="ack", to_tag=accepted.recipient.tag, body=session("127.0.0.1", 40000))

    record, _ = called(act, seconds=0.1, echo=False)
    assert record.audio.sent > 0


def test_an_acceptance_nobody_acknowledges_is_repeated_and_then_hung_up() -> None:
    async def act(server: Server) -> None:
        ask(server, "INVITE", body=session())

    failure, server = called(act)
    assert (failure.ending, failure.text) == (Ending.SILENT, "no ACK came for our answer to INVITE")
    assert answers(server, "INVITE").count(200) >= 1
    assert server.methods.count("BYE") == 1


def test_a_repeated_invite_gets_no_second_call() -> None:
    async def act(server: Server) -> None:
        for _ in range(3):
            ask(server, "INVITE", body=session())
        tag = (await status(server, "INVITE", 200)).recipient.tag
        ask(server, "ACK", branch="ack", to_tag=tag)
        ask(server, "BYE", branch="bye", sequence=2, to_tag=tag)

    _, server = called(act)
    assert set(answers(server, "INVITE")) == {180, 200}
    assert len({response.recipient.tag for response in server.responses}) == 1


def test_a_second_call_finds_the_phone_busy() -> None:
    async def act(server: Server) -> None:
        tag = await established(server)
        ask(server, "INVITE", branch="other", sequence=9, body=session())
        await status(server, "INVITE", 486)
        ask(server, "BYE", branch="bye", sequence=2, to_tag=tag)

    record, _ = called(act)
    assert isinstance(record, CallRecord)


def test_a_phone_that_waits_for_no_call_is_busy() -> None:
    async def act() -> list[int]:
        async with (
            over_udp(obliging) as server,
            SipPhone(LocalNetwork(), server.address, ACCOUNT, patience=HASTE) as phone,
        ):
            await phone.register()
            ask(server, "INVITE", body=session())
            await status(server, "INVITE", 486)
            return answers(server, "INVITE")

    assert 180 not in run(act)


def test_a_call_called_off_before_the_answer_is_not_answered() -> None:
    async def act(server: Server) -> None:
        sent: list[bytes] = []
        send, server.send = server.send, sent.append
        ask(server, "INVITE", body=session())
        ask(server, "CANCEL")
        server.send = send
        send(b"".join(sent))  # both are there before the phone can answer
        await status(server, "CANCEL", 200)
        await status(server, "INVITE", 487)

    failure, server = called(act, over=over_tcp)
    assert (failure.ending, failure.text) == (Ending.CLOSED, "alice called it off before it was answered")
    assert answers(server, "INVITE") == [180, 487]


def test_a_call_called_off_too_late_is_hung_up_by_the_caller() -> None:
    async def act(server: Server) -> None:
        tag = await established(server)
        ask(server, "CANCEL")
        await status(server, "CANCEL", 200)
        ask(server, "BYE", branch="bye", sequence=2, to_tag=tag)

    record, server = called(act)
    assert isinstance(record, CallRecord)
    assert answers(server, "INVITE") == [180, 200]


@pytest.mark.parametrize(
    ("body", "wanted", "ending"),
    [
        (b"garbage", 400, Ending.GARBLED),
        (session().replace(b"AVP 0", b"AVP 18"), 488, Ending.REJECTED),
        (session("224.0.0.1"), 488, Ending.GARBLED),
        (session().replace(b"m=audio", b"m=video"), 488, Ending.REJECTED),
    ],
)
def test_an_offer_that_makes_no_sense_is_declined(body: bytes, wanted: int, ending: Ending) -> None:
    async def act(server: Server) -> None:
        ask(server, "INVITE", body=body)
        await status(server, "INVITE", wanted)

    failure, server = called(act)
    assert failure.ending is ending
    assert "BYE" not in server.methods


def test_an_invite_without_contact_is_a_bad_request_and_the_phone_waits_on() -> None:
    async def act(server: Server) -> None:
        ask(server, "INVITE", contact="", branch="bad", body=session())
        await status(server, "INVITE", 400)
        await established(server)

    record, _ = called(act, seconds=0.05)
    assert record.number == "alice"


def test_no_call_in_time_is_silence() -> None:
    async def act(server: Server) -> None:
        pass

    failure, _ = called(act, within=0.1)
    assert (failure.ending, failure.text) == (Ending.SILENT, "no call came within 0.1 s")


@pytest.mark.parametrize(
    ("method", "wanted"), [("OPTIONS", 200), ("MESSAGE", 405), ("BYE", 481), ("CANCEL", 481), ("FOO", 405)]
)
def test_other_requests_are_answered(method: str, wanted: int) -> None:
    async def act(server: Server) -> None:
        ask(server, method)
        answered = await status(server, method, wanted)
        assert wanted not in (200, 405) or "BYE" in (answered.value("Allow") or "")
        ask(server, method)  # again: the same answer
        await server.until(lambda: len(answers(server, method)) == 2)
        assert server.responses[0] == server.responses[1]

    failure, _ = called(act, within=0.3)
    assert failure.ending is Ending.SILENT


def test_an_unknown_session_is_not_entered_by_its_tag() -> None:
    async def act(server: Server) -> None:
        ask(server, "INVITE", to_tag="guessed", body=session())
        await status(server, "INVITE", 481)
        ask(server, "ACK", branch="ack", to_tag="guessed")

    failure, _ = called(act, within=0.2)
    assert failure.ending is Ending.SILENT


def test_a_flood_of_requests_does_not_stop_the_phone() -> None:
    async def act(server: Server) -> None:
        for number in range(500):
            ask(server, "OPTIONS", branch=f"flood{number}")
        await asyncio.sleep(0.1)

    failure, server = called(act, within=0.5)
    assert failure.ending in (Ending.SILENT, Ending.GARBLED)
    assert len(answers(server, "OPTIONS")) <= 64
    assert server.requests[-1].number("Expires") == 0  # it still took its registration back
