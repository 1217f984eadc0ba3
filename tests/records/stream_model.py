"""TCP reassembly told byte by byte: slow, and without the modules under test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from callgate.records.flow import End, Event, Flow, Gap, Segment

Run = bytes | int
"""Bytes of a stream that join, or the size of a gap."""


@dataclass
class Stream:
    """One direction; positions count from its first byte."""

    next: int = 0
    acknowledged: int = 0
    known: dict[int, int] = field(default_factory=dict)
    fin: int | None = None
    runs: list[Run] = field(default_factory=list)

    def take(self, at: int, data: bytes) -> None:
        for place, byte in enumerate(data, at):
            if place >= self.next and (self.fin is None or place < self.fin):
                self.known.setdefault(place, byte)
        self.go_on()

    def acknowledge(self, upto: int) -> None:
        self.acknowledged = max(self.acknowledged, upto)
        self.go_on()

    def go_on(self) -> None:
        while self.known:
            first = min(self.known)
            if first > self.next:
                if first > self.acknowledged:
                    return
                self.gap(first - self.next)
            self.byte(self.known.pop(self.next))

    def finish(self) -> list[Run]:
        while self.known:
            first = min(self.known)
            self.gap(first - self.next)
            self.byte(self.known.pop(first))
        self.gap((self.acknowledged if self.fin is None else self.fin) - self.next)
        return self.runs

    def byte(self, value: int) -> None:
        if self.runs and isinstance(self.runs[-1], bytes):
            self.runs[-1] += bytes([value])
        else:
            self.runs.append(bytes([value]))
        self.next += 1

    def gap(self, size: int) -> None:
        if size <= 0:
            return
        if self.runs and isinstance(self.runs[-1], int):
            self.runs[-1] += size
        else:
            self.runs.append(size)
        self.next += size


def runs_of(events: Iterable[Event]) -> dict[Flow, list[Run]]:
    """What each flow's events come to, joined; each flow ends once, and nothing comes behind its end."""
    found: dict[Flow, list[Run]] = {}
    ended: set[Flow] = set()
    for event in events:
        assert event.flow not in ended
        runs = found.setdefault(event.flow, [])
        if isinstance(event, Segment):
            assert event.data
            if runs and isinstance(runs[-1], bytes):
                runs[-1] += event.data
            else:
                runs.append(event.data)
        elif isinstance(event, Gap):
            assert event.size > 0
            if runs and isinstance(runs[-1], int):
                runs[-1] += event.size
            else:
                runs.append(event.size)
        elif isinstance(event, End):
            ended.add(event.flow)
    return found
