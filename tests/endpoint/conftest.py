"""Servers of every kind on loopback, each on a free port, ended with the test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

Behaviour = Callable[[socket.socket], None]
PATIENCE = 5.0
"""Seconds after which a server of a test gives up."""


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bound(kind: socket.SocketKind, host: str) -> socket.socket:
    sock = socket.socket(_family(host), kind)
    try:
        sock.bind((host, 0))
    except OSError as error:
        sock.close()
        if ":" in host:
            pytest.skip(f"no IPv6 loopback: {error}")
        raise
    return sock


@pytest.fixture(params=["127.0.0.1", "::1"])
def loopback(request: pytest.FixtureRequest) -> str:
    """Both families, one after the other."""
    return str(request.param)


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """`serve(behaviour, host)` starts a TCP server and returns its port; the behaviour gets each connection."""
    with ExitStack() as stack:

        def start(behaviour: Behaviour, host: str = "127.0.0.1") -> int:
            listener = stack.enter_context(_bound(socket.SOCK_STREAM, host))
            listener.listen(16)
            connections: list[threading.Thread] = []

            def handle(connection: socket.socket) -> None:
                with connection, suppress(OSError):
                    connection.settimeout(PATIENCE)
                    behaviour(connection)

            def accept() -> None:
                with suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        connections.append(threading.Thread(target=handle, args=(connection,)))
                        connections[-1].start()

            acceptor = threading.Thread(target=accept)
            acceptor.start()

            def stop() -> None:
                listener.shutdown(socket.SHUT_RDWR)
                acceptor.join(PATIENCE)
                for thread in connections:
                    thread.join(2 * PATIENCE)
                assert not any(thread.is_alive() for thread in (acceptor, *connections))

            stack.callback(stop)
            return int(listener.getsockname()[1])

        yield start


@pytest.fixture
def serve_datagrams() -> Iterator[Callable[..., int]]:
    """`serve_datagrams(replies, host)` starts a UDP server; `replies` makes a list of datagrams of each one."""
    with ExitStack() as stack:

        def start(replies: Callable[[bytes], list[bytes]], host: str = "127.0.0.1") -> int:
            sock = stack.enter_context(_bound(socket.SOCK_DGRAM, host))
            sock.settimeout(0.1)
            stopped = threading.Event()

            def loop() -> None:
                while not stopped.is_set():
                    with suppress(OSError):
                        datagram, peer = sock.recvfrom(65536)
                        for reply in replies(datagram):
                            sock.sendto(reply, peer)

            thread = threading.Thread(target=loop)
            thread.start()

            def stop() -> None:
                stopped.set()
                thread.join(PATIENCE)
                assert not thread.is_alive()

            stack.callback(stop)
            return int(sock.getsockname()[1])

        yield start


@pytest.fixture
def closed_port() -> Iterator[Callable[..., int]]:
    """`closed_port(host)` returns a TCP and UDP port nothing listens on, held until the end of the test."""
    with ExitStack() as stack:

        def hold(host: str = "127.0.0.1") -> int:
            # Bound, but neither listening nor connected to the prober: nobody else gets the port.
            for _ in range(20):
                tcp = stack.enter_context(_bound(socket.SOCK_STREAM, host))
                udp = stack.enter_context(socket.socket(_family(host), socket.SOCK_DGRAM))
                port = int(tcp.getsockname()[1])
                with suppress(OSError):  # another program has the UDP port of that number
                    udp.bind((host, port))
                    udp.connect((host, 9))
                    return port
            raise AssertionError("no port is free for TCP and UDP")

        yield hold


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate and its key, PEM."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is missing")
    folder = tmp_path_factory.mktemp("certificate")
    made, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=callgate-test", "-days", "2"]
    key_kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [openssl, "req", "-x509", *key_kind, *subject, "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return made, key
