"""Joins stdin and stdout to a TCP connection; a program, run on a lab host as ssh's ProxyCommand.

    relay.py ADDRESS PORT HOLDER

Ends when the other side closes, with 0; with 1 when it cannot be reached, or when the process HOLDER ends: the relay
shares its network but not its PID namespace, and must not outlive it. (Inside, its remains would be the machine's to
reap whenever ssh ends it, and the namespace could not go before.) Standard library only, started with `-I -S`.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from contextlib import suppress

CONNECT_WITHIN = 10.0
CHUNK = 1 << 16


def main(address: str, port: str, holder: str) -> int:
    """Relay until the other side closes."""
    try:
        threading.Thread(target=_end_with, args=(os.pidfd_open(int(holder)),), daemon=True).start()
        sock = socket.create_connection((address, int(port)), CONNECT_WITHIN)
    except OSError as error:
        print(f"connect to {address} port {port}: {error.strerror or error}", file=sys.stderr)
        return 1
    sock.settimeout(None)
    threading.Thread(target=_upwards, args=(sock,), daemon=True).start()
    with suppress(OSError):  # a reset, or nobody reads our stdout any more
        while received := sock.recv(CHUNK):
            while received:
                received = received[os.write(1, received) :]
    return 0


def _end_with(holder: int) -> None:
    select.select([holder], [], [])
    os._exit(1)


def _upwards(sock: socket.socket) -> None:
    with suppress(OSError):
        while given := os.read(0, CHUNK):
            sock.sendall(given)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # the other threads may be held in a read
