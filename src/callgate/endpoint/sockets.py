"""The network of this machine: its own sockets, through asyncio."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from contextlib import suppress
from typing import Any, Final

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.failure import During, failure_of, icmp_report, without_zone
from callgate.endpoint.network import Address, ByteStream, Datagram, DatagramSocket, TransportAddress
from callgate.endpoint.open_socket import SEND_SECONDS, OpenSocket, address_of, family_of, target_of
from callgate.endpoint.prober import LOCAL_ERRORS, take_icmp, want_icmp

MAXIMUM_RECEIVED: Final = 65536
LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 4 * MAXIMUM_RECEIVED
"""What is still read after our FIN: closing with unread bytes would send RST in the middle of the peer's message."""

_ATTEMPTS: Final = 64
"""Tries at an even port; the kernel picks ports at random."""
_BIND_ADDRESS_NO_PORT: Final = 24
"""Linux, ip(7): the port is chosen upon connecting, so that one source address can hold connections to many peers."""
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_REMEMBERED: Final = 16


class LocalNetwork:
    """Reaches out from this machine; from `source` when that is given (one of the machine's addresses)."""

    def __init__(self, source: Address | None = None) -> None:
        self.source = source

    async def connect(self, remote: TransportAddress, *, within: float) -> ByteStream:
        """Open a TCP connection; see `Network.connect`. A time-out of `within` seconds is NO_REPLY."""
        target = target_of(remote)
        sock = self._socket(socket.SOCK_STREAM, remote)
        opening = OpenSocket(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            want_icmp(sock, True)
            number = sock.connect_ex(target)
            if number not in (0, errno.EINPROGRESS):
                raise failure_of(number, remote, During.CONNECTING, at_once=True)
            local = address_of(sock.getsockname())
            in_time = await opening.writable(within)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            report = icmp_report(take_icmp(sock))
            if number or report:  # over loopback a report may come without the error
                raise failure_of(number, remote, During.CONNECTING, icmp=report, own=local.address)
            if not in_time:
                text = f"{remote}: no reply to the connection request in {within:g} s"
                raise AttemptFailed(Ending.NO_REPLY, text)
            if (without_zone(local.address), local.port) == (without_zone(remote.address), remote.port):
                text = f"{remote}: the kernel gave this end the very port it asks"
                raise AttemptFailed(Ending.FAILED_HERE, text)
            want_icmp(sock, False)  # it would end a connection that stands
            return LocalStream(opening, local, remote)
        except OSError as error:
            opening.close()
            raise failure_of(error.errno, remote, During.CONNECTING, at_once=True) from error
        except BaseException:
            opening.close()
            raise

    async def datagrams(self, *, toward: TransportAddress) -> DatagramSocket:
        """A UDP socket; see `Network.datagrams`."""
        target = target_of(toward.with_port(toward.port or 9))
        try:
            with self._socket(socket.SOCK_DGRAM, toward) as scratch:
                scratch.connect(target)
                own = scratch.getsockname()
        except OSError as error:
            raise failure_of(error.errno, toward, During.DATAGRAMS, at_once=True) from error
        try:
            sock = _on_even_port((own[0], 0, *own[2:]), family_of(toward.address))
        except OSError as error:
            raise AttemptFailed(Ending.FAILED_HERE, f"no UDP port on {own[0]}: {_name(error)}") from error
        return LocalDatagrams(sock, address_of(sock.getsockname()))

    def _socket(self, kind: socket.SocketKind, remote: TransportAddress) -> socket.socket:
        """A socket on the source address; its callers turn the errors of using it into endings."""
        family = family_of(remote.address)
        try:
            sock = socket.socket(family, kind)
        except OSError as error:
            raise failure_of(error.errno, remote, During.CONNECTING, at_once=True) from error
        try:
            sock.setblocking(False)
            if self.source is not None:
                if self.source.version != remote.address.version:
                    text = f"{remote} cannot be reached from {self.source}: one is IPv4, the other IPv6"
                    raise AttemptFailed(Ending.FAILED_HERE, text)
                if kind is socket.SOCK_STREAM and sys.platform.startswith("linux"):
                    sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                sock.bind(target_of(TransportAddress(self.source, 0)))
        except OSError as error:
            sock.close()
            text = f"cannot send from {self.source}: {_name(error)}"
            raise AttemptFailed(Ending.FAILED_HERE, text) from error
        except AttemptFailed:
            sock.close()
            raise
        return sock


class LocalStream:
    """A TCP connection of this machine. One task may receive while others send."""

    def __init__(self, opened: OpenSocket, local: TransportAddress, remote: TransportAddress) -> None:
        self._opened = opened
        self._sock = opened.sock
        self._local = local
        self._remote = remote
        self._sending = asyncio.Lock()
        self._closing = False
        self._torn = False
        """A message was sent in part: nothing may follow it."""

    @property
    def local(self) -> TransportAddress:
        """See `ByteStream.local`."""
        return self._local

    @property
    def remote(self) -> TransportAddress:
        """See `ByteStream.remote`."""
        return self._remote

    async def send(self, data: bytes) -> None:
        """Send all of it in one write; SILENT when the peer takes nothing for `SEND_SECONDS`."""
        async with self._sending:
            self._check()
            if self._torn:
                raise AttemptFailed(Ending.FAILED_HERE, f"{self._remote}: a message before was sent in part only")
            rest = memoryview(data)
            while rest:
                try:
                    rest = rest[self._sock.send(rest) :]
                    self._torn = bool(rest)
                except BlockingIOError:
                    in_time = await self._opened.writable(SEND_SECONDS)
                    self._check()
                    if not in_time:
                        text = f"{self._remote}: took in nothing for {SEND_SECONDS:g} s"
                        raise AttemptFailed(Ending.SILENT, text) from None
                except OSError as error:
                    raise failure_of(error.errno, self._remote, During.STREAMING) from error

    async def receive(self) -> bytes:
        """See `ByteStream.receive`. Cancelling it loses no byte."""
        await asyncio.sleep(0)  # a peer that always has more to say must not hold up everything else
        while True:
            self._check()
            try:
                return self._sock.recv(MAXIMUM_RECEIVED)
            except BlockingIOError:
                await self._opened.readable()
            except OSError as error:
                raise failure_of(error.errno, self._remote, During.STREAMING) from error

    async def close(self) -> None:
        """See `ByteStream.close`. A message sent in part is cut off with RST: FIN would look like an end."""
        if self._closing:
            return
        self._closing = True
        self._opened.wake()
        try:
            if not self._torn:
                with suppress(OSError):
                    self._sock.shutdown(socket.SHUT_WR)
                    await self._drain()
        finally:
            self._drop(reset=self._torn)

    def abort(self) -> None:
        """Drop it at once, with RST."""
        self._closing = True
        self._drop(reset=True)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        end, budget = loop.time() + LINGER_SECONDS, LINGER_BYTES
        while budget > 0 and (left := end - loop.time()) > 0 and not self._opened.closed:
            try:
                data = self._sock.recv(MAXIMUM_RECEIVED)
            except BlockingIOError:
                await self._opened.readable(left)
                continue
            if not data:
                return
            budget -= len(data)
            await asyncio.sleep(0)

    def _drop(self, *, reset: bool) -> None:
        if reset and not self._opened.closed:
            with suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._opened.close()

    def _check(self) -> None:
        if self._closing:
            raise AttemptFailed(Ending.FAILED_HERE, f"{self._remote}: this end has closed the connection")


class LocalDatagrams:
    """A UDP socket of this machine."""

    def __init__(self, sock: socket.socket, local: TransportAddress) -> None:
        self._opened = OpenSocket(sock)
        self._sock = sock
        self._local = local
        self._sent_to: dict[TransportAddress, None] = {}
        self._failure: AttemptFailed | None = None

    @property
    def local(self) -> TransportAddress:
        """See `DatagramSocket.local`."""
        return self._local

    async def send(self, data: bytes, remote: TransportAddress) -> None:
        """See `DatagramSocket.send`: NO_ROUTE or FAILED_HERE. An ICMP error of before is left to `receive`."""
        if remote.address.version != self._local.address.version:
            raise AttemptFailed(Ending.NO_ROUTE, f"{remote}: cannot be reached from {self._local.address}")
        target = target_of(remote)
        self._sent_to.pop(remote, None)
        self._sent_to[remote] = None
        if len(self._sent_to) > _REMEMBERED:
            del self._sent_to[next(iter(self._sent_to))]
        for _ in range(_REMEMBERED):
            self._check()
            try:
                self._sock.sendto(data, target)
                return
            except BlockingIOError:
                await asyncio.sleep(0.001)
            except OSError as error:
                # The kernel hands the ICMP error of an earlier datagram to whoever comes first, and sends nothing.
                report = icmp_report(take_icmp(self._sock))
                if report is None and error.errno != errno.ECONNREFUSED:
                    if error.errno in LOCAL_ERRORS:
                        raise failure_of(error.errno, remote, During.DATAGRAMS, at_once=True) from error
                    raise AttemptFailed(Ending.FAILED_HERE, f"{remote}: cannot be sent: {_name(error)}") from error
                failure = self._failed(error, report)
                if failure.ending is Ending.NO_ROUTE:  # from this machine: of this very datagram, as like as not
                    raise failure from error
                self._failure = failure
                self._opened.wake()
        raise AttemptFailed(Ending.FAILED_HERE, f"{remote}: cannot be sent: the errors do not end")

    async def receive(self) -> Datagram:
        """See `DatagramSocket.receive`. NO_ROUTE when the report comes from this machine: no neighbour answers."""
        while True:
            await asyncio.sleep(0)
            self._check()
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            try:
                data, source = self._sock.recvfrom(MAXIMUM_RECEIVED)
                return Datagram(data, address_of(source))
            except BlockingIOError:
                report = icmp_report(take_icmp(self._sock))
                if report is not None:
                    raise self._failed(OSError(0, ""), report) from None
                await self._opened.readable()
            except OSError as error:
                report = icmp_report(take_icmp(self._sock))
                if report is not None or error.errno != errno.EMSGSIZE:  # a path MTU is no news of the peer
                    raise self._failed(error, report) from error

    async def close(self) -> None:
        """See `DatagramSocket.close`."""
        self._opened.close()

    def _failed(self, error: OSError, report: Any) -> AttemptFailed:
        latest = next(reversed(self._sent_to), self._local)
        return failure_of(error.errno, latest, During.DATAGRAMS, icmp=report, own=self._local.address)

    def _check(self) -> None:
        if self._opened.closed:
            raise AttemptFailed(Ending.FAILED_HERE, f"{self._local}: this end has closed the socket")


def _on_even_port(name: tuple[Any, ...], family: socket.AddressFamily) -> socket.socket:
    for _ in range(_ATTEMPTS):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            want_icmp(sock, True)
            sock.bind(name)
            if sock.getsockname()[1] % 2 == 0:
                return sock
        except BaseException:
            sock.close()
            raise
        sock.close()
    raise OSError(errno.EADDRINUSE, "no even port")


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
