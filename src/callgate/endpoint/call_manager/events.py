"""What a call manager tells its surroundings: a line for the log, or a wish of the media side."""

from __future__ import annotations

from dataclasses import dataclass

from callgate.endpoint.attempt import printable
from callgate.endpoint.network import Address, TransportAddress


@dataclass(frozen=True, slots=True)
class Registered:
    """A phone is registered."""

    device: bytes
    peer: TransportAddress
    version: int

    def __str__(self) -> str:
        return f"registered {printable(self.device)} from {self.peer} version {self.version}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A registration was refused."""

    device: bytes
    peer: TransportAddress
    reason: str

    def __str__(self) -> str:
        return f"rejected {printable(self.device)} from {self.peer}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A registration has ended."""

    device: bytes
    peer: TransportAddress
    reason: str

    def __str__(self) -> str:
        return f"unregistered {printable(self.device)} from {self.peer}: {self.reason}"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A connection was closed because nothing, or no keepalive, came in time."""

    device: bytes
    """Empty for one without a registration."""
    peer: TransportAddress

    def __str__(self) -> str:
        return f"time-out {printable(self.device) or 'unregistered'} from {self.peer}"


@dataclass(frozen=True, slots=True)
class Breach:
    """A phone did what the session model calls out of order."""

    peer: TransportAddress
    text: str

    def __str__(self) -> str:
        return f"breach by {self.peer}: {printable(self.text)}"


@dataclass(frozen=True, slots=True)
class Called:
    """A number is complete, and is being called."""

    call: int
    caller: str
    number: str

    def __str__(self) -> str:
        return f"call {self.caller} -> {printable(self.number)} ({self.call})"


@dataclass(frozen=True, slots=True)
class Answered:
    """A call stands."""

    call: int
    caller: str
    number: str

    def __str__(self) -> str:
        return f"answered {self.caller} -> {printable(self.number)} ({self.call})"


@dataclass(frozen=True, slots=True)
class Ended:
    """A call is over."""

    call: int
    caller: str
    number: str
    reason: str

    def __str__(self) -> str:
        return f"ended {self.caller} -> {printable(self.number)} ({self.call}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Spinning:
    """A peer closed in the middle of a message: the server it imitates would now burn a core for 30 s."""

    peer: TransportAddress

    def __str__(self) -> str:
        return f"spinning: closed in the middle of a message by {self.peer}"


@dataclass(frozen=True, slots=True)
class Crashed:
    """The server it imitates is gone, and all its calls: end the process."""

    peer: TransportAddress

    def __str__(self) -> str:
        return f"crashed: keypad before ButtonTemplateReq by {self.peer}"


@dataclass(frozen=True, slots=True)
class OpenEcho:
    """Open a port that sends audio back, and tell it with `CallManager.echo_opened`."""

    call: int
    local: Address
    """The address the phone reaches this machine by."""
    signalling: Address
    """Where the phone's own connection comes from."""


@dataclass(frozen=True, slots=True)
class EchoTo:
    """Send the audio that comes to a call's port back there."""

    call: int
    phone: TransportAddress
    """As the phone named it."""


@dataclass(frozen=True, slots=True)
class CloseEcho:
    """A call's port is of no use any more."""

    call: int


LogEvent = Registered | Rejected | Unregistered | TimedOut | Breach | Called | Answered | Ended | Spinning | Crashed
MediaEvent = OpenEcho | EchoTo | CloseEcho
Event = LogEvent | MediaEvent
