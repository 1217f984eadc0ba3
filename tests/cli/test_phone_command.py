"""`callgate phone` as a user runs it: a call manager on loopback, and what goes wrong in one clear line."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import callgate
from callgate.endpoint.call_manager.settings import LONGEST_NAME

Callgate = Callable[..., subprocess.CompletedProcess[str]]
DESK, HALL = "SEP001122334455", "SEP0011223344AA"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(callgate.__file__).parents[1])}


@pytest.fixture
def call_manager() -> Iterator[str]:
    """A call manager on loopback that knows two devices; its address and port."""
    program = [sys.executable, "-m", "callgate.endpoint.call_manager", "--listen", "127.0.0.1:0"]
    program += ["--device", f"{DESK}=1001", "--device", f"{HALL}=1002"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, encoding="utf-8", env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 20)[0], "the call manager did not start"
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def logging_call_manager(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A call manager on loopback, and its log."""
    log = tmp_path / "log"
    program = [sys.executable, "-m", "callgate.endpoint.call_manager", "--listen", "127.0.0.1:0"]
    with (
        log.open("wb") as file,
        subprocess.Popen([*program, "--device", f"{DESK}=1001"], stdout=file, env=ENVIRONMENT) as process,
    ):
        try:
            yield wait_for_line(log, "ready ").split()[1], log
        finally:
            process.terminate()
            process.wait(10)


def wait_for_line(log: Path, beginning: str) -> str:
    """The first line of a log that begins so, within 20 s."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if line.startswith(beginning):
                return line
        time.sleep(0.02)
    raise AssertionError(f"no line begins with {beginning!r} in {log.read_text()!r}")


@pytest.mark.parametrize("version", [0, 3, 11, 17, 20, 22])
def test_phone_calls_the_echo(run_callgate: Callgate, call_manager: str, version: int) -> None:
    command = ("phone", "call", call_manager, "600", "--device", DESK, "--seconds", "0.5", "--version", str(version))
    done = run_callgate(*command, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["ending"] == "done"
    assert said["call"]["number"] == "600"
    assert said["call"]["echoed"] > 10
    assert said["registration"]["interval_seconds"] == 30
    assert said["transcript"][0] == "> RegisterReqMessage"
    assert "> UnregisterReqMessage" in said["transcript"]


def test_text_tells_registration_and_audio(run_callgate: Callgate, call_manager: str) -> None:
    done = run_callgate("phone", "call", call_manager, "600", "--device", DESK, "--seconds", "0.5", "--enbloc", "-v")
    assert done.returncode == 0
    head, way, registration, audio, *messages = done.stdout.splitlines()
    assert head == "done: call with 600, 0.5 s, audio both ways"
    assert way.startswith("  from 127.0.0.1:")
    assert way.endswith(f" to {call_manager}, SCCP over TCP")
    assert registration == "  registration: protocol version 17, keepalive every 30 s"
    assert audio.endswith(" of them our own")
    assert "    > EnblocCallMessage" in messages


def test_registration_tells_how_long_it_took(run_callgate: Callgate, call_manager: str) -> None:
    done = run_callgate("phone", "register", call_manager, "--device", DESK)
    assert done.returncode == 0
    assert re.fullmatch(r"done: registered in \d+ ms", done.stdout.splitlines()[0])


def test_two_phones_call_each_other(run_callgate: Callgate, call_manager: str) -> None:
    answered: list[subprocess.CompletedProcess[str]] = []
    answer = ("phone", "answer", call_manager, "--device", HALL, "--within", "20", "--json")
    hall = threading.Thread(target=lambda: answered.append(run_callgate(*answer)))
    hall.start()
    called = None
    for _ in range(40):  # until the other is registered
        called = run_callgate("phone", "call", call_manager, "1002", "--device", DESK, "--seconds", "1", "--json")
        if called.returncode == 0:
            break
    hall.join(30)
    assert called is not None
    assert json.loads(called.stdout)["call"]["echoed"] > 0, called.stdout
    assert answered[0].returncode == 0, answered[0].stdout
    assert json.loads(answered[0].stdout)["call"]["received"] > 0


def test_stranger_is_rejected(run_callgate: Callgate, call_manager: str) -> None:
    done = run_callgate("phone", "register", call_manager, "--device", "SEPFFFFFFFFFFFF")
    assert done.returncode == 1
    assert done.stdout.startswith("rejected: ")
    assert "No Authority" in done.stdout


def test_unknown_number_is_rejected(run_callgate: Callgate, call_manager: str) -> None:
    done = run_callgate("phone", "call", call_manager, "99999", "--device", DESK, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ending"] == "rejected"


def test_closed_port_is_refused(run_callgate: Callgate) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        for who in (("--device", DESK), ("--user", "4711"), ("--user", "4711", "--transport", "tcp")):
            done = run_callgate("phone", "register", f"127.0.0.1:{port}", *who)
            assert (done.returncode, done.stdout.partition(" ")[0].strip(":")) == (1, "refused"), done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_phone_leaves(logging_call_manager: tuple[str, Path], number: signal.Signals) -> None:
    server, log = logging_call_manager
    command = [sys.executable, "-m", "callgate", "phone", "register", server, "--device", DESK, "--stay", "60"]
    before = signal.signal(number, signal.SIG_DFL)  # what we ignore it would too: under nohup(1) that is SIGHUP
    try:
        staying = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    finally:
        signal.signal(number, before)
    with staying:
        wait_for_line(log, f"registered {DESK}")
        for _ in range(3):  # impatience does not keep it from leaving
            staying.send_signal(number)
        said, told = staying.communicate(timeout=15)
    assert (staying.returncode, said, told) == (3, b"", b"callgate: interrupted: the phone leaves\n")
    assert wait_for_line(log, f"unregistered {DESK}").endswith(": it unregistered")


def test_closed_stderr_changes_nothing(call_manager: str) -> None:
    command = [sys.executable, "-m", "callgate", "phone", "register", call_manager, "--device", DESK]
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    done = subprocess.run(closed, stdout=subprocess.PIPE, timeout=60, env=ENVIRONMENT)
    assert (done.returncode, done.stdout[:5]) == (0, b"done:")


def test_name_without_an_address_is_not_determined(run_callgate: Callgate) -> None:
    done = run_callgate("phone", "register", "nope.invalid", "--device", DESK)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("callgate: nope.invalid: the name does not resolve: ")


def test_sip_call_needs_a_server_that_answers(run_callgate: Callgate) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{held.getsockname()[1]}"
        for deed in (("call", where, "4712"), ("answer", where)):
            done = run_callgate("phone", *deed, "--user", "4711", "--transport", "tcp")
            assert (done.returncode, done.stdout.partition(":")[0], done.stderr) == (1, "refused", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("register", "127.0.0.1"), "give either --device NAME (an SCCP phone) or --user NAME (a SIP phone)"),
        (("register", "127.0.0.1", "--device", DESK, "--user", "x"), "give either --device NAME"),
        (("register", "127.0.0.1", "--device", DESK, "--domain", "x"), "--domain is for SIP phones (--user)"),
        (("register", "127.0.0.1", "--device", DESK, "--transport", "udp"), "SCCP does not run over UDP"),
        (("register", "127.0.0.1", "--device", DESK, "--ca", "x"), "--ca needs --tls"),
        (("register", "127.0.0.1", "--device", DESK, "--tls", "--transport", "tcp"), "exclude each other"),
        (("register", "127.0.0.1", "--device", "SEP 1"), "SEP 1"),
        (("register", "127.0.0.1", "--device", "S" * (LONGEST_NAME + 1)), "15"),
        (("register", "127.0.0.1:99999", "--device", DESK), "99999"),
        (("register", "[::1", "--device", DESK), "[::1"),
        (("register", "127.0.0.1", "--user", "x", "--password-env", "CALLGATE_UNSET"), "CALLGATE_UNSET is not set"),
        (("register", "127.0.0.1", "--user", "x", "--password-file", "missing"), "missing: No such file"),
        (("register", "127.0.0.1", "--device", DESK, "--tls", "--ca", "missing.pem"), "missing.pem"),
        (("register", "127.0.0.1", "--device", DESK, "--from", "nope://x"), "no back end is called 'nope'"),
        (("call", "127.0.0.1", "6 0", "--device", DESK), "6 0"),
        (("call", "127.0.0.1", "", "--user", "x"), "'' cannot be dialled"),
        (("register", "127.0.0.1", "--user", ""), "a SIP user has 1 to 128 printable characters"),
        (("register", "127.0.0.1", "--user", "x", "--domain", "a b"), "'a b' is not a domain"),
        (("register", "127.0.0.1", "--user", "x", "--version", "3"), "--version is for SCCP phones (--device)"),
        (("register", "127.0.0.1", "--device", DESK, "--stay", "nan"), "'nan' is not in the range 0<=x<=3600"),
        (("register", "127.0.0.0/24", "--device", DESK), "one server is expected, not a network"),
        (("register", "224.0.0.1", "--user", "x"), "224.0.0.1: a multicast address"),
        (("register", "127.0.0.1", "-6", "--device", DESK), "127.0.0.1: not an IPv6 address"),
        (("register", "127.0.0.1", "--device", DESK, "--from", "local://", "--stay", "3600"), "3480 s, not 3600 s"),
        (("call", "127.0.0.1", "600", "--user", "x", "--enbloc"), "--enbloc is for SCCP phones"),
    ],
)
def test_mistake_is_one_line_and_sends_nothing(
    run_callgate: Callgate, arguments: tuple[str, ...], complaint: str
) -> None:
    done = run_callgate("phone", *arguments)
    assert done.returncode == 2, done.stdout
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_password_is_never_shown(run_callgate: Callgate) -> None:
    secret = "hunter2-is-not-shown"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        command = ("phone", "register", where, "--user", "x", "--password-env", "SECRET", "-v")
        done = run_callgate(*command, env={"SECRET": secret})
    assert done.returncode == 1
    assert done.stdout.startswith("no-reply")
    assert secret not in done.stdout + done.stderr
