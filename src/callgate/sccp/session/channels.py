"""The audio channels of a session, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from callgate.sccp.session.calls import Call
from callgate.sccp.session.channel_states import CHANNEL, ChannelEvent, ChannelState, Direction

CHANNELS_LIMIT: Final = 128
"""Channels remembered of a session."""


@dataclass(slots=True)
class Channel:
    """One audio stream of one direction."""

    direction: Direction
    party_id: int
    call: Call | None = None
    state: ChannelState = ChannelState.CLOSED
    owed: int = 0
    """Answers of the phone that were asked for and have not come."""

    def take(self, event: ChannelEvent) -> None:
        """Something happened to it."""
        if event is ChannelEvent.OPEN:
            self.owed += 1
        elif event in (ChannelEvent.READY, ChannelEvent.FAILED):
            self.owed -= 1
        self.state = CHANNEL[self.state][event]

    def __str__(self) -> str:
        return f"{self.direction.value} {self.party_id} is {self.state.value}"


class Channels:
    """The channels of a session that are open or owe an answer; the oldest is forgotten if there are too many."""

    def __init__(self) -> None:
        self.forgotten = 0
        """Channels that were open or opening, and are remembered no more."""
        self._channels: dict[tuple[Direction, int], Channel] = {}

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels.values())

    def open(self, direction: Direction, party_id: int, call: Call | None) -> None:
        """The server asks for a channel."""
        key = direction, party_id
        channel = self._channels.get(key)
        if channel is None:
            if len(self._channels) >= CHANNELS_LIMIT:
                self._forget()
            channel = self._channels[key] = Channel(direction, party_id)
        channel.call = call
        channel.take(ChannelEvent.OPEN)

    def _forget(self) -> None:
        # Most phones never answer StartMediaTransmission: closed channels that still owe that are no loss.
        closed = (key for key, channel in self._channels.items() if channel.state is ChannelState.CLOSED)
        oldest = next(closed, next(iter(self._channels)))
        self.forgotten += self._channels.pop(oldest).state is not ChannelState.CLOSED

    def owing(self, direction: Direction, party_id: int | None = None) -> Channel | None:
        """The oldest channel that an answer is owed for, with that party id or (None) with any."""
        if party_id is not None:
            channel = self._channels.get((direction, party_id))
            return channel if channel is not None and channel.owed else None
        return next((channel for channel in self if channel.direction is direction and channel.owed), None)

    def answer(self, channel: Channel, event: ChannelEvent) -> None:
        """The phone answers for a channel that owes an answer."""
        channel.take(event)
        self._drop_if_done(channel)

    def close(self, direction: Direction, party_id: int | None) -> None:
        """The server closes a channel, or (None: the message is too short to say) the newest of the direction."""
        channel: Channel | None
        if party_id is None:
            channels = reversed(self._channels.values())
            channel = next(
                (c for c in channels if c.direction is direction and c.state is not ChannelState.CLOSED), None
            )
        else:
            channel = self._channels.get((direction, party_id))
        if channel is not None:
            channel.take(ChannelEvent.CLOSE)
            self._drop_if_done(channel)

    def _drop_if_done(self, channel: Channel) -> None:
        if channel.state is ChannelState.CLOSED and not channel.owed:
            self._channels.pop((channel.direction, channel.party_id), None)

    def clear(self) -> None:
        """Nothing is known of any channel."""
        self._channels.clear()
