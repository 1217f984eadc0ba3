"""The sockets a call manager listens on."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from callgate.endpoint.network import TransportAddress

BACKLOG: Final = 1024


def listening_socket(listen: str, interface: str | None = None) -> socket.socket:
    """A listening TCP socket for `ADDRESS:PORT`.

    `*:2000` takes both families in one socket, `0.0.0.0:2000` IPv4 alone, `[::]:2000` IPv6 alone; an address binds to
    it; port 0 is any free one. With `interface` the socket takes only what comes in through it (SO_BINDTODEVICE,
    Linux). Raises ValueError for another form, OSError when the system refuses.
    """
    address, _, port = listen.rpartition(":")
    bracketed = address.startswith("[") and address.endswith("]")
    if not port.isdecimal() or int(port) > 65535 or not address or (":" in address and not bracketed):
        raise ValueError(f"{listen!r} is not ADDRESS:PORT, [ADDRESS]:PORT or *:PORT")
    dual = address == "*"
    sock = socket.socket(socket.AF_INET6 if dual or bracketed else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not dual))
        if interface is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        sock.bind(("::" if dual else address.strip("[]"), int(port)))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def told_address(name: tuple[Any, ...]) -> TransportAddress:
    """The address in what getsockname or getpeername says; one that is mapped into IPv6 becomes IPv4."""
    address = ip_address(name[0].partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return TransportAddress(address, name[1])
