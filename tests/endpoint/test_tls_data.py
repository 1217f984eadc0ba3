"""Data over TLS against real servers: versions, records, the end, nothing lost."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from tests.endpoint.certificate_authority import Authority, issued
from tests.endpoint.loopback_endings import Serve
from tests.endpoint.tls_on_loopback import UNVERIFIED, asked_and_answered, over_tls, run, tls_echo, why_not

from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sockets import LocalNetwork
from callgate.endpoint.tls import TlsOptions, secure


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return issued(tmp_path_factory.mktemp("authority"))


def only(version: ssl.TLSVersion) -> Callable[[ssl.SSLContext], None]:
    def change(context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if version is not ssl.TLSVersion.TLSv1_3:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version

    return change


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_spoken_only_unverified(serve: Serve, authority: Authority) -> None:
    port = serve(tls_echo(authority.server, only(ssl.TLSVersion.TLSv1)))
    assert asked_and_answered(port, UNVERIFIED)[1].version == "TLSv1"
    reason = why_not(port, TlsOptions(ca=authority.ca.certificate))
    assert reason.startswith("no TLS version in common with the server (")


@pytest.mark.parametrize("data", [b"x", bytes(16384), os.urandom(300_000)], ids=len)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_data_of_any_size_goes_both_ways(
    serve: Serve, authority: Authority, version: ssl.TLSVersion, data: bytes
) -> None:
    heard, facts = asked_and_answered(serve(tls_echo(authority.server, only(version))), UNVERIFIED, data)
    assert heard == data
    assert facts.version.replace(".", "_") == version.name


class Recorded:
    """A stream that notes each write."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.writes: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def send(self, data: bytes) -> None:
        self.writes.append(data)
        await self.inner.send(data)


def test_one_send_is_one_record_and_one_write(serve: Serve, authority: Authority) -> None:
    async def work() -> list[bytes]:
        port = serve(tls_echo(authority.server))
        stream = Recorded(await LocalNetwork().connect(TransportAddress(ip_address("127.0.0.1"), port), within=5))
        secured = await secure(stream, UNVERIFIED, within=5)
        del stream.writes[:]
        for size in (12, 3000):
            await secured.send(bytes(size))
        await secured.close()
        return stream.writes

    writes = run(work())
    assert [data[:3] for data in writes[:2]] == [b"\x17\x03\x03"] * 2
    assert [int.from_bytes(data[3:5], "big") for data in writes[:2]] == [len(data) - 5 for data in writes[:2]]


def test_the_servers_end_is_the_end_with_goodbye_and_without(serve: Serve, authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.certificate, authority.server.key)

    def polite(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            inside.sendall(b"bye")
            inside.unwrap()

    def curt(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            inside.sendall(b"bye")
            inside.shutdown(socket.SHUT_WR)

    async def work(port: int) -> tuple[bytes, bytes, bytes]:
        stream = await over_tls(port, UNVERIFIED)
        heard = await stream.receive(), await stream.receive(), await stream.receive()
        await stream.close()
        return heard

    for behaviour in (polite, curt):
        assert run(work(serve(behaviour))) == (b"bye", b"", b"")


def test_closing_says_goodbye_before_fin(serve: Serve, authority: Authority) -> None:
    seen: list[object] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.certificate, authority.server.key)

    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF

    def note(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as inside:
            seen.append(inside.recv(10))  # b"" only after close_notify
            seen.append("done")

    async def work() -> None:
        stream = await over_tls(serve(note), UNVERIFIED)
        await stream.close()

    run(work())
    assert seen == [b"", "done"]


def test_a_cancelled_read_loses_nothing(serve: Serve, authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.certificate, authority.server.key)

    def dribble(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            for number in range(100):
                inside.sendall(bytes([number]))
                time.sleep(0.001)
            inside.unwrap()

    async def work() -> bytes:
        stream = await over_tls(serve(dribble), UNVERIFIED)
        heard = b""
        while True:
            try:
                async with asyncio.timeout(0.0007):
                    data = await stream.receive()
            except TimeoutError:
                continue
            if not data:
                break
            heard += data
        await stream.close()
        return heard

    assert run(work()) == bytes(range(100))
