"""What a message of a call manager is written from: the phone it goes to, and the call it tells of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from callgate.endpoint.network import TransportAddress


class Moment(Enum):
    """A turn in a phone's life at which the server says something."""

    GREETED = auto()
    """Its first question for the time is answered: the end of its registration."""
    OFF_HOOK = auto()
    FIRST_DIGIT = auto()
    NEXT_DIGIT = auto()
    DIALLED = auto()
    """Its number is complete."""
    RINGING_OUT = auto()
    """The other phone rings."""
    RINGING_IN = auto()
    CONNECTED = auto()
    BUSY = auto()
    CONGESTED = auto()
    """The number is known, but cannot be reached."""
    INVALID = auto()
    """Nobody has the number."""
    ENDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One moment of one phone."""

    version: int
    """The protocol version that was negotiated."""
    header: int
    """What the headers of most messages to it say."""
    time: datetime
    line: int = 0
    reference: int = 0
    party: int = 0
    """The pass-through party id."""
    outbound: bool = True
    caller: str = ""
    caller_name: str = ""
    called: str = ""
    called_name: str = ""
    opened: bool = False
    """Its receive channel is open."""
    transmitting: bool = False
    audio: TransportAddress | None = None
    """Where the other end of its audio is, where that is known."""

    @property
    def other(self) -> str:
        """The other party's number."""
        return self.called if self.outbound else self.caller
