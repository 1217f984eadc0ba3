"""Netfilter's hooks: the base chains at each, connection tracking and address translation, in the kernel's order.

Hook priorities (linux/netfilter_ipv4.h): connection tracking at -200, destination translation at -100, source
translation at 100. All chains of type nat at a hook run there, whatever their own priority, which only orders them
among each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import groupby, permutations
from typing import Final

from callgate.firewall.host import Host
from callgate.firewall.outcome import Fate, Outcome, OutcomeMap
from callgate.firewall.rule import BaseChain, Family, Hook, Ruleset, State
from callgate.firewall.survey import Survey, order_matters
from callgate.firewall.traversal import Traversal
from callgate.firewall.view import TCP, UDP, Side, View

CONNTRACK: Final = -200
DSTNAT: Final = -100
SRCNAT: Final = 100
_FAMILY_NAME: Final[dict[Family, str]] = {4: "ip", 6: "ip6"}
_ORDERED: Final = 4
"""How many chains at one priority are tried in every order."""

Stage = Callable[[View], OutcomeMap]


class Hooks:
    """Takes views through the chains of a ruleset, hook by hook."""

    def __init__(self, ruleset: Ruleset, host: Host, found: Survey) -> None:
        self._ruleset = ruleset
        self._host = host
        self._survey = found
        self._traversal = Traversal(ruleset, host, found.marks_read)
        self._stages: dict[tuple[Hook, Family, str | None], tuple[Stage, ...]] = {}
        self._followed: dict[tuple[Hook, int, View], OutcomeMap] = {}

    def cross(self, hook: Hook, view: View) -> OutcomeMap:
        """The chains of one hook, in order; `accept` when all of them let the packet go on."""
        return self._follow(hook, 0, view)

    def _follow(self, hook: Hook, at: int, view: View) -> OutcomeMap:
        key = (hook, at, view)
        known = self._followed.get(key)
        if known is None:
            stages = self._at(hook, view)
            if at == len(stages):
                known = accepted(view)
            else:
                known = stages[at](view).then(on(lambda seen: self._follow(hook, at + 1, seen)))
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
        return lambda view: one(view).then(on(other)).union(other(view).then(on(one)))

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
        return lambda view: any_of([self._sequence(order, view) for order in orders])

    def _sequence(self, chains: Sequence[BaseChain], view: View) -> OutcomeMap:
        if not chains:
            return accepted(view)
        return self._base(chains[0], view).then(on(lambda seen: self._sequence(chains[1:], seen)))

    def _base(self, base: BaseChain, view: View) -> OutcomeMap:
        """One base chain with its policy."""
        summary = self._traversal.summary(base.chain, view)

        def ended(fate: Fate, after: View | None) -> OutcomeMap | None:
            if fate != "fall":
                return None
            if base.policy == "accept" and after is not None:
                return accepted(after)
            return OutcomeMap.constant(Outcome("drop", None, (f"{base.chain.name}: policy {base.policy}",)))

        found = summary.then(ended)
        if base.devices is None:
            return found.union(accepted(view))
        return found

    def _track(self, view: View) -> OutcomeMap:
        if view.state is not None:
            return accepted(view)
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
            return accepted(view)
        done = any_of([self._asked(order, side, view) for order in orders])
        return done.then(on(lambda seen: accepted(replace(seen, bound=seen.bound | {side}))))

    def _asked(self, chains: Sequence[BaseChain], side: Side, view: View) -> OutcomeMap:
        if not chains or side in view.translated:
            return accepted(view)
        return self._base(chains[0], view).then(on(lambda seen: self._asked(chains[1:], side, seen)))


def accepted(view: View) -> OutcomeMap:
    """Everybody goes on."""
    return OutcomeMap.constant(Outcome("accept", view))


def on(following: Stage) -> Callable[[Fate, View | None], OutcomeMap | None]:
    """Go on with what was accepted."""
    return lambda fate, view: following(view) if fate == "accept" and view is not None else None


def any_of(maps: Sequence[OutcomeMap]) -> OutcomeMap:
    """Any of them may be what happens."""
    return reduce(OutcomeMap.union, maps)


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
