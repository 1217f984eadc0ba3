"""How a registration ends, and how it is kept alive."""

from __future__ import annotations

import time

import pytest
from tests.endpoint.sccp_phone.attempts import IDENTITY, SHORT, call, heard, run, upon
from tests.endpoint.sccp_phone.memory_network import SERVER, MemoryNetwork
from tests.endpoint.sccp_phone.scripted import (
    CallManager,
)

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.sccp_phone import (
    Patience,
    SccpPhone,
    conversation,
    register_once,
)
from callgate.errors import UsageMistake
from callgate.sccp import AnyMessage, Message, encode
from callgate.sccp.messages import keys, registration, templates

# How a registration ends


@pytest.mark.parametrize(
    ("answer", "ending", "text"),
    [
        (
            registration.RegisterRejectMessage(text=b"No Authority: "),
            Ending.REJECTED,
            'rejects the phone: "No Authority: "',
        ),
        (registration.Reset(reset_type=2), Ending.CLOSED, "start again (RESTART)"),
        (registration.KeepAliveAckMessage(), Ending.SILENT, "no answer to RegisterReq in 0.3 s"),
    ],
)
def test_a_registration_that_is_not_granted_ends_so(answer: Message, ending: Ending, text: str) -> None:
    attempt, network = call(upon(registration.RegisterReqMessage, answer))
    assert attempt.ending is ending
    assert text in attempt.text
    assert heard(network) == [registration.RegisterReqMessage]
    assert attempt.registration is None


def test_garbage_behind_a_sound_message_is_noticed_though_nothing_follows() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager())

        def breaks(message: AnyMessage) -> list[Message]:
            network.streams[0].say(encode(registration.KeepAliveAckMessage()) + b"\xff" * 12)
            return []

        network.manager.instead = breaks
        attempt = await register_once(network, SERVER, IDENTITY, patience=SHORT)
        assert attempt.ending is Ending.GARBLED

    run(scenario)


def test_the_time_until_the_answer_is_told_and_not_that_of_the_stay() -> None:
    async def scenario() -> None:
        attempt = await register_once(MemoryNetwork(CallManager()), SERVER, IDENTITY, stay=0.3, patience=SHORT)
        assert attempt.milliseconds < 250
        network = MemoryNetwork(upon(registration.RegisterReqMessage))
        attempt = await register_once(network, SERVER, IDENTITY, patience=SHORT)
        assert 300 <= attempt.milliseconds < 2000

    run(scenario)


def test_what_was_waited_for_in_vain_is_not_waited_for_again() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(upon(registration.RegisterReqMessage))
        begun = time.monotonic()
        attempt = await register_once(network, SERVER, IDENTITY, patience=Patience(answer=0.1, unregister=1.0))
        assert attempt.ending is Ending.SILENT
        assert time.monotonic() - begun < 0.9

    run(scenario)


def test_a_registration_that_ends_later_ends_the_stay() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(upon(registration.KeepAliveReqMessage, registration.UnregisterAckMessage(status=0)))
        attempt = await register_once(network, SERVER, IDENTITY, stay=1.0, patience=SHORT)
        assert attempt.ending is Ending.CLOSED
        assert "ended the registration" in attempt.text
        assert registration.UnregisterReqMessage not in heard(network)

    run(scenario)


def test_a_registration_tells_its_terms_and_its_transcript() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager(interval=47))
        attempt = await register_once(network, SERVER, IDENTITY, patience=SHORT)
        assert attempt.ending is Ending.DONE
        assert attempt.registration is not None
        assert (attempt.registration.interval_seconds, attempt.registration.protocol_version) == (47, 17)
        assert attempt.source is not None
        assert attempt.transcript[:3] == ("> RegisterReqMessage", "< RegisterAckMessage", "< CapabilitiesReq")
        assert attempt.transcript[-2:] == ("> UnregisterReqMessage", "< UnregisterAckMessage")

    run(scenario)


def test_buttons_that_do_not_come_leave_a_registered_phone_that_does_not_dial() -> None:
    attempt, network = call(upon(templates.ButtonTemplateReqMessage))
    assert attempt.registration is not None
    assert attempt.ending is Ending.SILENT
    assert "ButtonTemplateReq" in attempt.text
    assert not {keys.OffHookMessage, keys.KeypadButtonMessage} & set(heard(network))
    assert heard(network)[-1] is registration.UnregisterReqMessage


def test_a_phone_registers_once_at_a_time_and_may_come_back() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager())
        async with SccpPhone(network, SERVER, IDENTITY, patience=SHORT) as phone:
            with pytest.raises(UsageMistake):
                await phone.call("600")
            await phone.register()
            with pytest.raises(UsageMistake):
                await phone.register()
            await phone.unregister()
            network.assert_all_closed()
            await phone.register()
            assert (await phone.call("600", seconds=0.03)).ending is Ending.DONE
        network.assert_all_closed()
        assert heard(network).count(registration.UnregisterReqMessage) == 2

    run(scenario)


# Keepalives


def test_keepalives_go_out_early_and_their_lack_of_an_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "EARLY", 0.03)

    async def scenario() -> None:
        answered = 0

        def at_first(message: AnyMessage) -> list[Message] | None:
            nonlocal answered
            answered += isinstance(message, registration.KeepAliveReqMessage)
            return [] if isinstance(message, registration.KeepAliveReqMessage) and answered > 4 else None

        network = MemoryNetwork(CallManager(interval=1, instead=at_first))
        async with SccpPhone(network, SERVER, IDENTITY, patience=SHORT) as phone:
            await phone.register()
            with pytest.raises(AttemptFailed, match="not answered 2 keepalives") as failed:
                await phone.stay(5.0)
            assert failed.value.ending is Ending.SILENT
        assert heard(network).count(registration.KeepAliveReqMessage) == 6
        assert heard(network)[-1] is registration.UnregisterReqMessage

    run(scenario)


@pytest.mark.parametrize(("interval", "most"), [(0, 1), (1, 2), (0xFFFFFFFF, 1)])
def test_an_absurd_interval_floods_nobody(interval: int, most: int) -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager(interval=interval))
        attempt = await register_once(network, SERVER, IDENTITY, stay=0.95, patience=SHORT)
        assert attempt.ending is Ending.DONE
        assert attempt.registration is not None
        assert attempt.registration.interval_seconds == interval
        assert heard(network).count(registration.KeepAliveReqMessage) == most

    run(scenario)
