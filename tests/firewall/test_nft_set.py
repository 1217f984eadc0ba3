"""Sets and maps of `nft -j list ruleset`: elements, catch-alls, what changes, and large ones."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.nftables.ruleset import read_nft
from callgate.firewall.rule import Every, Interface, InterfaceName, Not, Rule, Some, Step, Tuples, Unknown, Within

SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
IIFNAME = {"meta": {"key": "iifname"}}
OF = {"family": "ip", "table": "t"}


def rules(sets: list[Any], *expressions: list[Any]) -> tuple[Rule, ...]:
    entries: list[Any] = [{"metainfo": {}}, {"table": {"family": "ip", "name": "t"}}]
    entries += [{"set": {**OF, "name": "s", "type": "x", **one}} for one in sets]
    entries.append({"chain": {**OF, "name": "c"}})
    entries += [{"rule": {**OF, "chain": "c", "expr": [*one, {"accept": None}]}} for one in expressions]
    found = read_nft(json.dumps({"nftables": entries}), "nft.json", listing=None, filled={})
    return next(iter(found.chains.values())).rules


def match(left: Any, right: Any, operator: str = "==") -> Any:
    return {"match": {"op": operator, "left": left, "right": right}}


def lookup(left: Any, elements: list[Any] | None, operator: str = "==", **more: Any) -> Step:
    """The condition a lookup in a named set becomes."""
    content = {} if elements is None else {"elem": elements}
    return rules([{**content, **more}], [match(left, "@s", operator)])[0].steps[-2]


def addresses(*texts: str) -> Within:
    numbers = [int(IPv4Address(text)) for text in texts]
    return Within("saddr4", Intervals.of((one, one) for one in numbers))


def test_a_set_without_elements_is_empty() -> None:
    assert lookup(SADDR, None) == Within("saddr4", NOTHING)
    assert lookup(SADDR, None, "!=") == Within("saddr4", NOTHING, negated=True)


def test_an_element_that_expires_may_be_gone() -> None:
    elements = ["1.1.1.1", {"elem": {"val": "2.2.2.2", "timeout": 60, "expires": 5}}]
    doubtful = Every((addresses("2.2.2.2"), Unknown("an element that expires")))
    assert lookup(SADDR, elements, flags=["timeout"]) == Some((addresses("1.1.1.1"), doubtful))
    assert lookup(SADDR, elements, "!=", flags=["timeout"]) == Every(
        (Within("saddr4", NOTHING, negated=True), Not(Some((addresses("1.1.1.1"), doubtful))))
    )


@pytest.mark.parametrize(
    "extra", [{"comment": "x"}, {"counter": {"packets": 1, "bytes": 1}}, {"timeout": 0, "expires": 0}]
)
def test_what_an_element_carries_beside_may_be_harmless(extra: dict[str, Any]) -> None:
    assert lookup(SADDR, [{"elem": {"val": "1.1.1.1", **extra}}]) == addresses("1.1.1.1")


@pytest.mark.parametrize("extra", ["limit", "quota", "ct count", "anything"])
def test_an_element_under_a_limit_is_in_doubt(extra: str) -> None:
    expected = Every((addresses("1.1.1.1"), Unknown(f"an element with {extra}")))
    assert lookup(SADDR, [{"elem": {"val": "1.1.1.1", extra: {}}}]) == expected


@pytest.mark.parametrize(
    "more", [{"flags": ["dynamic", "timeout"]}, {"flags": "dynamic"}, {"stmt": [{"limit": {"rate": 5}}]}]
)
def test_a_set_that_changes_decides_nothing(more: dict[str, Any]) -> None:
    for operator in ("==", "!="):
        assert lookup(SADDR, ["1.1.1.1"], operator, **more) == Unknown("set s changes with traffic")


@pytest.mark.parametrize("operation", ["add", "update", "delete"])
def test_a_set_that_a_rule_changes_decides_nothing(operation: str) -> None:
    change = {"set": {"op": operation, "elem": SADDR, "set": "@s"}}
    found = rules([{"elem": ["1.1.1.1"]}], [match(SADDR, "@s")], [change])
    assert found[0].steps[0] == Unknown("set s changes with traffic")


def test_a_set_counted_per_element_stays_certain() -> None:
    assert lookup(SADDR, ["1.1.1.1"], stmt=[{"counter": None}]) == addresses("1.1.1.1")


def test_a_value_nobody_can_read_makes_a_part_unknown_and_never_false() -> None:
    found = lookup(DPORT, [22, "gopherspace"])
    assert found == Some((Within("dport", Intervals.single(22)), Unknown("the value gopherspace")))
    assert lookup(IIFNAME, ["eth0", 5]) == Some((Interface("iif", (InterfaceName("eth0"),)), Unknown("iif 5")))
    assert lookup(DPORT, [70000]) == Some((Within("dport", NOTHING), Unknown("the value 70000")))


def test_the_catch_all_is_every_packet_that_has_the_field() -> None:
    assert lookup(DPORT, [22, "*"]) == Within("dport", NOTHING, negated=True)
    assert lookup(DPORT, ["*"], "!=") == Within("dport", NOTHING)


def test_a_key_nobody_knows_stays_unknown_in_an_empty_set() -> None:
    left = {"payload": {"protocol": "ether", "field": "saddr"}}
    assert lookup(left, [], "!=") == Every((Unknown("ether saddr"), Not(Some(()))))


def test_an_index_that_is_none_is_unknown() -> None:
    found = lookup({"meta": {"key": "iif"}}, ["lo", "0"])
    assert isinstance(found, Some)
    assert isinstance(found.conditions[0], Interface)
    assert found.conditions[1] == Unknown("iif 0")


@pytest.mark.parametrize("elements", [["1.1.1.1"], [{"concat": ["1.1.1.1"]}], [{"concat": ["1.1.1.1", 1, 2]}]])
def test_a_concatenation_of_another_length_is_refused(elements: list[Any]) -> None:
    with pytest.raises(EvidenceError, match="not a concatenation of 2"):
        lookup({"concat": [SADDR, DPORT]}, elements)


def test_concatenations_with_a_name_are_grouped_by_it() -> None:
    left = {"concat": [IIFNAME, SADDR, DPORT]}
    elements = [{"concat": [f"eth{at % 2}", f"10.0.0.{at}", at]} for at in range(100)]
    found = lookup(left, elements)
    assert isinstance(found, Some)
    assert len(found.conditions) == 2
    boxes = [one.conditions[1] for one in found.conditions if isinstance(one, Every)]
    assert [len(one.boxes) for one in boxes if isinstance(one, Tuples)] == [50, 50]


def test_more_groups_than_anyone_writes_are_unknown() -> None:
    elements = [{"concat": [f"eth{at}", "10.0.0.1"]} for at in range(5000)]
    assert isinstance(lookup({"concat": [IIFNAME, SADDR]}, elements), Unknown)


def test_a_missing_set_is_refused() -> None:
    with pytest.raises(EvidenceError, match="there is no set @nothing"):
        rules([], [match(SADDR, "@nothing")])


def test_a_set_is_no_map() -> None:
    with pytest.raises(EvidenceError, match="is a set, not a map"):
        rules([{}], [{"vmap": {"key": SADDR, "data": "@s"}}])


def test_a_set_looked_up_again_is_the_same_object() -> None:
    one, other = rules([{"elem": ["1.1.1.1"]}], [match(SADDR, "@s")], [match(SADDR, "@s"), match(DPORT, 22)])
    assert one.steps[0] is other.steps[0]
    concat = {"concat": [SADDR, DPORT]}
    boxed = rules([{"elem": [{"concat": ["1.1.1.1", 1]}]}], *[[match(concat, "@s")]] * 2)
    assert boxed[0].steps[1] is boxed[1].steps[1]


PORT = st.integers(0, 65535)


@given(st.lists(st.one_of(PORT, st.tuples(PORT, PORT).map(sorted).map(lambda ends: {"range": ends})), max_size=8), PORT)
def test_a_port_is_in_the_set_exactly_if_an_element_says_so(elements: list[Any], port: int) -> None:
    found = lookup(DPORT, elements)
    assert isinstance(found, Within)
    said = any(one == port if isinstance(one, int) else one["range"][0] <= port <= one["range"][1] for one in elements)
    assert (port in found.values) is said


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_a_prefix_holds_the_addresses_that_share_its_bits(address: int, length: int, other: int) -> None:
    found = lookup(SADDR, [{"prefix": {"addr": str(IPv4Address(address)), "len": length}}])
    assert isinstance(found, Within)
    assert (other in found.values) is (address >> (32 - length) == other >> (32 - length))


def test_a_hundred_thousand_elements_are_read_once() -> None:
    elements = [f"{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}.{at * 7 & 255}" for at in range(1, 100_001)]

    def seconds(lookups: int) -> float:
        start = process_time()
        rules([{"elem": elements}], *[[match(SADDR, "@s"), match(DPORT, at)] for at in range(lookups)])
        return process_time() - start

    assert seconds(100) < 5 * max(seconds(1), 0.05)
