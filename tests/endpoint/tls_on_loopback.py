"""TLS to servers on loopback, and what is told when it fails."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any, TypeVar

import pytest
from tests.endpoint import loopback_endings
from tests.endpoint.certificate_authority import Pair

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sockets import LocalNetwork
from callgate.endpoint.tls import TlsByteStream, TlsFacts, TlsOptions, secure

Result = TypeVar("Result")
UNVERIFIED = TlsOptions(verify=False)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return loopback_endings.run(work, seconds=10)


def tls_echo(pair: Pair, change: Callable[[ssl.SSLContext], None] = lambda _: None) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    change(context)

    def echo(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as inside:
            while data := inside.recv(65536):
                inside.sendall(data)
            inside.unwrap()

    return echo


async def over_tls(port: int, options: TlsOptions, within: float = 5) -> TlsByteStream:
    stream = await LocalNetwork().connect(TransportAddress(ip_address("127.0.0.1"), port), within=5)
    return await secure(stream, options, within=within)


def why_not(port: int, options: TlsOptions, within: float = 5) -> str:
    async def work() -> str:
        with pytest.raises(AttemptFailed) as failed:
            await over_tls(port, options, within)
        assert failed.value.ending is Ending.TLS_FAILED
        return failed.value.text

    return run(work())


def asked_and_answered(port: int, options: TlsOptions, data: bytes = b"hello") -> tuple[bytes, TlsFacts]:
    async def work() -> tuple[bytes, TlsFacts]:
        stream = await over_tls(port, options)
        try:
            await stream.send(data)
            heard = b""
            while len(heard) < len(data):
                heard += await stream.receive()
            assert stream.remote.port == port
            assert stream.local.port != port
        finally:
            await stream.close()
            await stream.close()
        return heard, stream.session

    return run(work())


def silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass
