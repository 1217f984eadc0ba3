"""Flows that a host's rules keep untracked: their replies cannot be told from what strangers send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from callgate.audit.target import Target
from callgate.change.remedy.need import Need
from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import Choose, Interface, NoTrack, Rule, Within

_UDP = 17


def unanswerable(target: Target, needs: Iterable[Need]) -> Iterator[str]:
    """Why closing a service over UDP would cut off the host's own calls from that port (SIP trunks), rule by rule.

    Over TCP a call comes from a port of its own, and its replies go there. A rule that may be about such packets counts
    as one that is.
    """
    closing = {(need.service.name, need.family): need for need in needs if need.action == "close"}
    rules = [rule for chain in target.evidence.policy.ruleset.chains.values() for rule in chain.rules if _loosens(rule)]
    for need in closing.values():
        if need.service.transport != "udp":
            continue
        for rule in rules:
            if rule.chain.family in ("inet", "ip" if need.family == 4 else "ip6") and _may_concern(rule, need):
                yield (
                    f"{rule} keeps flows untracked: replies to the host's own calls from port "
                    f"{need.service.ports} could not be told from strangers, and would be dropped; "
                    "take that rule away first"
                )


def _loosens(rule: Rule) -> bool:
    actions = [
        action
        for step in rule.steps
        for action in ([branch for _, branch in step.branches] if isinstance(step, Choose) else [step])
    ]
    return any(isinstance(action, NoTrack) for action in actions)


def _may_concern(rule: Rule, need: Need) -> bool:
    """Whether packets of the service, to it or from it, can be among those that the rule matches."""
    ports = Intervals.single(need.service.port[0], need.service.port[-1])
    for step in rule.steps:
        if isinstance(step, Interface) and not step.negated and all(name.name == "lo" for name in step.names):
            return False
        if not isinstance(step, Within) or step.negated or step.mask is not None:
            continue
        if step.field == "protocol" and not step.values & Intervals.single(_UDP, _UDP):
            return False
        # Whether such a port is meant at this end or at the other: trunks have it at both.
        if step.field in ("sport", "dport") and not step.values & ports:
            return False
    return True
