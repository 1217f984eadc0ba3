"""Whatever happens, an attempt ends by name and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.endpoint.sccp_phone.attempts import IDENTITY, SHORT, call, heard, ringing, run, upon
from tests.endpoint.sccp_phone.loopback_server import Loopback, serving
from tests.endpoint.sccp_phone.memory_network import SERVER, MemoryNetwork
from tests.endpoint.sccp_phone.scripted import (
    CallManager,
    template,
)

from callgate.endpoint.attempt import Ending
from callgate.endpoint.sccp_phone import (
    Patience,
    SccpPhone,
    answer_once,
    call_once,
)
from callgate.sccp import AnyMessage
from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.messages import devices, keys, media, registration, templates
from callgate.sccp.strategies import messages, unknown_messages

# Whatever happens


def test_an_exception_of_the_user_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        network = MemoryNetwork(CallManager())

        async def failing() -> None:
            async with SccpPhone(network, SERVER, IDENTITY, patience=SHORT) as phone:
                await phone.register()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await failing()
        network.assert_all_closed()
        assert heard(network)[-1] is registration.UnregisterReqMessage

    run(scenario)


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                registration.RegisterReqMessage,
                templates.ButtonTemplateReqMessage,
                devices.TimeDateReqMessage,
                keys.OffHookMessage,
                keys.KeypadButtonMessage,
                media.OpenReceiveChannelAckMessage,
                keys.OnHookMessage,
                registration.UnregisterReqMessage,
            ]
        ),
        st.lists(st.one_of(messages(), unknown_messages()), max_size=4),
        max_size=4,
    ),
    st.booleans(),
    st.booleans(),
)
def test_whatever_a_server_says_an_attempt_ends_by_name(
    says: dict[type, list[AnyMessage]], instead: bool, calling: bool
) -> None:
    async def scenario() -> None:
        manager = ringing() if not calling else CallManager()
        script = CallManager()

        def answers(message: AnyMessage) -> list[AnyMessage] | None:
            if type(message) not in says:
                return None
            return [*says[type(message)], *([] if instead else script.take(message))]

        if calling:
            manager.instead = answers  # type: ignore[assignment]
        network = MemoryNetwork(manager)
        patience = Patience(answer=0.02, step=0.01, settle=0.02, ring=0.02, digit=0.0, hang_up=0.01, unregister=0.01)
        if calling:
            attempt = await call_once(network, SERVER, IDENTITY, "600", seconds=0.0, patience=patience)
        else:
            attempt = await answer_once(network, SERVER, IDENTITY, within=0.02, seconds=0.0, patience=patience)
        assert isinstance(attempt.ending, Ending)
        assert attempt.text.isprintable()
        network.assert_all_closed()
        kinds = heard(network)
        if keys.KeypadButtonMessage in kinds:
            assert kinds.index(templates.ButtonTemplateReqMessage) < kinds.index(keys.KeypadButtonMessage)
        assert kinds.count(keys.OnHookMessage) == kinds.count(keys.OffHookMessage)

    run(scenario)


_INTERRUPTED = """
import asyncio, sys
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sccp_phone import Identity, register_once
from callgate.endpoint.sockets import LocalNetwork
from ipaddress import ip_address
server = TransportAddress(ip_address("127.0.0.1"), int(sys.argv[1]))
asyncio.run(register_once(LocalNetwork(), server, Identity(device_name="SEP001122334455"), stay=30.0))
"""


def test_control_c_unregisters() -> None:
    async def scenario() -> None:
        async with serving(Loopback(CallManager())) as loopback:
            program = [sys.executable, "-W", "error", "-c", _INTERRUPTED, str(loopback.address.port)]
            phone = await asyncio.create_subprocess_exec(*program, stderr=subprocess.PIPE)
            try:
                while not any(
                    isinstance(message, registration.KeepAliveReqMessage) for message in loopback.manager.heard
                ):
                    await asyncio.sleep(0.02)
                phone.send_signal(signal.SIGINT)
                _, errors = await phone.communicate()
            finally:
                if phone.returncode is None:
                    phone.kill()
                    await phone.wait()
        assert isinstance(loopback.manager.heard[-1], registration.UnregisterReqMessage)
        assert loopback.endings == ["fin"]
        assert errors.rstrip().endswith(b"KeyboardInterrupt")
        assert b"ResourceWarning" not in errors

    run(scenario, within=20.0)


def test_a_template_without_lines_has_line_one_asked_for() -> None:
    attempt, network = call(upon(templates.ButtonTemplateReqMessage, template(ButtonType.UNUSED)))
    assert attempt.ending is Ending.DONE
    asked = [message for message in network.manager.heard if message.__class__.__name__ == "LineStatReqMessage"]
    assert len(asked) == 1
