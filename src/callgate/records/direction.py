"""One direction of a TCP connection: where its stream stands and what waits behind holes.

Sequence numbers count modulo 2**32 and are compared by their signed distance.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Final, NamedTuple

from callgate.records.events import End, EndReason, Event, Flow, Gap, Segment
from callgate.records.tally import Tally

MASK: Final = 0xFFFFFFFF
HALF: Final = 0x80000000

COMPARED: Final = 2048
"""The last segment is kept, to compare a retransmission with, if it has no more bytes than this."""

RETRANSMISSIONS: Final = "retransmissions"
KEEP_ALIVES: Final = "keep-alive probes"
CONFLICTS: Final = "conflicting retransmissions"
AFTER_END: Final = "bytes after the end of a stream"

PIECE_COST: Final = 256
"""Bytes a waiting piece counts for beside its data, about what Python takes to hold it."""

_start_of = itemgetter(0)


def distance(later: int, earlier: int) -> int:
    """How far a sequence number lies behind another one; negative if it lies before."""
    away = (later - earlier) & MASK
    return away if away < HALF else away - HALF - HALF


class Piece(NamedTuple):
    """Bytes behind a hole: `start` and `end` count from the direction's `base`; no data for bytes the capture cut."""

    start: int
    end: int
    data: bytes
    time: int


class Direction:
    """The state of one direction; events go to the list that the methods are given."""

    __slots__ = (
        "acknowledged",
        "base",
        "begun",
        "ended",
        "fin",
        "flow",
        "key",
        "last",
        "next",
        "peer",
        "plain",
        "seen",
        "start",
        "stray_next",
        "strays",
        "tally",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, key: bytes, flow: Flow, time: int, tally: Tally) -> None:
        self.key = key
        self.flow = flow
        self.seen = time
        self.tally = tally
        self.peer = self
        self.plain = False
        """Nothing is pending in either direction that a segment in order could change."""
        self.next = -1
        """The sequence number the stream goes on with; -1 unknown. Until `begun`, what the peer acknowledged."""
        self.start = -1
        """The first byte's sequence number."""
        self.begun = False
        """A packet of this direction was seen."""
        self.ended = False
        self.fin = -1
        """The FIN's sequence number, behind the last byte."""
        self.acknowledged = -1
        """What the peer acknowledged, while that lies ahead of `next`."""
        self.last = b""
        self.base = 0
        self.waiting: list[Piece] = []
        self.waiting_bytes = 0
        self.strays = 0
        self.stray_next = -1

    def settle(self) -> None:
        """Find out whether the next segment in order can be taken the short way."""
        self.plain = (
            self.begun
            and not self.ended
            and self.fin < 0
            and self.acknowledged < 0
            and not self.waiting
            and self.peer.next >= 0
        )

    def take(self, seq: int, data: bytes, missing: int, time: int, events: list[Event]) -> None:
        """Take a segment that lies near `next`."""
        offset = distance(seq, self.next)
        if offset == -1 and len(data) + missing == 1:
            self.tally.note(KEEP_ALIVES)  # its byte is no part of the stream (RFC 9293, 3.8.4)
            return
        if self.ended or self.fin >= 0:
            last = distance(self.fin, self.next) if self.fin >= 0 else 0
            beyond = offset + len(data) + missing - last
            if beyond > 0:
                self.tally.note(AFTER_END, beyond)
                cut = min(beyond, missing)
                missing -= cut
                data = data[: max(0, len(data) - (beyond - cut))]
        if offset < 0 and (data or missing):
            self.tally.note(RETRANSMISSIONS)
            self._compare(offset, data)
            missing += min(0, len(data) + offset)
            data = data[-offset:]
            offset = 0
        if missing <= 0 and not data:
            return
        if not self.waiting:
            if offset == 0:
                self._deliver(data, missing, time, events)
                return
            self.base = self.next
        start = distance(seq, self.base) if offset else distance(self.next, self.base)
        if data:
            self._wait(start, start + len(data), data, time)
        if missing > 0:
            self._wait(start + len(data), start + len(data) + missing, b"", time)
        self._drain(time, events)

    def finish_at(self, fin: int, time: int, events: list[Event]) -> None:
        """Take a FIN; the first one counts."""
        if self.fin < 0 and not self.ended and distance(fin, self.next) >= 0:
            self.fin = fin
            self._arrive(time, events)

    def acknowledge(self, ack: int, time: int, events: list[Event]) -> None:
        """Take an acknowledgement that lies ahead of `next`: holes before it will not be filled."""
        if self.acknowledged < 0 or distance(ack, self.acknowledged) > 0:
            self.acknowledged = ack
        self.pass_acknowledged(time, events)

    def pass_acknowledged(self, time: int, events: list[Event]) -> None:
        """Give up the holes behind which something waits, up to what the peer acknowledged."""
        if self.acknowledged < 0:
            return
        while self.waiting and distance(self.acknowledged, self.base) >= self.waiting[0].start:
            self.pass_hole(time, events)
        if self.fin >= 0 and not self.waiting and not self.ended and distance(self.acknowledged, self.fin) > 0:
            self._pass(distance(self.fin, self.next), time, events)
        if distance(self.acknowledged, self.next) <= 0:
            self.acknowledged = -1

    def pass_hole(self, time: int, events: list[Event]) -> None:
        """Give up the first hole: a gap, and what waited behind it."""
        self._pass(self.waiting[0].start - distance(self.next, self.base), time, events)

    def end(self, reason: EndReason, time: int, events: list[Event]) -> None:
        """Give what waits and name what is known to be missing, then end."""
        if self.ended:
            return
        while self.waiting:
            self.pass_hole(time, events)
        if self.ended:
            return
        if self.fin >= 0:
            self._pass(distance(self.fin, self.next), time, events)
        elif self.acknowledged >= 0 and (lost := distance(self.acknowledged, self.next)) > 0:
            self._pass(lost, time, events)
        if not self.ended:
            self._close(reason, time, events)

    def pass_unseen(self, time: int, events: list[Event]) -> None:
        """Give up all that was acknowledged, when nothing waits: keeps `next` within reach of the numbers in use."""
        self._pass(distance(self.acknowledged, self.next), time, events)
        self.acknowledged = -1

    def _deliver(self, data: bytes, missing: int, time: int, events: list[Event]) -> None:
        if data:
            self.next = (self.next + len(data)) & MASK
            self.last = data if len(data) <= COMPARED else b""
            events.append(Segment(self.flow, time, data))
        if missing > 0:
            self._pass(missing, time, events)
        else:
            self._arrive(time, events)

    def _pass(self, size: int, time: int, events: list[Event]) -> None:
        if size > 0:
            self.next = (self.next + size) & MASK
            self.last = b""
            events.append(Gap(self.flow, time, size))
        self._drain(time, events)
        self._arrive(time, events)

    def _arrive(self, time: int, events: list[Event]) -> None:
        if self.fin == self.next and not self.ended:
            self.next = (self.fin + 1) & MASK
            self._close(EndReason.FIN, time, events)

    def _close(self, reason: EndReason, time: int, events: list[Event]) -> None:
        self.ended = True
        self.plain = False
        self.acknowledged = -1
        self.last = b""
        if self.waiting:
            self.tally.note(AFTER_END, sum(piece.end - piece.start for piece in self.waiting))
            self.waiting = []
            self.waiting_bytes = 0
        events.append(End(self.flow, time, reason))

    def _wait(self, start: int, end: int, data: bytes, time: int) -> None:
        """Keep a piece, less what other pieces hold: what came first counts."""
        waiting = self.waiting
        at = bisect_right(waiting, start, key=_start_of)
        if at and waiting[at - 1].end > start:
            at -= 1
        origin = start
        while start < end:
            held = waiting[at] if at < len(waiting) else None
            if held is None or held.start >= end:
                free = end
            elif held.start > start:
                free = held.start
            else:
                stop = min(end, held.end)
                self.tally.note(RETRANSMISSIONS)
                if (
                    data
                    and held.data
                    and data[start - origin : stop - origin] != held.data[start - held.start : stop - held.start]
                ):
                    self.tally.note(CONFLICTS)
                start = stop
                at += 1
                continue
            part = data[start - origin : free - origin]
            waiting.insert(at, Piece(start, free, part, time))
            self.waiting_bytes += len(part) + PIECE_COST
            at += 1
            start = free

    def _drain(self, time: int, events: list[Event]) -> None:
        """Give the pieces the stream has come to; `time` is for the gaps."""
        if not self.waiting:
            return
        at = distance(self.next, self.base)
        done = 0
        for piece in self.waiting:
            if piece.start > at:
                break
            done += 1
            at = piece.end
            self.waiting_bytes -= len(piece.data) + PIECE_COST
            if piece.data:
                self.last = piece.data if len(piece.data) <= COMPARED else b""
                events.append(Segment(self.flow, piece.time, piece.data))
            else:
                self.last = b""
                events.append(Gap(self.flow, time, piece.end - piece.start))
        if done:
            del self.waiting[:done]
            self.next = (self.base + at) & MASK
            self._arrive(time, events)

    def _compare(self, offset: int, data: bytes) -> None:
        """Compare what is repeated, as far as the last segment is still at hand."""
        low = max(offset, -len(self.last))
        high = min(0, offset + len(data))
        if low < high and data[low - offset : high - offset] != self.last[len(self.last) + low : len(self.last) + high]:
            self.tally.note(CONFLICTS)
