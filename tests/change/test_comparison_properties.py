"""Comparison by meaning: what holds of any two snapshots, grown or recorded."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.change.policies import dumps_alone, filtered, pairs, snapshot, twins, wild_pairs

from callgate.audit.target import Target
from callgate.change.comparison import Comparison, compare
from callgate.change.shift import Shift

Row = tuple[object, ...]
Pair = tuple[Target, Target]


def rows(shifts: Iterable[Shift]) -> set[Row]:
    return {(one.service, one.entrance, one.surely, one.perhaps, one.offered) for one in shifts}


def inverse(found: Comparison, other: Comparison) -> bool:
    return (rows(found.gained), rows(found.lost)) == (rows(other.lost), rows(other.gained))


@settings(max_examples=20)
@given(twins())
def test_host_compared_with_itself_has_not_changed(both: Pair) -> None:
    found = compare(*both)
    assert not found.gained
    assert not found.lost
    assert not found.others
    assert not found.undetermined
    assert found.nothing
    assert found.same_rules
    assert found.regression is False


@settings(max_examples=20)
@given(pairs())
def test_what_one_direction_gains_the_other_loses(both: Pair) -> None:
    before, after = both
    found, reverse = compare(before, after), compare(after, before)
    assert inverse(found, reverse)
    assert found.nothing == reverse.nothing
    assert {change.kind for change in found.others} == {change.kind for change in reverse.others}


@settings(max_examples=2, phases=(Phase.generate,))  # seconds each: shrinking would take for ever
@given(wild_pairs())
def test_what_one_direction_gains_the_other_loses_whatever_the_rules_hold(both: Pair) -> None:
    before, after = both
    assert inverse(compare(before, after), compare(after, before))


@settings(max_examples=20)
@given(pairs())
def test_nobody_gains_and_loses_the_same_or_is_sure_and_in_doubt(both: Pair) -> None:
    found = compare(*both)
    lost = {(one.service, one.entrance): one for one in found.lost}
    for shift in (*found.gained, *found.lost):
        assert not shift.surely & shift.perhaps
        assert shift.surely | shift.perhaps
    for gained in found.gained:
        known = lost.get((gained.service, gained.entrance))
        assert known is None or not gained.surely & known.surely


@settings(max_examples=20)
@given(pairs(doubt=False))
def test_widened_and_locked_out_say_whose_access_it_is(both: Pair) -> None:
    before, after = both
    found = compare(before, after)
    if found.regression is None:
        return
    trusted = before.plan.site.trusted
    offered = [one for one in found.gained if one.offered]
    if found.widened:
        # Nobody gains by an interface that strangers come in by as before, unless a row says so.
        assert offered or found.of("network") or found.of("sysctls")
    if all(_within(one, trusted) for one in offered) and not found.of("network"):
        assert not found.widened
    if not [one for one in found.lost if one.offered]:
        assert not found.locked_out


def _within(shift: Shift, networks: Iterable[object]) -> bool:
    from callgate.firewall.sources import interval_of

    return not shift.door.any - interval_of(networks, shift.entrance.family)  # type: ignore[arg-type]


NETWORKS = ("10.0.0.0/9", "10.128.0.0/9", "192.168.1.0/25", "192.168.1.128/25", "203.0.113.0/24", "198.51.100.16/28")


def written(accepted: Iterable[tuple[str, str, int]], luck: Random) -> bytes:
    """Accepting rules in any order and form, with counters of their own: they mean the same."""
    rules = []
    for network, transport, port in luck.sample(list(accepted), len(list(accepted))):
        one = f"-s {network} -p {transport}"
        dport = luck.choice(
            (f"--dport {port}", f"-m {transport} --dport {port}", f"-m multiport --dports {port},{port}")
        )
        parts = [f"-s {network}", f"-p {transport} {dport}"] if luck.random() < 0.5 else [one, dport]
        rules.append(" ".join([*parts, "-j ACCEPT"]))
    text = filtered(*rules).decode()
    return text.replace("[0:0]", f"[{luck.randrange(99)}:{luck.randrange(9999)}]").encode()


def chosen() -> st.SearchStrategy[list[tuple[str, str, int]]]:
    one = st.tuples(st.sampled_from(NETWORKS), st.sampled_from(("tcp", "udp")), st.sampled_from((2000, 5060, 22)))
    return st.lists(one, max_size=8, unique=True)


@settings(max_examples=20)
@given(chosen(), st.integers(0, 2**32))
def test_order_form_and_counters_of_rules_are_no_change(accepted: list[tuple[str, str, int]], seed: int) -> None:
    luck = Random(seed)
    one, other = written(accepted, luck), written(accepted, luck)
    found = compare(snapshot({"iptables-save.txt": one}), snapshot({"iptables-save.txt": other}))
    assert found.nothing
    assert compare(dumps_alone({"iptables-save.txt": one}), dumps_alone({"iptables-save.txt": other})).nothing


@settings(max_examples=20)
@given(chosen(), chosen(), st.integers(0, 2**32))
def test_exactly_the_networks_that_other_rules_let_in_have_gained(
    old: list[tuple[str, str, int]], new: list[tuple[str, str, int]], seed: int
) -> None:
    luck = Random(seed)
    found = compare(
        dumps_alone({"iptables-save.txt": written(old, luck)}), dumps_alone({"iptables-save.txt": written(new, luck)})
    )
    for transport, port, name in (("tcp", 2000, "sccp"), ("udp", 5060, "sip-udp"), ("tcp", 5060, "sip-tcp")):
        then = {network for network, *rest in old if rest == [transport, port]}
        now = {network for network, *rest in new if rest == [transport, port]}
        for told, networks in ((found.gained, now - then), (found.lost, then - now)):
            sizes = {one.surely.size for one in told if one.service == name}
            assert sizes == ({sum(map(_size, networks))} if networks else set())


def _size(network: str) -> int:
    return int(2 ** (32 - int(network.rpartition("/")[2])))
