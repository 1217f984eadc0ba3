"""What a phone over a network dials and answers, and how its calls end."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Address

import pytest
from tests.endpoint.sccp_phone.attempts import IDENTITY, SHORT, answer, call, caller, heard, ringing, run, upon
from tests.endpoint.sccp_phone.memory_network import SERVER, MemoryNetwork
from tests.endpoint.sccp_phone.scripted import (
    LINE,
    REFERENCE,
    CallManager,
    closing,
    opening,
    starting,
    state,
    tone,
)

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.sccp_phone import (
    Patience,
    SccpPhone,
    call_once,
)
from callgate.errors import UsageMistake
from callgate.sccp import AnyMessage, Message
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.messages import keys, media, registration

# How a call ends


@pytest.mark.parametrize(
    ("answers", "ending", "text"),
    [
        ((state(DCallState.BUSY),), Ending.REJECTED, "busy"),
        ((tone(DeviceTone.REORDER_TONE),), Ending.REJECTED, "reorder tone"),
        ((state(DCallState.INVALID_NUMBER),), Ending.REJECTED, "invalid number"),
        ((state(DCallState.ON_HOOK),), Ending.REJECTED, "ended the call"),
        ((state(DCallState.RING_OUT),), Ending.SILENT, "6 was not answered in 0.3 s"),
        ((), Ending.SILENT, "6 was not answered in 0.3 s"),
        ((state(DCallState.CONNECTED),), Ending.SILENT, "opened no audio"),
        ((state(DCallState.CONNECTED), opening(codec=11)), Ending.GARBLED, "G729"),
        ((registration.Reset(reset_type=1),), Ending.CLOSED, "start again"),
    ],
)
def test_a_call_that_comes_to_nothing_ends_so(answers: tuple[Message, ...], ending: Ending, text: str) -> None:
    attempt, network = call(upon(keys.KeypadButtonMessage, *answers), "6")
    assert attempt.ending is ending
    assert text in attempt.text
    assert attempt.call is None
    assert attempt.registration is not None
    assert heard(network)[-2:] == [keys.OnHookMessage, registration.UnregisterReqMessage]


def test_no_dial_tone_no_keys() -> None:
    attempt, network = call(upon(keys.OffHookMessage))
    assert attempt.ending is Ending.SILENT
    assert "no dial tone" in attempt.text
    assert keys.KeypadButtonMessage not in heard(network)
    assert network.manager.heard[-2] == keys.OnHookMessage(header_version=17, line_instance=0, call_reference=0)


def test_a_hotline_that_calls_by_itself_is_told() -> None:
    manager = upon(keys.OffHookMessage, state(DCallState.OFF_HOOK), tone(DeviceTone.INSIDE_DIAL_TONE),
                   state(DCallState.PROCEED), state(DCallState.CONNECTED), opening())  # fmt: skip
    attempt, network = call(manager)
    assert attempt.ending is Ending.REJECTED
    assert "called another number" in attempt.text
    assert keys.KeypadButtonMessage not in heard(network)
    assert network.sent == []


def test_what_is_dialled_is_what_was_asked() -> None:
    attempt, network = call(CallManager(number="*60#"), "*60#")
    assert attempt.ending is Ending.DONE
    assert network.manager.dialled == "*60#"
    assert attempt.call is not None
    assert (attempt.call.number, attempt.call.codec) == ("*60#", "PCMU")


@pytest.mark.parametrize("number", ["", "6 00", "abc", "6" * 41])
def test_a_number_that_cannot_be_dialled_connects_nowhere(number: str) -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager())
        with pytest.raises(UsageMistake):
            await call_once(network, SERVER, IDENTITY, number)
        assert network.streams == []

    run(scenario)


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255", "240.0.0.1", "169.254.0.1"])
def test_a_server_that_names_such_an_address_gets_no_packet_sent(address: str) -> None:
    attempt, network = call(upon(media.OpenReceiveChannelAckMessage, starting(IPv4Address(address), 20000)))
    assert attempt.ending is Ending.GARBLED
    assert address in attempt.text
    assert network.sent == []
    assert heard(network)[-2:] == [keys.OnHookMessage, registration.UnregisterReqMessage]


def test_an_ipv6_address_for_an_ipv4_phone_gets_no_packet_sent() -> None:
    address = IPv6Address("2001:db8::1")
    attempt, network = call(upon(media.OpenReceiveChannelAckMessage, starting(address, 20000)))
    assert attempt.ending is Ending.GARBLED
    assert network.sent == []


def test_without_an_address_the_call_stands_and_nothing_is_sent() -> None:
    manager = upon(media.OpenReceiveChannelAckMessage, starting(IPv4Address(0), 0))
    attempt, network = call(manager)
    assert attempt.ending is Ending.NO_AUDIO
    assert "named no address" in attempt.text
    assert attempt.call is not None
    assert attempt.call.far_end is None
    assert network.sent == []


def test_the_far_end_may_end_it_before_the_time() -> None:
    manager = upon(media.OpenReceiveChannelAckMessage, CallManager().start(), *closing(), state(DCallState.ON_HOOK))
    begun = time.monotonic()
    attempt, network = call(manager, seconds=30.0)
    assert time.monotonic() - begun < 3
    assert attempt.call is not None
    assert heard(network)[-2:] == [keys.OnHookMessage, registration.UnregisterReqMessage]


def test_on_hook_nothing_more_is_sent() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager())
        sent = []

        def says_nothing(message: AnyMessage) -> list[Message] | None:
            if not isinstance(message, keys.OnHookMessage):
                return None
            sent.append(len(network.sent))
            return []

        network.manager.instead = says_nothing
        patience = Patience(digit=0.0, hang_up=0.2)
        attempt = await call_once(network, SERVER, IDENTITY, "600", seconds=0.05, patience=patience)
        assert attempt.ending is Ending.DONE
        assert [len(network.sent)] == sent

    run(scenario)


def test_after_a_failed_call_the_phone_calls_again() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager())
        network.manager.instead = lambda message: (
            [state(DCallState.BUSY)] if isinstance(message, keys.KeypadButtonMessage) else None
        )
        async with SccpPhone(network, SERVER, IDENTITY, patience=SHORT) as phone:
            await phone.register()
            with pytest.raises(AttemptFailed, match="busy"):
                await phone.call("600")
            network.manager.instead = None
            assert (await phone.call("600", seconds=0.03)).ending is Ending.DONE
            assert phone.violations == ()

    run(scenario)


def test_what_a_server_says_when_it_is_no_longer_sccp_still_gets_a_goodbye() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager())

        def breaks(message: AnyMessage) -> list[Message] | None:
            if isinstance(message, keys.KeypadButtonMessage):
                network.streams[0].say(b"\xff" * 12)
            return None

        network.manager.instead = breaks
        attempt = await call_once(network, SERVER, IDENTITY, "600", patience=SHORT)
        assert attempt.ending is Ending.GARBLED
        assert heard(network)[-2:] == [keys.OnHookMessage, registration.UnregisterReqMessage]
        network.assert_all_closed()

    run(scenario)


# Answering


@pytest.mark.parametrize("manager", [ringing(before=(caller(b"10\x0702"),)), ringing(after=(caller(b"10\x0702"),))])
def test_a_call_is_answered_and_its_caller_told(manager: CallManager) -> None:
    attempt, network = answer(manager)
    assert attempt.call is not None
    assert attempt.call.number == "10\\x0702"
    lifted = next(message for message in network.manager.heard if isinstance(message, keys.OffHookMessage))
    assert (lifted.line_instance, lifted.call_reference) == (LINE, REFERENCE)


def test_a_tone_is_sent_where_no_echo_is_asked_for() -> None:
    assert answer(ringing(), echo=True)[1].sent == []
    assert len(answer(ringing(), echo=False, seconds=0.05)[1].sent) > 1


def test_no_call_is_silence() -> None:
    attempt, network = answer(CallManager())
    assert attempt.ending is Ending.SILENT
    assert "no call came in 0.1 s" in attempt.text
    assert keys.OffHookMessage not in heard(network)


def test_a_caller_that_gave_up_is_not_answered() -> None:
    attempt, network = answer(ringing(after=(state(DCallState.ON_HOOK),)))
    assert attempt.ending is Ending.SILENT
    assert keys.OffHookMessage not in heard(network)
