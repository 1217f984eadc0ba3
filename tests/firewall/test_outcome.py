"""Maps from peers to what may happen, against evaluation peer by peer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callgate.firewall.outcome import Fate, Outcome, OutcomeMap, Outcomes
from callgate.firewall.rule import FAMILIES
from callgate.firewall.view import PEER, View

LAST = 15
VIEWS = [View(FAMILIES[0], 17, "eth0", PEER, (1, 1), mark=mark) for mark in range(3)]
outcomes = st.sampled_from(
    [Outcome("accept", view) for view in VIEWS] + [Outcome("fall", VIEWS[0]), Outcome("drop"), Outcome("unknown")]
)
values = st.sets(outcomes, min_size=1, max_size=3).map(lambda each: frozenset(each))
maps = st.lists(values, min_size=LAST + 1, max_size=LAST + 1).map(lambda each: OutcomeMap.joined(enumerate(each)))


def table(one: OutcomeMap) -> list[Outcomes]:
    assert one.starts[0] == 0
    assert one.starts == sorted(set(one.starts))
    assert len(one.starts) == len(one.values)
    return [one.at(address) for address in range(LAST + 1)]


@given(st.lists(values, min_size=LAST + 1, max_size=LAST + 1))
def test_joining_loses_nothing_and_keeps_no_equal_neighbours(each: list[Outcomes]) -> None:
    made = OutcomeMap.joined(enumerate(each))
    assert table(made) == each
    assert all(one != two for one, two in zip(made.values, made.values[1:], strict=False))


@given(maps, maps)
def test_a_union_may_be_either(one: OutcomeMap, two: OutcomeMap) -> None:
    assert table(one.union(two)) == [mine | other for mine, other in zip(table(one), table(two), strict=True)]


@given(maps, st.dictionaries(st.sampled_from(VIEWS), maps))
def test_going_on_follows_each_outcome_for_its_own_peers(one: OutcomeMap, following: dict[View, OutcomeMap]) -> None:
    def step(fate: Fate, view: View | None) -> OutcomeMap | None:
        return following.get(view) if fate == "accept" and view is not None else None

    def truth(address: int) -> set[Outcome]:
        found: set[Outcome] = set()
        for outcome in one.at(address):
            after = step(outcome.fate, outcome.view)
            found |= {outcome} if after is None else after.at(address)
        return found

    assert [set(each) for each in table(one.then(step))] == [truth(address) for address in range(LAST + 1)]


@given(maps, maps)
def test_reasons_are_joined_in_the_order_of_the_way(one: OutcomeMap, two: OutcomeMap) -> None:
    first, second = one.because(("first",)), two.because(("second",))

    def step(fate: Fate, view: View | None) -> OutcomeMap | None:
        return second if fate == "accept" else None

    for address in range(LAST + 1):
        for outcome in first.then(step).at(address):
            assert outcome.because in (("first",), ("first", "second"))
            assert outcome.fate != "accept" or outcome.because == ("first", "second")


@given(maps, st.sets(values))
def test_where_finds_the_peers_for_whom_it_holds(one: OutcomeMap, wanted: set[Outcomes]) -> None:
    found = one.where(lambda each: each in wanted, LAST)
    assert [address in found for address in range(LAST + 1)] == [each in wanted for each in table(one)]


@given(maps, st.integers(0, LAST), st.integers(0, LAST + 1))
def test_segments_tile_the_stretch(one: OutcomeMap, first: int, stop: int) -> None:
    found = [(address, each) for start, until, each in one.segments(first, stop) for address in range(start, until)]
    assert found == [(address, one.at(address)) for address in range(first, stop)]
