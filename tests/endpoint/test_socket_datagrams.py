"""This machine's datagram sockets against real servers on loopback: answers, refusals, the other family."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.endpoint.loopback_endings import Serve, at, ending_of, run

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.sockets import LocalNetwork


def test_datagrams_leave_from_an_even_port_of_the_right_address(serve_datagrams: Serve, loopback: str) -> None:
    async def work() -> None:
        remote = at(loopback, serve_datagrams(lambda datagram: [datagram, datagram[::-1]], loopback))
        sockets = [await LocalNetwork().datagrams(toward=remote) for _ in range(8)]
        for sock in sockets:
            assert sock.local.port % 2 == 0
            assert sock.local.address == remote.address
            await sock.send(b"ping", remote)
            first, second = await sock.receive(), await sock.receive()
            assert {first.data, second.data} == {b"ping", b"gnip"}
            assert first.source == remote
        for sock in sockets:
            await sock.close()
            await sock.close()
            assert (await ending_of(sock.receive()))[0] is Ending.FAILED_HERE
            assert (await ending_of(sock.send(b"", remote)))[0] is Ending.FAILED_HERE

    run(work())


def test_a_closed_datagram_port_is_refused_though_the_socket_is_not_connected(
    closed_port: Callable[..., int], loopback: str
) -> None:
    remote = at(loopback, closed_port(loopback))

    async def work() -> tuple[Ending, str]:
        sock = await LocalNetwork().datagrams(toward=remote)
        await sock.send(b"ping", remote)
        found = await ending_of(sock.receive())
        with pytest.raises(TimeoutError):  # once for each datagram
            async with asyncio.timeout(0.05):
                await sock.receive()
        await sock.close()
        return found

    ending, text = run(work())
    assert ending is Ending.REFUSED
    assert text == f"{remote}: ICMP port unreachable from {loopback}"


def test_refused_datagrams_do_not_stop_the_sender_nor_hide_the_answers(
    serve_datagrams: Serve, closed_port: Callable[..., int]
) -> None:
    closed = at("127.0.0.1", closed_port())

    async def work() -> tuple[int, int]:
        remote = at("127.0.0.1", serve_datagrams(lambda datagram: [datagram]))
        sock = await LocalNetwork().datagrams(toward=remote)
        for _ in range(10):
            await sock.send(b"to nobody", closed)
            await sock.send(b"to someone", remote)
        answers = refusals = 0
        while answers < 10:
            try:
                datagram = await sock.receive()
            except AttemptFailed as failure:
                refusals += failure.ending is Ending.REFUSED
            else:
                answers += datagram.data == b"to someone"
        await sock.close()
        return answers, refusals

    answers, refusals = run(work())
    assert answers == 10
    assert refusals >= 1


def test_a_socket_of_one_family_cannot_reach_the_other() -> None:
    async def work() -> tuple[Ending, str]:
        sock = await LocalNetwork().datagrams(toward=at("127.0.0.1", 5060))
        found = await ending_of(sock.send(b"x", at("::1", 5060)))
        too_long, _ = await ending_of(sock.send(bytes(65536), at("127.0.0.1", 5060)))
        assert too_long is Ending.FAILED_HERE
        await sock.close()
        return found

    assert run(work()) == (Ending.NO_ROUTE, "[::1]:5060: cannot be reached from 127.0.0.1")
