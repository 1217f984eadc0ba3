"""Refusals, redirections and challenges: what the phone answers, and what it keeps to itself."""

from __future__ import annotations

import pytest
from tests.endpoint.sip_phone.one_registration import Sent, at_udp
from tests.endpoint.sip_phone.scripted_server import (
    ACCOUNT,
    HASTE,
    PASSWORD,
    Server,
    authorized,
    challenge,
    obliging,
    over_udp,
    reply,
    run,
)

from callgate.endpoint.attempt import Attempt, Ending
from callgate.endpoint.sip_phone import Account, SipPhone, register_once
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip.message import Request


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
