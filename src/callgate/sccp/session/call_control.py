"""The calls of a session: what the phone's user does to them, what the server says of them, and their audio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from callgate.sccp.enums.devices import DeviceType
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.enums.soft_keys import SoftKeyEvent
from callgate.sccp.message import Message
from callgate.sccp.messages import keys, media
from callgate.sccp.messages.calls import CallStateMessage
from callgate.sccp.session.call_states import Action
from callgate.sccp.session.calls import Calls, state_name
from callgate.sccp.session.channel_states import ChannelEvent, ChannelState, Direction
from callgate.sccp.session.channels import Channels
from callgate.sccp.session.parts import MEDIA_STARTS, NAMES_CALL
from callgate.sccp.session.roles import Role
from callgate.sccp.session.violation import Found, Rule, Violation, broken

_SOFT_KEYS: Final[Mapping[int, Action]] = {
    SoftKeyEvent.ANSWER: Action.ANSWER,
    SoftKeyEvent.HOLD: Action.HOLD,
    SoftKeyEvent.RESUME: Action.RESUME,
}
"""Wireshark's catalogue. The numbers are the server's to give (SoftKeyTemplateRes); both servers give these."""

MEDIA_RESOURCES: Final = frozenset(
    kind
    for kind in DeviceType
    if kind.name.startswith(("CONFERENCE_BRIDGE", "MEDIA_TERMINATION_POINT", "MONITOR_BRIDGE", "MUSIC_ON_HOLD"))
    or kind.name in ("ANNUNCIATOR", "CISCO_MEDIA_SERVER", "LINE_ANNUNCIATOR", "RECORDER", "SOFTWARE_MTP_DIXIE_LAND")
)
"""Devices that are given media without calls (the meaning of their names in Wireshark's catalogue)."""


class CallControl:
    """The calls and channels of one device, and what is out of order in them."""

    def __init__(self, *, whole: bool) -> None:
        self.calls = Calls()
        self.channels = Channels()
        self.device_type: int | None = None
        self.has_buttons = False
        """The phone has asked for its button template."""
        self._whole = whole
        self._lifted = False

    def begin_anew(self) -> None:
        """The device registers: from here on, everything of it is seen."""
        self._whole = True
        self.has_buttons = False

    def lose_track(self) -> None:
        """Messages are missing from here."""
        self._whole = False
        self.calls.clear()
        self.channels.clear()

    def judge(self, message: Message, sender: Role) -> Found:
        """Take a message that the state of the registration allows."""
        judge = _JUDGES.get(type(message))
        return () if judge is None else judge(self, message, sender)

    def finish(self) -> Found:
        """The connection has ended: the channels that are open though their calls have ended."""
        found: list[Violation] = []
        for channel in self.channels:
            if channel.state is not ChannelState.CLOSED and channel.call is not None and not channel.call.live:
                opener = _OPENED_BY[channel.direction]
                state = f"{channel}, {channel.call}"
                found.append(Violation(Rule.LEFT_OPEN, Role.SERVER, opener.id, opener.name, state, ""))
        return tuple(found)

    @property
    def _knows_all(self) -> bool:
        return self._whole and not self.calls.forgotten_live

    # What the server says

    def _named(self, message: Message, _sender: Role) -> Found:
        line, reference = _call_of(message)
        # Where its beginning may be missing, its state is not known before a CallState tells it.
        if reference and self._knows_all and self.calls.find(line, reference) is None:
            self.calls.begin(line, reference)
        return ()

    def _call_state(self, message: Message, sender: Role) -> Found:
        line, reference = _call_of(message)
        state: int | None = getattr(message, "call_state", None)
        if not reference or state is None:
            return ()  # chan_skinny's code shows with reference 0 what another phone's line does
        call = self.calls.known.get((line, reference))
        judged = call is not None or self._knows_all
        call = call or self.calls.begin(line, reference)
        found: Found = ()
        if judged and not call.may_become(state):
            found = broken(Rule.CALL_STATE, message, sender, str(call), state_name(state))
        call.become(state)
        return found

    # What the user does

    def _acts(self, message: Message, sender: Role, action: Action) -> Found:
        line, reference = _call_of(message)
        if not reference:
            return ()  # which call is meant is the server's to say
        call = self.calls.find(line, reference)
        if call is None:
            text = f"{len(self.calls.known)} calls are known"
            seen = f"call {reference}, {action.value}"
            return broken(Rule.UNKNOWN_CALL, message, sender, text, seen) if self._knows_all else ()
        if call.hung_up and not call.live:
            return broken(Rule.CALL_OVER, message, sender, str(call), action.value)
        return () if call.permits(action) else broken(Rule.ACTION, message, sender, str(call), action.value)

    def _hangs_up(self, message: Message, sender: Role) -> Found:
        line, reference = _call_of(message)
        call = self.calls.find(line, reference) if reference else self.calls.active(line)
        if call is not None:
            call.hang_up()
        elif reference and self._knows_all:
            text = f"{len(self.calls.known)} calls are known"
            return broken(Rule.UNKNOWN_CALL, message, sender, text, f"call {reference}")
        return ()

    def _off_hook(self, message: Message, sender: Role) -> Found:
        self._lifted = True
        return self._acts(message, sender, Action.LIFT)

    def _on_hook(self, message: Message, sender: Role) -> Found:
        self._lifted = False
        return self._hangs_up(message, sender)

    def _may_begin(self, _message: Message, _sender: Role) -> Found:
        self._lifted = True
        return ()

    def _soft_key(self, message: Message, sender: Role) -> Found:
        self._lifted = True
        event: int | None = getattr(message, "soft_key_event", None)
        if event == SoftKeyEvent.END_CALL:
            return self._hangs_up(message, sender)
        return self._acts(message, sender, _SOFT_KEYS.get(event or 0, Action.OTHER_KEY))

    def _keypad(self, message: Message, sender: Role) -> Found:
        found: Found = ()
        if self._whole and not self.has_buttons:
            found = broken(Rule.KEYPAD, message, sender, "no button template was asked for")
        _, reference = _call_of(message)
        if self._knows_all and not (reference or self._lifted or self.calls.any_live()):
            return found + broken(Rule.NO_CALL, message, sender, "the phone is on hook")
        return found + self._acts(message, sender, Action.DIAL)

    # Media

    def _media(self, message: Message, sender: Role) -> Found:
        if self.device_type in MEDIA_RESOURCES or not self._knows_all:
            return ()
        _, reference = _call_of(message)
        if not reference:
            return () if self.calls.any_live() else broken(Rule.MEDIA, message, sender, "no call goes on")
        call = self.calls.find(0, reference)
        if call is not None and call.live:
            return ()
        return broken(Rule.MEDIA, message, sender, f"call {reference} is unknown" if call is None else str(call))

    def _opens(self, message: Message, sender: Role) -> Found:
        found = self._media(message, sender)
        _, reference = _call_of(message)
        call = self.calls.find(0, reference) if reference else self.calls.active()
        direction = Direction.RECEIVE if isinstance(message, media.OpenReceiveChannelMessage) else Direction.TRANSMIT
        self.channels.open(direction, _party_of(message) or 0, call)
        return found

    def _closes(self, message: Message, _sender: Role) -> Found:
        direction = Direction.RECEIVE if isinstance(message, media.CloseReceiveChannelMessage) else Direction.TRANSMIT
        self.channels.close(direction, _party_of(message))
        return ()

    def _answers(self, message: Message, sender: Role) -> Found:
        direction, status = _ANSWERS[type(message)]
        party = _party_of(message)
        channel = self.channels.owing(direction, party)
        if channel is not None:
            good = getattr(message, status) in (None, MediaStatus.OK)
            self.channels.answer(channel, ChannelEvent.READY if good else ChannelEvent.FAILED)
            return ()
        if not self._whole or self.channels.forgotten:
            return ()
        owing = self.channels.owing(direction)
        if owing is None:
            return broken(Rule.UNASKED, message, sender, f"no {direction.value} waits for it")
        return broken(Rule.PARTY_ID, message, sender, str(owing), f"party id {party}")


def _call_of(message: Message) -> tuple[int, int]:
    """The line instance and call reference that a message names, 0 for what it does not."""
    return getattr(message, "line_instance", None) or 0, getattr(message, "call_reference", None) or 0


def _party_of(message: Message) -> int | None:
    party: int | None = getattr(message, "pass_through_party_id", None)
    return party


_ANSWERS: Final[Mapping[type[Message], tuple[Direction, str]]] = {
    media.OpenReceiveChannelAckMessage: (Direction.RECEIVE, "media_reception_status"),
    media.StartMediaTransmissionAckMessage: (Direction.TRANSMIT, "media_transmission_status"),
}
"""The answers that are matched one by one to what they answer, and their status fields."""

_OPENED_BY: Final[Mapping[Direction, type[Message]]] = {
    Direction.RECEIVE: media.OpenReceiveChannelMessage,
    Direction.TRANSMIT: media.StartMediaTransmissionMessage,
}

_JUDGES: Final[Mapping[type[Message], Callable[[CallControl, Message, Role], Found]]] = {
    **dict.fromkeys(NAMES_CALL, CallControl._named),
    **dict.fromkeys(MEDIA_STARTS, CallControl._media),
    CallStateMessage: CallControl._call_state,
    keys.OffHookMessage: CallControl._off_hook,
    keys.OnHookMessage: CallControl._on_hook,
    keys.KeypadButtonMessage: CallControl._keypad,
    keys.SoftKeyEventMessage: CallControl._soft_key,
    keys.EnblocCallMessage: CallControl._may_begin,
    keys.StimulusMessage: CallControl._may_begin,
    keys.HookFlashMessage: CallControl._may_begin,
    keys.OffHookWithCallingPartyNumberMessage: CallControl._may_begin,
    media.OpenReceiveChannelMessage: CallControl._opens,
    media.StartMediaTransmissionMessage: CallControl._opens,
    media.CloseReceiveChannelMessage: CallControl._closes,
    media.StopMediaTransmissionMessage: CallControl._closes,
    media.OpenReceiveChannelAckMessage: CallControl._answers,
    media.StartMediaTransmissionAckMessage: CallControl._answers,
}
