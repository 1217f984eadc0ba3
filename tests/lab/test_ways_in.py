"""Evidence through each way into a host: ssh with and without sudo, ansible, a container, the local machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.sshd import Sshd, sshd_unavailable, start_sshd
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def sshd(lab: Lab) -> Sshd:
    require_tool("ssh")
    require(sshd_unavailable())
    return start_sshd(lab.pbx)


def collect(
    host: str, out: Path, *options: str, code: int = 0, path: str | None = None, env: Mapping[str, str] | None = None
) -> tuple[dict[str, str], str]:
    """The states of the files of a bundle collected through `host`, and its addresses."""
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"], **(env or {})}
    done = subprocess.run(
        [sys.executable, "-m", "callgate", "collect", host, "--out", str(out), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=90,
        env=environment,
    )
    assert done.returncode == code, done.stdout + done.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    return {name: record["state"] for name, record in manifest["files"].items()}, (out / "ip-addr.json").read_text()


def assert_complete(states: dict[str, str], addresses: str) -> None:
    assert "203.0.113.10" in addresses  # the lab's PBX and no other machine
    assert {states[name] for name in ("ss.txt", "nft.json", "iptables-save.txt", "sysctl.txt")} == {"collected"}


def test_ssh(sshd: Sshd, tmp_path: Path) -> None:
    assert_complete(*collect("ssh://pbx", tmp_path / "b", "--ssh-config", str(sshd.ssh_config)))
    assert (sshd.logins(), sshd.sessions()) == (1, 1)


def test_ssh_config_in_the_uri_still_shares_one_login(sshd: Sshd, tmp_path: Path) -> None:
    assert_complete(*collect(f"ssh://pbx?ssh_config={sshd.ssh_config}", tmp_path / "b"))
    assert sshd.logins() == 1


def test_ssh_with_sudo(sshd: Sshd, tmp_path: Path) -> None:
    require_tool("sudo")
    options = ("--ssh-config", str(sshd.ssh_config))
    assert_complete(*collect("ssh://pbx?sudo=true", tmp_path / "b", *options))
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["host"] == "ssh://pbx?sudo=true"


def test_sudo_to_a_user_without_rights_records_the_dumps_as_refused(sshd: Sshd, tmp_path: Path) -> None:
    require_tool("sudo")
    options = ("--ssh-config", str(sshd.ssh_config))
    states, _ = collect("ssh://pbx?sudo=true&sudo_user=nobody", tmp_path / "b", *options, code=3)
    assert states["nft.json"] == states["iptables-save.txt"] == "failed"
    assert states["ss.txt"] == "collected"
    assert not (tmp_path / "b" / "nft.json").exists()


def test_ansible(sshd: Sshd, tmp_path: Path) -> None:
    beside = Path(sys.executable).parent / "ansible-inventory"
    require(None if beside.exists() else "ansible-inventory not found (pip install ansible-core)")
    inventory = tmp_path / "inventory.ini"
    inventory.write_text("[pbxes]\npbx ansible_user=root\n")
    states, addresses = collect(
        f"ansible://pbx?ansible_inventory={inventory}",
        tmp_path / "b",
        "--ssh-config",
        str(sshd.ssh_config),
        path=str(beside.parent),
        env={"ANSIBLE_HOME": str(tmp_path / "ansible"), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible")},
    )
    assert_complete(states, addresses)
    assert sshd.logins() == 1


def test_container_as_docker_reaches_it(lab: Lab, tmp_path: Path) -> None:
    # What testinfra runs is `docker exec NAME /bin/sh -c COMMAND`: this stands in for the engine, not for the host.
    tools = tmp_path / "tools"
    tools.mkdir()
    engine = (
        f'#!/bin/sh\n[ "$1 $2" = "exec pbx" ] || exit 1\nshift 2\nexec nsenter -t {lab.pbx.pid} -n -m -p -u -- "$@"\n'
    )
    (tools / "docker").write_text(engine)
    (tools / "docker").chmod(0o755)
    assert_complete(*collect("docker://pbx", tmp_path / "b", path=str(tools)))


def test_namespaces_of_a_process(lab: Lab, tmp_path: Path) -> None:
    assert_complete(*collect(lab.pbx.uri, tmp_path / "b"))


def test_container_that_is_not_there_is_an_error_with_its_reason(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "docker").write_text("#!/bin/sh\necho 'Error: No such container: pbx' >&2\nexit 1\n")
    (tools / "docker").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "callgate", "collect", "docker://pbx", "--out", str(tmp_path / "b")],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
    )
    assert done.returncode == 3
    assert "No such container: pbx" in done.stderr
    assert not (tmp_path / "b").exists()
