"""Streams, datagrams, TLS and audio through a relay: the same endings as from here."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.endpoint.loopback_endings import Serve, at, echo, ending_of
from tests.endpoint.relay_on_loopback import RELAY, run

from callgate.endpoint.attempt import AudioCount, Ending
from callgate.endpoint.audio import AudioChannel
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.relay import frames as relay
from callgate.endpoint.relay import sockets as relayed_sockets
from callgate.endpoint.relay.frames import CHANNELS
from callgate.endpoint.relay.network import RelayedNetwork
from callgate.endpoint.tls import TlsOptions, secure


def test_a_stream_goes_through_both_ways_and_to_its_end(serve: Serve, loopback: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100)[::-1])

    async def work() -> tuple[bytes, bytes]:
        async with RelayedNetwork(RELAY, "here") as network:
            remote = at(loopback, serve(answer, loopback))
            stream = await network.connect(remote, within=5)
            assert stream.remote == remote
            assert stream.local.address == remote.address
            await stream.send(b"hello")
            heard = await stream.receive(), await stream.receive()
            await stream.close()
            await stream.close()
            await network.confirm()
            return heard

    assert run(work()) == (b"olleh", b"")


@pytest.mark.parametrize("size", [relay.FRAME_BYTES, 3_000_000])
def test_much_data_goes_through_in_bounded_room(serve: Serve, size: int) -> None:
    data = os.urandom(size)

    async def work() -> bytes:
        async with RelayedNetwork(RELAY, "here") as network:
            stream = await network.connect(at("127.0.0.1", serve(echo)), within=5)
            sending = asyncio.create_task(stream.send(data))
            heard = bytearray()
            while len(heard) < size:
                heard += await stream.receive()
                assert network._unsent_bytes < 2 * relay.WINDOW
            await sending
            await stream.close()
            return bytes(heard)

    assert run(work()) == data


def test_one_send_arrives_as_one_segment(serve: Serve) -> None:
    pieces: list[int] = []

    def note(connection: socket.socket) -> None:
        while data := connection.recv(65536):
            pieces.append(len(data))
            connection.sendall(b".")

    async def work() -> None:
        async with RelayedNetwork(RELAY, "here") as network:
            stream = await network.connect(at("127.0.0.1", serve(note)), within=5)
            for size in (12, 20000):
                await stream.send(bytes(size))
                assert await stream.receive() == b"."
            await stream.close()

    run(work())
    assert pieces == [12, 20000]


def test_refusal_silence_and_reset_are_told_apart(serve: Serve, closed_port: Callable[..., int]) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def work(full: TransportAddress) -> list[tuple[Ending, str]]:
        async with RelayedNetwork(RELAY, "here") as network:
            stream = await network.connect(at("127.0.0.1", serve(reset)), within=5)
            await stream.send(b"x")
            found = [
                await ending_of(network.connect(at("127.0.0.1", closed_port()), within=5)),
                await ending_of(network.connect(full, within=0.2)),
                await ending_of(network.connect(at("fe80::1%nosuch0", 2000), within=5)),
                await ending_of(network.connect(at("0.0.0.0", 2000), within=5)),
                await ending_of(stream.receive()),
                await ending_of(stream.send(b"x")),
            ]
            await stream.close()
            assert (await ending_of(stream.receive()))[0] is Ending.FAILED_HERE
            return found

    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        found = run(work(at(*listener.getsockname())))
    assert [ending for ending, _ in found] == [
        Ending.REFUSED,
        Ending.NO_REPLY,
        Ending.NO_ROUTE,
        Ending.NO_ROUTE,
        Ending.RESET,
        Ending.RESET,
    ]
    assert found[2][1] == "[fe80::1%nosuch0]:2000: could not be sent out: ENODEV"


def test_datagrams_and_their_refusals_go_through(
    serve_datagrams: Serve, closed_port: Callable[..., int], loopback: str
) -> None:
    async def work() -> tuple[Ending, str]:
        async with RelayedNetwork(RELAY, "here") as network:
            remote = at(loopback, serve_datagrams(lambda datagram: [datagram, datagram[::-1]], loopback))
            sock = await network.datagrams(toward=remote)
            assert (sock.local.address, sock.local.port % 2) == (remote.address, 0)
            await sock.send(b"ping", remote)
            first, second = await sock.receive(), await sock.receive()
            assert {first.data, second.data} == {b"ping", b"gnip"}
            assert first.source == remote
            closed = at(loopback, closed_port(loopback))
            await sock.send(b"ping", closed)
            _, text = await ending_of(sock.receive())
            assert text == f"{closed}: ICMP port unreachable from {loopback}"
            other = at("::1" if loopback == "127.0.0.1" else "127.0.0.1", 9)
            assert (await ending_of(sock.send(b"", other)))[0] is Ending.NO_ROUTE
            assert (await ending_of(sock.send(bytes(70_000), remote)))[0] is Ending.FAILED_HERE
            await sock.close()
            await sock.close()
            return await ending_of(sock.receive())

    assert run(work())[0] is Ending.FAILED_HERE


def test_what_the_vantage_could_not_send_is_told_with_the_next_step() -> None:
    """A datagram that the kernel takes for too long, asked for by a frame: the vantage says so later."""

    async def work() -> tuple[Ending, Ending]:
        async with RelayedNetwork(RELAY, "here") as network:
            remote = at("127.0.0.1", 9)
            sock = await network.datagrams(toward=remote)
            await sock.send(bytes(65_520), remote)
            await network.confirm()
            sending, _ = await ending_of(sock.send(b"x", remote))
            await sock.send(bytes(65_520), remote)
            receiving, _ = await ending_of(sock.receive())
            await sock.close()
            return sending, receiving

    assert run(work()) == (Ending.FAILED_HERE, Ending.FAILED_HERE)


def test_tls_works_over_the_relay(serve: Serve, certificate: tuple[Path, Path]) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            echo(inside)

    async def work() -> bytes:
        async with RelayedNetwork(RELAY, "here") as network:
            stream = await network.connect(at("127.0.0.1", serve(answer)), within=5)
            inside = await secure(stream, TlsOptions(verify=False), within=5)
            await inside.send(b"hello")
            heard = await inside.receive()
            await inside.close()
            return heard

    assert run(work()) == b"hello"


def test_audio_keeps_its_pace_through_the_relay() -> None:
    async def work() -> tuple[AudioCount, AudioCount]:
        async with RelayedNetwork(RELAY, "here") as network:
            toward = at("127.0.0.1", 9)
            near, far = [AudioChannel(await network.datagrams(toward=toward)) for _ in range(2)]
            far.echo(near.local)
            near.transmit(far.local)
            await asyncio.sleep(0.5)
            await near.pause()
            await asyncio.sleep(0.1)
            return await near.close(), await far.close()

    near, far = run(work())
    assert 20 <= near.sent <= 27
    assert near.echoed == near.received == far.sent == near.sent
    assert near.stray == far.stray == 0


def test_a_silent_peer_and_a_peer_that_takes_in_nothing_end_in_bounded_time(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relayed_sockets, "SEND_SECONDS", 0.3)
    done = threading.Event()
    ends: list[str] = []

    def ignore(connection: socket.socket) -> None:
        done.wait(5)
        try:
            while connection.recv(1 << 20):
                pass
            ends.append("eof")
        except ConnectionResetError:
            ends.append("reset")

    async def work() -> Ending:
        async with RelayedNetwork(RELAY, "here") as network:
            stream = await network.connect(at("127.0.0.1", serve(ignore)), within=5)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await stream.receive()
            ending, _ = await ending_of(stream.send(bytes(1 << 24)))
            assert (await ending_of(stream.send(b"more")))[0] is Ending.FAILED_HERE
            await stream.close()
            await network.confirm()
            done.set()
            return ending

    assert run(work()) is Ending.SILENT
    while not ends:
        time.sleep(0.01)
    assert ends == ["reset"]


def test_closing_and_ending_wake_who_waits(serve: Serve) -> None:
    async def work() -> list[Ending]:
        found = []
        async with RelayedNetwork(RELAY, "here") as network:
            port = serve(echo)
            stream = await network.connect(at("127.0.0.1", port), within=5)
            receiving = asyncio.create_task(ending_of(stream.receive()))
            await asyncio.sleep(0.02)
            await stream.close()
            found.append((await receiving)[0])
            other = await network.connect(at("127.0.0.1", port), within=5)
            sock = await network.datagrams(toward=at("127.0.0.1", port))
            tasks = [asyncio.create_task(ending_of(waiting.receive())) for waiting in (other, sock)]
            await asyncio.sleep(0.02)
        found += [(await task)[0] for task in tasks]
        for late in (other.send(b"x"), sock.send(b"x", at("127.0.0.1", port)), network.confirm()):
            found.append((await ending_of(late))[0])
        await other.close()
        await sock.close()
        return found

    assert set(run(work())) == {Ending.FAILED_HERE}


def test_more_channels_than_the_relay_carries_fail_here_and_closed_ones_make_room() -> None:
    async def work() -> tuple[Ending, str]:
        async with RelayedNetwork(RELAY, "here") as network:
            toward = at("127.0.0.1", 9)
            sockets = await asyncio.gather(*(network.datagrams(toward=toward) for _ in range(CHANNELS)))
            found = await ending_of(network.datagrams(toward=toward))
            await sockets[0].close()
            await (await network.datagrams(toward=toward)).close()
            return found

    ending, text = run(work())
    assert ending is Ending.FAILED_HERE
    assert text == "here: the relay carries 64 connections and sockets at most"
