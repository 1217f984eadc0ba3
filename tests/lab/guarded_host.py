"""Lone lab hosts for guarded changes: a call manager's port, a firewall, and no phones."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from callgate.change.guarded.connection import Connection
from callgate.change.guarded.guard import Guard
from callgate.change.guarded.plan import ChangePlan
from callgate.change.guarded.report import GuardReport, State
from callgate.lab.host import LabHost

ADDRESSES: Final = {"eth0": (ip_interface("192.168.1.10/24"),), "eth1": (ip_interface("203.0.113.10/24"),)}
LINKS: Final = "link set lo up\n" + "".join(
    f"link add {name} type veth peer name far-{name}\n"
    f"link set {name} address 02:00:00:00:00:0{name[-1]}\n"  # all hosts alike, link-local addresses too
    f"link set far-{name} address 02:00:00:00:00:1{name[-1]} up\n"
    f"address add {own[0]} dev {name}\nlink set {name} up\n"
    for name, own in ADDRESSES.items()
)
PROTECTED: Final = """\
table inet lab {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "eth0" ip saddr 192.168.1.0/24 tcp dport { 22, 2000 } accept
  }
}
"""
OPENED: Final = "nft insert rule inet lab input tcp dport 2000 accept"
CLOSED: Final = "nft insert rule inet lab input tcp dport 2000 ip saddr 192.168.1.99 drop"
"""A change that takes nothing from anybody but one address."""


@contextmanager
def lone_hosts(count: int) -> Iterator[list[LabHost]]:
    """Hosts without neighbours, protected by nft; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="callgate-lab-", dir="/tmp"))
    hosts: list[LabHost] = []
    try:
        hosts.extend(LabHost(f"pbx{number}", ADDRESSES, directory / f"pbx{number}", {}) for number in range(count))
        for host in hosts:
            host.wait_ready()
            host.configure(LINKS)
            host.load_nft(PROTECTED)
        yield hosts
    finally:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(LabHost.close, hosts))
        shutil.rmtree(directory, ignore_errors=True)


class GuardedHost:
    """One change of one host, by the words of its guard."""

    def __init__(self, host: LabHost, apply: str, rollback: str, *, confirm_within: int = 3, apply_within: int = 2):
        self.host = host
        self.plan = ChangePlan(
            host=host.uri, apply=apply, rollback=rollback, confirm_within=confirm_within, apply_within=apply_within
        )
        self.connection = Connection(host.uri)
        self.guard = Guard(self.connection, self.plan.id)

    def applied(self) -> GuardReport:
        """Arm and apply."""
        armed = self.guard.arm(self.plan)
        assert armed.state is State.ARMED, armed
        return self.guard.apply(self.plan)

    def ended(self, within: float = 15) -> GuardReport:
        """Wait until the guard has ended by itself."""
        deadline = time.monotonic() + within
        while not (report := self.guard.wait(2)).state.ended:
            assert time.monotonic() < deadline, report
        return report


def firewall(host: LabHost) -> str:
    """All that the host's kernel holds, without what counts."""
    saves = "for way in nft legacy; do for ip in iptables ip6tables; do $ip-$way-save; done; done"
    tools = f"nft -s list ruleset; ipset save; {saves}"
    sysctls = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/rp_filter"
    said = host.run(["sh", "-c", f"{tools} 2>/dev/null; {sysctls}"]).stdout
    return "".join(line.partition(" [")[0] + "\n" for line in said.splitlines() if not line.startswith("#"))


def at_once(*jobs: Callable[[], object]) -> None:
    """Run tests that mostly wait side by side; the first failure is raised."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()


def leftovers(host: LabHost) -> Sequence[str]:
    """What guards left in /run, and processes of theirs."""
    # The brackets keep it from finding itself.
    script = "ls -d /run/[c]allgate-change*; grep -la [c]allgate-change /proc/[0-9]*/cmdline"
    return host.run(["sh", "-c", script], check=False).stdout.split()
