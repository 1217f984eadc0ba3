"""The states of an audio channel, as data: a stream that a phone receives or transmits, by pass-through party id.

Captured from Asterisk 18 chan_skinny and chan-sccp 4.3.5: OpenReceiveChannel, its acknowledgement,
StartMediaTransmission (its acknowledgement may be missing), CloseReceiveChannel, StopMediaTransmission. Closing what
is not open is legal: chan_skinny's code closes both ways at the end of every call, opened or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Direction(Enum):
    """Which way the audio goes, seen from the phone."""

    RECEIVE = "receive channel"
    TRANSMIT = "transmission"


class ChannelState(Enum):
    """How far a channel is."""

    CLOSED = "closed"
    OPENING = "opening"
    """The server asked for it; the phone has not answered."""
    OPEN = "open"


class ChannelEvent(Enum):
    """What moves a channel."""

    OPEN = "is opened"
    READY = "is acknowledged"
    FAILED = "has failed"
    CLOSE = "is closed"


_OPENING = {
    ChannelEvent.OPEN: ChannelState.OPENING,
    ChannelEvent.READY: ChannelState.OPEN,
    ChannelEvent.FAILED: ChannelState.CLOSED,
    ChannelEvent.CLOSE: ChannelState.CLOSED,
}

CHANNEL: Final[Mapping[ChannelState, Mapping[ChannelEvent, ChannelState]]] = {
    ChannelState.CLOSED: {
        ChannelEvent.OPEN: ChannelState.OPENING,
        ChannelEvent.CLOSE: ChannelState.CLOSED,
        ChannelEvent.READY: ChannelState.CLOSED,  # the server closed it while the answer was under way
        ChannelEvent.FAILED: ChannelState.CLOSED,
    },
    ChannelState.OPENING: _OPENING,
    ChannelState.OPEN: _OPENING,  # opened again with other parameters; the answers come one by one
}
"""What leads from one state to another. Whether an acknowledgement is legal is not a matter of the state but of what
was asked: each request is answered once at most, with the id that the request gave."""
