"""A phone that is interrupted at any moment hangs up, unregisters and closes what it has opened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.endpoint.sccp_phone.memory_network import SERVER, MemoryNetwork
from tests.endpoint.sccp_phone.scripted import NAME, CallManager, state

from callgate.endpoint.attempt import Attempt
from callgate.endpoint.sccp_phone import Identity, Patience, answer_once, call_once, register_once
from callgate.sccp import Decoder, Message
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.messages import keys, registration
from callgate.sccp.messages.capabilities import CapabilitiesReq
from callgate.sccp.messages.devices import TimeDateReqMessage, TimeDateResMessage

IDENTITY = Identity(device_name=NAME)
PATIENCE = Patience(digit=0.0, hang_up=0.2, unregister=0.2)
MOST_TURNS = 2000

Run = Callable[[MemoryNetwork], Awaitable[Attempt]]


async def registering(network: MemoryNetwork) -> Attempt:
    return await register_once(network, SERVER, IDENTITY, patience=PATIENCE)


async def calling(network: MemoryNetwork) -> Attempt:
    return await call_once(network, SERVER, IDENTITY, "600", seconds=0.0, patience=PATIENCE)


async def calling_en_bloc(network: MemoryNetwork) -> Attempt:
    return await call_once(network, SERVER, IDENTITY, "600", seconds=0.0, enbloc=True, patience=PATIENCE)


async def answering(network: MemoryNetwork) -> Attempt:
    return await answer_once(network, SERVER, IDENTITY, within=2.0, seconds=0.0, patience=PATIENCE)


async def registering_where_all_comes_at_once(network: MemoryNetwork) -> Attempt:
    return await register_once(network, SERVER, IDENTITY, patience=PATIENCE)


def manager_for(run: Run) -> CallManager:
    manager = CallManager()
    if run is registering_where_all_comes_at_once:
        manager.early = (CapabilitiesReq(), CapabilitiesReq())
    if run is answering:

        def rings(message: object) -> list[Message] | None:
            return (
                [TimeDateResMessage(), state(DCallState.RING_IN)] if isinstance(message, TimeDateReqMessage) else None
            )

        manager.instead = rings
    return manager


async def cancelled_after(turns: int, run: Run, *, again_after: int | None = None) -> tuple[bool, MemoryNetwork]:
    """Cancel after so many turns of the loop; say whether it was still running."""
    network = MemoryNetwork(manager_for(run))
    task = asyncio.ensure_future(run(network))
    for _ in range(turns):
        await asyncio.sleep(0)
    running = task.cancel()
    if again_after is not None:
        for _ in range(again_after):
            await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(6):
        await asyncio.wait({task})
    assert task.cancelled() or not running or task.result() is not None
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return running, network


def assert_left_clean(network: MemoryNetwork) -> None:
    network.assert_all_closed()
    assert not any(stream.aborted for stream in network.streams)
    for stream in network.streams:
        for write in stream.writes:
            decoder = Decoder()
            assert len(decoder.feed(write)) == 1
            assert decoder.pending == 0
    heard = [type(message) for message in network.manager.heard]
    assert heard.count(registration.UnregisterReqMessage) == int(network.manager.accepted)
    lifted = sum(kind in (keys.OffHookMessage, keys.EnblocCallMessage) for kind in heard)
    assert heard.count(keys.OnHookMessage) == lifted
    if network.manager.accepted:
        assert heard[-1] is registration.UnregisterReqMessage
    if lifted:
        assert heard.index(keys.OnHookMessage) < heard.index(registration.UnregisterReqMessage)


@pytest.mark.parametrize("run", [registering, registering_where_all_comes_at_once, calling, calling_en_bloc, answering])
def test_cancelled_at_any_turn_it_leaves_nothing_behind(run: Run) -> None:
    async def scenario() -> int:
        for turns in range(MOST_TURNS):
            running, network = await cancelled_after(turns, run)
            assert_left_clean(network)
            if not running:
                return turns
        raise AssertionError("it never ends by itself")

    assert asyncio.run(scenario()) > 60


@pytest.mark.parametrize("run", [calling, answering])
def test_cancelled_twice_it_still_leaves_nothing_behind(run: Run) -> None:
    async def scenario() -> None:
        for turns in range(0, MOST_TURNS, 7):
            for again_after in (1, 2, 5, 11):
                running, network = await cancelled_after(turns, run, again_after=again_after)
                assert_left_clean(network)
            if not running:
                return

    asyncio.run(scenario())
