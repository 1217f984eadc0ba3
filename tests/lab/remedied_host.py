"""A live host of the lab for tests of remedies that its own manager takes: what its audit sees, and who is answered."""

from __future__ import annotations

import subprocess

import testinfra
from tests.lab.rebuilt_host import Side, answers, listen_on

from callgate.audit.plan import AuditPlan
from callgate.audit.reaching import families_of, question
from callgate.audit.target import Target
from callgate.baseline.library import load_baseline
from callgate.baseline.site import Site
from callgate.change.snapshot import target_of
from callgate.evidence.backends import host_uri, register_backends
from callgate.evidence.collector import collect
from callgate.firewall.difference import difference
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.rule import Ruleset
from callgate.lab.service import Service
from callgate.lab.topology import Lab

PLAN = AuditPlan(
    load_baseline("voip-core"), Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]}), None, ()
)
SERVED = frozenset({"2000/tcp", "5060/tcp", "5060/udp"})
PHONES = frozenset(("trusted", address, service) for address in ("192.168.1.10", "fd00:1::10") for service in SERVED)
"""The calls that are answered where phones are let in: over both families, to every service."""
_TAKES = 90
"""Seconds a script may take; firewall-cmd is a Python program that is started for each few rules."""

Call = tuple[Side, str, str]


def phones(*services: str) -> frozenset[Call]:
    """The calls that are answered where phones are let in, and nobody else: over both families, to each service."""
    sides: tuple[Side, ...] = ("trusted",)
    addresses = ("192.168.1.10", "fd00:1::10")
    return frozenset((side, to, one) for side in sides for to in addresses for one in services or sorted(SERVED))


def serve(lab: Lab, *services: str) -> Service:
    """Start sockets of these services (all of SCCP and SIP if none is named), and of ssh, that answer everybody."""
    wanted = [one.partition("/") for one in (*(services or sorted(SERVED)), "22/tcp")]
    return listen_on(lab.pbx, [(transport, int(port), True) for port, _, transport in wanted])


def live(lab: Lab) -> Target:
    """The PBX as it is now."""
    register_backends()
    return target_of(collect(testinfra.get_host(host_uri(lab.pbx.uri))), PLAN)


def called(lab: Lab, *more: str) -> frozenset[Call]:
    """Whose calls a VoIP service answers, at which address and by which of its own and `more` ports."""
    found = answers(lab, {*SERVED, *more})
    return frozenset((one.side, one.address, one.port) for one in found if one.by in SERVED)


def strangers_in(found: frozenset[Call]) -> frozenset[Call]:
    """The calls among them that strangers made."""
    return frozenset(call for call in found if call[0] == "stranger")


def run(lab: Lab, script: str, action: str = "apply") -> subprocess.CompletedProcess[str]:
    """Run a remedy's script as it is meant to be: read by sh from a pipe."""
    return lab.pbx.run(["sh", "-s", action], stdin=script, timeout=_TAKES, check=False)


def differing(target: Target, ruleset: Ruleset) -> list[str]:
    """The services, and ssh, that a host's rules and a ruleset let others in to."""
    policy = target.evidence.policy
    other = Policy(ruleset, policy.host)
    asked = [*(question(service) for service in PLAN.services), Question("tcp", (22, 22), "ssh")]
    families = families_of(target.evidence)
    found = [(one.what, difference(policy, other, one, families)) for one in asked]
    return [f"{what}: {one.gained.explain()}; {one.lost.explain()}" for what, one in found if not one.nothing]
