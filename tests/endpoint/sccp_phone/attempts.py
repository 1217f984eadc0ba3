"""Attempts of a phone over a network in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.endpoint.sccp_phone.memory_network import SERVER, MemoryNetwork
from tests.endpoint.sccp_phone.scripted import (
    LINE,
    NAME,
    REFERENCE,
    CallManager,
    state,
)

from callgate.endpoint.attempt import Attempt
from callgate.endpoint.sccp_phone import (
    Identity,
    Patience,
    answer_once,
    call_once,
)
from callgate.sccp import Message
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.messages import calls, devices

IDENTITY = Identity(device_name=NAME)
SHORT = Patience(answer=0.3, step=0.3, settle=1.0, ring=0.3, digit=0.0, hang_up=0.1, unregister=0.1)


def run(scenario: Callable[[], Awaitable[None]], within: float = 10.0) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(within):
            await scenario()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(bounded())


def call(manager: CallManager, number: str = "600", **options: object) -> tuple[Attempt, MemoryNetwork]:
    """Call once over a network in memory, where all must be closed afterwards."""
    found: list[tuple[Attempt, MemoryNetwork]] = []

    async def scenario() -> None:
        network = MemoryNetwork(manager)
        keywords = {"seconds": 0.03, "patience": SHORT, **options}
        attempt = await call_once(network, SERVER, IDENTITY, number, **keywords)  # type: ignore[arg-type]
        network.assert_all_closed()
        found.append((attempt, network))

    run(scenario)
    return found[0]


def upon(kind: type[Message], *answers: Message) -> CallManager:
    """A call manager that answers messages of one kind otherwise."""
    return CallManager(instead=lambda message: list(answers) if isinstance(message, kind) else None)


def heard(network: MemoryNetwork) -> list[type]:
    return [type(message) for message in network.manager.heard]


def ringing(*, before: tuple[Message, ...] = (), after: tuple[Message, ...] = ()) -> CallManager:
    rings = (*before, state(DCallState.RING_IN), *after)
    return upon(devices.TimeDateReqMessage, devices.TimeDateResMessage(), *rings)


def caller(number: bytes) -> Message:
    return calls.CallInfoMessage(
        calling_party_name=b"",
        calling_party=number,
        called_party_name=b"",
        called_party=b"",
        line_instance=LINE,
        call_reference=REFERENCE,
    )


def answer(manager: CallManager, **options: object) -> tuple[Attempt, MemoryNetwork]:
    found: list[tuple[Attempt, MemoryNetwork]] = []

    async def scenario() -> None:
        network = MemoryNetwork(manager)
        keywords = {"within": 0.1, "seconds": 0.0, "patience": SHORT, **options}
        found.append((await answer_once(network, SERVER, IDENTITY, **keywords), network))  # type: ignore[arg-type]
        network.assert_all_closed()

    run(scenario)
    return found[0]
