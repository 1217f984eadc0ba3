"""Remedies on policies that were grown: effective or refused, the same when repeated, and gone after rollback."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.change.policies import SURE, grown, sockets
from tests.change.remedy.recorded import texts_of
from tests.firewall.policy_strategies import Garden

from callgate.audit.target import Target
from callgate.change.comparison import compare
from callgate.change.remedy.foreseen import foreseen_target
from callgate.change.remedy.gate import without_gate
from callgate.change.remedy.need import needs
from callgate.change.remedy.recipe import Format, Refused
from callgate.change.remedy.remedy import remedy
from callgate.errors import NotDetermined
from callgate.firewall.rule import FAMILIES
from callgate.firewall.sources import interval_of

FORMATS: tuple[Format, ...] = ("nft", "iptables")


TRANSLATING = range(100, 130)
"""Hosts that translate addresses and take a second or two each; others take many."""


def host(seed: int) -> Target:
    """A host with rules, addresses and sockets of its own."""
    garden = Garden(seed, SURE if seed in TRANSLATING else replace(SURE, translates=False))
    # Where nothing was tracked, rules about flows begin to match with the first remedy: that is another property.
    ruleset = replace(garden.ruleset(), tracked=frozenset(FAMILIES))
    return grown(ruleset, garden.host(), sockets(Random(seed)))


@settings(max_examples=8)
@given(st.one_of(st.integers(0, 2**48), st.sampled_from(TRANSLATING)).map(host), st.sampled_from(FORMATS))
def test_remedy_harms_nobody_trusted_is_the_same_when_repeated_and_goes_with_its_rollback(
    target: Target, form: Format
) -> None:
    try:
        found = remedy(target, form)
    except (Refused, NotDetermined):
        found = None
    assume(found is not None)
    assert found is not None
    after = foreseen_target(target, found.recipe.ruleset)
    trusted = target.plan.site.trusted
    change = compare(target, after)
    assert change.widened is not True, change.reasons
    assert change.locked_out is not True, change.reasons
    for shift in change.lost:
        assert not shift.surely & interval_of(trusted, shift.entrance.family), str(shift)
    for shift in change.gained:
        assert not shift.surely - interval_of(trusted, shift.entrance.family), str(shift)
    assert not [need for need in needs(after) if need.action == "close"]
    try:
        again = remedy(after, form)
    except Refused:
        again = None  # what is left is to be opened, and cannot be here
    if again is not None:
        assert texts_of(again.recipe.ruleset) == texts_of(found.recipe.ruleset)
        assert again.recipe.files == found.recipe.files
    assert texts_of(without_gate(after.evidence.policy.ruleset)) == texts_of(target.evidence.policy.ruleset)


def test_most_grown_hosts_are_remedied() -> None:
    """The property above is about something."""
    remedied = 0
    for seed in (100, 109, 110, 113, 120):
        try:
            remedied += remedy(host(seed), "nft") is not None
        except (Refused, NotDetermined):
            continue
    assert remedied >= 4
