"""What a stranger learns from a registrar's refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from tests.endpoint.sip_phone.scripted_server import (
    HASTE,
    Server,
    authorized,
    challenge,
    over_udp,
    reply,
    run,
)

from callgate.endpoint.attempt import Ending
from callgate.endpoint.sip_phone import Account, Refusal, refusal
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip.message import Request, Response

Sent = Iterable[Response]
Script = Callable[[Server, Request, bool], Sent]
"""The last argument: whether the user is known."""
PLAIN = 'Digest realm="pbx.lab", nonce="{}"'


def refused(script: Script, user: str = "1001") -> tuple[Refusal, Server]:
    async def act() -> tuple[Refusal, Server]:
        known = user == "1001"
        async with over_udp(lambda server, request: script(server, request, known)) as server:
            account = Account(user=user, password="surely-wrong")
            return await refusal(LocalNetwork(), server.address, account, patience=HASTE), server

    return run(act)


def difference(script: Script) -> str | None:
    known, unknown = refused(script)[0], refused(script, "9999")[0]
    assert (known == unknown) == (known.difference(unknown) is None)
    return known.difference(unknown)


def alike(server: Server, request: Request, known: bool) -> Sent:
    yield challenge(server, request, PLAIN.format(len(server.requests)))


def test_a_registrar_that_answers_alike_tells_nothing() -> None:
    assert difference(alike) is None
    result, server = refused(alike)
    assert (result.ending, result.text) == (Ending.REJECTED, "refused: 401 Unauthorized, then 401 Unauthorized")
    assert not result.accepted
    assert [authorized(request) for request in server.requests] == [False, True]
    (shape,) = result.replies[0].challenges or ()
    assert (shape.realm, shape.scheme, shape.algorithm, shape.has_opaque) == ("pbx.lab", "digest", None, False)
    assert result.source is not None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            lambda server, request: reply(server, request, 404, "Not Found"),
            "REGISTER without credentials: 401 Unauthorized, and 404 Not Found",
        ),
        (
            lambda server, request: challenge(server, request, 'Digest realm="x", nonce="1"'),
            "REGISTER without credentials: realm of the challenge: 'pbx.lab', and 'x'",
        ),
        (
            lambda server, request: challenge(server, request, PLAIN + ', algorithm=SHA-256, opaque="o"'),
            "REGISTER without credentials: algorithm of the challenge: None, and 'SHA-256'",
        ),
        (
            lambda server, request: challenge(server, request, PLAIN + ", stale=true"),
            "REGISTER without credentials: stale of the challenge: False, and True",
        ),
        (
            lambda server, request: challenge(server, request, f"{PLAIN}, {PLAIN}"),
            "REGISTER without credentials: another number of challenges",
        ),
        (
            lambda server, request: challenge(server, request, "=broken"),
            "REGISTER without credentials: another number of challenges",
        ),
        (
            lambda server, request: with_field(challenge(server, request, PLAIN), ("X-Hint", "no")),
            "REGISTER without credentials: header fields only of one: X-Hint",
        ),
        (
            lambda server, request: turned(challenge(server, request, PLAIN)),
            "REGISTER without credentials: the header fields stand in another order, or another number of times",
        ),
        (
            lambda server, request: reply(server, request, 401, "Unauthorised", ("WWW-Authenticate", PLAIN)),
            "REGISTER without credentials: 401 Unauthorized, and 401 Unauthorised",
        ),
        (
            lambda server, request: replace(challenge(server, request, PLAIN), body=b""),
            None,
        ),
    ],
)
def test_what_tells_users_apart_is_named(told: Callable[[Server, Request], Response], words: str | None) -> None:
    def script(server: Server, request: Request, known: bool) -> Sent:
        yield challenge(server, request, PLAIN) if known else told(server, request)

    assert difference(script) == words


def with_field(response: Response, field: tuple[str, str]) -> Response:
    return replace(response, fields=(*response.fields, field))


def turned(response: Response) -> Response:
    return replace(response, fields=(*response.fields[:-2], response.fields[-1], response.fields[-2]))


def test_the_answer_to_wrong_credentials_tells_too() -> None:
    def script(server: Server, request: Request, known: bool) -> Sent:
        if authorized(request) and not known:
            yield reply(server, request, 403, "Forbidden")
        else:
            yield challenge(server, request)

    assert difference(script) == "REGISTER with credentials: 401 Unauthorized, and 403 Forbidden"


def test_the_length_of_a_body_tells_too() -> None:
    def script(server: Server, request: Request, known: bool) -> Sent:
        yield request.response(403, "Forbidden", server.peer, tag="t", body=b"" if known else b"unknown user")

    assert difference(script) == "REGISTER without credentials: a body of 0 bytes, and of 12"


def test_silence_for_some_tells_too() -> None:
    def script(server: Server, request: Request, known: bool) -> Sent:
        if known:
            yield challenge(server, request)

    assert difference(script) == "2 answers, then rejected; 0 answers, then no-reply"


def test_a_challenge_that_cannot_be_answered_is_a_refusal() -> None:
    result, server = refused(lambda server, request, _: [challenge(server, request, 'Basic realm="r"')])
    assert result.ending is Ending.REJECTED
    assert (len(result.replies), len(server.requests)) == (1, 1)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_registration_that_is_wrongly_granted_is_taken_back_at_once(at_once: bool) -> None:
    def script(server: Server, request: Request, _: bool) -> Sent:
        yield reply(server, request, 200, "OK") if at_once or authorized(request) else challenge(server, request)

    result, server = refused(script)
    assert result.ending is Ending.DONE
    assert result.accepted
    how = "without credentials" if at_once else "with these credentials"
    assert result.text == f"the registrar accepted REGISTER {how}: 200 OK; it was taken back at once"
    assert [request.number("Expires") for request in server.requests][-1] == 0
    assert server.requests[-1].contacts[0].uri == server.requests[0].contacts[0].uri


def test_a_grant_that_cannot_be_taken_back_is_said() -> None:
    def script(server: Server, request: Request, _: bool) -> Sent:
        if request.number("Expires"):
            yield reply(server, request, 200, "OK")

    result, _ = refused(script)
    assert "it could not be taken back (no reply to REGISTER) and expires within 60 s" in result.text


def test_no_server_is_an_ending_and_not_a_refusal() -> None:
    result, _ = refused(lambda *_: ())
    assert (result.ending, result.replies) == (Ending.NO_REPLY, ())
    assert not result.accepted
