"""Statements, as nft 1.0.6 printed them for the rules of `nft-matches.nft` and `nft-families.nft`."""

from __future__ import annotations

import json
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.nftables.ruleset import read_nft
from callgate.firewall.rule import (
    ALWAYS,
    AddressType,
    Choose,
    Every,
    FieldName,
    Goto,
    InState,
    Interface,
    InterfaceName,
    Jump,
    NoTrack,
    Opaque,
    Queue,
    Return,
    Rule,
    Ruleset,
    SetMark,
    Step,
    Translate,
    Tuples,
    Unknown,
    Verdict,
    Within,
)

DATA = Path(__file__).parents[1] / "data" / "firewall"
ALL = 0xFFFFFFFF


@cache
def rules() -> dict[str, Rule]:
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


def one_rule(*statements: Any, family: str = "inet", others: tuple[Any, ...] = ()) -> Ruleset:
    """A ruleset of one table with the chains `c` and `d`; the statements are the only rule of `c`."""
    table = {"family": family, "table": "t"}
    entries: list[Any] = [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": family, "name": "t"}}]
    entries += others
    entries += [{"chain": {**table, "name": name}} for name in ("c", "d")]
    entries.append({"rule": {**table, "chain": "c", "expr": list(statements)}})
    return read_nft(json.dumps({"nftables": entries}), "nft.json", listing=None, filled={})


RESET = Verdict("reject", reset=True)
HIDDEN_FAMILY = Unknown("whether the rule is about one family alone: nft does not print it")


def steps_of(*statements: Any, family: str = "inet", others: tuple[Any, ...] = ()) -> tuple[Step, ...]:
    ruleset = one_rule(*statements, family=family, others=others)
    [chain] = [chain for chain in ruleset.chains.values() if chain.name.chain == "c"]
    return chain.rules[0].steps


def at(address: str, last: str | None = None) -> tuple[int, int]:
    return int(ip_address(address)), int(ip_address(last or address))


def is_in(field: FieldName, *values: int) -> Within:
    return Within(field, Intervals.of((value, value) for value in values))


V4, V6, TCP = is_in("family", 4), is_in("family", 6), is_in("protocol", 6)
PORT80 = is_in("dport", 80)
FLOW = InState(frozenset(("invalid", "untracked")), negated=True)
ACCEPT, DROP, REJECT = Verdict("accept"), Verdict("drop"), Verdict("reject")
THERE = Within("dport", NOTHING, negated=True)

STATEMENTS: dict[str, tuple[Step, ...]] = {
    "return": (Return(),),
    "jump c1": (Jump("c1"),),
    "goto c1": (Goto("c1"),),
    "ip saddr 1.2.3.4 continue": (),
    "notrack": (NoTrack(),),
    "counter": (),
    'log prefix "hello { world"': (),
    "tcp dport 22 reject": (TCP, is_in("dport", 22), REJECT),
    "reject with icmp host-unreachable": (V4, REJECT),
    "reject with icmpv6 no-route": (V6, REJECT),
    "reject with icmpx admin-prohibited": (REJECT,),
    "meta l4proto tcp reject with tcp reset": (TCP, HIDDEN_FAMILY, RESET),
    "limit rate 5/minute accept": (Unknown("limit 5/minute", at_first=True), ACCEPT),
    "limit rate over 5/minute burst 10 packets drop": (Unknown("limit over 5/minute", at_first=False), DROP),
    "limit rate 5 kbytes/second accept": (Unknown("limit 5 kbytes/second", at_first=True), ACCEPT),
    'limit name "l" accept': (Unknown("limit l"), ACCEPT),
    "quota over 10 mbytes drop": (Unknown("quota over 10 mbytes"), DROP),
    'quota name "q" drop': (Unknown("quota q"), DROP),
    "ct count over 10 accept": (Unknown("ct count over 10", at_first=False), ACCEPT),
    'ct helper set "h"': (),
    "ct zone set 5": (),
    "ct event set new": (),
    "meta nftrace set 1": (),
    "meta priority set 1:2": (),
    "tcp option maxseg size set 1400": (),
    "reset tcp option sack-perm": (),
    "ip ecn set ect1": (),
    "ip dscp set cs1": (V4, Opaque("ip dscp set")),
    "ip ttl set 5": (V4, Opaque("ip ttl set")),
    "tcp dport set 80": (TCP, Opaque("tcp dport set")),
    "ip daddr set 1.2.3.4": (V4, Opaque("ip daddr set")),
    "ether daddr set 00:11:22:33:44:55": (Opaque("ether daddr set"),),
    'synproxy name "sp"': (Opaque("synproxy"),),
    "meta l4proto tcp tproxy to :5000": (TCP, Opaque("tproxy")),
    "add @dyn { ip saddr }": (),
    "add @lst { ip saddr } accept": (V4, Unknown("set lst takes one more"), ACCEPT),
    "update @dyn { ip saddr timeout 1m limit rate 5/minute } accept": (V4, Unknown("set dyn takes one more"), ACCEPT),
    "meter mtr size 65535 { ip saddr limit rate 5/second } accept": (V4, Unknown("meter mtr"), ACCEPT),
    "meta mark set 0x00000005": (SetMark("mark", 5),),
    "meta mark set meta mark & 0x000000ff | 0x00000010": (SetMark("mark", 0x10, keep=0xEF),),
    "meta mark set meta mark ^ 0x00000010": (SetMark("mark", 0x10, keep=ALL),),
    "meta mark set meta mark & 0x000000ff": (SetMark("mark", 0, keep=0xFF),),
    "meta mark set meta mark | 0x000000ff": (SetMark("mark", 0xFF, keep=0xFFFFFF00),),
    "meta mark set ct mark": (FLOW, SetMark("mark", take=ALL)),
    "meta mark set ct mark & 0x000000ff | 0x00000001": (FLOW, SetMark("mark", 1, take=0xFE)),
    "ct mark set meta mark": (SetMark("ctmark", take=ALL),),
    "ct mark set 0x00000005": (SetMark("ctmark", 5),),
    "ct mark set ct mark | 0x00000005": (FLOW, SetMark("ctmark", 5, keep=0xFFFFFFFA)),
    "ct mark set meta mark & 0x000000ff": (SetMark("ctmark", take=0xFF),),
    "meta mark set numgen inc mod 3": (SetMark("mark", why="numgen"),),
    "meta mark set jhash ip saddr mod 3": (V4, SetMark("mark", why="jhash")),
    "meta mark set (meta mark & 0x000000ff) << 8": (SetMark("mark", why="meta mark & <<"),),
    "meta mark set ip saddr map @mm": (
        V4, Choose(((Within("saddr4", Intervals.single(*at("10.0.0.1"))), SetMark("mark", 16)),)),
    ),
    "ct mark set meta mark map { 0x00000001 : 0x00000005, * : 0x00000006 }": (
        Choose(((is_in("mark", 1), SetMark("ctmark", 5)), (ALWAYS, SetMark("ctmark", 6)))),
    ),
    "tcp dport 80 dnat ip to 10.0.0.1": (TCP, PORT80, Translate("destination", 4, at("10.0.0.1"))),
    "tcp dport 80 dnat ip to 10.0.0.1-10.0.0.5:8080-8090": (
        TCP, PORT80, Translate("destination", 4, at("10.0.0.1", "10.0.0.5"), (8080, 8090)),
    ),
    "tcp dport 80 dnat ip6 to [fd00::1]:8080": (TCP, PORT80, Translate("destination", 6, at("fd00::1"), (8080, 8080))),
    "tcp dport 80 dnat to :8080": (TCP, PORT80, Translate("destination", None, None, (8080, 8080))),
    "dnat ip prefix to 10.0.0.0/24": (Translate("destination", 4, at("10.0.0.0", "10.0.0.255")),),
    "tcp dport 80 redirect": (TCP, PORT80, Translate("destination", to_itself=True)),
    "tcp dport 80 redirect to :8080-8090 random": (
        TCP, PORT80, Translate("destination", ports=(8080, 8090), to_itself=True),
    ),
    "masquerade": (Translate("source", to_itself=True),),
    "meta l4proto tcp masquerade to :1000-2000": (TCP, Translate("source", ports=(1000, 2000), to_itself=True)),
    "snat ip to 1.2.3.4-1.2.3.9": (Translate("source", 4, at("1.2.3.4", "1.2.3.9")),),
    "dnat ip to tcp dport map @dm": (
        TCP,
        Choose((
            (PORT80, Translate("destination", 4, at("10.0.0.1"), (8080, 8080))),
            (is_in("dport", 81), Translate("destination", 4, at("10.0.0.2"), (81, 81))),
        )),
    ),
    "tcp sport 1-60000 redirect to :tcp dport map { 80 : 8080 }": (
        TCP, Within("sport", Intervals.single(1, 60000)),
        Choose(((PORT80, Translate("destination", ports=(8080, 8080), to_itself=True)),)),
    ),
    "dnat ip to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }": (
        Choose((
            (Unknown("numgen"), Translate("destination", 4, at("10.0.0.1"))),
            (ALWAYS, Translate("destination", 4, at("10.0.0.2"))),
        )),
    ),
    "tcp dport vmap @vm": (
        TCP,
        Choose((
            (is_in("dport", 22), ACCEPT), (PORT80, Jump("c1")), (is_in("dport", 81), Goto("c1")),
            (is_in("dport", 90), DROP), (is_in("dport", 91), Return()), (is_in("dport", 92), Choose(())),
        )),
    ),
    "ip saddr vmap { 1.2.3.4 : accept, * : drop }": (
        V4,
        Choose((
            (Within("saddr4", Intervals.single(*at("1.2.3.4"))), ACCEPT),
            (Within("saddr4", NOTHING, negated=True), DROP),
        )),
    ),
    "ip saddr vmap @vmd": (
        V4,
        Choose((
            (
                Every((Within("saddr4", Intervals.single(*at("1.2.3.4"))), Unknown("an element that expires"))),
                DROP,
            ),
        )),
    ),
    'iifname vmap { "eth0" : jump c1, "tun*" : drop }': (
        Choose((
            (Interface("iif", (InterfaceName("eth0"),)), Jump("c1")),
            (Interface("iif", (InterfaceName("tun", True),)), DROP),
        )),
    ),
    "ct state vmap { invalid : drop, established : accept, related : accept }": (
        Choose((
            (InState(frozenset(("invalid",))), DROP), (InState(frozenset(("established", "related"))), ACCEPT),
        )),
    ),
    "fib daddr type vmap { unicast : drop, local : accept }": (
        Choose((
            (AddressType("destination", frozenset(("unicast",))), DROP),
            (AddressType("destination", frozenset(("local",))), ACCEPT),
        )),
    ),
    "numgen inc mod 2 vmap { 0 : accept, 1 : drop }": (Choose(((Unknown("numgen"), ACCEPT), (ALWAYS, DROP))),),
    "dnat ip to jhash ip saddr . tcp dport mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }": (
        V4, TCP,
        Choose((
            (Unknown("jhash"), Translate("destination", 4, at("10.0.0.1"))),
            (Unknown("jhash"), Translate("destination", 4, at("10.0.0.2"))),
        )),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_becomes_its_steps(text: str) -> None:
    assert rules()[text].steps == STATEMENTS[text]


def test_a_map_of_concatenations_keeps_its_boxes() -> None:
    choose = rules()["ip saddr . tcp dport vmap @svcm"].steps[-1]
    assert isinstance(choose, Choose)
    boxes = [(one.fields, one.boxes, action) for one, action in choose.branches if isinstance(one, Tuples)]
    assert boxes == [
        (("saddr4", "dport"), ((at("10.0.0.0", "10.255.255.255"), (22, 22)),), ACCEPT),
        (("saddr4", "dport"), ((at("10.0.0.1"), (80, 90)),), Jump("c1")),
    ]


DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
MARK = {"meta": {"key": "mark"}}


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ({"queue": {"num": 5}}, Queue()),
        ({"queue": {"num": 5, "flags": "bypass"}}, Queue(bypass=True)),
        ({"queue": {"num": {"range": [1, 3]}, "flags": ["bypass", "fanout"]}}, Queue(bypass=True)),
        ({"queue": {"num": {"range": [1, 3]}, "flags": ["fanout"]}}, Queue()),
        ({"queue": None}, Queue()),
        ({"reject": None}, REJECT),
        ({"fwd": {"dev": "eth1"}}, Opaque("fwd")),
        ({"xt": {"type": "target", "name": "TPROXY"}}, Opaque("xt target TPROXY")),
        ({"xt": {"type": "target", "name": "REJECT"}}, REJECT),
        ({"frobnicate": {"a": 1}}, Opaque("frobnicate")),
        ({"dnat": {"addr": {"range": ["10.0.0.5", "10.0.0.1"]}}}, Opaque("dnat to 167772165-167772161")),
        ({"mangle": {"key": MARK, "value": "abc"}}, SetMark("mark", why="abc")),
        ({"mangle": {"key": MARK, "value": {"|": [MARK, {"&": [MARK, 3]}]}}}, SetMark("mark", why="meta mark |")),
        ({"mangle": {"key": MARK, "value": {"|": [{"&": [MARK, 240]}, 1, 2]}}}, SetMark("mark", 3, keep=240)),
    ],
)
def test_a_statement_nft_could_not_print_here(statement: Any, action: Step) -> None:
    assert steps_of(statement) == (action,)


def test_an_unknown_match_of_xtables_is_unknown_and_a_log_target_nothing() -> None:
    assert steps_of(
        {"xt": {"type": "match", "name": "recent"}}, {"xt": {"type": "target", "name": "LOG"}}, {"drop": None}
    ) == (Unknown("xt match recent"), DROP)


def test_a_reset_demands_tcp_even_where_the_dump_does_not() -> None:
    assert steps_of({"reject": {"type": "tcp reset"}}) == (TCP, HIDDEN_FAMILY, RESET)


def test_a_reset_hides_no_family_that_the_rule_tells() -> None:
    told = {"match": {"op": "==", "left": {"payload": {"protocol": "ip6", "field": "saddr"}}, "right": "fd00::1"}}
    assert HIDDEN_FAMILY not in steps_of(told, {"reject": {"type": "tcp reset"}})


def test_an_element_over_its_rate_is_none_at_first() -> None:
    over = {
        "val": {"payload": {"protocol": "ip", "field": "saddr"}},
        "limit": {"rate": 5, "per": "minute", "inv": True},
    }
    dynamic = {"set": {"family": "inet", "table": "t", "name": "dyn", "type": "ipv4_addr", "flags": ["dynamic"]}}
    update = {"set": {"op": "update", "elem": {"elem": over}, "set": "@dyn"}}
    taken = steps_of(update, {"drop": None}, others=(dynamic,))
    assert Unknown("set dyn takes one more", at_first=False) in taken


def test_an_ip_table_needs_no_family() -> None:
    assert steps_of({"reject": {"type": "icmp", "expr": "host-unreachable"}}, family="ip") == (REJECT,)


def test_a_continue_goes_on_where_statements_follow_the_map() -> None:
    vmap = {"vmap": {"key": DPORT, "data": {"set": [[80, {"continue": None}], [81, {"drop": None}]]}}}
    unchanged = SetMark("mark", keep=ALL)
    assert steps_of(vmap, {"accept": None}) == (
        TCP, Choose(((PORT80, unchanged), (is_in("dport", 81), DROP))), ACCEPT,
    )  # fmt: skip


def test_a_map_that_traffic_changes_decides_nothing_for_sure() -> None:
    of = {"family": "inet", "table": "t"}
    entry = {"map": {**of, "name": "m", "type": "inet_service", "map": "verdict", "flags": ["dynamic"],
                     "elem": [[80, {"accept": None}]]}}  # fmt: skip
    [_, choose] = steps_of({"vmap": {"key": DPORT, "data": "@m"}}, others=(entry,))
    assert choose == Choose(((Every((PORT80, Unknown("map m changes with traffic"))), ACCEPT),))


def test_a_translation_by_a_map_that_traffic_changes_is_opaque() -> None:
    of = {"family": "inet", "table": "t"}
    entry = {"map": {**of, "name": "m", "type": "inet_service", "map": "ipv4_addr", "flags": ["dynamic"]}}
    found = steps_of({"dnat": {"family": "ip", "addr": {"map": {"key": DPORT, "data": "@m"}}}}, others=(entry,))
    assert found == (TCP, Opaque("map m changes with traffic"))


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ({"payload": {"protocol": "ip", "field": "ttl"}}, 9, {"payload": {"protocol": "ip6", "field": "hoplimit"}}),
        ({"payload": {"protocol": "ip", "field": "dscp"}}, "ef", {"payload": {"protocol": "ip", "field": "dscp"}}),
        ({"meta": {"key": "pkttype"}}, "host", {"meta": {"key": "pkttype"}}),
    ],
)
def test_a_rewritten_field_matters_only_if_a_rule_reads_it(key: Any, value: Any, read: Any) -> None:
    rewrite = {"mangle": {"key": key, "value": value}}
    alone = one_rule(rewrite)
    assert [rule.steps for chain in alone.chains.values() for rule in chain.rules] == [()]
    assert any("left out" in note for note in alone.notes)
    matched = one_rule(rewrite, {"match": {"op": "==", "left": read, "right": 1}}, {"accept": None})
    [rule] = [rule for chain in matched.chains.values() for rule in chain.rules]
    assert any(isinstance(step, Opaque) for step in rule.steps)


def test_thousands_of_entries_become_a_branch_for_each_verdict() -> None:
    entries = [[port, {"accept": None} if port % 2 else {"jump": {"target": "d"}}] for port in range(1, 6001)]
    [_, choose] = steps_of({"vmap": {"key": DPORT, "data": {"set": entries}}})
    assert isinstance(choose, Choose)
    assert [action for _, action in choose.branches] == [ACCEPT, Jump("d")]
    assert [one.values.size for one, _ in choose.branches if isinstance(one, Within)] == [3000, 3000]
    assert THERE not in [one for one, _ in choose.branches]
