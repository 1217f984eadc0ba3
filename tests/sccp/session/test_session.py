"""What a session keeps and reports, by example."""

from __future__ import annotations

import pytest
from tests.sccp.session.dialogues import (
    EVENT_STEPS,
    PHONE,
    REGISTERED,
    SERVER,
    Step,
    acts,
    hangs_up,
    media_steps,
    says,
)

from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.devices import DeviceType
from callgate.sccp.enums.soft_keys import SoftKeyEvent
from callgate.sccp.message import UnknownMessage
from callgate.sccp.messages import calls, capabilities, devices, keys, media, registration, signals, templates
from callgate.sccp.session import Role, Rule, Session, Violation
from callgate.sccp.session.call_states import Action
from callgate.sccp.session.channel_states import ChannelState, Direction
from callgate.sccp.session.registration_states import Registration, RegistrationEvent

REGISTER = EVENT_STEPS[RegistrationEvent.REGISTER]
ACCEPT = EVENT_STEPS[RegistrationEvent.ACCEPT]
OPEN, OPEN_ACK, START, START_ACK, CLOSE, STOP = media_steps(1)
DIALLED: list[Step] = [*REGISTERED, acts(Action.LIFT, 0), says(DCallState.OFF_HOOK)]
CONNECTED: list[Step] = [*DIALLED, acts(Action.DIAL), says(DCallState.PROCEED), says(DCallState.CONNECTED)]
KEEPALIVE: Step = (PHONE, registration.KeepAliveReqMessage())
KEEPALIVE_ACK: Step = (SERVER, registration.KeepAliveAckMessage())


def told(session: Session, *steps: Step) -> list[Rule]:
    return [violation.rule for sender, message in steps for violation in session.observe(message, sender)]


def after(*steps: Step) -> Session:
    session = Session()
    assert told(session, *steps) == []
    return session


def test_a_session_is_followed_from_either_side_as_by_an_observer() -> None:
    phone, server, observer = Session(Role.PHONE), Session(Role.SERVER), Session()
    for sender, message in [*CONNECTED, hangs_up(), acts(Action.RESUME), START_ACK]:
        seen = observer.observe(message, sender)
        assert seen == (phone.sent(message) if sender is PHONE else phone.received(message))
        assert seen == (server.sent(message) if sender is SERVER else server.received(message))
    assert phone.calls == server.calls == observer.calls


@pytest.mark.parametrize("take", [Session.sent, Session.received])
def test_an_observer_has_no_side(take: object) -> None:
    assert callable(take)
    with pytest.raises(ValueError, match=r"use observe\(\)"):
        take(Session(), registration.KeepAliveReqMessage())


def test_a_session_knows_its_device() -> None:
    session = Session()
    assert (session.registration, session.device_name) == (Registration.UNREGISTERED, None)
    assert told(session, REGISTER) == []
    assert (session.registration, session.device_name) == (Registration.REGISTERING, b"SEP001122334455")
    assert told(session, ACCEPT) == []
    assert session.registration is Registration.REGISTERED


def test_a_violation_says_who_did_what_and_when() -> None:
    session = after(*CONNECTED)
    sender, message = acts(Action.RESUME)
    (violation,) = session.observe(message, sender)
    assert violation == Violation(
        Rule.ACTION, PHONE, 0x0026, "SoftKeyEventMessage", "call 1 of line 1 is connected", "presses Resume"
    )
    assert str(violation) == (
        "phone: SoftKeyEventMessage (presses Resume) does not fit the call's state: call 1 of line 1 is connected"
    )


def test_a_message_of_the_other_side_changes_nothing() -> None:
    session = Session()
    assert told(session, (PHONE, ACCEPT[1])) == [Rule.SENDER]
    assert session.registration is Registration.UNREGISTERED


def test_a_probe_and_an_alarm_come_before_any_registration() -> None:
    after(KEEPALIVE, KEEPALIVE_ACK, (PHONE, devices.AlarmMessage()), REGISTER, ACCEPT)


def test_lamps_before_the_acknowledgement_are_in_order() -> None:
    after(REGISTER, (SERVER, signals.SetLampMessage()), (SERVER, signals.SetLampMessage()), ACCEPT)


def test_a_device_may_say_its_port_before_the_acknowledgement_but_ask_nothing() -> None:
    session = after(REGISTER, (PHONE, media.IpPortMessage(rtp_media_port=16384)))
    assert told(session, (PHONE, templates.ButtonTemplateReqMessage())) == [Rule.UNREGISTERED]
    assert told(session, ACCEPT) == []


def test_a_rejected_device_may_try_another_name() -> None:
    session = after(REGISTER, EVENT_STEPS[RegistrationEvent.REJECT], KEEPALIVE, KEEPALIVE_ACK, REGISTER)
    assert session.registration is Registration.REGISTERING


def test_a_second_registration_is_reported_once() -> None:
    session = after(*REGISTERED)
    assert told(session, REGISTER, ACCEPT) == [Rule.REGISTRATION]


def test_an_acknowledgement_that_nobody_waits_for_is_reported_once() -> None:
    session = Session()
    assert told(session, ACCEPT, *REGISTERED[2:]) == [Rule.REGISTRATION]
    assert session.registration is Registration.REGISTERED


def test_calls_for_a_device_that_never_registered_are_reported() -> None:
    assert told(Session(), says(DCallState.RING_IN), OPEN) == [Rule.UNREGISTERED, Rule.UNREGISTERED]


def test_a_configuration_to_apply_is_no_reset() -> None:
    session = after(*REGISTERED, (SERVER, registration.Reset(reset_type=3)))
    assert session.registration is Registration.REGISTERED


def test_a_keypad_button_before_the_button_template_is_reported() -> None:
    lifted = acts(Action.LIFT, 0), says(DCallState.OFF_HOOK)
    assert told(after(REGISTER, ACCEPT, *lifted), acts(Action.DIAL)) == [Rule.KEYPAD]
    assert told(after(*REGISTERED, *lifted), acts(Action.DIAL)) == []
    assert told(after(REGISTER, EVENT_STEPS[RegistrationEvent.REJECT], *REGISTERED, *lifted), acts(Action.DIAL)) == []


def test_the_button_template_is_asked_for_at_each_registration() -> None:
    again = EVENT_STEPS[RegistrationEvent.RESET], REGISTER, ACCEPT, acts(Action.LIFT, 0), says(DCallState.OFF_HOOK)
    assert told(after(*REGISTERED, *again), acts(Action.DIAL)) == [Rule.KEYPAD]


def test_an_answer_without_its_question_is_reported_where_no_server_sends_it() -> None:
    session = after(*REGISTERED[:2])
    assert told(session, (SERVER, templates.ButtonTemplateResMessage())) == [Rule.UNASKED]
    assert told(session, (SERVER, devices.TimeDateResMessage()), (SERVER, templates.SelectSoftKeysMessage())) == []
    assert told(session, (PHONE, capabilities.CapabilitiesResMessage())) == [Rule.UNASKED]
    asked: list[Step] = [(SERVER, capabilities.CapabilitiesReq()), (PHONE, capabilities.CapabilitiesResMessage())]
    assert told(session, *asked) == []


def test_a_long_answer_may_come_in_parts() -> None:
    after(*REGISTERED, (SERVER, templates.ButtonTemplateResMessage()), (SERVER, templates.ButtonTemplateResMessage()))


def test_a_keepalive_is_acknowledged_once() -> None:
    assert told(after(KEEPALIVE, KEEPALIVE, KEEPALIVE_ACK, KEEPALIVE_ACK), KEEPALIVE_ACK) == [Rule.UNASKED]
    assert told(Session(), KEEPALIVE_ACK) == [Rule.UNASKED]


def test_a_server_may_acknowledge_what_it_does_not_know() -> None:
    after((PHONE, UnknownMessage(0x777)), KEEPALIVE_ACK)


def test_a_call_goes_from_lifting_the_handset_to_hanging_up() -> None:
    session = after(*CONNECTED, OPEN, OPEN_ACK, START)
    call = session.active_call
    assert call is session.calls[1, 1]
    assert [(channel.direction, channel.state) for channel in session.channels] == [
        (Direction.RECEIVE, ChannelState.OPEN),
        (Direction.TRANSMIT, ChannelState.OPENING),
    ]
    assert told(session, START_ACK, hangs_up(), CLOSE, STOP, says(DCallState.ON_HOOK)) == []
    assert session.channels == ()
    assert session.active_call is None
    assert not session.calls[1, 1].live
    assert session.finish() == ()


def test_a_called_phone_answers_by_lifting_or_by_key() -> None:
    ringing = [*REGISTERED, says(DCallState.RING_IN)]
    for action in (Action.LIFT, Action.ANSWER):
        after(*ringing, acts(action), says(DCallState.CONNECTED))
    assert told(after(*ringing), acts(Action.DIAL)) == [Rule.ACTION]
    assert told(after(*ringing), acts(Action.HOLD)) == [Rule.ACTION]


def test_a_call_is_held_and_resumed() -> None:
    session = after(*CONNECTED, acts(Action.HOLD), says(DCallState.HOLD))
    assert session.active_call is None
    assert told(session, hangs_up(), acts(Action.RESUME), says(DCallState.CONNECTED)) == []
    assert session.active_call is session.calls[1, 1]


def test_two_calls_on_one_line_are_two() -> None:
    session = after(*CONNECTED, says(DCallState.RING_IN, 2), acts(Action.ANSWER, 2), says(DCallState.HOLD, 1))
    assert told(session, says(DCallState.CONNECTED, 2), acts(Action.DIAL, 2)) == []
    assert session.active_call is session.calls[1, 2]
    assert told(session, hangs_up(0), says(DCallState.ON_HOOK, 2)) == []
    assert session.calls[1, 2].hung_up
    assert not session.calls[1, 1].hung_up


def test_a_reference_that_was_never_given_is_reported() -> None:
    session = after(*CONNECTED)
    assert told(session, acts(Action.DIAL, 7), acts(Action.LIFT, 7), hangs_up(7)) == [Rule.UNKNOWN_CALL] * 3


def test_a_call_is_named_by_any_message_that_shows_it() -> None:
    session = after(*REGISTERED, (SERVER, calls.CallInfoMessage(line_instance=1, call_reference=5)))
    assert session.calls[1, 5].state == DCallState.IDLE
    assert told(session, acts(Action.LIFT, 5)) == []


def test_a_phone_may_act_on_a_call_until_it_can_know_of_its_end() -> None:
    session = after(*CONNECTED, says(DCallState.ON_HOOK), acts(Action.DIAL), hangs_up())
    assert told(session, acts(Action.DIAL)) == [Rule.CALL_OVER]
    assert told(session, hangs_up()) == []


def test_the_soft_key_to_end_a_call_hangs_up() -> None:
    end = keys.SoftKeyEventMessage(soft_key_event=SoftKeyEvent.END_CALL, line_instance=1, call_reference=1)
    session = after(*CONNECTED, (PHONE, end), says(DCallState.ON_HOOK))
    assert told(session, acts(Action.HOLD)) == [Rule.CALL_OVER]


def test_a_keypad_button_needs_a_call_or_a_lifted_handset() -> None:
    assert told(after(*REGISTERED), acts(Action.DIAL, 0)) == [Rule.NO_CALL]
    after(*REGISTERED, acts(Action.LIFT, 0), acts(Action.DIAL, 0))
    after(*REGISTERED, says(DCallState.OFF_HOOK), acts(Action.DIAL, 0))
    after(*REGISTERED, (PHONE, keys.EnblocCallMessage(called_party=b"600")), acts(Action.DIAL, 0))


def test_a_call_state_without_reference_shows_a_button_and_is_no_call() -> None:
    session = after(*REGISTERED, says(DCallState.CALL_REMOTE_MULTILINE, 0), says(DCallState.BUSY, 0))
    assert session.calls == {}


def test_media_belongs_to_a_call_that_goes_on() -> None:
    assert told(after(*REGISTERED), OPEN, START) == [Rule.MEDIA, Rule.MEDIA]
    assert told(after(*CONNECTED, says(DCallState.ON_HOOK)), OPEN) == [Rule.MEDIA]
    nameless: Step = (SERVER, media.OpenReceiveChannelMessage(pass_through_party_id=1))
    assert told(after(*REGISTERED), nameless) == [Rule.MEDIA]
    assert told(after(*CONNECTED), nameless) == []


def test_a_conference_bridge_is_given_media_without_calls() -> None:
    bridge = registration.RegisterReqMessage(device_type=DeviceType.CONFERENCE_BRIDGE)
    after((PHONE, bridge), ACCEPT, OPEN, OPEN_ACK, START, START_ACK, CLOSE, STOP)


def test_a_party_id_that_is_not_given_back_is_reported() -> None:
    session = after(*CONNECTED, OPEN)
    other = media.OpenReceiveChannelAckMessage(media_reception_status=0, pass_through_party_id=1, call_reference=1)
    (violation,) = session.observe(other, PHONE)
    assert (violation.rule, violation.state, violation.seen) == (
        Rule.PARTY_ID,
        "receive channel 10 is opening",
        "party id 1",
    )
    assert told(session, OPEN_ACK) == []


def test_an_answer_of_a_channel_is_owed_once() -> None:
    session = after(*CONNECTED, OPEN, OPEN_ACK)
    assert told(session, OPEN_ACK, START_ACK) == [Rule.UNASKED, Rule.UNASKED]


def test_an_answer_may_cross_the_end_of_its_channel() -> None:
    session = after(*CONNECTED, OPEN, CLOSE, OPEN, OPEN_ACK, OPEN_ACK)
    assert [channel.state for channel in session.channels] == [ChannelState.OPEN]
    assert told(session, CLOSE) == []
    assert session.channels == ()


def test_a_channel_that_the_phone_could_not_open_is_closed() -> None:
    failed = media.OpenReceiveChannelAckMessage(media_reception_status=2, pass_through_party_id=10)
    assert after(*CONNECTED, OPEN, (PHONE, failed)).channels == ()


def test_messages_too_short_to_name_a_channel_mean_the_newest() -> None:
    stop = media.StopMediaTransmissionMessage(conference_id=1)
    ack = media.OpenReceiveChannelAckMessage(media_reception_status=0)
    session = after(*CONNECTED, OPEN, (PHONE, ack), START, START_ACK, (SERVER, stop))
    assert [channel.direction for channel in session.channels] == [Direction.RECEIVE]


def test_closing_what_is_not_open_is_in_order() -> None:
    after(*CONNECTED, CLOSE, STOP)


def test_channels_of_an_ended_call_that_stay_open_are_reported_at_the_end() -> None:
    session = after(*CONNECTED, OPEN, OPEN_ACK, START, says(DCallState.ON_HOOK))
    found = session.finish()
    assert [(violation.rule, violation.by, violation.message_name) for violation in found] == [
        (Rule.LEFT_OPEN, SERVER, "OpenReceiveChannelMessage"),
        (Rule.LEFT_OPEN, SERVER, "StartMediaTransmissionMessage"),
    ]
    assert found[0].state == "receive channel 10 is open, call 1 of line 1 is on hook"
    assert session.finish() == ()


def test_a_record_that_stops_early_or_in_a_call_leaves_no_channel_to_report() -> None:
    assert after(*CONNECTED, OPEN, OPEN_ACK, START, says(DCallState.ON_HOOK)).finish(whole=False) == ()
    assert after(*CONNECTED, OPEN, OPEN_ACK, START).finish() == ()


def test_nothing_comes_after_the_end() -> None:
    session = after(*CONNECTED)
    session.finish()
    assert told(session, KEEPALIVE, REGISTER, (SERVER, UnknownMessage(5))) == [Rule.CLOSED] * 3
    session.lose_track()
    assert session.registration is Registration.CLOSED


def test_what_unseen_messages_may_explain_is_not_reported() -> None:
    steps = [acts(Action.DIAL, 9), says(DCallState.BUSY, 3), *media_steps(4), KEEPALIVE_ACK, acts(Action.DIAL, 0)]
    midway = Session(whole=False)
    assert told(midway, *steps, (SERVER, templates.ButtonTemplateResMessage())) == []
    lost = after(*CONNECTED, OPEN)
    lost.lose_track()
    assert (lost.registration, lost.calls, lost.channels) == (Registration.UNKNOWN, {}, ())
    assert told(lost, *steps) == []


@pytest.mark.parametrize("state", list(DCallState))
def test_a_call_that_is_only_named_midway_may_be_in_any_state(state: DCallState) -> None:
    named: Step = (SERVER, signals.StopToneMessage(line_instance=1, call_reference=3))
    assert told(Session(whole=False), named, says(state, 3)) == []


def test_a_registration_makes_a_session_certain_again() -> None:
    session = Session(whole=False)
    assert told(session, *REGISTERED, acts(Action.DIAL, 9), says(DCallState.BUSY, 3)) == [
        Rule.UNKNOWN_CALL,
        Rule.CALL_STATE,
    ]


def test_a_live_call_that_was_forgotten_is_no_unknown_call() -> None:
    session = after(*REGISTERED, *(says(DCallState.RING_IN, call) for call in range(1, 66)))
    assert session.forgotten_calls == 1
    assert (1, 1) not in session.calls
    assert told(session, acts(Action.ANSWER, 1), says(DCallState.BUSY, 1)) == []


def test_ended_calls_are_forgotten_first() -> None:
    ended = [says(DCallState.RING_IN, 2), says(DCallState.ON_HOOK, 2)]
    session = after(
        *REGISTERED, says(DCallState.RING_IN, 1), *ended, *(says(DCallState.RING_IN, n) for n in range(3, 66))
    )
    assert session.forgotten_calls == 1
    assert (1, 1) in session.calls
    assert (1, 2) not in session.calls
    assert told(session, acts(Action.ANSWER, 2)) == [Rule.UNKNOWN_CALL]


def test_a_handset_that_is_put_down_again_dials_nothing() -> None:
    assert told(after(*REGISTERED, acts(Action.LIFT, 0), hangs_up(0)), acts(Action.DIAL, 0)) == [Rule.NO_CALL]


def test_a_handset_put_down_while_the_call_waits_does_not_end_it() -> None:
    session = after(*CONNECTED, says(DCallState.HOLD), hangs_up(), says(DCallState.ON_HOOK))
    assert told(session, acts(Action.RESUME)) == []


def test_a_call_that_the_server_says_goes_on_is_not_hung_up() -> None:
    session = after(*CONNECTED, hangs_up(), says(DCallState.CONNECTED), says(DCallState.ON_HOOK))
    assert told(session, acts(Action.DIAL)) == []


def receive(party: int) -> Step:
    return SERVER, media.OpenReceiveChannelMessage(pass_through_party_id=party, call_reference=1)


def test_the_answer_of_a_channel_that_was_forgotten_is_not_judged() -> None:
    session = after(*CONNECTED, *(receive(party) for party in range(1, 130)))
    assert session.forgotten_channels == 1
    ack = media.OpenReceiveChannelAckMessage(media_reception_status=0, pass_through_party_id=1)
    assert told(session, (PHONE, ack)) == []


def test_transmissions_whose_answer_never_comes_do_not_crowd_out_open_channels() -> None:
    session = after(*CONNECTED, receive(1))
    for party in range(2, 300):
        start = media.StartMediaTransmissionMessage(pass_through_party_id=party, call_reference=1)
        stop = media.StopMediaTransmissionMessage(pass_through_party_id=party, call_reference=1)
        assert told(session, (SERVER, start), (SERVER, stop)) == []
    assert session.forgotten_channels == 0
    assert session.channels[0].party_id == 1
