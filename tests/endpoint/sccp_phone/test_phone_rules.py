"""Whatever a server says, the phone keeps its rules."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.endpoint.sccp_phone.phones import (
    HOST,
    MEDIA,
    SERVER,
    device_at,
    kinds,
    sent,
)
from tests.endpoint.sccp_phone.scripted import (
    LOOPBACK,
    REFERENCE,
    CallManager,
    closing,
    opening,
    starting,
    state,
    template,
    tone,
)

from callgate.endpoint.sccp_phone import Device
from callgate.endpoint.sccp_phone.actions import (
    Action,
    DialTone,
    MediaStart,
)
from callgate.endpoint.sccp_phone.device import Stage
from callgate.endpoint.sccp_phone.writing import VIOLATIONS_LIMIT
from callgate.sccp import AnyMessage, UnknownMessage, encode
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.messages import capabilities, display, keys, lines, registration, signals, templates
from callgate.sccp.session import Role
from callgate.sccp.strategies import messages, unknown_messages

# Whatever a server says

_ABOUT_A_CALL = st.one_of(
    st.builds(state, st.sampled_from(DCallState), st.sampled_from([0, REFERENCE, 5])),
    st.builds(tone, st.sampled_from(DeviceTone)),
    st.builds(opening, reference=st.sampled_from([0, REFERENCE, 5]), party=st.integers(0, 3)),
    st.builds(starting, st.sampled_from([HOST, SERVER, LOOPBACK, IPv4Address(0)]), st.integers(0, 0xFFFFFFFF),
              party=st.integers(0, 3)),
    st.sampled_from(closing()),
    st.just(registration.Reset(reset_type=1)),
    st.just(registration.UnregisterAckMessage(status=0)),
    st.just(registration.RegisterRejectMessage(text=b"no")),
    st.just(CallManager(version=22).ack()),
    st.just(capabilities.CapabilitiesReq()),
    st.just(template(ButtonType.LINE)),
)  # fmt: skip
_DOINGS = st.sampled_from(["call", "call en bloc", "press", "answer", "hang up", "skip", "keep alive", "unregister"])


def do(device: Device, doing: str) -> list[Action]:
    match doing:
        case "call" | "call en bloc":
            return [] if device.cannot_call else device.place_call("60", MEDIA, enbloc=doing != "call")
        case "answer":
            ringing = next(iter(device.ringing), None)
            return [] if device.cannot_call or ringing is None else device.accept_call(ringing, MEDIA)
        case "press":
            return device.press_next()
        case "hang up":
            return device.hang_up()
        case "skip":
            return device.skip_step()
        case "keep alive":
            return device.keep_alive() if device.stage is Stage.READY else []
    return device.unregister()


@settings(max_examples=300)
@given(
    st.sampled_from(list(Stage)[:4]),
    st.integers(0, 22),
    st.lists(st.one_of(_ABOUT_A_CALL, _DOINGS, messages(), unknown_messages()), max_size=40),
)
def test_whatever_comes_the_phone_keeps_its_rules(stage: Stage, version: int, course: list[AnyMessage | str]) -> None:
    device = device_at(stage, version=version)
    asked_buttons = stage is Stage.READY
    lifted = False
    for step in course:
        actions = do(device, step) if isinstance(step, str) else device.receive(step)
        for message in sent(actions):
            frame = encode(message)
            assert len(frame) == int.from_bytes(frame[:4], "little") + 8
            assert message.sender.value == "phone"
            if isinstance(message, keys.OffHookMessage | keys.KeypadButtonMessage | keys.EnblocCallMessage):
                assert asked_buttons
                assert lifted is not isinstance(message, keys.OffHookMessage | keys.EnblocCallMessage)
                lifted = True
            asked_buttons = asked_buttons or isinstance(message, templates.ButtonTemplateReqMessage)
            if isinstance(message, keys.OnHookMessage):
                assert lifted
                lifted = False
            if isinstance(message, registration.UnregisterReqMessage):
                assert not lifted
        for action in actions:
            if isinstance(action, MediaStart) and action.remote is not None:
                assert lifted
                assert not action.remote.address.is_multicast
                assert not action.remote.address.is_loopback
    assert len(device.violations) <= VIOLATIONS_LIMIT
    own = [violation for violation in device.violations if violation.by is Role.PHONE]
    assert own == []


def test_an_unknown_message_is_ignored() -> None:
    assert device_at().receive(UnknownMessage(0x7777, b"?")) == []


def test_what_is_only_shown_asks_for_nothing() -> None:
    device = device_at()
    shown = [
        display.ClearPromptStatusMessage(line_instance=0, call_reference=0),
        lines.ForwardStatResMessage(active_forward=0, line_number=1),
        signals.SetRingerMessage(ring_mode=1),
        templates.SelectSoftKeysMessage(line_instance=0, call_reference=0, soft_key_set_index=0, valid_key_mask=1),
    ]
    assert [device.receive(message) for message in shown] == [[], [], [], []]


def test_a_dial_tone_comes_once() -> None:
    device = device_at()
    device.place_call("600", MEDIA)
    assert kinds(device.receive(tone(DeviceTone.OUTSIDE_DIAL_TONE))) == [DialTone]
    assert device.receive(tone(DeviceTone.OUTSIDE_DIAL_TONE)) == []
