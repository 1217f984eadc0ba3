"""Sets of sources: what holds surely, what perhaps, and what is said of them."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firewall.policy_strategies import ipv4

from callgate.errors import NotDetermined
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import Family
from callgate.firewall.sources import Door, Entrance, Sources, Way, cidrs, in_words, interval_of

LAST = 31
AT = (Entrance(4, "eth0"), Entrance(4, "eth1"), Entrance(6, "eth0"))
WORDS = ("surely", "perhaps", "no")
tables = st.dictionaries(st.sampled_from(AT), st.lists(st.sampled_from(WORDS), min_size=LAST + 1, max_size=LAST + 1))


def sources(table: dict[Entrance, list[str]]) -> Sources:
    def those(words: list[str], word: str) -> Intervals:
        return Intervals.of((at, at) for at, one in enumerate(words) if one == word)

    return Sources({at: Door(those(words, "surely"), those(words, "perhaps")) for at, words in table.items()})


def word(one: Sources, at: Entrance, address: int) -> str:
    door = one.doors.get(at, Door())
    assert not door.surely & door.perhaps
    return "surely" if address in door.surely else "perhaps" if address in door.perhaps else "no"


def told(table: dict[Entrance, list[str]], at: Entrance, address: int) -> str:
    return table[at][address] if at in table else "no"


POINTS = [(at, address) for at in AT for address in range(LAST + 1)]
MINUS = {("surely", "no"): "surely", ("surely", "perhaps"): "perhaps", ("perhaps", "no"): "perhaps", ("perhaps", "perhaps"): "perhaps"}  # fmt: skip  # noqa: E501
AND = {("surely", "surely"): "surely", ("surely", "perhaps"): "perhaps", ("perhaps", "surely"): "perhaps", ("perhaps", "perhaps"): "perhaps"}  # fmt: skip  # noqa: E501


@given(tables, tables)
def test_operations_keep_doubt_apart(one: dict[Entrance, list[str]], two: dict[Entrance, list[str]]) -> None:
    mine, other = sources(one), sources(two)
    minus, both, either = mine - other, mine & other, mine | other
    for at, address in POINTS:
        pair = told(one, at, address), told(two, at, address)
        assert word(minus, at, address) == MINUS.get(pair, "no")
        assert word(both, at, address) == AND.get(pair, "no")
        assert word(either, at, address) == min(pair, key=WORDS.index)


@given(tables)
def test_parts_make_up_the_whole(table: dict[Entrance, list[str]]) -> None:
    whole = sources(table)
    again = whole.surely | whole.doubtful
    split = whole.on(["eth0"]) | whole.on(["eth1"])
    families = whole.of(4) | whole.of(6)
    for at, address in POINTS:
        assert word(again, at, address) == word(whole, at, address)
        assert word(split, at, address) == word(whole, at, address)
        assert word(families, at, address) == word(whole, at, address)


@given(tables)
def test_doubt_never_passes_for_an_empty_set(table: dict[Entrance, list[str]]) -> None:
    words = {one for each in table.values() for one in each}
    one = sources(table)
    assert one.empty == (words <= {"no"})
    if words - {"no"} == {"perhaps"}:
        with pytest.raises(NotDetermined, match="perhaps reach"):
            bool(one)
    else:
        assert bool(one) == ("surely" in words)


def test_networks_are_taken_away_in_their_own_family_alone() -> None:
    everyone4, everyone6 = Intervals.single(0, 2**32 - 1), Intervals.single(0, 2**128 - 1)
    one = Sources({AT[0]: Door(everyone4), AT[2]: Door(NOTHING, everyone6)})
    trusted = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    left = one - trusted
    assert left.doors[AT[0]].surely.size == 2**32 - 2**24
    assert left.doors[AT[2]].perhaps.size == 2**128 - 2**120
    assert (one & trusted).doors[AT[0]].surely == interval_of(trusted, 4)


families: st.SearchStrategy[Family] = st.sampled_from((4, 6))


@given(families, st.data())
def test_networks_in_cidr_form_are_the_set_again(family: Family, data: st.DataObject) -> None:
    last = 2**32 - 1 if family == 4 else 2**128 - 1
    number = st.one_of(st.integers(0, last), st.sampled_from((0, last, last - 1)))
    members = Intervals.of(data.draw(st.lists(st.tuples(number, number), max_size=4)))
    found = cidrs(family, members)
    networks = [ip_network(text) for text, _ in found]
    assert interval_of(networks, family) == members
    assert [network.num_addresses for network in networks] == [size for _, size in found]
    assert sum(size for _, size in found) == members.size
    assert networks == sorted(networks)
    assert cidrs(family, members, 2) == found[:2]


def test_words_name_the_largest_networks_and_count_the_rest() -> None:
    net = Intervals.single(ipv4("203.0.113.0"), ipv4("203.0.113.255"))
    assert in_words(4, net) == "203.0.113.0/24"
    more = net | Intervals.single(ipv4("198.51.100.7")) | Intervals.single(ipv4("10.0.0.0"), ipv4("10.255.255.255"))
    assert in_words(4, more) == "10.0.0.0/8, 203.0.113.0/24 and 1 more"
    assert in_words(4, Intervals.single(0, 2**32 - 1)) == "every IPv4 source"
    assert in_words(6, Intervals.single(0, 2**128 - 1)) == "every IPv6 source"


def test_an_explanation_says_who_by_which_interface_and_through_which_rule() -> None:
    net = Intervals.single(ipv4("203.0.113.0"), ipv4("203.0.113.255"))
    way = Way("198.51.100.10:2000/tcp", net, True, ("ip filter INPUT rule 3: -j ACCEPT",))
    said = Sources({AT[1]: Door(net, NOTHING, (way,))}, "sccp").explain()
    assert said == (
        "203.0.113.0/24 on eth1 reach sccp (for example 203.0.113.0 to 198.51.100.10:2000/tcp)"
        " through ip filter INPUT rule 3: -j ACCEPT"
    )
    assert Sources({}, "sccp").explain() == "nobody reaches sccp"
    many = Sources({Entrance(4, f"eth{number}"): Door(net) for number in range(6)})
    assert many.explain(limit=2).endswith("; and 4 more")


def test_words_for_nearly_everybody_name_who_is_left_out() -> None:
    everybody_else = Intervals.single(ipv4("224.0.0.0"), ipv4("239.255.255.255")).complement(2**32 - 1)
    assert in_words(4, everybody_else) == "every IPv4 source but 224.0.0.0/4"
    hosts = Intervals.single(ipv4("192.168.1.0"), ipv4("192.168.1.255")) - Intervals.single(ipv4("192.168.1.10"))
    assert in_words(4, hosts) == "192.168.1.0/24 but 192.168.1.10/32"
    assert in_words(6, Intervals.single(2, 2**100)).endswith(" and many more")
