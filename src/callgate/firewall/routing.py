"""Routing: what the kernel does with a packet between the hooks.

Facts as seen on Linux 6.18; the functions named are its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from callgate.firewall.hooks import Hooks, accepted, any_of, on
from callgate.firewall.host import LAST, Host
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.outcome import Outcome, OutcomeMap, Outcomes
from callgate.firewall.rule import Family
from callgate.firewall.view import PEER, View

_NOT_FORWARDED: Final = Intervals.of([(0, 0), (0xFE80 << 112, (0xFEC0 << 112) - 1)])
"""IPv6 sources that mean nothing beyond their link (ip6_output.c, ip6_forward)."""
_LINK_ONLY: Final = OutcomeMap.constant(Outcome("drop", None, ("routing: the source is not forwarded",)))


class Routing:
    """Decides where packets go, and takes them through the hooks on that way."""

    def __init__(self, host: Host, hooks: Hooks) -> None:
        self._host = host
        self._hooks = hooks
        self._sources_refused: dict[tuple[Family, str], tuple[Intervals, Intervals]] = {}

    def route(self, view: View) -> OutcomeMap:
        """The routing decision for a packet that came in: dropped, to a local socket, or on to another host."""
        refused, unsure = self._sources(view)
        passing = Outcome("accept", view)
        if not refused and not unsure:
            return any_of(self._ways(view))
        dropped = Outcome("drop", None, ("routing: source refused (martian or reverse path filter)",))

        def met(start: int) -> Outcomes:
            if start in refused:
                return frozenset({dropped})
            return frozenset({passing, dropped}) if start in unsure else frozenset({passing})

        points = {0, *(bound for bound in refused.bounds + unsure.bounds if bound <= LAST[view.family])}
        let_in = OutcomeMap.joined((start, met(start)) for start in sorted(points))
        return let_in.then(on(lambda seen: any_of(self._ways(seen))))

    def leave(self, view: View) -> OutcomeMap:
        """Packets of the host itself, behind the output hook: out, or back in by the loopback interface."""
        local = self._host.of_kind(view.family, "local")
        if view.oif != self._host.loopback or view.daddr == PEER or _inside(view.daddr, local):
            return self._hooks.cross("postrouting", view).then(on(self._looped))
        # Translated to another host: routed anew.
        names, _ = self._egress(view)
        ways = [self._sent_out(replace(view, oif=name)) for name in names]
        if not isinstance(view.daddr, tuple) or local.meets(*view.daddr):
            ways.append(self._hooks.cross("postrouting", view).then(on(self._looped)))
        return any_of(ways) if ways else OutcomeMap.constant(Outcome("drop", None, ("routing: no route",)))

    def _looped(self, view: View) -> OutcomeMap:
        if view.oif != self._host.loopback:
            return accepted(view)
        back = replace(view, iif=self._host.loopback, oif=None, bound=frozenset({"source", "destination"}))
        return self._hooks.cross("prerouting", back).then(on(self.route))

    def _refused(self, family: Family, interface: str) -> tuple[Intervals, Intervals]:
        key = (family, interface)
        if key not in self._sources_refused:
            self._sources_refused[key] = self._refusal(family, interface)
        return self._sources_refused[key]

    def _refusal(self, family: Family, interface: str) -> tuple[Intervals, Intervals]:
        refused = self._host.martian(family, interface)
        strictness = self._host.reverse_path(interface) if family == 4 else 0
        if not strictness:
            return refused, NOTHING
        back = self._host.behind(4, interface) if strictness == 1 else self._host.routed(4)
        elsewhere = Intervals.single(0, LAST[4]) - back
        return (refused | elsewhere, NOTHING) if self._host.told(4) else (refused, elsewhere)

    def _sources(self, view: View) -> tuple[Intervals, Intervals]:
        """The sources that routing refuses, and those that it may refuse."""
        if view.saddr is None or view.iif is None or view.iif == self._host.loopback:
            return NOTHING, NOTHING
        refused, unsure = self._refused(view.family, view.iif)
        if view.family == 4 and isinstance(view.daddr, tuple) and view.daddr[0] == view.daddr[1]:
            refused -= self._host.excused(view.daddr[0], view.iif)
        if isinstance(view.saddr, tuple):
            everyone = Intervals.single(0, LAST[view.family])
            return (everyone if refused.meets(*view.saddr) else NOTHING), (
                everyone if unsure.meets(*view.saddr) else NOTHING
            )
        return refused, unsure

    def _ways(self, view: View) -> list[OutcomeMap]:
        host, family = self._host, view.family
        if view.daddr == PEER and view.iif == host.loopback:
            return [self._hooks.cross("input", view)]
        if not isinstance(view.daddr, tuple) or view.iif is None:
            return [OutcomeMap.constant(Outcome("unknown", None, ("the destination is not known",)))]
        first, last = view.daddr
        local = host.of_kind(family, "local") | host.of_kind(family, "broadcast") | host.of_kind(family, "multicast")
        ways: list[OutcomeMap] = []
        if family == 4 and last == 0 and view.iif != host.loopback:
            return [OutcomeMap.constant(Outcome("drop", None, ("routing: 0.0.0.0 is no destination",)))]
        if family == 6 and first == last == 1 and view.iif != host.loopback:
            return self._astray(view)
        if local.meets(first, last):
            if view.iif != host.loopback and self._to_loopback(view, first, last):
                ways.append(
                    OutcomeMap.constant(Outcome("drop", None, ("routing: 127.0.0.0/8 and ::1 are not routed",)))
                )
            else:
                ways.append(self._hooks.cross("input", view))
        if not local.covers(first, last):
            ways += self._forwarded(view)
        return ways

    def _to_loopback(self, view: View, first: int, last: int) -> bool:
        inside = view.family == 4 and first >> 24 == 127 and last >> 24 == 127
        return inside and not self._host.flag(4, str(view.iif), "route_localnet", False)

    def _astray(self, view: View) -> list[OutcomeMap]:
        """::1 as the destination of a packet from outside.

        Refused as it comes in (ip6_input.c). Translated to ::1, it is looked for behind the ingress interface alone
        (route.c, rt6_need_strict): a default route there takes it out again.
        """
        names, _ = self._host.egress(6, 0)
        if "destination" in view.translated and view.iif in names:
            return self._forwarded(view, (view.iif,))
        return [OutcomeMap.constant(Outcome("drop", None, ("routing: ::1 is not routed",)))]

    def _forwarded(self, view: View, by: tuple[str, ...] | None = None) -> list[OutcomeMap]:
        """The ways on to another host, by the interfaces that routes tell, or by those given."""
        forwards = self._host.forwards(view.family, str(view.iif))
        if view.pkttype:
            return [OutcomeMap.constant(Outcome("drop", None, ("routing: sent to many, not forwarded",)))]
        if isinstance(view.ttl, tuple):
            if view.ttl[1] <= 1:
                return [OutcomeMap.constant(Outcome("drop", None, ("routing: the TTL ends here",)))]
            # The forward hook sees what is left of it.
            view = replace(view, ttl=(max(view.ttl[0], 2) - 1, view.ttl[1] - 1))
        if forwards is False:
            return [OutcomeMap.constant(Outcome("drop", None, ("routing: the host does not forward",)))]
        names, certain = (by, True) if by is not None else self._egress(view)
        if not names and not certain:
            return [OutcomeMap.constant(Outcome("unknown", None, ("routing: no route is told",)))]
        ways = [self._forwarded_by(replace(view, oif=name)) for name in names]
        if forwards is None or not certain:
            ways.append(OutcomeMap.constant(Outcome("drop", None, ("routing: whether it is forwarded is not told",))))
        return ways or [OutcomeMap.constant(Outcome("drop", None, ("routing: no route",)))]

    def _forwarded_by(self, view: View) -> OutcomeMap:
        found = self._hooks.cross("forward", view).then(on(lambda seen: self._hooks.cross("postrouting", seen)))
        back = view.oif == view.iif
        if view.family == 6:
            refused = NOTHING if back else _NOT_FORWARDED
        else:
            # Back where it came from, the source is looked up after all (fib_frontend.c, fib_validate_source).
            refused = self._host.of_kind(4, "broadcast") if back else NOTHING
        if not refused:
            return found
        if isinstance(view.saddr, tuple):
            return _LINK_ONLY if refused.meets(*view.saddr) else found
        passing, dropped = frozenset({Outcome("accept", view)}), _LINK_ONLY.values[0]
        points = sorted({0, *(bound for bound in refused.bounds if bound <= LAST[view.family])})
        let_on = OutcomeMap.joined((at, dropped if at in refused else passing) for at in points)
        return let_on.then(on(lambda _: found))

    def _sent_out(self, view: View) -> OutcomeMap:
        """Linux sends nothing from 127.0.0.0/8 by another interface (route.c, __mkroute_output)."""
        found = self._hooks.cross("postrouting", view)
        if view.family == 6 or self._host.flag(4, str(view.oif), "route_localnet", False):
            return found
        first, stop = 127 << 24, 128 << 24
        dropped = frozenset({Outcome("drop", None, ("routing: 127.0.0.0/8 is not sent out",))})
        starts = sorted({*found.starts, first, stop})
        return OutcomeMap.joined((at, dropped if first <= at < stop else found.at(at)) for at in starts)

    def _egress(self, view: View) -> tuple[tuple[str, ...], bool]:
        if not isinstance(view.daddr, tuple):
            return self._host.interfaces, False
        first, last = view.daddr
        names, certain = self._host.egress(view.family, first)
        if first != last:
            other, _ = self._host.egress(view.family, last)
            certain = certain and names == other
            names = tuple(dict.fromkeys(names + other))
        return names, certain


def _inside(value: object, members: Intervals) -> bool:
    return isinstance(value, tuple) and members.covers(value[0], value[1])
