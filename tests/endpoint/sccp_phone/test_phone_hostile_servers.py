"""Hostile servers over real sockets: whatever they do, and at whichever step, the phone ends in time and by name."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.endpoint.sccp_phone import loopback_server as hostile
from tests.endpoint.sccp_phone.loopback_server import Loopback, Turn, serving
from tests.endpoint.sccp_phone.scripted import NAME, CallManager

from callgate.endpoint.attempt import Attempt, Ending
from callgate.endpoint.sccp_phone import Identity, Patience, call_once, register_once
from callgate.endpoint.sockets import LocalNetwork
from callgate.sccp import Message
from callgate.sccp.messages import capabilities, devices, keys, lines, media, registration, templates

IDENTITY = Identity(device_name=NAME)
PATIENCE = Patience(connect=1.0, answer=0.4, step=0.3, settle=0.5, ring=0.4, digit=0.01, hang_up=0.1, unregister=0.1)
BOUND = 4.0

STEPS: list[type[Message]] = [
    registration.RegisterReqMessage,
    capabilities.CapabilitiesResMessage,
    templates.ButtonTemplateReqMessage,
    templates.SoftKeyTemplateReqMessage,
    templates.SoftKeySetReqMessage,
    lines.LineStatReqMessage,
    devices.TimeDateReqMessage,
    registration.KeepAliveReqMessage,
    keys.OffHookMessage,
    keys.KeypadButtonMessage,
    media.OpenReceiveChannelAckMessage,
]
TURNS: list[tuple[Turn, Ending]] = [
    (hostile.close, Ending.CLOSED),
    (hostile.close_in_the_middle, Ending.CLOSED),
    (hostile.reset, Ending.RESET),
    (hostile.silence, Ending.SILENT),
    (hostile.garbage, Ending.GARBLED),
    (hostile.oversize, Ending.GARBLED),
    (hostile.never_whole, Ending.SILENT),
    (hostile.endless, Ending.GARBLED),
]


def calling(loopback: Loopback) -> Attempt:
    async def scenario() -> Attempt:
        async with serving(loopback), asyncio.timeout(2 * BOUND):
            attempt = await call_once(
                LocalNetwork(), loopback.address, IDENTITY, "600", seconds=0.03, patience=PATIENCE
            )
            assert asyncio.all_tasks() - loopback.tasks == {asyncio.current_task()}
            return attempt

    return asyncio.run(scenario())


@pytest.mark.parametrize(("turn", "ending"), TURNS, ids=[turn.__name__ for turn, _ in TURNS])
@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
def test_at_each_step_it_ends_by_name(step: type[Message], turn: Turn, ending: Ending) -> None:
    begun = time.monotonic()
    attempt = calling(Loopback(CallManager(), turns={step: turn}))
    assert attempt.ending is ending, attempt
    # What RegisterAck granted stays told: a server that takes a device and then drops it did take it.
    assert (attempt.registration is None) == (step is registration.RegisterReqMessage)
    assert time.monotonic() - begun < BOUND


@pytest.mark.parametrize("turn", [turn for turn, _ in TURNS], ids=[turn.__name__ for turn, _ in TURNS])
@pytest.mark.parametrize("step", [keys.OnHookMessage, registration.UnregisterReqMessage])
def test_what_happens_while_leaving_changes_nothing(step: type[Message], turn: Turn) -> None:
    begun = time.monotonic()
    attempt = calling(Loopback(CallManager(), turns={step: turn}))
    assert attempt.ending is Ending.ONE_WAY  # nobody answers at the port that the script names
    assert attempt.call is not None
    assert time.monotonic() - begun < BOUND


@pytest.mark.parametrize(
    "greeting",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", bytes(range(256)), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
)
def test_what_is_no_sccp_is_garbled_and_shown(greeting: bytes) -> None:
    attempt = calling(Loopback(CallManager(), greeting=greeting))
    assert attempt.ending is Ending.GARBLED
    assert "does not speak SCCP" in attempt.text
    assert attempt.text.isprintable()


def test_a_silent_listener_is_silent_and_gets_no_second_request() -> None:
    loopback = Loopback(CallManager(instead=lambda _: []))
    attempt = calling(loopback)
    assert attempt.ending is Ending.SILENT
    assert [type(message) for message in loopback.manager.heard] == [registration.RegisterReqMessage]
    assert loopback.endings == ["fin"]


def test_a_closed_port_is_refused_with_nothing_sent() -> None:
    async def scenario() -> Attempt:
        loopback = Loopback(CallManager())
        async with serving(loopback):
            pass
        return await register_once(LocalNetwork(), loopback.address, IDENTITY, patience=PATIENCE)

    attempt = asyncio.run(scenario())
    assert attempt.ending is Ending.REFUSED
    assert attempt.source is None
    assert attempt.transcript == ()


def test_a_server_that_reads_nothing_does_not_hold_the_phone() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        questions = b"\x04\0\0\0\0\0\0\0\x9b\0\0\0" * 4000
        writer.write(questions)
        await asyncio.sleep(1.0)

    begun = time.monotonic()
    attempt = calling(Loopback(CallManager(), turns={capabilities.CapabilitiesResMessage: deaf}))
    assert attempt.ending in (Ending.SILENT, Ending.GARBLED, Ending.RESET)
    assert time.monotonic() - begun < BOUND
