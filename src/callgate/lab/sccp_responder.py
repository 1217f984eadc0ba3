"""A small SCCP server; a program, run on a lab host by `callgate.lab.sccp` or by hand.

    python -m callgate.lab.sccp_responder --listen '*:2000'

It answers a KeepAlive from anyone, as call managers do before a phone registers, and ignores every other message. A
message whose length field is below 4 or above 2000 ends the connection, and so do 30 s without a whole message.
Prints `ready ADDRESS:PORT ...` on stdout when all sockets listen. Standard library only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import ssl
from typing import Final

KEEPALIVE: Final = 0x0000
KEEPALIVE_ACK: Final = bytes.fromhex("04000000 00000000 00010000")
SHORTEST: Final = 4
LONGEST: Final = 2000
"""Bounds of the length field, which counts the message id (4 bytes) and the body, not the 8 bytes before them."""
HEADER: Final = 8
CALLERS: Final = 1000
"""Connections served at once; one more is closed at once."""


def listening_socket(listen: str, device: str | None) -> socket.socket:
    """A listening TCP socket for `ADDRESS:PORT`.

    `*:2000` takes both families in one socket, `0.0.0.0:2000` IPv4 alone, `[::]:2000` IPv6 alone; an address binds to
    it. With `device` the socket takes only what comes in through that interface (SO_BINDTODEVICE). Raises ValueError
    for another form, OSError when the system refuses.
    """
    address, _, port = listen.rpartition(":")
    bracketed = address.startswith("[") and address.endswith("]")
    if not port.isdecimal() or not address or (":" in address and not bracketed):
        raise ValueError(f"{listen!r} is not ADDRESS:PORT, [ADDRESS]:PORT or *:PORT")
    dual = address == "*"
    sock = socket.socket(socket.AF_INET6 if dual or bracketed else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not dual))
        if device is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        sock.bind(("::" if dual else address.strip("[]"), int(port)))
        sock.listen(128)
    except BaseException:
        sock.close()
        raise
    return sock


class Responder:
    """Serves callers: `silent` reads and never answers; `idle` is the seconds a caller has for each message."""

    def __init__(self, *, silent: bool, idle: float) -> None:
        self.silent = silent
        self.idle = idle
        self._callers = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one caller to the end of its connection."""
        self._callers += 1
        try:
            if self._callers <= CALLERS:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                    while True:
                        await asyncio.wait_for(self._message(reader, writer), self.idle)
        finally:
            self._callers -= 1
            writer.close()

    async def _message(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one message and answer it; raises ValueError when its length cannot be."""
        header = await reader.readexactly(HEADER)
        length = int.from_bytes(header[:4], "little")
        if not SHORTEST <= length <= LONGEST:
            raise ValueError(f"length {length}")
        message = await reader.readexactly(length)
        if int.from_bytes(message[:4], "little") == KEEPALIVE and not self.silent:
            writer.write(KEEPALIVE_ACK)
            await writer.drain()


async def respond(arguments: argparse.Namespace) -> None:
    """Listen and serve until killed."""
    responder = Responder(silent=arguments.silent, idle=arguments.idle)
    context = None
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate, arguments.key)
    names = []
    async with contextlib.AsyncExitStack() as servers:
        for listen in arguments.listen:
            sock = listening_socket(listen, arguments.device)
            server = await asyncio.start_server(responder.serve, sock=sock, ssl=context, limit=4096)
            await servers.enter_async_context(server)
            names.append(f"{listen.rpartition(':')[0]}:{sock.getsockname()[1]}")
        print("ready", *names, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Read the command line and serve; ends with 2 when it or a socket is wrong."""
    parser = argparse.ArgumentParser(prog="sccp_responder", description="A small SCCP server for tests.")
    parser.add_argument("--listen", action="append", help="ADDRESS:PORT; may be repeated (default *:2000)")
    parser.add_argument("--device", help="take only what comes in through this interface")
    parser.add_argument("--silent", action="store_true", help="accept, and never answer")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds a caller has for each message")
    parser.add_argument("--certificate", help="serve TLS with this certificate (PEM)")
    parser.add_argument("--key", help="the certificate's private key (PEM), when in a file of its own")
    arguments = parser.parse_args()
    arguments.listen = arguments.listen or ["*:2000"]
    try:
        asyncio.run(respond(arguments))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
