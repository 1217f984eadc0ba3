"""Work that is done although its task is cancelled: hanging up, leaving, closing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

CLOSING: Final = 1.0
"""Seconds more, when the time is over, for closing what is open."""


async def uninterrupted(work: Coroutine[Any, Any, None], within: float) -> None:
    """Let it come to its end; that this task was cancelled, however often, shows only afterwards.

    After `within` seconds the work is cancelled itself, and closes without ceremony what it has open.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    end = loop.time() + within
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task}, timeout=max(end - loop.time(), 0.0))
        except asyncio.CancelledError as error:
            cancelled = error
        if not task.done() and loop.time() >= end:
            task.cancel()
            end = loop.time() + CLOSING
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # what it was is told by the cancellation
        raise cancelled
    with suppress(asyncio.CancelledError):
        task.result()
