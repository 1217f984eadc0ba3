"""A network in memory: every send and receive gives others a turn, and all that is opened is counted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.endpoint.sccp_phone.scripted import LOOPBACK, CallManager

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.network import Datagram, TransportAddress
from callgate.sccp import Decoder, Negotiation, encode

PHONE = TransportAddress(LOOPBACK, 50000)
SERVER = TransportAddress(LOOPBACK, 2000)


class MemoryStream:
    """A stream whose other end is a scripted call manager."""

    def __init__(self, manager: CallManager, remote: TransportAddress) -> None:
        self.writes: list[bytes] = []
        self.open = True
        self.aborted = False
        self.closed = False
        self._manager = manager
        self._remote = remote
        self._decoder = Decoder(negotiation=Negotiation())
        self._ahead: list[bytes] = []
        self._more = asyncio.Event()

    @property
    def local(self) -> TransportAddress:
        return PHONE

    @property
    def remote(self) -> TransportAddress:
        return self._remote

    async def send(self, data: bytes) -> None:
        await asyncio.sleep(0)
        if self.closed:
            raise AttemptFailed(Ending.FAILED_HERE, "closed here")
        self.writes.append(data)
        await asyncio.sleep(0)
        for message in self._decoder.feed(data):
            frames = [encode(answer) for answer in self._manager.take(message)]
            if frames:
                self._ahead.append(b"".join(frames))
                self._more.set()
        await asyncio.sleep(0)

    def say(self, data: bytes) -> None:
        self._ahead.append(data)
        self._more.set()

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        while not self._ahead:
            self._more.clear()
            await self._more.wait()
        return self._ahead.pop(0)

    async def close(self) -> None:
        self.closed = True
        await asyncio.sleep(0)
        self.open = False

    def abort(self) -> None:
        self.closed = self.aborted = True
        self.open = False


class MemoryDatagrams:
    """A UDP socket that swallows what is sent, or gives it back."""

    def __init__(self, *, echoes: bool) -> None:
        self.open = True
        self.sent: list[tuple[bytes, TransportAddress]] = []
        self._echoes = echoes
        self._ahead: asyncio.Queue[Datagram] = asyncio.Queue()

    @property
    def local(self) -> TransportAddress:
        return TransportAddress(LOOPBACK, 40000)

    async def send(self, data: bytes, remote: TransportAddress) -> None:
        await asyncio.sleep(0)
        self.sent.append((data, remote))
        if self._echoes:
            self._ahead.put_nowait(Datagram(data, remote))

    async def receive(self) -> Datagram:
        return await self._ahead.get()

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.open = False


@dataclass
class MemoryNetwork:
    """Reaches one scripted call manager."""

    manager: CallManager
    echoes: bool = True
    streams: list[MemoryStream] = field(default_factory=list)
    sockets: list[MemoryDatagrams] = field(default_factory=list)

    async def connect(self, remote: TransportAddress, *, within: float) -> MemoryStream:
        await asyncio.sleep(0)
        self.streams.append(MemoryStream(self.manager, remote))
        return self.streams[-1]

    async def datagrams(self, *, toward: TransportAddress) -> MemoryDatagrams:
        await asyncio.sleep(0)
        self.sockets.append(MemoryDatagrams(echoes=self.echoes))
        return self.sockets[-1]

    @property
    def sent(self) -> list[tuple[bytes, TransportAddress]]:
        return [packet for socket in self.sockets for packet in socket.sent]

    def assert_all_closed(self) -> None:
        assert [stream.open for stream in self.streams] == [False] * len(self.streams)
        assert [socket.open for socket in self.sockets] == [False] * len(self.sockets)
