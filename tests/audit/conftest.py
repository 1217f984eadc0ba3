"""Hosts made of bundles: sound evidence, changed where a test needs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import testinfra

from callgate.audit.answers import Answers
from callgate.audit.plan import AuditPlan
from callgate.audit.target import Target
from callgate.audit.verdicts import phase_verdict
from callgate.baseline.library import data_dir, load_baseline
from callgate.baseline.service import CATALOGUE
from callgate.baseline.site import DEFAULT_SITE, Site
from callgate.evidence.backends import host_uri
from callgate.evidence.bundle import Bundle, bundle_of
from callgate.evidence.stream import FileState, Taken
from callgate.report.outcome import Verdict

BUNDLES = Path(__file__).parents[1] / "data" / "bundles"

QUIET_HOST = {
    "ip-addr.json": b'[{"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},'
    b' {"ifname": "eth0", "addr_info": [{"local": "192.168.1.10", "prefixlen": 24, "scope": "global"}]},'
    b' {"ifname": "eth1", "addr_info": [{"local": "203.0.113.10", "prefixlen": 24, "scope": "global"}]}]\n',
    "ip-route.json": b'[{"dst": "192.168.1.0/24", "dev": "eth0"}, {"dst": "default", "dev": "eth1"}]\n',
    "ip6-route.json": b"[]\n",
    "ss.txt": b'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n',
    "proc-net-tcp.txt": b"  sl  local_address rem_address   st\n"
    b"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1\n",
    "proc-net-udp.txt": b"  sl  local_address rem_address   st\n",
    "proc-net-tcp6.txt": b"  sl  local_address remote_address   st\n",
    "proc-net-udp6.txt": b"  sl  local_address remote_address   st\n",
    "nft.json": b'{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}]}\n',
    "nft.txt": b"",
    "iptables-save.txt": b"",
    "ip6tables-save.txt": b"",
    "ip_tables_names.txt": b"",
    "ip6_tables_names.txt": b"",
    "proc-net-ip_vs.txt": b"IP Virtual Server version 1.2.1 (size=4096)\n",
    "sysctl.txt": b"net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\n",
    "conntrack.txt": b"",
}
"""A host without a firewall, without VoIP, that forwards nothing."""

SERVING_HOST = {
    **QUIET_HOST,
    "ss.txt": b'tcp LISTEN 0 128 *:2000 *:* users:(("pbx",pid=1,fd=3))\n',
    "iptables-save.txt": b"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    b"-A INPUT -i lo -j ACCEPT\n-A INPUT -s 192.168.1.0/24 -i eth0 -j ACCEPT\nCOMMIT\n",
    "ip6tables-save.txt": b"*filter\n:INPUT DROP [0:0]\nCOMMIT\n",
}
"""A host that serves SCCP to the phones behind eth0 and to nobody else."""


def bundle(files: Mapping[str, bytes]) -> Bundle:
    """A bundle with a manifest, as the collector makes it."""
    taken = [Taken(name, f"print {name}", FileState.COLLECTED, 0, data, "") for name, data in files.items()]
    return bundle_of("ssh://pbx1", datetime(2026, 11, 22, tzinfo=UTC), "0", taken)


def target_of(collected: Bundle | None, site: Site = DEFAULT_SITE, baseline: str = "voip-core") -> Target:
    host = testinfra.get_host(host_uri("bundle://pbx1"))
    return Target(host, AuditPlan(load_baseline(baseline), site, None, ()), collected)


def _checks() -> Iterator[tuple[str, Callable[..., None]]]:
    for path in sorted(data_dir("checks").glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"callgate_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for function in vars(module).values():
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == "control":
                    yield mark.args[0], function


CHECKS = dict(_checks())
"""The shipped checks, by the control each verifies."""


def judged(control: str, target: Target, service: str = "sccp") -> tuple[Verdict, str]:
    """What a check makes of a host, as the plugin takes it down: the verdict, and its message or what it attests."""
    said: list[str] = []
    plan = target.plan
    fixed: dict[str, Any] = {
        "target": target,
        "evidence": None,
        "service": CATALOGUE[service],
        "site": plan.site,
        "services": plan.services,
        "answers": Answers(target, (), (), {}),
        "parameters": plan.baseline.controls[control].parameters,
        "attest": said.append,
    }
    check = CHECKS[control]
    wanted = check.__code__.co_varnames[: check.__code__.co_argcount]
    call = pytest.CallInfo.from_call(lambda: check(**{key: fixed[key] for key in wanted}), when="call")
    verdict, message = phase_verdict(call)
    return verdict, message or "\n".join(said)


@pytest.fixture
def host() -> Callable[..., Target]:
    """Make a host under audit: the quiet one, with some files changed (None takes one away) and a site."""

    def make(changes: Mapping[str, bytes | None] | None = None, **site: object) -> Target:
        files = {**QUIET_HOST, **(changes or {})}
        baseline = str(site.pop("baseline", "voip-core"))
        values = {"trusted": ["192.168.1.0/24", "fd00:1::/64"], **site}
        kept = {name: data for name, data in files.items() if data is not None}
        return target_of(bundle(kept), Site.model_validate(values), baseline)

    return make
