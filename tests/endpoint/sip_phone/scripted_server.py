"""SIP servers that follow a script, on loopback, and the phones that meet them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, TypeVar

from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import Account, Patience
from callgate.sip.fields import Hop
from callgate.sip.message import Field, Request, Response, read_message
from callgate.sip.stream import MessageStream

PASSWORD = "open-sesame-5060"
ACCOUNT = Account(user="1001", password=PASSWORD, domain="pbx.lab")
HASTE = Patience(connect=2.0, answer=0.4, ring=0.3, call=1.0, leave=0.15)
LIMIT = 8.0
"""Seconds that a test may take at most."""

Result = TypeVar("Result")
Script = Callable[["Server", Request], Iterable[Response | Request | bytes]]
"""What a server sends upon a request."""


def run(act: Callable[[], Awaitable[Result]]) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(LIMIT):
            return await act()

    return asyncio.run(bounded())


class Server:
    """A server on loopback, over UDP or TCP."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.data = b""
        """All that came."""
        self.times: list[float] = []
        self.peer: Hop = (ip_address("127.0.0.1"), 0)
        self.address = TransportAddress(ip_address("127.0.0.1"), 5060)
        self.send: Callable[[bytes], None] = lambda _: None

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    def of(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]

    def take(self, message: Request | Response) -> None:
        if isinstance(message, Response):
            self.responses.append(message)
            return
        self.requests.append(message)
        self.times.append(asyncio.get_running_loop().time())
        for more in self.script(self, message):
            self.send(more if isinstance(more, bytes) else more.encode())

    async def until(self, reached: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT):
            while not reached():
                await asyncio.sleep(0.005)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        name = transport.get_extra_info("sockname")
        self._server.address = TransportAddress(ip_address(name[0]), name[1])

    def datagram_received(self, data: bytes, addr: Any) -> None:
        server = self._server
        server.peer, server.data = (ip_address(addr[0]), addr[1]), server.data + data
        server.send = lambda more: self._transport.sendto(more, addr)
        server.take(read_message(data))


@asynccontextmanager
async def over_udp(script: Script, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    server = Server(script)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(server), local_addr=(host, 0))
    try:
        yield server
    finally:
        transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def over_tcp(script: Script) -> AsyncIterator[Server]:
    server = Server(script)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, stream = writer.get_extra_info("peername"), MessageStream()
        server.peer, server.send = (ip_address(name[0]), name[1]), writer.write
        try:
            while data := await reader.read(65536):
                server.data += data
                for message in stream.feed(data):
                    server.take(message)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with raw_tcp(serve) as address:
        server.address = address
        yield server


@asynccontextmanager
async def raw_tcp(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[TransportAddress]:
    """A TCP server; its connections are gone when this is left."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield TransportAddress(ip_address("127.0.0.1"), listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reply(
    server: Server, to: Request, status: int, reason: str = "Reason", *more: Field, tag: str = "srv", body: bytes = b""
) -> Response:
    if body:
        more = (*more, ("Content-Type", "application/sdp"))
    return to.response(status, reason, server.peer, tag=None if status == 100 else tag, more=more, body=body)


def challenge(server: Server, to: Request, value: str = 'Digest realm="pbx.lab", nonce="n", qop="auth"') -> Response:
    """The challenge that belongs to the method."""
    status, name = (401, "WWW-Authenticate") if to.method == "REGISTER" else (407, "Proxy-Authenticate")
    return reply(server, to, status, "Unauthorized", (name, value))


def authorized(request: Request) -> bool:
    return bool(request.value("Authorization") or request.value("Proxy-Authorization"))


def session(address: str = "127.0.0.1", port: int = 40000, *lines: str) -> bytes:
    version = 6 if ":" in address else 4
    text = ("v=0", f"o=- 1 1 IN IP{version} {address}", "s=-", f"c=IN IP{version} {address}", "t=0 0")
    return "".join(f"{line}\r\n" for line in (*text, f"m=audio {port} RTP/AVP 0", *lines)).encode()


def obliging(server: Server, request: Request, *, body: bytes = b"") -> Iterable[Response]:
    """A registrar and callee that says yes to everything, with digest."""
    if request.method == "ACK":
        return
    if request.method in ("REGISTER", "INVITE") and not authorized(request):
        yield challenge(server, request)
    elif request.method == "REGISTER":
        yield reply(server, request, 200, "OK", ("Contact", request.values("Contact")[0]), ("Server", "Script"))
    elif request.method == "INVITE":
        contact = ("Contact", f"<sip:callee@{server.address}>")
        yield reply(server, request, 180, "Ringing", contact)
        yield reply(server, request, 200, "OK", contact, body=body or session())
    else:
        yield reply(server, request, 200, "OK")
