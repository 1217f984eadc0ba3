"""Who a phone is, and how it registers and leaves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.endpoint.sccp_phone.phones import (
    HOST,
    SERVER,
    connected,
    device_at,
    kinds,
    sent,
)
from tests.endpoint.sccp_phone.scripted import (
    NAME,
    CallManager,
    template,
)

from callgate.endpoint.sccp_phone import Device, Identity
from callgate.endpoint.sccp_phone.actions import (
    Registered,
    Rejected,
    ResetAsked,
    Settled,
    Unregistered,
)
from callgate.endpoint.sccp_phone.device import Stage
from callgate.errors import UsageMistake
from callgate.sccp import AnyMessage, encode
from callgate.sccp.enums.devices import DeviceResetType
from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.enums.media import MediaPayloadType
from callgate.sccp.messages import capabilities, keys, registration, signals, templates
from callgate.sccp.strategies import messages, unknown_messages

# Who the phone is


@pytest.mark.parametrize("name", ["", "SEP0011223344556", "SEP 1", "SEPä", "SEP\0", "a/b", "SEP1\n"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(UsageMistake):
        Identity(device_name=name)


@pytest.mark.parametrize("values", [{"version": 23}, {"version": -1}, {"lines": 0}, {"lines": 43}, {"device_type": -1}])
def test_other_things_that_cannot_be_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(UsageMistake):
        Identity(device_name=NAME, **values)


def test_a_phone_has_no_name_of_its_own_accord() -> None:
    with pytest.raises(TypeError, match="device_name"):
        Identity()  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["A", "SEP001122334455", "ATA0011.22-3_4"])
def test_the_name_given_is_the_only_one_sent(name: str) -> None:
    (request,) = sent(Device(Identity(device_name=name), HOST, SERVER).register())
    assert isinstance(request, registration.RegisterReqMessage)
    assert request.sid is not None
    assert request.sid.device_name == name.encode()
    assert request.station_ip_addr == HOST


def test_a_phone_registers_once() -> None:
    device = device_at(Stage.REGISTERING)
    with pytest.raises(ValueError, match="registering"):
        device.register()


# Registration


def test_lamps_before_the_ack_are_taken() -> None:
    device = device_at(Stage.REGISTERING)
    lamp = signals.SetLampMessage(stimulus=15, stimulus_instance=1, lamp_mode=1)
    assert device.receive(lamp) == device.receive(lamp) == []
    assert kinds(device.receive(CallManager(version=17).ack())) == [Registered]
    assert device.violations == ()


@settings(max_examples=100)
@given(st.lists(st.one_of(messages(), unknown_messages()), max_size=12))
def test_whatever_comes_before_the_ack_the_ack_still_registers(early: list[AnyMessage]) -> None:
    ends = (registration.RegisterAckMessage, registration.RegisterRejectMessage, registration.UnregisterAckMessage)
    device = device_at(Stage.REGISTERING)
    for message in early:
        if not isinstance(message, ends):
            device.receive(message)
    device.receive(CallManager(version=17).ack())
    assert device.stage is Stage.SETTLING


@pytest.mark.parametrize(
    ("offered", "acknowledged", "holds"),
    [(17, 17, 17), (22, 17, 17), (11, 22, 11), (22, 48, 22), (3, 48, 3), (17, None, 0), (0, 0, 0), (22, 255, 22)],
)
def test_the_lower_version_holds(offered: int, acknowledged: int | None, holds: int) -> None:
    device = device_at(Stage.REGISTERING, version=offered)
    device.receive(
        registration.RegisterAckMessage(
            keep_alive_interval=5,
            date_template=b"D.M.Y",
            alignment_padding=0,
            secondary_keep_alive_interval=5,
            max_protocol_ver=acknowledged,
        )
    )
    assert device.version == holds
    assert device.terms is not None
    assert device.terms.protocol_version == holds


def test_a_server_that_offers_a_version_itself_changes_nothing() -> None:
    device = device_at(Stage.REGISTERING, version=11)
    device.receive(registration.RegisterReqMessage(protocol_ver=22))
    device.receive(CallManager(version=22).ack())
    assert device.version == 11


def test_capabilities_asked_before_the_ack_are_not_waited_for_again() -> None:
    device = device_at(Stage.REGISTERING)
    assert kinds(device.receive(capabilities.CapabilitiesReq())) == [capabilities.CapabilitiesResMessage]
    assert kinds(device.receive(CallManager(version=17).ack())) == [Registered, templates.ButtonTemplateReqMessage]


def test_capabilities_are_mu_law_and_a_law() -> None:
    (answer,) = sent(device_at().receive(capabilities.CapabilitiesReq()))
    assert isinstance(answer, capabilities.CapabilitiesResMessage)
    assert answer.cap_count == 2
    assert [cap.payload_capability for cap in answer.caps or ()] == [
        MediaPayloadType.G711_ULAW64K,
        MediaPayloadType.G711_ALAW64K,
    ]
    assert len(encode(answer)) == 12 + 292  # what real phones send: room for 18 codecs


def test_lines_and_speed_dials_are_asked_for_as_the_template_has_them() -> None:
    device = device_at(Stage.SETTLING, lines_=2)
    assert kinds(device.skip_step()) == [templates.ButtonTemplateReqMessage]
    line, dial = ButtonType.LINE, ButtonType.SPEED_DIAL
    asked = sent(device.receive(template(line, dial, line, line, dial)))
    while device.step is not None:
        asked += sent(device.skip_step())
    numbers = [
        (message.id, getattr(message, "line_number", None) or getattr(message, "speed_dial_number", None))
        for message in asked
    ]
    assert numbers == [
        (0x28, None), (0x25, None), (0x0B, 1), (0x0B, 2), (0x0A, 1), (0x0A, 2), (0x2D, None), (0x0D, None), (0, None)
    ]  # fmt: skip
    assert device.stage is Stage.READY


def test_steps_that_are_not_answered_are_done_without() -> None:
    device = device_at(Stage.SETTLING)
    actions = [action for _ in range(7) for action in device.skip_step()]
    assert isinstance(actions[-1], Settled)
    assert device.stage is Stage.READY
    assert device.skip_step() == []


def test_a_rejection_ends_it() -> None:
    device = device_at(Stage.REGISTERING)
    assert device.receive(registration.RegisterRejectMessage(text=b"No \x1b[31m")) == [Rejected("No \\x1b[31m")]
    assert device.receive(CallManager().ack()) == []
    assert device.stage is Stage.REJECTED
    assert device.unregister() == []


def test_a_reset_is_told_and_a_configuration_to_apply_is_not() -> None:
    device = device_at()
    assert device.receive(registration.Reset(reset_type=DeviceResetType.APPLY_CONFIG)) == []
    assert device.receive(registration.Reset(reset_type=DeviceResetType.RESTART)) == [ResetAsked("RESTART")]
    assert kinds(device.unregister()) == [registration.UnregisterReqMessage]


def test_a_server_may_end_the_registration() -> None:
    device = device_at()
    assert device.receive(registration.UnregisterAckMessage(status=0)) == [Unregistered("OK")]
    assert device.dropped
    assert device.unregister() == []


def test_leaving_hangs_up_first() -> None:
    device = connected()
    assert kinds(device.unregister()) == [keys.OnHookMessage, registration.UnregisterReqMessage]
    assert device.receive(registration.UnregisterAckMessage(status=0)) == [Unregistered("OK")]
    assert device.dropped == ""


def test_keepalives_are_counted_until_they_are_answered() -> None:
    device = device_at()
    device.keep_alive()
    device.keep_alive()
    assert device.unanswered_keepalives == 2
    device.receive(registration.KeepAliveAckMessage())
    assert device.unanswered_keepalives == 0
