from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import callgate
from callgate.errors import LabError
from callgate.lab.certificate import self_signed
from callgate.lab.dial import KEEPALIVE
from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.sccp import start_sccp
from callgate.lab.sccp_responder import KEEPALIVE_ACK, LONGEST, SHORTEST, Responder, listening_socket
from callgate.lab.topology import Lab

ACK = bytes.fromhex("040000000000000000010000")

Listen = Callable[..., int]


def message(number: int, body: bytes = b"", version: int = 0) -> bytes:
    head = (4 + len(body)).to_bytes(4, "little") + version.to_bytes(4, "little")
    return head + number.to_bytes(4, "little") + body


@pytest.fixture
def responder() -> Iterator[Listen]:
    """Start the program on a free loopback port, as a user would by hand; gives the port."""
    with contextlib.ExitStack() as stack:

        def start(*options: str) -> int:
            command = [sys.executable, "-m", "callgate.lab.sccp_responder", "--listen", "127.0.0.1:0", *options]
            environment = {**os.environ, "PYTHONPATH": str(Path(callgate.__file__).parents[1])}
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment))
            stack.callback(process.kill)
            assert process.stdout is not None
            ready = process.stdout.readline()
            found = re.fullmatch(rb"ready 127\.0\.0\.1:(\d+)\n", ready)
            assert found, ready
            return int(found[1])

        yield start


@contextlib.contextmanager
def caller(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.settimeout(5)
        yield sock


def received(sock: socket.socket, within: float) -> bytes | None:
    """What comes within the time; b"" for the end of the connection, None for nothing."""
    sock.settimeout(within)
    try:
        return sock.recv(65536)
    except TimeoutError:
        return None
    except ConnectionResetError:
        return b""


def test_a_keepalive_is_answered_with_these_twelve_bytes_and_no_more(responder: Listen) -> None:
    with caller(responder()) as sock:
        sock.sendall(KEEPALIVE)
        assert received(sock, 5) == ACK
        assert received(sock, 0.3) is None


def test_unknown_messages_are_ignored(responder: Listen) -> None:
    with caller(responder()) as sock:
        for number in (0x0001, 0x0020, 0x0100, 0xDEADBEEF):
            sock.sendall(message(number, b"x" * 40, version=22))
        sock.sendall(message(0x7777, b"x" * (LONGEST - 4)))
        assert received(sock, 0.2) is None
        sock.sendall(KEEPALIVE)
        assert received(sock, 5) == ACK


@pytest.mark.parametrize("length", [0, 1, 2, 3, 2001, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_connection(responder: Listen, length: int) -> None:
    with caller(responder()) as sock:
        sock.sendall(length.to_bytes(4, "little") + bytes(4))
        assert received(sock, 5) == b""


@pytest.mark.parametrize("begun", [b"", KEEPALIVE[:5], message(1, b"x" * 100)[:-1]])
def test_a_caller_without_a_whole_message_is_let_go(responder: Listen, begun: bytes) -> None:
    with caller(responder("--idle", "0.3")) as sock:
        start = time.monotonic()
        sock.sendall(begun)
        assert received(sock, 5) == b""
        assert 0.2 < time.monotonic() - start < 4


def test_every_message_gives_a_caller_new_time(responder: Listen) -> None:
    with caller(responder("--idle", "0.6")) as sock:
        for _ in range(4):
            time.sleep(0.25)
            sock.sendall(KEEPALIVE)
            assert received(sock, 5) == ACK


def test_a_silent_responder_accepts_and_never_answers(responder: Listen) -> None:
    with caller(responder("--silent")) as sock:
        sock.sendall(KEEPALIVE)
        assert received(sock, 0.4) is None


class Recorder:
    """The writing half of a connection that keeps what was written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def served(chunks: list[bytes]) -> bytes:
    async def run() -> bytes:
        reader = asyncio.StreamReader(limit=4096)
        recorder = Recorder()
        serving = asyncio.ensure_future(
            Responder(silent=False, idle=5).serve(reader, cast("asyncio.StreamWriter", recorder))
        )
        for chunk in chunks:
            reader.feed_data(chunk)
            await asyncio.sleep(0)
        reader.feed_eof()
        await serving
        assert recorder.closed
        return recorder.written

    return asyncio.run(run())


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


messages = st.lists(
    st.one_of(
        st.just(KEEPALIVE),
        st.builds(message, st.integers(1, 2**32 - 1), st.binary(max_size=60), st.integers(0, 30)),
    ),
    max_size=8,
)
wrong_lengths = st.one_of(st.integers(0, SHORTEST - 1), st.integers(LONGEST + 1, 2**32 - 1))


@given(messages, st.one_of(st.none(), wrong_lengths), messages, st.lists(st.integers(0, 600), max_size=6))
def test_as_many_acks_as_keepalives_before_the_first_wrong_length(
    before: list[bytes], wrong: int | None, after: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(before)
    if wrong is not None:
        stream += wrong.to_bytes(4, "little") + bytes(4) + b"".join(after)
    assert served(cut(stream, cuts)) == KEEPALIVE_ACK * before.count(KEEPALIVE)


@given(st.binary(max_size=200))
def test_whatever_comes_only_acks_go_out(noise: bytes) -> None:
    written = served([noise])
    assert written == KEEPALIVE_ACK * (len(written) // len(KEEPALIVE_ACK))


@pytest.mark.parametrize("listen", ["", "2000", ":2000", "::2000", "fd00:1::10:2000", "*:", "*:x", "127.0.0.1:-1"])
def test_an_address_in_another_form_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match="is not ADDRESS:PORT"):
        listening_socket(listen, None)


def test_a_wrong_command_line_ends_with_one_line() -> None:
    command = [sys.executable, "-m", "callgate.lab.sccp_responder", "--listen", "2000"]
    environment = {**os.environ, "PYTHONPATH": str(Path(callgate.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=20, env=environment)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "sccp_responder: error: '2000' is not ADDRESS:PORT, [ADDRESS]:PORT or *:PORT"
    )


ALL = {"192.168.1.10", "fd00:1::10", "203.0.113.10", "2001:db8:66::10"}


@pytest.mark.lab
@pytest.mark.parametrize(
    ("options", "shown", "trusted", "stranger"),
    [
        ({}, "*:2000", ALL, ALL),
        ({"listen": ("0.0.0.0:2000",)}, "0.0.0.0:2000", *[{"192.168.1.10", "203.0.113.10"}] * 2),
        ({"listen": ("[::]:2000",)}, "[::]:2000", *[{"fd00:1::10", "2001:db8:66::10"}] * 2),
        # an address alone keeps nobody out: the host takes it on any interface
        ({"listen": ("192.168.1.10:2000",)}, "192.168.1.10:2000", *[{"192.168.1.10"}] * 2),
        ({"listen": ("[fd00:1::10]:2000",)}, "[fd00:1::10]:2000", *[{"fd00:1::10"}] * 2),
        ({"device": "eth0"}, "*%eth0:2000", ALL, set()),
        ({"listen": ("0.0.0.0:2000",), "device": "eth1"}, "0.0.0.0%eth1:2000", set(), {"192.168.1.10", "203.0.113.10"}),
        ({"listen": ("127.0.0.1:2000",)}, "127.0.0.1:2000", set(), set()),
    ],
    ids=["both families", "IPv4", "IPv6", "one IPv4", "one IPv6", "device", "IPv4 and device", "loopback"],
)
def test_the_socket_is_bound_as_asked_and_reached_accordingly(
    lab: Lab, options: dict[str, Any], shown: str, trusted: set[str], stranger: set[str]
) -> None:
    require_tool("ss")
    start_sccp(lab.pbx, **options)
    (line,) = lab.pbx.run(["ss", "-H", "-tlnp"]).stdout.splitlines()
    assert line.split()[3] == shown
    assert "users:((" in line
    for client, reached in ((lab.trusted, trusted), (lab.stranger, stranger)):
        for address in ALL:
            dialled = client.dial("keepalive", address, 2000)
            assert (dialled.result, dialled.answer) == (("answered", ACK) if address in reached else ("refused", b""))


@pytest.mark.lab
def test_several_addresses_are_served_at_once(lab: Lab) -> None:
    start_sccp(lab.pbx, listen=("192.168.1.10:2000", "[fd00:1::10]:2000"))
    shown = {line.split()[3] for line in lab.pbx.run(["ss", "-H", "-tln"]).stdout.splitlines()}
    assert shown == {"192.168.1.10:2000", "[fd00:1::10]:2000"}


@pytest.mark.lab
def test_a_silent_server_connects_and_does_not_answer(lab: Lab) -> None:
    start_sccp(lab.pbx, silent=True)
    assert lab.trusted.dial("connect", "192.168.1.10", 2000).result == "connected"
    assert lab.trusted.dial("keepalive", "192.168.1.10", 2000, timeout=0.3).result == "unanswered"


@pytest.mark.lab
def test_with_a_certificate_it_speaks_tls(lab: Lab) -> None:
    require_tool("openssl")
    own = [address.ip for address in lab.pbx.addresses["eth0"]]
    start_sccp(lab.pbx, listen=("*:2443",), certificate=self_signed(lab.directory, "pbx", own))
    for address in own:
        dialled = lab.trusted.dial("keepalive-tls", str(address), 2443)
        assert (dialled.result, dialled.answer) == ("answered", ACK)
    assert lab.trusted.dial("keepalive", "192.168.1.10", 2443).answer != ACK


@pytest.mark.lab
def test_an_address_that_is_taken_is_named(lab: Lab) -> None:
    start_sccp(lab.pbx)
    with pytest.raises(LabError, match=r"pbx: sccp ended with 2; its log ends: .*[Aa]ddress already in use"):
        start_sccp(lab.pbx)
