"""Whether every trusted network is served (EXP-02): protection that silences the phones is an outage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from callgate.audit.exposure import every_table, sockets_of
from callgate.audit.reaching import families_of
from callgate.audit.standing import evidence_lines
from callgate.audit.target import Target
from callgate.audit.told import filters, networks_in_words, whole_networks
from callgate.audit.ways_in import around, served
from callgate.baseline.network import PRIVATE_NETWORKS
from callgate.baseline.service import Service
from callgate.baseline.site import DEFAULT_SITE
from callgate.evidence.listener import Listener
from callgate.firewall.host import Host
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import Family, State
from callgate.firewall.sources import Entrance, Sources, interval_of
from callgate.firewall.trace import FLAGS, PROTOCOLS, Packet, write_address

_SOLICITED_NODE = 0xFF0200000000000000000001FF000000
"""ff02::1:ff00:0/104 (RFC 4291 section 2.7.1)."""
_CONTAINERS = re.compile(r"docker\d+|br-[0-9a-f]{12}|(veth|virbr|cni|podman|lxcbr|lxdbr|flannel)[0-9A-Za-z.]*")
"""Bridges to containers and virtual machines, by the names their engines give them."""
_LINK_LOCAL = tuple(network for network in PRIVATE_NETWORKS if network.is_link_local)


@dataclass(slots=True)
class LockOut:
    """Which trusted sources a service does not serve."""

    skipped: str | None = None
    """Why there is nothing to judge."""
    locked_out: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    judged_from: list[str] = field(default_factory=list)

    def explain(self) -> str:
        """Who is not served, and what refuses them."""
        return "\n".join(self.locked_out or self.doubtful)


def lock_out(target: Target, service: Service) -> LockOut:
    """The trusted sources that the service owes an answer and does not serve.

    Owed: where the service is offered (a socket beyond loopback, or a translation to it) or expected by the site, to
    the trusted networks whose way back is the interface; where no site file says which these are, to those the host
    has an address in. Raises EvidenceError for evidence that is damaged or missing.
    """
    if target.evidence.rules_alone:
        return _by_rules_alone(target, service)
    every_table(target)
    found = sockets_of(target, service) or ()
    owing, reason = owing_families(target, service, found)
    if not owing:
        return LockOut(skipped=reason)
    reached = served(target, service, found, target.plan.site.behind_of(target.uri, target.name))
    result = LockOut(judged_from=[evidence_lines(found) or f"nothing listens on {service.ports}"])
    host = target.evidence.policy.host
    asked = NOTHING
    for family in owing:
        for interface in host.entrances:
            owed = owed_sources(target, family, interface)
            asked |= owed
            if owed:
                _compare(target, service, found, Entrance(family, interface), owed, reached, result)
                if family == 6 and not result.locked_out and (unfound := undiscovered(target, interface)):
                    result.locked_out.append(unfound)
    if not asked:
        return LockOut(skipped="the evidence shows no interface that leads to a trusted network")
    return result


def owing_families(target: Target, service: Service, found: Sequence[Listener]) -> tuple[list[Family], str]:
    """The families in which the service owes an answer; or why there is none."""
    expected = target.expected is not None and service.name in target.expected
    offered = {family for listener in found if not listener.loopback for family in listener.families}
    ways = around(target, service, found, ())
    offered |= {entrance.family for entrance, door in ways.surely if door.surely}
    if not offered and not expected:
        return [], f"{service.title} is neither offered nor expected here"
    owing = [
        family
        for family in families_of(target.evidence)
        if interval_of(target.plan.site.trusted, family) and (family in offered or not offered)
    ]
    return owing, f"no trusted network is of a family in which {service.title} is offered"


def owed_sources(target: Target, family: Family, interface: str) -> Intervals:
    """The trusted sources whose way back is the interface."""
    host, site = target.evidence.policy.host, target.plan.site
    owed = interval_of(site.trusted, family) & host.behind(family, interface)
    if site == DEFAULT_SITE:
        if _CONTAINERS.fullmatch(interface):
            return NOTHING  # phones do not stand on this very machine
        near = [entry.network for entry in host.addresses if (entry.family, entry.interface) == (family, interface)]
        owed &= Intervals.of(span for network in near for span in network)
        owed -= interval_of(_LINK_LOCAL, family)
    return owed - no_phones(target, family, interface)


def no_phones(target: Target, family: Family, interface: str) -> Intervals:
    """Addresses that no phone by this interface can have: the host's own, those routing refuses, networks' edges."""
    host = target.evidence.policy.host
    return host.martian(family, interface) | host.own(family) | _nobodys(host, target, family)


def _in_words(target: Target, entrance: Entrance, members: Intervals) -> str:
    """Trusted sources as networks: a whole one by its name, though no phone has some addresses of it."""
    family, interface = entrance
    spared = no_phones(target, family, interface)
    whole = interval_of(target.plan.site.trusted, family) & target.evidence.policy.host.behind(family, interface)
    return whole_networks(family, members, whole, spared)


def _nobodys(host: Host, target: Target, family: Family) -> Intervals:
    """The first and last address of each IPv4 network, which no phone has."""
    if family == 6:
        return NOTHING
    trusted = [network for network in target.plan.site.trusted if network.version == 4]
    spans = [(int(network.network_address), int(network.broadcast_address)) for network in trusted]
    spans += [span for entry in host.addresses if entry.family == 4 for span in entry.network]
    return Intervals.of(edge for first, last in spans if last - first > 1 for edge in ((first, first), (last, last)))


def _compare(
    target: Target,
    service: Service,
    found: Sequence[Listener],
    entrance: Entrance,
    owed: Intervals,
    reached: Sources,
    result: LockOut,
) -> None:
    door = reached.doors.get(entrance)
    surely, anybody = (door.surely, door.any) if door else (NOTHING, NOTHING)
    interface = entrance.interface
    result.judged_from.append(f"owed an answer on {interface}: {_in_words(target, entrance, owed)}")
    if locked := owed - anybody:
        told = _in_words(target, entrance, locked)
        why = _why(target, service, found, entrance, locked, "is refused")
        result.locked_out.append(f"{told} on {interface} cannot reach it: {why}")
    elif doubt := owed - surely:
        told = _in_words(target, entrance, doubt)
        why = _why(target, service, found, entrance, doubt, "is perhaps refused")
        result.doubtful.append(f"{told} on {interface} perhaps cannot reach it: {why}")


def undiscovered(target: Target, interface: str) -> str | None:
    """Why no neighbour on the interface finds the host over IPv6, or None.

    Neighbour solicitations (RFC 4861) go to the solicited-node group of an address; connection tracking leaves them
    untracked. What rests on the ICMPv6 type alone is not certain here, and passes.
    """
    policy = target.evidence.policy
    near = [entry for entry in policy.host.addresses if (entry.family, entry.interface) == (6, interface)]
    near = [entry for entry in near if entry.prefix < 128 and entry.address >> 118 != 0x3FA]
    if not near:
        return None
    own = near[0]
    group = _SOLICITED_NODE | own.address & 0xFFFFFF
    source = own.network.bounds[0] + 1 + (own.address == own.network.bounds[0] + 1)
    states: tuple[State | None, ...] = (None, "untracked")
    asked = [Packet(interface, 6, source, group, PROTOCOLS["icmpv6"], state=state) for state in states]
    answers = [policy.trace(packet) for packet in asked]
    if any(traced.verdict not in ("drop", "reject") for traced in answers):
        return None
    by = " and ".join(dict.fromkeys(rule for traced in answers for rule in traced.rules))
    return f"no neighbour on {interface} finds {write_address(6, own.address)}: all ICMPv6 is dropped by {by}"


def _why(
    target: Target, service: Service, found: Sequence[Listener], entrance: Entrance, members: Intervals, unsure: str
) -> str:
    """What becomes of a packet of one of them."""
    policy, family = target.evidence.policy, entrance.family
    if not found:
        return f"nothing listens on {service.ports}, nor is it translated to where it does"
    destination = _address_of(policy.host, found, entrance)
    if destination is None:
        return f"no socket on {service.ports} takes IPv{family}"
    source = members.bounds[0]
    packet = Packet(
        entrance.interface,
        family,
        source,
        destination,
        PROTOCOLS[service.transport],
        40000,
        service.port[0],
        FLAGS["syn"],
    )
    traced = policy.trace(packet)
    told = f"{write_address(family, source)} to {write_address(family, destination)} port {service.port[0]}"
    if traced.verdict == "accept":
        devices = sorted({listener.device for listener in found if listener.device})
        if devices and all(listener.device for listener in found):
            return f"the socket is bound to {', '.join(devices)}"
        return f"{told} gets in, but its answer, or a call from another source port, does not"
    by = f" by {' and '.join(traced.rules)}" if traced.rules else ""
    word = {"drop": "is dropped", "reject": "is rejected"}.get(traced.verdict, unsure)
    return f"{told} {word}{by}"


def _address_of(host: Host, found: Iterable[Listener], entrance: Entrance) -> int | None:
    """Where a phone would send to: an address the service listens on, of that interface if there is one."""
    family, interface = entrance
    own = [entry for entry in host.addresses if entry.family == family]
    own.sort(key=lambda entry: (entry.interface != interface, entry.address >> 118 == 0x3FA))
    for listener in found:
        if family in listener.families and not listener.loopback:
            if listener.address is not None:
                return int(listener.address)
            if own:
                return own[0].address
    return None


def _by_rules_alone(target: Target, service: Service) -> LockOut:
    """A ruleset names no interface that networks lie behind: one that lets a network in by some interface serves it."""
    policy, site = target.evidence.policy, target.plan.site
    families = [family for family in families_of(target.evidence) if interval_of(site.trusted, family)]
    if not families:
        return LockOut(skipped="no trusted network is of a family that the dumps are about")
    by_family = {family: _let_in(target, service, family) for family in families}
    result = LockOut(judged_from=["judged by rules alone: a network that some interface lets in counts as served"])
    for family in families:
        others = [one for one in target.plan.services if one.name != service.name]
        if (
            filters(policy, family)
            and not by_family[family][1]
            and not any(_let_in(target, other, family)[1] for other in others)
        ):
            result.locked_out.append(f"everyone is locked out: no trusted network reaches any service over IPv{family}")
    if result.locked_out:
        return result
    if target.expected is not None and service.name not in target.expected:
        return LockOut(skipped=f"the site does not expect {service.title}")
    if target.expected is None and not any(anybody for _, anybody in by_family.values()):
        return LockOut(skipped=f"no rule lets a trusted network reach {service.title}: taken as not offered here")
    for family in families:
        surely, anybody = by_family[family]
        whole = interval_of(site.trusted, family)
        spared = _nobodys(policy.host, target, family) | policy.host.own(family)
        trusted = whole - spared
        if site == DEFAULT_SITE and anybody:
            # Nobody said which private networks phones are in: one that is served has to do.
            if not surely:
                result.doubtful.append(f"{networks_in_words(family, anybody)} perhaps cannot reach it")
        elif locked := trusted - anybody:
            result.locked_out.append(
                f"no rule lets {whole_networks(family, locked, whole, spared)} reach {service.ports}"
            )
        elif doubt := trusted - surely:
            some = whole_networks(family, doubt, whole, spared)
            result.doubtful.append(f"{some} perhaps cannot reach {service.ports}")
    return result


def _let_in(target: Target, service: Service, family: Family) -> tuple[Intervals, Intervals]:
    """The trusted sources that some interface surely lets in, and those that it perhaps does besides."""
    named = target.plan.site.behind_of(target.uri, target.name)
    reached = (served(target, service, None, named) & target.plan.site.trusted).of(family)
    surely = anybody = NOTHING
    for _, door in reached:
        surely, anybody = surely | door.surely, anybody | door.any
    return surely, anybody
