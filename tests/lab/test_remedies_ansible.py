"""The playbook, run by the real ansible-core over ssh on a lab host that ufw guards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.remedied_host import called, live, phones, serve, strangers_in

from callgate.change.remedy.remedy import remedy
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.sshd import sshd_unavailable, start_sshd
from callgate.lab.topology import Lab
from callgate.lab.ufw import start_ufw, ufw_unavailable

pytestmark = pytest.mark.lab

PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


def player(lab: Lab, directory: Path, text: str) -> Callable[..., tuple[int, str]]:
    """Plays a playbook on the PBX over ssh; gives back how many tasks changed something, and what was said."""
    sshd = start_sshd(lab.pbx, port=2222)
    (directory / "remedy.yml").write_text(text)
    (directory / "inventory").write_text("pbx ansible_user=root ansible_python_interpreter=/usr/bin/python3\n")
    command = [str(PLAYBOOK), "-i", "inventory", "-e", "callgate_host=pbx", f"--ssh-extra-args=-F {sshd.ssh_config}"]
    folders = {"ANSIBLE_HOME": "ansible", "ANSIBLE_LOCAL_TEMP": "ansible/tmp", "ANSIBLE_REMOTE_TEMP": "/run/ansible"}
    own = {name: value if value.startswith("/") else str(directory / value) for name, value in folders.items()}

    def play(*options: str) -> tuple[int, str]:
        done = subprocess.run(
            [*command, *options, "remedy.yml"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            cwd=directory,
            env={**os.environ, **own, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        counted = re.search(r"changed=(\d+) +unreachable=0 +failed=0", done.stdout)
        assert counted is not None, done.stdout
        return int(counted[1]), done.stdout

    return play


def test_playbook_checks_applies_once_and_rolls_back(lab: Lab, tmp_path: Path) -> None:
    require(None if PLAYBOOK.exists() else "ansible-playbook not found (pip install ansible-core)")
    require(ufw_unavailable())
    require(sshd_unavailable())
    require_tool("ssh")
    serve(lab, "2000/tcp")
    ufw = start_ufw(lab.pbx)
    for port in ("2222/tcp", "2000/tcp"):
        ufw.command("allow", port)
    rules = ufw.command("status", "numbered")
    found = remedy(live(lab), "ansible")
    assert found is not None
    play = player(lab, tmp_path, found.recipe.script)

    changed, said = play("--check")
    assert changed == 1
    assert "would run: apply" in said
    assert ufw.command("status", "numbered") == rules
    assert strangers_in(called(lab))
    changed, said = play()
    assert changed == 1
    assert "added: ufw deny in proto tcp" in said
    assert called(lab) == phones("2000/tcp")
    assert play()[0] == 0
    assert play("-e", "callgate_state=absent")[0] == 1
    assert ufw.command("status", "numbered") == rules
