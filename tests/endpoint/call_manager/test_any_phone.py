"""Whatever phones send, the server neither fails nor breaks a rule of the session model, and its memory is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.endpoint.call_manager.house import FIRST, SECOND, THIRD, DeskPhone, House, register

from callgate.endpoint.call_manager.connection import MAXIMUM_QUEUED
from callgate.sccp import Message, encode
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.messages import devices, keys, lines, media, registration, templates
from callgate.sccp.messages.registration import RegisterAckMessage
from callgate.sccp.strategies import frames, messages, unknown_messages

PROFILES = ("plain", "chan-skinny", "chan-sccp")
NAMES = (FIRST, SECOND, THIRD, "SEPDEADBEEF0001", "")
REFERENCES = st.sampled_from([None, 0, 1, 2, 3, 4, 5])
PHONES = 3

REASONABLE: st.SearchStrategy[Message] = st.one_of(
    st.builds(register, st.sampled_from(NAMES), st.sampled_from([0, 3, 8, 9, 10, 11, 16, 17, 20, 22, 33])),
    st.builds(registration.UnregisterReqMessage),
    st.builds(registration.KeepAliveReqMessage),
    st.sampled_from(
        [
            templates.ButtonTemplateReqMessage(),
            templates.SoftKeyTemplateReqMessage(),
            templates.SoftKeySetReqMessage(),
            devices.TimeDateReqMessage(),
            devices.ConfigStatReqMessage(),
            registration.VersionReqMessage(),
            registration.ServerReqMessage(),
        ]
    ),
    st.builds(lines.LineStatReqMessage, line_number=st.integers(0, 3)),
    st.builds(lines.ForwardStatReqMessage, line_number=st.integers(0, 3)),
    st.builds(lines.SpeedDialStatReqMessage, speed_dial_number=st.integers(0, 3)),
    st.builds(keys.OffHookMessage, line_instance=st.sampled_from([0, 1]), call_reference=REFERENCES),
    st.builds(keys.OnHookMessage, line_instance=st.sampled_from([0, 1]), call_reference=REFERENCES),
    st.builds(
        keys.SoftKeyEventMessage, soft_key_event=st.integers(0, 12), line_instance=st.just(1), call_reference=REFERENCES
    ),
    st.builds(keys.KeypadButtonMessage, kp_button=st.sampled_from([1, 0, 6, 2, 14, 15, 99])),
    st.builds(keys.EnblocCallMessage, called_party=st.sampled_from([b"600", b"1001", b"1002", b"2", b"\xff" * 24])),
)
SENSIBLE = ("dial", "lift", "answer", "hang up", "digits", "wait", "say")
KINDS = st.sampled_from([*SENSIBLE, *SENSIBLE, "any", "frame", "unknown", "lose", "junk"])
NUMBERS = st.sampled_from(["600", "1001", "1002", "2", "#", "77"])
PROFILE = st.sampled_from(PROFILES)


def act(house: House, phones: list[DeskPhone], data: st.DataObject) -> None:
    """One thing that one of the phones, or time, does."""
    index = data.draw(st.integers(0, PHONES - 1))
    phone = phones[index]
    if not phone.connection.open:
        phone = phones[index] = house.connect()
    kind = data.draw(KINDS)
    if kind == "say":
        phone.say(data.draw(REASONABLE))
    elif kind == "any":
        phone.say(data.draw(messages()))
    elif kind == "frame":
        phone.send(data.draw(frames()))
    elif kind == "junk":
        phone.send(data.draw(st.binary(max_size=40)))
    elif kind == "unknown":
        message: Any = data.draw(unknown_messages())
        phone.say(message)
    elif kind == "answer" and phone.all(media.OpenReceiveChannelMessage):
        phone.answer_open(data.draw(st.sampled_from([MediaStatus.OK, MediaStatus.OK, MediaStatus.UNKNOWN])))
    elif kind == "digits" and phone.states:
        phone.press(data.draw(NUMBERS))
    elif kind == "dial" and phone.all(RegisterAckMessage):
        phone.lift()
        if phone.states:
            phone.press(data.draw(NUMBERS))
    elif kind == "lift":
        phone.lift(phone.reference if phone.states else 0)
    elif kind == "hang up" and phone.states:
        phone.hang_up()
    elif kind == "lose":
        phone.leave()
    else:
        house.wait(data.draw(st.sampled_from([0.1, 2.5, 16.0, 61.0])))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(profile=PROFILE, open_to_all=st.booleans(), data=st.data())
def test_no_sequence_of_messages_makes_it_fail_or_break_a_rule(
    profile: str, open_to_all: bool, data: st.DataObject
) -> None:
    house = House(profile, open=open_to_all)
    house.echo = data.draw(st.sampled_from([house.echo, None]))
    phones = [house.connect() for _ in range(PHONES)]
    if data.draw(st.sampled_from([True, True, False])):
        for phone, name in zip(phones, (FIRST, SECOND, THIRD), strict=True):
            phone.register(name, data.draw(st.sampled_from([3, 11, 17, 22])))
    for _ in range(data.draw(st.integers(1, 20))):
        act(house, phones, data)
        if house.manager.crashed:
            break
    for phone in phones:
        if phone.connection.open:
            phone.leave()
    assert house.violations() == []
    assert (house.manager.connections, house.manager.registered, house.manager.calls) == (0, 0, 0)


@settings(max_examples=120, deadline=None)
@given(profile=PROFILE, data=st.data())
def test_a_message_means_the_same_in_whatever_pieces_it_comes(profile: str, data: st.DataObject) -> None:
    """But for a server that refuses split headers. The echo is left out: its port opens between two reads."""
    conversation = [register(FIRST, 11), *data.draw(st.lists(REASONABLE, max_size=6))]
    stream = b"".join(encode(message) for message in conversation)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    at_once, in_pieces = House(profile, echo=""), House(profile, echo="")
    whole, cut = at_once.connect(), in_pieces.connect()
    whole.send(stream)
    for piece in pieces:
        if cut.connection.open:
            cut.send(piece)
    if profile != "chan-skinny":
        assert cut.frames == whole.frames
    else:
        assert cut.frames == whole.frames[: len(cut.frames)]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_phone_that_is_owed_too_much_is_dropped(profile: str) -> None:
    house = House(profile)
    phone = house.phone(FIRST)
    question = encode(registration.KeepAliveReqMessage())
    for _ in range(MAXIMUM_QUEUED + 2):  # nobody takes what is queued
        phone.connection.feed(question, house.now)
    assert phone.connection.closing is not None
    assert phone.connection.take() == []


def test_connections_are_bounded() -> None:
    house = House(connections=10)
    held = [house.connect() for _ in range(10)]
    assert all(phone.connection.open for phone in held)
    assert not house.connect().connection.open
    held[0].leave()
    assert house.connect().connection.open
