"""A program for lab hosts: sockets that answer whatever they hear with their own port, like `2000/tcp`."""

from __future__ import annotations

import json
import selectors
import socket
import sys

IP_PKTINFO = 8  # linux/in.h; Python's socket module has no name for it before 3.14


def listening(transport: str, port: int, both: bool) -> socket.socket:
    """A socket on every address, of IPv4 alone or of both families."""
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(socket.AF_INET6 if both else socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if both:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind(("::" if both else "0.0.0.0", port))
    if transport == "tcp":
        sock.listen(64)
    return sock


def main(wanted: str) -> None:
    selector = selectors.DefaultSelector()
    for transport, port, both in json.loads(wanted):
        selector.register(listening(transport, port, both), selectors.EVENT_READ, f"{port}/{transport}".encode())
    print("listening", flush=True)
    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                if sock.type == socket.SOCK_STREAM:
                    with sock.accept()[0] as connection:
                        connection.sendall(key.data)
                else:
                    # The answer goes out from the address that was called, which the ancillary data tell.
                    _, called, _, peer = sock.recvmsg(2048, 256)
                    sock.sendmsg([key.data], called, 0, peer)
            except OSError:
                continue


if __name__ == "__main__":
    main(sys.argv[1])
