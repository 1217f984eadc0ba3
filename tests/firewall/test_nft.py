"""The structure of `nft -j list ruleset`: tables, chains, hooks, what other dumps add, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from callgate.errors import EvidenceError
from callgate.firewall.intervals import Intervals
from callgate.firewall.nftables.ruleset import read_nft
from callgate.firewall.rule import (
    BaseChain,
    Chain,
    ChainName,
    Jump,
    Opaque,
    Rule,
    Ruleset,
    Step,
    Unknown,
    Verdict,
    Within,
)

DATA = Path(__file__).parents[1] / "data" / "firewall"
META = {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}
ACCEPT = {"accept": None}


def table(name: str = "t", family: str = "inet", **more: Any) -> Any:
    return {"table": {"family": family, "name": name, **more}}


def chain(name: str, family: str = "inet", within: str = "t", **more: Any) -> Any:
    return {"chain": {"family": family, "table": within, "name": name, **more}}


def rule(name: str, *expressions: Any, family: str = "inet", within: str = "t") -> Any:
    return {"rule": {"family": family, "table": within, "chain": name, "expr": list(expressions)}}


def hooked(name: str = "c", family: str = "inet", **more: Any) -> Any:
    return chain(name, family, **{"type": "filter", "hook": "input", "prio": 0, "policy": "drop", **more})


def read(*entries: Any, listing: str | None = None, filled: Mapping[ChainName, Chain] | None = None) -> Ruleset:
    return read_nft(json.dumps({"nftables": [META, *entries]}), "nft.json", listing=listing, filled=filled or {})


def families() -> Ruleset:
    text, listing = (DATA / "nft-families.json").read_text(), (DATA / "nft-families.txt").read_text()
    return read_nft(text, "nft.json", listing=listing, filled={})


def described(base: BaseChain) -> tuple[object, ...]:
    return (str(base.chain.name), base.hook, base.priority, base.kind, base.policy, base.devices)


def test_base_chains_stand_where_the_kernel_enters_them() -> None:
    assert [described(base) for base in families().base_chains] == [
        ("inet maps p", "prerouting", -100, "nat", "accept", ()),
        ("inet maps s", "postrouting", 100, "nat", "accept", ()),
        ("inet maps o", "prerouting", -300, "filter", "accept", ()),
        ("netdev wire a", "ingress", 0, "filter", "accept", ("eth0",)),
        ("netdev wire b", "ingress", 5, "filter", "drop", ("eth0", "lo")),
        ("inet door a", "ingress", 0, "filter", "accept", ("eth0",)),
        ("ip commented a", "input", 5, "filter", "accept", ()),
        ("ip commented nat", "prerouting", -100, "nat", "accept", ()),
        ("bridge switch a", "input", 0, "filter", "accept", ()),
    ]


def test_egress_and_dormant_chains_are_kept_without_a_hook_and_arp_tables_are_not() -> None:
    names = {str(name) for name in families().chains}
    assert {"netdev wire e", "ip asleep a", "inet maps s2"} <= names
    assert not any(name.startswith("arp") for name in names)


def test_a_chain_without_policy_accepts() -> None:
    [base] = read(table(), chain("c", type="filter", hook="input", prio=0)).base_chains
    assert base.policy == "accept"


@pytest.mark.parametrize(
    ("more", "devices"),
    [({"dev": "eth0"}, ("eth0",)), ({"dev": ["eth0", "eth1"]}, ("eth0", "eth1")), ({}, None)],
)
def test_ingress_devices_come_from_the_json_where_it_has_them(
    more: dict[str, Any], devices: tuple[str, ...] | None
) -> None:
    [base] = read(table(family="netdev"), hooked(family="netdev", hook="ingress", **more)).base_chains
    assert base.devices == devices


def test_a_rule_is_named_by_its_line_in_the_listing_or_else_by_its_json() -> None:
    listing = 'table inet t {\n\tchain c {\n\t\ttcp dport { 1,\n\t\t\t2 } accept comment "{"\n\t}\n}\n'
    sets = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [1, 2]}}}
    entries = (table(), chain("c"), rule("c", sets, ACCEPT))
    [found] = read(*entries, listing=listing).chains[ChainName("nft", "inet", "t", "c")].rules
    assert (found.text, found.position) == ('tcp dport { 1, 2 } accept comment "{"', 1)
    two = read(*entries, rule("c", ACCEPT), listing=listing).chains[ChainName("nft", "inet", "t", "c")].rules
    assert [one.text for one in two][1] == '[{"accept":null}]'


def test_a_long_rule_without_listing_is_cut() -> None:
    sets = {"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": {"set": list(range(500))}}}
    [found] = read(table(), chain("c"), rule("c", sets, ACCEPT)).chains[ChainName("nft", "inet", "t", "c")].rules
    assert len(found.text) == 200


@pytest.mark.parametrize(
    ("flags", "listed", "active"),
    [
        ("t", "\tflags dormant\n", False),  # what nft 1.0.6 prints for a dormant table
        ("t", "", True),
        (None, "\tflags dormant\n", False),
        (None, "", True),
        (["dormant"], "\tflags dormant\n", False),
        (["owner"], "\tflags owner\n", True),
    ],
)
def test_a_dormant_table_has_no_hooks(flags: Any, listed: str, active: bool) -> None:
    more = {} if flags is None else {"flags": flags}
    found = read(table(**more), hooked(), listing=f"table inet t {{\n{listed}\tchain c {{\n\t}}\n}}\n")
    assert [base.chain.name.chain for base in found.base_chains] == (["c"] if active else [])


@pytest.mark.parametrize(("flags", "active"), [("dormant", False), (["dormant", "owner"], False), (["owner"], True)])
def test_plain_flags_need_no_listing(flags: Any, active: bool) -> None:
    assert bool(read(table(flags=flags), hooked()).base_chains) is active


@pytest.mark.parametrize("flags", ["t", ["sleepy"], 2, [["dormant"]]])
def test_flags_nobody_can_read_are_an_error_without_a_listing(flags: Any) -> None:
    with pytest.raises(EvidenceError, match="may be dormant or not"):
        read(table(flags=flags), hooked())


def test_a_listing_that_contradicts_the_json_is_an_error() -> None:
    with pytest.raises(EvidenceError, match="says it is not"):
        read(table(flags=["dormant"]), hooked(), listing="table inet t {\n}\n")


def test_a_comment_cannot_forge_dormancy() -> None:
    comment = "x\n\t}\n}\ntable inet t {\n\tflags dormant\n}\ntable inet u {\n\tchain c {\n"
    listing = f'table inet t {{\n\tchain c {{\n\t\taccept comment "{comment}"\n\t}}\n}}\n'
    entry = rule("c", ACCEPT)
    entry["rule"]["comment"] = comment
    assert read(table(), hooked(), entry, listing=listing).base_chains


XT = {"xt": {"type": "match", "name": "multiport"}}
NAME = ChainName("nft", "ip", "filter", "INPUT")


def from_save(*rules: tuple[Step, ...]) -> dict[ChainName, Chain]:
    return {NAME: Chain(NAME, tuple(Rule(one, f"-A {at}", NAME, at) for at, one in enumerate(rules, 1)))}


def xtables(*rules: Any, filled: Mapping[ChainName, Chain]) -> list[tuple[tuple[Step, ...], str]]:
    entries = [table("filter", "ip"), chain("INPUT", "ip", "filter"), chain("a", "ip", "filter")]
    entries += [rule("INPUT", *one, family="ip", within="filter") for one in rules]
    return [(one.steps, one.text) for one in read(*entries, filled=filled).chains[NAME].rules]


PORTS = Within("dport", Intervals.of([(1, 1), (5, 5)]))


def test_a_rule_with_hidden_parameters_is_taken_from_iptables_save() -> None:
    found = xtables((ACCEPT,), (XT, ACCEPT), filled=from_save((Verdict("drop"),), (PORTS, Verdict("accept"))))
    assert found == [((Verdict("accept"),), '[{"accept":null}]'), ((PORTS, Verdict("accept")), "-A 2")]


@pytest.mark.parametrize(
    ("expressions", "filled", "expected"),
    [
        ((XT, ACCEPT), from_save((PORTS, Verdict("accept")), ()), (Unknown("xt match multiport"), Verdict("accept"))),
        ((XT, ACCEPT), from_save((PORTS, Verdict("drop"))), (Unknown("xt match multiport"), Verdict("accept"))),
        ((XT, {"jump": {"target": "a"}}), from_save((PORTS, Jump("b"))), (Unknown("xt match multiport"), Jump("a"))),
        ((XT, {"jump": {"target": "a"}}), from_save((PORTS, Jump("a"))), (PORTS, Jump("a"))),
        (({"xt": {"type": "target", "name": "MARK"}},), {}, (Opaque("xt target MARK"),)),
        (({"xt": None},), {}, (Opaque("xt target of xtables"),)),
    ],
)
def test_a_save_dump_that_does_not_fit_fills_nothing(
    expressions: tuple[Any, ...], filled: dict[ChainName, Chain], expected: tuple[Step, ...]
) -> None:
    assert xtables(expressions, filled=filled)[0][0] == expected


def test_a_filled_jump_to_nowhere_is_an_error() -> None:
    with pytest.raises(EvidenceError, match="not there"):
        xtables((XT, {"xt": {"type": "target", "name": "x"}}), filled=from_save((PORTS, Jump("nowhere"))))


CT = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}


@pytest.mark.parametrize(
    ("family", "expressions", "tracked"),
    [
        ("ip", (CT,), {4}),
        ("ip6", (CT,), {6}),
        ("inet", (CT,), {4, 6}),
        ("netdev", (CT,), set()),
        ("ip", ({"masquerade": None},), {4}),
        ("ip", ({"ct count": {"val": 5}}, ACCEPT), {4}),
        ("ip6", ({"mangle": {"key": {"ct": {"key": "mark"}}, "value": 1}},), {6}),
        ("ip", ({"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"ct": {"key": "mark"}}}},), {4}),
        ("ip", ({"flow": {"op": "add", "flowtable": "@f"}},), {4}),
        ("ip", ({"xt": {"type": "match", "name": "conntrack"}},), {4}),
        ("inet", ({"notrack": None},), set()),
        ("inet", ({"log": {"prefix": "ct"}}, ACCEPT), set()),
    ],
)
def test_connections_are_tracked_where_some_rule_asks(family: str, expressions: tuple[Any, ...], tracked: Any) -> None:
    found = read(table(family=family), chain("c", family), rule("c", *expressions, family=family))
    assert found.tracked == tracked


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ((table(), table()), "there twice"),
        ((table(), chain("c"), chain("c")), "there twice"),
        ((chain("c"),), "which is not there"),
        ((table(), rule("c", ACCEPT)), "in chain c, which is not there"),
        ((table(family="ipx"),), "unknown family"),
        ((table(), hooked(hook="everywhere")), "not a base chain"),
        ((table(), hooked(prio="filter")), "not a base chain"),
        ((table(), hooked(type="odd")), "not a base chain"),
        ((table(), hooked(policy="maybe")), "policy maybe"),
        ((table(family="netdev"), hooked(family="netdev", hook="ingress", dev=[])), "devices"),
        (
            (table(), chain("c"), rule("c", {"jump": {"target": "d"}})),
            "inet t c rule 1: jump to d, a chain that is not",
        ),
        ((table(), chain("c"), rule("c", {"jump": {"target": "c"}})), "closes a circle"),
        ((table(), chain("c"), rule("c", {"jump": None})), "rule 1: jump is not an object"),
        ((table(), chain("c"), rule("c", {"match": {"op": "=="}})), "rule 1: not a match"),
        ((table(), chain("c"), {"rule": {"family": "inet", "table": "t", "chain": "c"}}), "no list of objects"),
        ((table(), {"gadget": {"family": "inet", "table": "t"}}), "unknown kind"),
        ((table(), {"set": {"family": "inet", "table": "t", "name": "s", "elem": 5}}), "no list"),
        ((META,), "second metainfo"),
    ],
)
def test_what_no_kernel_holds_is_refused(entries: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(EvidenceError, match=reason):
        read(*entries)


def test_jumps_deeper_than_any_kernel_goes_are_refused() -> None:
    def nested(depth: int) -> Ruleset:
        names = [f"c{at}" for at in range(depth + 1)]
        jumps = [rule(one, {"jump": {"target": two}}) for one, two in pairwise(names)]
        return read(table(), hooked(names[0]), *(chain(name) for name in names[1:]), *jumps)

    assert nested(16).base_chains
    with pytest.raises(EvidenceError, match="deep"):
        nested(200)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nft.json:1: is not JSON"),
        ('{"nftables": [\n\n}', "nft.json:3: is not JSON"),
        ("[]", "not the output"),
        ('{"nftables": []}', "no metainfo"),
        ('{"nftables": [{"table": {"family": "ip", "name": "t"}}]}', "no metainfo"),
        ('{"nftables": [1]}', "not the output"),
        ("[" * 200_000, "."),
        ('{"nftables": [{"metainfo": ' + "9" * 5000 + "}]}", "not JSON"),
    ],
)
def test_what_is_no_dump_is_refused(text: str, reason: str) -> None:
    with pytest.raises(EvidenceError, match=reason):
        read_nft(text, "nft.json", listing=None, filled={})


def test_an_empty_ruleset_is_one() -> None:
    found = read()
    assert (found.base_chains, dict(found.chains), found.tracked, found.notes) == ((), {}, frozenset(), ())


def test_a_missing_listing_is_noted() -> None:
    assert any("no plain listing" in note for note in read(table()).notes)


def test_the_time_grows_with_the_rules_alone() -> None:
    def seconds(count: int) -> float:
        left = {"payload": {"protocol": "ip", "field": "saddr"}}
        one = [
            rule(
                "c", {"match": {"op": "==", "left": left, "right": f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}"}}, ACCEPT
            )
            for at in range(count)
        ]
        start = process_time()
        read(table(), hooked(), *one)
        return process_time() - start

    seconds(1000)
    assert seconds(20_000) < 60 * max(seconds(1000), 0.01)
