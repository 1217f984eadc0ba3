"""Remedies whose connection is lost, that run twice at once, and strangers whose flows stand already."""

from __future__ import annotations

import subprocess
import time
from typing import Literal

import pytest
from tests.lab.rebuilt_host import dumps, listen, load, plain
from tests.lab.test_remedies import FORMATS, run, target

from callgate.change.remedy.remedy import remedy
from callgate.lab.host import LabHost, enter
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

_HOST = "ipt02-before-broad-first"
_LEFT = ["sh", "-c", "ls -d /etc/callgate /etc/systemd/system/callgate*"]

_SERVER = """\
import socket
with socket.create_server(("0.0.0.0", 2000)) as server:
    print("up", flush=True)
    flow, _ = server.accept()
    flow.settimeout(0.05)
    for _ in range(200):
        flow.send(b"x")
        try:
            if flow.recv(99):
                print("got", flush=True)
        except TimeoutError:
            pass
"""
_CLIENT = """\
import socket, time
with socket.create_connection(("203.0.113.10", 2000)) as flow:
    for _ in range(200):
        flow.send(b"y")
        time.sleep(0.05)
"""


def begin(host: LabHost, script: str, action: str) -> subprocess.Popen[str]:
    """Start the script, read by sh from a pipe."""
    pipe = subprocess.PIPE
    command = [*enter(host.pid), "sh", "-s", action]
    started = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    assert started.stdin is not None
    started.stdin.write(script)
    started.stdin.close()
    started.stdin = None
    return started


def begin_and_hang_up(host: LabHost, script: str, action: str) -> None:
    """Run the script, with nobody who reads what it says behind its first line."""
    with begin(host, script, action) as started:
        assert started.stdout is not None
        assert started.stdout.readline().startswith("callgate: ")
        started.stdout.close()
        started.wait(20)


def test_remedies_stay_whole_when_connections_are_lost_and_when_two_run_at_once(lab: Lab) -> None:
    pbx = lab.pbx
    load(pbx, _HOST)
    sockets = listen(pbx, _HOST)
    rules = plain(dumps(pbx))
    for form in FORMATS:
        made = remedy(target(pbx), form)
        assert made is not None
        script = made.recipe.script

        begin_and_hang_up(pbx, script, "apply")
        kept = run(pbx, script, "status", check=False).returncode == 0
        assert kept or (plain(dumps(pbx)) == rules and not pbx.run(_LEFT, check=False).stdout)
        run(pbx, script)
        begin_and_hang_up(pbx, script, "rollback")
        assert plain(dumps(pbx)) == rules
        assert pbx.run(_LEFT, check=False).stdout == ""

        both = [begin(pbx, script, "apply") for _ in range(2)]
        said = [one.communicate(timeout=20)[0] for one in both]
        assert [one.returncode for one in both] == [0, 0], said
        assert run(pbx, script, "status").returncode == 0
        run(pbx, script, "rollback")
        assert plain(dumps(pbx)) == rules
    sockets.stop()


@pytest.mark.parametrize("form", FORMATS)
def test_flow_that_a_stranger_has_ends_where_nothing_was_tracked_before(
    lab: Lab, form: Literal["nft", "iptables"]
) -> None:
    pbx = lab.pbx
    server = pbx.spawn(["python3", "-c", _SERVER], log=pbx.new_directory("server") / "log")
    server.wait_ready(lambda: "up" in server.log_text(), 5)
    lab.stranger.spawn(["python3", "-c", _CLIENT], log=lab.stranger.new_directory("client") / "log")
    server.wait_ready(lambda: server.log_text().count("got") > 2, 5)
    made = remedy(target(pbx), form)
    assert made is not None
    run(pbx, made.recipe.script)
    time.sleep(0.1)
    heard = server.log_text().count("got")
    time.sleep(1.2)
    assert server.log_text().count("got") == heard
