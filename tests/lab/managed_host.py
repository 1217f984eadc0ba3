"""A host as its audit sees it, as its rules are read, and as clients on both sides see it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

import testinfra
from tests.lab.running_only import as_it_runs

from callgate.audit.plan import make_plan
from callgate.audit.reaching import reaching_of
from callgate.evidence.backends import host_uri, register_backends
from callgate.evidence.bundle import write_bundle
from callgate.evidence.collector import collect
from callgate.evidence.evidence import Evidence
from callgate.firewall.sources import Entrance
from callgate.lab.topology import Lab

SITE = 'trusted: [192.168.1.0/24, "fd00:1::/64"]\nauditor: none\n'
"""No vantages: what clients see is asked by `dialled` here, and not by the audit itself."""
UNANSWERED_WITHIN = 1.0
"""Seconds after which a call counts as unanswered; the audit goes on meanwhile."""

Side = Literal["trusted", "stranger"]
Door = tuple[Side, Literal[4, 6]]
"""A client and a family; the trusted one comes in by eth0 and the stranger by eth1."""

EVERYBODY: frozenset[Door] = frozenset({("trusted", 4), ("trusted", 6), ("stranger", 4), ("stranger", 6)})
PHONES: frozenset[Door] = frozenset({("trusted", 4), ("trusted", 6)})

_CLIENTS: dict[Door, tuple[str, str, Sequence[str]]] = {
    ("trusted", 4): ("eth0", "192.168.1.50", ("192.168.1.10",)),
    ("trusted", 6): ("eth0", "fd00:1::50", ("fd00:1::10",)),
    ("stranger", 4): ("eth1", "203.0.113.66", ("203.0.113.10", "192.168.1.10")),
    ("stranger", 6): ("eth1", "2001:db8:66::66", ("2001:db8:66::10", "fd00:1::10")),
}
"""Interface of the PBX, address of the client, and the PBX's addresses it calls (the weak host answers on each)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One state of a host: its audit, who reaches SCCP by its rules, and who got a connection."""

    exit_code: int
    verdicts: dict[str, str]
    """By control; those about SCCP and those without a service, the skipped ones left out."""
    messages: dict[str, str]
    reach: frozenset[Door]
    doubtful: frozenset[Door]
    dialled: frozenset[Door]

    @property
    def failed(self) -> set[str]:
        """The controls that do not pass."""
        return {control for control, verdict in self.verdicts.items() if verdict != "pass"}


def seen(lab: Lab, ports: Iterable[int] = (2000,), *, baseline: str = "voip-core", service: str = "sccp") -> Seen:
    """Collect the PBX and audit it as it runs, ask its rules who reaches the service, and dial `ports` from both sides.

    How it boots is not judged: most of these hosts hold rules that nothing saves.
    """
    site = lab.directory / "trusted.yaml"
    site.write_text(SITE, encoding="utf-8")
    rules = as_it_runs(lab.directory, baseline)
    register_backends()
    bundle = collect(testinfra.get_host(host_uri(lab.pbx.uri)))
    evidence = lab.pbx.new_directory("bundle") / "evidence"
    write_bundle(bundle, evidence)
    # The calls leave flows behind, but the evidence is there by now.
    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(dialled, lab, ports)
        code, report = _audit(f"bundle://{evidence}", site, str(rules))
        reach, doubtful = _reach(Evidence(bundle), site, service)
        got_in = calls.result()
    assert report["exit_code"] == code
    outcomes = [
        outcome
        for outcome in report["hosts"][0]["outcomes"]
        if outcome["service"] in (service, None) and outcome["verdict"] != "skip"
    ]
    return Seen(
        exit_code=code,
        verdicts={outcome["control"]: outcome["verdict"] for outcome in outcomes},
        messages={outcome["control"]: outcome["message"] for outcome in outcomes},
        reach=reach,
        doubtful=doubtful,
        dialled=got_in,
    )


def dialled(lab: Lab, ports: Iterable[int] = (2000,)) -> frozenset[Door]:
    """Who is given a TCP connection, at any address of the host and any of the ports."""
    calls = [(door, address, port) for door, (_, _, called) in _CLIENTS.items() for address in called for port in ports]

    def connected(call: tuple[Door, str, int]) -> bool:
        (side, _), address, port = call
        client = lab.trusted if side == "trusted" else lab.stranger
        return client.dial("connect", address, port, timeout=UNANSWERED_WITHIN).result == "connected"

    with ThreadPoolExecutor(len(calls)) as pool:
        return frozenset(door for (door, _, _), got_in in zip(calls, pool.map(connected, calls), strict=True) if got_in)


def _reach(evidence: Evidence, site: Path, service: str) -> tuple[frozenset[Door], frozenset[Door]]:
    """Whom the rules let in, surely and perhaps."""
    plan = make_plan("voip-core", site, [])
    judged = [one for one in plan.services if one.name == service]
    doors = {one.entrance: one.door for one in reaching_of(evidence, plan.site, judged)}
    surely, perhaps = set(), set()
    for client, (interface, address, _) in _CLIENTS.items():
        door = doors[Entrance(client[1], interface)]
        if int(ip_address(address)) in door.surely:
            surely.add(client)
        elif int(ip_address(address)) in door.perhaps:
            perhaps.add(client)
    return frozenset(surely), frozenset(perhaps)


def _audit(host: str, site: Path, baseline: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "callgate", "audit", host, "--site", str(site), "--baseline", baseline]
    done = subprocess.run([*command, "--json", "-"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)
