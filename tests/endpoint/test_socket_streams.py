"""This machine's streams against real servers on loopback: each way one ends, and nothing left open."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

import pytest
from tests.endpoint.loopback_endings import Serve, at, echo, ending_of, run

from callgate.endpoint.attempt import Ending
from callgate.endpoint.network import ByteStream, TransportAddress
from callgate.endpoint.sockets import LocalNetwork


def reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_what_is_sent_comes_back_and_the_peers_end_is_the_end(serve: Serve, loopback: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100))

    async def work() -> tuple[bytes, bytes, TransportAddress]:
        stream = await LocalNetwork().connect(at(loopback, serve(answer, loopback)), within=5)
        await stream.send(b"hello")
        heard = await stream.receive()
        end = await stream.receive()
        assert stream.remote.address == stream.local.address == ip_address(loopback)
        assert stream.remote.port != stream.local.port
        await stream.close()
        return heard, end, stream.local

    heard, end, _ = run(work())
    assert (heard, end) == (b"hello", b"")


def test_one_send_arrives_as_one_segment(serve: Serve) -> None:
    pieces: list[bytes] = []

    def note(connection: socket.socket) -> None:
        while data := connection.recv(65536):
            pieces.append(data)
            connection.sendall(b".")

    async def work() -> None:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(note)), within=5)
        for size in (12, 1000, 20000):
            await stream.send(bytes(size))
            assert await stream.receive() == b"."
        await stream.close()

    run(work())
    assert [len(piece) for piece in pieces] == [12, 1000, 20000]


def test_a_closed_port_is_refused(closed_port: Callable[..., int], loopback: str) -> None:
    remote = at(loopback, closed_port(loopback))
    assert run(ending_of(LocalNetwork().connect(remote, within=5))) == (
        Ending.REFUSED,
        f"{remote}: connection refused (RST)",
    )


def test_a_listener_that_takes_no_more_gives_no_reply() -> None:
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        remote = at(*listener.getsockname())
        began = time.monotonic()
        assert run(ending_of(LocalNetwork().connect(remote, within=0.3))) == (
            Ending.NO_REPLY,
            f"{remote}: no reply to the connection request in 0.3 s",
        )
        assert 0.3 <= time.monotonic() - began < 2


def test_a_reset_is_told_from_an_end(serve: Serve) -> None:
    async def work() -> tuple[Ending, str]:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(reset)), within=5)
        await stream.send(b"x")
        found = await ending_of(stream.receive())
        await stream.close()
        return found

    ending, text = run(work())
    assert ending is Ending.RESET
    assert text.endswith("connection reset (RST)")


def test_sending_to_a_peer_that_is_gone_is_a_reset(serve: Serve) -> None:
    async def work() -> Ending:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(reset)), within=5)

        async def insist() -> None:
            while True:
                await stream.send(b"x")
                await asyncio.sleep(0.01)

        ending, _ = await ending_of(insist())
        await stream.close()
        return ending

    assert run(work()) is Ending.RESET


def test_a_peer_that_takes_in_nothing_is_silent_and_then_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate.endpoint.sockets.SEND_SECONDS", 0.2)
    done = threading.Event()
    ends: list[object] = []

    def ignore(connection: socket.socket) -> None:
        done.wait(5)
        try:
            while connection.recv(1 << 20):
                pass
            ends.append("eof")
        except ConnectionResetError:
            ends.append("reset")

    async def work() -> tuple[Ending, Ending]:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(ignore)), within=5)
        first, _ = await ending_of(stream.send(bytes(1 << 24)))
        second, _ = await ending_of(stream.send(b"more"))
        await stream.close()
        done.set()
        return first, second

    assert run(work()) == (Ending.SILENT, Ending.FAILED_HERE)
    while not ends:
        time.sleep(0.01)
    assert ends == ["reset"]  # half a message is never followed by FIN


def test_no_byte_is_lost_when_a_wait_is_over_too_early(serve: Serve) -> None:
    def dribble(connection: socket.socket) -> None:
        for number in range(200):
            connection.sendall(bytes([number]))
            time.sleep(0.001)

    async def work() -> bytes:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(dribble)), within=5)
        heard = bytearray()
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
        return bytes(heard)

    assert run(work()) == bytes(range(200))


def test_a_peer_that_never_ends_does_not_hold_up_the_rest(serve: Serve) -> None:
    def pour(connection: socket.socket) -> None:
        while True:
            connection.sendall(bytes(65536))

    async def work() -> float:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(pour)), within=5)
        began = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while await stream.receive():
                    pass
                raise AssertionError("it ended")
        await stream.close()
        return time.monotonic() - began

    assert run(work()) < 2.5


def test_others_have_their_turn_before_what_has_come_already_is_received(serve: Serve) -> None:
    turns: list[str] = []

    async def work() -> None:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(echo)), within=5)
        sock = await LocalNetwork().datagrams(toward=stream.local)
        await stream.send(bytes(100_000))
        await sock.send(b"to itself", sock.local)
        await asyncio.sleep(0.1)
        for receiving in (stream.receive, sock.receive):
            asyncio.get_running_loop().call_soon(turns.append, "another")
            await receiving()
            turns.append("received")
        await stream.close()
        await sock.close()

    run(work())
    assert turns == ["another", "received"] * 2


def test_closing_reads_what_still_comes_so_that_the_peer_sees_no_reset(serve: Serve) -> None:
    seen: list[bytes] = []

    def answer_late(connection: socket.socket) -> None:
        assert connection.recv(100) == b"bye"
        assert connection.recv(100) == b""
        time.sleep(0.05)
        connection.sendall(bytes(1000))
        time.sleep(0.05)
        connection.sendall(b"still here")  # fails if this end had sent RST upon the first
        seen.append(b"fine")

    async def work() -> None:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(answer_late)), within=5)
        await stream.send(b"bye")
        await stream.close()
        await stream.close()

    run(work())
    assert seen == [b"fine"]


def test_closing_takes_a_second_at_most(serve: Serve) -> None:
    def hold(connection: socket.socket) -> None:
        time.sleep(2)

    async def work() -> float:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(hold)), within=5)
        began = time.monotonic()
        await stream.close()
        return time.monotonic() - began

    assert 0.9 < run(work()) < 1.5


def test_closing_and_aborting_wake_who_receives(serve: Serve) -> None:
    async def work(how: str) -> Ending:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(echo)), within=5)
        receiving = asyncio.create_task(ending_of(stream.receive()))
        await asyncio.sleep(0.02)
        if how == "close":
            await stream.close()
        else:
            stream.abort()
        ending, _ = await receiving
        assert (await ending_of(stream.send(b"x")))[0] is Ending.FAILED_HERE
        stream.abort()
        return ending

    assert run(work("close")) is Ending.FAILED_HERE
    assert run(work("abort")) is Ending.FAILED_HERE


def test_an_abort_is_seen_as_a_reset(serve: Serve) -> None:
    seen: list[object] = []

    def note(connection: socket.socket) -> None:
        try:
            seen.append(connection.recv(1))
        except ConnectionResetError:
            seen.append("reset")

    async def work() -> None:
        stream = await LocalNetwork().connect(at("127.0.0.1", serve(note)), within=5)
        stream.abort()
        stream.abort()
        await stream.close()
        while not seen:
            await asyncio.sleep(0.01)

    run(work())
    assert seen == ["reset"]


@pytest.mark.parametrize("step", range(4))
def test_cancelled_anywhere_nothing_stays_open(serve: Serve, step: int) -> None:
    async def whole(port: int) -> None:
        stream: ByteStream | None = None
        try:
            stream = await LocalNetwork().connect(at("127.0.0.1", port), within=5)
            await stream.send(b"x")
            await stream.receive()
            await stream.receive()
        finally:
            if stream is not None:
                stream.abort()

    async def work() -> None:
        task = asyncio.create_task(whole(serve(echo)))
        for _ in range(step):
            await asyncio.sleep(0.005 if step == 3 else 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())


def test_five_hundred_streams_at_once(serve: Serve) -> None:
    async def work() -> int:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(100):
                writer.write(data)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=600)
        remote = at(*server.sockets[0].getsockname())
        streams = await asyncio.gather(*(LocalNetwork().connect(remote, within=10) for _ in range(500)))
        await asyncio.gather(*(stream.send(b"%d" % number) for number, stream in enumerate(streams)))
        heard = await asyncio.gather(*(stream.receive() for stream in streams))
        await asyncio.gather(*(stream.close() for stream in streams))
        server.close()
        await server.wait_closed()
        return sum(data == b"%d" % number for number, data in enumerate(heard))

    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip(f"only {hard} open files are allowed here, and this takes 1200")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    try:
        assert run(work()) == 500
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
