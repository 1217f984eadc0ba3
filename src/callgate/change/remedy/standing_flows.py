"""Flows that strangers have when a remedy is applied: rules for new packets let established flows go on."""

from __future__ import annotations

from collections.abc import Iterable

from callgate.audit.flows import strange_flows
from callgate.audit.target import Target
from callgate.change.remedy.need import Need
from callgate.errors import EvidenceError

MOST_ENDED = 64
"""How many flows a script ends one by one."""


def flows_to_end(target: Target, needs: Iterable[Need]) -> tuple[str, ...]:
    """Strangers' flows to the services that are closed, each as options of conntrack(8) that name it and no other."""
    services = tuple(dict.fromkeys(need.service for need in needs if need.action == "close"))
    try:
        flows = target.evidence.flows or ()
        found = [flow for _, flow in strange_flows(target, services, flows)]
    except EvidenceError:
        return ()
    lines = []
    for flow in found[:MOST_ENDED]:
        first = flow.original
        lines.append(
            f"-f ipv{first.source.version} -p {flow.protocol} -s {first.source} -d {first.destination} "
            f"--sport {first.source_port} --dport {first.destination_port}"
        )
    return tuple(dict.fromkeys(lines))
