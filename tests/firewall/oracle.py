"""The naive way of one packet through a host, hook by hook: what the engine is judged by.

Written from what was seen of kernels and from the words of `rule.py`. Whatever is not known is tried both ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

from tests.firewall.concrete_packet import Concrete, Fork, Thing, every_way
from tests.firewall.oracle_chains import ChainWalk

from callgate.firewall.host import Host
from callgate.firewall.rule import BaseChain, Hook, Ruleset


@dataclass(frozen=True)
class Arrival:
    """How it ended: accept, drop or reject, and the packet as it was then."""

    verdict: str
    packet: Concrete


class Walk(ChainWalk):
    """Takes one packet through one host, with one row of choices."""

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
            if packet.iif != "lo" and packet.family == 4 and packet.destination == 0:
                return "drop"
            if packet.iif != "lo" and packet.family == 6 and packet.destination == 1:
                # Translated to ::1, it is looked for behind the ingress interface: the default route may lead there.
                strays = "dnat" in packet.translated and self.route(6, 0) == packet.iif
                return self._onward(packet, packet.iif) if strays else "drop"
            if local_net and packet.iif != "lo" and not allowed:
                return "drop"
            return self.hook("input", packet)
        return self._onward(packet, self.route(packet.family, packet.destination))

    def _onward(self, packet: Concrete, oif: str | None) -> str:
        if packet.ttl < 2 or packet.pkttype:
            return "drop"
        packet.ttl -= 1
        name = "net.ipv4.ip_forward" if packet.family == 4 else "net.ipv6.conf.all.forwarding"
        forwards = self.host.sysctls.get(name)
        if forwards == "0" or (forwards is None and self.fork.pick(2)):
            return "drop"
        packet.oif = oif
        if packet.oif is None:
            return "drop"
        back = packet.oif == packet.iif
        if packet.family == 6 and not back and (packet.source == 0 or packet.source >> 118 == 0x3FA):
            return "drop"
        if packet.family == 4 and back and self.kind(4, packet.source) == "broadcast":
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
