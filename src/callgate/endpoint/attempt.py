"""What becomes of an attempt to register or to call: named endings, and what was learnt on the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from callgate.endpoint.network import TransportAddress
from callgate.errors import CallgateError

MAXIMUM_TEXT: Final = 300


class Ending(StrEnum):
    """How an attempt ended. All of them are reached in bounded time, whatever the peer does."""

    DONE = "done"
    """It did what was asked: registered; or called, with audio both ways."""
    REJECTED = "rejected"
    """The peer said no in its protocol (RegisterReject, 401 after credentials, 403, 404, 486 ...)."""
    ONE_WAY = "one-way"
    """The call stood, but audio went one way only."""
    NO_AUDIO = "no-audio"
    """The call stood, but no audio arrived at either end."""
    SILENT = "silent"
    """Connected, but the answer waited for did not come in time."""
    CLOSED = "closed"
    """The peer ended the connection before it answered."""
    RESET = "reset"
    """The peer reset a connection that stood."""
    GARBLED = "garbled"
    """What the peer sent is not the protocol, or breaks it."""
    TLS_FAILED = "tls-failed"
    """No TLS session came about, or the certificate was not accepted."""
    REFUSED = "refused"
    """RST upon the connection request, or ICMP port unreachable."""
    UNREACHABLE = "unreachable"
    """Another ICMP destination unreachable from beyond the sending machine."""
    NO_REPLY = "no-reply"
    """No packet came back: neither to the connection request nor to datagrams."""
    NO_ROUTE = "no-route"
    """Nothing left the sending machine: no route, no neighbour, or its own firewall."""
    FAILED_HERE = "failed-here"
    """The sending machine, or the way to the vantage, failed: nothing is learnt of the peer."""

    @property
    def served(self) -> bool:
        """Whether the peer's service was reached and spoke: with an answer, a refusal or half a call."""
        return self in (Ending.DONE, Ending.REJECTED, Ending.ONE_WAY, Ending.NO_AUDIO)

    @property
    def let_in(self) -> bool:
        """Whether packets certainly went to the peer's service and back; `served` is part of it."""
        return self.served or self in (Ending.SILENT, Ending.CLOSED, Ending.RESET, Ending.GARBLED, Ending.TLS_FAILED)

    @property
    def kept_out(self) -> bool:
        """Whether the peer's network turned the attempt away, or swallowed it."""
        return self in (Ending.REFUSED, Ending.UNREACHABLE, Ending.NO_REPLY)


class AttemptFailed(CallgateError):  # noqa: N818 - it says what happened
    """An attempt ended otherwise than asked. `text` is one line of printable ASCII."""

    def __init__(self, ending: Ending, text: str) -> None:
        self.ending = ending
        self.text = printable(text)
        super().__init__(f"{ending}: {self.text}")


def printable(text: str | bytes, limit: int = MAXIMUM_TEXT) -> str:
    """One line of printable ASCII, `limit` characters at most; what a peer sent is escaped."""
    value = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    shown = "".join(char if " " <= char <= "~" else ascii(char)[1:-1] for char in value[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


@dataclass(frozen=True, slots=True)
class AudioCount:
    """RTP packets of one call as this end counted them."""

    sent: int = 0
    received: int = 0
    """From where the signalling said they come from, each sequence number once."""
    echoed: int = 0
    """Of the received ones, those whose audio this end had sent: the far end echoes."""
    stray: int = 0
    """Other datagrams: no RTP, or not from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationTerms:
    """What a server granted."""

    interval_seconds: int
    """SCCP: between keepalives; SIP: until the registration expires."""
    protocol_version: int | None = None
    """SCCP: the version that holds."""
    server: str = ""
    """What the server calls itself; empty if it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call of a phone."""

    number: str
    """As dialled, or the caller's as it was shown."""
    audio: AudioCount
    far_end: TransportAddress | None = None
    """Where the signalling said audio goes to."""
    codec: str = ""
    """As in SDP or Wireshark's name, like `PCMU`."""
    seconds: float = 0.0
    """From answered to ended."""

    @property
    def ending(self) -> Ending:
        """DONE with audio both ways, else ONE_WAY or NO_AUDIO."""
        if self.audio.sent and self.audio.received:
            return Ending.DONE
        return Ending.ONE_WAY if self.audio.sent or self.audio.received else Ending.NO_AUDIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one phone did from one place, from the first packet to the last."""

    ending: Ending
    text: str
    """What happened, in one line of printable ASCII."""
    source: TransportAddress | None = None
    """Where the phone sent its signalling from; None if nothing was sent."""
    milliseconds: int = 0
    """From the first packet to the answer that decided it."""
    registration: RegistrationTerms | None = None
    call: CallRecord | None = None
    transcript: tuple[str, ...] = ()
    """What was sent and received, a line each: `> RegisterReqMessage`, `< RegisterAckMessage`."""
