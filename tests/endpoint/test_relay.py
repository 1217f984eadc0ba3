"""The relay as a program: its text travels through shells to an old python3, and it leaves nothing behind."""

from __future__ import annotations

import ast
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.relay.frames import (
    CHANNELS,
    CREDIT,
    DATA,
    END,
    ERROR,
    FRAME_BYTES,
    GONE,
    GRAM,
    GREETING,
    HEADER,
    OPEN,
    PING,
    TCP,
    UDP,
    WINDOW,
    Frames,
    frame,
    pack_datagram,
    unpack_datagram,
)
from callgate.endpoint.relay.network import relay_source

Serve = Callable[..., int]
OLDEST = (3, 6)
PATIENCE = 5.0


def _oldest_interpreter() -> str | None:
    name = "python{}.{}".format(*OLDEST)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    try:
        found = sorted(root.glob(f"versions/{OLDEST[0]}.{OLDEST[1]}.*/bin/{name}"))
    except PermissionError:  # another user's
        found = []
    candidate = str(found[-1]) if found else shutil.which(name)
    if candidate is None or subprocess.run([candidate, "-c", ""], capture_output=True).returncode:
        return None
    return candidate


@pytest.fixture(params=["this", "oldest"])
def interpreter(request: pytest.FixtureRequest) -> str:
    found = sys.executable if request.param == "this" else _oldest_interpreter()
    if found is None:
        pytest.skip("python{}.{} is missing".format(*OLDEST))
    return found


class Running:
    """A relay, and this end of its pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.frames = Frames()
        self.seen: list[tuple[int, int, bytes]] = []

    def put(self, kind: int, channel: int, rest: bytes | dict[str, Any] = b"") -> None:
        data = json.dumps(rest).encode() if isinstance(rest, dict) else rest
        assert self.process.stdin is not None
        self.process.stdin.write(frame(kind, channel, data))

    def get(self, kind: int, channel: int) -> bytes:
        """The rest of the next frame of this kind and channel; the others stay for later."""
        end = time.monotonic() + PATIENCE
        while True:
            for found in self.seen:
                if found[:2] == (kind, channel):
                    self.seen.remove(found)
                    return found[2]
            assert self.process.stdout is not None
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            assert ready, f"no frame {kind} of channel {channel}, but {self.seen}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"the relay ended: {self.process.wait(PATIENCE)}"
            self.seen += self.frames.feed(data)

    def connect(self, channel: int, port: int, host: str = "127.0.0.1") -> None:
        self.put(TCP, channel, {"address": host, "port": port, "seconds": 3})
        self.get(OPEN, channel)


@contextmanager
def running(
    interpreter: str = sys.executable, before: str = "", seconds: int = 30, source: str | None = None
) -> Iterator[Running]:
    process = subprocess.Popen(
        [interpreter, "-I", "-W", "error", "-c", before + (source or relay_source()), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(len(GREETING)) == GREETING
            yield Running(process)
        finally:
            process.kill()


def ended(relay: Running) -> tuple[int, str]:
    code = relay.process.wait(PATIENCE)
    assert relay.process.stderr is not None
    return code, relay.process.stderr.read().decode()


def test_the_source_is_in_the_oldest_grammar() -> None:
    ast.parse(relay_source(), feature_version=OLDEST)


def test_only_the_standard_library_is_imported() -> None:
    imported = {
        name
        for node in ast.walk(ast.parse(relay_source()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert {"select", "signal", "socket"} <= imported
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("character", ["'", "{{", "{%", "{#"])
def test_quoting_and_templates_leave_the_source_alone(character: str) -> None:
    assert character not in relay_source()
    assert relay_source().isascii()


def test_the_source_fits_into_one_argument_with_room_to_spare() -> None:
    assert len(relay_source()) < 64 * 1024


FRAMES = st.lists(
    st.tuples(st.sampled_from([TCP, DATA, GRAM, PING]), st.integers(0, 2**32 - 1), st.binary(max_size=40)), max_size=8
)


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_frames_come_out_whole_however_they_were_cut(frames: list[tuple[int, int, bytes]], sizes: list[int]) -> None:
    data = b"".join(frame(*each) for each in frames)
    reader, begin, found, turn = Frames(), 0, [], 0
    while begin < len(data):
        size = sizes[turn % len(sizes)]
        found += reader.feed(data[begin : begin + size])
        begin, turn = begin + size, turn + 1
    assert found == frames
    assert not reader.buffer


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_any_bytes_are_frames_or_a_value_error_and_take_bounded_room(pieces: list[bytes]) -> None:
    reader = Frames()
    with suppress(ValueError):
        for piece in pieces:
            reader.feed(piece)
            assert len(reader.buffer) <= HEADER.size + FRAME_BYTES


@pytest.mark.parametrize("header", [HEADER.pack(0, 1, 0), HEADER.pack(11, 1, 0), HEADER.pack(DATA, 1, FRAME_BYTES + 1)])
def test_what_is_no_frame_is_noticed_at_its_header(header: bytes) -> None:
    with pytest.raises(ValueError, match="is no frame"):
        Frames().feed(header)


@given(st.sampled_from(["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]), st.integers(0, 65535), st.binary(max_size=100))
def test_a_datagram_keeps_its_address(address: str, port: int, data: bytes) -> None:
    assert unpack_datagram(pack_datagram(address, port, data)) == (address, port, data)


@given(st.binary(max_size=20))
def test_any_bytes_are_a_datagram_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        unpack_datagram(data)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def test_streams_and_datagrams_go_through_the_oldest_python_too(
    interpreter: str, serve: Serve, serve_datagrams: Serve, closed_port: Callable[..., int], loopback: str
) -> None:
    with running(interpreter) as relay:
        relay.connect(1, serve(echo, loopback), loopback)
        relay.put(DATA, 1, b"hello")
        assert relay.get(DATA, 1) == b"hello"
        assert relay.get(CREDIT, 1) == struct.pack(">I", 5)
        relay.put(END, 1)
        assert relay.get(GONE, 1) == b""
        relay.put(TCP, 2, {"address": loopback, "port": closed_port(loopback), "seconds": 3})
        assert json.loads(relay.get(ERROR, 2))["errno"] == "ECONNREFUSED"
        port = serve_datagrams(lambda datagram: [datagram[::-1]], loopback)
        relay.put(UDP, 3, {"address": loopback, "port": port})
        address, own = json.loads(relay.get(OPEN, 3))["local"]
        assert (address, own % 2) == (loopback, 0)
        relay.put(GRAM, 3, pack_datagram(loopback, port, b"ping"))
        assert unpack_datagram(relay.get(GRAM, 3)) == (loopback, port, b"gnip")
        closed = closed_port(loopback)
        relay.put(GRAM, 3, pack_datagram(loopback, closed, b"ping"))
        said = json.loads(relay.get(ERROR, 3))
        assert said["remote"] == [loopback, closed]
        assert said["icmp"]["from"] == loopback
        relay.put(PING, 0, b"7")
        assert relay.get(PING, 0) == b"7"
        assert relay.process.stdin is not None
        relay.process.stdin.close()
        assert ended(relay) == (0, "")


def test_it_ends_when_nobody_reads_what_it_says() -> None:
    with running() as relay:
        assert relay.process.stdout is not None
        relay.process.stdout.close()
        assert ended(relay) == (0, "")


def test_its_life_is_limited_from_within() -> None:
    with running(seconds=1) as relay:
        assert ended(relay)[0] == -signal.SIGALRM
    note = "import signal, sys\nsignal.alarm = lambda seconds: print(seconds, file=sys.stderr)\n"
    with running(before=note, seconds=10**9) as relay:
        assert relay.process.stdin is not None
        relay.process.stdin.close()
        assert ended(relay) == (0, "3600\n")


def test_it_ends_when_it_hears_nothing_for_long() -> None:
    impatient = relay_source().replace("\nIDLE_SECONDS = 30.0\n", "\nIDLE_SECONDS = 0.6\n")
    assert impatient != relay_source()
    with running(source=impatient) as relay:
        for _ in range(4):
            time.sleep(0.25)
            relay.put(PING, 0, b"1")
            relay.get(PING, 0)
        began = time.monotonic()
        assert ended(relay) == (0, "")
        assert 0.5 < time.monotonic() - began < 3


def test_broken_frames_end_it() -> None:
    with running() as relay:
        assert relay.process.stdin is not None
        relay.process.stdin.write(b"GET / HTTP/1.0\r\n\r\n")
        code, said = ended(relay)
        assert code == 1
        assert "is no frame" in said


def test_a_peer_is_read_only_as_far_as_there_is_credit(serve: Serve) -> None:
    sent = [0]

    def pour(connection: socket.socket) -> None:
        connection.settimeout(0.3)
        with suppress(OSError):
            while True:
                sent[0] += connection.send(bytes(65536))

    with running() as relay:
        relay.connect(1, serve(pour))
        came = 0
        while came < WINDOW:
            came += len(relay.get(DATA, 1))
        relay.put(PING, 0, b"1")
        relay.get(PING, 0)
        assert came == WINDOW
        assert not [each for each in relay.seen if each[0] == DATA]
        relay.put(CREDIT, 1, struct.pack(">I", 1000))
        assert len(relay.get(DATA, 1)) == 1000


def test_more_channels_than_it_carries_are_refused(serve_datagrams: Serve) -> None:
    port = serve_datagrams(lambda _: [])
    with running() as relay:
        for number in range(1, CHANNELS + 2):
            relay.put(UDP, number, {"address": "127.0.0.1", "port": port})
        assert json.loads(relay.get(ERROR, CHANNELS + 1))["errno"] == "EMFILE"
        relay.put(END, 1)
        relay.get(GONE, 1)
        relay.put(UDP, CHANNELS + 2, {"address": "127.0.0.1", "port": port})
        relay.get(OPEN, CHANNELS + 2)


def test_a_dropped_connection_is_reset_and_a_closed_one_is_not(serve: Serve) -> None:
    seen: list[object] = []

    def note(connection: socket.socket) -> None:
        try:
            seen.append(connection.recv(1))
        except ConnectionResetError:
            seen.append("reset")

    port = serve(note)
    with running() as relay:
        for channel, kind, expected in ((1, GONE, "reset"), (2, END, b"")):
            relay.connect(channel, port)
            relay.put(kind, channel)
            relay.get(GONE, channel)
            end = time.monotonic() + PATIENCE
            while not seen and time.monotonic() < end:
                time.sleep(0.005)
            assert seen.pop() == expected


def test_a_peer_that_does_not_end_holds_a_closing_for_a_second(serve: Serve) -> None:
    with running() as relay:
        relay.connect(1, serve(lambda _: time.sleep(2)))
        began = time.monotonic()
        relay.put(END, 1)
        relay.get(GONE, 1)
        assert 0.9 < time.monotonic() - began < 1.8
