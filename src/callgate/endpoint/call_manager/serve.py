"""Serves a call manager on sockets: TCP, TLS, and RTP for its echo extension."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self, cast

from callgate.endpoint.call_manager.connection import Closing, Connection
from callgate.endpoint.call_manager.echo import Echo
from callgate.endpoint.call_manager.events import CloseEcho, EchoTo, Event, OpenEcho
from callgate.endpoint.call_manager.listening import listening_socket, told_address
from callgate.endpoint.call_manager.manager import CallManager
from callgate.endpoint.call_manager.profile import PLAIN, Profile
from callgate.endpoint.call_manager.settings import Settings
from callgate.endpoint.network import TransportAddress

TICK_SECONDS: Final = 0.05
HANDSHAKE_SECONDS: Final = 10.0
MAXIMUM_UNSENT: Final = 1 << 20
"""Bytes a peer may leave unread before it is dropped."""
LINGER_SECONDS: Final = 2.0
"""Until a connection that was closed, and whose peer reads nothing, is dropped."""
_LINGER_OFF: Final = struct.pack("ii", 1, 0)


class CallManagerServer:
    """A call manager on its sockets, from entering to leaving.

    `listen` and `tls_listen` take the forms of `listening_socket`; `tls` is needed for the latter. `log` gets a line
    for each event; `rtp` are the ports the echo may use. Raises OSError or ValueError when a socket cannot be had.
    """

    def __init__(
        self,
        settings: Settings,
        profile: Profile = PLAIN,
        *,
        listen: Sequence[str] = (),
        tls_listen: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        interface: str | None = None,
        rtp: range | None = None,
        log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        if tls_listen and tls is None:
            raise ValueError("TLS needs a certificate")
        self.manager = CallManager(settings, profile, epoch=time.time() - time.monotonic())
        self.addresses: tuple[TransportAddress, ...] = ()
        """Where it listens: those of `listen`, then those of `tls_listen`."""
        self._listen = [(one, None) for one in listen] + [(one, tls) for one in tls_listen]
        self._interface = interface
        self._rtp = rtp
        self._log = log
        self._lines: dict[Connection, _PhoneLine] = {}
        self._echoes: dict[int, Echo] = {}
        self._servers: list[asyncio.Server] = []
        self._ticking: asyncio.Task[None] | None = None
        self._crashed = asyncio.Event()

    @property
    def ready_line(self) -> str:
        """`ready ADDRESS:PORT ...`, addresses as they were asked for."""
        named = [
            f"{listen.rpartition(':')[0]}:{address.port}"
            for (listen, _), address in zip(self._listen, self.addresses, strict=True)
        ]
        return " ".join(["ready", *named])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        try:
            for listen, tls in self._listen:
                sock = listening_socket(listen, self._interface)
                self.addresses += (told_address(sock.getsockname()),)
                handshake = None if tls is None else HANDSHAKE_SECONDS
                try:
                    self._servers.append(
                        await loop.create_server(
                            lambda: _PhoneLine(self), sock=sock, ssl=tls, ssl_handshake_timeout=handshake
                        )
                    )
                except BaseException:
                    sock.close()
                    raise
        except BaseException:
            await self.close()
            raise
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening, drop every connection, close every port; safe to repeat."""
        for server in self._servers:
            server.close()
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
            self._ticking = None
        for line in list(self._lines.values()):
            line.drop()
        for _ in range(100):
            if not self._lines:
                break
            await asyncio.sleep(0.01)
        for echo in self._echoes.values():
            echo.close()
        self._echoes.clear()
        self._servers.clear()

    async def wait_crashed(self) -> None:
        """Wait until the server it imitates has crashed."""
        await self._crashed.wait()

    def connect(self, line: _PhoneLine, peer: TransportAddress, local: TransportAddress) -> Connection:
        """A phone has connected."""
        connection = self.manager.accept(peer, local, time.monotonic())
        self._lines[connection] = line
        return connection

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        connection.lost(time.monotonic())
        self._lines.pop(connection, None)
        self.settle()

    def settle(self) -> None:
        """Do what the manager wants done: media first, for it may have more to say then; then send."""
        while events := self.manager.take_events():
            for event in events:
                self._do(event)
        for connection in self.manager.take_ready():
            line = self._lines.get(connection)
            if line is not None:
                line.flush()
        if self.manager.crashed:
            self._crashed.set()

    def _do(self, event: Event) -> None:
        if isinstance(event, OpenEcho):
            now = time.monotonic()
            try:
                echo = Echo(event.local, event.signalling, self._rtp)
            except OSError:
                self.manager.echo_failed(event.call, now)
            else:
                self._echoes[event.call] = echo
                self.manager.echo_opened(event.call, echo.address, now)
        elif isinstance(event, EchoTo):
            if event.call in self._echoes:
                self._echoes[event.call].send_to(event.phone)
        elif isinstance(event, CloseEcho):
            closed = self._echoes.pop(event.call, None)
            if closed is not None:
                closed.close()
                self._log(f"echo of call {event.call}: {closed.received} packets received, {closed.sent} sent")
        else:
            self._log(str(event))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.manager.tick(time.monotonic())
            self.settle()


class _PhoneLine(asyncio.Protocol):
    """One connection's transport."""

    def __init__(self, server: CallManagerServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._dropping: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has connected, and shaken hands where TLS is spoken."""
        self._transport = cast(asyncio.Transport, transport)
        try:
            peer, local = (told_address(transport.get_extra_info(name)) for name in ("peername", "sockname"))
        except (TypeError, ValueError):  # it is gone already: there is no name any more
            self._transport.abort()
            return
        self._connection = self._server.connect(self, peer, local)
        self._server.settle()

    def data_received(self, data: bytes) -> None:
        """One read."""
        if self._connection is not None:
            self._connection.feed(data, time.monotonic())
            self._server.settle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        """The connection has ended, whoever ended it."""
        if self._dropping is not None:
            self._dropping.cancel()
        if self._connection is not None:
            self._server.forget(self._connection)

    def flush(self) -> None:
        """Send what is queued, one write for each message, and end the connection if it is to end."""
        transport, connection = self._transport, self._connection
        if transport is None or connection is None or transport.is_closing():
            return
        for frame in connection.take():
            transport.write(frame)
        if connection.closing is Closing.RESET or transport.get_write_buffer_size() > MAXIMUM_UNSENT:
            self.drop(reset=True)
        elif connection.closing is Closing.GENTLY:
            self._dropping = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.drop)
            transport.close()

    def drop(self, *, reset: bool = False) -> None:
        """End it without waiting for the peer."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if reset and sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        self._transport.abort()
