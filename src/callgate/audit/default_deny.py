"""Whether what no rule names is refused (EXP-05): the port somebody opens next year."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from callgate.audit.exposure import strangers
from callgate.audit.reaching import families_of
from callgate.audit.target import Target
from callgate.firewall.intervals import Intervals
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.rule import ACTIONS, Choose, Condition, Every, Not, Some, Step, Tuples, Within
from callgate.firewall.sources import Sources

PORTS_ASKED: Final = 8
"""Of the gaps between the ports that rules name, so many are tried, the widest first."""
_WHOLE: Final = Intervals.single(1, 0xFFFF)


def not_refused(target: Target) -> tuple[Sources, str]:
    """The strangers that get to a port no rule names, straight and over TCP or UDP; and the ports that were asked."""
    policy, families = target.evidence.policy, families_of(target.evidence)
    ports = unnamed_ports(policy)
    transports: tuple[Literal["tcp", "udp"], ...] = ("tcp", "udp")
    total = Sources({}, "ports that no rule names")
    for transport in transports:
        for port in ports:
            asked = Question(transport=transport, ports=(port, port), what=total.what, translated=False)
            reached = strangers(target, sources_reaching(policy, asked, families))
            total = Sources((total | reached).doors, total.what)
            if not total.surely.empty:
                break
    return total, f"asked of ports {', '.join(map(str, ports))} over TCP and UDP, none of which a rule names"


def unnamed_ports(policy: Policy) -> list[int]:
    """A port from each of the widest gaps between those that rules name; where all are named, from the widest class."""
    gaps = sorted(_WHOLE - _named(policy), key=lambda gap: gap[0] - gap[1])[:PORTS_ASKED]
    if not gaps:
        bounds = [bound for bound in policy.survey.bounds.get("dport", ()) if 0 < bound <= 0xFFFF]
        starts = sorted({1, *bounds})
        ends = [start - 1 for start in starts[1:]] + [0xFFFF]
        gaps = [max(zip(starts, ends, strict=True), key=lambda gap: gap[1] - gap[0])]
    return sorted((first + last) // 2 for first, last in gaps)


def _named(policy: Policy) -> Intervals:
    """The destination ports that some rule names; a range that is nearly everything names none."""
    found = [
        span
        for chain in policy.ruleset.chains.values()
        for rule in chain.rules
        for step in rule.steps
        for condition in _conditions(step)
        for span in _ports(condition)
        if span[1] - span[0] < 0xF000
    ]
    return Intervals.of(found)


def _ports(condition: Condition) -> Iterator[tuple[int, int]]:
    if isinstance(condition, Within) and condition.field == "dport" and condition.mask is None:
        yield from condition.values
    elif isinstance(condition, Tuples) and "dport" in condition.fields:
        at = condition.fields.index("dport")
        yield from (box[at] for box in condition.boxes)


def _conditions(step: Step) -> Iterator[Condition]:
    """The plain conditions of a step."""
    stack: list[Step] = [step]
    while stack:
        one = stack.pop()
        if isinstance(one, Choose):
            for condition, action in one.branches:
                stack += (condition, action)
        elif isinstance(one, (Every, Some)):
            stack += one.conditions
        elif isinstance(one, Not):
            stack.append(one.condition)
        elif not isinstance(one, ACTIONS):
            yield one
