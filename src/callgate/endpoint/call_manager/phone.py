"""A registered phone, and the calls between phones."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from callgate.endpoint.call_manager.channels import WIDE_SINCE
from callgate.endpoint.call_manager.connection import Connection
from callgate.endpoint.call_manager.settings import Line
from callgate.endpoint.network import Address, TransportAddress


class LegState(Enum):
    """How far a phone's part of a call is."""

    DIALLING = auto()
    CALLING = auto()
    """The number is complete; nobody rings yet."""
    RINGING_OUT = auto()
    RINGING_IN = auto()
    CONNECTED = auto()
    REFUSED = auto()
    """Busy, congested or invalid: the user hears so until he hangs up."""


@dataclass(slots=True, eq=False)
class Phone:
    """A device while it is registered. It has one line, and one call at a time."""

    name: bytes
    line: Line
    connection: Connection
    kept_alive: float
    """When it last registered or sent a keepalive."""
    greeted: bool = False
    leg: Leg | None = None

    def can_name(self, address: Address) -> bool:
        """Whether a message to it has room for an address."""
        return address.version == 4 or self.connection.version >= WIDE_SINCE


@dataclass(slots=True, eq=False)
class Leg:
    """One phone's part of a call."""

    phone: Phone
    call: Call
    reference: int
    party: int
    outbound: bool
    state: LegState
    opened: bool = False
    """Its receive channel was opened."""
    audio: TransportAddress | None = None
    """Where it receives, once it has said so."""
    transmitting: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """A call, from the first key to the end."""

    number: str = ""
    """As dialled so far."""
    caller: Leg = field(init=False)
    called: Leg | None = None
    deadline: float | None = None
    """When the state it is in has lasted too long."""
    placed: bool = False
    """The number is complete."""
    echoing: bool = False
    """A port of the media side is in use, or being opened."""
    echo: TransportAddress | None = None

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Those that take part, the caller's first."""
        return (self.caller,) if self.called is None else (self.caller, self.called)
