"""An SCCP session: one connection followed by its messages, and what is out of order in them. Sans-IO, no clock.

    session = Session(Role.PHONE)              # one end of a connection
    for violation in session.received(message): ...
    session = Session()                        # an observer of both directions
    for violation in session.observe(message, Role.SERVER): ...
    for violation in session.finish(): ...

A session never raises, whatever messages it is shown, keeps bounded memory, and goes on after a violation. What is
legal is in tables: `REGISTRATION` and `MAY_SEND` of registration_states, `CALL_STATES` and `ACTIONS` of call_states,
`CHANNEL` of channel_states, and parts. They are as loose as real servers are: nothing that was captured from
Asterisk 18 chan_skinny or chan-sccp 4.3.5 is a violation.
"""

from __future__ import annotations

from collections.abc import Mapping

from callgate.sccp.message import AnyMessage, Message, UnknownMessage
from callgate.sccp.messages.registration import KeepAliveAckMessage, RegisterReqMessage, RegisterTokenReq
from callgate.sccp.messages.templates import ButtonTemplateReqMessage
from callgate.sccp.session.call_control import CallControl
from callgate.sccp.session.calls import Call, CallKey
from callgate.sccp.session.channels import Channel
from callgate.sccp.session.parts import event_of, part_of, questions
from callgate.sccp.session.registration_states import (
    AFTER_BREACH,
    MAY_SEND,
    REGISTRATION,
    Need,
    Registration,
    RegistrationEvent,
)
from callgate.sccp.session.roles import Role
from callgate.sccp.session.violation import Found, Rule, Violation, broken


class Session:
    """One connection between a device and a call manager.

    `role` is the side one is on, None for an observer. `whole` is false where the beginning of the connection was
    not seen: until the next RegisterReq, only what no unseen message can explain is then a violation.
    """

    def __init__(self, role: Role | None = None, *, whole: bool = True) -> None:
        self.role = role
        self.registration = Registration.UNREGISTERED if whole else Registration.UNKNOWN
        self.device_name: bytes | None = None
        """As the last RegisterReq or token request gave it: raw, from the network."""
        self._whole = whole
        self._control = CallControl(whole=whole)
        self._asked: set[int] = set()
        self._unacknowledged = 0

    @property
    def calls(self) -> Mapping[CallKey, Call]:
        """Every remembered call by line instance and call reference; at most `calls.CALLS_LIMIT`."""
        return self._control.calls.known

    @property
    def active_call(self) -> Call | None:
        """What a message means that names no call: the newest that the user has in hand."""
        return self._control.calls.active()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The audio channels that are open or owe an answer; at most `channels.CHANNELS_LIMIT`."""
        return tuple(self._control.channels)

    @property
    def forgotten_calls(self) -> int:
        """Calls that are remembered no more, because there were too many."""
        return self._control.calls.forgotten

    @property
    def forgotten_channels(self) -> int:
        """Open channels that are remembered no more, because there were too many."""
        return self._control.channels.forgotten

    def sent(self, message: AnyMessage) -> Found:
        """Take a message of one's own side. ValueError if the session has no role."""
        if self.role is None:
            raise ValueError("an observer has no side: use observe()")
        return self.observe(message, self.role)

    def received(self, message: AnyMessage) -> Found:
        """Take a message of the other side. ValueError if the session has no role."""
        if self.role is None:
            raise ValueError("an observer has no side: use observe()")
        return self.observe(message, self.role.other)

    def observe(self, message: AnyMessage, sender: Role) -> Found:
        """Take a message, and say what is out of order with it. An unknown id never is."""
        state = self.registration
        if isinstance(message, UnknownMessage):
            # chan-sccp 4.3.5 answers KeepAliveAck to most ids that it does not know (observed).
            self._unacknowledged += sender is Role.PHONE
            if state is Registration.CLOSED:
                return (Violation(Rule.CLOSED, sender, message.message_id, "unknown message", state.value, ""),)
            return ()
        part = part_of(type(message))
        if state is Registration.CLOSED:
            return broken(Rule.CLOSED, message, sender, state.value)
        if part.sender is not None and part.sender is not sender:
            return broken(Rule.SENDER, message, sender, state.value)
        if part.idle:
            return ()
        event = event_of(message)
        if event is not None:
            return self._register(message, sender, event)
        if part.need not in MAY_SEND[state]:
            return broken(Rule.UNREGISTERED, message, sender, state.value)
        found = self._unasked(message, sender, part.answers)
        self._note_question(message, sender, part.need)
        return found + self._control.judge(message, sender)

    def finish(self, *, whole: bool = True) -> Found:
        """The connection has ended: say which channels stayed open though their calls had ended.

        The channel of a call that goes on is not reported: a phone may lose its power in the middle of a call.
        `whole` is false where the record stops before the connection does; what is missing may then still have
        come, and nothing is reported. At most `channels.CHANNELS_LIMIT` violations; none the second time.
        """
        found = self._control.finish() if whole and self.registration is not Registration.CLOSED else ()
        self.registration = Registration.CLOSED
        return found

    def lose_track(self) -> None:
        """Messages are missing from here: nothing is taken for known until the next RegisterReq."""
        if self.registration is not Registration.CLOSED:
            self.registration = Registration.UNKNOWN
            self._whole = False
            self._control.lose_track()

    def _register(self, message: Message, sender: Role, event: RegistrationEvent) -> Found:
        state = self.registration
        legal = REGISTRATION[state].get(event)
        self.registration = AFTER_BREACH.get(event, state) if legal is None else legal
        if isinstance(message, (RegisterReqMessage, RegisterTokenReq)):
            self.device_name = None if message.sid is None else message.sid.device_name
        if isinstance(message, RegisterReqMessage):
            self._control.device_type = message.device_type
            self._control.begin_anew()
            self._unacknowledged += not self._whole  # a keepalive may have been sent before
            self._whole = True
        return () if legal is not None else broken(Rule.REGISTRATION, message, sender, state.value, event.value)

    def _note_question(self, message: Message, sender: Role, need: Need) -> None:
        if message.id in questions():
            self._asked.add(message.id)
        if sender is Role.PHONE and need in (Need.NOTHING, Need.ANNOUNCEMENT):
            self._unacknowledged += 1
        if isinstance(message, ButtonTemplateReqMessage):
            self._control.has_buttons = True

    def _unasked(self, message: Message, sender: Role, question: int | None) -> Found:
        if not self._whole:
            return ()
        if isinstance(message, KeepAliveAckMessage):
            if self._unacknowledged:
                self._unacknowledged -= 1
                return ()
            return broken(Rule.UNASKED, message, sender, "no keepalive waits for it")
        if question is None or question in self._asked:
            return ()
        return broken(Rule.UNASKED, message, sender, f"{question:#06x} was not asked")
