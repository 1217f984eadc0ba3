"""A network that also tells which sockets were opened, and who answered that was not asked.

A phone passes over what comes from another address than its server's. As a stranger's it must not be: a server bound
to all addresses of its host answers from the one that routing prefers, and has taken the request all the same.
"""

from __future__ import annotations

import re
from typing import Final

from callgate.endpoint.failure import without_zone
from callgate.endpoint.network import ByteStream, Datagram, DatagramSocket, Network, TransportAddress

REMEMBERED: Final = 16
"""Sockets, and answers from elsewhere."""
_BRANCH: Final = re.compile(rb"branch=(z9hG4bK[A-Za-z0-9.]+)")
"""Of a request of ours; every response repeats it (RFC 3261 section 8.2.6.2)."""


class OverhearingNetwork:
    """Another network's streams and sockets."""

    def __init__(self, network: Network) -> None:
        self.own: list[TransportAddress] = []
        """The datagram sockets that were opened."""
        self.elsewhere: list[TransportAddress] = []
        """Who sent a response to a request of ours without having been asked."""
        self._network = network

    async def connect(self, remote: TransportAddress, *, within: float) -> ByteStream:
        """See `Network.connect`."""
        return await self._network.connect(remote, within=within)

    async def datagrams(self, *, toward: TransportAddress) -> DatagramSocket:
        """See `Network.datagrams`."""
        sock = await self._network.datagrams(toward=toward)
        if len(self.own) < REMEMBERED:
            self.own.append(sock.local)
        return _OverhearingSocket(sock, toward, self.elsewhere)


class _OverhearingSocket:
    """A datagram socket; takes down responses from another address than the one it was opened toward."""

    def __init__(self, sock: DatagramSocket, toward: TransportAddress, elsewhere: list[TransportAddress]) -> None:
        self._sock = sock
        self._asked = without_zone(toward.address)
        self._elsewhere = elsewhere
        self._branches: set[bytes] = set()

    @property
    def local(self) -> TransportAddress:
        """See `DatagramSocket.local`."""
        return self._sock.local

    async def send(self, data: bytes, remote: TransportAddress) -> None:
        """See `DatagramSocket.send`."""
        if (found := _BRANCH.search(data)) is not None and len(self._branches) < REMEMBERED:
            self._branches.add(found[1])
        await self._sock.send(data, remote)

    async def receive(self) -> Datagram:
        """See `DatagramSocket.receive`."""
        datagram = await self._sock.receive()
        elsewhere = without_zone(datagram.source.address) != self._asked
        answer = datagram.data.startswith(b"SIP/2.0 ") and any(branch in datagram.data for branch in self._branches)
        if elsewhere and answer and len(self._elsewhere) < REMEMBERED:
            self._elsewhere.append(datagram.source)
        return datagram

    async def close(self) -> None:
        """See `DatagramSocket.close`."""
        await self._sock.close()
