"""What the prober does on the wire."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest

from callgate.endpoint import prober

Serve = Callable[..., int]
KEEPALIVE = bytes.fromhex("040000000000000000000000")


def order(port: int, transport: str = "tcp", payload: bytes = b"", **fields: object) -> dict[str, Any]:
    terms: dict[str, object] = {
        "key": f"{transport} {port}",
        "address": "127.0.0.1",
        "port": port,
        "transport": transport,
        "payload": base64.b64encode(payload).decode(),
        "connect_seconds": 1.0,
        "wait_seconds": 0.4,
        "attempts": 2,
        "server_name": None,
    }
    return terms | fields


def test_the_payload_comes_in_one_piece_and_the_connection_ends_in_order(serve: Serve) -> None:
    pieces: Queue[bytes] = Queue()

    def listen(connection: socket.socket) -> None:
        while piece := connection.recv(4096):
            pieces.put(piece)
        pieces.put(b"EOF")

    (seen,) = prober.run([order(serve(listen), payload=KEEPALIVE)])
    assert seen["closed"] == "open"
    assert [pieces.get(timeout=5), pieces.get(timeout=5)] == [KEEPALIVE, b"EOF"]


def test_bytes_under_way_at_the_end_meet_no_reset(serve: Serve) -> None:
    ends: Queue[str] = Queue()

    def talk_late(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.recv(4096)  # the prober's FIN
        try:
            for _ in range(3):
                connection.sendall(b"late")
                time.sleep(0.02)
            connection.shutdown(socket.SHUT_WR)
            ends.put("no reset" if connection.recv(4096) == b"" else "data")
        except ConnectionError as error:
            ends.put(repr(error))

    (seen,) = prober.run([order(serve(talk_late), payload=KEEPALIVE)])
    assert ends.get(timeout=5) == "no reset"
    assert seen["received"] == []


def test_an_observation_tells_source_and_time(serve: Serve) -> None:
    def answer_late(connection: socket.socket) -> None:
        time.sleep(0.2)
        connection.sendall(b"hello")
        connection.recv(1)

    (seen,) = prober.run([order(serve(answer_late))])
    assert seen["source"] == "127.0.0.1"
    assert seen["received"] == [base64.b64encode(b"hello").decode()]
    assert 200 <= seen["milliseconds"] < 400


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_an_answer_ends_the_wait_early(serve: Serve, serve_datagrams: Serve, transport: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(connection.recv(4096))
        connection.recv(1)

    port = serve(answer) if transport == "tcp" else serve_datagrams(lambda request: [request])
    started = time.monotonic()
    (seen,) = prober.run([order(port, transport, b"?", wait_seconds=5.0)])
    assert seen["received"] == ["Pw=="]
    assert prober.SETTLE_SECONDS <= time.monotonic() - started < 2.0


def test_an_endless_stream_is_bounded_in_size_and_time(serve: Serve) -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    started = time.monotonic()
    (seen,) = prober.run([order(serve(flood), wait_seconds=5.0)])
    assert len(base64.b64decode(seen["received"][0])) == prober.MAXIMUM_RECEIVED
    assert time.monotonic() - started < 2.0


def test_a_slow_trickle_ends_with_the_wait(serve: Serve) -> None:
    def trickle(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b".")
            time.sleep(0.05)

    started = time.monotonic()
    (seen,) = prober.run([order(serve(trickle), wait_seconds=0.6)])
    assert time.monotonic() - started < 2.0
    assert 5 <= len(base64.b64decode(seen["received"][0])) <= 13


def test_exchanges_run_at_once_and_come_back_in_order(serve: Serve, serve_datagrams: Serve) -> None:
    def listen(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.recv(4096)

    stream, datagrams = serve(listen), serve_datagrams(lambda _: [])
    orders = [order(stream, key=f"{n}", payload=b"x") for n in range(10)]
    orders += [order(datagrams, "udp", key=f"{n}") for n in range(10, 40)]
    started = time.monotonic()
    seen = prober.run(orders)
    assert time.monotonic() - started < 3.0, "one after the other it would take 16 s"
    assert [observation["key"] for observation in seen] == [f"{n}" for n in range(40)]
    assert {observation["outcome"] for observation in seen[:10]} == {"connected"}
    assert {observation["outcome"] for observation in seen[10:]} == {"timeout"}


def test_every_datagram_is_kept_apart(serve_datagrams: Serve) -> None:
    port = serve_datagrams(lambda _: [b"one", b"", b"two"])
    (seen,) = prober.run([order(port, "udp", b"?")])
    assert [base64.b64decode(datagram) for datagram in seen["received"]] == [b"one", b"", b"two"]
    assert seen["outcome"] == "connected"
    assert seen["closed"] is None


def test_a_datagram_flood_is_bounded(serve_datagrams: Serve) -> None:
    many = serve_datagrams(lambda _: [b"x"] * 100)
    large = serve_datagrams(lambda _: [b"x" * 60000] * 3)
    few, heavy = prober.run([order(many, "udp", b"?"), order(large, "udp", b"?")])
    assert len(few["received"]) == prober.MAXIMUM_DATAGRAMS
    assert sum(len(base64.b64decode(one)) for one in heavy["received"]) == prober.MAXIMUM_RECEIVED


def test_the_last_datagram_reply_may_come_late(serve_datagrams: Serve) -> None:
    asked: list[bytes] = []

    def second_time(request: bytes) -> list[bytes]:
        asked.append(request)
        return [b"yes"] if len(asked) == 2 else []

    (seen,) = prober.run([order(serve_datagrams(second_time), "udp", b"?")])
    assert seen["outcome"] == "connected"
    assert seen["milliseconds"] >= 200


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("address", "outcome", "detail"),
    [
        ("localhost", "error", "gaierror"),  # names are never looked up
        ("255.255.255.255", "no-route", ("EACCES", "ENETUNREACH")),
    ],
)
def test_what_cannot_be_sent_is_told(transport: str, address: str, outcome: str, detail: str | tuple[str, ...]) -> None:
    (seen,) = prober.run([order(2000, transport, b"?", address=address)])
    assert seen["outcome"] == outcome
    assert seen["detail"] in detail
    assert seen["source"] is None


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_probe_that_meets_itself_proves_nothing(monkeypatch: pytest.MonkeyPatch, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class Bound(socket.socket):
        """The kernel picks the asked port as source, as it may."""

        def __init__(self, family: int, kind: int) -> None:
            super().__init__(family, kind)
            self.bind(("127.0.0.1", port))

    monkeypatch.setattr(socket, "socket", Bound)
    (seen,) = prober.run([order(port, "tcp" if kind is socket.SOCK_STREAM else "udp", b"?")])
    assert (seen["outcome"], seen["detail"]) == ("error", "EADDRINUSE")
