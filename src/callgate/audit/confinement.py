"""By which interfaces strangers may come in, and which lead to trusted networks alone."""

from __future__ import annotations

from callgate.audit.target import Target
from callgate.baseline.network import PRIVATE_NETWORKS
from callgate.firewall.host import Host, prefix_interval
from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Sources, interval_of

_LINK_LOCAL = tuple(network for network in PRIVATE_NETWORKS if network.is_link_local)


def entrances(target: Target, family: Family | None = None) -> tuple[str, ...]:
    """The interfaces by which strangers of a family (None: of either) may come in."""
    families = FAMILIES if family is None else (family,)
    spared = frozenset.intersection(*(confining(target, one) for one in families))
    return tuple(name for name in target.evidence.policy.host.entrances if name not in spared)


def from_outside(target: Target, sources: Sources) -> Sources:
    """Those of a set who come in where strangers may."""
    open_to = {family: entrances(target, family) for family in FAMILIES}
    kept = {entrance: door for entrance, door in sources if entrance.interface in open_to[entrance.family]}
    return Sources(kept, sources.what)


def confining(target: Target, family: Family) -> frozenset[str]:
    """Interfaces behind which only trusted networks lie: as the site says, or as addresses and routes show.

    Where a bundle made by hand does not tell the routes of a family, only those that the site names, and those that
    have no address of it. Raises EvidenceError for evidence that is damaged or missing.
    """
    named = frozenset(target.plan.site.voice_interfaces)
    if target.evidence.rules_alone:
        return named
    if not target.evidence.bundle.by_hand:
        _ = target.evidence.routes  # sound, or an EvidenceError
    host = target.evidence.policy.host
    return named | {name for name in host.entrances if _leads_to_trusted_only(target, host, name, family)}


def _leads_to_trusted_only(target: Target, host: Host, name: str, family: Family) -> bool:
    networks = {one: _networks(host, name, one) for one in FAMILIES}
    if networks[family] and not host.told(family):
        return False
    # An interface without an address of the family is judged by what lies behind it in the other one.
    asked: Family = family if networks[family] else 6 if family == 4 else 4
    trusted = interval_of(target.plan.site.trusted, asked)
    return bool(networks[asked]) and not any(members - trusted for members in networks[asked])


def _networks(host: Host, name: str, family: Family) -> list[Intervals]:
    """The networks of one family that lie behind an interface, without those local to the link."""
    found = [entry.network for entry in host.addresses if (entry.interface, entry.family) == (name, family)]
    found += [
        prefix_interval(family, route.network, route.prefix)
        for route in host.routes or ()
        # The kernel's own local and multicast routes say nothing of what lies behind.
        if route.family == family and name in route.interfaces and route.table != "local"
    ]
    local = interval_of(_LINK_LOCAL, family) | host.of_kind(family, "multicast")
    return [members for members in found if members - local]
