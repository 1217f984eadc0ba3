"""A socket that asyncio waits for, and addresses as sockets take and give them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.failure import without_zone
from callgate.endpoint.network import Address, TransportAddress

SEND_SECONDS: Final = 10.0
"""How long a peer may take in nothing of what is sent before it counts as silent."""


class OpenSocket:
    """Waits for a socket; closing it wakes who waits. One waiter each for reading and writing."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Future[bool] | None = None
        self._writer: asyncio.Future[bool] | None = None

    async def readable(self, within: float | None = None) -> bool:
        """Wait until there is something to read, or an error; False when the time is over or `wake` was called."""
        if self._reader is not None:
            raise RuntimeError("two tasks receive from one socket")
        future = self._reader = self._loop.create_future()
        self._loop.add_reader(self.sock, self._end_reader, True)
        try:
            return await self._bounded(future, within)
        finally:
            if self._reader is future:
                self._end_reader(False)

    async def writable(self, within: float | None = None) -> bool:
        """Wait until it can be written, or an error; False when the time is over or `wake` was called."""
        if self._writer is not None:
            raise RuntimeError("two tasks send to one socket")
        future = self._writer = self._loop.create_future()
        self._loop.add_writer(self.sock, self._end_writer, True)
        try:
            return await self._bounded(future, within)
        finally:
            if self._writer is future:
                self._end_writer(False)

    def wake(self) -> None:
        """Let those who wait look again."""
        if self._reader is not None:
            self._end_reader(False)
        if self._writer is not None:
            self._end_writer(False)

    def close(self) -> None:
        """Close the socket; safe to repeat."""
        if not self.closed:
            self.closed = True
            self.wake()
            self.sock.close()

    async def _bounded(self, future: asyncio.Future[bool], within: float | None) -> bool:
        if within is None:
            return await future
        timer = self._loop.call_later(within, _settle, future, False)
        try:
            return await future
        finally:
            timer.cancel()

    def _end_reader(self, ready: bool) -> None:
        future, self._reader = self._reader, None
        self._loop.remove_reader(self.sock)
        _settle(future, ready)

    def _end_writer(self, ready: bool) -> None:
        future, self._writer = self._writer, None
        self._loop.remove_writer(self.sock)
        _settle(future, ready)


def _settle(future: asyncio.Future[bool] | None, ready: bool) -> None:
    if future is not None and not future.done():
        future.set_result(ready)


def address_of(name: tuple[Any, ...]) -> TransportAddress:
    """What a socket calls an address, with the zone of a link-local one by its interface's name."""
    text = str(name[0]).partition("%")[0]
    if ":" not in text:
        return TransportAddress(IPv4Address(text), name[1])
    zone = ""
    if len(name) > 3 and name[3]:
        zone = f"%{name[3]}"
        with suppress(OSError):
            zone = f"%{socket.if_indextoname(name[3])}"
    return TransportAddress(IPv6Address(text + zone), name[1])


def check_destination(remote: TransportAddress) -> None:
    """Raises AttemptFailed(NO_ROUTE) for an address that leads nowhere whatever the network is."""
    address = remote.address
    if address.is_unspecified:  # the kernel would take it for this machine
        raise AttemptFailed(Ending.NO_ROUTE, f"{remote} is no host's address")
    if isinstance(address, IPv6Address) and address.is_link_local and address.scope_id is None:
        raise AttemptFailed(Ending.NO_ROUTE, f"{remote}: a link-local address needs its zone, like {address}%eth0")


def target_of(remote: TransportAddress) -> tuple[Any, ...]:
    """The address as sockets take it. NO_ROUTE for what leads nowhere, and for a zone that is not there."""
    check_destination(remote)
    address = remote.address
    if isinstance(address, IPv4Address):
        return str(address), remote.port
    zone, index = address.scope_id, 0
    if zone is not None:
        try:
            index = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
        except OSError:
            raise AttemptFailed(Ending.NO_ROUTE, f"{remote}: there is no interface {zone}") from None
    return str(without_zone(address)), remote.port, 0, index


def family_of(address: Address) -> socket.AddressFamily:
    """IPv4 or IPv6."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
