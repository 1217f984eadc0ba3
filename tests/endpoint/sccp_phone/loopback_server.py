"""The scripted call manager on a real socket of loopback, which may turn hostile at a message; and an RTP echo."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from ssl import SSLContext
from typing import cast

from tests.endpoint.sccp_phone.scripted import LOOPBACK, CallManager

from callgate.endpoint.network import TransportAddress
from callgate.sccp import Decoder, Message, Negotiation, encode
from callgate.sccp.framing import HEADER, keepalive

Turn = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Loopback:
    """A server, and how its connections ended."""

    manager: CallManager
    address: TransportAddress = field(default_factory=lambda: TransportAddress(LOOPBACK, 1))
    turns: dict[type[Message], Turn] = field(default_factory=dict)
    """What it does upon a message instead of answering; then it says nothing more."""
    greeting: bytes = b""
    endings: list[str] = field(default_factory=list)
    """`fin` after a whole message, `torn` after half of one, `reset`."""
    pushed: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = Decoder(negotiation=Negotiation())
        self.pushed.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        ending = "reset"
        try:
            writer.write(self.greeting)
            while data := await reader.read(65536):
                for message in decoder.feed(data):
                    turn = self.turns.get(type(message))  # type: ignore[arg-type]
                    if turn is not None:
                        self.manager.heard.append(message)
                        await turn(reader, writer)
                        return
                    for answer in self.manager.take(message):
                        writer.write(encode(answer))
                await writer.drain()
            ending = "torn" if decoder.pending else "fin"
        except ConnectionError:
            pass
        finally:
            self.endings.append(ending)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def say(self, *messages: Message) -> None:
        """Say something to all phones."""
        for writer in self.pushed:
            for message in messages:
                writer.write(encode(message))


@asynccontextmanager
async def serving(loopback: Loopback, tls: SSLContext | None = None) -> AsyncIterator[Loopback]:
    server = await asyncio.start_server(loopback.serve, str(LOOPBACK), 0, ssl=tls)
    loopback.address = TransportAddress(LOOPBACK, server.sockets[0].getsockname()[1])
    async with server:
        yield loopback
        server.close()
        for _ in range(100):
            if len(loopback.endings) == len(loopback.pushed):
                break
            await asyncio.sleep(0.01)


async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()


async def close_in_the_middle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(keepalive()[:9])
    writer.write_eof()


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    await silence(reader, writer)


async def oversize(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEADER.pack(8193, 0, 0x0100) + bytes(1000))
    await silence(reader, writer)


async def never_whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEADER.pack(8192, 0, 0x0100) + bytes(1000))
    await silence(reader, writer)


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while not writer.is_closing():
            writer.write(b"\x04\0\0\0\0\0\0\0\0\1\0\0" * 1000)
            await writer.drain()


class Echo(asyncio.DatagramProtocol):
    """Sends back every datagram."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


@asynccontextmanager
async def rtp_echo() -> AsyncIterator[TransportAddress]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=(str(LOOPBACK), 0))
    try:
        yield TransportAddress(LOOPBACK, transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
        await asyncio.sleep(0)
