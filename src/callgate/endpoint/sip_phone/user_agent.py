"""The SIP user agent below a phone: transactions driven over a wire, with the event loop's clock.

Everything it knows changes in the event loop's own steps; two tasks read and write. A wire that breaks ends every
transaction that waits, with the reason.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from callgate import __version__
from callgate.endpoint.attempt import AttemptFailed, Ending, printable
from callgate.endpoint.sip_phone.exchange import Exchange
from callgate.endpoint.sip_phone.wire import Wire
from callgate.errors import ProtocolError
from callgate.sip.fields import Hop, uri_host
from callgate.sip.message import Field, Request, Response
from callgate.sip.options import BRANCH_COOKIE
from callgate.sip.transaction import Timers
from callgate.sip.transactions import (
    Action,
    Arrived,
    Asked,
    Key,
    Stray,
    TimedOut,
    TransactionLayer,
    Transmit,
)

PRODUCT: Final = f"callgate/{__version__}"
MAXIMUM_TRANSCRIPT: Final = 200
MAXIMUM_OUTBOX: Final = 256
"""Messages that wait to be sent; a peer that makes us answer more than it reads is not answered."""

Asking = Callable[[Asked], None]


class UserAgent:
    """One phone's SIP. `start` it, and `close` it."""

    def __init__(self, wire: Wire, transport: str, *, timers: Timers | None = None) -> None:
        self.wire = wire
        self.transport = transport
        """`udp`, `tcp` or `tls`."""
        self.transcript: list[str] = []
        self.asked: Asking = self._refuse
        """Called with each new request of the peer's."""
        self.unacknowledged: Callable[[Key], None] = lambda _: None
        """Called when no ACK came for our answer to an INVITE."""
        self._timers = timers or Timers()
        self._layer = TransactionLayer(reliable=wire.reliable, timers=self._timers)
        self._exchanges: dict[Key, Exchange] = {}
        self._outbox: asyncio.Queue[Transmit] = asyncio.Queue(MAXIMUM_OUTBOX)
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: AttemptFailed | None = None
        self.heard = ""
        """What came last that means nothing, or breaks the protocol, in words."""
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to read and write."""
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]

    @property
    def host(self) -> str:
        """This phone's host and port, as they stand in Via and Contact."""
        return f"{uri_host(self.wire.local.address)}:{self.wire.local.port}"

    def contact(self, user: str) -> str:
        """This phone's URI. `user` is escaped already."""
        transport = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{user}@{self.host}{transport}"

    def via(self) -> str:
        """A new value of Via, with a branch of its own; `rport` makes servers answer to where we sent from."""
        branch = f"{BRANCH_COOKIE}{secrets.token_hex(10)}"
        return f"SIP/2.0/{self.transport.upper()} {self.host};branch={branch};rport"

    def check(self) -> None:
        """Raise AttemptFailed if the wire is broken."""
        if self._failure is not None:
            raise AttemptFailed(self._failure.ending, self._failure.text)

    def begin(self, request: Request, within: float) -> Exchange:
        """Send a request. `within`: seconds for its final response, for the first one to an INVITE."""
        self.check()
        exchange = Exchange(request, self.check)
        timers = replace(self._timers, give_up=min(within, self._timers.give_up))
        exchange.key, actions = self._layer.request(request, self._loop.time(), timers)
        self._exchanges[exchange.key] = exchange
        self._do(actions)
        return exchange

    def begin_quietly(self, request: Request, within: float) -> Exchange | None:
        """As `begin`; None if the wire is broken. To clean up."""
        return None if self._failure is not None else self.begin(request, within)

    async def transact(self, request: Request, within: float) -> Response:
        """Send a request and wait for its final response; AttemptFailed if there is none within `within` seconds."""
        exchange = self.begin(request, within)
        try:
            async with asyncio.timeout(within + 1):  # its timer comes first
                return await exchange.final()
        except TimeoutError:
            raise self.silence(request.method, exchange) from None
        finally:
            self.end(exchange)

    def end(self, exchange: Exchange) -> None:
        """Expect no more of an exchange. Its transaction goes on to acknowledge what is repeated."""
        self._exchanges.pop(exchange.key, None)

    def send(self, request: Request) -> None:
        """Send a request that has no transaction: ACK."""
        self._do([Transmit(request.encode())])

    def respond(
        self,
        asked: Asked,
        status: int,
        reason: str,
        *,
        tag: str | None = None,
        more: tuple[Field, ...] = (),
        body: bytes = b"",
    ) -> None:
        """Answer a request of the peer's."""
        if asked.key is not None:
            tag = tag or (None if status == 100 else secrets.token_hex(6))
            fields = (*more, ("Server", PRODUCT))
            response = asked.request.response(status, reason, asked.source, tag=tag, more=fields, body=body)
            self._do(self._layer.respond(asked.key, response, self._loop.time()))

    def acknowledged(self, key: Key) -> None:
        """The ACK for our 2xx response to an INVITE has come."""
        self._layer.acknowledged(key, self._loop.time())
        self._set_alarm()

    def silence(self, method: str, exchange: Exchange) -> AttemptFailed:
        """What it means that no (final) response came."""
        if exchange.provisional:
            return AttemptFailed(Ending.SILENT, f"no final response to {method}, only provisional ones")
        if self.heard:
            return AttemptFailed(Ending.GARBLED, f"no response to {method}; {self.heard}")
        if self.wire.reliable:
            return AttemptFailed(Ending.SILENT, f"no response to {method}")
        return AttemptFailed(Ending.NO_REPLY, f"no reply to {method}")

    async def close(self, within: float = 1.0) -> None:
        """Send what waits to be sent, and end."""
        try:
            if self._failure is None and self._tasks:
                with suppress(TimeoutError):
                    async with asyncio.timeout(within):
                        await self._outbox.join()
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            for task in self._tasks:
                task.cancel()
            try:
                ended = await asyncio.gather(*self._tasks, return_exceptions=True)
            finally:
                await self.wire.close()
        for mistake in ended:
            if isinstance(mistake, Exception):  # of this program: nothing a peer does comes here
                raise mistake

    async def _read(self) -> None:
        while True:
            try:
                received = await self.wire.receive()
            except AttemptFailed as failure:
                self._broken(failure)
                if self.wire.reliable or failure.ending is Ending.FAILED_HERE:
                    return
                received = ()
            for message, source in received:
                if isinstance(message, ProtocolError):
                    self.heard = f"what came is no SIP message: {message}"
                    self._note(f"< ? {message}")
                else:
                    self._take(message, source)
            await asyncio.sleep(0)  # a peer that floods us must not stop the clock

    async def _write(self) -> None:
        while True:
            transmit = await self._outbox.get()
            try:
                await self.wire.send(transmit.data, transmit.hop)
            except AttemptFailed as failure:
                self._broken(failure)
            finally:
                self._outbox.task_done()

    def _take(self, message: Request | Response, source: Hop) -> None:
        self._note(f"< {message.shown if isinstance(message, Response) else message.method}")
        try:
            self._do(self._layer.receive(message, source, self._loop.time()))
        except ProtocolError as error:
            self.heard = f"what came breaks the protocol: {error}"

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Transmit():
                    self._note(f"> {_named(action.data)}")
                    with suppress(asyncio.QueueFull):
                        self._outbox.put_nowait(action)
                case Arrived(key, response):
                    if key in self._exchanges:
                        self._exchanges[key].put(response)
                case TimedOut(key):
                    if (exchange := self._exchanges.get(key)) is not None:
                        exchange.put(self.silence(exchange.request.method, exchange))
                    else:
                        self.unacknowledged(key)
                case Stray(response):
                    self.heard = f"a response came that belongs to no request of this phone: {response.shown}"
                case Asked():
                    self._ask(action)
        self._set_alarm()

    def _ask(self, asked: Asked) -> None:
        try:
            self.asked(asked)
        except ProtocolError as error:
            self.heard = f"a request came that breaks the protocol: {error}"
            with suppress(ProtocolError):
                self.respond(asked, 400, "Bad Request")

    def _refuse(self, asked: Asked) -> None:
        self.respond(asked, 480, "Temporarily Unavailable")

    def _broken(self, failure: AttemptFailed) -> None:
        """The wire broke: for good, if it is a stream; else for those who wait now."""
        self._note(f"! {failure}")
        if self.wire.reliable or failure.ending is Ending.FAILED_HERE:
            self._failure = self._failure or failure
        for exchange in list(self._exchanges.values()):
            exchange.put(failure)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        due = self._layer.due
        self._alarm = None if due is None else self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._do(self._layer.expire(self._loop.time()))

    def _note(self, line: str) -> None:
        if len(self.transcript) < MAXIMUM_TRANSCRIPT:
            self.transcript.append(printable(line, 120))


def _named(data: bytes) -> str:
    """A message of ours in the transcript: its method, or its status and reason."""
    line = data.partition(b"\r\n")[0].decode("utf-8", "backslashreplace")
    return line.removeprefix("SIP/2.0 ") if line.startswith("SIP/2.0 ") else line.partition(" ")[0]
