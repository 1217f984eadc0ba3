"""Who reaches a service of a host, by its rules and its routing: the questions the policy is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from callgate.baseline.service import Service
from callgate.baseline.site import Site
from callgate.errors import EvidenceError
from callgate.evidence.evidence import Evidence
from callgate.evidence.interfaces import Network
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Door, Entrance, interval_of

PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Address space that is no stranger's own (RFC 1918, RFC 4193): what stands there stands behind somebody."""
_FAMILIES_OF_DUMPS: tuple[tuple[str, tuple[Family, ...]], ...] = (
    ("nft.json", (4, 6)),
    ("iptables-save.txt", (4,)),
    ("iptables-legacy-save.txt", (4,)),
    ("ip6tables-save.txt", (6,)),
    ("ip6tables-legacy-save.txt", (6,)),
)


@dataclass(frozen=True, slots=True)
class Reaching:
    """Who reaches one service by one entrance."""

    service: str
    entrance: Entrance
    door: Door


def question(service: Service, behind: Iterable[Network] = ()) -> Question:
    """The service as the policy is asked about it, wherever on the host it stands, and in networks behind it."""
    networks = tuple(behind)
    return Question(
        transport=service.transport,
        ports=(service.port[0], service.port[-1]),
        what=f"{service.title} ({service.ports})",
        behind=tuple((family, interval_of(networks, family)) for family in FAMILIES) if networks else (),
    )


def networks_behind(
    evidence: Evidence,
    site: Site,
    services: Iterable[Service],
    *,
    named: Iterable[Network] | None = None,
    into_trusted: bool = False,
) -> tuple[Network, ...]:
    """The networks in which call managers may stand that only this host's forwarding leads to.

    Those the site names (`named`, or else its `behind`). Of a host that offers no service itself, every private
    network it is attached to or routes to; of one that does, those among them that are not trusted: phones stand in
    the others, unless `into_trusted` asks for these as well.
    """
    attached: set[Network] = set()
    if not evidence.rules_alone:
        attached = {entry.network for entry in evidence.addresses if not entry.address.is_loopback}
        try:
            attached |= {route.destination for route in evidence.routes}
        except EvidenceError:
            # A bundle made by hand need not have routes.
            if not evidence.bundle.by_hand:
                raise
    private = [network for network in attached if any(_within(network, space) for space in PRIVATE)]
    if not into_trusted and private and offers(evidence, services):
        private = [network for network in private if not any(_within(network, one) for one in site.trusted)]
    found = {*private, *(site.behind if named is None else named)}
    return tuple(sorted(found, key=lambda network: (network.version, int(network.network_address), network.prefixlen)))


def offers(evidence: Evidence, services: Iterable[Service]) -> bool:
    """Whether the host itself offers one of the services: by a socket, or by translating to where it stands."""
    wanted = tuple(services)
    try:
        listeners = evidence.listeners
    except EvidenceError:
        return False
    if any(service.claims(listener) and not listener.loopback for service in wanted for listener in listeners):
        return True
    return evidence.policy.survey.translates


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]


def reaching_of(evidence: Evidence, site: Site, services: Iterable[Service]) -> Iterator[Reaching]:
    """Who reaches each service, by family and interface. Raises EvidenceError for damaged evidence."""
    judged = tuple(services)
    behind = networks_behind(evidence, site, judged)
    families = families_of(evidence)
    gateway = not offers(evidence, judged)
    for service in judged:
        # A host that offers other services hides none of this one behind it, unless the site says so.
        into = behind if gateway or offers(evidence, [service]) else site.behind
        found = sources_reaching(evidence.policy, question(service, into), families)
        for entrance, door in found:
            yield Reaching(service.name, entrance, door)


def families_of(evidence: Evidence) -> tuple[Family, ...]:
    """The families in which the host has an address beyond its loopback; of rules alone, those a dump is about."""
    if evidence.rules_alone:
        told = {family for file, families in _FAMILIES_OF_DUMPS if file in evidence.bundle for family in families}
        return tuple(family for family in FAMILIES if family in told)
    return tuple(
        family
        for family in FAMILIES
        if any(entry.address.version == family and not entry.address.is_loopback for entry in evidence.addresses)
    )
