"""A host as its audit sees it, as `callgate reach` does, and as clients on both sides do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from callgate.lab.topology import Lab

SITE = 'trusted: [192.168.1.0/24, "fd00:1::/64"]\nauditor: none\n'
"""No vantages: what clients see is asked by `dialled` here, and not by the audit itself."""
UNANSWERED_WITHIN = 0.4

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
    """Audit the PBX, ask its evidence who reaches the service, then dial `ports` from both sides in both families."""
    site = lab.directory / "trusted.yaml"
    site.write_text(SITE, encoding="utf-8")
    options = ["--site", str(site)]
    with ThreadPoolExecutor(2) as pool:
        audited = pool.submit(_callgate, "audit", lab.pbx.uri, *options, "--baseline", baseline, "--json", "-")
        reached = pool.submit(_reach, lab, *options, "--service", service, "--json")
        # Only then are calls made: the audit looks at live flows too.
        code, report = audited.result()
        rows = reached.result()
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
        reach=_doors(rows, "sources"),
        doubtful=_doors(rows, "doubtful"),
        dialled=dialled(lab, ports),
    )


def dialled(lab: Lab, ports: Iterable[int] = (2000,)) -> frozenset[Door]:
    """Who is given a TCP connection, at any address of the host and any of the ports."""
    calls = [(door, address, port) for door, (_, _, called) in _CLIENTS.items() for address in called for port in ports]

    def connected(call: tuple[Door, str, int]) -> bool:
        (side, _), address, port = call
        client = lab.trusted if side == "trusted" else lab.stranger
        return client.dial("connect", address, port, timeout=UNANSWERED_WITHIN).result == "connected"

    with ThreadPoolExecutor(4) as pool:
        return frozenset(door for (door, _, _), got_in in zip(calls, pool.map(connected, calls), strict=True) if got_in)


def _reach(lab: Lab, *options: str) -> list[dict[str, Any]]:
    bundle = lab.pbx.new_directory("bundle") / "evidence"
    code, _ = _callgate("collect", lab.pbx.uri, "--out", str(bundle))
    assert code == 0
    code, rows = _callgate("reach", str(bundle), *options)
    assert code == 0
    return list(rows)


def _callgate(*words: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "callgate", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if "--json" in words else None


def _doors(rows: Iterable[dict[str, Any]], key: str) -> frozenset[Door]:
    return frozenset(
        door
        for door, (interface, client, _) in _CLIENTS.items()
        for row in rows
        if (row["interface"], row["family"]) == (interface, door[1])
        and any(ip_address(client) in ip_network(network) for network in row[key])
    )
