"""Phones at a real SIP server in the lab: register, call, are refused; over every transport and both families."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_address
from typing import Final, Literal

import pytest
from tests.lab.sip_on_host import on_host

from callgate.endpoint.attempt import Attempt, Ending
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import (
    Account,
    Patience,
    SipPhone,
    SipTransport,
    answer_once,
    call_once,
    options_once,
    refusal,
    register_once,
)
from callgate.endpoint.sockets import LocalNetwork
from callgate.endpoint.tls import TlsOptions
from callgate.errors import LabError
from callgate.lab.certificate import Certificate, self_signed
from callgate.lab.kamailio import start_kamailio
from callgate.lab.kamailio_routes import Routing
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

USERS: Final = {"1001": "one-secret", "1002": "two-secret"}
FIRST, SECOND = (Account(user=user, password=password) for user, password in USERS.items())
WRONG = Account(user="1001", password="wrong-secret")
UNKNOWN = Account(user="9999", password="wrong-secret")
V4, V6 = "192.168.1.10", "fd00:1::10"


def server(address: str, transport: SipTransport = SipTransport.UDP) -> TransportAddress:
    return TransportAddress(ip_address(address), 5061 if transport is SipTransport.TLS else 5060)


@pytest.fixture
def certificate(lab: Lab) -> Certificate:
    require_tool("kamailio")
    require_tool("openssl")
    found = lab.pbx.run(["sh", "-c", "ls /usr/lib/*/kamailio/modules/tls.so"], check=False)
    require(None if found.stdout else "Kamailio's tls module not found (Debian package kamailio-tls-modules)")
    return self_signed(lab.directory, "pbx", [ip_address(V4), ip_address(V6)])


def test_phones_call_each_other_over_every_transport_and_family(lab: Lab, certificate: Certificate) -> None:
    start_kamailio(lab.pbx, users=USERS, calls=True, certificate=certificate, qop=True)
    tls = TlsOptions(ca=certificate.certificate)

    async def pair(caller: SipTransport, called: SipTransport, address: str) -> tuple[Attempt, Attempt]:
        async with SipPhone(LocalNetwork(), server(address, called), SECOND, transport=called, tls=tls) as phone:
            terms = await phone.register(expires=120)
            assert terms.interval_seconds == 120
            assert terms.server.startswith("kamailio (")
            answering = asyncio.create_task(phone.answer(within=5))
            attempt = await call_once(
                LocalNetwork(),
                server(address, caller),
                FIRST,
                number="1002",
                seconds=0.5,
                transport=caller,
                tls=tls,
            )
            record = await answering
            return attempt, Attempt(ending=record.ending, text=record.number, call=record)

    transports = list(SipTransport)
    for address in (V4, V6):
        for caller, called in (*zip(transports, transports, strict=True), (SipTransport.UDP, SipTransport.TLS)):
            first, second = on_host(lab.trusted, partial(pair, caller, called, address))
            assert (first.ending, second.ending) == (Ending.DONE, Ending.DONE), (caller, called, address, first)
            assert first.call is not None
            assert second.call is not None
            assert first.call.audio.received >= 20  # of 25 packets
            assert first.call.audio.echoed == first.call.audio.received == second.call.audio.sent
            assert second.call.audio.received >= 20
            assert (first.call.audio.stray, second.call.audio.stray) == (0, 0)
            assert second.text == "1001"
            assert first.source is not None
            assert str(first.source.address) == ("192.168.1.50" if address == V4 else "fd00:1::50")
    assert registered(lab) == 0


def registered(lab: Lab) -> int:
    """Contacts that Kamailio still has: INVITE without one gets 404, and phones that left have none."""
    attempts = [
        on_host(
            lab.trusted,
            partial(call_once, LocalNetwork(), server(V4), FIRST, number=number, seconds=0.1, register=False),
        )
        for number in USERS
    ]
    assert all(attempt.ending is Ending.REJECTED for attempt in attempts), attempts
    return sum("404 Not Found" not in attempt.text for attempt in attempts)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", [False, True])
def test_digest_of_every_kind_is_accepted_and_wrong_ones_are_not(
    lab: Lab, algorithm: Literal["MD5", "SHA-256"], qop: bool
) -> None:
    require_tool("kamailio")
    start_kamailio(lab.pbx, users=USERS, algorithm=algorithm, qop=qop)

    async def ask() -> list[Attempt]:
        return [
            await register_once(LocalNetwork(), server(V4), account)
            for account in (FIRST, WRONG, UNKNOWN, Account(user="1001"))
        ]

    good, wrong, unknown, without = on_host(lab.trusted, ask)
    assert good.ending is Ending.DONE
    assert good.transcript == ("> REGISTER", "< 401 Unauthorized", "> REGISTER", "< 200 OK") * 2
    assert wrong.ending is unknown.ending is without.ending is Ending.REJECTED
    assert wrong.text == unknown.text == "REGISTER: 401 Unauthorized upon our credentials"
    assert without.text == "401 Unauthorized, and no password was given"
    (shape,) = on_host(lab.trusted, lambda: refusal(LocalNetwork(), server(V4), WRONG)).replies[0].challenges or ()
    assert (shape.algorithm or "MD5", shape.qop) == (algorithm, ("auth",) if qop else ())


def test_refusals_tell_nothing_unless_the_server_reveals_its_users(lab: Lab) -> None:
    require_tool("kamailio")
    told = []
    for reveal in (False, True):
        running = start_kamailio(lab.pbx, users=USERS, reveal_users=reveal)
        known, unknown = (
            on_host(lab.trusted, partial(refusal, LocalNetwork(), server(V4), account)) for account in (WRONG, UNKNOWN)
        )
        assert known.ending is unknown.ending is Ending.REJECTED
        assert len(known.replies) == 2
        told.append(known.difference(unknown))
        running.stop()
    assert told == [None, "REGISTER without credentials: 401 Unauthorized, and 404 Not Found"]


def test_an_open_registrar_is_found_and_left_as_it_was(lab: Lab) -> None:
    require_tool("kamailio")
    start_kamailio(lab.pbx, open_registrar=True, calls=True)
    for client, address in ((lab.trusted, V4), (lab.stranger, "203.0.113.10")):
        result = on_host(client, partial(refusal, LocalNetwork(), server(address), UNKNOWN))
        assert result.accepted
        assert "accepted REGISTER without credentials: 200 OK; it was taken back at once" in result.text
    gone = on_host(lab.trusted, lambda: call_once(LocalNetwork(), server(V4), FIRST, number="9999", register=False))
    assert (gone.ending, gone.text) == (Ending.REJECTED, "INVITE: 404 Not Found")


@pytest.mark.parametrize(("asked", "granted"), [(5, 30), (45, 45), (3600, 60)])
def test_the_granted_interval_is_read(lab: Lab, asked: int, granted: int) -> None:
    require_tool("kamailio")
    start_kamailio(lab.pbx, users=USERS, expires=(30, 60))
    attempt = on_host(lab.trusted, lambda: register_once(LocalNetwork(), server(V4), FIRST, expires=asked))
    assert attempt.registration is not None
    assert attempt.registration.interval_seconds == granted


def test_a_firewall_keeps_strangers_out_and_the_phones_in(lab: Lab) -> None:
    require_tool("kamailio")
    start_kamailio(lab.pbx, users=USERS)
    lab.pbx.load_nft(
        "table inet f { chain i { type filter hook input priority 0; "
        'iifname "eth1" udp dport 5060 drop; iifname "eth1" tcp dport 5060 reject with tcp reset; }; }\n'
    )
    waits = Patience(connect=1.0, answer=1.2, leave=0.2)

    def ask(transport: SipTransport, address: str) -> Callable[[], Awaitable[Attempt]]:
        where = server(address)
        return lambda: register_once(LocalNetwork(), where, FIRST, transport=transport, patience=waits)

    udp, tcp = SipTransport.UDP, SipTransport.TCP
    assert on_host(lab.trusted, ask(udp, V4)).ending is Ending.DONE
    assert on_host(lab.trusted, ask(tcp, V6)).ending is Ending.DONE
    stranger = on_host(lab.stranger, ask(udp, "203.0.113.10"))
    assert (stranger.ending, stranger.text) == (Ending.NO_REPLY, "no reply to REGISTER")
    assert on_host(lab.stranger, ask(tcp, "2001:db8:66::10")).ending is Ending.REFUSED


def test_a_server_killed_in_the_middle_of_a_call_ends_it_in_time(lab: Lab) -> None:
    require_tool("kamailio")
    running = start_kamailio(lab.pbx, users=USERS, calls=True)
    waits = Patience(leave=0.5)

    async def talk() -> list[Attempt]:
        called = asyncio.create_task(
            answer_once(LocalNetwork(), server(V4), SECOND, within=5, seconds=1.5, patience=waits)
        )
        await asyncio.sleep(0.3)
        calling = asyncio.create_task(
            call_once(
                LocalNetwork(),
                server(V4),
                FIRST,
                number="1002",
                seconds=1.0,
                transport=SipTransport.TCP,
                patience=waits,
            )
        )
        await asyncio.sleep(0.5)
        await asyncio.to_thread(running.stop)
        return [await calling, await called]

    over_tcp, over_udp = on_host(lab.trusted, talk)
    assert over_tcp.ending in (Ending.CLOSED, Ending.RESET)
    assert over_udp.ending is Ending.DONE  # audio goes from phone to phone; nobody was left to tell of the end
    assert over_udp.milliseconds < 5000


def test_options_name_the_product(lab: Lab, certificate: Certificate) -> None:
    start_kamailio(lab.pbx, certificate=certificate)
    for transport in SipTransport:
        for address in (V4, V6):
            attempt = on_host(
                lab.trusted,
                partial(
                    options_once,
                    LocalNetwork(),
                    server(address, transport),
                    FIRST,
                    transport=transport,
                    tls=TlsOptions(ca=certificate.certificate),
                ),
            )
            assert attempt.text.startswith("OPTIONS: 200 OK, from kamailio (")


def test_a_certificate_that_is_not_trusted_is_named(lab: Lab, certificate: Certificate) -> None:
    start_kamailio(lab.pbx, users=USERS, certificate=certificate)
    attempt = on_host(
        lab.trusted,
        lambda: register_once(
            LocalNetwork(), server(V4, SipTransport.TLS), FIRST, transport=SipTransport.TLS, tls=TlsOptions()
        ),
    )
    assert attempt.ending is Ending.TLS_FAILED
    assert "not among those trusted" in attempt.text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"extensions": {"6 0": "192.0.2.1:5060"}}, "cannot be a lab account"),
        ({"extensions": {"600": 'x";'}}, "is not ADDRESS:PORT"),
        ({"extensions": {"600": "192.0.2.1:70000"}}, "is not ADDRESS:PORT"),
        ({"expires": (60, 30)}, "no registration lasts"),
        ({"expires": (0, 30)}, "no registration lasts"),
    ],
)
def test_routes_that_cannot_be_written_are_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(LabError, match=reason):
        Routing(**fields)  # type: ignore[arg-type]
