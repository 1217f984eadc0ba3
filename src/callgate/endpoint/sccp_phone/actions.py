"""What a phone does next: messages to send, and what it has learnt."""

from __future__ import annotations

from dataclasses import dataclass

from callgate.endpoint.attempt import RegistrationTerms
from callgate.endpoint.network import TransportAddress
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.message import Message


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message, whole and in one write."""

    message: Message


@dataclass(frozen=True, slots=True)
class Registered:
    """The server has accepted the phone, which now asks for its buttons and lines."""

    terms: RegistrationTerms


@dataclass(frozen=True, slots=True)
class Settled:
    """The phone has asked for all it needs, and is ready for calls."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server has turned the phone away."""

    text: str


@dataclass(frozen=True, slots=True)
class ResetAsked:
    """The server wants the phone to start again."""

    kind: str


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The server has ended the registration, asked or not."""

    status: str


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call rings."""

    line: int
    reference: int


@dataclass(frozen=True, slots=True)
class DialTone:
    """The server takes digits now."""


@dataclass(frozen=True, slots=True)
class CallProceeds:
    """The server says what became of the call."""

    state: DCallState


@dataclass(frozen=True, slots=True)
class MediaOpen:
    """The phone has said where it receives audio."""

    party_id: int


@dataclass(frozen=True, slots=True)
class MediaStart:
    """The phone is to send audio there."""

    remote: TransportAddress | None
    """None: the server named the address 0.0.0.0 or ::, where nothing can be sent to."""
    payload_type: int
    codec: str
    packet_milliseconds: int


@dataclass(frozen=True, slots=True)
class MediaStop:
    """The phone is to send no more audio."""


@dataclass(frozen=True, slots=True)
class MediaRefused:
    """The server asked for audio that this phone does not do: the call is to be hung up."""

    text: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over, or came to nothing."""

    text: str
    refused: bool
    """It ended before it was answered."""


Event = (
    Registered
    | Settled
    | Rejected
    | ResetAsked
    | Unregistered
    | IncomingCall
    | DialTone
    | CallProceeds
    | MediaOpen
    | MediaStart
    | MediaStop
    | MediaRefused
    | CallEnded
)
Action = Send | Event
