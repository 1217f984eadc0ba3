"""Many exchanges, some at once, begun no faster than a rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from callgate.endpoint import prober
from callgate.endpoint.exchange import Exchange, Observation
from callgate.endpoint.probe.question import Question
from callgate.endpoint.probe.result import Result, result_of
from callgate.errors import NotDetermined

MAXIMUM_RATE: Final = 10_000
MAXIMUM_AT_ONCE: Final = 4_000
CATCH_UP_SECONDS: Final = 0.1
"""A sweep that was held up makes good for so long at most."""
_HEARTBEAT_SECONDS: Final = 0.5

Observe = Callable[[Sequence[Exchange]], Sequence[Observation]]
"""Does some exchanges, at once, and gives an observation for each; may raise NotDetermined. Called in threads."""
_Done = SimpleQueue[tuple[list[tuple[Question, Exchange]], Sequence[Observation] | BaseException]]


class Clock(Protocol):
    """What a sweep knows of time."""

    def now(self) -> float:
        """Seconds that never go back."""
        ...

    def wait(self, done: _Done, seconds: float) -> None:
        """Wait until `done` has something or the time is over; may return early."""
        ...


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """As time.monotonic."""
        return time.monotonic()

    def wait(self, done: _Done, seconds: float) -> None:
        """Wait, and put back what came: the order means nothing."""
        try:
            first = done.get(timeout=seconds)
        except Empty:
            return
        done.put(first)


class Pace:
    """Says when the next exchange may begin: in any span of T seconds, `rate` x (T + 0.1) + 1 begin at most."""

    def __init__(self, rate: float) -> None:
        if not 0 < rate <= MAXIMUM_RATE:
            raise ValueError(f"a rate lies between 0 and {MAXIMUM_RATE}")
        self.rate = rate
        self._due: float | None = None

    def delay(self, now: float) -> float:
        """Seconds until the next may begin; 0 if it may now."""
        return 0.0 if self._due is None else max(0.0, self._due - now)

    def begun(self, count: int, now: float) -> None:
        """Take note that `count` begin now."""
        due = now if self._due is None else max(self._due, now - CATCH_UP_SECONDS)
        self._due = due + count / self.rate


def observe_here(exchanges: Sequence[Exchange]) -> list[Observation]:
    """Do exchanges one after the other from this machine."""
    return [Observation.from_json(prober.Probe(exchange.as_json()).observe()) for exchange in exchanges]


def sweep(
    asked: Sequence[Question],
    *,
    rate: float = 100.0,
    at_once: int = 400,
    seconds: float | None = None,
    observe: Observe = observe_here,
    batch: int = 1,
    clock: Clock | None = None,
) -> Generator[Result, None, None]:
    """Ask every question; results as they come.

    `rate` limits the exchanges begun in a second (up to 3 datagrams are one exchange), `at_once` those under way, and
    `seconds` replaces how long each waits. `observe` gets `batch` exchanges at a time. What it raises ends the sweep.
    Whoever drops the iterator gets no more exchanges begun; those under way end by themselves.
    """
    clock = clock or SystemClock()
    pace = Pace(rate)
    crew = _Crew(observe, max(1, min(at_once, MAXIMUM_AT_ONCE) // batch))
    try:
        position = 0
        while position < len(asked) or crew.busy:
            delay = pace.delay(clock.now())
            may_begin = position < len(asked) and crew.has_room
            if may_begin and delay <= 0:
                taken = asked[position : position + batch]
                position += len(taken)
                pace.begun(len(taken), clock.now())
                crew.begin([(question, question.exchange(seconds=seconds)) for question in taken])
            elif crew.done.empty():
                clock.wait(crew.done, min(delay, _HEARTBEAT_SECONDS) if may_begin else _HEARTBEAT_SECONDS)
            for finished, observations in crew.finished():
                for (question, exchange), observation in zip(finished, observations, strict=True):
                    yield result_of(question, exchange, observation)
    finally:
        crew.dismiss()


class _Crew:
    """Threads that do exchanges; as many as there is work for, `most` at most.

    They are daemons: an exchange under way must not keep an interrupted program from ending.
    """

    def __init__(self, observe: Observe, most: int) -> None:
        self._observe = observe
        self._most = most
        self._waiting: SimpleQueue[list[tuple[Question, Exchange]] | None] = SimpleQueue()
        self.done: _Done = SimpleQueue()
        self._threads = 0
        self.busy = 0

    @property
    def has_room(self) -> bool:
        return self.busy < self._most

    def begin(self, work: list[tuple[Question, Exchange]]) -> None:
        if self.busy == self._threads:
            try:
                threading.Thread(target=self._work, daemon=True, name="probe").start()
                self._threads += 1
            except RuntimeError:  # the system has no room for more threads
                if not self._threads:
                    raise NotDetermined("this machine lets no thread be started") from None
                self._most = self._threads
        self.busy += 1
        self._waiting.put(work)

    def finished(self) -> Iterator[tuple[list[tuple[Question, Exchange]], Sequence[Observation]]]:
        while not self.done.empty():
            work, outcome = self.done.get()
            self.busy -= 1
            if isinstance(outcome, BaseException):
                raise outcome
            yield work, outcome

    def dismiss(self) -> None:
        for _ in range(self._threads):
            self._waiting.put(None)

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                outcome: Sequence[Observation] | BaseException = self._observe([exchange for _, exchange in work])
            except BaseException as error:  # told where it is waited for
                outcome = error
            self.done.put((work, outcome))
