"""A phone and its server in conversation: what comes is taken, what is due is sent, and the phone is kept alive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.sccp_phone.actions import Action, Event, Send
from callgate.endpoint.sccp_phone.connection import Connection
from callgate.endpoint.sccp_phone.device import REGISTERED, Device, Stage
from callgate.endpoint.sccp_phone.identity import LONGEST, Patience
from callgate.sccp import AnyMessage

USUAL_INTERVAL: Final = 30.0
"""Seconds between keepalives where the server sets none: CallManager's default."""
SHORTEST_INTERVAL: Final = 1.0
LONGEST_INTERVAL: Final = 600.0
"""What is taken of a server as interval, seconds."""
EARLY: Final = 0.9
"""A keepalive is sent when this part of the interval is over: none comes late."""
MISSED_KEEPALIVES: Final = 2
"""After so many that were not answered, when the next is due, the server counts as silent."""
LONGEST_GOODBYE: Final = 1.0
"""Seconds that the phone waits for any one answer while it leaves."""


class Conversation:
    """One device over one connection. `heed` is told each event, in order."""

    def __init__(
        self, device: Device, connection: Connection, patience: Patience, heed: Callable[[Event], Awaitable[None]]
    ) -> None:
        self.device = device
        self.connection = connection
        self.overdue = False
        """RegisterReq was not answered in time."""
        self._patience = patience
        self._heed = heed
        self._inbox: deque[AnyMessage] = deque()
        self._outbox: deque[Action] = deque()
        self._keepalive_at: float | None = None
        self._leaving = False

    async def wait_until(self, done: Callable[[], bool], within: float) -> bool:
        """Take what comes until `done()` or the time is over; says which.

        AttemptFailed when the server ends the registration, the connection or what SCCP is, or answers no keepalive.
        """
        end = _now() + within
        while True:
            while self._inbox:
                self.check()
                await self.perform(self.device.receive(self._inbox.popleft()))
            self.check()
            if done():
                return True
            left = end - _now()
            if left <= 0:
                return False
            next_keepalive = await self._keep_alive()
            self._inbox.extend(await self.connection.receive(min(left, next_keepalive)))

    async def perform(self, actions: list[Action]) -> None:
        """Do this after all that is to be done yet."""
        self._outbox.extend(actions)
        await self._flush()

    def check(self) -> None:
        """AttemptFailed once the server has ended the registration."""
        device = self.device
        if self._leaving:
            return
        if device.stage is Stage.REJECTED:
            raise AttemptFailed(Ending.REJECTED, f'the server rejects the phone: "{device.rejection}"')
        if device.dropped:
            raise AttemptFailed(Ending.CLOSED, device.dropped)
        if device.reset is not None:
            raise AttemptFailed(Ending.CLOSED, f"the server tells the phone to start again ({device.reset.kind})")

    async def hang_up(self, within: float) -> None:
        """Put the handset down if it is up, and wait until the server has closed the call."""
        leg = self.device.leg
        if leg is not None and leg.off_hook:
            await self.perform(self.device.hang_up())
            await self.wait_until(lambda: leg.ended is not None, within)

    async def take_leave(self) -> None:
        """Hang up and unregister; each whether or not what came before went well. Raises nothing of the server's."""
        self._leaving = True
        device = self.device
        if device.stage is Stage.REGISTERING and not self.overdue:
            with suppress(AttemptFailed):  # an ack may be under way, and the device would stay registered
                await self.wait_until(lambda: device.stage is not Stage.REGISTERING, self._goodbye)
        with suppress(AttemptFailed):
            await self.hang_up(min(self._patience.hang_up, LONGEST_GOODBYE))
        with suppress(AttemptFailed):
            await self.perform(device.unregister())
            if device.stage is Stage.LEAVING:
                await self.wait_until(lambda: device.stage is Stage.GONE, self._goodbye)

    @property
    def _goodbye(self) -> float:
        return min(self._patience.unregister, LONGEST_GOODBYE)

    async def _flush(self) -> None:
        """Do what is to be done, in order. What a cancellation leaves undone stays in the outbox."""
        connection = self.connection
        await connection.settle()
        while self._outbox:
            action = self._outbox.popleft()
            if not isinstance(action, Send):
                await self._heed(action)
            elif connection.can_send:
                connection.begin(action.message)
                await connection.settle()
            elif connection.failure is not None:
                raise connection.failure

    async def _keep_alive(self) -> float:
        """Send the keepalive that is due; how long until the next one is, seconds."""
        device = self.device
        if device.stage not in REGISTERED or device.terms is None:
            return LONGEST
        asked = device.terms.interval_seconds or USUAL_INTERVAL
        interval = min(max(asked, SHORTEST_INTERVAL), LONGEST_INTERVAL) * EARLY
        if self._keepalive_at is None:
            self._keepalive_at = _now() + interval
        if _now() >= self._keepalive_at:
            missed = device.unanswered_keepalives
            if missed >= MISSED_KEEPALIVES:
                raise AttemptFailed(Ending.SILENT, f"the server has not answered {missed} keepalives")
            self._keepalive_at = _now() + interval
            await self.perform(device.keep_alive())
        return self._keepalive_at - _now()


def _now() -> float:
    return asyncio.get_running_loop().time()
