"""Registrations: what the registrar grants is read, and all of it is taken back."""

from __future__ import annotations

import asyncio

import pytest
from tests.endpoint.sip_phone.one_registration import Sent, at_udp
from tests.endpoint.sip_phone.scripted_server import ACCOUNT, HASTE, Server, obliging, over_udp, reply, run

from callgate.endpoint.attempt import Ending
from callgate.endpoint.sip_phone import SipPhone, register_once
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip.message import Request


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
