"""What a host needs: services to close to strangers, and trusted networks to let in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from callgate.audit.exposure import balanced, every_table, exposure, roundabout, sockets_of, strangers
from callgate.audit.lockout import owed_sources, owing_families, undiscovered
from callgate.audit.reaching import families_of
from callgate.audit.target import Target
from callgate.audit.told import who_gets_in
from callgate.audit.ways_in import around, behind, served, straight
from callgate.baseline.service import Service
from callgate.change.remedy.foreseen import foreseen_target, with_tables
from callgate.errors import EvidenceError
from callgate.evidence.interfaces import Network
from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import BaseChain, Chain, ChainName, Family, Ruleset
from callgate.firewall.sources import Door, Entrance, Sources, interval_of

Where = Literal["input", "forward"]
WHERE: Final[tuple[Where, ...]] = ("input", "forward")
_LEFT_OUT: Final[tuple[tuple[Where, ...], ...]] = (("input",), ("forward",), WHERE)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing to change for one service in one family."""

    action: Literal["close", "open"]
    service: Service
    family: Family
    where: frozenset[Where]
    """The hooks at which packets are to be refused or let in: delivered here (`input`), or sent on (`forward`).

    Of `open` those whose chains refuse now; none where it is not them: nothing listens, or replies are dropped."""
    networks: tuple[Network, ...]
    """The trusted networks of the family: of `close` all of them, who stay in; of `open` those to let in."""
    interface: str | None = None
    """Of `open`: the interface the networks lie behind; None where rules alone are known. Of `close` always None."""
    translated: bool = False
    """Whether a way in is one of translation: the port sent to, or arrived at, is then another than the service's."""
    behind: tuple[Network, ...] = ()
    """Of `close` with `forward`: the networks behind the host that plain forwarding leads to."""
    discovery: bool = False
    """Of `open`: no neighbour finds the host over IPv6 there, as neighbour solicitations (ICMPv6) are dropped."""
    found: str = ""
    """In words, from hostile evidence: who gets in through what; or who is not served. Escape before printing."""


def needs(target: Target, services: Iterable[Service] | None = None) -> tuple[Need, ...]:
    """What the host needs for these services (None: every service the plan judges); nothing where all is well.

    Raises EvidenceError for evidence that is damaged or missing, and NotDetermined where virtual services (IPVS) lead
    past every rule.
    """
    judged = tuple(target.plan.services if services is None else services)
    balanced(target)
    every_table(target)
    found: list[Need] = []
    for service in judged:
        found += _closing(target, service)
    for service in judged:
        found += _opening(target, service)
    return tuple(found)


def ways_in(target: Target, service: Service) -> tuple[Sources, Sources]:
    """The strangers that get to a service: straight (as EXP-01 judges), and around (as EXP-03 does).

    Where the evidence does not tell who listens, the service is judged wherever it may stand: closing it is then
    right in any case.
    """
    if sockets_told(target):
        straightly = exposure(target, service, demanded=False).strangers
        return straightly, roundabout(target, service, into_trusted=False).strangers
    return strangers(target, straight(target, service, None)), strangers(
        target, around(target, service, None, behind(target))
    )


def sockets_told(target: Target) -> bool:
    """Whether the evidence tells what listens on the host."""
    try:
        return target.evidence.rules_alone or target.evidence.listeners is not None
    except EvidenceError:
        return False


def _closing(target: Target, service: Service) -> Iterator[Need]:
    straightly, around_it = ways_in(target, service)
    if straightly.empty and around_it.empty:
        return
    # Where the ways around end is found out by shutting one hook, and asking who is left.
    ends: dict[Where, Sources] = {}
    if not around_it.empty:
        for at, other in (WHERE, WHERE[::-1]):
            shut = foreseen_target(target, with_tables(target.evidence.policy.ruleset, _shut(at)))
            ends[other] = ways_in(shut, service)[1]
    into = behind(target)
    for family in families_of(target.evidence):
        direct, indirect = straightly.of(family), around_it.of(family)
        if direct.empty and indirect.empty:
            continue
        where: set[Where] = {at for at, left in ends.items() if not left.of(family).empty}
        if not direct.empty:
            where.add("input")
        told = [who_gets_in(target, one, service) for one in (direct, indirect) if not one.empty]
        yield Need(
            "close",
            service,
            family,
            frozenset(where or WHERE),
            _of(target.plan.site.trusted, family),
            translated=not indirect.empty,
            behind=_of(into, family) if "forward" in where else (),
            found="\n".join(told),
        )


def _shut(where: Where) -> Ruleset:
    """A table that drops all at one hook."""
    name = ChainName("nft", "inet", "shut", where)
    base = BaseChain(Chain(name, ()), where, -1000, policy="drop")
    return Ruleset((base,), {name: base.chain})


def _opening(target: Target, service: Service) -> Iterator[Need]:
    missing = unserved(target, service)
    if not missing:
        return
    left: dict[tuple[Where, ...], dict[Entrance, Intervals]] = {}

    def shut_by(entrance: Entrance) -> tuple[Where, ...]:
        """The hooks whose filters keep it closed, found by leaving them out."""
        for where in _LEFT_OUT:
            if where not in left:
                opened = foreseen_target(target, _without(target.evidence.policy.ruleset, where))
                left[where] = unserved(opened, service)
            if entrance not in left[where]:
                return where
        return ()

    for entrance, members in missing.items():
        family, interface = entrance
        trusted = _of(target.plan.site.trusted, family)
        networks = tuple(one for one in trusted if interval_of([one], family) & members)
        yield Need(
            "open",
            service,
            family,
            frozenset(shut_by(entrance)),
            networks,
            interface=interface,
            discovery=family == 6 and undiscovered(target, interface) is not None,
            found=f"{', '.join(map(str, networks))} on {interface} cannot reach {service.title} ({service.ports})",
        )


def _without(ruleset: Ruleset, where: Iterable[str]) -> Ruleset:
    """The ruleset without the filters at some hooks."""
    kept = tuple(base for base in ruleset.base_chains if base.hook not in where or base.kind == "nat")
    return replace(ruleset, base_chains=kept)


def unserved(target: Target, service: Service) -> dict[Entrance, Intervals]:
    """The trusted sources that are owed the service and are not surely served, by entrance.

    A ruleset alone says nothing of where networks lie, and without knowing who listens nothing is known to be owed:
    then there are none.
    """
    if target.evidence.rules_alone or not sockets_told(target):
        return {}
    found = sockets_of(target, service) or ()
    owing, _ = owing_families(target, service, found)
    if not owing:
        return {}
    reached = served(target, service, found, target.plan.site.behind_of(target.uri, target.name))
    left: dict[Entrance, Intervals] = {}
    for family in owing:
        for interface in target.evidence.policy.host.entrances:
            entrance = Entrance(family, interface)
            owed = owed_sources(target, family, interface)
            missing = owed - reached.doors.get(entrance, Door()).surely
            if missing or (owed and family == 6 and undiscovered(target, interface)):
                left[entrance] = missing or owed
    return left


def _of(networks: Iterable[Network], family: Family) -> tuple[Network, ...]:
    return tuple(one for one in networks if one.version == family)
