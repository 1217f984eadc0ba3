"""Keys, calls and calls that ring."""

from __future__ import annotations

import pytest
from tests.endpoint.sccp_phone.phones import (
    MEDIA,
    SERVER,
    calling,
    connected,
    device_at,
    kinds,
    sent,
    shows,
)
from tests.endpoint.sccp_phone.scripted import (
    LINE,
    REFERENCE,
    CallManager,
    closing,
    opening,
    starting,
    state,
    template,
    tone,
)

from callgate.endpoint.sccp_phone.actions import (
    CallEnded,
    IncomingCall,
    MediaOpen,
    MediaStop,
)
from callgate.endpoint.sccp_phone.device import Stage
from callgate.endpoint.sccp_phone.dialling import checked
from callgate.endpoint.sccp_phone.ringing import RINGING_LIMIT
from callgate.endpoint.sccp_phone.settling import SPEED_DIALS
from callgate.errors import UsageMistake
from callgate.sccp import Message, decode, encode
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.messages import keys, lines, media, registration, signals

# Keys


@pytest.mark.parametrize("stage", [Stage.NEW, Stage.REGISTERING, Stage.SETTLING])
@pytest.mark.parametrize("enbloc", [False, True])
def test_nothing_of_a_call_goes_out_before_the_buttons_are_known(stage: Stage, enbloc: bool) -> None:
    device = device_at(stage)
    with pytest.raises(ValueError, match=r"the phone is|ButtonTemplateReq"):
        device.place_call("600", MEDIA, enbloc=enbloc)
    assert device.press_next() == device.hang_up() == []


def test_buttons_that_were_not_asked_for_open_no_line() -> None:
    device = device_at(Stage.SETTLING)
    device.receive(template(ButtonType.LINE))
    assert not device.has_buttons
    device.skip_step()
    device.skip_step()
    with pytest.raises(ValueError, match="ButtonTemplateReq"):
        device.place_call("600", MEDIA)


def test_the_rule_stands_in_the_writing_itself() -> None:
    device = device_at(Stage.SETTLING)
    for cls in (keys.OffHookMessage, keys.KeypadButtonMessage, keys.EnblocCallMessage):
        with pytest.raises(ValueError, match="before ButtonTemplateRes"):
            device._write(cls)


def test_keys_have_these_codes() -> None:
    device = calling("1234567890*#")
    pressed = [message for _ in range(12) for message in sent(device.press_next())]
    codes = [message.kp_button for message in pressed if isinstance(message, keys.KeypadButtonMessage)]
    assert codes == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 14, 15]
    assert device.press_next() == []


@pytest.mark.parametrize("number", ["", "6 0", "600a", "+49", "6" * 41, "٦", "600\n"])
def test_a_number_that_cannot_be_dialled_is_refused(number: str) -> None:
    with pytest.raises(UsageMistake):
        checked(number, enbloc=False)


def test_en_bloc_takes_a_shorter_number() -> None:
    assert checked("6" * 40, enbloc=False)
    assert checked("6" * 23, enbloc=True)
    with pytest.raises(UsageMistake):
        checked("6" * 24, enbloc=True)


@pytest.mark.parametrize(("version", "length"), [(11, 32), (17, 32), (18, 32), (19, 36), (22, 36)])
def test_en_bloc_the_number_has_the_width_of_the_version(version: int, length: int) -> None:
    device = device_at(Stage.REGISTERING, version=version)
    for answer in CallManager(version=version).take(registration.RegisterReqMessage(protocol_ver=version)):
        device.receive(answer)
    device.receive(template(ButtonType.LINE))
    (message,) = sent(device.place_call("123456", MEDIA, enbloc=True))
    frame = encode(message)
    assert int.from_bytes(frame[:4], "little") == length
    again = decode(frame, negotiated=version)
    assert isinstance(again, keys.EnblocCallMessage)
    assert (again.called_party, again.line_instance) == (b"123456", 1)


def test_dialling_stops_when_the_server_has_gone_on() -> None:
    device = calling("600")
    device.press_next()
    (ended,) = device.receive(state(DCallState.PROCEED))
    assert isinstance(ended, CallEnded)
    assert "after 1 of 3 keys" in ended.text
    assert device.press_next() == []


def test_a_hash_at_the_end_may_be_left_over() -> None:
    device = calling("6#")
    device.press_next()
    device.receive(state(DCallState.PROCEED))
    assert device.leg is not None
    assert device.leg.ended is None
    assert device.press_next() == []


def test_only_one_handset() -> None:
    device = calling()
    with pytest.raises(ValueError, match="handset is up"):
        device.place_call("601", MEDIA)
    with pytest.raises(ValueError, match="handset is up"):
        device.put_away()
    device.hang_up()
    assert device.hang_up() == []
    device.put_away()
    assert kinds(device.place_call("601", MEDIA)) == [keys.OffHookMessage]


# Calls


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (state(DCallState.BUSY), "busy"),
        (state(DCallState.CONGESTION), "congestion"),
        (state(DCallState.INVALID_NUMBER), "invalid number"),
        (state(DCallState.ON_HOOK), "the server ended the call"),
        (tone(DeviceTone.LINE_BUSY_TONE), "busy tone"),
        (tone(DeviceTone.REORDER_TONE), "reorder tone"),
        (signals.StartToneMessage(tone=DeviceTone.NO_SUCH_NUMBER_TONE), "no such number"),
    ],
)
def test_a_refusal_is_told(message: Message, text: str) -> None:
    device = calling()
    assert device.receive(message) == [CallEnded(text, refused=True)]
    assert device.receive(message) == []
    assert kinds(device.hang_up()) == [keys.OnHookMessage]


def test_hanging_up_names_the_call() -> None:
    device = connected()
    (message,) = sent(device.hang_up())
    assert message == keys.OnHookMessage(header_version=17, line_instance=LINE, call_reference=REFERENCE)


def test_the_far_end_may_hang_up() -> None:
    device = connected()
    device.receive(opening())
    device.receive(starting(SERVER, 20000))
    assert [kinds(device.receive(message)) for message in closing()] == [[], [MediaStop]]
    assert device.receive(state(DCallState.ON_HOOK)) == [CallEnded("the server ended the call", refused=False)]


def test_another_call_changes_nothing_of_this_one() -> None:
    device = connected()
    assert device.receive(state(DCallState.ON_HOOK, REFERENCE + 1)) == []
    assert device.receive(state(DCallState.ON_HOOK, 0)) == []
    assert device.leg is not None
    assert device.leg.ended is None


def test_what_is_said_late_of_the_last_call_does_not_name_the_next() -> None:
    device = connected()
    device.hang_up()
    device.put_away()
    device.place_call("601", MEDIA)
    for late in (state(DCallState.BUSY), state(DCallState.ON_HOOK), opening(), *closing()):
        device.receive(late)
    assert device.leg is not None
    assert (device.leg.reference, device.leg.ended, device.leg.receiving) == (0, None, None)
    device.receive(state(DCallState.OFF_HOOK, REFERENCE + 1))
    assert device.leg.reference == REFERENCE + 1


def test_a_call_that_rings_is_answered_by_line_and_reference() -> None:
    device = device_at()
    assert device.receive(state(DCallState.RING_IN)) == [IncomingCall(LINE, REFERENCE)]
    assert device.receive(state(DCallState.RING_IN)) == []
    device.receive(shows(b"1002", REFERENCE))
    (ringing,) = device.ringing
    assert ringing.caller == "1002"
    (message,) = sent(device.accept_call(ringing, MEDIA))
    assert message == keys.OffHookMessage(header_version=17, line_instance=LINE, call_reference=REFERENCE)
    assert len(encode(message)) == 20
    device.receive(state(DCallState.CONNECTED))
    assert kinds(device.receive(opening())) == [media.OpenReceiveChannelAckMessage, MediaOpen]
    assert device.violations == ()


def test_a_caller_that_gives_up_rings_no_more() -> None:
    device = device_at()
    device.receive(state(DCallState.RING_IN))
    device.receive(state(DCallState.ON_HOOK))
    assert device.ringing == ()


def test_calls_that_ring_are_bounded() -> None:
    device = device_at()
    for reference in range(1, 1000):
        device.receive(shows(b"1002", reference))
        device.receive(state(DCallState.RING_IN, reference))
    assert len(device.ringing) == RINGING_LIMIT
    assert len(device._ringing._callers) == RINGING_LIMIT


@pytest.mark.parametrize(
    "foreign", [DCallState.RING_IN, DCallState.HOLD, DCallState.CALL_REMOTE_MULTILINE, DCallState.ON_HOOK]
)
def test_a_state_that_begins_no_call_names_none(foreign: DCallState) -> None:
    device = device_at()
    device.place_call("600", MEDIA)
    device.receive(state(foreign, 5))
    assert device.leg is not None
    assert (device.leg.reference, device.leg.ended) == (0, None)


def test_speed_dials_that_are_asked_for_are_bounded() -> None:
    device = device_at(Stage.SETTLING)
    device.skip_step()
    device.receive(template(*[ButtonType.SPEED_DIAL] * 40))
    asked: list[Message] = []
    while device.step is not None:
        asked += sent(device.skip_step())
    assert sum(isinstance(message, lines.SpeedDialStatReqMessage) for message in asked) == SPEED_DIALS
