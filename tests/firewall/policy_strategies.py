"""Small hosts, rulesets and packets that meet often, for judging the engine.

Each is grown from a seed: drawing every rule of its own from hypothesis takes a hundred times as long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal, TypeVar

from hypothesis import strategies as st
from tests.firewall.concrete_packet import Concrete

from callgate.firewall.host import Host, HostRoute, LinkAddress
from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import (
    Action,
    AddressKind,
    AddressType,
    BaseChain,
    Chain,
    ChainName,
    Choose,
    Condition,
    Every,
    Family,
    FieldName,
    Goto,
    Hook,
    InState,
    Interface,
    InterfaceName,
    Jump,
    Kind,
    Not,
    NoTrack,
    Opaque,
    Queue,
    Return,
    ReversePath,
    Rule,
    Ruleset,
    SetMark,
    Some,
    State,
    Step,
    Translate,
    Tuples,
    Unknown,
    Verdict,
    Within,
)

Thing = TypeVar("Thing")
Side = Literal["source", "destination"]
Mark = Literal["mark", "ctmark"]
TableFamily = Literal["ip", "ip6", "inet", "netdev", "bridge", "arp"]


def ipv4(text: str) -> int:
    """An address as a number."""
    return int.from_bytes(bytes(int(part) for part in text.split(".")), "big")


V6: Final = 0x20010DB8 << 96
OWN4, INNER4 = ipv4("198.51.100.10"), ipv4("192.168.50.1")
OWN6, INNER6 = V6 | 10, 0xFD00 << 112 | 1
ADDRESSES: Final[dict[int, tuple[int, ...]]] = {
    4: (
        *map(ipv4, ("0.0.0.0", "10.0.0.5", "127.0.0.1", "172.17.0.2", "192.168.50.0", "192.168.50.7")),
        INNER4,
        *map(ipv4, ("192.168.50.255", "198.51.100.1", "203.0.113.5", "203.0.113.9", "224.0.0.5", "255.255.255.255")),
        OWN4,
    ),
    6: (0, 1, V6, OWN6, V6 | 11, V6 | 0xFFFF, 0xFD00 << 112, INNER6, 0xFD00 << 112 | 7, 0xFF02 << 112 | 1, 2**128 - 1),
}
TARGETS: Final[dict[int, tuple[int, ...]]] = {
    4: (OWN4, INNER4, *map(ipv4, ("127.0.0.1", "172.17.0.2", "203.0.113.9"))),
    6: (OWN6, INNER6, V6 | 11),
}
PORTS: Final = (0, 53, 2000, 2001, 5060, 8080, 40000, 65535)
SYSCTLS: Final = {
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.eth0.rp_filter": "0",
    "net.ipv4.conf.eth1.rp_filter": "0",
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
}


def host_of(sysctls: Mapping[str, str] | None = None) -> Host:
    """Two Ethernet interfaces, a container bridge, a default route."""
    link = [
        ("lo", 4, ipv4("127.0.0.1"), 8), ("lo", 6, 1, 128),
        ("eth0", 4, OWN4, 24), ("eth0", 6, OWN6, 64),
        ("eth1", 4, INNER4, 24), ("eth1", 6, INNER6, 64),
        ("docker0", 4, ipv4("172.17.0.1"), 16), ("docker0", 6, 0xFD01 << 112 | 1, 64),
    ]  # fmt: skip
    routes = [
        (4, 0, 0, "eth0"), (4, ipv4("198.51.100.0"), 24, "eth0"), (4, ipv4("192.168.50.0"), 24, "eth1"),
        (4, ipv4("172.17.0.0"), 16, "docker0"),
        (6, 0, 0, "eth0"), (6, V6, 64, "eth0"), (6, 0xFD00 << 112, 64, "eth1"),
        (6, 0xFD01 << 112, 64, "docker0"),
    ]  # fmt: skip
    return Host(
        tuple(LinkAddress(name, family, number, prefix) for name, family, number, prefix in link),  # type: ignore[arg-type]
        tuple(HostRoute(family, net, prefix, (name,)) for family, net, prefix, name in routes),  # type: ignore[arg-type]
        ("lo", "eth0", "eth1", "docker0"),
        sysctls={**SYSCTLS, **(sysctls or {})},
    )


@dataclass(frozen=True)
class Taste:
    """What a ruleset may hold."""

    doubt: bool = True
    """Unknown conditions, queues, opaque actions, fields that `trace` does not tell."""
    translates: bool = True
    marks: bool = True
    masks: bool = True


def _pool(field: FieldName) -> tuple[int, ...]:
    if "addr" in field:
        return ADDRESSES[int(field[-1])]
    pools: dict[str, tuple[int, ...]] = {
        "family": (4, 6), "protocol": (6, 17, 1, 58, 132), "tcp_flags": (0, 2, 16, 18, 255), "icmp_type": (0, 8, 255),
        "icmp_code": (0, 1), "ttl": (0, 1, 63, 64, 255), "length": (0, 60, 1500), "dscp": (0, 46), "pkttype": (0, 1, 3),
        "ct_direction": (0, 1), "orig_protocol": (6, 17),
    }  # fmt: skip
    return (0, 1, 2, 3, 0xFFFFFFFE, 0xFFFFFFFF) if "mark" in field else pools.get(field, PORTS)


EXACT: Final[tuple[FieldName, ...]] = (
    "family", "protocol", "saddr4", "saddr4", "saddr6", "daddr4", "daddr6", "sport", "dport", "dport", "tcp_flags",
    "ttl", "pkttype", "orig_saddr4", "orig_daddr4", "orig_daddr6", "orig_dport", "orig_sport", "ct_direction",
)  # fmt: skip
UNTOLD: Final[tuple[FieldName, ...]] = ("length", "dscp", "icmp_type", "icmp_code")
MARKS: Final[tuple[FieldName, ...]] = ("mark", "mark", "mark", "ctmark")
MASKS: Final = (1, 2, 0xFE, 0xFF, 0xFFFF, 0xFFFFFF00, 0xFF0000FF, 0x80000001, 0)
TUPLES: Final[tuple[tuple[FieldName, ...], ...]] = (
    ("saddr4", "dport"), ("daddr4", "dport"), ("saddr6", "sport"), ("saddr4", "daddr4", "protocol"), ("mark", "saddr4"),
)  # fmt: skip
NAMES: Final = (InterfaceName("eth0"), InterfaceName("eth1"), InterfaceName("eth", True), InterfaceName("", True))
STATES: Final[tuple[State, ...]] = ("invalid", "new", "established", "related", "untracked", "snat", "dnat")
KINDS: Final[tuple[AddressKind, ...]] = ("local", "unicast", "broadcast", "multicast")
ENDINGS: Final[tuple[Action, ...]] = (
    Verdict("accept"),
    Verdict("accept"),
    Verdict("drop"),
    Verdict("reject"),
    Return(),
)
HOOKS: Final[tuple[Hook, ...]] = (
    "ingress", "prerouting", "prerouting", "input", "input", "input", "forward", "output", "postrouting",
)  # fmt: skip
NAT_HOOKS: Final[tuple[Hook, ...]] = ("prerouting", "prerouting", "input", "postrouting", "output")
PRIORITIES: Final[dict[Hook, tuple[int, ...]]] = {
    "prerouting": (-300, -150, -150, 0), "output": (-300, -150, 0), "input": (-150, 0, 0, 0, 150), "forward": (-150, 0),
    "postrouting": (-150, 0, 150), "ingress": (0, 10),
}  # fmt: skip


class Garden:
    """Grows one ruleset from a seed."""

    def __init__(self, seed: int, taste: Taste) -> None:
        self._random = Random(seed)
        self._taste = taste

    def _one(self, things: Sequence[Thing]) -> Thing:
        return self._random.choice(things)

    def _some(self, things: Sequence[Thing], most: int, least: int = 0) -> list[Thing]:
        return [self._one(things) for _ in range(self._random.randint(least, most))]

    def _odds(self, of: int) -> bool:
        return self._random.randrange(of) == 0

    def _span(self, pool: Sequence[int]) -> tuple[int, int]:
        one = self._one(pool)
        other = one if self._odds(2) else self._one(pool)
        return min(one, other), max(one, other)

    def within(self) -> Within:
        """A look at one field."""
        fields = EXACT + (UNTOLD if self._taste.doubt else ()) + (MARKS if self._taste.marks else ())
        field = self._one(fields)
        pool = _pool(field)
        spans = [self._span(pool) for _ in range(self._one((0, 1, 1, 1, 2, 3)))]
        mask = None
        if self._taste.masks and self._odds(4):
            mask = self._one(MASKS)
            if "saddr" in field and not self._taste.doubt:
                mask = self._one((0xFFFFFF00, 0xFFFFF00F)) | ((2**128 - 2**32) if field.endswith("6") else 0)
            elif field.endswith("6"):
                mask |= self._one((0, 0xFFFFFFFF << 96))
            spans = [(first & mask, first & mask) for first, _ in spans]
        return Within(field, Intervals.of(spans), self._odds(3), mask)

    def _tuples(self) -> Tuples:
        fields = self._one(TUPLES if self._taste.marks else TUPLES[:-1])
        boxes = [tuple(self._span(_pool(field)) for field in fields) for _ in range(self._random.randint(0, 3))]
        return Tuples(fields, tuple(boxes), self._odds(3))

    def _plain(self) -> Condition:
        kind = self._random.randrange(13 if self._taste.doubt else 10)
        negated = self._odds(3)
        if kind < 6:
            return self.within()
        if kind == 6:
            return self._tuples()
        if kind == 7:
            return Interface(self._one(("iif", "iif", "oif")), tuple(self._some(NAMES, 2)), negated)
        if kind == 8:
            return InState(frozenset(self._some(STATES, 3)), negated)
        if kind == 9:
            return AddressType(self._one(("source", "destination")), frozenset(self._some(KINDS, 2)), negated)
        if kind == 10:
            return Unknown("limit")
        if kind == 11:
            return AddressType("source", frozenset({"local"}), negated, self._one(("iif", "oif")))
        return ReversePath(self._odds(2), negated)

    def condition(self) -> Condition:
        """A plain condition, or several joined."""
        kind = self._random.randrange(8)
        if kind == 0:
            return Every(tuple(self.condition() for _ in range(self._random.randint(0, 2))))
        if kind == 1:
            return Some(tuple(self.condition() for _ in range(self._random.randint(0, 3))))
        return Not(self.condition()) if kind == 2 else self._plain()

    def _set_mark(self) -> SetMark:
        bits = (0, 0, 0xFFFFFFFF, 0xFE, 1)
        why = "a program" if self._taste.doubt and self._odds(5) else None
        targets: tuple[Mark, ...] = ("mark", "mark", "ctmark")
        return SetMark(self._one(targets), self._one((0, 1, 2, 3, 0xFFFFFFFF)), self._one(bits), self._one(bits), why)

    def _translate(self, side: Side, family: Family) -> Translate:
        doubt = self._taste.doubt
        ports = self._one((None, (2000, 2000), (5060, 5060), (2000, 2001) if doubt else (53, 53)))
        if side == "destination" and self._odds(2):
            return Translate("destination", None, None, ports, True)
        address = self._one(TARGETS[family])
        last = address + self._one((0, 1)) if doubt and side == "destination" else address
        return Translate(side, family, (address, last), ports if side == "destination" else None)

    def _action(self, targets: Sequence[str], side: Side | None, family: Family) -> Action:
        kind = self._random.randrange(12)
        if kind < 3 and side is not None:
            return self._translate(side, family)
        if kind < 5 and targets:
            target = self._one(targets)
            return Goto(target) if self._odds(3) else Jump(target)
        if kind < 7 and self._taste.marks:
            return self._set_mark()
        if kind == 7:
            return NoTrack()
        if kind == 8 and self._taste.doubt:
            queues: tuple[Action, ...] = (Queue(), Queue(True), Opaque("TARPIT"))
            return self._one(queues)
        return self._one(ENDINGS)

    def _rule(self, name: ChainName, position: int, targets: Sequence[str], side: Side | None) -> Rule:
        steps: list[Step] = [self.condition() for _ in range(self._random.randint(0, 2))]
        family: Family = 6 if name.family == "ip6" else 4
        if side is not None and name.family == "inet":
            steps.insert(0, Within("family", Intervals.single(4)))
        if self._odds(6):
            branches = [(self.condition(), self._action(targets, side, family)) for _ in range(self._one((1, 2, 3)))]
            steps.append(Choose(tuple(branches)))
        else:
            steps.append(self._action(targets, side, family))
        if isinstance(steps[-1], (SetMark, NoTrack, Choose)) and self._odds(2):
            steps.append(self._action(targets, side, family))
        return Rule(tuple(steps), f"rule {position} of {name.chain}", name, position)

    def ruleset(self) -> Ruleset:
        """Up to four tables of one base chain each."""
        chains: dict[ChainName, Chain] = {}
        bases = [self._table(number, chains) for number in range(self._random.randint(1, 4))]
        tracked: tuple[Family, ...] = self._one(((4, 6), (4, 6), (4,), ()))
        return Ruleset(tuple(bases), chains, frozenset(tracked))

    def _table(self, number: int, chains: dict[ChainName, Chain]) -> BaseChain:
        families: tuple[TableFamily, ...] = ("ip", "ip", "ip6", "inet", "inet", "netdev")
        family = self._one(families)
        nat = self._odds(3) and self._taste.translates and family != "netdev"
        hook = self._one(NAT_HOOKS if nat else HOOKS[1:])
        if family == "netdev":
            hook = "ingress"
        side: Side | None = None
        if nat:
            side = "destination" if hook in ("prerouting", "output") else "source"
        users = tuple(f"user{each}" for each in range(self._random.randint(0, 3)))
        for at, short in enumerate(("base", *users)):
            name = ChainName("nft", family, f"table{number}", short)
            many = self._random.randint(0 if at else 1, 4)
            chains[name] = Chain(name, tuple(self._rule(name, n, users[at:], side) for n in range(1, many + 1)))
        devices: tuple[str, ...] | None = ()
        if hook == "ingress":
            told: tuple[tuple[str, ...], ...] = (("eth0",), ("eth1",), ("eth0", "eth1"))
            devices = None if self._taste.doubt and self._odds(4) else self._one(told)
        base = chains[ChainName("nft", family, f"table{number}", "base")]
        priority = self._one((-100, -101) if nat else PRIORITIES[hook])
        policy: Kind = self._one(("accept", "accept", "drop"))
        return BaseChain(base, hook, priority, "nat" if nat else "filter", policy, devices)

    def packet(self, family: Family | None = None) -> Concrete:
        """A packet near what the rules look for."""
        mixed: tuple[Family, ...] = (4, 4, 4, 6)
        chosen: Family = family if family is not None else self._one(mixed)
        pool = ADDRESSES[chosen]

        def near(numbers: Sequence[int], last: int) -> int:
            return min(max(self._one(numbers) + self._one((0, 0, 0, 1, -1)), 0), last)

        own = TARGETS[chosen][:2]
        iif = self._one(("eth0", "eth0", "eth1", "docker0", "lo"))
        protocol = self._one((6, 6, 17, 1 if chosen == 4 else 58, 132) if self._taste.doubt else (6, 6, 17))
        packet = Concrete(
            iif,
            chosen,
            near(pool, max(pool)),
            self._one(own) if iif == "lo" or self._odds(2) else near(pool, max(pool)),
            protocol,
            near(PORTS, 65535),
            near(PORTS, 65535),
            self._one((2, 2, 2, 16, 18, 0, 0x29)) if protocol == 6 else 2,
            self._one((64, 64, 1, 255)),
            self._one((60, 1500)),
            self._one((0, 46)),
        )
        if chosen == 4 and packet.destination == 2**32 - 1 and packet.source >> 24 == 127:
            packet.source = ipv4("203.0.113.5")  # What kernels make of that pair hangs on more than is modelled.
        return packet

    def host(self) -> Host:
        """The small host under other kernel parameters."""
        forward = self._one("110")
        told: dict[str, Any] = {
            "net.ipv4.conf.eth0.rp_filter": self._one("0012"),
            "net.ipv4.conf.all.rp_filter": self._one("0002"),
            "net.ipv4.conf.eth1.route_localnet": self._one("01"),
            "net.ipv4.conf.all.accept_local": self._one("0001"),
            "net.ipv4.ip_forward": forward,
            "net.ipv6.conf.all.forwarding": forward,
        }
        return host_of(told)


def gardens(taste: Taste = Taste()) -> st.SearchStrategy[Garden]:
    """Seeds to grow rulesets, hosts and packets from."""
    return st.integers(0, 2**48).map(lambda seed: Garden(seed, taste))
