"""Callgate's own phone and call manager together, over loopback: neither breaks a rule of the other's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.endpoint.call_manager.house import DEVICES, FIRST

from callgate.endpoint.attempt import Attempt, Ending
from callgate.endpoint.call_manager import PROFILES, Line, Settings
from callgate.endpoint.call_manager.serve import CallManagerServer
from callgate.endpoint.sccp_phone import Identity, Patience, answer_once, call_once, register_once
from callgate.endpoint.sockets import LocalNetwork

VERSIONS = (3, 11, 17, 20, 22)
QUICK = Patience(digit=0.01, hang_up=1.0)


class Lines(list[str]):
    """The server's log."""

    def beginning(self, word: str) -> list[str]:
        return [line for line in self if line.startswith(word)]


@asynccontextmanager
async def serving(profile: str, log: Lines, **settings: object) -> AsyncIterator[CallManagerServer]:
    chosen = Settings(**{"devices": DEVICES, **settings})  # type: ignore[arg-type]
    async with (
        asyncio.timeout(25),
        CallManagerServer(chosen, PROFILES[profile], listen=["127.0.0.1:0"], log=log.append) as server,
    ):
        yield server
        assert log.beginning("breach") == []
        assert log.beginning("spinning") == []
        assert not server.manager.crashed


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


@pytest.mark.parametrize("profile", list(PROFILES))
def test_our_phones_call_the_echo_of_every_server_at_every_version(profile: str) -> None:
    log = Lines()
    names = {f"SEP{version:012d}": Line(f"{1000 + version}") for version in VERSIONS}

    async def test() -> None:
        async with serving(profile, log, devices=names) as server:
            calls = [
                call_once(
                    LocalNetwork(),
                    server.addresses[0],
                    Identity(device_name=name, version=version),
                    "600",
                    seconds=0.5,
                    patience=QUICK,
                )
                for name, version in zip(names, VERSIONS, strict=True)
            ]
            for attempt, version in zip(await asyncio.gather(*calls), VERSIONS, strict=True):
                assert attempt.ending is Ending.DONE, attempt
                assert attempt.registration is not None
                assert attempt.registration.protocol_version == version
                assert attempt.call is not None
                assert attempt.call.audio.echoed > 10
                assert attempt.call.audio.stray == 0
            assert server.manager.registered == 0

    run(test)
    words = ("registered", "answered", "ended", "unregistered")
    assert [len(log.beginning(word)) for word in words] == [len(VERSIONS)] * 4


@pytest.mark.parametrize("profile", list(PROFILES))
def test_pairs_of_our_phones_call_each_other(profile: str) -> None:
    """By keypad and en bloc, at versions that are far apart."""
    log = Lines()
    pairs = [(3, 22, False), (17, 17, True), (20, 11, False), (22, 3, True)]
    names = {f"SEP{number:012d}": Line(f"{1000 + number}") for number in range(2 * len(pairs))}

    async def test() -> None:
        async with serving(profile, log, devices=names) as server:

            async def call(number: int, first: int, second: int, enbloc: bool) -> tuple[Attempt, Attempt]:
                network, address, pair = LocalNetwork(), server.addresses[0], list(names)[2 * number : 2 * number + 2]
                called = Identity(device_name=pair[1], version=second)
                answering = asyncio.create_task(answer_once(network, address, called, within=10, patience=QUICK))
                while server.manager.phone(pair[1]) is None:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
                caller = Identity(device_name=pair[0], version=first)
                extension = names[pair[1]].extension
                made = await call_once(network, address, caller, extension, seconds=0.5, enbloc=enbloc, patience=QUICK)
                return made, await answering

            done = await asyncio.gather(*[call(number, *pair) for number, pair in enumerate(pairs)])
            for number, (made, taken) in enumerate(done):
                assert (made.ending, taken.ending) == (Ending.DONE, Ending.DONE), (made, taken)
                assert made.call is not None
                assert taken.call is not None
                assert made.call.audio.echoed > 10
                assert taken.call.number == f"{1000 + 2 * number}"

    run(test)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_our_phone_is_rejected_as_a_stranger_and_welcome_where_all_are(profile: str) -> None:
    async def test() -> None:
        stranger = Identity(device_name="SEPDEADBEEF0001", version=11)
        log = Lines()
        for open_to_all, ending in ((False, Ending.REJECTED), (True, Ending.DONE)):
            async with serving(profile, log, open=open_to_all) as server:
                attempt = await register_once(LocalNetwork(), server.addresses[0], stranger, patience=QUICK)
                assert attempt.ending is ending, attempt

    run(test)


@pytest.mark.parametrize("number", ["1002", "999"])
@pytest.mark.parametrize("profile", list(PROFILES))
def test_our_phone_says_that_nobody_can_be_reached(profile: str, number: str) -> None:
    async def test() -> None:
        log = Lines()
        async with serving(profile, log) as server:
            identity = Identity(device_name=FIRST, version=17)
            attempt = await call_once(LocalNetwork(), server.addresses[0], identity, number, patience=QUICK)
            assert attempt.ending is Ending.REJECTED, attempt

    run(test)
