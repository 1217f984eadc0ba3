"""Findings in words: who gets in where, by which packet, through which rule, and what to change."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from callgate.audit.reaching import families_of
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.baseline.site import DEFAULT_SITE
from callgate.evidence.interfaces import Network
from callgate.firewall.host import EVERYONE, Host
from callgate.firewall.intervals import Intervals
from callgate.firewall.policy import Policy
from callgate.firewall.rule import Family
from callgate.firewall.sources import Door, Entrance, Sources, Way, cidrs, interval_of
from callgate.firewall.trace import read_address, write_address

WAYS_TOLD: Final = 4
ADVICE_GIVEN: Final = 3
_NETWORKS_TOLD: Final = 2
_NETWORKS_COUNTED: Final = 4096
_RULE = re.compile(r" rule \d+: ")
_RULE_TOLD: Final = 200
# Addresses for documentation stand for anybody (RFC 5737, RFC 3849).
_ANYBODY: Final[dict[Family, int]] = {4: read_address("198.51.100.7")[1], 6: read_address("2001:db8:99::7")[1]}
_FAMILY_NAMES: Final[dict[Family, str]] = {4: "ip", 6: "ip6"}


def who_gets_in(target: Target, sources: Sources, service: Service | None) -> str:
    """Everybody in the set, a line for each way in, and what to change; empty when there is nobody.

    Those who surely get in alone, where there are any; else those who perhaps do.
    """
    certain = not sources.surely.empty
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    advice: dict[str, None] = {}
    for entrance, door in sorted((sources.surely if certain else sources.doubtful), key=lambda one: one[0]):
        members = door.surely if certain else door.perhaps
        if members:
            some, example, through = _way_in(target, entrance, door, members)
            found.setdefault((some, through), []).append((entrance.interface, example))
            if service is not None:
                advice[_advice(target, entrance, door, members, service, certain)] = None
    lines = [
        f"{'' if certain else 'perhaps '}{some} on {', '.join(name for name, _ in ways)}{ways[0][1]}{through}"
        for (some, through), ways in found.items()
    ]
    if len(lines) > WAYS_TOLD:
        lines[WAYS_TOLD:] = [f"and {len(lines) - WAYS_TOLD} more ways in"]
    return "\n".join([*lines, *(f"to do: {text}" for text in list(advice)[:ADVICE_GIVEN])])


def _way_in(target: Target, entrance: Entrance, door: Door, members: Intervals) -> tuple[str, str, str]:
    """Who gets in by one entrance, an example of a packet, and the rules that let it."""
    some = who(target, entrance, members)
    found = _example(target.evidence.policy.host, entrance, door, members)
    if found is None:
        return some, "", ""
    way, source = found
    rules = [rule if len(rule) <= _RULE_TOLD else f"{rule[:_RULE_TOLD]} ..." for rule in way.rules]
    example = f", for example {write_address(entrance.family, source)} to {way.destination}"
    return some, example, f", through {' and '.join(rules)}" if rules else ", and no rule forbids it"


def who(target: Target, entrance: Entrance, members: Intervals) -> str:
    """A set of sources in words, like `every IPv4 stranger`, or its largest networks and how many more there are."""
    family = entrance.family
    host = target.evidence.policy.host
    impossible = _impossible(host, entrance)
    strangers = EVERYONE[family] - interval_of(target.plan.site.trusted, family) - impossible
    if not strangers - members:
        return f"every IPv{family} stranger"
    spared = cidrs(family, strangers - members, _NETWORKS_TOLD + 1)
    if len(spared) <= _NETWORKS_TOLD and members.size > strangers.size // 2:
        return f"every IPv{family} stranger but {' and '.join(text for text, _ in spared)}"
    return networks_in_words(family, _rounded(family, members, impossible))


def _rounded(family: Family, members: Intervals, impossible: Intervals) -> Intervals:
    """The set with such impossible sources added as make it fewer networks: 10.0.0.0/24, and not all but one of it."""
    best, count = members, len(cidrs(family, members, _NETWORKS_COUNTED))
    for first, last in impossible:
        wider = best | Intervals.single(first, last)
        if (fewer := len(cidrs(family, wider, _NETWORKS_COUNTED))) < count:
            best, count = wider, fewer
    return best


def networks_in_words(family: Family, members: Intervals) -> str:
    """The largest networks of the set, and how many more addresses there are."""
    found = sorted(cidrs(family, members, _NETWORKS_COUNTED), key=lambda one: -one[1])
    shown = ", ".join(text for text, _ in found[:_NETWORKS_TOLD])
    rest = members.size - sum(size for _, size in found[:_NETWORKS_TOLD])
    return f"{shown} and {rest:,} more" if rest else shown


def whole_networks(family: Family, members: Intervals, whole: Intervals, spared: Intervals) -> str:
    """The members as networks; an interval of `whole` that lacks only `spared` addresses goes by its own name."""
    told = members
    for first, last in whole:
        piece = Intervals.single(first, last)
        if members & piece and not piece - members - spared:
            told |= piece
    return networks_in_words(family, told)


def trusted_in_words(target: Target, *families: Family) -> str:
    """The site's trusted networks of some families, the first of them by name where a site file names them."""
    site = target.plan.site
    if site == DEFAULT_SITE:
        return "the trusted networks"
    mine = [str(network) for network in site.trusted if network.version in families]
    more = f" and {len(mine) - 3} more" if len(mine) > 3 else ""
    return f"the trusted networks ({', '.join(mine[:3])}{more})" if mine else "nobody"


def filters(policy: Policy, family: Family) -> bool:
    """Whether any rule or policy of the family, or of both, ever refuses a packet."""
    return any(
        policy.survey.refusals[base.chain.name]
        for base in policy.ruleset.base_chains
        if base.chain.name.family in ("inet", "netdev", _FAMILY_NAMES[family])
    )


def named(networks: Iterable[Network]) -> str:
    """Networks by name."""
    return ", ".join(map(str, networks))


def _impossible(host: Host, entrance: Entrance) -> Intervals:
    """Sources that routing never lets in by this entrance."""
    refused = host.martian(entrance.family, entrance.interface)
    if entrance.family == 4 and host.reverse_path(entrance.interface) == 1:
        refused |= EVERYONE[4] - host.behind(4, entrance.interface)
    return refused


def _example(host: Host, entrance: Entrance, door: Door, members: Intervals) -> tuple[Way, int] | None:
    """A way in with a source it works for: a neighbour by that entrance if there is one, else anybody."""
    family = entrance.family
    near = [
        entry.network for entry in host.addresses if (entry.family, entry.interface) == (family, entrance.interface)
    ]
    for wanted in (*near, Intervals.single(_ANYBODY[family]), members):
        for way in door.ways:
            if common := way.sources & members & wanted:
                first, last = next(iter(common))
                # The first address of a network is no host's.
                source = min(first + 1, last) if first in (one.bounds[0] for one in near) else first
                exact = way.at(Intervals.single(source))
                return (exact[1] if exact else way), source
    return None


def _advice(target: Target, entrance: Entrance, door: Door, members: Intervals, service: Service, certain: bool) -> str:
    policy, family = target.evidence.policy, entrance.family
    found = _example(policy.host, entrance, door, members)
    way = found[0] if found else None
    trusted = trusted_in_words(target, family)
    if way is not None and ", which becomes " in way.destination:
        return f"take the translation out, or limit it to {trusted} and drop the rest before it is translated"
    if not certain:
        return f"accept {service.ports} from {trusted} and drop everyone else's, by rules that nothing else decides"
    rules = [rule for rule in way.rules if _RULE.search(rule)] if way else []
    if rules:
        return (
            f"narrow {_place(rules[-1])} to {trusted}, "
            f"or put a rule that drops everyone else's {service.ports} before it"
        )
    other: Family = 6 if family == 4 else 4
    if not filters(policy, family):
        if filters(policy, other):
            return f"IPv{family} has no rule that refuses anything: give it the rules that IPv{other} has"
        everyone = trusted_in_words(target, *families_of(target.evidence))
        return f"no firewall rule refuses anything: accept {service.ports} from {everyone}, and drop the rest"
    if service.application == "sccp" and _singled_out(policy, 5060) and not _singled_out(policy, service.port[0]):
        return (
            f"the rules speak of 5060, which is SIP's port; SCCP is {service.ports}: "
            f"accept that from {trusted} and drop the rest"
        )
    return f"accept {service.ports} from {trusted} and drop the rest, best by default (a policy of drop)"


def _place(rule: str) -> str:
    """Where a rule stands, without its text."""
    return rule[: rule.index(": ")]


def _singled_out(policy: Policy, port: int) -> bool:
    """Whether some rule names the port, alone or at the start of a range."""
    return port in policy.survey.bounds.get("dport", ())
