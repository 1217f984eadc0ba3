"""Who can open a new flow to a service: every source, by every way that ends there.

What the sender is free to choose is chosen for it: any address of the host, any source port, any TTL, the odd TCP
flags a listening socket takes with a SYN, an IPv6 extension header, a good moment where rules count packets or throw
dice, and every original destination that translation turns into the service. Broadcast and multicast destinations,
and unicast packets in frames of another type, are left out: only a neighbour on the link can send them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Final

from callgate.firewall.aims import CLASSES, Aim, direct_aims, spans, translated_aims
from callgate.firewall.host import EVERYONE, LAST
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.outcome import Fate, OutcomeMap, Outcomes
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Door, Entrance, Sources, Way
from callgate.firewall.trace import write_address
from callgate.firewall.view import PEER, TCP, Luck, Span, View

WAYS: Final = 16
"""How many ways in are told for each entrance."""
TRIES: Final = 4096
"""How many classes of packets are tried for one entrance before everybody else is left in doubt."""
CHOICES: Final = 1024
"""How many combinations of a sender's choices are tried for one destination; what they leave open stays in doubt."""
COMBINED: Final = 128
"""Up to how many combinations are all tried; beyond, those that make no difference one by one are not."""
_LUCK: Final[tuple[Luck, ...]] = ("good", "bad")
RULES: Final = 100
"""How many rules are told for each way."""
_DESTINATION_OPTIONS: Final = 60
"""An IPv6 extension header anybody may put in front of TCP or UDP (RFC 8200 section 4.6)."""
_ODD_FLAGS: Final = (8, 32, 64, 128)


def sources_reaching(policy: Policy, question: Question, families: Iterable[Family] = FAMILIES) -> Sources:
    """Everybody who can open a flow to the service, by entrance. Loopback is no entrance."""
    doors: dict[Entrance, Door] = {}
    for family in families:
        aims = list(direct_aims(policy, question, family))
        if question.translated:
            aims += translated_aims(policy, question, family)
        for alike in _alike(policy, question, family):
            door = _door(policy, question, alike[0], dict.fromkeys(aims))
            doors |= {Entrance(family, interface): door for interface in alike}
    return Sources(doors, question.what)


def _alike(policy: Policy, question: Question, family: Family) -> Iterable[list[str]]:
    """The entrances in groups that neither rules nor routing tell apart; one answer does for a group."""
    host, found = policy.host, policy.survey
    if question.behind or found.translates or found.asks_routes:
        return [[name] for name in host.entrances]
    groups: dict[object, list[str]] = {}
    for name in host.entrances:
        looked_for = tuple(name.startswith(one.name) if one.prefix else name == one.name for one in found.interfaces)
        filtered = host.reverse_path(name) if family == 4 else 0
        back = host.behind(family, name) if filtered == 1 else None
        devices = tuple(base.devices is None or name in base.devices for base in policy.ruleset.base_chains)
        key = (
            looked_for,
            filtered,
            back,
            devices,
            host.martian(family, name),
            name in host.programs,
            name in host.bridges,
        )
        groups.setdefault(key, []).append(name)
    return groups.values()


def _door(policy: Policy, question: Question, interface: str, aims: Iterable[Aim]) -> Door:
    surely = perhaps = NOTHING
    ways: list[Way] = []
    tried = 0
    for aim in aims:
        everyone = EVERYONE[aim.family]
        if tried >= TRIES:
            # Not every way was tried: whoever is not known to get in may.
            return Door(surely, everyone - surely, _surest_first(ways))
        for view in _choices(policy, question, interface, aim, surely):
            tried += 1
            reached = policy.outcomes(view)
            sure, maybe = arrivals(question, aim, reached)
            gained, hoped = sure - surely, maybe - sure - perhaps - surely
            if (gained or hoped) and len(ways) < WAYS:
                ways += _ways(aim, question, reached, gained, hoped)
            surely |= sure
            perhaps |= maybe
            if surely == everyone:
                return Door(surely, NOTHING, _surest_first(ways))
    return Door(surely, perhaps - surely, _surest_first(ways))


def _surest_first(ways: list[Way]) -> tuple[Way, ...]:
    return tuple(sorted(ways, key=lambda way: not way.sure))


def _choices(policy: Policy, question: Question, interface: str, aim: Aim, known: Intervals) -> Iterator[View]:
    """The classes of packets a sender may choose from, the plainest first.

    `known` surely get in already: what is in doubt about them alone is not looked into.
    """

    def reached(view: View) -> tuple[Intervals, Intervals]:
        return arrivals(question, aim, policy.outcomes(view))

    every_port = spans(policy.survey.bounds, ("sport", "orig_sport"), 0, 0xFFFF)
    every_ttl = spans(policy.survey.bounds, ("ttl",), 1, 255)
    first = plain(question, interface, aim)
    if len(every_port) == 1 and not policy.survey.masked & {"sport", "orig_sport"}:
        first = replace(first, sport=every_port[0])
    if len(every_ttl) == 1 and "ttl" not in policy.survey.masked:
        first = replace(first, ttl=every_ttl[0])
    yield first
    plainly = [first]
    sure, maybe = reached(first)
    if aim.family == 6 and "nexthdr" in policy.survey.bounds:
        plainly.append(replace(first, nexthdr=_DESTINATION_OPTIONS))
        yield plainly[1]
        sure, maybe = sure | reached(plainly[1])[0], maybe | reached(plainly[1])[1]
    if maybe - sure - known and policy.survey.lucky:
        fortunate = [replace(view, luck=luck) for view in plainly for luck in _LUCK]
        yield from fortunate
        plainly += fortunate
        for view in fortunate:
            sure |= reached(view)[0]

    def matters(field: str, value: object) -> bool:
        return any(reached(replace(view, **{field: value})) != reached(view) for view in plainly)  # type: ignore[arg-type]

    flags = [2, *_flags(policy, question)]
    sports, ttls = [first.sport], [first.ttl]
    if maybe - sure - known and len(every_port) + len(every_ttl) <= CLASSES:
        sports += every_port
        ttls += every_ttl
    if len(sports) * len(ttls) * len(flags) * len(plainly) > COMBINED:
        # A choice that makes no difference by itself is left open.
        flags = [2, *(flag for flag in flags[1:] if matters("tcp_flags", flag))]
        sports = [first.sport, *(one for one in sports[1:] if matters("sport", one))]
        ttls = [first.ttl, *(one for one in ttls[1:] if matters("ttl", one))]
    chosen = product(sports, ttls, flags, plainly)
    for sport, ttl, flag, view in islice(chosen, len(plainly), CHOICES):
        yield replace(view, sport=sport, ttl=ttl, tcp_flags=flag)


def _flags(policy: Policy, question: Question) -> tuple[int, ...]:
    """Flag bytes beside a plain SYN that open a flow and that some rule can tell from it."""
    if question.protocol != TCP:
        return ()
    told = [bit for bit in _ODD_FLAGS if bit & policy.survey.flag_bits]
    return tuple(2 | sum(chosen) for chosen in product(*((0, bit) for bit in told)))[1:]


def plain(question: Question, interface: str, aim: Aim) -> View:
    """The plainest packet for an aim: its source port and TTL left open."""
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


def arrivals(question: Question, aim: Aim, reached: OutcomeMap) -> tuple[Intervals, Intervals]:
    """The sources that surely arrive at the service, and those that may."""
    last = LAST[aim.family]
    known = {kind: _arrives(question, aim, *kind) for kind in reached.kinds}
    surely = reached.where_all(lambda fate, view: known[fate, view][0], last)
    maybe = reached.where_any(lambda fate, view: known[fate, view][1], last)
    return surely, maybe


def _arrives(question: Question, aim: Aim, fate: Fate, view: View | None) -> tuple[bool, bool]:
    """Whether one outcome is an arrival at the service: surely, and perhaps."""
    if fate == "unknown":
        return False, True
    if fate != "accept" or view is None:
        return False, False
    ports = _overlap(view.dport, question.ports)
    asked = _overlap(aim.ports, question.ports)
    if "destination" in view.translated:
        if not question.translated:
            return False, False
        # A packet sent to the service's own port is its caller, wherever translation takes it.
        if asked[1] or view.oif is not None:
            return (asked[0] or ports[0]), (asked[1] or ports[1])
    elif view.oif is not None:
        return ports if aim.forwarded else (False, False)
    elif not question.direct:
        return False, False
    listened = question.listened(aim.family)
    if listened is None:
        return ports
    here = (False, True)
    if isinstance(view.daddr, tuple):
        here = (listened.covers(*view.daddr), listened.meets(*view.daddr))
    return ports[0] and here[0], ports[1] and here[1]


def _overlap(value: object, ports: Span) -> tuple[bool, bool]:
    """Whether every port of a value is among the service's, and whether one is."""
    if not isinstance(value, tuple):
        return False, True
    return ports[0] <= value[0] and value[1] <= ports[1], value[0] <= ports[1] and ports[0] <= value[1]


def _ways(aim: Aim, question: Question, reached: OutcomeMap, gained: Intervals, hoped: Intervals) -> Iterator[Way]:
    def tell(source: int) -> tuple[str, tuple[str, ...]]:
        outcomes = reached.at(source)
        return _destination(aim, question, outcomes), _reasons(outcomes)

    for members, sure in ((gained, True), (hoped, False)):
        if members:
            rules: dict[str, None] = {}
            for first, last in members:
                for _, _, outcomes in reached.segments(first, last + 1):
                    rules.update(dict.fromkeys(_reasons(outcomes)))
                if len(rules) >= RULES:
                    break
            yield Way(tell(members.bounds[0])[0], members, sure, tuple(rules)[:RULES], tell)


def _destination(aim: Aim, question: Question, outcomes: Outcomes) -> str:
    port = max(aim.ports[0], question.ports[0]) if _overlap(aim.ports, question.ports)[1] else aim.ports[0]
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
