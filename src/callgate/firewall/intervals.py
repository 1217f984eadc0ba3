"""Sets of whole numbers as sorted intervals: addresses, ports, marks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, Self


class Intervals:
    """An immutable set of non-negative integers, kept as sorted, disjoint, closed intervals.

    `bounds` is flat: first member, first non-member behind it, next member, and so on, strictly increasing.
    """

    __slots__ = ("_hash", "bounds")

    def __init__(self, bounds: tuple[int, ...] = ()) -> None:
        """Take bounds that already have the form said above; use `of` for anything else."""
        self.bounds: Final = bounds
        self._hash: int | None = None

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Self:
        """The union of closed intervals `(first, last)` in any order; one with first > last is empty."""
        bounds: list[int] = []
        for first, last in sorted(pairs):
            if first > last:
                continue
            if bounds and first <= bounds[-1]:
                if last >= bounds[-1]:
                    bounds[-1] = last + 1
            else:
                bounds += (first, last + 1)
        return cls(tuple(bounds))

    @classmethod
    def single(cls, first: int, last: int | None = None) -> Self:
        """One interval, or one number."""
        return cls((first, (first if last is None else last) + 1))

    def __bool__(self) -> bool:
        return bool(self.bounds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and self.bounds == other.bounds

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.bounds)
        return self._hash

    def __repr__(self) -> str:
        return f"Intervals.of({list(self)!r})"

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each interval as `(first, last)`, closed, in order."""
        bounds = self.bounds
        for at in range(0, len(bounds), 2):
            yield bounds[at], bounds[at + 1] - 1

    def __contains__(self, number: int) -> bool:
        return bisect_right(self.bounds, number) & 1 == 1

    def __len__(self) -> int:
        """How many intervals; `size` counts the members."""
        return len(self.bounds) // 2

    @property
    def size(self) -> int:
        """How many numbers are members."""
        return sum(self.bounds[1::2]) - sum(self.bounds[::2])

    def __or__(self, other: Intervals) -> Intervals:
        if not other.bounds or self.bounds == other.bounds:
            return self
        if not self.bounds:
            return other
        return self._sweep(other, 1)

    def __and__(self, other: Intervals) -> Intervals:
        if not self.bounds or not other.bounds:
            return NOTHING
        if self.bounds == other.bounds:
            return self
        if len(other.bounds) > len(self.bounds):
            self, other = other, self
        if len(other.bounds) * 8 < len(self.bounds):
            return Intervals(tuple(bound for first, last in other for bound in self._cut(first, last + 1)))
        return self._sweep(other, 2)

    def __sub__(self, other: Intervals) -> Intervals:
        if not self.bounds or not other.bounds:
            return self
        if self.bounds == other.bounds:
            return NOTHING
        return self & other.complement(self.bounds[-1])

    def complement(self, last: int) -> Intervals:
        """The numbers from 0 to `last` that are no members."""
        bounds = self.bounds
        inverted = bounds[1:] if bounds and bounds[0] == 0 else (0, *bounds)
        cut = bisect_left(inverted, last + 1)
        inverted = inverted[:cut]
        return Intervals((*inverted, last + 1) if len(inverted) & 1 else inverted)

    def covers(self, first: int, last: int) -> bool:
        """Whether every number from `first` to `last` is a member."""
        at = bisect_right(self.bounds, first)
        return at & 1 == 1 and self.bounds[at] > last

    def meets(self, first: int, last: int) -> bool:
        """Whether some number from `first` to `last` is a member."""
        at = bisect_right(self.bounds, first)
        return at & 1 == 1 or (at < len(self.bounds) and self.bounds[at] <= last)

    def _cut(self, start: int, stop: int) -> tuple[int, ...]:
        """The bounds of the members from `start` up to, not including, `stop`."""
        bounds = self.bounds
        low, high = bisect_right(bounds, start), bisect_left(bounds, stop)
        inner = bounds[low:high]
        if low & 1:
            inner = (start, *inner)
        return (*inner, stop) if high & 1 else inner

    def _sweep(self, other: Intervals, needed: int) -> Intervals:
        """The numbers that lie in at least `needed` of the two sets."""
        marks = [(bound, 1 - 2 * (at & 1)) for at, bound in enumerate(self.bounds)]
        marks += [(bound, 1 - 2 * (at & 1)) for at, bound in enumerate(other.bounds)]
        marks.sort()
        bounds: list[int] = []
        depth = 0
        at, end = 0, len(marks)
        while at < end:
            bound = marks[at][0]
            before = depth
            while at < end and marks[at][0] == bound:
                depth += marks[at][1]
                at += 1
            if (before >= needed) != (depth >= needed):
                bounds.append(bound)
        return Intervals(tuple(bounds))


NOTHING: Final = Intervals()


def well_formed(bounds: tuple[int, ...]) -> bool:
    """Whether flat bounds have the form `Intervals` demands."""
    return len(bounds) % 2 == 0 and (not bounds or bounds[0] >= 0) and all(one < two for one, two in pairwise(bounds))
