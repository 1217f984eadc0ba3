"""Conditions, for every peer at once, against one packet at a time; and what absence and doubt mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from tests.firewall.built import only, syn
from tests.firewall.concrete_packet import Concrete, Fork
from tests.firewall.oracle import Walk
from tests.firewall.policy_strategies import ADDRESSES, OWN4, Garden, Taste, gardens, host_of, ipv4

from callgate.firewall.decide import Deciding
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import (
    ALWAYS,
    NEVER,
    Condition,
    InState,
    Interface,
    InterfaceName,
    Not,
    Ruleset,
    Tuples,
    Unknown,
    Within,
)
from callgate.firewall.view import PEER, View

HOST = host_of()


def view_of(packet: Concrete) -> View:
    return View(
        packet.family, packet.protocol, packet.iif, PEER, (packet.destination,) * 2, (packet.sport,) * 2,
        (packet.dport,) * 2, None, packet.tcp_flags, (packet.ttl,) * 2, mark=packet.mark,
    )  # fmt: skip


def sides(condition: Condition, packet: Concrete, source: int) -> set[bool]:
    found = set()
    for script in range(64):
        fork = Fork([script >> bit & 1 for bit in range(6)])
        found.add(Walk(Ruleset(), HOST, fork).holds(condition, replace(packet, source=source)))
    return found


@given(gardens())
def test_what_may_hold_is_never_ruled_out(garden: Garden) -> None:
    condition, packet = garden.condition(), garden.packet()
    surely, maybe = Deciding(HOST, view_of(packet)).holds(condition)
    assert surely & maybe == surely
    for source in ADDRESSES[packet.family]:
        truth = sides(condition, packet, source)
        assert source in maybe or True not in truth
        assert source not in surely or False not in truth


@given(gardens(Taste(doubt=False)))
def test_what_is_told_is_decided(garden: Garden) -> None:
    condition, packet = garden.condition(), garden.packet()
    surely, maybe = Deciding(HOST, view_of(packet)).holds(condition)
    assert surely == maybe
    for source in ADDRESSES[packet.family]:
        assert sides(condition, packet, source) == {source in surely}


def holds(condition: Condition, view: View | None = None) -> str:
    surely, maybe = Deciding(HOST, view or syn(OWN4)).holds(condition)
    everyone = Intervals.single(0, 2**32 - 1)
    return "yes" if surely == everyone else "no" if maybe == NOTHING else "perhaps" if not surely else "some"


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize("field", ["saddr6", "icmp_type", "orig_dport", "ctmark", "ct_direction", "daddr6"])
def test_a_field_that_is_absent_matches_neither_way(field: str, negated: bool) -> None:
    assert holds(only(field, 0, 2**128 - 1, negated=negated)) == "no"
    assert holds(Tuples(("dport", field), (((0, 65535), (0, 2**128 - 1)),), negated)) == "no"  # type: ignore[arg-type]


def test_udp_has_no_tcp_flags_and_other_transports_no_ports() -> None:
    assert holds(only("tcp_flags", 1, 255, negated=True), replace(syn(OWN4), protocol=17)) == "no"
    assert holds(only("dport", 2001, negated=True), replace(syn(OWN4), protocol=50)) == "no"
    assert holds(only("dport", 2001, negated=True), replace(syn(OWN4), protocol=132)) == "yes"


def test_an_empty_set_holds_nothing_and_its_negation_everything() -> None:
    for field in ("saddr4", "dport", "length", "ttl"):
        assert holds(Within(field, NOTHING)) == "no"
        assert holds(Within(field, NOTHING, True)) == "yes"
    assert holds(ALWAYS) == "yes"
    assert holds(NEVER) == "no"


def test_what_holds_of_every_value_needs_no_value() -> None:
    assert holds(only("length", 0, 65535)) == "yes"
    assert holds(only("length", 0, 65535, negated=True)) == "no"
    assert holds(only("length", 1, 65535)) == "perhaps"
    assert holds(Not(Unknown("x"))) == "perhaps"


def test_a_missing_interface_fits_no_name_and_every_negation() -> None:
    assert holds(Interface("oif", (InterfaceName("eth0"),))) == "no"
    assert holds(Interface("oif", (InterfaceName("eth0"),), True)) == "yes"
    assert holds(Interface("iif", (InterfaceName("et", True),))) == "yes"


def test_before_tracking_the_state_is_invalid() -> None:
    assert holds(InState(frozenset({"invalid"}))) == "yes"
    assert holds(InState(frozenset({"new"}), True)) == "yes"
    assert holds(InState(frozenset({"invalid"})), syn(OWN4, state="untracked")) == "no"


def test_masks_with_holes_are_exact_while_they_stay_small() -> None:
    surely, maybe = Deciding(HOST, syn(OWN4)).holds(only("saddr4", ipv4("10.0.0.1"), mask=0xFFFF00FF))
    assert surely == maybe == Intervals.of((ipv4(f"10.0.{at}.1"),) * 2 for at in range(256))
    assert holds(only("saddr4", 1, mask=1)) == "perhaps"
