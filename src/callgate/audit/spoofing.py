"""Whether a trusted source address is believed where it cannot come from (EXP-04)."""

from __future__ import annotations

from callgate.audit.confinement import from_outside
from callgate.audit.exposure import every_table, sockets_of
from callgate.audit.target import Target
from callgate.audit.told import whole_networks
from callgate.audit.ways_in import around, behind, straight
from callgate.baseline.service import Service
from callgate.errors import NotDetermined
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import Family
from callgate.firewall.sources import Door, Entrance, interval_of

_LINK_LOCAL: dict[Family, Intervals] = {
    4: Intervals.single(0xA9FE0000, 0xA9FEFFFF),
    6: Intervals.single(0xFE80 << 112, (0xFEC0 << 112) - 1),
}
"""169.254.0.0/16 and fe80::/10: they belong on every link."""


def spoofable(target: Target, service: Service) -> str | None:
    """How somebody gets to the service with a trusted source address by an interface it does not belong to, or None.

    It belongs where the way back to it leads. IPv4's strict reverse path filter (rp_filter 1) keeps such packets out;
    IPv6 has none in the kernel, there rules must say `iifname`, or look the way back up (rpfilter, `fib`).
    Raises NotDetermined where the evidence does not tell rp_filter or the routes, EvidenceError for damaged evidence.
    """
    found = sockets_of(target, service)
    reached = straight(target, service, found) | around(target, service, found, behind(target))
    reached = from_outside(target, reached) & target.plan.site.trusted
    doubts: list[str] = []
    for entrance, door in sorted(reached):
        surely, perhaps = _strange(target, entrance)
        if wrong := door.surely & surely:
            said = _told(target, service, entrance, door, wrong)
            if entrance.family == 6 or target.evidence.policy.host.reverse_path(entrance.interface) is not None:
                return f"{said}; {_change(entrance)}"
            key = f"net.ipv4.conf.{entrance.interface}.rp_filter"
            doubts.append(f"{said}, unless {key} is 1, which the evidence does not tell")
        elif wrong := door.any & (surely | perhaps):
            doubts.append(f"perhaps {_told(target, service, entrance, door, wrong)}")
    if doubts:
        raise NotDetermined("; ".join(doubts[:4]))
    every_table(target)
    return None


def _strange(target: Target, entrance: Entrance) -> tuple[Intervals, Intervals]:
    """The trusted sources that surely do not belong on the interface, and those of which it is not known."""
    host, (family, interface) = target.evidence.policy.host, entrance
    trusted = interval_of(target.plan.site.trusted, family) - _LINK_LOCAL[family]
    trusted -= host.behind(family, interface) | host.own(family) | host.martian(family, interface)
    if host.told(family):
        return trusted, NOTHING
    elsewhere = NOTHING
    for name in host.interfaces:
        if name != interface:
            elsewhere |= host.behind(family, name)
    return trusted & elsewhere, trusted - elsewhere


def _told(target: Target, service: Service, entrance: Entrance, door: Door, members: Intervals) -> str:
    rules = next((found[1].rules for way in door.ways if (found := way.at(members)) is not None), ())
    through = f" through {' and '.join(rules)}" if rules else ""
    family, interface = entrance
    host = target.evidence.policy.host
    whole = interval_of(target.plan.site.trusted, family)
    some = whole_networks(family, members, whole, host.own(family) | host.martian(family, interface))
    return f"whoever claims to be of {some} reaches {service.ports} by {entrance.interface}{through}"


def _change(entrance: Entrance) -> str:
    if entrance.family == 4:
        return f"set net.ipv4.conf.{entrance.interface}.rp_filter to 1, or bind the rule to the trusted interface"
    return "bind the rule to the trusted interface, or drop what fails a reverse path look-up (fib, rpfilter)"
