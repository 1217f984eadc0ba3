"""TCP streams put together again (RFC 9293), sans-IO: segments in, events out. Checksums are not verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import nsmallest
from itertools import count
from typing import Final

from callgate.records.direction import COMPARED, HALF, MASK, Direction, distance
from callgate.records.events import EndReason, Event, Segment, flows_of, reverse_key
from callgate.records.tally import Tally

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10

WAITING_LIMIT: Final = 1024 * 1024
"""Bytes of one direction that may wait behind holes; every piece counts PIECE_COST more than its data."""
ALL_WAITING_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of all directions that may wait behind holes, counted alike."""
CONNECTIONS_LIMIT: Final = 65_536
"""Connections that are remembered, ended ones among them."""

FAR: Final = 1 << 26
"""A segment further away than this (64 MiB) is not of the stream its ports name."""
STRAYS_LIMIT: Final = 3
"""So many stray segments that join each other are a new connection, the start of which is not in the capture."""

STRAYS: Final = "segments that belong to no stream"
STRAY_ACKS: Final = "acknowledgements of what was not sent"
STRAY_RESETS: Final = "resets of no connection"
LAND: Final = "source and destination are the same"
GIVEN_UP: Final = "holes given up as too much waited behind them"
EVICTED: Final = "connections evicted"

_NONE: Final[Sequence[Event]] = ()


class TcpReassembler:
    """The TCP connections of a capture.

    A hole in a stream is given up, with a Gap, when bytes behind it wait and the peer has acknowledged all of it,
    or too much waits, or the connection or the capture ends. Where bytes come twice, those that came first
    count; a difference is counted in the tally, as far as the earlier bytes are at hand (those that wait, and
    the last segment given).

    Ended connections are remembered until a SYN with another number, or eviction, so that late repetitions are
    not taken for new connections.
    """

    def __init__(
        self,
        tally: Tally,
        *,
        connections_limit: int = CONNECTIONS_LIMIT,
        next_number: Callable[[], int] | None = None,
    ) -> None:
        """`next_number` numbers the conversations, from 0 unless another count is given."""
        self.tally = tally
        self.directions: dict[bytes, Direction] = {}
        self._limit = max(1, connections_limit)
        self._number = next_number or count().__next__
        self._waiting_bytes = 0

    def feed(
        self, time: int, key: bytes, seq: int, ack: int, flags: int, data: bytes, missing: int = 0
    ) -> Sequence[Event]:
        """Take a segment.

        `key` is source and destination address, then both ports, in network order (12 bytes in IPv4, 36 in
        IPv6); `flags` are the header's eight; `missing` counts bytes behind `data` that the capture cut.
        """
        direction = self.directions.get(key)
        if (
            direction is not None
            and seq == direction.next
            and direction.plain
            and flags & 0x17 == ACK
            and not missing
            and (direction.peer.next - ack) & MASK < HALF
        ):
            direction.seen = time
            if not data:
                return _NONE
            size = len(data)
            direction.next = (seq + size) & MASK
            direction.last = data if size <= COMPARED else b""
            return (Segment(direction.flow, time, data),)
        return self._feed(direction, time, key, seq, ack, flags, data, missing)

    def finish(self) -> list[Event]:
        """The capture has ended: all that waits, and the end of every stream."""
        events: list[Event] = []
        for direction in self.directions.values():
            direction.end(EndReason.CAPTURE_END, direction.seen, events)
        self.directions.clear()
        self._waiting_bytes = 0
        return events

    def _feed(
        self,
        direction: Direction | None,
        time: int,
        key: bytes,
        seq: int,
        ack: int,
        flags: int,
        data: bytes,
        missing: int,
    ) -> list[Event]:
        events: list[Event] = []
        if flags & RST:
            self._reset(direction, seq, time, events)
            return events
        if flags & SYN:
            direction = self._synchronize(direction, time, key, seq, flags, events)
            seq = (seq + 1) & MASK
        elif direction is None:
            direction = self._open(time, key, None, events)
        if direction is not None:
            direction = self._place(direction, time, seq, len(data) + missing, events)
        if direction is None:
            return events
        peer = direction.peer
        before = direction.waiting_bytes + peer.waiting_bytes
        direction.seen = time
        if flags & ACK:
            self._acknowledge(peer, ack, time, events)
        if data or missing:
            direction.take(seq, data, missing, time, events)
            direction.pass_acknowledged(time, events)
        if flags & FIN:
            direction.finish_at((seq + len(data) + missing) & MASK, time, events)
            direction.pass_acknowledged(time, events)
        others = self._waiting_bytes - before
        while direction.waiting and (
            direction.waiting_bytes > WAITING_LIMIT
            or others + direction.waiting_bytes + peer.waiting_bytes > ALL_WAITING_LIMIT
        ):
            self.tally.note(GIVEN_UP)
            direction.pass_hole(time, events)
        self._waiting_bytes = others + direction.waiting_bytes + peer.waiting_bytes
        direction.settle()
        peer.settle()
        return events

    def _open(self, time: int, key: bytes, from_client: bool | None, events: list[Event]) -> Direction | None:
        back = reverse_key(key)
        if back == key:
            self.tally.note(LAND)
            return None
        if len(self.directions) >= 2 * self._limit:
            self._evict(events)
        flow, back_flow = flows_of(key, self._number(), from_client)
        direction = Direction(key, flow, time, self.tally)
        peer = Direction(back, back_flow, time, self.tally)
        direction.peer, peer.peer = peer, direction
        self.directions[key] = direction
        self.directions[back] = peer
        return direction

    def _replace(self, old: Direction, time: int, from_client: bool | None, events: list[Event]) -> Direction | None:
        self._end(old, EndReason.REPLACED, time, events)
        del self.directions[old.key], self.directions[old.peer.key]
        return self._open(time, old.key, from_client, events)

    def _end(self, direction: Direction, reason: EndReason, time: int, events: list[Event]) -> None:
        for one in (direction, direction.peer):
            self._waiting_bytes -= one.waiting_bytes
            one.end(reason, time, events)
            one.plain = False

    def _synchronize(
        self, direction: Direction | None, time: int, key: bytes, seq: int, flags: int, events: list[Event]
    ) -> Direction | None:
        """The direction a SYN begins, or repeats the beginning of."""
        start = (seq + 1) & MASK
        from_client = not flags & ACK
        if direction is None:
            direction = self._open(time, key, from_client, events)
        elif direction.ended and direction.peer.ended:
            if from_client or (direction.begun and direction.start != start):
                direction = self._replace(direction, time, from_client, events)
        elif direction.begun:
            if direction.start != start:
                direction = self._replace(direction, time, from_client, events)
        elif from_client and direction.peer.next != direction.peer.start:
            # Not the other half of a simultaneous opening, for the peer has sent more than its SYN.
            direction = self._replace(direction, time, from_client, events)
        if direction is not None and not direction.begun:
            direction.begun = True
            direction.start = direction.next = start
        return direction

    def _place(self, direction: Direction, time: int, seq: int, size: int, events: list[Event]) -> Direction | None:
        """Where a segment belongs: its direction, begun if need be; None for a stray."""
        if direction.begun:
            offset = distance(seq, direction.next)
            if -FAR <= offset <= FAR and not (direction.ended and offset >= 0 and size):
                return direction
        elif not direction.ended:
            self._begin(direction, seq, size)
            return direction
        self.tally.note(STRAYS)
        if size:
            direction.strays = direction.strays + 1 if seq == direction.stray_next else 1
            direction.stray_next = (seq + size) & MASK
            if direction.strays >= STRAYS_LIMIT:
                fresh = self._replace(direction, time, None, events)
                if fresh is not None:
                    self._begin(fresh, seq, size)
                return fresh
        return None

    @staticmethod
    def _begin(direction: Direction, seq: int, size: int) -> None:
        """The capture begins inside the connection; what the peer acknowledged tells where it stood."""
        direction.begun = True
        offset = distance(seq, direction.next) if direction.next >= 0 else FAR + 1
        # A keep-alive probe stands one before, an early segment of which the acknowledgement came first further.
        if not -FAR <= offset <= FAR or (offset < 0 and size and (offset, size) != (-1, 1)):
            direction.next = seq
        direction.start = direction.next

    def _acknowledge(self, peer: Direction, ack: int, time: int, events: list[Event]) -> None:
        if peer.next < 0:
            peer.next = ack
            return
        ahead = distance(ack, peer.next)
        if ahead <= 0 or peer.ended:
            return
        known = peer.next if peer.acknowledged < 0 else peer.acknowledged
        if distance(ack, known) > FAR:
            self.tally.note(STRAY_ACKS)
            return
        peer.acknowledge(ack, time, events)
        if not peer.waiting and peer.acknowledged >= 0 and distance(peer.acknowledged, peer.next) > FAR:
            peer.pass_unseen(time, events)

    def _reset(self, direction: Direction | None, seq: int, time: int, events: list[Event]) -> None:
        if direction is None:
            self.tally.note(STRAY_RESETS)
        elif direction.begun and not -FAR <= distance(seq, direction.next) <= FAR:
            self.tally.note(STRAYS)
        else:
            direction.seen = time
            self._end(direction, EndReason.RESET, time, events)

    def _evict(self, events: list[Event]) -> None:
        """Forget an eighth of the connections: ended ones first, then those idle longest."""
        one_each = (one for one in self.directions.values() if one.key < one.peer.key)
        for one in nsmallest(max(1, self._limit // 8), one_each, key=_worth):
            if not (one.ended and one.peer.ended):
                self.tally.note(EVICTED)
            self._end(one, EndReason.EVICTED, max(one.seen, one.peer.seen), events)
            del self.directions[one.key], self.directions[one.peer.key]


def _worth(direction: Direction) -> tuple[bool, int]:
    return not (direction.ended and direction.peer.ended), max(direction.seen, direction.peer.seen)
