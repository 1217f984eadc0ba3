"""One request of ours and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from callgate.endpoint.attempt import AttemptFailed
from callgate.sip.message import Request, Response
from callgate.sip.transactions import Key

MAXIMUM_RESPONSES: Final = 64
"""Responses to one request that wait to be looked at; more are dropped, provisional ones at half of it."""


class Exchange:
    """One request of ours and the responses to it."""

    def __init__(self, request: Request, check: Callable[[], None]) -> None:
        self.request = request
        self.key: Key = ()
        self.provisional = False
        """Whether a provisional response came: only then may it be cancelled (RFC 3261, section 9.1)."""
        self.over = False
        """Whether no further response is to be expected."""
        self._watch: Callable[[Response], None] | None = None
        self._check = check
        self._came: asyncio.Queue[Response | AttemptFailed] = asyncio.Queue(MAXIMUM_RESPONSES)

    async def next(self) -> Response:
        """The next response; raises AttemptFailed when there is none in time, or the wire breaks."""
        if self._came.empty():
            self._check()
        came = await self._came.get()
        if isinstance(came, AttemptFailed):
            raise came
        return came

    async def final(self) -> Response:
        """The final response; raises as `next`."""
        while not (response := await self.next()).final:
            pass
        return response

    def hand_over(self, watch: Callable[[Response], None]) -> None:
        """Let `watch` have the responses from now on, those that wait for `next` first."""
        self._watch = watch
        while not self._came.empty():
            if isinstance(came := self._came.get_nowait(), Response):
                watch(came)

    def put(self, came: Response | AttemptFailed) -> None:
        """What the transaction gives."""
        if isinstance(came, Response):
            self.provisional |= not came.final
            if self._watch is not None:
                self._watch(came)
                return
            if not came.final and self._came.qsize() >= MAXIMUM_RESPONSES // 2:
                return
        else:
            self.over = True
        with suppress(asyncio.QueueFull):
            self._came.put_nowait(came)
