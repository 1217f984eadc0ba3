"""However the process that holds a lab ends, nothing of the lab stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

import callgate
from callgate.lab.availability import find_tool, lab_unavailable
from callgate.lab.pytest_fixtures import require
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

Script = Callable[..., subprocess.CompletedProcess[str]]
SOURCE = str(Path(callgate.__file__).parents[1])

HOLD = """
import json, os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored from birth when the tests run in the background
from callgate.lab.kamailio import start_kamailio
from callgate.lab.sccp import start_sccp
from callgate.lab.sshd import sshd_unavailable, start_sshd
from callgate.lab.topology import Lab
from callgate.lab.availability import find_tool
with Lab() as lab:
    start_sccp(lab.pbx)
    if find_tool("kamailio"):
        start_kamailio(lab.pbx)
    if sshd_unavailable() is None:
        start_sshd(lab.pbx)
    lab.trusted.run(["sh", "-c", "sleep 600 >/dev/null 2>&1 &"])
    networks = [os.readlink(f"/proc/{host.pid}/ns/net") for host in (lab.pbx, lab.trusted, lab.stranger)]
    print(json.dumps({"directory": str(lab.directory), "networks": networks}), flush=True)
    time.sleep(60)
"""


def processes_in(networks: Iterable[str]) -> list[int]:
    """The living processes in these network namespaces."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            if os.readlink(f"/proc/{name}/ns/net") in networks:
                found.append(int(name))
    return found


def gone_within(seconds: float, networks: Iterable[str]) -> bool:
    deadline = time.monotonic() + seconds
    while processes_in(networks):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_builder_leaves_no_process_no_namespace_and_no_file(number: signal.Signals) -> None:
    require(lab_unavailable())
    command = [sys.executable, "-c", HOLD]
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as builder:
        assert builder.stdout is not None
        held = json.loads(builder.stdout.readline())
        networks = set(held["networks"])
        assert len(networks) == 3
        assert os.readlink("/proc/self/ns/net") not in networks
        assert len(processes_in(networks)) >= 3 * 2 + 2  # unshare and init of each host, the responder, the sleeper
        builder.send_signal(number)
        builder.wait(10)
    assert gone_within(5, networks), processes_in(networks)
    assert not Path(held["directory"]).exists()


@pytest.mark.parametrize("milliseconds", [60, 90, 110, 130, 150, 180])
def test_a_builder_killed_while_it_builds_leaves_no_process(tmp_path: Path, milliseconds: int) -> None:
    require(lab_unavailable())
    environment = {**os.environ, "PYTHONPATH": SOURCE, "TMPDIR": str(tmp_path)}
    build = "from callgate.lab.topology import Lab\nwhile True:\n with Lab(): pass"
    with subprocess.Popen([sys.executable, "-c", build], stderr=subprocess.DEVNULL, env=environment) as builder:
        time.sleep(milliseconds / 1000)
        builder.kill()

    def left() -> list[str]:
        lines = []
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if str(tmp_path) in (text := cmdline.read_bytes().decode(errors="replace")):
                    lines.append(text)
        return lines

    deadline = time.monotonic() + 5
    while left() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left() == []


def test_a_closed_lab_is_gone_and_closing_again_is_harmless() -> None:
    require(lab_unavailable())
    with Lab() as lab:
        server = start_sccp(lab.pbx)
        networks = {os.readlink(f"/proc/{host.pid}/ns/net") for host in (lab.pbx, lab.trusted, lab.stranger)}
        assert (lab.directory.stat().st_mode & 0o777) == 0o700
    assert not processes_in(networks)
    assert not server.running
    assert not lab.directory.exists()
    lab.close()


def test_an_error_inside_ends_the_lab() -> None:
    require(lab_unavailable())
    lab = Lab()
    networks = set()

    def use() -> None:
        with lab:
            networks.add(os.readlink(f"/proc/{lab.pbx.pid}/ns/net"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert networks
    assert not processes_in(networks)


def test_nothing_of_a_lab_shows_in_the_builders_namespace(script: Script) -> None:
    """Watched through netlink, in a namespace where nobody else makes interfaces."""
    require(lab_unavailable())
    watch = """
import os, socket, subprocess
from callgate.lab.topology import Lab
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
links = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
links.bind((0, 1))  # RTMGRP_LINK
links.settimeout(0.5)
def event():
    try:
        return bool(links.recv(65536))
    except TimeoutError:
        return False
with Lab() as lab:
    print("while it stands:", event(), os.path.exists("/run/netns"))
print("after its end:", event(), os.path.exists("/run/netns"))
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
print("an event is seen:", event())
"""
    done = script(watch, str(find_tool("unshare")), "--net", "--mount")
    assert done.stdout.splitlines() == [
        "while it stands: False False",
        "after its end: False False",
        "an event is seen: True",
    ], done.stderr


def test_a_builder_that_cannot_finish_cleans_up(script: Script) -> None:
    require(lab_unavailable())
    failing = """
import os, tempfile
from callgate.errors import LabError
from callgate.lab import topology
directory = tempfile.mkdtemp()
tempfile.tempdir = directory
topology._default_route = lambda through: "route add nonsense\\n"
try:
    with topology.Lab():
        print("built")
except LabError as error:
    print(error)
print(os.listdir(directory))
os.rmdir(directory)
"""
    lines = script(failing).stdout.splitlines()
    assert lines[0].startswith("trusted: nsenter --target ")
    assert lines[1:] == ["[]"]
