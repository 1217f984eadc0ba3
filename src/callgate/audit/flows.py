"""Whether strangers have live flows on VoIP ports (EXP-06): an established flow outlives the rule that forbids it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from callgate.audit.reaching import PRIVATE
from callgate.audit.target import Target
from callgate.audit.ways_in import behind
from callgate.baseline.service import Service
from callgate.errors import NotDetermined
from callgate.evidence.conntrack import Flow
from callgate.evidence.interfaces import Network
from callgate.evidence.listener import Address

FLOWS_TOLD = 3


def strange_flows(target: Target, services: Sequence[Service], flows: Iterable[Flow]) -> list[tuple[Service, Flow]]:
    """The live flows to a judged service whose first sender is a stranger.

    A flow is the service's by the port it was first sent to, or by the port that answers it. What the host itself
    opened does not count, nor does what only passes through to somewhere that is not the site's.
    """
    own = {entry.address for entry in target.evidence.addresses}
    ours = (*PRIVATE, *behind(target, into_trusted=True), *target.plan.site.trusted)
    found = []
    for flow in flows:
        sender = flow.original.source
        if flow.ended or sender in own or sender.is_loopback or target.plan.site.trusts(sender):
            continue
        service = _service_of(services, flow)
        if service is not None and _ends_here(flow, own, ours):
            found.append((service, flow))
    return found


def _service_of(services: Iterable[Service], flow: Flow) -> Service | None:
    ports = (flow.original.destination_port, flow.reply.source_port)
    return next(
        (one for one in services if one.transport == flow.protocol and any(port in one.port for port in ports)), None
    )


def _ends_here(flow: Flow, own: set[Address], ours: Sequence[Network]) -> bool:
    ends = (flow.original.destination, flow.reply.source)
    return any(end in own or any(end in network for network in ours) for end in ends)


def kept_ports(target: Target, services: Sequence[Service]) -> None:
    """Raise NotDetermined where flows of a judged service were left out when the evidence was collected."""
    kept = target.evidence.flow_ports
    lacking = [one.ports for one in services if kept is not None and not kept.issuperset(one.port)]
    if lacking:
        raise NotDetermined(
            f"conntrack.txt holds the flows of ports {', '.join(map(str, sorted(kept or ())))} alone: "
            f"those of {', '.join(lacking)} were not collected"
        )


def told(found: Sequence[tuple[Service, Flow]]) -> str:
    """The first of the flows, and how many more there are."""
    lines = [f"{flow.original.source} on {service.title}: {flow.line}" for service, flow in found[:FLOWS_TOLD]]
    more = [f"and {len(found) - FLOWS_TOLD} more"] if len(found) > FLOWS_TOLD else []
    return "\n".join([*lines, *more])
