"""The phone over real sockets: audio, TLS, IPv6, a server that is killed, and many phones at once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.endpoint.sccp_phone.loopback_server import Loopback, rtp_echo, serving
from tests.endpoint.sccp_phone.scripted import NAME, CallManager

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.call_manager import Line, Settings
from callgate.endpoint.call_manager.serve import CallManagerServer
from callgate.endpoint.sccp_phone import Identity, Patience, SccpPhone, call_once, register_once
from callgate.endpoint.sockets import LocalNetwork
from callgate.endpoint.tls import TlsOptions
from callgate.sccp.messages import keys, registration

IDENTITY = Identity(device_name=NAME)
PATIENCE = Patience(connect=2.0, answer=1.0, digit=0.01, hang_up=0.5, unregister=0.5)


def run(scenario: Callable[[], Awaitable[None]], within: float = 20.0) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(within):
            await scenario()

    asyncio.run(bounded())


@pytest.mark.parametrize("enbloc", [False, True])
def test_audio_goes_both_ways_and_comes_back(enbloc: bool) -> None:
    async def scenario() -> None:
        async with rtp_echo() as echo, serving(Loopback(CallManager(audio=echo))) as loopback:
            attempt = await call_once(
                LocalNetwork(), loopback.address, IDENTITY, "600", seconds=0.4, enbloc=enbloc, patience=PATIENCE
            )
            assert attempt.ending is Ending.DONE
            assert attempt.call is not None
            assert attempt.call.far_end == echo
            assert 15 <= attempt.call.audio.sent <= 30
            assert attempt.call.audio.echoed >= attempt.call.audio.sent - 3
            assert 0.35 <= attempt.call.seconds <= 1.0
        assert loopback.endings == ["fin"]

    run(scenario)


def test_the_port_that_is_told_is_open() -> None:
    async def scenario() -> None:
        async with (
            serving(Loopback(CallManager())) as loopback,
            SccpPhone(LocalNetwork(), loopback.address, IDENTITY, patience=PATIENCE) as phone,
        ):
            await phone.register()
            calling = asyncio.ensure_future(phone.call("600", seconds=0.5))
            while not (
                acks := [m for m in loopback.manager.heard if m.__class__.__name__.endswith("ChannelAckMessage")]
            ):
                await asyncio.sleep(0.01)
            ack = acks[0]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, pytest.raises(OSError):
                other.bind((str(ack.ip_addr), ack.port_number))  # type: ignore[union-attr]
            await calling
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((str(ack.ip_addr), ack.port_number))  # type: ignore[union-attr]

    run(scenario)


def test_a_server_killed_in_a_call_ends_it_at_once() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with (
            rtp_echo() as echo,
            serving(Loopback(CallManager(audio=echo))) as loopback,
            SccpPhone(LocalNetwork(), loopback.address, IDENTITY, patience=PATIENCE) as phone,
        ):
            await phone.register()
            loop.call_later(0.4, lambda: loopback.pushed[0].transport.abort())
            begun = loop.time()
            with pytest.raises(AttemptFailed) as failed:
                await phone.call("600", seconds=10.0)
            assert failed.value.ending in (Ending.CLOSED, Ending.RESET)
            assert loop.time() - begun < 3.0
            with pytest.raises(AttemptFailed):
                await phone.call("600")

    run(scenario)


# TLS


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_a_call_over_tls(tls_server: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with rtp_echo() as echo, serving(Loopback(CallManager(audio=echo)), tls_server) as loopback:
            tls = TlsOptions(verify=False)
            attempt = await call_once(
                LocalNetwork(), loopback.address, IDENTITY, "600", seconds=0.2, tls=tls, patience=PATIENCE
            )
            assert attempt.ending is Ending.DONE, attempt
        assert loopback.endings == ["fin"]

    run(scenario)


def test_a_client_certificate_is_shown_where_one_is_demanded(
    tls_server: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    tls_server.verify_mode = ssl.CERT_REQUIRED
    tls_server.load_verify_locations(certificate[0])

    async def scenario() -> None:
        async with serving(Loopback(CallManager()), tls_server) as loopback:
            shown = TlsOptions(verify=False, certificate=certificate[0], key=certificate[1])
            attempt = await register_once(LocalNetwork(), loopback.address, IDENTITY, tls=shown, patience=PATIENCE)
            assert attempt.ending is Ending.DONE, attempt
            hidden = TlsOptions(verify=False)
            attempt = await register_once(LocalNetwork(), loopback.address, IDENTITY, tls=hidden, patience=PATIENCE)
            assert attempt.ending in (Ending.TLS_FAILED, Ending.RESET, Ending.CLOSED), attempt
            heard = [
                message for message in loopback.manager.heard if isinstance(message, registration.RegisterReqMessage)
            ]
            assert len(heard) == 1

    run(scenario)


def test_a_certificate_that_is_not_trusted_gets_no_registration(tls_server: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with serving(Loopback(CallManager()), tls_server) as loopback:
            attempt = await register_once(
                LocalNetwork(), loopback.address, IDENTITY, tls=TlsOptions(), patience=PATIENCE
            )
            assert attempt.ending is Ending.TLS_FAILED
            assert attempt.source is not None
            assert loopback.manager.heard == []

    run(scenario)


@pytest.mark.parametrize("phone_speaks_tls", [False, True])
def test_tls_on_one_side_only_ends_by_name(tls_server: ssl.SSLContext, phone_speaks_tls: bool) -> None:
    async def scenario() -> None:
        async with serving(Loopback(CallManager()), None if phone_speaks_tls else tls_server) as loopback:
            tls = TlsOptions(verify=False) if phone_speaks_tls else None
            attempt = await register_once(LocalNetwork(), loopback.address, IDENTITY, tls=tls, patience=PATIENCE)
            expected = {True: {Ending.TLS_FAILED}, False: {Ending.CLOSED, Ending.RESET, Ending.GARBLED, Ending.SILENT}}
            assert attempt.ending in expected[phone_speaks_tls], attempt

    run(scenario)


# Many, and IPv6


def test_500_phones_register_at_once() -> None:
    names = [f"SEP{number:012X}" for number in range(500)]

    async def scenario() -> None:
        devices = {name: Line(str(1000 + number)) for number, name in enumerate(names)}
        async with CallManagerServer(Settings(devices=devices), listen=["127.0.0.1:0"]) as server:
            patience = Patience(connect=15.0, answer=15.0, step=15.0, settle=15.0)
            attempts = await asyncio.gather(
                *[
                    register_once(
                        LocalNetwork(), server.addresses[0], Identity(device_name=name), stay=0.5, patience=patience
                    )
                    for name in names
                ]
            )
            assert {attempt.ending for attempt in attempts} == {Ending.DONE}
            assert server.manager.registered == 0

    run(scenario, within=40.0)


@pytest.mark.parametrize(("version", "ending"), [(11, Ending.FAILED_HERE), (17, Ending.DONE), (22, Ending.DONE)])
def test_a_call_over_ipv6_takes_version_17(version: int, ending: Ending) -> None:
    async def scenario() -> None:
        devices = {NAME: Line("1001")}
        try:
            server = CallManagerServer(Settings(devices=devices), listen=["[::1]:0"])
            await server.__aenter__()
        except OSError as error:
            pytest.skip(f"no IPv6 loopback: {error}")
        try:
            identity = Identity(device_name=NAME, version=version)
            attempt = await call_once(
                LocalNetwork(), server.addresses[0], identity, "600", seconds=0.2, patience=PATIENCE
            )
            assert attempt.ending is ending, attempt
            assert attempt.registration is not None
            if ending is Ending.FAILED_HERE:
                assert "IPv6" in attempt.text
                assert not any(keys.OffHookMessage.__name__ in line for line in attempt.transcript)
        finally:
            await server.close()

    run(scenario)
