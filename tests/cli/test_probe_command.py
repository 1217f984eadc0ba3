"""`callgate probe` as a user runs it, against listeners on loopback."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

import callgate

Callgate = Callable[..., subprocess.CompletedProcess[str]]
Listen = Callable[..., int]
KEEPALIVE = bytes.fromhex("040000000000000000000000")
ACK = bytes.fromhex("040000000000000000010000")


@pytest.fixture
def listen() -> Iterator[Listen]:
    """`listen(handle)` serves TCP on loopback and returns the port."""
    with ExitStack() as stack:

        def start(handle: Callable[[socket.socket], None]) -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threads: list[threading.Thread] = []

            def serve(connection: socket.socket) -> None:
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    handle(connection)

            def accept() -> None:
                with suppress(OSError):
                    while True:
                        threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                        threads[-1].start()

            acceptor = threading.Thread(target=accept)
            acceptor.start()

            def stop() -> None:
                listener.shutdown(socket.SHUT_RDWR)
                for thread in (acceptor, *threads):
                    thread.join(15)

            stack.callback(stop)
            return int(listener.getsockname()[1])

        yield start


@pytest.fixture
def closed() -> Iterator[int]:
    """A port of loopback that is bound, and refuses."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def sccp_server(connection: socket.socket) -> None:
    while data := connection.recv(4096):
        if data == KEEPALIVE:
            connection.sendall(ACK)


def registrar(connection: socket.socket) -> None:
    """Registers everyone, and says nothing more."""
    while data := connection.recv(4096):
        if data == KEEPALIVE:
            connection.sendall(ACK)
        elif b"\x02\0\0\0" in data[8:12] or data.endswith(bytes.fromhex("08000000000000000200000000000000")):
            connection.sendall(bytes.fromhex("1800000000000000810000001e000000") + b"D.M.Y\0\0\0" + bytes(8))
        elif data[8:12] == bytes.fromhex("27000000"):
            connection.sendall(bytes.fromhex("08000000000000001801000000000000"))
            return


def until_closed(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_sccp_server_is_shown_with_what_it_answered(run_callgate: Callgate, listen: Listen) -> None:
    port = listen(sccp_server)
    done = run_callgate("probe", f"127.0.0.1:{port}", "--service", "sccp")
    first, last = done.stdout.splitlines()
    assert first.split()[:5] == ["127.0.0.1", f"{port}/tcp", "sccp", "answers", "KeepAliveAck,"]
    assert last.startswith("1 asked in ")
    assert last.endswith(": 1 answers")
    assert (done.returncode, done.stderr) == (0, "")


def test_silence_is_called_inconclusive(run_callgate: Callgate, listen: Listen) -> None:
    done = run_callgate("probe", f"127.0.0.1:{listen(until_closed)}", "--service", "sccp", "--timeout", "0.2")
    assert "silent     connected, then silence for 0.2 s; whether SCCP is there: inconclusive" in done.stdout
    assert done.returncode == 0


def test_json_is_an_object_a_line(run_callgate: Callgate, listen: Listen, closed: int) -> None:
    port = listen(sccp_server)
    done = run_callgate("probe", f"127.0.0.1:{port}", f"127.0.0.1:{closed}", "--service", "sccp", "--json")
    by_port = {one["port"]: one for one in objects(done)}
    assert set(by_port) == {port, closed}
    found = by_port[port]
    text, milliseconds = found.pop("text"), found.pop("milliseconds")
    assert text == f"KeepAliveAck, 12 bytes in {milliseconds} ms"
    assert found == {
        "target": f"127.0.0.1:{port}",
        "address": "127.0.0.1",
        "port": port,
        "transport": "tcp",
        "service": "sccp",
        "answer": "answers",
        "open": True,
        "detected": "sccp",
        "source": "127.0.0.1",
        "tls": None,
        "fingerprint": None,
        "scanner": None,
    }
    assert (by_port[closed]["answer"], by_port[closed]["detected"]) == ("refused", None)
    assert done.stderr.startswith("callgate: 2 asked in ")


def test_a_port_without_a_service_of_its_own_is_asked_for_all(run_callgate: Callgate, closed: int) -> None:
    done = run_callgate("probe", f"127.0.0.1:{closed}", "--json", "-q")
    assert {one["service"] for one in objects(done)} == {"sccp", "sccp-tls", "sip-udp", "sip-tcp", "sip-tls"}
    assert done.stderr == ""


@pytest.mark.parametrize(("answer", "code"), [("open", 1), ("closed", 0)])
def test_a_gate_fails_when_something_is_open(
    run_callgate: Callgate, listen: Listen, closed: int, answer: str, code: int
) -> None:
    port = listen(until_closed) if answer == "open" else closed
    arguments = ["probe", f"127.0.0.1:{port}", "--service", "sccp", "--timeout", "0.2", "--fail-on-answer"]
    assert run_callgate(*arguments).returncode == code


def test_of_a_network_only_open_ports_are_shown(run_callgate: Callgate, listen: Listen) -> None:
    port = str(listen(sccp_server))
    arguments = ["probe", "127.0.0.0/28", "--service", "sccp", "--port", port, "--rate", "1000"]
    done = run_callgate(*arguments)
    shown = done.stdout.splitlines()
    assert [line.split()[0] for line in shown[:1]] == ["127.0.0.1"]
    assert shown[1] == "not shown of 127.0.0.0/28: 13 refused"
    assert shown[2].endswith("1 answers, 13 refused")
    everything = run_callgate(*arguments, "--all").stdout.splitlines()
    assert sum("refused" in line for line in everything[:-1]) == 13


def test_targets_come_from_a_file_or_standard_input(run_callgate: Callgate, tmp_path: Path, closed: int) -> None:
    (tmp_path / "hosts.txt").write_text(f"# ours\n127.0.0.1:{closed}   # the PBX\n")
    done = run_callgate("probe", "--targets", "hosts.txt", "--service", "sccp", "--json")
    assert [one["target"] for one in objects(done)] == [f"127.0.0.1:{closed}"]
    piped = subprocess.run(
        [sys.executable, "-m", "callgate", "probe", "--targets", "-", "--service", "sccp", "--json", "-q"],
        input=f"127.0.0.1:{closed}\n",
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(callgate.__file__).parents[1])},
    )
    assert [json.loads(line)["answer"] for line in piped.stdout.splitlines()] == ["refused"]


def test_a_limit_of_open_files_is_kept(closed: int) -> None:
    command = [sys.executable, "-m", "callgate", "probe", f"127.0.0.1:{closed}", "--service", "sccp", "-q"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *command],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(callgate.__file__).parents[1])},
    )
    assert done.stderr == "callgate: 36 at once instead of 400: the limit of open files is 100\n"
    assert "refused" in done.stdout


def test_a_name_is_asked_at_its_address(run_callgate: Callgate, closed: int) -> None:
    done = run_callgate("probe", f"localhost:{closed}", "-4", "--service", "sccp")
    assert done.stdout.startswith("127.0.0.1 (localhost) ")
    assert done.returncode == 0


def test_a_name_that_does_not_resolve_leaves_the_run_undetermined(run_callgate: Callgate, closed: int) -> None:
    done = run_callgate("probe", "nope.invalid", f"127.0.0.1:{closed}", "--service", "sccp", "--json")
    assert done.returncode == 3
    assert done.stderr.startswith("callgate: nope.invalid: the name does not resolve: ")
    first, second = objects(done)
    assert (first["target"], first["address"], first["answer"]) == ("nope.invalid", None, "inconclusive")
    assert first.keys() == second.keys()
    assert second["answer"] == "refused"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "no target: name hosts or networks, or give --targets FILE"),
        (["10.0.0.0/8"], "10.0.0.0/8: too large: a sweep takes an IPv4 network of /16 at most"),
        (["224.0.0.1"], "224.0.0.1: a multicast address: probes ask hosts one by one"),
        (["192.0.2.1", "--service", "sccpp"], "--service sccpp: no such service; there are sccp, sccp-tls, sip-udp"),
        (["192.0.2.1", "--timeout", "nan"], "'nan' is not in the range 0.1<=x<=30"),
        (["192.0.2.1", "--port", "0"], "--port 0: a port between 1 and 65535 is expected"),
        (["192.0.2.1", "--port", "2010-2000"], "--port 2010-2000: a port between 1 and 65535 is expected"),
        (["192.0.2.1", "-4", "-6"], "-4 and -6 exclude each other"),
        (["192.0.2.1", "-6"], "no target is left: none is IPv6"),
        (["--targets", "missing.txt"], "missing.txt: No such file or directory"),
        (["--targets", "."], ".: Is a directory"),
        (["192.0.2.1", "--as-scanner"], "--as-scanner needs --yes where there is no terminal to ask; nothing was sent"),
        (["192.0.2.1", "--as-scanner", "--yes", "--service", "sip-udp"], "--as-scanner belongs to the service sccp"),
        (["192.0.2.1", "--from", "telnet://x"], "no back end is called 'telnet'"),
        (["10.0.0.0/16", "10.1.0.0/16"], "too much for one run: at most 400,000 questions"),
    ],
)
def test_what_cannot_be_is_one_clear_line(run_callgate: Callgate, arguments: list[str], complaint: str) -> None:
    done = run_callgate("probe", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr.splitlines()[-1]


def test_wrong_lines_of_a_file_are_told_with_their_numbers(run_callgate: Callgate, tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_bytes(b"192.0.2.1\n10.0.0.0/8\n\xff\xfe\n")
    done = run_callgate("probe", "--targets", "hosts.txt")
    assert done.returncode == 2
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["hosts.txt:2", "hosts.txt:3"]


def test_targets_of_the_other_family_are_left_out_and_counted(run_callgate: Callgate, closed: int) -> None:
    done = run_callgate("probe", f"127.0.0.1:{closed}", "::1", "-4", "--service", "sccp", "-q")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == "callgate: 1 targets left out: not IPv4\n"


def test_the_scanners_finding_is_predicted_beside_our_own(run_callgate: Callgate, listen: Listen) -> None:
    port = listen(registrar)
    done = run_callgate("probe", f"127.0.0.1:{port}", "--service", "sccp", "--as-scanner", "--yes")
    assert done.stderr.startswith("callgate: --as-scanner registers the device SEP6E6573737573 wherever auto-registr")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "KeepAliveAck, 12 bytes" in lines[0]
    assert lines[1:4] == [
        'plugin 22877, "Skinny Server Detection", would report it: RegisterAckMessage came back alone',
        "auto-registration is on: SEP6E6573737573 was registered; unregistered",
        "the scanner itself asks port 2000 only",
    ]
    assert done.returncode == 0


def test_not_reported_is_told_not_to_mean_not_there(run_callgate: Callgate, listen: Listen) -> None:
    port = listen(sccp_server)
    arguments = ["probe", f"127.0.0.1:{port}", "--service", "sccp", "--as-scanner", "--yes", "--timeout", "0.4"]
    done = run_callgate(*arguments)
    assert "would not report it: nothing came back" in done.stdout
    assert '"not reported" is not "not there": SCCP is there, as the KeepAliveAck shows' in done.stdout
    (found,) = objects(run_callgate(*arguments, "--json"))
    assert (found["detected"], found["scanner"]["reported"], found["scanner"]["plugin"]) == ("sccp", False, 22877)


def test_the_scanners_exchange_is_not_tried_where_nothing_listens(run_callgate: Callgate, closed: int) -> None:
    done = run_callgate("probe", f"127.0.0.1:{closed}", "--service", "sccp", "--as-scanner", "--yes", "--json", "-q")
    assert [one["scanner"] for one in objects(done)] == [None]


def test_help_tells_of_the_wrong_plugin_id_and_the_registration(run_callgate: Callgate) -> None:
    text = run_callgate("probe", "--help").stdout
    assert "93841, which some advice gives, is not its id" in text
    assert "REGISTERS A DEVICE" in text
    assert "Examples:" in text
    assert "Exit codes:" in text


def test_an_interrupted_run_shows_what_it_knows(listen: Listen, closed: int, tmp_path: Path) -> None:
    stuck = threading.Event()

    def accepted(connection: socket.socket) -> None:
        stuck.set()
        until_closed(connection)

    arguments = [f"127.0.0.1:{closed}", f"127.0.0.1:{listen(accepted)}", "--service", "sccp", "--timeout", "30"]
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored from birth when the tests run in the background
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "callgate", "probe", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": str(Path(callgate.__file__).parents[1])},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout is not None
        assert "refused" in process.stdout.readline(), "shown before the rest is known"
        assert stuck.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert out.startswith("1 of 2 asked in ")
    assert err == "\ncallgate: interrupted: nothing is certain\n"
    assert process.returncode == 3


def test_on_a_terminal_there_is_a_bar_that_goes_away_and_a_question(listen: Listen) -> None:
    port = listen(registrar)
    near, far = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(Path(callgate.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-m", "callgate", "probe", f"127.0.0.1:{port}", "--service", "sccp", "--as-scanner"],
        stdin=far,
        stdout=far,
        stderr=far,
        env=environment,
    ) as process:
        os.close(far)
        written = b""
        deadline = time.monotonic() + 40
        with suppress(OSError):  # EIO: the other end is closed
            while time.monotonic() < deadline:
                if b"Go on? [y/N]" in written and b"y\r\n" not in written:
                    os.write(near, b"y\n")
                    written += b"y\r\n"
                if not select.select([near], [], [], 1)[0]:
                    continue
                chunk = os.read(near, 65536)
                if not chunk:
                    break
                written += chunk
        os.close(near)
        assert process.wait(20) == 0
    text = written.decode()
    assert "probing" in text
    assert "probing" not in text.split("\x1b[2K")[-1]
    assert "would report it: RegisterAckMessage came back alone" in text
