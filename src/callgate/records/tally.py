"""What was read of a capture, and what was not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

REASONS_LIMIT: Final = 256
"""Different reasons that are told apart; a hostile capture could name every link type there is."""

OTHER: Final = "other"


@dataclass(slots=True)
class Tally:
    """Counts, complete when the events have all been taken."""

    packets: int = 0
    """Packets of the capture."""
    unread: Counter[str] = field(default_factory=Counter)
    """Packets that gave nothing, by reason, like `not IP: ARP`."""
    notes: Counter[str] = field(default_factory=Counter)
    """What happened in streams that were read, in the unit the name gives, like `retransmissions`."""

    @property
    def read(self) -> int:
        """Packets that were read."""
        return self.packets - self.unread.total()

    def leave(self, reason: str, packets: int = 1) -> None:
        """Count packets that were not read."""
        _count(self.unread, reason, packets)

    def note(self, what: str, count: int = 1) -> None:
        """Count something that happened in a stream."""
        _count(self.notes, what, count)


def _count(counter: Counter[str], name: str, count: int) -> None:
    counter[name if name in counter or len(counter) < REASONS_LIMIT else OTHER] += count
