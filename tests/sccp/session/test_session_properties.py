"""A session against a second opinion, on dialogues that walk the tables and on dialogues with one mistake."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sccp.session.dialogues import ALPHABET, REGISTERED, Past, Step

from callgate.sccp.enums.calls import DCallState
from callgate.sccp.message import CATALOGUE, LENGTH_VARIANTS, Message, UnknownMessage
from callgate.sccp.messages import keys, media, signals
from callgate.sccp.messages.calls import CallStateMessage
from callgate.sccp.session import Session
from callgate.sccp.session.calls import CALLS_LIMIT
from callgate.sccp.session.channels import CHANNELS_LIMIT
from callgate.sccp.session.parts import questions
from callgate.sccp.session.registration_states import Registration
from callgate.sccp.session.roles import Role


@st.composite
def dialogues(draw: st.DrawFn, most: int = 25) -> list[Step]:
    """A legal dialogue of the alphabet; as a rule the phone is registered first."""
    past = Past(list(REGISTERED) if draw(st.integers(0, 3)) else [])
    for _ in range(draw(st.integers(0, most))):
        past.steps.append(draw(st.sampled_from([step for step in ALPHABET if past.allows(step)])))
    return past.steps


@settings(max_examples=60)
@given(dialogues())
def test_a_walk_through_the_tables_breaks_nothing(dialogue: list[Step]) -> None:
    session = Session()
    for sender, message in dialogue:
        assert session.observe(message, sender) == ()
    past = Past(dialogue)
    assert session.registration is past.registration()
    assert {call: state.state for (_, call), state in session.calls.items()} == {
        call: past.said(call)[-1] for call in past.known()
    }


@settings(max_examples=60)
@given(dialogues(15), st.data())
def test_a_message_is_reported_exactly_if_the_tables_do_not_allow_it(dialogue: list[Step], data: st.DataObject) -> None:
    past = Past(dialogue)
    sender, message = step = data.draw(st.sampled_from(ALPHABET))
    session = Session()
    for each, earlier in dialogue:
        session.observe(earlier, each)
    assert bool(session.observe(message, sender)) is not past.allows(step)


@st.composite
def mistaken(draw: st.DrawFn) -> list[Step]:
    """A legal dialogue with one message removed, inserted, or put before the one it follows."""
    steps = draw(dialogues(15).filter(bool))
    place = draw(st.integers(0, len(steps) - 1))
    match draw(st.sampled_from(["remove", "insert", "swap"])):
        case "remove":
            del steps[place]
        case "insert":
            steps.insert(place, draw(st.sampled_from(ALPHABET)))
        case _:
            steps[place - 1 : place + 1] = reversed(steps[place - 1 : place + 1])
    return steps


@settings(max_examples=60)
@given(mistaken())
def test_the_first_mistake_of_a_dialogue_is_reported_where_it_is(dialogue: list[Step]) -> None:
    past = Past()
    session = Session()
    for step in dialogue:
        found = session.observe(step[1], step[0])
        assert bool(found) is not past.allows(step)
        if found:
            assert {violation.by for violation in found} == {step[0]}
            break
        past.steps.append(step)


WORDS = st.none() | st.sampled_from([0, 1, 2, 3, 5, 8, 2**32 - 1]) | st.integers(0, 2**32 - 1)
CALL = {"line_instance": WORDS, "call_reference": WORDS}
PARTY = {"pass_through_party_id": WORDS, "call_reference": WORDS}
MESSAGES: st.SearchStrategy[Message | UnknownMessage] = st.one_of(
    st.sampled_from([*CATALOGUE.values(), *LENGTH_VARIANTS.values()]).map(lambda cls: cls()),
    st.builds(UnknownMessage, st.integers(0, 2**32 - 1)),
    st.builds(CallStateMessage, call_state=st.none() | st.sampled_from(DCallState) | st.integers(0, 99), **CALL),
    st.builds(keys.KeypadButtonMessage, kp_button=WORDS, **CALL),
    st.builds(keys.SoftKeyEventMessage, soft_key_event=WORDS, **CALL),
    st.builds(keys.OffHookMessage, **CALL),
    st.builds(keys.OnHookMessage, **CALL),
    st.builds(signals.StartToneMessage, tone=WORDS, **CALL),
    st.builds(media.OpenReceiveChannelMessage, **PARTY),
    st.builds(media.OpenReceiveChannelAckMessage, media_reception_status=WORDS, **PARTY),
    st.builds(media.StartMediaTransmissionMessage, **PARTY),
    st.builds(media.StartMediaTransmissionAckMessage, media_transmission_status=WORDS, **PARTY),
    st.builds(media.CloseReceiveChannelMessage, **PARTY),
    st.builds(media.StopMediaTransmissionMessage, **PARTY),
)


@given(
    st.booleans(), st.lists(st.tuples(st.sampled_from(Role), MESSAGES) | st.sampled_from(["lost", "end"]), max_size=60)
)
def test_no_sequence_of_messages_makes_a_session_raise(whole: bool, steps: list[tuple[Role, Message] | str]) -> None:
    session = Session(whole=whole)
    for step in steps:
        if step == "lost":
            session.lose_track()
        elif step == "end":
            session.finish()
            assert session.registration is Registration.CLOSED
        else:
            assert isinstance(step, tuple)
            for violation in session.observe(step[1], step[0]):
                assert violation.by is step[0]
                assert len(str(violation)) < 300
                assert str(violation).isprintable()
    assert len(session.calls) <= CALLS_LIMIT
    assert len(session.channels) <= CHANNELS_LIMIT
    session.finish()
    assert session.finish() == ()


@given(st.lists(st.tuples(st.sampled_from(Role), MESSAGES), max_size=40))
def test_a_session_that_knows_nothing_reports_no_more_than_one_that_knows_all(
    steps: list[tuple[Role, Message | UnknownMessage]],
) -> None:
    knowing, midway = Session(), Session(whole=False)
    for sender, message in steps:
        rules = {violation.rule for violation in knowing.observe(message, sender)}
        fewer = {violation.rule for violation in midway.observe(message, sender)}
        if midway.registration is Registration.UNKNOWN:
            assert fewer <= rules


def test_a_session_of_any_length_keeps_bounded_memory() -> None:
    session = Session()
    for sender, message in REGISTERED:
        session.observe(message, sender)
    total = 1000
    for call in range(1, total + 1):
        for state in (DCallState.OFF_HOOK, DCallState.CONNECTED):
            step = CallStateMessage(call_state=state, line_instance=1, call_reference=call)
            assert session.observe(step, Role.SERVER) == ()
        session.observe(media.OpenReceiveChannelMessage(pass_through_party_id=call, call_reference=call), Role.SERVER)
        session.observe(UnknownMessage(call), Role.PHONE)
    assert len(session.calls) == CALLS_LIMIT
    assert session.forgotten_calls == total - CALLS_LIMIT
    assert min(call for _, call in session.calls) == total - CALLS_LIMIT + 1
    assert len(session.channels) == CHANNELS_LIMIT
    assert session.forgotten_channels == total - CHANNELS_LIMIT
    assert session._asked <= questions()
