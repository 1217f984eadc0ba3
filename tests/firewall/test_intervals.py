"""Sets of numbers, against Python's own sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callgate.firewall.intervals import NOTHING, Intervals, well_formed

LAST = 63
numbers = st.integers(0, LAST)
pairs = st.lists(st.tuples(numbers, numbers), max_size=8)
wide = st.lists(st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1)), max_size=8)
few = st.lists(st.tuples(numbers, numbers), max_size=2)
many = st.lists(numbers, min_size=20, max_size=40).map(lambda each: [(one, one) for one in each])


def members(spans: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


def the_set(one: Intervals) -> set[int]:
    assert well_formed(one.bounds)
    return members(list(one))


@given(pairs)
def test_a_union_of_spans_holds_their_numbers(spans: list[tuple[int, int]]) -> None:
    made, truth = Intervals.of(spans), members(spans)
    assert the_set(made) == truth
    assert made.size == len(truth)
    assert bool(made) == bool(truth)
    assert [number for number in range(-1, LAST + 2) if number in made] == sorted(truth)
    assert len(made) == len(list(made))


@given(st.one_of(pairs, few, many), st.one_of(pairs, few, many))
def test_operations_are_those_of_sets(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    mine, other = Intervals.of(one), Intervals.of(two)
    assert the_set(mine | other) == members(one) | members(two)
    assert the_set(mine & other) == members(one) & members(two)
    assert the_set(mine - other) == members(one) - members(two)
    assert (mine == other) == (members(one) == members(two))
    assert mine != other or hash(mine) == hash(other)


@given(pairs, st.integers(0, LAST + 10))
def test_a_complement_is_the_rest(spans: list[tuple[int, int]], last: int) -> None:
    assert the_set(Intervals.of(spans).complement(last)) == set(range(last + 1)) - members(spans)


@given(pairs, numbers, numbers)
def test_covering_and_meeting_are_all_and_any(spans: list[tuple[int, int]], one: int, two: int) -> None:
    first, last = min(one, two), max(one, two)
    truth, made = members(spans), Intervals.of(spans)
    assert made.covers(first, last) == all(number in truth for number in range(first, last + 1))
    assert made.meets(first, last) == any(number in truth for number in range(first, last + 1))


@given(wide, wide)
def test_big_numbers_obey_the_laws_of_sets(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    mine, other, last = Intervals.of(one), Intervals.of(two), 2**128 - 1
    assert mine - other == mine & other.complement(last)
    assert (mine | other).size == mine.size + other.size - (mine & other).size
    assert (mine | other).complement(last) == mine.complement(last) & other.complement(last)
    assert mine.complement(last).complement(last) == mine
    assert mine & other == other & mine
    assert mine | other == other | mine


@given(pairs)
def test_what_it_prints_makes_it_again(spans: list[tuple[int, int]]) -> None:
    made = Intervals.of(spans)
    assert eval(repr(made), {"Intervals": Intervals}) == made  # our own text


def test_single_is_one_number_or_one_span() -> None:
    assert list(Intervals.single(5)) == [(5, 5)]
    assert list(Intervals.single(0, 9)) == [(0, 9)]
    assert not NOTHING
    assert NOTHING.complement(0) == Intervals.single(0)


def test_bounds_out_of_order_are_not_well_formed() -> None:
    assert not well_formed((1,))
    assert not well_formed((3, 2))
    assert not well_formed((1, 1))
    assert not well_formed((-1, 2))
    assert well_formed((0, 1, 2, 3))
