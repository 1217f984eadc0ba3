"""Everything worth sending to: what a packet may be addressed to and still end at a service."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from callgate.firewall.host import EVERYONE
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.rule import (
    ACTIONS,
    Action,
    Choose,
    Condition,
    Every,
    Family,
    FieldName,
    Opaque,
    Rule,
    Translate,
    Tuples,
    Within,
)
from callgate.firewall.view import Span

CLASSES: Final = 1024
"""How many classes of destinations or ports are tried one by one before whole ranges leave the rest in doubt."""
Bounds = Mapping[FieldName, tuple[int, ...]]
_LOOPBACK4: Final = (127 << 24 | 1, 127 << 24 | 1)


@dataclass(frozen=True, slots=True)
class Aim:
    """What packets are sent to: spans that no rule tells apart further, or whole ranges where there were too many."""

    family: Family
    destination: Span
    ports: Span
    forwarded: bool = False
    """Whether the destination lies behind the host."""


def spans(bounds: Bounds, fields: tuple[FieldName, ...], first: int, last: int) -> list[Span]:
    """The numbers from `first` to `last` in classes that no rule tells apart by these fields."""
    cuts = {first}
    for field in fields:
        cuts.update(bound for bound in bounds.get(field, ()) if first < bound <= last)
    starts = sorted(cuts)
    return list(zip(starts, [start - 1 for start in starts[1:]] + [last], strict=True))


def direct_aims(policy: Policy, question: Question, family: Family) -> Iterator[Aim]:
    """The host's own addresses, on the service's own ports; then the networks behind it."""
    listened = question.listened(family)
    fields: tuple[FieldName, ...] = ("dport", "orig_dport")
    ports = _few(spans(policy.survey.bounds, fields, *question.ports), question.ports)
    for address in _told_apart(policy, question, family):
        if listened is None or policy.survey.translates or address[0] in listened:
            for span in ports:
                yield Aim(family, address, span)
    for other, networks in question.behind:
        if other == family:
            outside = networks - policy.host.of_kind(family, "local")
            for place in _places(policy, policy.survey.bounds, family, outside):
                for span in ports:
                    yield Aim(family, place, span, forwarded=True)


def translated_aims(policy: Policy, question: Question, family: Family) -> Iterator[Aim]:
    """What the translations of the ruleset may turn into the service."""
    early = policy.survey.early_bounds
    seen: set[tuple[Span, Span]] = set()
    for rule_ports, rule_addresses in _translating(policy, question, family):
        wanted = EVERYONE[family] if rule_addresses is None else rule_addresses
        places = _places(policy, early, family, wanted)
        aimed = _classes(early, ("dport", "orig_dport"), rule_ports)
        if len(places) * len(aimed) > CLASSES:
            aimed = [(rule_ports.bounds[0], rule_ports.bounds[-1] - 1)] if rule_ports else []
        for place, span in product(places, aimed):
            if (place, span) not in seen:
                seen.add((place, span))
                yield Aim(family, place, span)


def _told_apart(policy: Policy, question: Question, family: Family) -> Iterator[Span]:
    """One of the host's addresses for each group that no rule and no socket tells apart."""
    masked = policy.survey.masked & {"daddr4", "daddr6", "orig_daddr4", "orig_daddr6"}
    if masked or policy.survey.asks_routes or policy.survey.translates:
        yield from _own(policy, family)
        return
    fields: tuple[FieldName, ...] = ("daddr4", "orig_daddr4") if family == 4 else ("daddr6", "orig_daddr6")
    cuts = sorted({bound for field in fields for bound in policy.survey.bounds.get(field, ())})
    listened = question.listened(family)
    seen: set[tuple[int, bool, bool]] = set()
    for address in _own(policy, family):
        number = address[0]
        group = (bisect_right(cuts, number), listened is None or number in listened, address == _LOOPBACK4)
        if group not in seen:
            seen.add(group)
            yield address


def _own(policy: Policy, family: Family) -> list[Span]:
    """The host's addresses; also 127.0.0.1 where some interface routes it (route_localnet)."""
    own: list[Span] = [(address, address) for address in policy.host.local(family)]
    if family == 4 and any(policy.host.flag(4, name, "route_localnet", False) for name in policy.host.entrances):
        own.append(_LOOPBACK4)
    return own


def _places(policy: Policy, bounds: Bounds, family: Family, members: Intervals) -> list[Span]:
    """The addresses in classes that neither rules nor routes tell apart."""
    fields: tuple[FieldName, ...] = ("daddr4", "orig_daddr4") if family == 4 else ("daddr6", "orig_daddr6")
    cuts = {field: bounds.get(field, ()) for field in fields}
    cuts[fields[0]] += policy.host.cuts(family)
    return _classes(cuts, fields, members)


def _classes(bounds: Bounds, fields: tuple[FieldName, ...], members: Intervals) -> list[Span]:
    if len(members) > CLASSES:
        return [(members.bounds[0], members.bounds[-1] - 1)]
    found = [span for first, last in members for span in spans(bounds, fields, first, last)]
    return found if len(found) <= CLASSES else list(members)


def _few(found: list[Span], whole: Span) -> list[Span]:
    return found if len(found) <= CLASSES else [whole]


def _translating(policy: Policy, question: Question, family: Family) -> Iterator[tuple[Intervals, Intervals | None]]:
    """For each rule that may turn other destinations into the service: the ports and addresses it looks for."""
    for chain in policy.ruleset.chains.values():
        for rule in chain.rules:
            for action, conditions in _acts(rule):
                if isinstance(action, Opaque) or (isinstance(action, Translate) and _targets(action, question, family)):
                    ports, addresses = _looked_for(conditions, family)
                    if isinstance(action, Translate) and action.ports is None:
                        ports &= Intervals.single(*question.ports)
                    if ports:
                        yield ports, addresses


def _acts(rule: Rule) -> Iterator[tuple[Action, tuple[Condition, ...]]]:
    """What the rule may do to the address or the port, each with the conditions of the rule."""
    for step in rule.steps:
        if isinstance(step, (Translate, Opaque)):
            yield step, tuple(one for one in rule.steps if not isinstance(one, ACTIONS))
        elif isinstance(step, Choose):
            conditions = tuple(one for one in rule.steps if not isinstance(one, ACTIONS))
            for condition, action in step.branches:
                yield action, (*conditions, condition)


def _targets(action: Translate, question: Question, family: Family) -> bool:
    """Whether it may lead to the service from another port or address."""
    if action.side != "destination" or action.family not in (None, family):
        return False
    return action.ports is None or (action.ports[0] <= question.ports[1] and question.ports[0] <= action.ports[1])


def _looked_for(conditions: tuple[Condition, ...], family: Family) -> tuple[Intervals, Intervals | None]:
    """The ports and addresses outside of which the conditions surely do not hold; None for any address."""
    ports = Intervals.single(0, 0xFFFF)
    addresses: Intervals | None = None
    field: FieldName = "daddr4" if family == 4 else "daddr6"
    stack = list(conditions)
    while stack:
        one = stack.pop()
        if isinstance(one, Every):
            stack += one.conditions
        elif isinstance(one, Within) and not one.negated and one.mask is None:
            if one.field == "dport":
                ports &= one.values
            elif one.field == field:
                addresses = one.values if addresses is None else addresses & one.values
        elif isinstance(one, Tuples) and not one.negated:
            if "dport" in one.fields:
                ports &= _column(one, "dport")
            if field in one.fields:
                column = _column(one, field)
                addresses = column if addresses is None else addresses & column
    return ports, addresses


def _column(tuples: Tuples, field: FieldName) -> Intervals:
    at = tuples.fields.index(field)
    return Intervals.of(box[at] for box in tuples.boxes) if tuples.boxes else NOTHING
