"""Who can open a new flow to a service: every source, by every way that ends there.

What the sender is free to choose is chosen for it: any address of the host, any source port, any TTL, the odd TCP
flags a listening socket takes with a SYN, and every original destination that translation turns into the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal

from callgate.firewall.host import EVERYONE, LAST
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.outcome import Fate, OutcomeMap, Outcomes
from callgate.firewall.policy import Policy
from callgate.firewall.rule import (
    ACTIONS,
    FAMILIES,
    Action,
    Choose,
    Condition,
    Every,
    Family,
    FieldName,
    Rule,
    Some,
    Translate,
    Tuples,
    Within,
)
from callgate.firewall.sources import Door, Entrance, Sources, Way
from callgate.firewall.trace import write_address
from callgate.firewall.view import PEER, TCP, UDP, Span, View

CLASSES: Final = 4096
"""How many classes of a sender's choices, or of destinations, are tried before the rest is left in doubt."""
WAYS: Final = 16
_ODD_FLAGS: Final = (8, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Question:
    """A service as the kernel knows it, and where it may stand."""

    transport: Literal["tcp", "udp"]
    ports: Span
    what: str = "the service"
    addresses: tuple[tuple[Family, Intervals], ...] | None = None
    """The host's addresses it listens on, by family; None for all."""
    direct: bool = True
    """Whether packets sent to one of these addresses and ports, and not translated, count."""
    translated: bool = True
    """Whether packets count that translation turns into the service, or takes elsewhere from its port."""
    behind: tuple[tuple[Family, Intervals], ...] = ()
    """Networks behind the host in which it may stand: then plain forwarding is a way in too."""

    @property
    def protocol(self) -> int:
        """The transport's number."""
        return TCP if self.transport == "tcp" else UDP


@dataclass(frozen=True, slots=True)
class _Aim:
    """What a packet is sent to."""

    family: Family
    destination: Span
    ports: Span
    forwarded: bool


def sources_reaching(policy: Policy, question: Question, families: Iterable[Family] = FAMILIES) -> Sources:
    """Everybody who can open a flow to the service, by entrance. Loopback is no entrance."""
    doors: dict[Entrance, Door] = {}
    for family in families:
        aims = tuple(_aims(policy, question, family))
        for interface in policy.host.entrances:
            doors[Entrance(family, interface)] = _door(policy, question, interface, aims)
    return Sources(doors, question.what)


def sources_served(policy: Policy, question: Question, families: Iterable[Family] = FAMILIES) -> Sources:
    """Everybody whom the service serves whatever ephemeral port they call from: by some address, and with replies.

    Here nothing is chosen for the caller: a source that only some source ports of phones let in is not served.
    """
    doors: dict[Entrance, Door] = {}
    for family in families:
        aims = tuple(_aims(policy, question, family))
        for interface in policy.host.entrances:
            surely = perhaps = NOTHING
            for aim in aims:
                sure, maybe = _served(policy, question, interface, aim)
                surely, perhaps = surely | sure, perhaps | maybe
            doors[Entrance(family, interface)] = Door(surely, perhaps - surely)
    return Sources(doors, question.what)


def _served(policy: Policy, question: Question, interface: str, aim: _Aim) -> tuple[Intervals, Intervals]:
    surely = perhaps = EVERYONE[aim.family]
    plain = _plain(question, interface, aim)
    reached = policy.outcomes(plain)
    views = [plain]
    if _in_doubt(reached):
        spans = _spans(policy, ("sport", "orig_sport"), 1024, 0xFFFF)
        ttl = policy.span("ttl", 64, 255)
        if len(spans) <= CLASSES:
            views = [replace(plain, sport=span, ttl=ttl) for span in spans]
    for view in views:
        reached = policy.outcomes(view)
        sure, maybe = _arrivals(question, aim, reached)
        answered, hoped = _answered(policy, aim, view)
        surely, perhaps = surely & sure & answered, perhaps & maybe & hoped
        if not perhaps:
            break
    return surely, perhaps


def _answered(policy: Policy, aim: _Aim, view: View) -> tuple[Intervals, Intervals]:
    """The sources that a reply from the host itself reaches, surely and perhaps."""
    last = LAST[aim.family]
    replies = policy.replies(view)
    surely = replies.where_all(lambda fate, _: fate == "accept", last)
    perhaps = replies.where_any(lambda fate, _: fate in ("accept", "unknown"), last)
    return surely, perhaps


def _plain(question: Question, interface: str, aim: _Aim) -> View:
    return View(
        family=aim.family,
        protocol=question.protocol,
        iif=interface,
        saddr=PEER,
        daddr=aim.destination,
        dport=aim.ports,
        ttl=None,
        tcp_flags=2,
    )


def _door(policy: Policy, question: Question, interface: str, aims: Iterable[_Aim]) -> Door:
    surely = perhaps = NOTHING
    ways: list[Way] = []
    for aim in aims:
        everyone = EVERYONE[aim.family]
        for view in _choices(policy, question, interface, aim):
            reached = policy.outcomes(view)
            sure, maybe = _arrivals(question, aim, reached)
            gained, hoped = sure - surely, maybe - sure - perhaps - surely
            if (gained or hoped) and len(ways) < WAYS:
                ways += _ways(aim, question, reached, gained, hoped)
            surely |= sure
            perhaps |= maybe
            if surely == everyone:
                break
    return Door(surely, perhaps - surely, tuple(ways))


def _choices(policy: Policy, question: Question, interface: str, aim: _Aim) -> Iterator[View]:
    """The classes of packets a sender may choose from, the plainest first."""
    plain = _plain(question, interface, aim)
    yield plain
    if not _in_doubt(policy.outcomes(plain)) and not _flags(policy, question):
        return
    sports = _spans(policy, ("sport", "orig_sport"), 0, 0xFFFF)
    ttls = _spans(policy, ("ttl",), 1, 255)
    flags = (2, *_flags(policy, question))
    if len(sports) * len(ttls) * len(flags) > CLASSES:
        return
    for sport, ttl, flag in product(sports, ttls, flags):
        yield replace(plain, sport=sport, ttl=ttl, tcp_flags=flag)


def _flags(policy: Policy, question: Question) -> tuple[int, ...]:
    """Flag bytes beside a plain SYN that open a flow and that some rule can tell from it."""
    if question.protocol != TCP or not ({"tcp_flags"} & (policy.survey.masked | policy.survey.bounds.keys())):
        return ()
    told = [bit for bit in _ODD_FLAGS if bit & policy.survey.flag_bits]
    return tuple(2 | sum(chosen) for chosen in product(*((0, bit) for bit in told)))[1:]


def _in_doubt(reached: OutcomeMap) -> bool:
    return any(len({outcome.fate for outcome in value}) > 1 for value in reached.values)


def _spans(policy: Policy, fields: tuple[FieldName, ...], first: int, last: int) -> tuple[Span, ...]:
    """The classes of numbers that some rule tells apart. Fields looked at through a mask are left in doubt."""
    cuts = {first}
    for field in fields:
        cuts.update(bound for bound in policy.survey.bounds.get(field, ()) if first < bound <= last)
    starts = sorted(cuts)
    return tuple(zip(starts, [start - 1 for start in starts[1:]] + [last], strict=True))


def _arrivals(question: Question, aim: _Aim, reached: OutcomeMap) -> tuple[Intervals, Intervals]:
    """The sources that surely arrive at the service, and those that may."""
    last = LAST[aim.family]
    known = {kind: _arrives(question, aim, *kind) for kind in reached.kinds}
    surely = reached.where_all(lambda fate, view: known[fate, view][0], last)
    maybe = reached.where_any(lambda fate, view: known[fate, view][1], last)
    return surely, maybe


def _arrives(question: Question, aim: _Aim, fate: Fate, view: View | None) -> tuple[bool, bool]:
    """Whether one outcome is an arrival at the service: surely, and perhaps."""
    if fate == "unknown":
        return False, True
    if fate != "accept" or view is None:
        return False, False
    moved = "destination" in view.translated
    ports = _overlap(view.dport, question.ports)
    if moved:
        if not question.translated:
            return False, False
        # A packet sent to the service's own port is its caller, wherever translation takes it.
        if _meets(aim.ports, question.ports) or view.oif is not None:
            return (True, True) if _meets(aim.ports, question.ports) else ports
    elif view.oif is not None:
        return ports if aim.forwarded else (False, False)
    elif not question.direct:
        return False, False
    if question.addresses is None:
        return ports
    listened = dict(question.addresses).get(aim.family, NOTHING)
    here = _overlap_set(view.daddr, listened)
    return ports[0] and here[0], ports[1] and here[1]


def _meets(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _overlap(value: object, ports: Span) -> tuple[bool, bool]:
    if not isinstance(value, tuple):
        return False, True
    return ports[0] <= value[0] and value[1] <= ports[1], _meets(value, ports)


def _overlap_set(value: object, members: Intervals) -> tuple[bool, bool]:
    if not isinstance(value, tuple):
        return False, True
    return members.covers(*value), members.meets(*value)


def _aims(policy: Policy, question: Question, family: Family) -> Iterator[_Aim]:
    """Everything worth sending to: the host's addresses, what translations turn into the service, networks behind."""
    host = policy.host
    own = [(address, address) for address in host.local(family)]
    listened = None if question.addresses is None else dict(question.addresses).get(family, NOTHING)
    for ports in _split(policy, question.ports):
        for address in own:
            if listened is None or address[0] in listened or policy.survey.translates:
                yield _Aim(family, address, ports, False)
    seen: set[tuple[Span, Span]] = set()
    for rule_ports, rule_addresses in _translating(policy, question, family):
        places = own if rule_addresses is None else _classes(policy, family, rule_addresses)
        spans = [span for interval in rule_ports for span in _split(policy, interval)]
        if len(seen) + len(places) * len(spans) > CLASSES:
            # Too many to try each: whole ranges, of which the rules then say "perhaps".
            spans = list(rule_ports)
        for aimed in product(places, spans):
            if aimed not in seen:
                seen.add(aimed)
                yield _Aim(family, *aimed, False)
    for other, networks in question.behind:
        if other == family:
            for place in _classes(policy, family, networks - host.of_kind(family, "local")):
                for ports in _split(policy, question.ports):
                    yield _Aim(family, place, ports, True)


def _split(policy: Policy, ports: Span) -> tuple[Span, ...]:
    return _spans(policy, ("dport", "orig_dport"), *ports)


def _classes(policy: Policy, family: Family, addresses: Intervals) -> list[Span]:
    """The addresses in classes that no rule tells apart; whole intervals when there would be too many."""
    fields: tuple[FieldName, ...] = ("daddr4", "orig_daddr4") if family == 4 else ("daddr6", "orig_daddr6")
    found = [span for first, last in addresses for span in _spans(policy, fields, first, last)]
    return found if len(found) <= CLASSES else list(addresses)


def _translating(policy: Policy, question: Question, family: Family) -> Iterator[tuple[Intervals, Intervals | None]]:
    """For each rule that may turn other destinations into the service: the ports and addresses it looks for."""
    for chain in policy.ruleset.chains.values():
        for rule in chain.rules:
            for action, conditions in _acts(rule):
                if isinstance(action, Translate) and _targets(action, question, family):
                    ports, addresses = _looked_for(conditions, family)
                    if action.ports is None:
                        ports &= Intervals.single(*question.ports)
                    yield ports, addresses


def _acts(rule: Rule) -> Iterator[tuple[Action, tuple[Condition, ...]]]:
    conditions = tuple(step for step in rule.steps if not isinstance(step, ACTIONS))
    for step in rule.steps:
        if isinstance(step, Choose):
            for condition, action in step.branches:
                yield action, (*conditions, condition)
        elif isinstance(step, ACTIONS):
            yield step, conditions


def _targets(action: Translate, question: Question, family: Family) -> bool:
    """Whether it may lead to the service from another port or address."""
    if action.side != "destination" or action.family not in (None, family):
        return False
    return action.ports is None or _meets(action.ports, question.ports)


def _looked_for(conditions: tuple[Condition, ...], family: Family) -> tuple[Intervals, Intervals | None]:
    ports = Intervals.single(0, 0xFFFF)
    addresses: Intervals | None = None
    field: FieldName = "daddr4" if family == 4 else "daddr6"
    stack = list(conditions)
    while stack:
        one = stack.pop()
        if isinstance(one, Every) or (isinstance(one, Some) and len(one.conditions) == 1):
            stack += one.conditions
        elif isinstance(one, Within) and not one.negated and one.mask is None:
            if one.field == "dport":
                ports &= one.values
            elif one.field == field:
                addresses = one.values if addresses is None else addresses & one.values
        elif isinstance(one, Tuples) and not one.negated:
            if "dport" in one.fields:
                at = one.fields.index("dport")
                ports &= Intervals.of(box[at] for box in one.boxes)
            if field in one.fields:
                at = one.fields.index(field)
                addresses = Intervals.of(box[at] for box in one.boxes)
    return ports, addresses


def _ways(aim: _Aim, question: Question, reached: OutcomeMap, gained: Intervals, hoped: Intervals) -> Iterator[Way]:
    for members, sure in ((gained, True), (hoped, False)):
        if members:
            outcomes = reached.at(members.bounds[0])
            yield Way(_destination(aim, question, outcomes), members, sure, _reasons(outcomes))


def _destination(aim: _Aim, question: Question, outcomes: Outcomes) -> str:
    port = max(aim.ports[0], question.ports[0]) if _meets(aim.ports, question.ports) else aim.ports[0]
    sent = f"{_bracketed(aim.family, aim.destination[0])}:{port}/{question.transport}"
    for outcome in outcomes:
        view = outcome.view
        if view is not None and "destination" in view.translated and isinstance(view.daddr, tuple):
            ended = f":{view.dport[0]}" if isinstance(view.dport, tuple) else ""
            return f"{sent}, which becomes {_bracketed(aim.family, view.daddr[0])}{ended}"
    return sent


def _bracketed(family: Family, address: int) -> str:
    text = write_address(family, address)
    return f"[{text}]" if family == 6 else text


def _reasons(outcomes: Outcomes) -> tuple[str, ...]:
    ordered = sorted(outcomes, key=lambda outcome: (outcome.fate, [str(one) for one in outcome.because]))
    return tuple(dict.fromkeys(str(one) for outcome in ordered for one in outcome.because))
