"""The ways into a service of a host under audit: straight to its sockets, or translated and forwarded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from callgate.audit.reaching import families_of, networks_behind, question
from callgate.audit.standing import Addresses, Standing, joined, standings
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.evidence.interfaces import Network
from callgate.evidence.listener import Listener
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.rule import Family
from callgate.firewall.served import sources_served
from callgate.firewall.sources import Sources, interval_of


def behind(target: Target, *, into_trusted: bool = False) -> tuple[Network, ...]:
    """The networks behind the host in which call managers may stand; see `networks_behind`."""
    site = target.plan.site
    named = site.behind_of(target.uri, target.name)
    return networks_behind(target.evidence, site, target.plan.services, named=named, into_trusted=into_trusted)


def straight(target: Target, service: Service, found: Sequence[Listener] | None) -> Sources:
    """Who gets to these sockets without any translation, by every entrance. None asks the rules alone.

    Raises EvidenceError for evidence that is damaged or missing.
    """
    asked = replace(question(service), translated=False)
    if found is None:
        return sources_reaching(target.evidence.policy, asked, families_of(target.evidence))
    return _total(target, asked, standings(target, found))


def around(target: Target, service: Service, found: Sequence[Listener] | None, into: Iterable[Network]) -> Sources:
    """Who gets to the service by translation, or by forwarding into one of the networks. `found` as for `straight`."""
    policy, families = target.evidence.policy, families_of(target.evidence)
    asked = replace(question(service), direct=False)
    bound: list[Standing] = []
    if found is not None:
        all_standing = list(standings(target, found))
        bound = [one for one in all_standing if one.device is not None]
        asked = replace(asked, addresses=joined(one for one in all_standing if one.device is None))
    total = Sources({}, asked.what)
    for networks, names in _beyond(target, tuple(into), families).items():
        total |= sources_reaching(policy, replace(asked, behind=networks), families).on(names)
    return total | _total(target, replace(asked, addresses=None), bound)


def served(target: Target, service: Service, found: Sequence[Listener] | None, into: Iterable[Network]) -> Sources:
    """Whom the service serves whatever port they call from, by every entrance. `found` as for `straight`."""
    policy, families = target.evidence.policy, families_of(target.evidence)
    asked = question(service, into)
    if found is None:
        return sources_served(policy, asked, families)
    total = Sources({}, asked.what)
    all_standing = list(standings(target, found))
    total |= sources_served(policy, replace(asked, addresses=joined(_unbound(all_standing))), families)
    for one in all_standing:
        if one.device is not None:
            total |= sources_served(policy, one.ask(replace(asked, behind=())), families).on([one.device])
    return total


def reaching_sockets(target: Target, standing: Standing) -> Sources:
    """Who gets to one group of sockets, in any way that ends there."""
    first = standing.listeners[0]
    asked = Question(transport=first.transport, ports=standing.ports, what=first.endpoint)
    return _total(target, asked, [standing])


def _total(target: Target, asked: Question, standing: Iterable[Standing]) -> Sources:
    policy = target.evidence.policy
    total = Sources({}, asked.what)
    for one in standing:
        families = tuple(family for family, members in one.addresses if members)
        reached = sources_reaching(policy, one.ask(asked), families)
        total |= reached if one.device is None else reached.on([one.device])
    return total


def _unbound(standing: Iterable[Standing]) -> list[Standing]:
    return [one for one in standing if one.device is None]


def _beyond(target: Target, networks: tuple[Network, ...], families: Sequence[Family]) -> dict[Addresses, list[str]]:
    """For the interfaces packets come in by: the networks that lie beyond others than that one."""
    host = target.evidence.policy.host
    found: dict[Addresses, list[str]] = {}
    for name in host.entrances:
        left = tuple(
            (family, members)
            for family in families
            if (members := interval_of(networks, family) - host.behind(family, name))
        )
        found.setdefault(left, []).append(name)
    return found
