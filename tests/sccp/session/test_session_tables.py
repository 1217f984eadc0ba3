"""The tables of the session model: whole, reachable, and each of their transitions as a session takes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TypeVar

import pytest
from tests.sccp.session.dialogues import BUTTONS, EVENT_STEPS, REGISTERED, SOFT_KEYS, Step, acts, says

from callgate.sccp.enums.calls import DCallState
from callgate.sccp.message import CATALOGUE, Sender
from callgate.sccp.session import Rule, Session
from callgate.sccp.session.call_control import _JUDGES
from callgate.sccp.session.call_states import ACTIONS, CALL_STATES, OVER, WAITING, Action
from callgate.sccp.session.calls import Call
from callgate.sccp.session.channel_states import CHANNEL, ChannelEvent, ChannelState, Direction
from callgate.sccp.session.channels import Channel
from callgate.sccp.session.parts import EVENTS, part_of
from callgate.sccp.session.registration_states import (
    AFTER_BREACH,
    MAY_SEND,
    REGISTRATION,
    Need,
    Registration,
    RegistrationEvent,
)
from callgate.sccp.session.roles import Source

S = TypeVar("S")
E = TypeVar("E")


def ways(table: Mapping[S, Mapping[E, S]], start: S) -> dict[S, list[E]]:
    """The shortest way to every state that can be reached."""
    found: dict[S, list[E]] = {start: []}
    open_ends = deque([start])
    while open_ends:
        state = open_ends.popleft()
        for event, following in table[state].items():
            if following not in found:
                found[following] = [*found[state], event]
                open_ends.append(following)
    return found


REGISTRATION_WAYS = ways(REGISTRATION, Registration.UNREGISTERED)
CALL_WAYS = ways({state: {after: after for after in row} for state, row in CALL_STATES.items()}, DCallState.IDLE)


def session_after(*steps: Step) -> Session:
    session = Session()
    for sender, message in steps:
        assert session.observe(message, sender) == (), message
    return session


def test_every_state_of_a_registration_is_reached_but_those_that_no_message_leads_to() -> None:
    assert set(REGISTRATION) == set(Registration)
    assert set(Registration) - set(REGISTRATION_WAYS) == {Registration.UNKNOWN, Registration.CLOSED}
    assert Session(whole=False).registration is Registration.UNKNOWN
    ended = Session()
    ended.finish()
    assert ended.registration is Registration.CLOSED


def test_every_event_of_a_registration_has_messages_of_one_side() -> None:
    assert set(EVENTS.values()) | {RegistrationEvent.RETAIN} == set(RegistrationEvent)
    for event in RegistrationEvent:
        assert len({cls.sender for cls, known in EVENTS.items() if known is event}) <= 1


@pytest.mark.parametrize("event", RegistrationEvent)
@pytest.mark.parametrize("state", REGISTRATION_WAYS)
def test_a_session_takes_each_transition_of_a_registration_and_no_other(
    state: Registration, event: RegistrationEvent
) -> None:
    session = session_after(*(EVENT_STEPS[each] for each in REGISTRATION_WAYS[state]))
    assert session.registration is state
    sender, message = EVENT_STEPS[event]
    found = session.observe(message, sender)
    if event in REGISTRATION[state]:
        assert found == ()
        assert session.registration is REGISTRATION[state][event]
    else:
        assert [(each.rule, each.by, each.state) for each in found] == [(Rule.REGISTRATION, sender, state.value)]
        assert session.registration is AFTER_BREACH.get(event, state)


@pytest.mark.parametrize("event", RegistrationEvent)
def test_a_session_that_began_unseen_takes_every_event(event: RegistrationEvent) -> None:
    session = Session(whole=False)
    sender, message = EVENT_STEPS[event]
    assert session.observe(message, sender) == ()
    assert session.registration is REGISTRATION[Registration.UNKNOWN][event]


def test_what_may_be_sent_is_said_for_every_state_and_grows_with_the_registration() -> None:
    assert set(MAY_SEND) == set(Registration)
    assert MAY_SEND[Registration.UNREGISTERED] < MAY_SEND[Registration.REGISTERING] < MAY_SEND[Registration.REGISTERED]
    assert set().union(*MAY_SEND.values()) == set(Need)


@pytest.mark.parametrize("state", REGISTRATION_WAYS)
def test_a_message_without_the_registration_it_needs_is_reported(state: Registration) -> None:
    way = [EVENT_STEPS[each] for each in REGISTRATION_WAYS[state]]
    for cls in CATALOGUE.values():
        part = part_of(cls)
        if part.sender is None or cls in EVENTS:
            continue
        found = session_after(*way).observe(cls(), part.sender)
        rules = {violation.rule for violation in found}
        assert (Rule.UNREGISTERED in rules) is (part.need not in MAY_SEND[state]), cls
        assert Rule.SENDER not in rules


def test_the_catalogue_gives_every_message_a_need() -> None:
    needs = {cls: part_of(cls).need for cls in CATALOGUE.values()}
    assert set(needs.values()) == set(Need)
    assert {cls.sender for cls, need in needs.items() if need in (Need.CALL, Need.SERVICE)} == {Sender.SERVER}
    assert {cls.sender for cls, need in needs.items() if need in (Need.ANNOUNCEMENT, Need.REQUEST, Need.ANSWER)} == {
        Sender.PHONE
    }


def test_no_message_that_a_rule_judges_is_passed_over() -> None:
    assert [cls for cls in _JUDGES if part_of(cls).idle] == []


def test_every_call_state_but_their_count_is_reached_and_leads_on() -> None:
    states = set(DCallState) - {DCallState.MAX_STATE}
    assert set(CALL_STATES) == set(CALL_WAYS) == set(ACTIONS) == states
    for state, row in CALL_STATES.items():
        assert set(row) <= states
        assert set(row.values()) <= set(Source)
        assert DCallState.ON_HOOK in row, state
    assert states > WAITING
    assert OVER not in WAITING


@pytest.mark.parametrize("after", CALL_STATES)
@pytest.mark.parametrize("state", CALL_STATES)
def test_a_session_takes_each_transition_of_a_call_and_no_other(state: DCallState, after: DCallState) -> None:
    session = session_after(*REGISTERED, *map(says, CALL_WAYS[state]))
    sender, message = says(after)
    found = session.observe(message, sender)
    if after in CALL_STATES[state]:
        assert found == ()
    else:
        assert [violation.rule for violation in found] == [Rule.CALL_STATE]
        assert found[0].seen == after.name.lower().replace("_", " ")
    assert session.calls[1, 1].state == after


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", [state for state in CALL_STATES if state != DCallState.IDLE])
def test_a_phone_may_do_what_this_state_or_the_one_before_allows(state: DCallState, action: Action) -> None:
    session = session_after(*REGISTERED, *map(says, CALL_WAYS[state]))
    before = ([DCallState.IDLE, *CALL_WAYS[state]])[-2]
    sender, message = acts(action)
    found = session.observe(message, sender)
    legal = action in ACTIONS[state] or action in ACTIONS[before]
    assert [violation.rule for violation in found] == ([] if legal else [Rule.ACTION])


def test_every_action_is_refused_somewhere_and_allowed_somewhere() -> None:
    for action in Action:
        assert {action in allowed for allowed in ACTIONS.values()} == {True, False}
    assert set(SOFT_KEYS) == set(Action) - {Action.LIFT, Action.DIAL}


def test_a_state_that_no_table_knows_is_let_through_both_ways() -> None:
    call = Call(1, 1)
    for state in (DCallState.MAX_STATE, 99, DCallState.BUSY):
        assert call.may_become(state)
        call.become(state)
    assert str(call) == "call 1 of line 1 is busy"
    assert call.permits(Action.RESUME)  # by the unknown state before


CHANNEL_WAYS = ways(CHANNEL, ChannelState.CLOSED)


@pytest.mark.parametrize("event", ChannelEvent)
@pytest.mark.parametrize("state", ChannelState)
def test_every_channel_state_is_reached_and_takes_every_event(state: ChannelState, event: ChannelEvent) -> None:
    channel = Channel(Direction.RECEIVE, 1)
    for each in CHANNEL_WAYS[state]:
        channel.take(each)
    assert channel.state is state
    channel.take(event)
    assert channel.state is CHANNEL[state][event]


def test_the_dialogues_of_these_tests_begin_with_a_button_template() -> None:
    assert REGISTERED[-len(BUTTONS) :] == BUTTONS
