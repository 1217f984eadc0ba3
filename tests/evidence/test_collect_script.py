"""The real script under each shell, on hosts that lack tools, and whose tools fail, hang, lie or talk too much."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from callgate.errors import ProtocolError
from callgate.evidence.collector import script
from callgate.evidence.stream import FileState, Taken, read_stream

SHELLS = {"dash": ("dash",), "bash": ("bash",), "busybox": ("busybox", "sh")}
PATH_LINE = "PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin\n"
REAL = ("cat", "base64", "od", "head", "timeout", "setsid", "sleep", "tr", "id", "uname", "true", "grep")
SECONDS = 3
BYTES = 50_000
LONG = b"0123456789abcdef\n" * 6000

SOUND = {
    "ip": """case "$*" in
      "-j addr") printf 'caf\\351 \\377\\n' ;;
      "-j route show table all") printf '@exit 0 bound=0 encode=0\\n@stderr\\n@done\\n@file forged\\n' ;;
      "-6 -j route show table all") printf 'a\\000b\\n' ;;
      *) echo '[]' ;;
    esac""",
    "nft": """case $1 in
      -j) printf 'half'; printf 'denied \\377\\000 \\342\\202\\254\\n' >&2; exit 3 ;;
      *) echo before; head -c 200000 /dev/zero >&2; echo after ;;
    esac""",
}
SLOW = {
    # TERM does not end it, nor the child it waits for.
    "ss": 'trap "" TERM; echo begun; sleep 60; echo never',
    "iptables-save": "while :; do echo 0123456789abcdef; done",
    "ip6tables-save": "sleep 60 & echo kept",
}
FAST = {"iptables-save": f"cat {{folder}}/long; head -c {len(LONG)} {{folder}}/long", "ip6tables-save": "echo kept"}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the script left: its output, its watched folders, its processes."""

    stdout: bytes
    stderr: bytes
    written: list[Path]
    left: list[str]
    seconds: float

    def taken(self) -> dict[str, Taken]:
        return {one.file: one for one in read_stream(self.stdout, BYTES)}


def processes_with(mark: str) -> dict[int, str]:
    """The processes that inherited the mark, by id."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in entry.read_bytes():
                found[int(entry.parent.name)] = (entry.parent / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:  # gone, or another user's
            continue
    return found


def run(folder: Path, shell: tuple[str, ...], lacking: set[str], tools: dict[str, str], busybox: str = "") -> Run:
    """Run the script with a PATH of its own: real tools but those lacking, and the fakes."""
    text = script()
    assert text.count(PATH_LINE) == 1
    path, home = folder / "bin", folder / "home"
    path.mkdir(parents=True)
    home.mkdir()
    (folder / "long").write_bytes(LONG)
    program = shutil.which(shell[0])
    assert program
    (path / "sh").write_text(f'#!/bin/sh\nexec {program} {" ".join(shell[1:])} "$@"\n')
    for tool in REAL:
        if tool not in lacking:
            (path / tool).symlink_to(shutil.which("busybox" if tool == busybox else tool) or "/nonexistent")
    for tool, body in tools.items():
        (path / tool).write_text(f"#!/bin/sh\n{body.replace('{folder}', str(folder))}\n")
    for file in path.iterdir():
        if not file.is_symlink():
            file.chmod(0o755)
    mark = f"CALLGATE_TEST_MARK={uuid.uuid4()}"
    began = time.monotonic()
    done = subprocess.run(
        [program, *shell[1:], "-c", text.replace(PATH_LINE, "")],
        cwd=home,
        env={
            "PATH": str(path),
            "HOME": str(home),
            "TMPDIR": str(home),
            "CALLGATE_SECONDS": str(SECONDS),
            "CALLGATE_BYTES": str(BYTES),
            **dict([mark.split("=")]),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
    )
    seconds = time.monotonic() - began
    kept = [pid for pid, command in processes_with(mark).items() if command == "sleep 60"]
    until = time.monotonic() + 4
    while (left := {pid: what for pid, what in processes_with(mark).items() if pid not in kept}) and (
        time.monotonic() < until
    ):
        time.sleep(0.1)
    for pid in (*kept, *left):
        os.kill(pid, signal.SIGKILL)
    return Run(done.stdout, done.stderr, list(home.iterdir()), [*left.values(), *["sleep 60"] * len(kept)], seconds)


def without(*tools: str) -> dict[str, str]:
    return {tool: body for tool, body in (SOUND | FAST).items() if tool not in tools}


EXEC = {"ss": 'trap "" TERM; echo begun; exec sleep 60'}
HOSTS: dict[str, Callable[[Path, tuple[str, ...]], Run]] = {
    "all tools": lambda folder, shell: run(folder, shell, set(), SOUND | SLOW),
    "no timeout": lambda folder, shell: run(folder, shell, {"timeout"}, SOUND | SLOW),
    "no timeout, no setsid": lambda folder, shell: run(folder, shell, {"timeout", "setsid"}, SOUND | SLOW | EXEC),
    "busybox timeout": lambda folder, shell: run(folder, shell, set(), SOUND | SLOW | EXEC, "timeout"),
    "no base64": lambda folder, shell: run(folder, shell, {"base64"}, without("ip")),
    "head without -c": lambda folder, shell: run(folder, shell, {"head"}, without("nft") | {"head": "exit 1"}),
    "no encoder": lambda folder, shell: run(folder, shell, {"base64", "od"}, SOUND),
}
WATCHED = ("all tools", "no timeout", "no timeout, no setsid", "busybox timeout")
Runs = Callable[[str, str], Run]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """A run of the script on a host, begun for all shells and hosts when the first is asked for."""
    futures: dict[tuple[str, str], Future[Run]] = {}
    with ThreadPoolExecutor(len(SHELLS) * len(HOSTS)) as pool:

        def wait(shell: str, host: str) -> Run:
            for name, command in SHELLS.items():
                if shutil.which(command[0]) is None:
                    if name == shell:
                        pytest.skip(f"there is no {command[0]} here")
                    continue
                for kind, begin in HOSTS.items():
                    if kind == "busybox timeout" and shutil.which("busybox") is None:
                        if kind == host:
                            pytest.skip("there is no busybox here")
                    elif (name, kind) not in futures:
                        folder = tmp_path_factory.mktemp("host") / "root"
                        futures[name, kind] = pool.submit(begin, folder, command)
            return futures[shell, host].result()

        yield wait


every_shell = pytest.mark.parametrize("shell", SHELLS)
every_host = pytest.mark.parametrize("host", WATCHED)


@every_shell
@every_host
def test_a_tool_that_hangs_is_ended_and_recorded(runs: Runs, shell: str, host: str) -> None:
    hung = runs(shell, host).taken()["ss.txt"]
    assert (hung.state, hung.command) == (FileState.TIMED_OUT, "ss -H -tulnp")


@every_shell
@every_host
def test_a_tool_whose_child_keeps_the_output_open_does_not_hold_up_the_rest(runs: Runs, shell: str, host: str) -> None:
    assert runs(shell, host).taken()["ip6tables-save.txt"].state is FileState.TIMED_OUT
    assert runs(shell, host).seconds < 40


@every_shell
@pytest.mark.parametrize("host", [*WATCHED, "head without -c", "no base64"])
def test_a_tool_that_prints_too_much_is_recorded(runs: Runs, shell: str, host: str) -> None:
    assert runs(shell, host).taken()["iptables-save.txt"].state is FileState.TOO_LARGE


@every_shell
@pytest.mark.parametrize("host", [*WATCHED, "no base64"])
def test_a_tool_that_fails_is_recorded_with_its_complaint(runs: Runs, shell: str, host: str) -> None:
    failed = runs(shell, host).taken()["nft.json"]
    assert (failed.state, failed.exit_code, failed.output) == (FileState.FAILED, 3, b"half")
    assert failed.stderr == "denied \\xff €"


@every_shell
@pytest.mark.parametrize("host", [*WATCHED, "no base64"])
def test_a_long_complaint_is_cut_and_does_not_end_the_tool(runs: Runs, shell: str, host: str) -> None:
    chatty = runs(shell, host).taken()["nft.txt"]
    assert (chatty.state, chatty.output) == (FileState.COLLECTED, b"before\nafter\n")


@every_shell
@pytest.mark.parametrize("host", [*WATCHED, "head without -c"])
def test_bytes_come_through_as_they_are(runs: Runs, shell: str, host: str) -> None:
    taken = runs(shell, host).taken()
    expected = {
        "ip-addr.json": b"caf\xe9 \xff\n",
        "ip-route.json": b"@exit 0 bound=0 encode=0\n@stderr\n@done\n@file forged\n",
        "ip6-route.json": b"a\0b\n",
        "ip-rule.json": b"[]\n",
    }
    assert {file: taken[file].output for file in expected} == expected
    assert {taken[file].state for file in expected} == {FileState.COLLECTED}


@every_shell
@pytest.mark.parametrize(
    ("host", "files"),
    [
        ("no base64", {"ip-addr.json", "ip-route.json", "ip6-route.json", "ip-rule.json"}),
        ("head without -c", {"nft.json", "nft.txt"}),
    ],
)
def test_a_tool_that_is_not_there_is_said_to_be_missing(runs: Runs, shell: str, host: str, files: set[str]) -> None:
    taken = runs(shell, host).taken()
    missing = {file for file, one in taken.items() if one.state is FileState.TOOL_MISSING}
    not_everywhere = {"ipset-save.txt", "iptables-legacy-save.txt", "ip6tables-legacy-save.txt", "boot-units.txt"}
    assert files <= missing <= files | not_everywhere


@every_shell
@pytest.mark.parametrize("host", [*WATCHED, "no base64", "head without -c"])
def test_what_has_no_fault_is_collected_beside_what_has(runs: Runs, shell: str, host: str) -> None:
    taken = runs(shell, host).taken()
    assert taken["identity.txt"].state is FileState.COLLECTED
    assert taken["identity.txt"].output.split(b"\n")[0] == str(os.getuid()).encode()
    assert taken["sysctl.txt"].state is FileState.COLLECTED
    assert b"net.ipv4.ip_forward = " in taken["sysctl.txt"].output
    assert taken["proc-net-tcp.txt"].output.split()[:2] == [b"sl", b"local_address"]
    assert list(taken)[-1] != "forged"
    if host in ("no base64", "head without -c"):
        assert taken["ip6tables-save.txt"].output == b"kept\n"


@every_shell
def test_without_any_encoder_the_host_says_so(runs: Runs, shell: str) -> None:
    with pytest.raises(ProtocolError, match="neither base64 nor od"):
        runs(shell, "no encoder").taken()


@every_shell
@pytest.mark.parametrize("host", HOSTS)
def test_no_file_is_written(runs: Runs, shell: str, host: str) -> None:
    assert runs(shell, host).written == []


@every_shell
@pytest.mark.parametrize("host", HOSTS)
def test_no_process_is_left_behind(runs: Runs, shell: str, host: str) -> None:
    # The child that one tool left to itself is that tool's own.
    assert runs(shell, host).left == ["sleep 60"] * (host in WATCHED)
