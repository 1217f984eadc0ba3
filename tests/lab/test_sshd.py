from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from callgate.errors import LabError
from callgate.lab import sshd as sshd_module
from callgate.lab.availability import lab_unavailable
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.rulesets import RIGHT_REMEDY_NFT
from callgate.lab.sshd import Sshd, sshd_unavailable, start_sshd
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sshd(lab: Lab) -> Sshd:
    require_tool("ssh")
    require(sshd_unavailable())
    return start_sshd(lab.pbx)


def ssh(server: Sshd, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", str(server.ssh_config), *options, server.alias, command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=20,
    )


def test_a_login_through_the_generated_configuration_is_counted(lab: Lab, sshd: Sshd) -> None:
    assert (sshd.logins(), sshd.sessions()) == (0, 0)
    done = ssh(sshd, "uname -n; id -u; ip -brief address show dev eth0")
    assert done.returncode == 0, done.stderr
    name, user, address = done.stdout.splitlines()
    assert (name, user) == ("pbx", "0")
    assert "192.168.1.10/24" in address
    assert done.stderr == ""
    assert (sshd.logins(), sshd.sessions()) == (1, 1)
    assert ssh(sshd, "exit 7").returncode == 7
    assert (sshd.logins(), sshd.sessions()) == (2, 2)


def test_one_login_carries_many_commands_and_ends_with_the_lab() -> None:
    require_tool("ssh")
    require(lab_unavailable())
    require(sshd_unavailable())
    with Lab() as lab:
        sshd = start_sshd(lab.pbx)
        shared = ("-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={sshd.directory}/%C")
        for _ in range(3):
            # a master keeps stderr open, so it goes nowhere
            done = subprocess.run(
                ["ssh", "-F", str(sshd.ssh_config), *shared, "pbx", "echo done"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=20,
            )
            assert done.stdout == b"done\n"
        assert (sshd.logins(), sshd.sessions()) == (1, 3)
        directory = str(lab.directory)
        assert masters(directory) != []
    deadline = time.monotonic() + 5
    while masters(directory) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert masters(directory) == []


def masters(directory: str) -> list[str]:
    """The command lines of ssh and of its relay that speak of the lab's files."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if directory in (text := cmdline.read_bytes().decode(errors="replace")):
                found.append(text)
    return found


@pytest.mark.parametrize("known", ["another key", "none"])
def test_an_unknown_host_key_is_refused_before_any_login(sshd: Sshd, known: str) -> None:
    hosts = sshd.directory / "known_hosts"
    address = hosts.read_text().split()[0]
    other = (sshd.directory / "client_key.pub").read_text()
    hosts.write_text(f"{address} {other}" if known == "another key" else "")
    done = ssh(sshd, "true")
    assert done.returncode == 255
    assert "Host key verification failed." in done.stderr
    assert sshd.logins() == 0


def test_another_client_key_is_refused(sshd: Sshd) -> None:
    (sshd.directory / "authorized_keys").write_text((sshd.directory / "host_key.pub").read_text())
    done = ssh(sshd, "true")
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr
    assert sshd.logins() == 0


def test_a_stopped_server_refuses_and_a_started_one_takes_logins_again(sshd: Sshd) -> None:
    sshd.stop()
    done = ssh(sshd, "true")
    assert done.returncode == 255
    assert "connect to 127.0.0.1 port 22: Connection refused" in done.stderr
    sshd.start()
    sshd.start()
    assert ssh(sshd, "true").returncode == 0
    assert sshd.logins() == 1


def test_stopping_ends_open_sessions_only_when_asked(sshd: Sshd) -> None:
    command = ["ssh", "-F", str(sshd.ssh_config), "pbx", "echo begun; sleep 600"]
    for _ in range(2):
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as client:
            try:
                assert client.stdout is not None
                assert client.stdout.readline() == b"begun\n"
                sshd.stop()
                with pytest.raises(subprocess.TimeoutExpired):
                    client.wait(0.3)
                sshd.stop(sessions=True)
                assert client.wait(5) == 255
            finally:
                client.kill()
        sshd.start()


def test_from_a_client_the_firewall_of_the_host_has_its_say(lab: Lab) -> None:
    require_tool("ssh")
    require(sshd_unavailable())
    inside = start_sshd(lab.pbx, via=lab.trusted)
    outside = start_sshd(lab.pbx, port=2222, via=lab.stranger)
    assert ssh(inside, "echo $SSH_CONNECTION").stdout.startswith("192.168.1.50 ")
    assert ssh(outside, "echo $SSH_CONNECTION").stdout.startswith("203.0.113.66 ")
    lab.pbx.load_nft(RIGHT_REMEDY_NFT)
    assert ssh(inside, "echo still in").stdout == "still in\n"
    assert ssh(outside, "true", "-o", "ConnectTimeout=1").returncode == 255
    assert (inside.logins(), outside.logins()) == (2, 1)


def test_a_login_leaves_the_account_of_the_machine_alone(sshd: Sshd) -> None:
    done = ssh(sshd, "pwd; echo $HOME; touch $HOME/mark; ls -a $HOME")
    assert done.stdout.split() == ["/run/root", "/run/root", ".", "..", "mark"]
    assert not Path("/run/root/mark").exists()


def test_where_sshd_is_unavailable_the_reason_is_given(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sshd_module, "sshd_unavailable", lambda: "sshd not found (Debian package openssh-server)")
    with pytest.raises(LabError, match="sshd not found"):
        start_sshd(lab.pbx)


def test_in_a_user_namespace_sshd_is_said_to_be_unavailable(unprivileged: Script) -> None:
    program = "from callgate.lab.sshd import sshd_unavailable; print(sshd_unavailable())"
    done = unprivileged(program, "unshare", "--user", "--map-root-user")
    if done.stderr.startswith("unshare: "):
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert "which this user namespace forbids" in done.stdout
