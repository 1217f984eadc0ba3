"""The network of a vantage: the same endings as from here, and a vantage that misbehaves."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Coroutine
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest
import testinfra
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callgate.endpoint.attempt import AttemptFailed, AudioCount, Ending
from callgate.endpoint.audio import AudioChannel
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.relay import frames as relay
from callgate.endpoint.relay import sockets as relayed_sockets
from callgate.endpoint.relay.frames import CHANNELS, DATA, ERROR, GONE, GRAM, GREETING, OPEN, frame, pack_datagram
from callgate.endpoint.relay.interactive import interactive_command, relay_from
from callgate.endpoint.relay.network import RelayedNetwork, relay_source
from callgate.endpoint.relay.process import end_process, start_process
from callgate.endpoint.tls import TlsOptions, secure
from callgate.errors import NotDetermined

Serve = Callable[..., int]
Result = TypeVar("Result")
RELAY = [sys.executable, "-I", "-c", relay_source(), "60"]
NOWHERE = TransportAddress(ip_address("192.0.2.1"), 2000)


def run(work: Coroutine[Any, Any, Result], seconds: float = 20) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(seconds):
            return await work

    result = asyncio.run(bounded())
    gc.collect()
    return result


def at(host: str, port: int) -> TransportAddress:
    return TransportAddress(ip_address(host), port)


async def ending_of(work: Coroutine[Any, Any, object]) -> tuple[Ending, str]:
    with pytest.raises(AttemptFailed) as failed:
        await work
    return failed.value.ending, failed.value.text


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


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


def descendants(marker: str) -> list[int]:
    """Processes whose command line holds the marker, zombies left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if marker.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("when", ["starting", "connecting", "standing"])
def test_cancelled_at_any_point_no_process_stays(when: str) -> None:
    marker = f"marker-{when}-{os.getpid()}"
    command = [sys.executable, "-I", "-c", relay_source(), "60", marker]
    if when == "starting":
        command = [sys.executable, "-I", "-c", "import time; time.sleep(60)", marker]

    async def work() -> None:
        began = asyncio.Event()

        async def phone() -> None:
            if when == "starting":
                began.set()
            async with RelayedNetwork(command, "here") as network:
                with socket.socket() as listener:
                    listener.bind(("127.0.0.1", 0))
                    if when == "standing":
                        listener.listen()
                    else:
                        began.set()
                    sock = await network.datagrams(toward=at("127.0.0.1", 9))
                    began.set()
                    await sock.receive()

        task = asyncio.create_task(phone())
        await began.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())
    assert descendants(marker) == []


async def entered(command: list[str], name: str = "pbx7") -> tuple[Ending, str]:
    async def enter() -> None:
        async with RelayedNetwork(command, name):
            pass

    return await ending_of(enter())


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            ["echo", "Welcome to pbx7!"],
            "pbx7: text stands before the relay's greeting (a login banner?): Welcome to pbx7!",
        ),
        (["printf", "\\033[2J\\r\\nhi"], "pbx7: text stands before the relay's greeting (a login banner?): \\x1b[2J"),
        (["sh", "-c", "echo no >&2; exit 7"], "pbx7: the relay ended with 7: no"),
        (["sh", "-c", "printf callgate-re; exit 1"], "pbx7: the relay ended with 1"),
        (["sh", "-c", "exec no-such-python"], "pbx7: the relay ended with 127 (is python3 there?): "),
        (["no-such-program"], "pbx7: No such file or directory"),
        (["sh", "-c", "cat /dev/zero"], "pbx7: text stands before the relay's greeting (a login banner?): \\x00"),
        (["sh", "-c", "exec 1>&-; sleep 30"], "pbx7: the relay ended"),
    ],
    ids=str,
)
def test_a_relay_that_does_not_greet_is_told_with_its_reason(command: list[str], text: str) -> None:
    began = time.monotonic()
    ending, said = run(entered(command))
    assert ending is Ending.FAILED_HERE
    assert said.startswith(text)
    assert time.monotonic() - began < 5


def test_a_relay_that_says_nothing_at_all_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate.endpoint.relay.network.START_SECONDS", 0.2)
    ending, text = run(entered(["sleep", "30"]))
    assert (ending, text) == (Ending.FAILED_HERE, "pbx7: the relay has not greeted within 0.2 s")


def test_a_relay_that_dies_fails_what_is_under_way_with_its_name(serve: Serve) -> None:
    async def work() -> list[tuple[Ending, str]]:
        async with RelayedNetwork(RELAY, "pbx7") as network:
            stream = await network.connect(at("127.0.0.1", serve(echo)), within=5)
            sock = await network.datagrams(toward=at("127.0.0.1", 9))
            waiting = [asyncio.create_task(ending_of(each.receive())) for each in (stream, sock)]
            await asyncio.sleep(0.02)
            assert network._process is not None
            network._process.kill()
            found = [await task for task in waiting]
            found.append(await ending_of(stream.send(b"x")))
            found.append(await ending_of(network.connect(NOWHERE, within=5)))
            found.append(await ending_of(network.confirm()))
            await stream.close()
            await sock.close()
            return found

    assert run(work()) == [(Ending.FAILED_HERE, "pbx7: the relay ended with -9")] * 5


def test_a_relay_that_hangs_is_noticed_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence of a vantage that is gone must not be taken for silence of the peer."""
    monkeypatch.setattr("callgate.endpoint.relay.network.PING_SECONDS", 0.05)
    monkeypatch.setattr("callgate.endpoint.relay.network.DEAD_SECONDS", 0.4)
    monkeypatch.setattr("callgate.endpoint.relay.network.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr("callgate.endpoint.relay.network.END_SECONDS", 0.2)

    async def work() -> tuple[tuple[Ending, str], tuple[Ending, str], int]:
        async with RelayedNetwork(RELAY, "pbx7") as network:
            sock = await network.datagrams(toward=at("127.0.0.1", 9))
            assert network._process is not None
            await network.confirm()
            os.kill(network._process.pid, signal.SIGSTOP)
            asked = await ending_of(network.confirm())
            noticed = await ending_of(sock.receive())
            await sock.close()
            return asked, noticed, network._process.pid

    asked, noticed, pid = run(work())
    assert asked == (Ending.FAILED_HERE, "pbx7: the relay has not answered within 0.1 s")
    assert noticed == (Ending.FAILED_HERE, "pbx7: the relay has said nothing for 0.4 s")
    assert not Path(f"/proc/{pid}").exists()


def vantage(says: str) -> list[str]:
    """A vantage that greets, waits until a channel is asked for, says something (an expression), and stays."""
    greeting = GREETING.decode()
    program = (
        f"import os, time\nos.write(1, {greeting!r}.encode())\nheard = b''\n"
        "while len(heard) < 40:\n"
        "    data = os.read(0, 4096)\n    if not data:\n        os._exit(0)\n    heard += data\n"
        f"data = {says}\n"
        "while data:\n    data = data[os.write(1, data):]\n"
        "while os.read(0, 4096):\n    pass\n"
    )
    return [sys.executable, "-I", "-S", "-c", program]


def short(says: bytes) -> str:
    """An expression for the bytes that fits into a command line."""
    return f"__import__('zlib').decompress({zlib.compress(says)!r})"


def opened(address: str = "192.0.2.7") -> bytes:
    return frame(OPEN, 1, json.dumps({"local": [address, 4000]}).encode())


HONEST: dict[str, object] = {
    "errno": "ECONNREFUSED",
    "icmp": None,
    "at_once": False,
    "local": None,
    "remote": ["192.0.2.1", 2000],
}


def trouble(**changed: object) -> bytes:
    """An ERROR frame."""
    return frame(ERROR, 1, json.dumps({**HONEST, **changed}).encode())


@pytest.mark.parametrize(
    ("says", "text"),
    [
        (b"bash: warning: something\n", "is no frame"),
        (frame(200, 1), "kind 200 with 0 bytes is no frame"),
        (frame(OPEN, 2, b"{}"), "channel 2 was never opened"),
        (frame(OPEN, 1, b"{}"), "'local'"),
        (frame(OPEN, 1, b"[" * 2000), "JSON too deep"),
        (frame(OPEN, 1, b" " * 3000), "3000 bytes of JSON"),
        (frame(OPEN, 1, b"\xff\xff"), "codec can't decode"),
        (opened("192.0.2.7%eth0\r\nVia: x"), "an address that is none"),
        (opened("fe80::1%x y"), "an address that is none"),
        (opened("2001:db8::1"), "the local address is of the other family"),
        (frame(DATA, 1, b"x"), "data before the connection stood"),
        (opened() + frame(GRAM, 1, pack_datagram("192.0.2.1", 1, b"")), "frame of kind 5 with 12 bytes"),
        (opened() + frame(DATA, 1), "frame of kind 4 with 0 bytes"),
        (opened() + frame(relay.CREDIT, 1, b"\0\0\0\1"), "more was taken in than was sent"),
        (opened() + frame(relay.CREDIT, 1, b"\0"), "frame of kind 6 with 1 bytes"),
        (opened() + frame(DATA, 1, bytes(65536)) * 8, "more data than the window allows"),
        (opened() + frame(DATA, 1, bytes(65537)), "more data than the window allows"),
        (frame(ERROR, 1, b"{}"), "an error that is none"),
        (trouble(remote=None), "unpack"),
        (trouble(icmp={"type": 1e9, "code": 0, "from": "::"}), "an ICMP error that is none"),
        (trouble(icmp={"type": 3, "code": 0, "from": 7}), "an address that is none"),
        (trouble(icmp=7), "not subscriptable"),
    ],
)
def test_a_vantage_that_breaks_the_protocol_is_named_and_nothing_it_says_is_believed(says: bytes, text: str) -> None:
    async def work() -> tuple[Ending, str]:
        async with RelayedNetwork(vantage(short(says)), "pbx7") as network:

            async def talk() -> None:
                stream = await network.connect(NOWHERE, within=2)
                while True:
                    await stream.receive()
                    await asyncio.sleep(0.5)

            return await ending_of(talk())

    ending, said = run(work())
    assert ending is Ending.FAILED_HERE
    assert said.startswith("pbx7: the relay breaks its protocol: ")
    assert text in said


def test_an_honest_error_in_any_dress_is_the_ending_it_tells() -> None:
    prohibited = {"type": 3, "code": 10, "from": "192.0.2.1"}
    own = {"type": 3, "code": 1, "from": "192.0.2.7"}
    cases = [
        (trouble(), Ending.REFUSED),
        (trouble(errno="EHOSTUNREACH", icmp=prohibited), Ending.UNREACHABLE),
        (trouble(errno="EHOSTUNREACH", icmp=own, local=["192.0.2.7", 1]), Ending.NO_ROUTE),
        (trouble(errno="ENETUNREACH", at_once=True), Ending.NO_ROUTE),
        (trouble(errno="EMFILE", at_once=True), Ending.FAILED_HERE),
        (trouble(errno="ENOSUCHTHING"), Ending.FAILED_HERE),
        (trouble(errno="ETIMEDOUT"), Ending.NO_REPLY),
    ]

    async def work(said: bytes) -> Ending:
        async with RelayedNetwork(vantage(short(said)), "pbx7") as network:
            return (await ending_of(network.connect(NOWHERE, within=2)))[0]

    assert [run(work(said)) for said, _ in cases] == [ending for _, ending in cases]


class Unplugged:
    """A link to nowhere, for channels that only listen."""

    failure: AttemptFailed | None = None

    def put(self, kind: int, channel: int, rest: bytes = b"") -> None:
        pass

    async def room(self) -> None:
        pass

    def forget(self, channel: int) -> None:
        pass


KEYS = st.sampled_from(["errno", "icmp", "local", "remote", "at_once", "type", "code", "from"])
SAID = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([opened()[9:], trouble()[9:], pack_datagram("192.0.2.1", 9, b"data")]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    ).map(lambda value: json.dumps(value).encode()),
)
KINDS = st.sampled_from([OPEN, DATA, GRAM, relay.CREDIT, relay.END, GONE, ERROR])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(KINDS, SAID), max_size=6), st.booleans())
def test_whatever_is_said_of_a_channel_only_the_errors_of_a_broken_protocol_come_of_it(
    frames: list[tuple[int, bytes]], datagrams: bool
) -> None:
    kind = relayed_sockets.RelayedDatagrams if datagrams else relayed_sockets.RelayedStream
    channel = kind(Unplugged(), 1, NOWHERE)
    with suppress(ValueError, KeyError, TypeError):
        for each in frames:
            channel.take(*each)


def test_a_flood_of_datagrams_is_dropped_beyond_what_is_kept() -> None:
    async def work() -> int:
        sock = relayed_sockets.RelayedDatagrams(Unplugged(), 1, NOWHERE)
        sock.take(OPEN, opened()[9:])
        for size in (10, 60_000):
            for _ in range(2000):
                sock.take(GRAM, pack_datagram("192.0.2.1", 9, bytes(size)))
        held = 0
        while sock._queued:
            held += len((await sock.receive()).data)
        return held

    assert asyncio.run(work()) <= relayed_sockets.MAXIMUM_QUEUED_BYTES


def host(uri: str) -> Any:
    return testinfra.get_host(uri)


def composed(uri: str) -> str:
    command = interactive_command(host(uri), "python3 -c %s %s", "print(1)", "it's 5% $x")
    assert command[:2] == ["/bin/sh", "-c"]
    return command[2]


INNER = shlex.join(["python3", "-c", "print(1)", "it's 5% $x"])


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("local://", ["exec", *shlex.split(INNER)]),
        ("local://?sudo=true", ["exec", "sudo", "/bin/sh", "-c", INNER]),
        ("local://?sudo=true&sudo_user=eve", ["exec", "sudo", "-u", "eve", "/bin/sh", "-c", INNER]),
        ("docker://box", ["exec", "docker", "exec", "-i", "box", "/bin/sh", "-c", INNER]),
        ("docker://eve@box", ["exec", "docker", "exec", "-i", "-u", "eve", "box", "/bin/sh", "-c", INNER]),
        ("podman://box", ["exec", "podman", "exec", "-i", "box", "/bin/sh", "-c", INNER]),
        (
            "kubectl://pod?namespace=n",
            ["exec", "kubectl", "-n", "n", "exec", "-i", "pod", "--", "/bin/sh", "-c", INNER],
        ),
        ("openshift://pod", ["exec", "oc", "exec", "-i", "pod", "--", "/bin/sh", "-c", INNER]),
        ("lxc://box", ["exec", "lxc", "exec", "box", "--mode=non-interactive", "--", "/bin/sh", "-c", INNER]),
    ],
)
def test_the_command_line_of_each_back_end_has_stdin_attached(uri: str, words: list[str]) -> None:
    assert shlex.split(composed(uri)) == words


@pytest.mark.parametrize("scheme", ["ssh", "safe-ssh"])
def test_ssh_shares_no_connection_that_would_stay_and_sends_no_output_to_files(scheme: str) -> None:
    words = shlex.split(composed(f"{scheme}://eve@pbx:2222?ssh_config=/etc/cfg&sudo=true"))
    assert words[:2] == ["exec", "ssh"]
    assert words[-2:] == ["pbx", shlex.join(["sudo", "/bin/sh", "-c", INNER])]
    assert {"User=eve", "Port=2222", "ConnectTimeout=10"} <= set(words)
    assert "/etc/cfg" in words
    assert not [word for word in words if "ControlMaster" in word]


def test_the_host_itself_is_left_as_it_was() -> None:
    local = host("local://")
    interactive_command(local, "true")
    assert local.run("echo %s", "still").stdout == "still\n"


class Odd:
    """A back end as this version of testinfra has none."""

    def __init__(self, name: str, line: str | None) -> None:
        self.NAME = name
        self.line = line

    @property
    def backend(self) -> Odd:
        return self

    def run(self, command: str, *args: str) -> None:
        if self.line is not None:
            self.run_local(self.line, *args)

    def run_local(self, command: str, *args: str) -> None:
        raise AssertionError("it was run")


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        (Odd("ansible", "x"), "ansible:// cannot keep a program running to talk to; give the host as ssh://"),
        (Odd("paramiko", "x"), "paramiko:// cannot keep a program running to talk to; give the host as ssh://"),
        (Odd("docker", "docker run box"), "docker:// has a command line to which stdin cannot be attached"),
        (Odd("local", None), "local:// has shown no command line that could be started"),
    ],
)
def test_a_back_end_that_cannot_be_talked_to_is_said_so(odd: Odd, text: str) -> None:
    with pytest.raises(NotDetermined, match=text):
        interactive_command(odd, "true")


def test_a_relay_runs_on_a_host_of_testinfra_and_in_a_container(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container is imitated: without -i, docker gives a program no stdin."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nshift\n[ "$1" = -i ] && shift || exec </dev/null\nshift\nexec "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    async def work(uri: str) -> bytes:
        async with relay_from(host(uri), uri, seconds=30) as network:
            stream = await network.connect(at("127.0.0.1", serve(echo)), within=5)
            await stream.send(b"hello")
            heard = await stream.receive()
            await stream.close()
            return heard

    assert run(work("local://")) == b"hello"
    assert run(work("docker://box")) == b"hello"
    if os.geteuid() == 0 and shutil.which("sudo"):
        assert run(work("local://?sudo=true")) == b"hello"


def test_a_process_group_that_does_not_end_by_itself_is_ended() -> None:
    marker = f"31.{os.getpid()}"

    async def work() -> bool:
        process = start_process(["sh", "-c", f"trap '' TERM HUP; sleep {marker} & sleep {marker}; true"])
        while len(descendants(marker)) < 3:
            await asyncio.sleep(0.01)
        return await end_process(process, gently=0.05)

    assert run(work())
    end = time.monotonic() + 3
    while descendants(marker) and time.monotonic() < end:
        time.sleep(0.01)
    assert descendants(marker) == []


def test_a_line_too_long_for_one_argument_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate.endpoint.relay.interactive.MAXIMUM_COMMAND", 1000)
    with pytest.raises(NotDetermined, match="pbx7: the relay's command is longer than 1000 bytes"):
        relay_from(host("local://"), "pbx7")


def test_the_relays_text_is_found_by_the_package_alone() -> None:
    done = subprocess.run([*RELAY[:3], relay_source(), "5"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (0, GREETING, b"")
