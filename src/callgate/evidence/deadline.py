"""Runs jobs at once, each with a deadline of its own, for back ends that have none."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

Result = TypeVar("Result")


def each_within(
    seconds: float, jobs: Mapping[str, Callable[[], Result]], at_once: int
) -> Iterator[tuple[str, Result | Exception]]:
    """Yield each job's name with its result, or with what it raised, as they come.

    A job that takes longer than `seconds` yields a TimeoutError and is left behind. The threads are daemons: one
    that hangs must not hold up the exit. At most `at_once` jobs run at a time, not counting those left behind.
    """
    waiting = list(jobs.items())
    running: dict[str, float] = {}
    done: queue.SimpleQueue[tuple[str, Result | Exception]] = queue.SimpleQueue()

    def work(name: str, job: Callable[[], Result]) -> None:
        try:
            done.put((name, job()))
        except Exception as error:  # a thread that died silently would be waited for
            done.put((name, error))

    while waiting or running:
        while waiting and len(running) < at_once:
            name, job = waiting.pop(0)
            running[name] = time.monotonic() + seconds
            threading.Thread(target=work, args=(name, job), daemon=True).start()
        try:
            name, result = done.get(timeout=max(0.05, min(running.values()) - time.monotonic()))
        except queue.Empty:
            now = time.monotonic()
            for late in [name for name, deadline in running.items() if deadline <= now]:
                del running[late]
                yield late, TimeoutError(f"did not answer within {seconds:g} seconds")
            continue
        if running.pop(name, None) is not None:
            yield name, result
