from __future__ import annotations

import os
import shlex
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import testinfra

from callgate.endpoint.answer import Answer, exchange_for, judge
from callgate.endpoint.exchange import Contact, Exchange
from callgate.endpoint.vantage import (
    COMMAND,
    MAXIMUM_BATCH,
    MAXIMUM_COMMAND,
    prober_source,
    run_here,
    run_through,
)
from callgate.errors import CollectionError, NotDetermined

Serve = Callable[..., int]
HERE = ip_address("127.0.0.1")


@dataclass(frozen=True)
class Output:
    rc: int = 0
    stdout_bytes: bytes = b""
    stderr_bytes: bytes = b""


@dataclass(frozen=True)
class Scripted:
    """A host that gives one output, whatever is run."""

    output: Output

    def run(self, command: str, *args: str) -> Output:
        assert command == COMMAND
        assert len(args) == 2
        return self.output


class Nested:
    """A host behind several shells, each of which quotes the whole command again, as ssh, sudo and docker do."""

    def __init__(self, depth: int, environment: dict[str, str] | None = None) -> None:
        self.depth = depth
        self.environment = environment
        self.longest = 0
        self.calls = 0

    def run(self, command: str, *args: str) -> Output:
        line = command % tuple(shlex.quote(argument) for argument in args)
        for _ in range(self.depth):
            line = f"sh -c {shlex.quote(line)}"
        self.calls += 1
        self.longest = max(self.longest, len(line))
        done = subprocess.run(["sh", "-c", line], capture_output=True, env=self.environment, timeout=60)
        return Output(done.returncode, done.stdout, done.stderr)


def closed_exchange(port: int, key: str = "closed") -> Exchange:
    return replace(exchange_for("sip", "udp", HERE, port, key=key), wait_seconds=0.5)


def sccp_server(connection: socket.socket) -> None:
    while connection.recv(4096):
        connection.sendall(bytes.fromhex("040000000000000000010000"))


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_vantage_sees_what_this_machine_sees(serve: Serve, closed_port: Callable[..., int], depth: int) -> None:
    exchanges = [
        exchange_for("sccp", "tcp", HERE, serve(sccp_server), key="it's $(odd) {{ key }} \\ \"' %s"),
        closed_exchange(closed_port()),
    ]
    host = Nested(depth)
    there = run_through(host, exchanges)
    here = run_here(exchanges)
    assert host.calls == 1
    assert [replace(seen, milliseconds=0) for seen in there] == [replace(seen, milliseconds=0) for seen in here]
    findings = [judge(exchange, seen).answer for exchange, seen in zip(exchanges, there, strict=True)]
    assert findings == [Answer.ANSWERS, Answer.REFUSED]


def test_a_testinfra_host_is_a_vantage(serve: Serve) -> None:
    exchange = exchange_for("sccp", "tcp", HERE, serve(sccp_server))
    (seen,) = run_through(testinfra.get_host("local://"), [exchange])
    assert judge(exchange, seen).answer is Answer.ANSWERS


def test_a_long_list_is_split_below_the_size_of_an_argument(closed_port: Callable[..., int]) -> None:
    port = closed_port()
    exchanges = [closed_exchange(port, key=f"{number} {'k' * 190}") for number in range(200)]
    host = Nested(2)
    observations = run_through(host, exchanges)
    assert [seen.key for seen in observations] == [exchange.key for exchange in exchanges]
    assert {seen.contact for seen in observations} == {Contact.REFUSED}
    assert host.calls > 1
    assert host.longest < MAXIMUM_COMMAND + 1024


def test_a_batch_is_never_larger_than_its_time_allows(closed_port: Callable[..., int]) -> None:
    port = closed_port()
    plain = replace(exchange_for("h323", "udp", HERE, port), wait_seconds=0.5)
    host = Nested(0)
    assert len(run_through(host, [plain] * (MAXIMUM_BATCH + 1))) == MAXIMUM_BATCH + 1
    assert host.calls == 2


def test_nothing_asked_is_nothing_run() -> None:
    assert run_through(Scripted(Output(1)), []) == []


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Output(127, b"", b"sh: 1: python3: not found\n"), "python3 is not there: sh: 1: python3: not found"),
        (
            Output(1, b"", b"Traceback ...\nModuleNotFoundError: No module named 'ssl'\n"),
            "the prober ended with 1: ModuleNotFoundError: No module named 'ssl'",
        ),
        (Output(-14, b"[", b""), "the prober ended with -14: no reason given"),
        (Output(1, b"", b"\x1b]0;title\x07 \xff oops\n\n"), "the prober ended with 1: \\x1b]0;title\\x07 \\ufffd oops"),
        (Output(0, b""), "the prober printed nothing"),
        (
            Output(0, b"Authorised users only!\nHave fun.\n[]\n"),
            "text stands before the observations (a login banner?): Authorised users only!",
        ),
        (Output(0, b"[banner]\n[]\n"), "what the prober printed is not JSON"),
        (Output(0, b"[{}, "), "what the prober printed is not JSON"),
        (Output(0, b"[]\n"), "the prober did not print a list of 1 observations"),
        (Output(0, b"[{}]\n"), "the prober printed a malformed observation"),
    ],
)
def test_a_vantage_that_does_not_tell_is_not_determined(output: Output, reason: str) -> None:
    with pytest.raises(NotDetermined) as raised:
        run_through(Scripted(output), [closed_exchange(9)], name="ssh://probe1")
    assert str(raised.value) == f"ssh://probe1: {reason}"


def test_a_host_that_cannot_be_reached_is_named_by_its_repr() -> None:
    class Lost:
        def run(self, command: str, *args: str) -> Output:
            raise RuntimeError(Output(255, b"", b"ssh: connect to host probe1 port 22: No route to host\r\n"))

        def __repr__(self) -> str:
            return "<host probe1>"

    with pytest.raises(CollectionError) as raised:
        run_through(Lost(), [closed_exchange(9)])
    assert str(raised.value) == (
        "<host probe1>: the prober could not be started: ssh: connect to host probe1 port 22: No route to host"
    )


def test_any_error_of_a_back_end_is_not_determined() -> None:
    class Broken:
        def run(self, command: str, *args: str) -> Output:
            raise OSError(7, "Argument list too long")

    with pytest.raises(CollectionError, match=r"OSError: \[Errno 7\] Argument list too long"):
        run_through(Broken(), [closed_exchange(9)])


def test_more_output_than_observations_can_take_is_not_determined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate.endpoint.vantage.MAXIMUM_OUTPUT", 100)
    with pytest.raises(CollectionError, match="printed more than 100 bytes"):
        run_through(Scripted(Output(0, b"[" * 101)), [closed_exchange(9)])


def test_a_real_host_without_python_is_not_determined(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    with pytest.raises(CollectionError, match="python3 is not there"):
        run_through(Nested(1, {"PATH": str(tmp_path)}), [closed_exchange(9)])


def test_modules_lying_around_on_the_vantage_are_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: Callable[..., int]
) -> None:
    (tmp_path / "json.py").write_text("print('hijacked')\n")
    (tmp_path / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python3").chmod(stat.S_IRWXU)
    monkeypatch.chdir(tmp_path)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}
    (seen,) = run_through(Nested(1, environment), [closed_exchange(closed_port())])
    assert seen.contact is Contact.REFUSED


def test_the_source_leaves_room_for_exchanges() -> None:
    assert len(shlex.quote(prober_source())) < MAXIMUM_COMMAND // 3
