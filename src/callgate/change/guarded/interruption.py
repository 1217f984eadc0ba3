"""SIGINT, SIGTERM and SIGHUP as one KeyboardInterrupt, so that the way back is not cut off by the next."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def one_interruption() -> Iterator[None]:
    """Within, the first of these signals raises KeyboardInterrupt; later ones are passed over.

    A signal that is ignored (nohup, a shell's background job) stays ignored. For the main thread.
    """
    raised = False

    def once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal.signal(2)
        nonlocal raised
        if not raised:
            raised = True
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    changed = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    try:
        for number in changed:
            signal.signal(number, once)
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number] or signal.SIG_DFL)
