"""Dialogues between a phone and a server, and a plain second opinion on what is legal in them.

The opinion looks back over the whole dialogue for each message; the session under test keeps state instead. Both use
the same tables, for the tables are the specification.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.enums.soft_keys import SoftKeyEvent
from callgate.sccp.message import Message, UnknownMessage
from callgate.sccp.messages import capabilities, devices, keys, media, registration, templates
from callgate.sccp.messages.calls import (
    CallStateMessage,
    ConnectionStatisticsReqMessage,
    ConnectionStatisticsResMessage,
)
from callgate.sccp.messages.signals import SetLampMessage
from callgate.sccp.messages.structures import StationIdentifier
from callgate.sccp.session.call_states import ACTIONS, CALL_STATES, WAITING, Action
from callgate.sccp.session.registration_states import REGISTRATION, Registration, RegistrationEvent
from callgate.sccp.session.roles import Role

Step = tuple[Role, Message | UnknownMessage]
PHONE, SERVER = Role.PHONE, Role.SERVER

E = RegistrationEvent
EVENT_STEPS: Final[dict[RegistrationEvent, Step]] = {
    E.TOKEN_REQUEST: (PHONE, registration.RegisterTokenReq()),
    E.TOKEN_GRANT: (SERVER, registration.RegisterTokenAck()),
    E.TOKEN_REFUSAL: (SERVER, registration.RegisterTokenReject(wait_time_before_next_req=60)),
    E.REGISTER: (PHONE, registration.RegisterReqMessage(sid=StationIdentifier(device_name=b"SEP001122334455"))),
    E.ACCEPT: (SERVER, registration.RegisterAckMessage(keep_alive_interval=60)),
    E.REJECT: (SERVER, registration.RegisterRejectMessage(text=b"No Authority: ")),
    E.UNREGISTER: (PHONE, registration.UnregisterReqMessage()),
    E.RELEASE: (SERVER, registration.UnregisterAckMessage(status=0)),
    E.RETAIN: (SERVER, registration.UnregisterAckMessage(status=2)),
    E.RESET: (SERVER, registration.Reset(reset_type=2)),
}
BUTTONS: Final[list[Step]] = [
    (PHONE, templates.ButtonTemplateReqMessage()),
    (SERVER, templates.ButtonTemplateResMessage()),
]
REGISTERED: Final[list[Step]] = [EVENT_STEPS[E.REGISTER], EVENT_STEPS[E.ACCEPT], *BUTTONS]

SOFT_KEYS: Final = {
    Action.ANSWER: SoftKeyEvent.ANSWER,
    Action.HOLD: SoftKeyEvent.HOLD,
    Action.RESUME: SoftKeyEvent.RESUME,
    Action.OTHER_KEY: SoftKeyEvent.PARK,
}


def says(state: DCallState, call: int = 1) -> Step:
    """The server says a call's state."""
    return SERVER, CallStateMessage(call_state=state, line_instance=1, call_reference=call)


def acts(action: Action, call: int = 1) -> Step:
    """The user does something to a call."""
    line = 1 if call else 0
    if action is Action.LIFT:
        return PHONE, keys.OffHookMessage(line_instance=line, call_reference=call)
    if action is Action.DIAL:
        return PHONE, keys.KeypadButtonMessage(kp_button=6, line_instance=line, call_reference=call)
    return PHONE, keys.SoftKeyEventMessage(soft_key_event=SOFT_KEYS[action], line_instance=line, call_reference=call)


def hangs_up(call: int = 1) -> Step:
    return PHONE, keys.OnHookMessage(line_instance=1 if call else 0, call_reference=call)


def media_steps(call: int) -> list[Step]:
    """Every audio message of a call; its party id is ten times its reference."""
    party = call * 10
    opened = media.OpenReceiveChannelAckMessage(
        media_reception_status=MediaStatus.OK, pass_through_party_id=party, call_reference=call
    )
    started = media.StartMediaTransmissionAckMessage(
        media_transmission_status=MediaStatus.OK, pass_through_party_id=party, call_reference=call
    )
    return [
        (SERVER, media.OpenReceiveChannelMessage(pass_through_party_id=party, call_reference=call)),
        (PHONE, opened),
        (SERVER, media.StartMediaTransmissionMessage(pass_through_party_id=party, call_reference=call)),
        (PHONE, started),
        (SERVER, media.CloseReceiveChannelMessage(pass_through_party_id=party, call_reference=call)),
        (SERVER, media.StopMediaTransmissionMessage(pass_through_party_id=party, call_reference=call)),
    ]


ALPHABET: Final[list[Step]] = [
    *EVENT_STEPS.values(),
    *BUTTONS,
    (PHONE, registration.KeepAliveReqMessage()),
    (SERVER, registration.KeepAliveAckMessage()),
    (PHONE, UnknownMessage(0x777)),
    (PHONE, devices.AlarmMessage()),
    (PHONE, devices.TimeDateReqMessage()),
    (SERVER, devices.TimeDateResMessage()),
    (SERVER, SetLampMessage()),
    (SERVER, capabilities.CapabilitiesReq()),
    (PHONE, capabilities.CapabilitiesResMessage()),
    (SERVER, ConnectionStatisticsReqMessage(call_reference=1)),
    (PHONE, ConnectionStatisticsResMessage(call_reference=1)),
    *(says(state, call) for call in (1, 2) for state in CALL_STATES),
    *(acts(action, call) for call in (0, 1, 2) for action in Action),
    *(hangs_up(call) for call in (0, 1, 2)),
    *(step for call in (1, 2) for step in media_steps(call)),
]

_NEEDS_REGISTRATION: Final = (
    keys.OffHookMessage,
    keys.OnHookMessage,
    keys.KeypadButtonMessage,
    keys.SoftKeyEventMessage,
    templates.ButtonTemplateReqMessage,
    devices.TimeDateReqMessage,
)
_NEEDS_ATTEMPT: Final = (CallStateMessage, media.OpenReceiveChannelMessage, media.StartMediaTransmissionMessage)
_QUESTIONS: Final[dict[type, type]] = {
    templates.ButtonTemplateResMessage: templates.ButtonTemplateReqMessage,
    capabilities.CapabilitiesResMessage: capabilities.CapabilitiesReq,
    ConnectionStatisticsResMessage: ConnectionStatisticsReqMessage,
}
_ONE_BY_ONE: Final[dict[type, type]] = {
    media.OpenReceiveChannelAckMessage: media.OpenReceiveChannelMessage,
    media.StartMediaTransmissionAckMessage: media.StartMediaTransmissionMessage,
}
_ACKNOWLEDGED: Final = (registration.KeepAliveReqMessage, UnknownMessage, devices.AlarmMessage)


def event(step: Step) -> RegistrationEvent | None:
    return next((event for event, known in EVENT_STEPS.items() if known == step), None)


@dataclass
class Past:
    """A dialogue so far, of messages of the alphabet that are all legal."""

    steps: list[Step] = field(default_factory=list)

    def registration(self) -> Registration:
        state = Registration.UNREGISTERED
        for step in self.steps:
            moved = event(step)
            if moved is not None:
                state = REGISTRATION[state][moved]
        return state

    def said(self, call: int) -> list[DCallState]:
        """The call's states, beginning with IDLE, without repetitions."""
        states = [DCallState.IDLE]
        for _, message in self.steps:
            if isinstance(message, CallStateMessage) and message.call_reference == call:
                state = DCallState(message.call_state or 0)
                states += [state] if state != states[-1] else []
        return states

    def known(self) -> list[int]:
        """The calls that the server has named, in order."""
        named = [message.call_reference or 0 for _, message in self.steps if isinstance(message, CallStateMessage)]
        return list(dict.fromkeys(named))

    def live(self) -> list[int]:
        return [call for call in self.known() if self.said(call)[-1] != DCallState.ON_HOOK]

    def hung_up(self, call: int) -> bool:
        """Whether the phone hung up since the server last said that the call goes on."""
        for place in reversed(range(len(self.steps))):
            message = self.steps[place][1]
            if isinstance(message, CallStateMessage) and message.call_reference == call:
                if message.call_state != DCallState.ON_HOOK:
                    return False
            elif isinstance(message, keys.OnHookMessage):
                before = Past(self.steps[:place])
                in_hand = [each for each in before.live() if before.said(each)[-1] not in WAITING]
                meant = message.call_reference or (in_hand[-1] if in_hand else 0)
                if meant == call and before.said(call)[-1] not in WAITING:
                    return True
        return False

    def lifted(self) -> bool:
        for _, message in reversed(self.steps):
            if isinstance(message, (keys.OffHookMessage, keys.SoftKeyEventMessage)):
                return True
            if isinstance(message, keys.OnHookMessage):
                return False
        return False

    def count(self, *kinds: type, **fields: int | None) -> int:
        return sum(
            isinstance(message, kinds) and all(getattr(message, name) == value for name, value in fields.items())
            for _, message in self.steps
        )

    def _buttons(self) -> bool:
        for _, message in reversed(self.steps):
            if isinstance(message, templates.ButtonTemplateReqMessage):
                return True
            if isinstance(message, registration.RegisterReqMessage):
                return False
        return False

    def allows(self, step: Step) -> bool:
        """Whether a message of the alphabet may come next."""
        _, message = step
        now = self.registration()
        moved = event(step)
        if moved is not None:
            return moved in REGISTRATION[now]
        if isinstance(message, _NEEDS_REGISTRATION) and now not in (Registration.REGISTERED, Registration.RESETTING):
            return False
        attempt = {Registration.REGISTERING, Registration.REGISTERED, Registration.RESETTING}
        if isinstance(message, _NEEDS_ATTEMPT) and now not in attempt | {Registration.UNREGISTERING}:
            return False
        if isinstance(message, registration.KeepAliveAckMessage):
            return self.count(registration.KeepAliveAckMessage) < self.count(*_ACKNOWLEDGED)
        if type(message) in _QUESTIONS:
            return self.count(_QUESTIONS[type(message)]) > 0
        if type(message) in _ONE_BY_ONE:
            party = getattr(message, "pass_through_party_id", None)
            asked = self.count(_ONE_BY_ONE[type(message)], pass_through_party_id=party)
            return self.count(type(message), pass_through_party_id=party) < asked
        if isinstance(message, CallStateMessage):
            before = self.said(message.call_reference or 0)[-1]
            return message.call_state in CALL_STATES[before]
        if isinstance(message, (media.OpenReceiveChannelMessage, media.StartMediaTransmissionMessage)):
            return message.call_reference in self.live()
        return self._allows_user(message)

    def _allows_user(self, message: Message | UnknownMessage) -> bool:
        if isinstance(message, keys.OnHookMessage):
            return not message.call_reference or message.call_reference in self.known()
        if not isinstance(message, (keys.OffHookMessage, keys.KeypadButtonMessage, keys.SoftKeyEventMessage)):
            return True
        call = message.call_reference or 0
        if isinstance(message, keys.KeypadButtonMessage):
            if not self._buttons():
                return False
            action = Action.DIAL
            if not call:
                return self.lifted() or bool(self.live())
        elif isinstance(message, keys.SoftKeyEventMessage):
            action = next(action for action, key in SOFT_KEYS.items() if key == message.soft_key_event)
        else:
            action = Action.LIFT
        if not call:
            return True
        if call not in self.known():
            return False
        states = self.said(call)
        if states[-1] == DCallState.ON_HOOK and self.hung_up(call):
            return False
        return any(action in ACTIONS[state] for state in states[-2:])
