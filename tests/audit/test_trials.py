"""How the attempts are made: what is sent from where, how often, and what a hostile server makes of it.

Servers here stand on loopback, and phones speak from this machine.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from callgate.audit.auditor import AUDITOR
from callgate.audit.target import Target
from callgate.audit.trials import conversation, places
from callgate.audit.trials.conversation import Called, Guarded
from callgate.audit.trials.handshake import handshake
from callgate.audit.trials.overhearing import OverhearingNetwork
from callgate.audit.trials.places import Place, places_of
from callgate.audit.trials.placing import misplaced
from callgate.audit.trials.stranger import patience, register_as_stranger
from callgate.audit.trials.trial import Trial
from callgate.audit.trials.trials import Trials
from callgate.baseline.service import CATALOGUE, Service
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.attempt import Attempt, Ending
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import Refusal
from callgate.endpoint.sockets import LocalNetwork
from callgate.errors import NotDetermined
from callgate.evidence.logins import SharedLogins
from callgate.lab.certificate import self_signed
from callgate.lab.pytest_fixtures import require_tool

from .conftest import QUIET_HOST, SERVING_HOST

Host = Callable[..., Target]
Answer = Callable[[bytes], bytes]
HERE = IPv4Address("127.0.0.1")
ALIAS = IPv4Address("127.0.0.2")
DESK = {"name": "desk", "device": "SEP001122334455", "number": "1001", "dials": "4711"}
HALL = {"name": "hall", "application": "sip", "user": "4711", "number": "4711", "dials": "600"}


def challenge(request: bytes) -> bytes:
    """401 to whatever came."""
    kept = [line for line in request.split(b"\r\n") if line.split(b":")[0] in (b"Via", b"From", b"Call-ID", b"CSeq")]
    to = next(line for line in request.split(b"\r\n") if line.startswith(b"To:")) + b";tag=1"
    asked = b'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5'
    return b"\r\n".join([b"SIP/2.0 401 Unauthorized", *kept, to, asked, b"Content-Length: 0", b"", b""])


class Registrar(asyncio.DatagramProtocol):
    """Answers each request once, late, perhaps from another socket."""

    def __init__(self, *, late: float = 0.0, source: socket.socket | None = None) -> None:
        self.late, self.source = late, source
        self.heard: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.heard.append(data)
        if len(self.heard) == 1:
            asyncio.get_running_loop().call_later(self.late, self._answer, challenge(data), address)

    def _answer(self, data: bytes, address: Any) -> None:
        if self.source is not None:
            self.source.sendto(data, address)
        elif not self.transport.is_closing():
            self.transport.sendto(data, address)


@asynccontextmanager
async def listening(registrar: Registrar, at: IPv4Address = HERE) -> AsyncIterator[Service]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: registrar, local_addr=(str(at), 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        yield CATALOGUE["sip-udp"].model_copy(update={"port": range(port, port + 1)})
    finally:
        transport.close()
        await asyncio.sleep(0)


@pytest.fixture
def site(host: Host) -> Callable[..., Target]:
    def make(*phones: Mapping[str, object], **more: object) -> Target:
        return host(SERVING_HOST, **{"trusted": ["192.168.1.0/24"], "test_phones": list(phones), **more})

    return make


Site = Callable[..., Target]


def phone_of(target: Target, name: str) -> TrialPhone:
    return next(one for one in target.plan.site.test_phones if one.name == name)


def done(target: Target, name: str, place: str = "office", to: str = "192.168.1.10") -> Trial:
    phone = phone_of(target, name)
    return Trial(
        phone=phone,
        service=CATALOGUE["sccp" if phone.application == "sccp" else "sip-udp"],
        place=place,
        side="trusted",
        address=ip_address(to),
        attempt=Attempt(ending=Ending.DONE, text="registered", milliseconds=20),
    )


# Strangers.


@pytest.mark.parametrize("slowest", [0.0, 1.0, 4.5, 6.0])
def test_stranger_waits_longer_than_the_slowest_phone_inside(slowest: float) -> None:
    assert patience(slowest) >= max(4.0, slowest * 2)


def test_slow_answer_to_a_stranger_is_an_answer(site: Site) -> None:
    async def attempt() -> list[Attempt]:
        async with listening(Registrar(late=4.3)) as service:
            return await register_as_stranger(target, hall, service, LocalNetwork(), [HERE], slowest=4.3)

    target = site(HALL)
    hall = phone_of(target, "hall")
    assert [one.ending for one in asyncio.run(attempt())] == [Ending.REJECTED]


def test_stranger_keeps_the_password_to_itself(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    registrar = Registrar()

    async def attempt() -> list[Attempt]:
        async with listening(registrar) as service:
            return await register_as_stranger(target, hall, service, LocalNetwork(), [HERE])

    monkeypatch.setenv("HALL_PASSWORD", "s3cret")
    target = site({**HALL, "password_env": "HALL_PASSWORD"})
    hall = phone_of(target, "hall")
    assert [one.ending for one in asyncio.run(attempt())] == [Ending.REJECTED]
    assert registrar.heard
    assert not any(b"Authorization" in one for one in registrar.heard)


def test_answer_from_another_address_is_an_answer_to_a_stranger(site: Site) -> None:
    async def attempt() -> list[Attempt]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((str(HERE), 0))
            async with listening(Registrar(source=other), ALIAS) as service:
                return await register_as_stranger(target, hall, service, LocalNetwork(), [ALIAS])

    target = site(HALL)
    hall = phone_of(target, "hall")
    (got,) = asyncio.run(attempt())
    assert got.ending.let_in
    assert f"is answered from {HERE}" in got.text


@pytest.mark.parametrize(("branch", "overheard"), [(b"z9hG4bKours", True), (b"z9hG4bKtheirs", False)])
def test_noise_from_another_address_is_no_answer(branch: bytes, overheard: bool) -> None:
    async def hear() -> bool:
        network = OverhearingNetwork(LocalNetwork())
        sock = await network.datagrams(toward=TransportAddress(ALIAS, 5060))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((str(HERE), 0))
            await sock.send(
                b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKours\r\n",
                TransportAddress(HERE, other.getsockname()[1]),
            )
            reply = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=" + branch + b"\r\n"
            other.sendto(reply, (str(sock.local.address), sock.local.port))
            async with asyncio.timeout(5):
                await sock.receive()
        await sock.close()
        return bool(network.elsewhere)

    assert asyncio.run(hear()) is overheard


def test_connection_that_opened_once_let_the_stranger_in(site: Site) -> None:
    """A firewall that limits connections drops the second one, which alone would look filtered."""

    async def attempt() -> list[Attempt]:
        server: asyncio.Server

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server.close()
            with suppress(ConnectionError):
                await reader.read()
            writer.close()

        server = await asyncio.start_server(once, str(HERE), 0)
        port = server.sockets[0].getsockname()[1]
        service = CATALOGUE["sccp"].model_copy(update={"port": range(port, port + 1)})
        try:
            return await register_as_stranger(target, desk, service, LocalNetwork(), [HERE])
        finally:
            server.close()

    target = site(DESK)
    desk = phone_of(target, "desk")
    (got,) = asyncio.run(attempt())
    assert got.ending.let_in, got
    assert got.source is not None


def test_all_phones_have_left_before_a_place_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot try at all must not cut off another that is registered."""
    ended: list[str] = []

    class Noting(Place):
        @asynccontextmanager
        async def network(self) -> AsyncIterator[Any]:
            try:
                yield LocalNetwork()
            finally:
                ended.append("place")

    async def stay(_: object, phone: TrialPhone, *__: object, **___: object) -> list[Attempt]:
        if phone.name == "hall":
            raise NotDetermined("no certificate")
        try:
            await asyncio.sleep(0.2)
        finally:
            ended.append(phone.name)
        return []

    monkeypatch.setattr("callgate.audit.trials.trials.register_as_stranger", stay)
    target = site(HALL, DESK)
    made = Trials(target, [Noting("internet", "stranger", None, ())])
    vars(made)["registrations"] = ()
    assert made.strangers == ()
    assert ended == ["desk", "place"]
    assert made.doubts("stranger") == ["internet: no certificate"]


def test_registration_that_could_not_be_taken_back_is_told(site: Site) -> None:
    class Deaf(Hairpin):
        """Answers the first request alone."""

        def datagram_received(self, data: bytes, address: Any) -> None:
            self.heard.append(data)
            if len(self.heard) == 1:
                super().datagram_received(data, address)

    async def attempt() -> Attempt:
        async with listening(Deaf()) as service:
            return await conversation.register(target, hall, service, LocalNetwork(), HERE)

    target = site(HALL)
    hall = phone_of(target, "hall")
    assert "did not confirm that it took the registration back" in asyncio.run(attempt()).text


def test_password_that_cannot_be_read_holds_up_its_own_phone_alone(site: Site) -> None:
    target = site({**HALL, "password_file": "not-there"})
    hall = phone_of(target, "hall")
    attempt = asyncio.run(conversation.register(target, hall, CATALOGUE["sip-udp"], LocalNetwork(), HERE))
    assert attempt.ending is Ending.FAILED_HERE
    assert attempt.source is None
    assert "not-there" in attempt.text


# Audio.


class Hairpin(Registrar):
    """Answers a call, and sends the phone's audio to where it comes from."""

    def datagram_received(self, data: bytes, address: Any) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        if lines[0].startswith(b"ACK"):
            return
        names = (b"Via", b"From", b"Call-ID", b"CSeq", b"Contact", b"Expires", b"Content-Type")
        kept = [line for line in lines[1:] if line.split(b":")[0] in names]
        to = next(line for line in lines if line.startswith(b"To:")).partition(b";")[0] + b";tag=1"
        length = b"Content-Length: %d" % len(body)
        self.transport.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *kept, to, length, b"", body]), address)


def test_audio_that_a_phone_sends_to_itself_proves_nothing(site: Site) -> None:
    async def attempt() -> Called:
        async with listening(Hairpin()) as service:
            return await conversation.call(target, hall, service, LocalNetwork(), HERE)

    target = site(HALL)
    hall = phone_of(target, "hall")
    called = asyncio.run(attempt())
    assert called.attempt.ending is Ending.NO_AUDIO, called
    assert called.attempt.call is not None
    assert called.attempt.call.audio.sent == 0  # what came back would look like an echo
    assert called.itself
    assert not replace(done(target, "hall"), attempt=called.attempt, itself=called.itself).arrived


# Where phones stand.


@pytest.mark.parametrize(
    ("side", "source", "asked", "reason"),
    [
        ("trusted", "192.168.1.50", "192.168.1.10", None),
        ("stranger", "203.0.113.66", "203.0.113.10", None),
        ("trusted", "203.0.113.66", "192.168.1.10", "in no trusted network"),
        ("stranger", "192.168.1.50", "203.0.113.10", "in a trusted network"),
        ("trusted", "192.168.1.10", "192.168.1.10", "the audited host itself"),
    ],
)
def test_place_must_stand_on_its_side(site: Site, side: Any, source: str, asked: str, reason: str | None) -> None:
    told = misplaced(site(), side, ip_address(source), ip_address(asked))
    assert told is None if reason is None else told is not None and reason in told


def test_nothing_is_sent_from_a_place_on_the_wrong_side(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password would go over a stranger's path."""

    async def no_phone(*_: object, **__: object) -> Attempt:
        raise AssertionError("a phone was sent")

    monkeypatch.setattr(conversation, "register", no_phone)
    target = site(HALL)
    made = Trials(target, [Place("office", "trusted", None, (HERE,))])
    assert made.registrations == ()
    assert "office: is the audited host itself" in made.doubts("trusted")[0]


def test_auditor_that_is_a_stranger_in_one_family_alone_is_two_places(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {4: ip_address("192.168.1.77"), 6: ip_address("2001:db8:1::77")}
    reached = (ip_address("192.168.1.10"), ip_address("2001:db8:66::10"))
    monkeypatch.setattr(places, "reached_from_here", lambda _: reached)
    monkeypatch.setattr(places, "sources_toward", lambda asked: tuple(own[one.version] for one in asked))
    logins = SharedLogins()
    try:
        found = [(one.name, one.side, one.addresses) for one in places_of(site(), logins)]
        assert found == [
            (f"{AUDITOR} (IPv4)", "trusted", reached[:1]),
            (f"{AUDITOR} (IPv6)", "stranger", reached[1:]),
        ]
        monkeypatch.setattr(places, "sources_toward", tuple)  # it is the audited host
        assert places_of(site(), logins) == ()
    finally:
        logins.close()


# Which phones.


@pytest.mark.parametrize(
    "other",
    [
        {"name": "again", "hosts": "pbx*", "device": "SEP001122334455"},
        {"name": "again", "hosts": "pbx*", "device": "sep001122334455"},
        {"name": "again", "device": "SEP001122334466", "unknown": "sep001122334455"},
        {**HALL, "name": "again", "unknown": "SEP001122334455"},
    ],
)
def test_no_name_is_used_twice(site: Site, other: Mapping[str, object]) -> None:
    target = site(DESK, other, services={"sip-udp": True})
    with pytest.raises(NotDetermined, match="again"):
        assert Trials(target, ()).phones


def test_phones_of_another_host_do_not_clash(site: Site) -> None:
    target = site(DESK, {"name": "again", "hosts": "elsewhere", "device": "SEP001122334455"})
    assert [phone.name for phone, _ in Trials(target, ()).phones] == ["desk"]


def placed(target: Target, *made: Trial) -> Trials:
    """Phones that registered from two places; no packet is sent."""
    trials = Trials(target, [Place(name, "trusted", None, ()) for name in ("office", "attic")])
    vars(trials)["registrations"] = made
    return trials


def test_wrong_password_is_sent_once_for_each_phone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    guesses: list[tuple[str, bool]] = []

    async def guarded(_: object, phone: TrialPhone, *__: object, nobody: str, guess: bool) -> Guarded:
        assert nobody not in ("4711", "4712")
        guesses.append((phone.name, guess))
        refused = Refusal(replies=(), ending=Ending.REJECTED, text="401")
        return Guarded(refused, refused)

    monkeypatch.setattr(conversation, "guarded", guarded)
    target = site(HALL, {**HALL, "name": "door", "user": "4712"})
    everywhere = [done(target, name, place) for place in ("office", "attic") for name in ("hall", "door")]
    assert len(placed(target, *everywhere).guarded) == 4
    assert guesses == [("hall", True), ("door", True), ("hall", False), ("door", False)]


def test_phone_that_is_called_registers_where_it_did_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own service may not be offered in the family that the caller's is."""
    called: list[Any] = []

    async def call(*arguments: Any) -> Called:
        called.append(arguments[-1])
        return Called(Attempt(ending=Ending.DONE, text="called"), heard=48)

    monkeypatch.setattr(conversation, "call", call)
    target = site(DESK, {**HALL, "dials": None})
    over_ipv6 = done(target, "desk", to="fd00:1::10")
    (made,) = placed(target, over_ipv6, done(target, "hall")).calls
    assert made.arrived
    assert [(one[0].name, str(one[2])) for one in called] == [("hall", "192.168.1.10")]
    (lonely,) = placed(target, over_ipv6, done(target, "hall", "attic")).calls
    assert lonely.learnt_nothing
    assert "hall, whom it calls, does not register from there" in lonely.attempt.text


@pytest.mark.parametrize("expected", [("sip-tls",)])
def test_tls_is_demanded_of_what_the_host_speaks(host: Host, expected: tuple[str, ...]) -> None:
    files = {**QUIET_HOST, "ss.txt": b'udp UNCONN 0 0 *:5060 *:* users:(("pbx",pid=1,fd=3))\n'}
    target = host(files, trusted=["192.168.1.0/24"], tls_only=["sccp", "sip"])
    assert tuple(one.name for one in Trials(target, ()).tls_services()) == expected


# TLS.


@pytest.mark.parametrize("shown", [True, False])
def test_server_that_asks_for_a_certificate_is_shown_the_phones(site: Site, tmp_path: Path, shown: bool) -> None:
    """Unified CM speaks TLS 1.2 and ends the handshake with who shows none."""
    require_tool("openssl")
    server, own = self_signed(tmp_path, "pbx.lab", [HERE]), self_signed(tmp_path, "phone")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(server.certificate, server.key)
    context.load_verify_locations(own.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    desk = {**DESK, "transport": "tls"}
    if shown:
        desk |= {"certificate": str(own.certificate), "key": str(own.key)}
    target = site(desk, tls_only=["sccp"], tls_ca=str(server.certificate), hosts={"*": {"tls_name": "pbx.lab"}})

    async def shake_hands() -> Ending:
        async def part(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        listener = await asyncio.start_server(part, str(HERE), 0, ssl=context)
        port = listener.sockets[0].getsockname()[1]
        service = CATALOGUE["sccp-tls"].model_copy(update={"port": range(port, port + 1)})
        try:
            phone = phone_of(target, "desk")
            return (await handshake(target, service, "office", LocalNetwork(), HERE, phone)).ending
        finally:
            listener.close()
            await listener.wait_closed()
            await asyncio.sleep(0.05)

    assert asyncio.run(shake_hands()) is (Ending.DONE if shown else Ending.TLS_FAILED)
