"""An audit over ssh beside plain testinfra: the same facts, once per host or once per check.

Usage: python bench/audit_over_ssh.py [RUNS]     (needs root or user namespaces, sshd and nft)

The peer runs what a testinfra user writes: 27 checks, each asking the host with `host.run`, over the same
connection settings. Both start pytest anew. Printed: wall seconds, minimum, median and maximum of the runs, taken
in turn; and the ssh sessions each opened.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from callgate.lab.sccp import start_sccp
from callgate.lab.sshd import start_sshd
from callgate.lab.topology import Lab

PEER = """
import pytest

COMMANDS = ["ss -H -tulnp", "nft -j list ruleset", "iptables-save -c", "ip6tables-save -c", "ip -j addr",
            "ip -j route show table all", "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding"]

@pytest.mark.parametrize("number", range(27))
def test_fact(host, number):
    assert host.run(COMMANDS[number % len(COMMANDS)]).rc == 0
"""


def main(runs: int) -> None:
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        start_sccp(lab.pbx)
        sshd = start_sshd(lab.pbx)
        peer = Path(folder, "test_peer.py")
        peer.write_text(PEER)
        shared = Path(folder, "ssh_config")
        shared.write_text(f"Include {sshd.ssh_config}\nHost *\n  ControlPath {folder}/%C\n")
        commands = {
            "callgate audit": [
                sys.executable,
                "-m",
                "callgate",
                "audit",
                "ssh://pbx",
                f"--ssh-config={sshd.ssh_config}",
            ],
            "testinfra, host.run in each": _pytest(peer, sshd.ssh_config),
            "testinfra, host.run in each, ControlPath": _pytest(peer, shared),
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        sessions: dict[str, int] = {}
        for _ in range(runs):
            for name, command in commands.items():
                before, start = sshd.sessions(), time.perf_counter()
                subprocess.run(command, cwd=folder, capture_output=True, check=False)
                seconds[name].append(time.perf_counter() - start)
                sessions[name] = sshd.sessions() - before
        for name, taken in seconds.items():
            figures = f"{min(taken):6.2f} {statistics.median(taken):6.2f} {max(taken):6.2f} s"
            print(f"{name:42} {figures}   {sessions[name]:3} sessions")


def _pytest(peer: Path, ssh_config: Path) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(peer)]
    return [*command, "--hosts=ssh://pbx", f"--ssh-config={ssh_config}"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
