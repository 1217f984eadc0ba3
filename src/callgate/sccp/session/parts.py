"""What each message means to a session: who may send it, what it needs, what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from callgate.sccp.enums.devices import DeviceResetType, DeviceUnregisterStatus
from callgate.sccp.message import CATALOGUE, Message, Sender
from callgate.sccp.messages import (
    capabilities,
    devices,
    display,
    keys,
    lines,
    media,
    multimedia,
    registration,
    signals,
    templates,
)
from callgate.sccp.messages.calls import (
    CallHistoryInfoMessage,
    CallInfoMessage,
    CallInfoV2Message,
    CallSelectStatResMessage,
    CallStateMessage,
    DialedNumberMessage,
)
from callgate.sccp.session.registration_states import Need, RegistrationEvent
from callgate.sccp.session.roles import Role

EVENTS: Final[Mapping[type[Message], RegistrationEvent]] = {
    registration.RegisterTokenReq: RegistrationEvent.TOKEN_REQUEST,
    registration.SPCPRegisterTokenReq: RegistrationEvent.TOKEN_REQUEST,
    registration.RegisterTokenAck: RegistrationEvent.TOKEN_GRANT,
    registration.SPCPRegisterTokenAck: RegistrationEvent.TOKEN_GRANT,
    registration.RegisterTokenReject: RegistrationEvent.TOKEN_REFUSAL,
    registration.SPCPRegisterTokenReject: RegistrationEvent.TOKEN_REFUSAL,
    registration.RegisterReqMessage: RegistrationEvent.REGISTER,
    registration.RegisterAckMessage: RegistrationEvent.ACCEPT,
    registration.RegisterRejectMessage: RegistrationEvent.REJECT,
    registration.UnregisterReqMessage: RegistrationEvent.UNREGISTER,
    registration.UnregisterAckMessage: RegistrationEvent.RELEASE,
    registration.Reset: RegistrationEvent.RESET,
}
"""The messages that move a registration. See `event_of`."""

_ANY_TIME: Final[frozenset[type[Message]]] = frozenset(
    {
        registration.KeepAliveReqMessage,  # captured as a probe; chan-sccp's code: the 7985 sends it first
        registration.KeepAliveAckMessage,
        devices.AlarmMessage,  # real phones send it first
        devices.EnhancedAlarmMessage,  # this and the next two: chan-sccp's code takes it without a registration
        devices.LocationInfoMessage,
        lines.CallCountReqMessage,
    }
)
_ANNOUNCEMENTS: Final[frozenset[type[Message]]] = frozenset(
    {
        capabilities.UpdateCapabilitiesMessage,
        devices.AddOnDeviceCapabilitiesMessage,
        devices.MediaResourceNotificationMessage,
        devices.RegisterAvailableLinesMessage,
        media.IpPortMessage,
        media.MediaPortListMessage,
        signals.HeadsetStatusMessage,
        signals.MediaPathEventMessage,
        signals.MediaPathCapabilityMessage,
    }
)
MEDIA_STARTS: Final[frozenset[type[Message]]] = frozenset(
    {
        media.OpenReceiveChannelMessage,
        media.StartMediaTransmissionMessage,
        multimedia.OpenMultiMediaReceiveChannelMessage,
        multimedia.StartMultiMediaTransmissionMessage,
    }
)
"""The messages that open a channel of a call."""

_MEDIA_ENDS: Final[frozenset[type[Message]]] = frozenset(
    {media.CloseReceiveChannelMessage, media.StopMediaTransmissionMessage}
)

_CALL_CONTROL: Final[frozenset[type[Message]]] = MEDIA_STARTS | {CallStateMessage}

_ASKED_FOR: Final[frozenset[type[Message]]] = frozenset(
    {
        devices.ConfigStatResMessage,
        devices.ConfigStatV2ResMessage,
        registration.ServerResMessage,
        registration.VersionResMessage,
        templates.ButtonTemplateResMessage,
        templates.SoftKeyTemplateResMessage,
    }
)
"""A server's answers that neither chan_skinny nor chan-sccp is known to send unasked: nothing changes in them."""

_ANSWERED_ONE_BY_ONE: Final[frozenset[type[Message]]] = frozenset(
    {
        registration.KeepAliveAckMessage,
        media.OpenReceiveChannelAckMessage,
        media.StartMediaTransmissionAckMessage,
    }
)
"""Answers that are counted against what asked for them."""

NAMES_CALL: Final[frozenset[type[Message]]] = frozenset(
    {
        CallInfoMessage,
        CallInfoV2Message,
        CallHistoryInfoMessage,
        CallSelectStatResMessage,
        DialedNumberMessage,
        display.ClearPromptStatusMessage,
        display.DisplayPromptStatusMessage,
        display.DisplayPromptStatusV2Message,
        keys.BackSpaceResMessage,
        signals.SetRingerMessage,
        signals.StartToneMessage,
        signals.StopToneMessage,
        templates.SelectSoftKeysMessage,
    }
)
"""A server's messages that name a call by line and reference, before its first CallState or after it."""

_ROLES: Final = {Sender.PHONE: Role.PHONE, Sender.SERVER: Role.SERVER}


@dataclass(frozen=True, slots=True)
class Part:
    """What a message class means to a session."""

    sender: Role | None
    """The only side that sends it; None: either may."""
    need: Need
    answers: int | None
    """The id that must have been asked before it; None if it may come unasked."""
    idle: bool
    """It needs nothing but a phone, and is part of no rule."""


@cache
def part_of(cls: type[Message]) -> Part:
    """What a message class means to a session."""
    sender = _ROLES.get(cls.sender)
    need = _need(cls, sender)
    answers = _question(cls, sender)
    judged = answers is not None or cls in NAMES_CALL | _MEDIA_ENDS or cls.id in questions()
    return Part(sender, need, answers, need is Need.SERVICE and not judged)


@cache
def questions() -> frozenset[int]:
    """The ids that some judged answer needs."""
    answered = (_question(cls, _ROLES.get(cls.sender)) for cls in CATALOGUE.values())
    return frozenset(question for question in answered if question is not None)


def _need(cls: type[Message], sender: Role | None) -> Need:
    if sender is None or cls in EVENTS or cls in _ANY_TIME:
        return Need.NOTHING
    if sender is Role.SERVER:
        return Need.CALL if cls in _CALL_CONTROL else Need.SERVICE
    if cls in _ANNOUNCEMENTS:
        return Need.ANNOUNCEMENT
    return Need.REQUEST if cls.answers is None else Need.ANSWER


def _question(cls: type[Message], sender: Role | None) -> int | None:
    """The id that a message answers, if it is one that never comes unasked and the other side asks it."""
    if cls.answers is None or cls in EVENTS or cls in _ANSWERED_ONE_BY_ONE or sender is None:
        return None
    if sender is Role.SERVER and cls not in _ASKED_FOR:
        return None
    question = CATALOGUE.get(cls.answers)
    return cls.answers if question is not None and _ROLES.get(question.sender) is sender.other else None


def event_of(message: Message) -> RegistrationEvent | None:
    """What a message does to the registration; None if nothing.

    Wireshark's catalogue: UnregisterAck has a status other than 0 where the server refuses, and a Reset of the type
    "apply configuration" is none.
    """
    event = EVENTS.get(type(message))
    if isinstance(message, registration.UnregisterAckMessage):
        return RegistrationEvent.RETAIN if message.status not in (None, DeviceUnregisterStatus.OK) else event
    if isinstance(message, registration.Reset) and message.reset_type == DeviceResetType.APPLY_CONFIG:
        return None
    return event
