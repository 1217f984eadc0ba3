"""Servers that are no TLS servers, or hostile ones: the handshake ends in bounded time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.endpoint.certificate_authority import Authority, issued
from tests.endpoint.loopback_endings import Serve
from tests.endpoint.tls_on_loopback import UNVERIFIED, over_tls, run, silent, tls_echo, why_not

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.tls import MAXIMUM_HANDSHAKE, secure


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return issued(tmp_path_factory.mktemp("authority"))


def garbage(connection: socket.socket) -> None:
    connection.recv(10)
    connection.sendall(b"SIP/2.0 400 Bad Request\r\n\r\n")
    connection.recv(100_000)


def half_close(connection: socket.socket) -> None:
    connection.recv(100_000)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def slow(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x03\x40\x00")
    while True:
        connection.sendall(b"\x02")
        time.sleep(0.02)


def endless(connection: socket.socket) -> None:
    """A handshake message of 16 MB, in records as large as they may be."""
    connection.sendall(b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(16380))
    while True:
        connection.sendall(b"\x16\x03\x03\x40\x00" + bytes(16384))


def reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def alert(connection: socket.socket) -> None:
    connection.recv(1)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x46")
    connection.recv(100_000)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (garbage, "the peer is no TLS server: it answered b'SIP/2.0 '"),
        (half_close, "the peer closed the connection during the TLS handshake"),
        (silent, "no TLS handshake within 0.4 s"),
        (slow, "no TLS handshake within 0.4 s"),
        (endless, ""),
        (reset, "no TLS session: 127.0.0.1:PORT: connection reset (RST)"),
        (alert, "no TLS version in common with the server (TLSV1_ALERT_PROTOCOL_VERSION)"),
    ],
)
def test_a_server_that_is_no_tls_server_ends_in_bounded_time(
    serve: Serve, server: Callable[[socket.socket], None], reason: str
) -> None:
    port = serve(server)
    began = time.monotonic()
    told = why_not(port, UNVERIFIED, within=0.4)
    assert time.monotonic() - began < 3
    assert told.startswith(reason.replace("PORT", str(port)))
    assert told.isascii()


class Scripted:
    """A stream whose peer says what it was given, then ends."""

    def __init__(self, pieces: list[bytes], *, again: bool = False) -> None:
        self.local = self.remote = TransportAddress(ip_address("127.0.0.1"), 2443)
        self.pieces = pieces
        self.again = again
        self.given = 0
        self.closed = False

    async def send(self, data: bytes) -> None:
        await asyncio.sleep(0)

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        piece = self.pieces[self.given % len(self.pieces)] if self.again or self.given < len(self.pieces) else b""
        self.given += 1
        return piece

    async def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


RECORDS = st.builds(
    lambda kind, body: bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body,
    st.sampled_from([20, 21, 22, 23]),
    st.binary(max_size=200),
)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=300) | RECORDS, max_size=5))
def test_whatever_a_server_says_only_a_named_failure_comes_of_it(pieces: list[bytes]) -> None:
    stream = Scripted(pieces)

    async def work() -> Ending:
        with pytest.raises(AttemptFailed) as failed:
            await secure(stream, UNVERIFIED, within=2)
        return failed.value.ending

    assert asyncio.run(work()) is Ending.TLS_FAILED
    assert stream.closed


def test_warnings_without_end_are_cut_off() -> None:
    """Alerts of level warning do not end a handshake by themselves."""
    stream = Scripted([b"\x15\x03\x03\x00\x02\x01\x5a" * 1000], again=True)

    async def work() -> str:
        with pytest.raises(AttemptFailed) as failed:
            await secure(stream, UNVERIFIED, within=5)
        return failed.value.text

    assert asyncio.run(work())
    assert stream.given * 7000 <= MAXIMUM_HANDSHAKE + 7000


def test_a_handshake_without_end_is_cut_off(
    serve: Serve, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callgate.endpoint.tls.MAXIMUM_HANDSHAKE", 400)
    assert why_not(serve(tls_echo(authority.server)), UNVERIFIED) == "no TLS handshake in 400 bytes"


def test_cancelled_in_the_handshake_nothing_stays_open(serve: Serve) -> None:
    async def work() -> None:
        task = asyncio.create_task(over_tls(serve(silent), UNVERIFIED))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())
