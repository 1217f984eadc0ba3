"""What becomes of packets, as a function of the peer's address: piecewise constant, exact, composable."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import Rule
from callgate.firewall.view import View

REASONS: Final = 16
"""How many different reasons are kept where more than one thing may happen."""

Fate = Literal["accept", "drop", "reject", "unknown", "fall", "pass"]


class Outcome(NamedTuple):
    """One thing that may happen.

    `fall`: back to the caller of the chain, or over the end of it. `pass`: on to the next rule of a chain.
    """

    fate: Fate
    view: View | None = None
    """The packet as it goes on, after `accept` and `fall`."""
    because: tuple[Rule | str, ...] = ()
    """The rules that decided, in the order of the path; a text stands for a policy or for routing."""


Outcomes = frozenset[Outcome]


class OutcomeMap:
    """A function from peer addresses to the set of things that may happen to them.

    `starts[i]` begins the segment that `values[i]` holds for; the last one ends at the end of the family's space.
    """

    __slots__ = ("_kinds", "starts", "values")

    def __init__(self, starts: list[int], values: list[Outcomes]) -> None:
        self.starts: Final = starts
        self.values: Final = values
        self._kinds: frozenset[tuple[Fate, View | None]] | None = None

    @classmethod
    def constant(cls, *outcomes: Outcome) -> OutcomeMap:
        """The same for every peer."""
        return cls([0], [frozenset(outcomes)])

    @classmethod
    def joined(cls, segments: Iterable[tuple[int, Outcomes]]) -> OutcomeMap:
        """From segments in order; equal neighbours become one."""
        starts: list[int] = []
        values: list[Outcomes] = []
        for start, value in segments:
            if not values or values[-1] != value:
                starts.append(start)
                values.append(value)
        return cls(starts, values)

    def at(self, address: int) -> Outcomes:
        """What may happen to this peer."""
        return self.values[bisect_right(self.starts, address) - 1]

    def segments(self, first: int, stop: int) -> Iterator[tuple[int, int, Outcomes]]:
        """The segments from `first` up to, not including, `stop`, cut to fit."""
        starts, values = self.starts, self.values
        at = bisect_right(starts, first) - 1
        end = len(starts)
        while at < end and first < stop:
            following = starts[at + 1] if at + 1 < end else stop
            until = min(following, stop)
            yield first, until, values[at]
            first = until
            at += 1

    def where_any(self, test: Callable[[Fate, View | None], bool], last: int) -> Intervals:
        """The peers to whom something may happen for which the test holds."""
        told = {kind: test(*kind) for kind in self.kinds}
        return self.where(lambda value: any(told[outcome.fate, outcome.view] for outcome in value), last)

    def where_all(self, test: Callable[[Fate, View | None], bool], last: int) -> Intervals:
        """The peers to whom only what the test holds for may happen."""
        told = {kind: test(*kind) for kind in self.kinds}
        return self.where(lambda value: all(told[outcome.fate, outcome.view] for outcome in value), last)

    def where(self, test: Callable[[Outcomes], bool], last: int) -> Intervals:
        """The peers for whose outcomes the test holds."""
        starts, values = self.starts, self.values
        known: dict[Outcomes, bool] = {}
        bounds: list[int] = []
        inside = False
        for at, value in enumerate(values):
            truth = known.get(value)
            if truth is None:
                truth = known[value] = test(value)
            if truth != inside:
                bounds.append(starts[at])
                inside = truth
        if inside:
            bounds.append(last + 1)
        return Intervals(tuple(bounds))

    @property
    def kinds(self) -> frozenset[tuple[Fate, View | None]]:
        """Everything that may happen to anybody, without the reasons."""
        if self._kinds is None:
            values = set(self.values) if len(self.values) > 1 else self.values
            self._kinds = frozenset((outcome.fate, outcome.view) for value in values for outcome in value)
        return self._kinds

    def then(self, step: Callable[[Fate, View | None], OutcomeMap | None]) -> OutcomeMap:
        """Go on with every outcome for which `step` gives a map; the others stay. Reasons are joined."""
        following: dict[tuple[Fate, View | None], OutcomeMap] = {}
        for kind in self.kinds:
            found = step(*kind)
            if found is not None and not found.is_just(kind):
                following[kind] = found
        if not following:
            return self
        if len(self.values) == 1 and len(self.values[0]) == 1:
            (only,) = self.values[0]
            return following[only.fate, only.view].because(only.because)
        return OutcomeMap.joined(self._followed(following))

    def is_just(self, kind: tuple[Fate, View | None]) -> bool:
        """Whether it is the same for everybody, for no new reason: nothing has happened."""
        if len(self.values) != 1 or len(self.values[0]) != 1:
            return False
        (only,) = self.values[0]
        return not only.because and (only.fate, only.view) == kind

    def _followed(self, following: Mapping[tuple[Fate, View | None], OutcomeMap]) -> Iterator[tuple[int, Outcomes]]:
        starts, values = self.starts, self.values
        known: dict[Outcomes, tuple[Outcomes, list[tuple[Outcome, OutcomeMap]]]] = {}
        for at, value in enumerate(values):
            split = known.get(value)
            if split is None:
                split = known[value] = _split(value, following)
            settled, going = split
            start = starts[at]
            if not going:
                yield start, settled
                continue
            stop = starts[at + 1] if at + 1 < len(starts) else -1
            if len(going) == 1 and not settled:
                outcome, after = going[0]
                for begin, reached in after.from_to(start, stop):
                    yield begin, _because(outcome.because, reached)
                continue
            pieces = {start}
            for _, after in going:
                pieces.update(begin for begin, _ in after.from_to(start, stop))
            for begin in sorted(pieces):
                gathered = set(settled)
                for outcome, after in going:
                    gathered.update(_because(outcome.because, after.at(begin)))
                yield begin, few(frozenset(gathered))

    def from_to(self, start: int, stop: int) -> Iterator[tuple[int, Outcomes]]:
        """The segments from `start` up to `stop` (-1: to the end), the first one cut to begin there."""
        starts, values = self.starts, self.values
        at = bisect_right(starts, start) - 1
        yield start, values[at]
        for following in range(at + 1, len(starts)):
            if 0 <= stop <= starts[following]:
                return
            yield starts[following], values[following]

    def because(self, rules: tuple[Rule | str, ...]) -> OutcomeMap:
        """The same, with these reasons in front."""
        if not rules:
            return self
        known: dict[Outcomes, Outcomes] = {}
        values = []
        for value in self.values:
            if value not in known:
                known[value] = _because(rules, value)
            values.append(known[value])
        return OutcomeMap(self.starts, values)

    def union(self, other: OutcomeMap) -> OutcomeMap:
        """Either may be what happens."""
        points = sorted({*self.starts, *other.starts})
        return OutcomeMap.joined((start, few(self.at(start) | other.at(start))) for start in points)


def _split(
    value: Outcomes, following: Mapping[tuple[Fate, View | None], OutcomeMap]
) -> tuple[Outcomes, list[tuple[Outcome, OutcomeMap]]]:
    """What is settled for every peer with this value, and what goes on differently from peer to peer."""
    settled: set[Outcome] = set()
    going: list[tuple[Outcome, OutcomeMap]] = []
    for outcome in value:
        after = following.get((outcome.fate, outcome.view))
        if after is None:
            settled.add(outcome)
        elif len(after.values) == 1:
            settled |= _because(outcome.because, after.values[0])
        else:
            going.append((outcome, after))
    if not going and settled == value:
        return value, going
    return few(frozenset(settled)), going


def few(outcomes: Outcomes) -> Outcomes:
    """The same things may happen, with no more than some reasons for each: doubts upon doubts would multiply them."""
    if len(outcomes) <= REASONS:
        return outcomes
    kinds: dict[tuple[Fate, View | None], list[Outcome]] = {}
    for outcome in outcomes:
        kinds.setdefault((outcome.fate, outcome.view), []).append(outcome)
    if len(outcomes) == len(kinds):
        return outcomes
    kept = max(1, REASONS // len(kinds))
    return frozenset(outcome for alike in kinds.values() for outcome in sorted(alike, key=_reason)[:kept])


def _reason(outcome: Outcome) -> tuple[tuple[str, int], ...]:
    return tuple((str(one.chain), one.position) if isinstance(one, Rule) else (one, 0) for one in outcome.because)


def _because(rules: tuple[Rule | str, ...], value: Outcomes) -> Outcomes:
    if not rules:
        return value
    return frozenset([Outcome(fate, view, rules + more) for fate, view, more in value])
