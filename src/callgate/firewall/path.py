"""The way of a packet through a host: hooks, connection tracking, translation and routing in the kernel's order.

Netfilter's hook priorities (linux/netfilter_ipv4.h): connection tracking at -200, destination translation at -100,
source translation at 100. All chains of type nat at a hook run there, whatever their own priority, which only
orders them among each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, reduce
from itertools import groupby, permutations
from typing import Final

from callgate.firewall.host import LAST, Host
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.outcome import Fate, Outcome, OutcomeMap, Outcomes
from callgate.firewall.rule import BaseChain, Family, Hook, Ruleset, State
from callgate.firewall.survey import Survey, order_matters
from callgate.firewall.traversal import Traversal
from callgate.firewall.view import PEER, TCP, UDP, Side, View

CONNTRACK: Final = -200
DSTNAT: Final = -100
SRCNAT: Final = 100
_FAMILY_NAME: Final[dict[Family, str]] = {4: "ip", 6: "ip6"}
_ORDERED: Final = 4
"""How many chains at one priority are tried in every order."""

_NOT_FORWARDED: Final = Intervals.of([(0, 0), (0xFE80 << 112, (0xFEC0 << 112) - 1)])
"""IPv6 sources that mean nothing beyond their link (ip6_output.c, ip6_forward)."""
_LINK_ONLY: Final = OutcomeMap.constant(Outcome("drop", None, ("routing: the source is not forwarded",)))

Stage = Callable[[View], OutcomeMap]


class Path:
    """Follows views through one host."""

    def __init__(self, ruleset: Ruleset, host: Host, found: Survey) -> None:
        self._ruleset = ruleset
        self._host = host
        self._survey = found
        self._traversal = Traversal(ruleset, host, found.marks_read)
        self._stages: dict[tuple[Hook, Family, str | None], tuple[Stage, ...]] = {}
        self._sources_refused: dict[tuple[Family, str], tuple[Intervals, Intervals]] = {}
        self._followed: dict[tuple[Hook, int, View], OutcomeMap] = {}

    def arriving(self, view: View) -> OutcomeMap:
        """What becomes of packets that come in from outside by `view.iif`.

        `accept` is the last word: without `oif` a socket of the host may have it, with one it left by that.
        """
        if view.iif in self._host.programs:
            text = f"programs attached to {view.iif} see packets before any rule (XDP or tc)"
            return OutcomeMap.constant(Outcome("unknown", None, (text,)))
        arrived = self._hook("ingress", view).then(
            _on(lambda seen: self._hook("prerouting", seen).then(_on(self._route)))
        )
        if view.iif in self._host.bridges and self._bridged:
            text = f"tables of family bridge filter what comes in by {view.iif}: they are not weighed"
            return arrived.union(OutcomeMap.constant(Outcome("drop", None, (text,))))
        return arrived

    def _entered(self, view: View) -> OutcomeMap:
        return self._hook("prerouting", view).then(_on(self._route))

    @cached_property
    def _bridged(self) -> bool:
        return any(base.chain.name.family == "bridge" for base in self._ruleset.base_chains)

    def sent(self, view: View) -> OutcomeMap:
        """What becomes of packets that a program on the host sends to one of its own addresses, or to a peer."""
        start = replace(view, iif=None, oif=view.oif or self._host.loopback)
        return self._hook("output", start).then(_on(self._leaving))

    def _leaving(self, view: View) -> OutcomeMap:
        local = self._host.of_kind(view.family, "local")
        if view.oif != self._host.loopback or view.daddr == PEER or _inside(view.daddr, local):
            return self._hook("postrouting", view).then(_on(self._looped))
        # Translated to another host: routed anew.
        names, _ = self._egress(view)
        ways = [self._sent_out(replace(view, oif=name)) for name in names]
        if not isinstance(view.daddr, tuple) or local.meets(*view.daddr):
            ways.append(self._hook("postrouting", view).then(_on(self._looped)))
        return _any_of(ways) if ways else OutcomeMap.constant(Outcome("drop", None, ("routing: no route",)))

    def _sent_out(self, view: View) -> OutcomeMap:
        """Linux sends nothing from 127.0.0.0/8 by another interface (route.c, __mkroute_output)."""
        found = self._hook("postrouting", view)
        if view.family == 6 or self._host.flag(4, str(view.oif), "route_localnet", False):
            return found
        first, stop = 127 << 24, 128 << 24
        dropped = frozenset({Outcome("drop", None, ("routing: 127.0.0.0/8 is not sent out",))})
        starts = sorted({*found.starts, first, stop})
        return OutcomeMap.joined((at, dropped if first <= at < stop else found.at(at)) for at in starts)

    def _looped(self, view: View) -> OutcomeMap:
        if view.oif != self._host.loopback:
            return _accepted(view)
        back = replace(view, iif=self._host.loopback, oif=None, bound=frozenset({"source", "destination"}))
        return self._hook("prerouting", back).then(_on(self._route))

    def _hook(self, hook: Hook, view: View) -> OutcomeMap:
        """The chains of one hook, in order; `accept` when all of them let the packet go on."""
        return self._follow(hook, 0, view)

    def _follow(self, hook: Hook, at: int, view: View) -> OutcomeMap:
        key = (hook, at, view)
        known = self._followed.get(key)
        if known is None:
            stages = self._at(hook, view)
            if at == len(stages):
                known = _accepted(view)
            else:
                known = stages[at](view).then(_on(lambda seen: self._follow(hook, at + 1, seen)))
            self._followed[key] = known
        return known

    def _at(self, hook: Hook, view: View) -> tuple[Stage, ...]:
        key = (hook, view.family, view.iif if hook == "ingress" else None)
        found = self._stages.get(key)
        if found is None:
            found = self._stages[key] = tuple(self._listed(hook, view))
        return found

    def _listed(self, hook: Hook, view: View) -> list[Stage]:
        chains = [base for base in self._ruleset.base_chains if self._meets(base, hook, view)]
        nat = [base for base in chains if base.kind == "nat"]
        items: list[tuple[int, Stage]] = []
        fixed: list[tuple[int, Stage]] = []
        plain = sorted((base for base in chains if base.kind != "nat"), key=lambda base: base.priority)
        for priority, group in groupby(plain, key=lambda base: base.priority):
            items.append((priority, self._group(tuple(group))))
        if hook in ("prerouting", "output") and view.family in self._ruleset.tracked:
            fixed.append((CONNTRACK, self._track))
        if nat:
            side: Side = "destination" if hook in ("prerouting", "output") else "source"
            fixed.append((DSTNAT if side == "destination" else SRCNAT, self._translating(tuple(nat), side)))
        for priority, stage in fixed:
            beside = [one for at, one in items if at == priority]
            items = [item for item in items if item[0] != priority]
            items.append((priority, self._either_order(stage, beside[0]) if beside else stage))
        items.sort(key=lambda item: item[0])
        return [stage for _, stage in items]

    def _either_order(self, one: Stage, other: Stage) -> Stage:
        """The kernel's own hook and chains of its priority: which was registered last, and runs first, is not told."""
        return lambda view: one(view).then(_on(other)).union(other(view).then(_on(one)))

    def _meets(self, base: BaseChain, hook: Hook, view: View) -> bool:
        family = base.chain.name.family
        if base.hook != hook or family in ("bridge", "arp"):
            return False
        if hook == "ingress":
            return base.devices is None or view.iif in base.devices
        return family in ("inet", _FAMILY_NAME[view.family])

    def _group(self, chains: tuple[BaseChain, ...]) -> Stage:
        """Chains of one priority: registered last runs first, which no dump tells; so every order, where it matters."""
        if not order_matters(chains, self._survey):
            return lambda view: self._sequence(chains, view)
        if len(chains) > _ORDERED:
            text = f"{len(chains)} chains of one priority change what the others see, in an order no dump tells"
            return lambda _: OutcomeMap.constant(Outcome("unknown", None, (text,)))
        orders = list(permutations(chains))
        return lambda view: _any_of([self._sequence(order, view) for order in orders])

    def _sequence(self, chains: Sequence[BaseChain], view: View) -> OutcomeMap:
        if not chains:
            return _accepted(view)
        return self._base(chains[0], view).then(_on(lambda seen: self._sequence(chains[1:], seen)))

    def _base(self, base: BaseChain, view: View) -> OutcomeMap:
        """One base chain with its policy."""
        summary = self._traversal.summary(base.chain, view)

        def ended(fate: Fate, after: View | None) -> OutcomeMap | None:
            if fate != "fall":
                return None
            if base.policy == "accept" and after is not None:
                return _accepted(after)
            return OutcomeMap.constant(Outcome("drop", None, (f"{base.chain.name}: policy {base.policy}",)))

        found = summary.then(ended)
        if base.devices is None:
            return found.union(_accepted(view))
        return found

    def _track(self, view: View) -> OutcomeMap:
        if view.state is not None:
            return _accepted(view)
        states = (view.told,) if view.told is not None else self._found_state(view)
        return OutcomeMap.constant(*(Outcome("accept", _tracked(view, state)) for state in states))

    def _found_state(self, view: View) -> tuple[State, ...]:
        """What connection tracking makes of a packet that belongs to no flow it knows (nf_conntrack_proto_tcp.c)."""
        if view.protocol == UDP:
            return ("new",)
        if view.protocol != TCP:
            # It depends on the message type, which is not looked at.
            return ("new", "invalid", "untracked")
        if view.tcp_flags is None:
            return ("new", "invalid")
        flags = view.tcp_flags & 0b0011_0111  # PSH, ECE and CWR do not count
        if flags in (0x02, 0x22):
            return ("new",)
        if flags in (0x10, 0x30):
            loose = self._host.number("net.netfilter.nf_conntrack_tcp_loose")
            return ("new",) if loose is None or loose else ("invalid",)
        return ("invalid",)

    def _translating(self, chains: tuple[BaseChain, ...], side: Side) -> Stage:
        groups = [tuple(group) for _, group in groupby(sorted(chains, key=_priority), key=_priority)]
        if any(len(group) > _ORDERED for group in groups):
            text = "more chains of type nat have one priority than can be tried in every order"
            return lambda _: OutcomeMap.constant(Outcome("unknown", None, (text,)))
        orders: list[tuple[BaseChain, ...]] = [()]
        for group in groups:
            orders = [one + more for one in orders for more in permutations(group)]
        return lambda view: self._bound(orders, side, view)

    def _bound(self, orders: list[tuple[BaseChain, ...]], side: Side, view: View) -> OutcomeMap:
        """Address translation asks its chains for the first packet of a tracked flow, once."""
        if view.state not in ("new", "related") or side in view.bound:
            return _accepted(view)
        done = _any_of([self._asked(order, side, view) for order in orders])
        return done.then(_on(lambda seen: _accepted(replace(seen, bound=seen.bound | {side}))))

    def _asked(self, chains: Sequence[BaseChain], side: Side, view: View) -> OutcomeMap:
        if not chains or side in view.translated:
            return _accepted(view)
        return self._base(chains[0], view).then(_on(lambda seen: self._asked(chains[1:], side, seen)))

    def _route(self, view: View) -> OutcomeMap:
        """The routing decision for a packet that came in: dropped, to a local socket, or on to another host."""
        refused, unsure = self._sources(view)
        passing = Outcome("accept", view)
        if not refused and not unsure:
            return _any_of(self._ways(view))
        dropped = Outcome("drop", None, ("routing: source refused (martian or reverse path filter)",))

        def met(start: int) -> Outcomes:
            if start in refused:
                return frozenset({dropped})
            return frozenset({passing, dropped}) if start in unsure else frozenset({passing})

        points = {0, *(bound for bound in refused.bounds + unsure.bounds if bound <= LAST[view.family])}
        let_in = OutcomeMap.joined((start, met(start)) for start in sorted(points))
        return let_in.then(_on(lambda seen: _any_of(self._ways(seen))))

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

    def _ways(self, view: View) -> list[OutcomeMap]:
        host, family = self._host, view.family
        if view.daddr == PEER and view.iif == host.loopback:
            return [self._hook("input", view)]
        if not isinstance(view.daddr, tuple) or view.iif is None:
            return [OutcomeMap.constant(Outcome("unknown", None, ("the destination is not known",)))]
        first, last = view.daddr
        local = host.of_kind(family, "local") | host.of_kind(family, "broadcast") | host.of_kind(family, "multicast")
        ways: list[OutcomeMap] = []
        if family == 6 and first == last == 1 and view.iif != host.loopback:
            return self._astray(view)
        if local.meets(first, last):
            if view.iif != host.loopback and self._to_loopback(view, first, last):
                ways.append(
                    OutcomeMap.constant(Outcome("drop", None, ("routing: 127.0.0.0/8 and ::1 are not routed",)))
                )
            else:
                ways.append(self._hook("input", view))
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
        if (
            "destination" in view.translated
            and view.iif in names
            and self._host.forwards(6, str(view.iif)) is not False
        ):
            return [self._forwarded_by(replace(view, oif=view.iif))]
        return [OutcomeMap.constant(Outcome("drop", None, ("routing: ::1 is not routed",)))]

    def _forwarded(self, view: View) -> list[OutcomeMap]:
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
        names, certain = self._egress(view)
        if not names and not certain:
            return [OutcomeMap.constant(Outcome("unknown", None, ("routing: no route is told",)))]
        ways = [self._forwarded_by(replace(view, oif=name)) for name in names]
        if forwards is None or not certain:
            ways.append(OutcomeMap.constant(Outcome("drop", None, ("routing: whether it is forwarded is not told",))))
        return ways or [OutcomeMap.constant(Outcome("drop", None, ("routing: no route",)))]

    def _forwarded_by(self, view: View) -> OutcomeMap:
        found = self._hook("forward", view).then(_on(lambda seen: self._hook("postrouting", seen)))
        refused = _NOT_FORWARDED
        if view.family == 4:
            # Back where it came from, the source is looked up after all (fib_frontend.c, fib_validate_source).
            refused = self._host.of_kind(4, "broadcast") if view.oif == view.iif else NOTHING
        if not refused:
            return found
        if isinstance(view.saddr, tuple):
            return _LINK_ONLY if refused.meets(*view.saddr) else found
        passing, dropped = frozenset({Outcome("accept", view)}), _LINK_ONLY.values[0]
        points = sorted({0, *(bound for bound in refused.bounds if bound <= LAST[view.family])})
        let_on = OutcomeMap.joined((at, dropped if at in refused else passing) for at in points)
        return let_on.then(_on(lambda _: found))

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


def _accepted(view: View) -> OutcomeMap:
    return OutcomeMap.constant(Outcome("accept", view))


def _on(following: Stage) -> Callable[[Fate, View | None], OutcomeMap | None]:
    """Go on with what was accepted."""
    return lambda fate, view: following(view) if fate == "accept" and view is not None else None


def _priority(base: BaseChain) -> int:
    return base.priority


def _tracked(view: View, state: State) -> View:
    if state in ("invalid", "untracked"):
        return replace(view, state=state)
    if state != "new":
        # The flow's mark was set by packets that are not known.
        view = replace(view, ctmark=None)
    if view.direction == 0:
        return replace(
            view,
            state=state,
            orig_saddr=view.saddr,
            orig_daddr=view.daddr,
            orig_sport=view.sport,
            orig_dport=view.dport,
        )
    return replace(
        view, state=state, orig_saddr=view.daddr, orig_daddr=view.saddr, orig_sport=view.dport, orig_dport=view.sport
    )


def _inside(value: object, members: Intervals) -> bool:
    return isinstance(value, tuple) and members.covers(value[0], value[1])


def _any_of(maps: Sequence[OutcomeMap]) -> OutcomeMap:
    return reduce(OutcomeMap.union, maps)
