"""IP fragments put together again (RFC 791, RFC 8200 section 4.5)."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from callgate.records.tally import Tally

PENDING_LIMIT: Final = 256
"""Datagrams that may be incomplete at once."""
BYTES_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of fragments held at once."""
AGE_LIMIT: Final = 30_000_000_000
"""Nanoseconds (of the capture's time) a datagram may take to complete: Linux's net.ipv4.ipfrag_time."""

OVERLAPPING: Final = "overlapping fragments"
MALFORMED: Final = "malformed fragment"
INCOMPLETE: Final = "fragments of incomplete datagrams"
REPEATED: Final = "repeated fragments"

Key = tuple[bytes, int, int]
"""Both addresses, the identification, and the protocol (-1 in IPv6, whose identification stands alone)."""


class _Pending:
    __slots__ = ("held", "offsets", "packets", "pieces", "protocol", "refused", "since", "total")

    def __init__(self, since: int) -> None:
        self.since = since
        self.offsets: list[int] = []
        self.pieces: list[bytes] = []
        self.held = 0
        self.total = -1
        self.protocol = -1
        self.packets = 0
        self.refused = False


class Fragments:
    """Datagrams of which fragments are still missing.

    Fragments that overlap are how filters and hosts are made to see different data (and how old hosts were
    crashed); RFC 5722 has such a datagram dropped, and so it is here, all of it. An exact repetition is none.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._pending: dict[Key, _Pending] = {}
        self._bytes = 0

    def add(
        self, key: Key, protocol: int, offset: int, more: bool, data: bytes, time: int
    ) -> tuple[int, bytes] | str | None:
        """Take a fragment: protocol and bytes of the datagram it completes, None while some are missing.

        `protocol` is what its header names; that of the first fragment counts. Text says why it is refused.
        """
        self._forget_before(time - AGE_LIMIT)
        if not data or (more and len(data) % 8) or offset + len(data) > 65_535:
            return MALFORMED
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending(time)
        if pending.refused:
            return OVERLAPPING
        at = bisect_left(pending.offsets, offset)
        end = offset + len(data)
        if at < len(pending.offsets) and pending.offsets[at] == offset and pending.pieces[at] == data:
            self._tally.note(REPEATED)
            return None
        if self._overlaps(pending, at, offset, end, more):
            self._tally.leave(OVERLAPPING, pending.packets)
            self._release(pending)
            pending.refused = True
            return OVERLAPPING
        pending.offsets.insert(at, offset)
        pending.pieces.insert(at, data)
        pending.held += len(data)
        pending.packets += 1
        self._bytes += len(data)
        if offset == 0:
            pending.protocol = protocol
        if not more:
            pending.total = end
        if pending.held == pending.total:
            whole = b"".join(pending.pieces)
            del self._pending[key]
            self._release(pending)
            return pending.protocol, whole
        while len(self._pending) > PENDING_LIMIT or self._bytes > BYTES_LIMIT:
            self._drop(next(iter(self._pending)))
        return None

    def finish(self) -> None:
        """Count what never became complete."""
        for key in list(self._pending):
            self._drop(key)

    @staticmethod
    def _overlaps(pending: _Pending, at: int, offset: int, end: int, more: bool) -> bool:
        if at and pending.offsets[at - 1] + len(pending.pieces[at - 1]) > offset:
            return True
        if at < len(pending.offsets) and (pending.offsets[at] < end or not more):
            return True
        return pending.total >= 0 and (end > pending.total or not more)

    def _forget_before(self, time: int) -> None:
        while self._pending:
            key, pending = next(iter(self._pending.items()))
            if pending.since >= time:
                return
            self._drop(key)

    def _drop(self, key: Key) -> None:
        pending = self._pending.pop(key)
        if pending.packets:
            self._tally.leave(INCOMPLETE, pending.packets)
        self._release(pending)

    def _release(self, pending: _Pending) -> None:
        self._bytes -= pending.held
        pending.held = pending.packets = 0
        pending.offsets = []
        pending.pieces = []
