"""Calls: to the echo extension, between phones, and those that come to nothing."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.endpoint.call_manager.house import ECHO, FIRST, LOCAL, SECOND, THIRD, DeskPhone, House

from callgate.endpoint.call_manager import Line
from callgate.endpoint.call_manager.events import CloseEcho, EchoTo, OpenEcho
from callgate.endpoint.network import TransportAddress
from callgate.sccp.enums.calls import CallType, DCallState
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.enums.signals import DeviceTone, RingMode
from callgate.sccp.enums.soft_keys import SoftKeyEvent
from callgate.sccp.messages import calls, keys, media, registration, signals

PROFILES = ("plain", "chan-skinny", "chan-sccp")
VERSIONS = (0, 3, 11, 17, 20, 22)
OPEN = media.OpenReceiveChannelMessage
START = media.StartMediaTransmissionMessage
CLOSE = media.CloseReceiveChannelMessage
STOP = media.StopMediaTransmissionMessage


def soft_key(event: SoftKeyEvent, phone: DeskPhone) -> keys.SoftKeyEventMessage:
    reference = phone.reference if phone.states else 0
    return keys.SoftKeyEventMessage(soft_key_event=event, line_instance=1, call_reference=reference)


def ends_at(start: media.StartMediaTransmissionMessage) -> TransportAddress:
    assert start.remote_port_number is not None
    return TransportAddress(ip_address(str(start.remote_ip_addr)), start.remote_port_number)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("profile", PROFILES)
def test_the_echo_extension_answers_and_sends_to_where_the_phone_receives(profile: str, version: int) -> None:
    house = House(profile)
    phone = house.phone(FIRST, version)
    phone.lift()
    assert phone.last(signals.StartToneMessage).tone == DeviceTone.INSIDE_DIAL_TONE
    phone.press("6")
    assert phone.all(signals.StopToneMessage)
    phone.press("00")
    assert phone.state() is DCallState.CONNECTED
    assert not phone.all(START)
    phone.answer_open()
    assert ends_at(phone.last(START)) == ECHO
    assert phone.last(START).pass_through_party_id == phone.last(OPEN).pass_through_party_id
    phone.hang_up()
    assert phone.state() is DCallState.ON_HOOK
    assert (len(phone.all(CLOSE)), len(phone.all(STOP))) == (1, 1)
    call = phone.reference
    assert house.media == [
        OpenEcho(call, LOCAL.address, phone.address.address),
        EchoTo(call, phone.audio),
        CloseEcho(call),
    ]
    assert [line.split()[0] for line in house.log] == ["registered", "call", "answered", "ended"]
    assert house.manager.calls == 0
    assert house.violations() == []


@pytest.mark.parametrize(("first", "second"), [(11, 11), (3, 22), (22, 17), (20, 20)])
@pytest.mark.parametrize("profile", PROFILES)
def test_two_phones_talk_to_each_other_directly(profile: str, first: int, second: int) -> None:
    house = House(profile)
    caller, called = house.phone(FIRST, first), house.phone(SECOND, second)
    caller.lift()
    caller.press("1002")
    assert caller.state() is DCallState.RING_OUT
    assert called.states == [DCallState.RING_IN]
    assert called.last(signals.SetRingerMessage).ring_mode == RingMode.INSIDE_RING
    info: list[calls.CallInfoMessage | calls.CallInfoV2Message] = [*called.all(calls.CallInfoMessage)]
    info += called.all(calls.CallInfoV2Message)
    assert {(one.call_type, one.calling_party) for one in info} == {(CallType.IN_BOUND_CALL, b"1001")}
    called.lift(called.reference)
    assert (caller.state(), called.state()) == (DCallState.CONNECTED, DCallState.CONNECTED)
    assert caller.reference != called.reference
    caller.answer_open()
    assert not caller.all(START)
    assert not called.all(START)
    called.answer_open()
    assert ends_at(caller.last(START)) == called.audio
    assert ends_at(called.last(START)) == caller.audio
    called.hang_up()
    for phone in (caller, called):
        assert phone.state() is DCallState.ON_HOOK
        assert (len(phone.all(CLOSE)), len(phone.all(STOP))) == (1, 1)
    caller.say(keys.OnHookMessage(line_instance=1, call_reference=caller.reference))
    assert house.manager.calls == 0
    assert house.violations() == []


def test_party_ids_are_the_call_reference_or_count_down() -> None:
    for profile, expected in (("chan-skinny", 1), ("chan-sccp", 0xFFFFFFFE), ("plain", 1)):
        phone = House(profile).phone(FIRST)
        phone.lift()
        phone.press("600")
        assert phone.last(OPEN).pass_through_party_id == expected


def test_an_answer_for_another_channel_opens_none() -> None:
    phone = House().phone(FIRST)
    phone.lift()
    phone.press("600")
    phone.say(
        media.OpenReceiveChannelAckMessage(
            media_reception_status=MediaStatus.OK,
            ip_addr=ip_address("192.0.2.66"),
            port_number=6000,
            pass_through_party_id=phone.reference + 1,
        )
    )
    assert not phone.all(START)
    phone.answer_open()
    assert len(phone.all(START)) == 1
    phone.answer_open()
    assert len(phone.all(START)) == 1


def test_a_phone_without_a_channel_ends_the_call() -> None:
    house = House()
    phone = house.phone(FIRST)
    phone.lift()
    phone.press("600")
    phone.answer_open(MediaStatus.NOT_ENOUGH_CHANNELS)
    assert phone.state() is DCallState.ON_HOOK
    assert "no audio channel" in house.log[-1]


def test_soft_keys_and_en_bloc_place_answer_and_end_calls() -> None:
    house = House()
    caller, called = house.phone(FIRST), house.phone(SECOND)
    caller.say(soft_key(SoftKeyEvent.NEW_CALL, caller))
    assert caller.states == [DCallState.OFF_HOOK]
    caller.say(soft_key(SoftKeyEvent.END_CALL, caller))
    assert caller.state() is DCallState.ON_HOOK
    caller.say(keys.EnblocCallMessage(called_party=b"1002", line_instance=1))
    assert called.states == [DCallState.RING_IN]
    called.say(soft_key(SoftKeyEvent.NEW_CALL, called))
    assert called.states == [DCallState.RING_IN]
    called.say(soft_key(SoftKeyEvent.ANSWER, called))
    assert (caller.state(), called.state()) == (DCallState.CONNECTED, DCallState.CONNECTED)
    assert house.violations() == []


def test_a_number_counts_as_complete_when_it_can_be_no_other() -> None:
    """Of 2 and 2001 the shorter waits for the timer or the pound key."""
    house = House(devices={FIRST: Line("1001"), SECOND: Line("2"), THIRD: Line("2001")})
    caller, short, long = house.phone(FIRST), house.phone(SECOND), house.phone(THIRD)
    caller.lift()
    caller.press("2")
    assert short.states == []
    house.wait(2.9)
    assert short.states == []
    house.wait(0.2)
    assert short.states == [DCallState.RING_IN]
    caller.hang_up()
    caller.lift()
    caller.press("2#")
    assert short.state() is DCallState.RING_IN
    caller.hang_up()
    caller.lift()
    caller.press("2001")
    assert long.states == [DCallState.RING_IN]
    assert house.violations() == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("number", "state", "tone"),
    [
        ("1002", DCallState.BUSY, DeviceTone.LINE_BUSY_TONE),
        ("9", DCallState.INVALID_NUMBER, DeviceTone.REORDER_TONE),
        ("2", DCallState.CONGESTION, DeviceTone.REORDER_TONE),
    ],
)
def test_a_call_that_comes_to_nothing_says_why(profile: str, number: str, state: DCallState, tone: DeviceTone) -> None:
    """1002 is in a call, nobody has 9, and the phone with 2 is not registered."""
    house = House(profile)
    caller, other = house.phone(FIRST), house.phone(SECOND)
    other.lift()
    caller.lift()
    caller.press(number)
    assert caller.state() is state
    assert caller.last(signals.StartToneMessage).tone == tone
    house.wait(70)
    assert caller.state() is state
    caller.hang_up()
    assert caller.state() is DCallState.ON_HOOK
    assert house.violations() == []


def test_a_server_without_a_free_port_says_congestion() -> None:
    house = House()
    house.echo = None
    phone = house.phone(FIRST)
    phone.lift()
    phone.press("600")
    assert phone.state() is DCallState.CONGESTION
    phone.hang_up()
    assert phone.state() is DCallState.ON_HOOK


def test_an_echo_that_opens_too_late_is_closed_again() -> None:
    house = House()
    phone = house.phone(FIRST)
    phone.lift()
    phone.press("600")
    call = phone.reference
    phone.hang_up()
    house.media.clear()
    house.manager.echo_opened(call, ECHO, house.now)
    house.pump()
    assert house.media == [CloseEcho(call)]
    assert house.violations() == []


@pytest.mark.parametrize("version", [11, 17])
def test_an_ipv6_address_is_told_only_where_it_fits(version: int) -> None:
    house = House()
    house.echo = TransportAddress(ip_address("2001:db8::1"), 20000)
    phone = house.phone(FIRST, version)
    phone.lift()
    phone.press("600")
    if version < 17:
        assert phone.state() is DCallState.CONGESTION
    else:
        phone.answer_open()
        assert ends_at(phone.last(START)) == house.echo
    assert house.violations() == []


@pytest.mark.parametrize("moment", ["ringing", "talking"])
@pytest.mark.parametrize("lost", ["caller", "called"])
@pytest.mark.parametrize("how", ["connection", "time-out", "unregistered"])
def test_a_phone_that_is_lost_ends_its_call_at_the_other(lost: str, moment: str, how: str) -> None:
    house = House()
    caller, called = house.phone(FIRST), house.phone(SECOND)
    caller.lift()
    caller.press("1002")
    if moment == "talking":
        called.lift(called.reference)
        caller.answer_open()
        called.answer_open()
    gone, left = (caller, called) if lost == "caller" else (called, caller)
    if how == "connection":
        gone.leave()
    elif how == "unregistered":
        gone.say(registration.UnregisterReqMessage())
    else:
        house.wait(50)
        left.say(registration.KeepAliveReqMessage())
        house.wait(41)
    assert left.state() is DCallState.ON_HOOK
    assert house.manager.calls == 0
    assert house.manager.registered == 1
    assert house.violations() == []


def test_ringing_and_a_silent_user_end_some_time() -> None:
    house = House(keepalive=1000)
    caller, called = house.phone(FIRST), house.phone(SECOND)
    caller.lift()
    house.wait(16)
    assert caller.state() is DCallState.CONGESTION
    caller.hang_up()
    caller.lift()
    caller.press("1002")
    house.wait(59)
    assert called.state() is DCallState.RING_IN
    house.wait(2)
    assert (caller.state(), called.state()) == (DCallState.ON_HOOK, DCallState.ON_HOOK)


def test_several_calls_go_on_at_once() -> None:
    names = {f"SEP{number:012d}": f"{1000 + number}" for number in range(40)}
    house = House(devices={name: Line(extension) for name, extension in names.items()})
    phones = [house.phone(name, 11 + index % 12) for index, name in enumerate(names)]
    for caller, called in zip(phones[:20], phones[20:], strict=True):
        caller.lift()
        caller.press(names[called.name])
        called.lift(called.reference)
        caller.answer_open()
        called.answer_open()
    assert house.manager.calls == 20
    for caller, called in zip(phones[:20], phones[20:], strict=True):
        assert (ends_at(caller.last(START)), ends_at(called.last(START))) == (called.audio, caller.audio)
        caller.hang_up()
    assert house.manager.calls == 0
    assert house.violations() == []


def test_a_phone_that_registers_anew_loses_its_call_first() -> None:
    house = House()
    phone = house.phone(FIRST)
    phone.lift()
    phone.press("600")
    phone.register(FIRST, 22)
    assert phone.state() is DCallState.ON_HOOK
    assert house.manager.calls == 0
    assert house.violations() == []
