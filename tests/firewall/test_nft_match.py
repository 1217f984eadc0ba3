"""Match expressions, as nft 1.0.6 printed them for the rules of `nft-matches.nft` and `nft-families.nft`."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.nftables.ruleset import read_nft
from callgate.firewall.rule import (
    AddressType,
    Condition,
    Every,
    FieldName,
    InState,
    Interface,
    InterfaceName,
    Not,
    ReversePath,
    Rule,
    Some,
    Tuples,
    Unknown,
    Within,
)

DATA = Path(__file__).parents[1] / "data" / "firewall"


@cache
def rules() -> dict[str, Rule]:
    """The rules of both dumps by their text; where the same text stands twice, the first."""
    found: dict[str, Rule] = {}
    for name in ("nft-matches", "nft-families"):
        ruleset = read_nft(
            (DATA / f"{name}.json").read_text(), "nft.json", listing=(DATA / f"{name}.txt").read_text(), filled={}
        )
        for chain in ruleset.chains.values():
            if chain.name.family == "inet":
                for rule in chain.rules:
                    found.setdefault(rule.text, rule)
    return found


def is_in(field: FieldName, *values: int | str | tuple[int | str, int | str]) -> Within:
    pairs = []
    for value in values:
        if isinstance(value, str) and "/" in value:
            network = ip_network(value)
            pairs.append((int(network[0]), int(network[-1])))
        else:
            first, last = value if isinstance(value, tuple) else (value, value)
            pairs.append((number(first), number(last)))
    return Within(field, Intervals.of(pairs))


def number(value: int | str) -> int:
    return value if isinstance(value, int) else int(ip_address(value))


def not_in(field: FieldName, *values: int | str | tuple[int | str, int | str]) -> Within:
    return Within(field, is_in(field, *values).values, negated=True)


def flags(mask: int, value: int, negated: bool = False) -> Within:
    return Within("tcp_flags", Intervals.single(value), negated, mask)


def named(side: str, *names: str) -> Interface:
    found = tuple(InterfaceName(one.rstrip("~"), one.endswith("~")) for one in names)
    return Interface("iif" if side == "iif" else "oif", found)


def states(*names: str) -> InState:
    return InState(frozenset(names))  # type: ignore[arg-type]


V4, V6, TCP, UDP = is_in("family", 4), is_in("family", 6), is_in("protocol", 6), is_in("protocol", 17)
FLOW = InState(frozenset(("invalid", "untracked")), negated=True)
LOCAL = frozenset(("local",))

MATCHES: dict[str, tuple[Condition, ...]] = {
    "ip saddr 10.0.0.0/8": (V4, is_in("saddr4", "10.0.0.0/8")),
    "ip saddr != 10.0.0.0/8": (V4, not_in("saddr4", "10.0.0.0/8")),
    "ip saddr & 255.0.255.0 == 10.0.1.0": (V4, Within("saddr4", Intervals.single(0x0A000100), mask=0xFF00FF00)),
    "ip saddr 10.0.0.1-10.0.0.9": (V4, is_in("saddr4", ("10.0.0.1", "10.0.0.9"))),
    "ip saddr { 1.1.1.1, 2.2.2.0/24, 3.3.3.3-3.3.3.9 }": (
        V4, is_in("saddr4", "1.1.1.1", "2.2.2.0/24", ("3.3.3.3", "3.3.3.9")),
    ),
    "ip saddr != { 1.1.1.1, 2.2.2.0/24 }": (V4, not_in("saddr4", "1.1.1.1", "2.2.2.0/24")),
    "ip saddr > 10.0.0.0": (V4, is_in("saddr4", ("10.0.0.1", "255.255.255.255"))),
    "ip saddr 0.0.0.0/0": (V4, is_in("saddr4", "0.0.0.0/0")),
    "ip6 saddr fd00::/8": (V6, is_in("saddr6", "fd00::/8")),
    "ip6 saddr & ::ffff == ::1": (V6, Within("saddr6", Intervals.single(1), mask=0xFFFF)),
    "tcp dport 22": (TCP, is_in("dport", 22)),
    "tcp dport { 22, 2000-2010, 5060 }": (TCP, is_in("dport", 22, (2000, 2010), 5060)),
    "tcp dport != 22": (TCP, not_in("dport", 22)),
    'tcp dport != { 22 comment "hm", 23 }': (TCP, not_in("dport", 22, 23)),
    "tcp dport >= 1024": (TCP, is_in("dport", (1024, 65535))),
    "th dport 53": (is_in("dport", 53),),
    "th sport 5": (is_in("sport", 5),),
    "udp dport 53": (UDP, is_in("dport", 53)),
    "sctp dport 22": (is_in("protocol", 132), is_in("dport", 22)),
    "dccp dport 22": (is_in("protocol", 33), is_in("dport", 22)),
    "udplite dport 22": (is_in("protocol", 136), is_in("dport", 22)),
    "tcp flags syn": (TCP, flags(2, 0, negated=True)),
    "tcp flags == syn": (TCP, is_in("tcp_flags", 2)),
    "tcp flags != syn": (TCP, not_in("tcp_flags", 2)),
    "tcp flags syn,ack": (TCP, flags(0x12, 0, negated=True)),
    "tcp flags syn / fin,syn,rst,ack": (TCP, flags(0x17, 2)),
    "tcp flags != syn / fin,syn,rst,ack": (TCP, flags(0x17, 2, negated=True)),
    "tcp flags ! syn,rst": (TCP, flags(6, 0)),
    "tcp flags { syn | ack, syn }": (TCP, is_in("tcp_flags", 2, 0x12)),
    "tcp flags & (syn | ack) == { syn, ack }": (TCP, Within("tcp_flags", Intervals.of([(2, 2), (16, 16)]), mask=0x12)),
    "tcp flags 0x0": (TCP, flags(0, 0, negated=True)),
    "icmp type echo-request": (V4, is_in("protocol", 1), is_in("icmp_type", 8)),
    "icmp code port-unreachable": (V4, is_in("protocol", 1), is_in("icmp_code", 3)),
    "icmpv6 type { echo-request, nd-neighbor-solicit }": (V6, is_in("protocol", 58), is_in("icmp_type", 128, 135)),
    "icmpv6 code no-route": (V6, is_in("protocol", 58), is_in("icmp_code", 0)),
    "icmp type . icmp code { destination-unreachable . frag-needed }": (
        V4, is_in("protocol", 1), Tuples(("icmp_type", "icmp_code"), (((3, 3), (4, 4)),)),
    ),
    "ip protocol { tcp, udp, sctp }": (V4, is_in("protocol", 6, 17, 132)),
    "ip protocol { icmp, gre, esp }": (V4, is_in("protocol", 1, 47, 50)),
    "ip6 nexthdr { tcp, ipv6-icmp }": (V6, is_in("nexthdr", 6, 58)),
    "ip ttl < 5": (V4, is_in("ttl", (0, 4))),
    "ip length 20-100": (V4, is_in("length", (20, 100))),
    "ip6 length 100": (V6, is_in("length", 140)),
    "ip dscp { cs1, af11 }": (V4, is_in("dscp", 8, 10)),
    "ip6 dscp ef": (V6, is_in("dscp", 46)),
    "ip6 hoplimit 255": (V6, is_in("ttl", 255)),
    "ip version 4": (V4, Unknown("ip version")),
    "ip frag-off & 8191 != 0": (V4, Unknown("ip frag-off under a mask")),
    "meta l4proto { tcp, udp, ah, ipv6-icmp }": (is_in("protocol", 6, 17, 51, 58),),
    "meta l4proto != tcp": (not_in("protocol", 6),),
    "meta l4proto 6-17": (is_in("protocol", (6, 17)),),
    "meta nfproto ipv4": (V4,),
    "meta nfproto { ipv4, ipv6 }": (is_in("family", 4, 6),),
    "meta protocol ip": (V4,),
    "meta protocol != ip": (not_in("family", 4),),
    "meta protocol 8021q": (is_in("family"),),
    "meta protocol 0x1234": (is_in("family"),),
    "ether type ip": (Unknown("the Ethernet header"), V4),
    "ether saddr 00:11:22:33:44:55": (Unknown("ether saddr"),),
    "vlan id 5": (Unknown("vlan id"),),
    'iif "lo"': (named("iif", "lo"),),
    'iif != "lo"': (Interface("iif", (InterfaceName("lo"),), negated=True),),
    "iif 5": (named("iif", "5"),),
    'iifname "eth*"': (named("iif", "eth~"),),
    'iifname "eth\\*"': (named("iif", "eth*"),),
    'iifname { "eth0", "tun*" }': (named("iif", "eth0", "tun~"),),
    'iifname != { "eth0", "tun0" }': (Interface("iif", (InterfaceName("eth0"), InterfaceName("tun0")), negated=True),),
    "iifgroup 5": (Unknown("meta iifgroup"),),
    "meta mark 0x00000001-0x00000005": (is_in("mark", (1, 5)),),
    "meta mark > 0x00000005": (is_in("mark", (6, 0xFFFFFFFF)),),
    "meta mark & 0x000000ff != 0x00000010": (Within("mark", Intervals.single(16), negated=True, mask=0xFF),),
    "meta mark | 0x00000001 == 0x00000003": (Unknown("meta mark |"),),
    "ct mark & 0x00000005 == 0x00000004": (FLOW, Within("ctmark", Intervals.single(4), mask=5)),
    "meta mark . ct mark { 0x00000001 . 0x00000002 }": (FLOW, Tuples(("mark", "ctmark"), (((1, 1), (2, 2)),))),
    "meta pkttype { host, multicast }": (is_in("pkttype", 0, 2),),
    "meta pkttype != host": (not_in("pkttype", 0),),
    "meta length > 1000": (is_in("length", (1001, 0xFFFFFFFF)),),
    "meta skuid 1000": (Unknown("meta skuid"),),
    'meta hour "10:00"-"12:00"': (Unknown("meta hour"),),
    "ct state established,related": (states("established", "related"),),
    "ct state == new": (states("new"),),
    "ct state != new": (states("invalid", "established", "related", "untracked"),),
    "ct state != established | related": (states("invalid", "established", "related", "new", "untracked"),),
    "ct state != { established, new }": (InState(frozenset(("established", "new")), negated=True),),
    "ct state & new == new": (states("new"),),
    "ct state 0x10,untracked": (states("untracked"),),
    "ct status dnat": (FLOW, states("dnat")),
    "ct status snat,dnat": (FLOW, states("snat", "dnat")),
    "ct status & dnat == dnat": (FLOW, states("dnat")),
    "ct status != dnat": (FLOW, Unknown("ct status as a whole")),
    "ct status assured,dnat": (FLOW, Some((states("dnat"), Unknown("a bit of ct status")))),
    "ct direction reply": (FLOW, is_in("ct_direction", 1)),
    "ct original ip saddr 10.0.0.0/8": (FLOW, is_in("orig_saddr4", "10.0.0.0/8")),
    "ct original ip6 saddr fd00::/8": (FLOW, is_in("orig_saddr6", "fd00::/8")),
    "ct reply ip saddr 10.0.0.1": (FLOW, Unknown("ct reply ip saddr")),
    "ct protocol tcp": (FLOW, is_in("orig_protocol", 6)),
    "ct l3proto ipv4": (FLOW, V4),
    "tcp dport 5 ct original proto-dst 22": (TCP, is_in("dport", 5), FLOW, is_in("orig_dport", 22)),
    "meta l4proto tcp ct original proto-dst { 0x16 [invalid type], 0x1e [invalid type]-0x28 [invalid type] }": (
        TCP, FLOW, is_in("orig_dport", 22, (30, 40)),
    ),
    'ct helper "sip"': (FLOW, Unknown("ct helper")),
    "ct zone 1": (FLOW, Unknown("ct zone")),
    "fib daddr type local": (AddressType("destination", LOCAL),),  # type: ignore[arg-type]
    "fib daddr type != local": (AddressType("destination", LOCAL, negated=True),),  # type: ignore[arg-type]
    "fib saddr type local": (AddressType("source", LOCAL),),  # type: ignore[arg-type]
    "fib daddr . iif type local": (AddressType("destination", LOCAL, interface="iif"),),  # type: ignore[arg-type]
    "fib saddr . iif oif exists": (ReversePath(),),
    "fib saddr . iif oif != 0": (ReversePath(),),
    'fib saddr . iif oif "lo"': (Unknown("fib oif lo"),),
    "jhash ip saddr mod 2 0": (V4, Unknown("jhash")),
    "numgen inc mod 2 0": (Unknown("numgen", "either"),),
    "tcp option maxseg size 5": (Unknown("tcp option maxseg"),),
    "@th,32,16 0x5": (Unknown("@th,32,16"),),
    "dccp type request": (is_in("protocol", 33), Unknown("dccp type")),
    "ip saddr @v4": (V4, is_in("saddr4", ("1.2.3.4", "1.2.3.9"), "5.6.7.8", "10.0.0.0/8")),
    "ip6 saddr @v6": (V6, is_in("saddr6", "::1", ("2001:db8::", "2001:db8::5"), "fd00::/8")),
    "ip saddr @am": (V4, is_in("saddr4", "10.0.0.0/24")),
    "tcp dport @svc": (TCP, Within("dport", NOTHING, negated=True)),
    "ip saddr @dyn": (V4, Unknown("set dyn changes with traffic")),
    "ip saddr @lst": (V4, Unknown("set lst changes with traffic")),
    "ip saddr @lim": (V4, Every((is_in("saddr4", "1.1.1.1"), Unknown("an element with limit")))),
    "ip saddr @to": (
        V4,
        Some((is_in("saddr4", "10.1.1.2"), Every((is_in("saddr4", "10.1.1.1"), Unknown("an element that expires"))))),
    ),
    "ct state @st": (states("established", "new"),),
    "meta l4proto @pt": (is_in("protocol", 6, 51),),
    "ether saddr != @eth": (Unknown("ether saddr"),),
    "ip saddr . tcp dport { 10.0.0.1 . 22, 10.0.0.0/8 . 100-200 }": (
        V4, TCP,
        Tuples(("saddr4", "dport"), (
            ((number("10.0.0.1"),) * 2, (22, 22)), ((number("10.0.0.0"), number("10.255.255.255")), (100, 200)),
        )),
    ),
    "ip saddr . tcp dport != { 10.0.0.1 . 22 }": (
        V4, TCP, Tuples(("saddr4", "dport"), (((number("10.0.0.1"),) * 2, (22, 22)),), negated=True),
    ),
    "ip saddr & 255.255.255.0 . tcp dport { 1.2.3.0 . 22 }": (
        V4, TCP,
        Every((Within("saddr4", Intervals.single(number("1.2.3.0")), mask=0xFFFFFF00), is_in("dport", 22))),
    ),
    'iifname . ct state { "eth0" . new }': (Every((named("iif", "eth0"), states("new"))),),
    "iifname . ip saddr @pre": (
        V4,
        Some((
            Every((named("iif", "eth~"), is_in("saddr4", "1.2.3.4"))),
            Every((named("iif", "tun0"), is_in("saddr4", "2.0.0.0/8"))),
        )),
    ),
    "iifname . ip saddr != @ci": (
        V4,
        Every((
            Within("saddr4", NOTHING, negated=True),
            Not(Some((
                Every((named("iif", "eth0"), is_in("saddr4", "1.2.3.4"))),
                Every((named("iif", "eth1"), is_in("saddr4", "1.2.3.5"))),
            ))),
        )),
    ),
}  # fmt: skip


def same(one: object, other: object) -> bool:
    """Equality that looks into Tuples, which compare by identity."""
    if isinstance(one, Tuples) and isinstance(other, Tuples):
        return (one.fields, one.boxes, one.negated) == (other.fields, other.boxes, other.negated)
    return one == other


@pytest.mark.parametrize("text", MATCHES)
def test_a_match_becomes_its_conditions(text: str) -> None:
    steps = rules()[f"{text} accept"].steps
    expected = MATCHES[text]
    assert len(steps) == len(expected) + 1, steps
    assert all(same(step, condition) for step, condition in zip(steps, expected, strict=False)), steps


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("fib saddr . iif oif missing", ReversePath(negated=True)),
        ("fib saddr . iif oif 0", ReversePath(negated=True)),
        ("fib saddr oif missing", ReversePath(loose=True, negated=True)),
        ("fib saddr . mark . iif oif missing", ReversePath(negated=True)),
        (
            "fib daddr . iif type != { local, broadcast }",
            AddressType("destination", frozenset(("local", "broadcast")), negated=True, interface="iif"),
        ),
    ],
)
def test_a_reverse_path_filter_drops(text: str, condition: Condition) -> None:
    assert rules()[f"{text} drop"].steps[:-1] == (condition,)


def test_an_empty_set_under_not_holds_for_the_whole_family() -> None:
    assert rules()["ip saddr != @empty drop"].steps[:-1] == (V4, Within("saddr4", NOTHING, negated=True))


def test_equal_conditions_of_different_rules_are_one_object() -> None:
    one, other = rules()["tcp dport 22 accept"].steps, rules()["tcp dport 22 reject"].steps
    assert one[0] is other[0]
    assert one[1] is other[1]
