"""A naive reading of the rules, for one packet at a time: what the engine is judged by.

Written from what was seen of kernels and from the words of `rule.py`. Whatever is not known is tried both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from itertools import permutations
from typing import Final, TypeVar

from callgate.firewall.host import Host
from callgate.firewall.rule import (
    ACTIONS,
    Action,
    AddressKind,
    AddressType,
    BaseChain,
    Chain,
    Choose,
    Condition,
    Every,
    Family,
    Goto,
    Hook,
    InState,
    Interface,
    Jump,
    Not,
    NoTrack,
    Opaque,
    Queue,
    Return,
    ReversePath,
    Ruleset,
    SetMark,
    Some,
    Translate,
    Tuples,
    Unknown,
    Verdict,
    Within,
)

Thing = TypeVar("Thing")
PORTED: Final = (6, 17, 33, 132, 136)
MARKS: Final = (0, 1, 2, 3, 0x10, 0xFFFFFFFE, 0xFFFFFFFF)
"""Values tried for a mark nobody knows."""


class TooManyWaysError(Exception):
    """More ways through the unknowns than are worth trying."""


class Fork:
    """Hands out choices, and remembers them, so that every row of choices can be tried in turn."""

    def __init__(self, script: list[int]) -> None:
        self.taken: list[tuple[int, int]] = []
        self._script = script

    def pick(self, ways: int) -> int:
        """One of `ways` choices, from 0."""
        at = len(self.taken)
        chosen = self._script[at] if at < len(self._script) else 0
        self.taken.append((chosen, ways))
        return chosen


def every_way(run: Callable[[Fork], Thing], limit: int) -> Iterator[Thing]:
    """Run for every row of choices. Raises TooManyWaysError beyond `limit` rows."""
    script: list[int] = []
    for _ in range(limit):
        fork = Fork(script)
        yield run(fork)
        script = [chosen for chosen, _ in fork.taken]
        while script and script[-1] + 1 == fork.taken[len(script) - 1][1]:
            script.pop()
        if not script:
            return
        script[-1] += 1
    raise TooManyWaysError


@dataclass
class Concrete:
    """One packet, every field a number."""

    iif: str | None
    family: Family
    source: int
    destination: int
    protocol: int
    sport: int = 40000
    dport: int = 2000
    tcp_flags: int = 2
    ttl: int = 64
    length: int = 60
    dscp: int = 0
    icmp: tuple[int, int] = (8, 0)
    told: str | None = None
    pkttype: int = 0
    oif: str | None = None
    mark: int = 0
    ctmark: int = 0
    state: str | None = None
    bound: set[str] = field(default_factory=set)
    translated: set[str] = field(default_factory=set)
    original: Concrete | None = None

    @property
    def tracked(self) -> bool:
        """Whether the packet belongs to a flow."""
        return self.state not in (None, "invalid", "untracked")

    def number(self, name: str) -> int | None:
        """A field; None where the packet has none."""
        if name.startswith("orig_"):
            if self.original is None or not self.tracked:
                return None
            return self.original.number(name.removeprefix("orig_"))
        if name in ("saddr4", "daddr4", "saddr6", "daddr6"):
            if self.family != int(name[-1]):
                return None
            return self.source if name[0] == "s" else self.destination
        if name in ("sport", "dport"):
            return getattr(self, name) if self.protocol in PORTED else None
        if name == "tcp_flags":
            return self.tcp_flags if self.protocol == 6 else None
        if name in ("icmp_type", "icmp_code"):
            return self.icmp[name == "icmp_code"] if self.protocol in (1, 58) else None
        if name == "ctmark":
            return self.ctmark if self.tracked else None
        if name == "ct_direction":
            return 0 if self.tracked else None
        number = getattr(self, name)
        assert isinstance(number, int)
        return number


@dataclass(frozen=True)
class Arrival:
    """How it ended: accept, drop or reject, and the packet as it was then."""

    verdict: str
    packet: Concrete


class Walk:
    """Takes one packet through one host, with one row of choices."""

    def __init__(self, ruleset: Ruleset, host: Host, fork: Fork) -> None:
        self.ruleset = ruleset
        self.host = host
        self.fork = fork

    # Conditions

    def holds(self, one: Condition, packet: Concrete) -> bool:
        """Whether the condition holds."""
        match one:
            case Within():
                number = packet.number(one.field)
                if number is None:
                    return False
                return ((number if one.mask is None else number & one.mask) in one.values) != one.negated
            case Interface():
                name = (packet.iif if one.side == "iif" else packet.oif) or ""
                fits = any(name.startswith(each.name) if each.prefix else name == each.name for each in one.names)
                return fits != one.negated
            case InState():
                states = {packet.state or "invalid"}
                if packet.tracked:
                    states |= packet.translated
                return bool(states & set(one.states)) != one.negated
            case AddressType():
                return self._of_type(one, packet)
            case ReversePath():
                if packet.iif is None:
                    return bool(self.fork.pick(2))
                back = packet.iif == "lo" or self._way_back(packet, one.loose)
                return back != one.negated
            case Tuples():
                numbers = [packet.number(name) for name in one.fields]
                if None in numbers:
                    return False
                fits = any(
                    all(low <= (number or 0) <= high for number, (low, high) in zip(numbers, box, strict=True))
                    for box in one.boxes
                )
                return fits != one.negated
            case Unknown():
                return bool(self.fork.pick(2))
            case Every():
                return all(self.holds(each, packet) for each in one.conditions)
            case Some():
                return any(self.holds(each, packet) for each in one.conditions)
            case Not():
                return not self.holds(one.condition, packet)

    def _of_type(self, one: AddressType, packet: Concrete) -> bool:
        interface = None
        if one.interface is not None:
            interface = packet.iif if one.interface == "iif" else packet.oif
            if interface is None:
                return bool(self.fork.pick(2))
        address = packet.source if one.side == "source" else packet.destination
        kind = self.kind(packet.family, address, interface)
        rare = set(one.kinds) - {"local", "unicast", "broadcast", "multicast"}
        if rare and kind not in one.kinds:
            return bool(self.fork.pick(2))
        return (kind in one.kinds) != one.negated

    def kind(self, family: Family, number: int, interface: str | None = None) -> AddressKind:
        """What the routing tables say of an address."""
        address = ip_address(number.to_bytes(4 if family == 4 else 16, "big"))
        own = [each for each in self.host.addresses if each.family == family and interface in (None, each.interface)]
        if any(each.address == number for each in own):
            return "local"
        if address.is_loopback and interface in (None, "lo"):
            return "local"
        if family == 4 and number in (0, 2**32 - 1):
            return "broadcast"
        if family == 4 and any(each.prefix < 31 and number == each.network.bounds[-1] - 1 for each in own):
            return "broadcast"
        return "multicast" if address.is_multicast else "unicast"

    # Routing

    def route(self, family: Family, number: int) -> str | None:
        """The interface of the longest prefix; tests give no host two routes for one prefix."""
        best: tuple[int, str | None] = (-1, None)
        for route in self.host.routes or ():
            if route.family != family:
                continue
            size = 4 if family == 4 else 16
            network = ip_network((route.network.to_bytes(size, "big"), route.prefix))
            if ip_address(number.to_bytes(size, "big")) in network and route.prefix > best[0]:
                best = (route.prefix, route.interfaces[0] if route.interfaces else None)
        return best[1]

    def _way_back(self, packet: Concrete, loose: bool) -> bool:
        way = self.route(packet.family, packet.source)
        return way is not None if loose else way == packet.iif

    def refused(self, packet: Concrete) -> bool:
        """Whether routing drops the source, whatever the rules say."""
        name, host = packet.iif, self.host
        if name is None or name == "lo":
            return False
        address = ip_address(packet.source.to_bytes(4 if packet.family == 4 else 16, "big"))
        if address.is_multicast:
            return True
        if packet.family == 6:
            return address.is_loopback
        if address.is_loopback:
            if not self._switch(name, "route_localnet"):
                return True
        elif packet.source in (0, 2**32 - 1):
            return True
        else:
            kind = self.kind(4, packet.source)
            if kind == "local" and not self._switch(name, "accept_local"):
                return True
            if kind == "broadcast":
                return True
        strict = max(int(host.sysctls.get(f"net.ipv4.conf.{each}.rp_filter", "0")) for each in (name, "all"))
        return bool(strict) and not self._way_back(packet, strict == 2)

    def _switch(self, interface: str, name: str) -> bool:
        return any(self.host.sysctls.get(f"net.ipv4.conf.{each}.{name}") == "1" for each in (interface, "all"))

    # Chains

    def chain(self, chain: Chain, packet: Concrete) -> str:
        """`fall` when it ends or returns without a verdict."""
        for rule in chain.rules:
            verdict = self._rule(chain, rule.steps, packet)
            if verdict is not None:
                return verdict
        return "fall"

    def _rule(self, chain: Chain, steps: tuple[Condition | Action, ...], packet: Concrete) -> str | None:
        for step in steps:
            if isinstance(step, Choose):
                chosen = next((action for test, action in step.branches if self.holds(test, packet)), None)
                if chosen is None:
                    return None
                step = chosen
            if isinstance(step, ACTIONS):
                verdict = self._act(chain, step, packet)
                if verdict == "rule is over":
                    return None
                if verdict is not None:
                    return verdict
            elif not self.holds(step, packet):
                return None
        return None

    def _act(self, chain: Chain, action: Action, packet: Concrete) -> str | None:
        match action:
            case Verdict():
                return action.kind
            case Return():
                return "fall"
            case Jump() | Goto():
                verdict = self.chain(self.ruleset.chains[chain.name._replace(chain=action.chain)], packet)
                return "rule is over" if verdict == "fall" and isinstance(action, Jump) else verdict
            case SetMark():
                if action.target == "mark" and action.take and not packet.tracked:
                    return "rule is over"  # There is no flow to take a mark from.
                self._mark(action, packet)
                return None
            case NoTrack():
                if packet.state in (None, "invalid"):
                    packet.state = "untracked"
                return None
            case Translate():
                return self._translate(action, packet)
            case Queue() | Opaque():
                return ("accept", "drop")[self.fork.pick(2)]
            case Choose():
                return self._rule(chain, (action,), packet)

    def _mark(self, action: SetMark, packet: Concrete) -> None:
        if not packet.tracked and action.target == "ctmark":
            return  # There is no flow to mark.
        if action.why is not None:
            value = MARKS[self.fork.pick(len(MARKS))]
        else:
            own, other = packet.mark, packet.ctmark
            if action.target == "ctmark":
                own, other = other, own
            value = (own & action.keep) ^ (other & action.take) ^ action.constant
        setattr(packet, action.target, value)

    def _one_of(self, first: int, last: int) -> int:
        values = sorted({first, (first + last) // 2, last})
        return values[self.fork.pick(len(values))] if len(values) > 1 else first

    def _translate(self, action: Translate, packet: Concrete) -> str:
        destination = action.side == "destination"
        if action.to_itself and destination:
            own = [a for a in self.host.addresses if a.family == packet.family and a.interface == packet.iif]
            if packet.iif is None:
                packet.destination = 127 << 24 | 1 if packet.family == 4 else 1
            elif not own:
                return "drop"
            else:
                packet.destination = own[0].address
        elif action.addresses is not None:
            address = self._one_of(*action.addresses)
            if destination:
                packet.destination = address
            else:
                packet.source = address
        if action.ports is not None and packet.protocol in PORTED:
            port = self._one_of(*action.ports)
            if destination:
                packet.dport = port
            else:
                packet.sport = port
        packet.translated.add("dnat" if destination else "snat")
        return "accept"

    # Hooks

    def base(self, base: BaseChain, packet: Concrete) -> str:
        """One base chain with its policy."""
        if base.devices is None and self.fork.pick(2):
            return "accept"
        verdict = self.chain(base.chain, packet)
        return base.policy if verdict == "fall" else verdict

    def hook(self, hook: Hook, packet: Concrete) -> str:
        """All that happens at one hook, in the order of priorities; equal ones in any order."""
        here = [one for one in self.ruleset.base_chains if self._meets(one, hook, packet)]
        events: dict[int, list[BaseChain | str]] = {}
        for one in here:
            if one.kind != "nat":
                events.setdefault(one.priority, []).append(one)
        early = hook in ("prerouting", "output")
        if early and packet.family in self.ruleset.tracked:
            events.setdefault(-200, []).append("track")
        nat = [one for one in here if one.kind == "nat"]
        if nat:
            events.setdefault(-100 if early else 100, []).append("nat")
        for priority in sorted(events):
            for event in self._shuffled(events[priority]):
                if event == "track":
                    self._track(packet)
                    continue
                if isinstance(event, BaseChain):
                    verdict = self.base(event, packet)
                else:
                    verdict = self._nat(nat, "destination" if early else "source", packet)
                if verdict != "accept":
                    return verdict
        return "accept"

    def _shuffled(self, things: list[Thing]) -> list[Thing]:
        if len(things) == 1:
            return things
        orders = list(permutations(things))
        return list(orders[self.fork.pick(len(orders))])

    def _meets(self, base: BaseChain, hook: Hook, packet: Concrete) -> bool:
        if base.hook != hook:
            return False
        if hook == "ingress":
            return base.devices is None or packet.iif in base.devices
        return base.chain.name.family in ("inet", "ip" if packet.family == 4 else "ip6")

    def _track(self, packet: Concrete) -> None:
        if packet.state is not None:
            return
        if packet.told is not None:
            packet.state = packet.told
        elif packet.protocol == 6:
            kind = {name for bit, name in ((1, "fin"), (2, "syn"), (4, "rst"), (16, "ack")) if packet.tcp_flags & bit}
            loose = self.host.sysctls.get("net.netfilter.nf_conntrack_tcp_loose", "1") != "0"
            packet.state = "new" if kind == {"syn"} or (kind == {"ack"} and loose) else "invalid"
        elif packet.protocol == 17:
            packet.state = "new"
        else:
            # It depends on the message, which is not looked at.
            packet.state = ("new", "invalid", "untracked")[self.fork.pick(3)]
        packet.original = replace(packet)

    def _nat(self, chains: list[BaseChain], side: str, packet: Concrete) -> str:
        if packet.state not in ("new", "related") or side in packet.bound:
            return "accept"
        for priority in sorted({one.priority for one in chains}):
            for one in self._shuffled([each for each in chains if each.priority == priority]):
                verdict = self.base(one, packet)
                if verdict != "accept":
                    return verdict
                if ("dnat" if side == "destination" else "snat") in packet.translated:
                    packet.bound.add(side)
                    return "accept"
        packet.bound.add(side)
        return "accept"

    # The whole way

    def arrive(self, packet: Concrete) -> Arrival:
        """From outside by `iif`, or from a program on the host when that is `lo`."""
        verdict = self._sent(packet) if packet.iif == "lo" else self._received(packet)
        return Arrival(verdict, packet)

    def _received(self, packet: Concrete) -> str:
        for hook in ("ingress", "prerouting"):
            verdict = self.hook(hook, packet)
            if verdict != "accept":
                return verdict
        return self._routed(packet)

    def _sent(self, packet: Concrete) -> str:
        packet.iif, packet.oif = None, "lo"
        verdict = self.hook("output", packet)
        if verdict != "accept":
            return verdict
        if self.kind(packet.family, packet.destination) != "local":
            packet.oif = self.route(packet.family, packet.destination)
            from_loopback = packet.family == 4 and packet.source >> 24 == 127
            return "drop" if packet.oif is None or from_loopback else self.hook("postrouting", packet)
        verdict = self.hook("postrouting", packet)
        if verdict != "accept":
            return verdict
        packet.iif, packet.oif = "lo", None
        packet.bound = {"source", "destination"}
        verdict = self.hook("prerouting", packet)
        return verdict if verdict != "accept" else self._routed(packet)

    def _routed(self, packet: Concrete) -> str:
        if self.refused(packet):
            return "drop"
        kind = self.kind(packet.family, packet.destination)
        if kind != "unicast":
            local_net = packet.destination >> 24 == 127 if packet.family == 4 else packet.destination == 1
            allowed = packet.family == 4 and self._switch(str(packet.iif), "route_localnet")
            if local_net and packet.iif != "lo" and not allowed:
                return "drop"
            return self.hook("input", packet)
        if packet.ttl < 2:
            return "drop"
        name = "net.ipv4.ip_forward" if packet.family == 4 else "net.ipv6.conf.all.forwarding"
        forwards = self.host.sysctls.get(name)
        if forwards == "0" or (forwards is None and self.fork.pick(2)):
            return "drop"
        packet.oif = self.route(packet.family, packet.destination)
        if packet.oif is None:
            return "drop"
        verdict = self.hook("forward", packet)
        return verdict if verdict != "accept" else self.hook("postrouting", packet)


def arrivals(ruleset: Ruleset, host: Host, packet: Concrete, limit: int = 600) -> list[Arrival]:
    """Everything that may become of the packet. Raises TooManyWaysError beyond `limit` ways."""

    def once(fork: Fork) -> Arrival:
        return Walk(ruleset, host, fork).arrive(replace(packet, bound=set(), translated=set()))

    return list(every_way(once, limit))


def possible(ruleset: Ruleset, host: Host, packet: Concrete, limit: int = 600) -> frozenset[str]:
    """The verdicts there may be."""
    return frozenset(arrival.verdict for arrival in arrivals(ruleset, host, packet, limit))
