"""What each phone of a capture did: the lines of `callgate decode --summary`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from callgate.records.signalling import SccpMessage, SipMessage, id_of, name_of


class Overview:
    """Counts messages by connection, as they come."""

    def __init__(self) -> None:
        self._names: Counter[tuple[int, str]] = Counter()
        self._sip: Counter[str] = Counter()

    def take(self, found: SccpMessage | SipMessage) -> None:
        """Count one message."""
        if isinstance(found, SipMessage):
            self._sip[found.start_line.split(" ", 1)[0]] += 1
            return
        self._names[id_of(found.message), name_of(found.message)] += 1

    def lines(self) -> Iterator[str]:
        """The summary."""
        for (number, name), count in sorted(self._names.items()):
            yield f"{count:8} {number:04x} {name}\n"
