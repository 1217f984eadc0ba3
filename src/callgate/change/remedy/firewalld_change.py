"""What is to be added to a firewalld: rich rules where they do, direct rules where no zone is asked in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import collapse_addresses, ip_network
from typing import Final

from callgate.audit.exposure import sockets_of, strangers
from callgate.audit.target import Target
from callgate.audit.ways_in import straight
from callgate.change.remedy.firewalld_foreseen import PREFIX
from callgate.change.remedy.firewalld_rules import FIRST, SECOND, DirectChain, DirectRule, RichRule
from callgate.change.remedy.firewalld_zones import Firewalld
from callgate.change.remedy.gate import Drop, gate_of, interface
from callgate.change.remedy.need import WHERE, Need, Where, sockets_told
from callgate.evidence.interfaces import Network
from callgate.firewall.host import EVERYONE
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Door, Entrance, Sources, cidrs, interval_of

CHAINS: Final[dict[Where, str]] = {"input": f"{PREFIX}IN", "forward": f"{PREFIX}ON"}
"""The chains of the direct interface that are ours, in table mangle, by hook."""
ELSEWHERE: Final = f"{PREFIX}FROM"
"""The chain that keeps trusted sources that are let in to the interface that they are behind."""
_NO_REPLY: Final = "-m conntrack --ctdir REPLY -j RETURN"
_MOST_STRANGERS: Final = 64
"""With how many rules strangers are named where the trusted cannot be."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing the change; `spelled_out` names strangers network by network and accepts nobody."""

    direct: frozenset[Where]
    """The needs closed by direct rules: all, or those with a way in that is translated or forwarded."""
    every_need: bool = False
    spelled_out: bool = False
    first: bool = False
    """What opens stands before everything in its zone."""


@dataclass(frozen=True, slots=True)
class Additions:
    """Rules by zone, and of the direct interface, in the order in which they are added."""

    rich: tuple[tuple[str, RichRule], ...]
    direct: tuple[DirectChain | DirectRule, ...]

    @property
    def nothing(self) -> bool:
        """Whether nothing is added."""
        return not self.rich and not self.direct


FORMS: Final = (
    Form(frozenset()),
    Form(frozenset(), first=True),
    Form(frozenset(), spelled_out=True, first=True),
    Form(frozenset(WHERE), every_need=True),
    Form(frozenset(WHERE), every_need=True, first=True),
)
"""From the plainest on."""


def additions(target: Target, guard: Firewalld, needs: Sequence[Need], form: Form) -> Additions | None:
    """What the needs take in this form; None where the form cannot say it."""
    closing = [need for need in needs if need.action == "close"]
    by_direct = [need for need in closing if form.every_need or need.translated or "forward" in need.where]
    by_zone = [need for need in closing if need not in by_direct]
    opening = [need for need in needs if need.action == "open"]
    rules: list[tuple[str, RichRule]] = []
    for need in opening:
        for zone, _ in guard.zones_of(need.family, need.interface or "", interval_of(need.networks, need.family)):
            for network in _collapsed(need.networks):
                priority = FIRST if form.first else 0
                rules.append((zone, RichRule(need.family, need.service, "accept", network, priority=priority)))
    refusing: list[tuple[str, RichRule]] = []
    for need in by_zone:
        for zone, spares in _zones_to_close(target, guard, need):
            spared = spares or any(where == zone and _same(rule, need) for where, rule in rules)
            written = _closing(need, spared=spared, spelled_out=form.spelled_out)
            if written is None:
                return None
            refusing += [(zone, rule) for rule in written]
    every = [*rules, *refusing]
    # What lets in first: between the two, nobody is shut out who is to stay.
    ordered = [one for one in every if one[1].action == "accept"] + [one for one in every if one[1].action == "drop"]
    rich = tuple(sorted(dict.fromkeys(ordered), key=lambda one: (one[1].action, one[0])))
    return Additions(rich, tuple(_direct(target, by_direct)))


def _same(rule: RichRule, need: Need) -> bool:
    return rule.family == need.family and rule.service == need.service


def _zones_to_close(target: Target, guard: Firewalld, need: Need) -> Iterator[tuple[str, bool]]:
    """The zones that let strangers in, and whether they let trusted sources in as well."""
    found = sockets_of(target, need.service) if sockets_told(target) else None
    reached = straight(target, need.service, found).of(need.family)
    outside = strangers(target, reached)
    trusted = _zones(guard, need.family, reached & target.plan.site.trusted)
    for zone in _zones(guard, need.family, outside):
        yield zone, zone in trusted


def _zones(guard: Firewalld, family: Family, sources: Sources) -> dict[str, Intervals]:
    found: dict[str, Intervals] = {}
    for entrance, door in sources:
        for zone, part in guard.zones_of(family, entrance.interface, door.any):
            found[zone] = found.get(zone, NOTHING) | part
    return found


def _closing(need: Need, *, spared: bool, spelled_out: bool) -> list[RichRule] | None:
    """Rich rules that drop strangers; where trusted sources are let in by the same zone, they stay in."""
    networks = _collapsed(need.networks)
    if not spared or not networks:
        return [RichRule(need.family, need.service, "drop", priority=SECOND)]
    if len(networks) == 1:
        return [RichRule(need.family, need.service, "drop", networks[0], negated=True, priority=SECOND)]
    if not spelled_out:
        accepted = [RichRule(need.family, need.service, "accept", one, priority=FIRST) for one in networks]
        return [*accepted, RichRule(need.family, need.service, "drop", priority=SECOND)]
    others = cidrs(need.family, EVERYONE[need.family] - interval_of(networks, need.family), _MOST_STRANGERS + 1)
    if len(others) > _MOST_STRANGERS:
        return None
    return [RichRule(need.family, need.service, "drop", ip_network(text), priority=SECOND) for text, _ in others]


def _collapsed(networks: Sequence[Network]) -> list[Network]:
    return list(collapse_addresses(networks))  # type: ignore[type-var]


def _direct(target: Target, needs: Sequence[Need]) -> Iterator[DirectChain | DirectRule]:
    """Chains in table mangle: asked behind translation, and before any filter of any back end."""
    gate = gate_of(target, needs)
    for family in FAMILIES:
        for where in WHERE:
            drops = [drop for drop in gate.drops[where] if family in drop.families]
            if not drops:
                continue
            chain = CHAINS[where]
            passing = [_NO_REPLY, *(f"-i {name} -j RETURN" for name in ("lo", *gate.spared))]
            passing += [f"-s {network} -j RETURN" for network in _collapsed(gate.trusted_of(family))]
            yield DirectChain(family, chain)
            yield from (DirectRule(family, chain, 0, options) for options in passing)
            dropping = (options for drop in drops for options in _options(drop, family))
            yield from (DirectRule(family, chain, 1, options) for options in dropping)
            yield DirectRule(family, where.upper(), FIRST, f"-j {chain}")


def elsewhere(target: Target, after: Target, needs: Sequence[Need]) -> Iterator[DirectChain | DirectRule]:
    """Drops for trusted networks where they are let in by the way: a zone takes them by any of its interfaces.

    `after`: the host with all other rules of the remedy.
    """
    opened = dict.fromkeys(need.service for need in needs if need.action == "open")
    found: dict[Family, list[str]] = {}
    for service in opened:
        owed = {Entrance(need.family, need.interface or "") for need in needs if need.service == service}
        then, later = (straight(one, service, sockets_of(one, service)) for one in (target, after))
        for entrance, door in later:
            if entrance in owed:
                continue
            gained = door.any - then.doors.get(entrance, Door()).any
            networks = [one for one in target.plan.site.trusted if interval_of([one], entrance.family) & gained]
            for network in _collapsed(networks):
                source = f"-i {interface(entrance.interface)} -s {network} -p {service.transport}"
                ports = ":".join(map(str, dict.fromkeys((service.port[0], service.port[-1]))))
                drop = f"{source} -m {service.transport} --dport {ports} -j DROP"
                found.setdefault(entrance.family, []).append(drop)
    for family, drops in found.items():
        yield DirectChain(family, ELSEWHERE)
        yield DirectRule(family, ELSEWHERE, 0, _NO_REPLY)
        yield from (DirectRule(family, ELSEWHERE, 1, options) for options in dict.fromkeys(drops))
        yield DirectRule(family, "INPUT", FIRST, f"-j {ELSEWHERE}")


def _options(drop: Drop, family: Family) -> Iterator[str]:
    """What iptables is told, a rule for each range of ports and each network."""
    states = ["--ctstate DNAT"] if drop.translated else []
    into = [one for one in drop.into if one.version == family]
    for first, last in drop.ports:
        ports = f"{first}:{last}" if last > first else f"{first}"
        asked = [*states, f"--ctorigdstport {ports}"] if drop.original else states
        port = f" -m {drop.transport} --dport {ports}" if not drop.original else ""
        tracked = f" -m conntrack {' '.join(asked)}" if asked else ""
        for destination in [f"-d {network} " for network in into] or [""] * (not drop.into):
            yield f"{destination}-p {drop.transport}{port}{tracked} -j DROP"
