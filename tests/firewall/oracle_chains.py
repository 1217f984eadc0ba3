"""A naive reading of chains, for one packet at a time: conditions, actions, routes.

Written from what was seen of kernels and from the words of `rule.py`. Whatever is not known is tried both ways.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Final

from tests.firewall.concrete_packet import PORTED, Concrete, Fork

from callgate.firewall.host import Host
from callgate.firewall.rule import (
    ACTIONS,
    Action,
    AddressKind,
    AddressType,
    Chain,
    Choose,
    Condition,
    Every,
    Family,
    Goto,
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

MARKS: Final = (0, 1, 2, 3, 0x10, 0xFFFFFFFE, 0xFFFFFFFF)
"""Values tried for a mark nobody knows."""


class ChainWalk:
    """Takes one packet through chains, with one row of choices."""

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
                back = packet.iif == "lo" or (self._is_others(packet) and self._way_back(packet, one.loose))
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

    def _is_others(self, packet: Concrete) -> bool:
        """Whether the source is one other host's: no broadcast, and no anycast address of this router."""
        anycast = packet.family == 6 and any(
            each.family == 6 and each.network.bounds[0] == packet.source for each in self.host.addresses
        )
        return not anycast and self.kind(packet.family, packet.source) not in ("local", "broadcast")

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
        limited = packet.destination == 2**32 - 1
        if packet.source == 2**32 - 1:
            return True
        if packet.source == 0:
            # A host without an address yet: to everybody on the link, or to a group of the link.
            return not limited and packet.destination >> 8 != 224 << 16
        if address.is_loopback and not limited and not self._switch(name, "route_localnet"):
            return True
        own = any(each.address == packet.source for each in host.addresses if each.family == 4)
        if own and not self._switch(name, "accept_local"):
            return True
        strict = max(int(host.sysctls.get(f"net.ipv4.conf.{each}.rp_filter", "0")) for each in (name, "all"))
        if strict and self.kind(4, packet.source) == "broadcast":
            return True  # Without a filter, Linux does not look.
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
