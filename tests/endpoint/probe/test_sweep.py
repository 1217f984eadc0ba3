"""Rate, numbers at once, and what ends a sweep; time is the test's own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.answer import Answer
from callgate.endpoint.exchange import Contact, Exchange, Observation, Transport
from callgate.endpoint.probe.question import ProbedService, Question, questions
from callgate.endpoint.probe.sweep import CATCH_UP_SECONDS, Pace, sweep
from callgate.endpoint.probe.target import parse_target
from callgate.errors import CollectionError

SCCP = ProbedService("sccp", "sccp", Transport.TCP, range(2000, 2001))


def network(text: str) -> list[Question]:
    return questions([parse_target(text)], {}, [SCCP])


def refused(exchanges: Sequence[Exchange]) -> list[Observation]:
    return [Observation(key=exchange.key, source=None, contact=Contact.REFUSED) for exchange in exchanges]


class TestClock:
    """Time that passes only while the sweep waits for its pace; for results it waits in real time."""

    __test__ = False

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, done: Any, seconds: float) -> None:
        if seconds < 0.5:
            self.time += seconds
        else:
            done.put(done.get(timeout=20))


@given(
    st.floats(1, 10_000),
    st.lists(st.floats(0, 0.5), min_size=2, max_size=200),
)
def test_in_no_span_begin_more_than_the_rate_allows(rate: float, pauses: list[float]) -> None:
    pace, now = Pace(rate), 0.0
    begun: list[float] = []
    for pause in pauses:
        now += pause
        now += pace.delay(now)
        pace.begun(1, now)
        begun.append(now)
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            span = begun[last] - begun[first]
            assert last - first + 1 <= rate * (span + CATCH_UP_SECONDS) + 1 + 1e-6


@given(st.floats(1, 10_000), st.integers(2, 100))
def test_a_sweep_in_no_hurry_keeps_the_exact_distance(rate: float, count: int) -> None:
    pace, now = Pace(rate), 0.0
    for _ in range(count):
        now += pace.delay(now)
        pace.begun(1, now)
    assert now == pytest.approx((count - 1) / rate)


@pytest.mark.parametrize("rate", [0, -1, 10_001])
def test_a_rate_out_of_bounds_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="a rate lies between"):
        Pace(rate)


@pytest.mark.parametrize(("rate", "batch", "seconds"), [(10.0, 1, 25.3), (100.0, 1, 2.53), (1000.0, 8, 0.248)])
def test_a_sweep_takes_the_time_its_rate_gives(rate: float, batch: int, seconds: float) -> None:
    clock = TestClock()
    found = list(sweep(network("10.0.0.0/24"), rate=rate, observe=refused, batch=batch, clock=clock))
    assert len(found) == 254
    assert clock.time == pytest.approx(seconds)


def test_time_that_was_lost_is_made_good_for_a_tenth_of_a_second_only() -> None:
    pace = Pace(100)
    pace.begun(1, 0.0)
    begun = 0
    while pace.delay(60.0) <= 1e-9:
        pace.begun(1, 60.0)
        begun += 1
    assert begun == 11


def test_a_batch_takes_the_time_of_all_it_holds() -> None:
    pace = Pace(100)
    pace.begun(64, 0.0)
    assert pace.delay(0.0) == pytest.approx(0.64)


def test_every_question_gets_its_own_answer() -> None:
    asked = network("10.0.0.0/26")

    def observe(exchanges: Sequence[Exchange]) -> list[Observation]:
        last = [exchange.address.packed[-1] for exchange in exchanges]
        contacts = [Contact.REFUSED if number % 2 else Contact.TIMEOUT for number in last]
        return [
            Observation(key=exchange.key, source=None, contact=contact)
            for exchange, contact in zip(exchanges, contacts, strict=True)
        ]

    found = list(sweep(asked, rate=10_000, observe=observe, batch=7))
    assert {result.question.address for result in found} == {question.address for question in asked}
    for result in found:
        odd = result.question.address.packed[-1] % 2
        assert result.finding.answer is (Answer.REFUSED if odd else Answer.FILTERED)


def test_no_more_are_under_way_than_allowed() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def observe(exchanges: Sequence[Exchange]) -> list[Observation]:
        nonlocal now, most
        with lock:
            now += len(exchanges)
            most = max(most, now)
        threading.Event().wait(0.002)
        with lock:
            now -= len(exchanges)
        return refused(exchanges)

    assert len(list(sweep(network("10.0.0.0/24"), rate=10_000, at_once=8, observe=observe, batch=2))) == 254
    assert 0 < most <= 8


def test_results_come_while_others_are_under_way() -> None:
    release = threading.Event()

    def observe(exchanges: Sequence[Exchange]) -> list[Observation]:
        if exchanges[0].address == ip_address("10.0.0.1"):
            release.wait(20)
        return refused(exchanges)

    found = sweep(network("10.0.0.0/29"), rate=10_000, observe=observe)
    first = next(found)
    release.set()
    assert first.question.address != ip_address("10.0.0.1")
    assert len(list(found)) == 5


def test_a_vantage_that_fails_ends_the_sweep() -> None:
    def observe(exchanges: Sequence[Exchange]) -> list[Observation]:
        raise CollectionError("vps", "python3 is not there")

    with pytest.raises(CollectionError, match="vps: python3 is not there"):
        list(sweep(network("10.0.0.0/29"), observe=observe))


def test_a_dropped_sweep_begins_nothing_more() -> None:
    begun: list[str] = []

    def observe(exchanges: Sequence[Exchange]) -> list[Observation]:
        begun.extend(exchange.key for exchange in exchanges)
        return refused(exchanges)

    found = sweep(network("10.0.0.0/24"), rate=10_000, at_once=2, observe=observe)
    next(found)
    found.close()
    count = len(begun)
    threading.Event().wait(0.05)
    assert count <= len(begun) <= count + 2
    assert len(begun) < 254


def test_no_question_makes_no_sweep() -> None:
    assert list(sweep([])) == []


def test_a_machine_without_room_for_threads_goes_on_with_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if thread.name == "probe":
            if len(started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert len(list(sweep(network("10.0.0.0/27"), rate=10_000, observe=refused))) == 30
    assert len(started) <= 2
