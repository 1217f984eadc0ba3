"""Addresses that this machine's sockets start from and go to, and those that lead nowhere."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from tests.endpoint.loopback_endings import Serve, at, echo, ending_of, run

from callgate.endpoint.attempt import Ending
from callgate.endpoint.network import Address, TransportAddress
from callgate.endpoint.open_socket import address_of
from callgate.endpoint.sockets import LINGER_BYTES, LocalNetwork


def test_a_connection_to_oneself_is_no_answer() -> None:
    """A kernel that picks the very port it is to reach connects a socket to itself."""

    class Repeats(LocalNetwork):
        def _socket(self, kind: socket.SocketKind, remote: TransportAddress) -> socket.socket:
            sock = super()._socket(kind, remote)
            sock.bind((str(remote.address), remote.port))
            return sock

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        remote = at(*free.getsockname())
    assert run(ending_of(Repeats().connect(remote, within=5))) == (
        Ending.FAILED_HERE,
        f"{remote}: the kernel gave this end the very port it asks",
    )


@pytest.mark.parametrize(
    ("remote", "text"),
    [
        (at("0.0.0.0", 2000), "0.0.0.0:2000 is no host's address"),
        (at("::", 2000), "[::]:2000 is no host's address"),
        (at("fe80::1", 2000), "[fe80::1]:2000: a link-local address needs its zone, like fe80::1%eth0"),
        (at("fe80::1%nosuch0", 2000), "[fe80::1%nosuch0]:2000: there is no interface nosuch0"),
    ],
)
def test_addresses_that_lead_nowhere_have_no_route(remote: TransportAddress, text: str) -> None:
    assert run(ending_of(LocalNetwork().connect(remote, within=5))) == (Ending.NO_ROUTE, text)
    assert run(ending_of(LocalNetwork().datagrams(toward=remote))) == (Ending.NO_ROUTE, text)


def test_the_source_address_is_used(serve: Serve) -> None:
    peers: list[str] = []

    def note(connection: socket.socket) -> None:
        peers.append(connection.getpeername()[0])
        echo(connection)

    async def work() -> tuple[Address, Address]:
        network = LocalNetwork(IPv4Address("127.0.0.9"))
        remote = at("127.0.0.1", serve(note))
        stream = await network.connect(remote, within=5)
        datagrams = await network.datagrams(toward=remote)
        own = stream.local.address, datagrams.local.address
        await stream.send(b"x")
        await stream.receive()
        await stream.close()
        await datagrams.close()
        return own

    assert run(work()) == (IPv4Address("127.0.0.9"),) * 2
    assert peers == ["127.0.0.9"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("192.0.2.77", "cannot send from 192.0.2.77: EADDRNOTAVAIL"),
        ("::1", "127.0.0.1:2000 cannot be reached from ::1: one is IPv4, the other IPv6"),
    ],
)
def test_a_source_that_is_not_here_fails_here(source: str, text: str) -> None:
    network = LocalNetwork(ip_address(source))
    expected = (Ending.FAILED_HERE, text)
    assert run(ending_of(network.connect(at("127.0.0.1", 2000), within=5))) == expected
    assert run(ending_of(network.datagrams(toward=at("127.0.0.1", 2000)))) == expected


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRINUSE])
def test_what_this_machine_lacks_fails_here(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def lacks(*arguments: object) -> socket.socket:
        raise OSError(number, "")

    async def work() -> tuple[Ending, Ending]:
        with monkeypatch.context() as patch:
            patch.setattr("callgate.endpoint.sockets.socket.socket", lacks)
            stream, _ = await ending_of(LocalNetwork().connect(at("127.0.0.1", 2000), within=5))
            datagrams, _ = await ending_of(LocalNetwork().datagrams(toward=at("127.0.0.1", 2000)))
        return stream, datagrams

    assert run(work()) == (Ending.FAILED_HERE, Ending.FAILED_HERE)


def test_the_zone_of_an_address_is_named_by_its_interface() -> None:
    index = socket.if_nametoindex("lo")
    assert address_of(("fe80::1", 7, 0, index)) == TransportAddress(IPv6Address("fe80::1%lo"), 7)
    assert address_of(("fe80::1%lo", 7, 0, index)) == TransportAddress(IPv6Address("fe80::1%lo"), 7)
    assert address_of(("2001:db8::1", 7, 0, 0)) == at("2001:db8::1", 7)
    assert LINGER_BYTES <= 1 << 20
