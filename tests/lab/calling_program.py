"""A program for lab hosts: calls many ports at once, and prints the first bytes of every answer."""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time


def calling(address: str, port: str) -> socket.socket:
    number, _, transport = port.partition("/")
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.setblocking(False)
    sock.connect_ex((address, int(number)))
    if transport == "udp":
        sock.send(b"?")
    return sock


def main(calls: str, seconds: str) -> None:
    selector = selectors.DefaultSelector()
    for address, port in json.loads(calls):
        selector.register(calling(address, port), selectors.EVENT_READ, (address, port))
    deadline = time.monotonic() + float(seconds)
    answers = []
    while selector.get_map() and (left := deadline - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            selector.unregister(sock)
            try:
                answer = sock.recv(64).decode()
            except OSError:
                continue
            if answer:
                answers.append((*key.data, answer))
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
