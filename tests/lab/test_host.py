from __future__ import annotations

import time
from pathlib import Path

import pytest

from callgate.errors import LabError
from callgate.lab.availability import lab_unavailable
from callgate.lab.host import enter
from callgate.lab.pytest_fixtures import require
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab


def test_a_command_gets_its_input_and_gives_its_output(lab: Lab) -> None:
    done = lab.pbx.run(["sh", "-c", "cat; echo to stderr >&2"], stdin="to stdout\n")
    assert (done.stdout, done.stderr, done.returncode) == ("to stdout\n", "to stderr\n", 0)


def test_a_failing_command_is_an_error_only_when_checked(lab: Lab) -> None:
    assert lab.pbx.run(["sh", "-c", "exit 3"], check=False).returncode == 3
    with pytest.raises(LabError, match=r"pbx: sh -c 'echo no >&2; exit 3' ended with 3: no"):
        lab.pbx.run(["sh", "-c", "echo no >&2; exit 3"])


def test_a_missing_command_is_named(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"pbx: no-such-command not found"):
        lab.pbx.run(["no-such-command"])


def test_a_command_that_takes_too_long_is_ended_with_its_children(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"did not end within 0.2 s"):
        lab.pbx.run(["sh", "-c", "sleep 600 & sleep 600"], timeout=0.2)
    assert "sleep" not in lab.pbx.run(["ps", "-eo", "comm"]).stdout


def test_bytes_that_are_no_text_are_escaped(lab: Lab) -> None:
    assert lab.pbx.run(["printf", r"a\377b"]).stdout == r"a\xffb"


def test_a_server_runs_until_it_is_stopped(lab: Lab) -> None:
    log = lab.directory / "log"
    server = lab.pbx.spawn(["sh", "-c", "echo started; sleep 600 & wait"], log=log)
    server.wait_ready(lambda: server.log_text() == "started\n", 5)
    assert server.running
    server.stop()
    server.stop()
    assert not server.running
    assert "sleep" not in lab.pbx.run(["ps", "-eo", "comm"]).stdout


def test_a_server_that_ignores_the_gentle_way_is_killed(lab: Lab) -> None:
    server = lab.pbx.spawn(["sh", "-c", "trap '' TERM; echo started; sleep 600; sleep 600"], log=lab.directory / "log")
    server.wait_ready(lambda: "started" in server.log_text(), 5)
    server.stop(within=0.2)
    assert not server.running
    assert "sleep" not in lab.pbx.run(["ps", "-eo", "comm"]).stdout


def test_a_server_that_ends_early_or_is_never_ready_says_why(lab: Lab) -> None:
    ended = lab.pbx.spawn(["sh", "-c", "echo bad configuration >&2; exit 4"], log=lab.directory / "ended", name="this")
    with pytest.raises(LabError, match="pbx: this ended with 4; its log ends: bad configuration"):
        ended.wait_ready(lambda: False, 5)
    silent = lab.pbx.spawn(["sleep", "600"], log=lab.directory / "silent")
    with pytest.raises(LabError, match=r"pbx: sleep was not ready within 0.1 s; its log is empty"):
        silent.wait_ready(lambda: False, 0.1)
    assert not silent.running


def test_hosts_have_their_own_name_processes_and_places(lab: Lab) -> None:
    for host in (lab.pbx, lab.trusted, lab.stranger):
        assert host.run(["uname", "-n"]).stdout.strip() == host.name
        assert len(host.run(["ps", "-e", "-o", "pid="]).stdout.splitlines()) == 2  # its first process, and ps
        host.run(["touch", "/run/mark", "/var/log/mark"])
        assert sorted(host.run(["ls", "/sys/class/net"]).stdout.split())[-1].startswith("lo")
    for path in ("/run/mark", "/var/log/mark"):
        assert not Path(path).exists()


def test_what_is_written_to_etc_stays_in_the_host(lab: Lab) -> None:
    lab.pbx.write_etc("nftables.conf", "flush ruleset\n")
    lab.pbx.write_etc("callgate-lab/rules.v4", "*filter\nCOMMIT\n")
    assert lab.pbx.run(["cat", "/etc/nftables.conf"]).stdout == "flush ruleset\n"
    assert lab.pbx.run(["cat", "/etc/callgate-lab/rules.v4"]).stdout == "*filter\nCOMMIT\n"
    assert lab.trusted.run(["ls", "/etc/callgate-lab"], check=False).returncode != 0
    assert not Path("/etc/callgate-lab").exists()


@pytest.mark.parametrize("name", ["../tmp/x", "/tmp/x", "nft/../../tmp/x", ""])
def test_only_etc_is_written(lab: Lab, name: str) -> None:
    with pytest.raises(ValueError, match="is not below /etc"):
        lab.pbx.write_etc(name, "x")


def test_a_host_is_entered_by_its_pid(lab: Lab) -> None:
    assert lab.pbx.uri == f"nsenter://{lab.pbx.pid}"
    assert enter(lab.pbx.pid)[:3] == ["nsenter", "--target", str(lab.pbx.pid)]
    assert {"--net", "--mount", "--pid"} < set(enter(lab.pbx.pid))


def test_a_closed_lab_takes_no_commands() -> None:
    require(lab_unavailable())
    with Lab() as lab:
        pass
    with pytest.raises(LabError, match="pbx: this lab is closed"):
        lab.pbx.run(["true"])


def test_a_dropped_a_refused_and_an_unreachable_call_are_told_apart(lab: Lab) -> None:
    lab.pbx.load_nft("table inet t { chain c { type filter hook input priority 0; tcp dport 2000 drop\n}\n}")
    start = time.monotonic()
    assert lab.stranger.dial("keepalive", "203.0.113.10", 2000, timeout=0.3).result == "unanswered"
    assert time.monotonic() - start < 3
    assert lab.stranger.dial("keepalive", "203.0.113.10", 2001).result == "refused"
    assert lab.stranger.dial("options-udp", "203.0.113.10", 2001).result == "refused"
    assert lab.pbx.dial("connect", "198.51.100.1", 2000).result == "unreachable"
