"""Chains: jumps, returns, marks and branches, one example for each thing that went or could go wrong; and big ones."""

from __future__ import annotations

import pytest
from tests.firewall.built import Built, only, syn
from tests.firewall.policy_strategies import OWN4, ipv4

from callgate.errors import EvidenceError
from callgate.firewall.intervals import Intervals
from callgate.firewall.policy import Policy
from callgate.firewall.rule import (
    ALWAYS,
    Choose,
    Goto,
    InState,
    Jump,
    NoTrack,
    Opaque,
    Queue,
    Return,
    SetMark,
    Step,
    Translate,
    Unknown,
    Verdict,
    Within,
)

ACCEPT, DROP, REJECT = Verdict("accept"), Verdict("drop"), Verdict("reject")
ONE, TWO = ipv4("10.0.0.1"), ipv4("10.0.0.2")
DOUBT = Unknown("limit")


def fates(built: Built, source: int = ONE) -> set[str]:
    return {outcome.fate for outcome in built.policy().outcomes(syn(OWN4)).at(source)}


def dropping(*rules: tuple[Step, ...]) -> Built:
    return Built().base("input", "drop", *rules)


def test_a_mark_set_back_behind_a_jump_does_not_replay_the_rules_before() -> None:
    built = dropping((Jump("y"),), (only("mark", 1), SetMark("mark", 0), Return()), (ACCEPT,))
    assert fates(built.chain("y", (SetMark("mark", 1),))) == {"drop"}


def test_return_from_a_goto_goes_past_the_caller() -> None:
    built = dropping((Jump("a"),), (REJECT,)).chain("a", (Goto("b"),), (ACCEPT,)).chain("b", (Return(),))
    assert fates(built) == {"reject"}
    assert fates(dropping((Goto("b"),), (ACCEPT,)).chain("b", (Return(),))) == {"drop"}


def test_what_a_jump_marks_stays_marked_behind_it() -> None:
    built = dropping((Jump("a"),), (only("mark", 5), ACCEPT)).chain("a", (only("saddr4", ONE), SetMark("mark", 5)))
    assert fates(built) == {"accept"}
    assert fates(built, TWO) == {"drop"}


@pytest.mark.parametrize("passing", [Jump("empty"), SetMark("mark", 0, 0, 1)])
def test_a_doubtful_branch_that_passes_by_leaves_the_rest_of_the_rules(passing: SetMark | Jump) -> None:
    choose = Choose(((DOUBT, passing), (ALWAYS, ACCEPT)))
    built = dropping((choose,), (only("mark", 0), REJECT)).chain("empty")
    built.base("prerouting", "accept", (NoTrack(),), priority=-300)
    assert fates(built) == {"accept", "reject"}


def test_a_doubtful_branch_and_a_sure_one_leave_no_third_way() -> None:
    assert fates(dropping((Choose(((DOUBT, DROP), (ALWAYS, ACCEPT))),), (REJECT,))) == {"drop", "accept"}


def test_a_branch_that_sets_a_mark_goes_on_within_its_rule() -> None:
    choose = Choose(((only("saddr4", ONE), SetMark("mark", 3)), (only("saddr4", TWO), DROP)))
    built = dropping((choose, only("mark", 3), ACCEPT), (REJECT,))
    assert fates(built) == {"accept"}
    assert fates(built, TWO) == {"drop"}
    assert fates(built, TWO + 1) == {"reject"}


def test_untracked_is_a_state_of_its_own() -> None:
    def state(one: str) -> tuple[Step, ...]:
        return InState(frozenset({one})), ACCEPT  # type: ignore[arg-type]

    raw = (only("saddr4", ONE), NoTrack())
    for one, mine, others in (("untracked", "accept", "drop"), ("new", "drop", "accept"), ("invalid", "drop", "drop")):
        built = dropping(state(one)).base("prerouting", "accept", raw, priority=-300)
        assert fates(built) == {mine}
        assert fates(built, TWO) == {others}


def test_a_queue_accepts_or_drops_and_the_unknown_may_do_anything() -> None:
    assert fates(dropping((Queue(),))) == {"accept", "drop"}
    assert fates(dropping((Opaque("x"),), (ACCEPT,))) == {"unknown"}


@pytest.mark.parametrize("priority", [-200, -100])
def test_who_runs_first_at_the_priority_of_the_kernels_own_hooks_is_not_told(priority: int) -> None:
    seen = InState(frozenset({"new"})) if priority == -200 else only("dport", 2000)
    built = Built().base("prerouting", "accept", (seen, DROP), priority=priority)
    built.base("prerouting", "accept", (_redirect(),), nat=True)
    assert fates(built) == {"accept", "drop"}


def _redirect() -> Step:
    return Translate("destination", ports=(80, 80), to_itself=True)


@pytest.mark.parametrize("many", [2, 3, 4, 5, 6])
def test_a_mark_of_any_chain_may_be_seen_by_any_other_of_its_priority(many: int) -> None:
    built = Built().base("input", "accept", (only("mark", 1), DROP))
    for _ in range(many - 2):
        built.base("input", "accept")
    built.base("input", "accept", (SetMark("mark", 1),))
    found = fates(built)
    assert found == {"accept", "drop"} or "unknown" in found


def test_jumps_in_a_circle_are_refused() -> None:
    built = dropping((Jump("a"),)).chain("a", (Jump("b"),)).chain("b", (Choose(((ALWAYS, Goto("a")),)),))
    with pytest.raises(EvidenceError, match="circle"):
        built.policy()
    with pytest.raises(EvidenceError, match="circle"):
        dropping().chain("own", (Jump("own"),)).policy()


def test_a_jump_to_nowhere_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not there: lost"):
        dropping((Jump("lost"),)).policy()


def test_chains_ten_thousand_deep_are_refused() -> None:
    built = dropping((Jump("c0"),))
    for at in range(10_000):
        built.chain(f"c{at}", (Jump(f"c{at + 1}"),))
    with pytest.raises(EvidenceError, match="deep"):
        built.chain("c10000").policy()


def test_chains_as_deep_as_allowed_are_followed() -> None:
    built = dropping((Jump("c0"),))
    for at in range(120):
        built.chain(f"c{at}", (only("saddr4", at), Return()), (only("saddr4", ONE), Jump(f"c{at + 1}"), ACCEPT))
    built.chain("c120", (only("saddr4", ONE), ACCEPT))
    assert fates(built) == {"accept"}
    assert fates(built, TWO) == {"drop"}


def test_chains_that_all_jump_to_the_next_ones_twice_are_summarised_once() -> None:
    built = dropping((Jump("c0"),), (ACCEPT,))
    for at in range(60):
        built.chain(f"c{at}", (only("saddr4", at), Jump(f"c{at + 1}")), (Jump(f"c{at + 1}"),))
    built.chain("c60", (only("saddr4", TWO), REJECT))
    assert fates(built) == {"accept"}
    assert fates(built, TWO) == {"reject"}


def test_ten_thousand_marks_one_after_another() -> None:
    marks: list[tuple[Step, ...]] = [(SetMark("mark", at),) for at in range(10_000)]
    built = dropping(*marks, (only("mark", 9_999), ACCEPT))
    assert "accept" in fates(built)
    assert "drop" not in fates(built) or len(fates(built)) > 1


@pytest.mark.parametrize("values", [2, 64, 1000])
def test_thousands_of_marks_of_different_peers_are_answered_or_refused(values: int) -> None:
    marks: list[tuple[Step, ...]] = [(only("saddr4", ONE + at), SetMark("mark", 1 + at % values)) for at in range(1500)]
    built = dropping(*marks, (only("mark", 1), ACCEPT))
    whole = built.policy().outcomes(syn(OWN4))
    for peer, fate in ((ONE, "accept"), (ONE + 1, "drop"), (9, "drop")):
        assert fate in {outcome.fate for outcome in whole.at(peer)}


def test_alternating_marks_of_overlapping_peers_are_answered_soundly_or_refused() -> None:
    marks: list[tuple[Step, ...]] = [(only("saddr4", 0, 5000 + at), SetMark("mark", 1 + at % 2)) for at in range(600)]
    built = dropping(*marks, (only("mark", 2), ACCEPT))
    try:
        assert "accept" in fates(built, 1)
    except EvidenceError as refused:
        assert "deep" in str(refused)  # noqa: PT017


def test_two_thousand_doubtful_rules_stay_doubtful() -> None:
    rules: list[tuple[Step, ...]] = [(only("saddr4", at, at + 50), DOUBT, ACCEPT) for at in range(2000)]
    built = dropping(*rules)
    assert fates(built, 1000) == {"accept", "drop"}
    assert fates(built, 5000) == {"drop"}


def test_doubt_at_every_hook_does_not_multiply() -> None:
    rules: list[tuple[Step, ...]] = [(only("saddr4", 0, 2**31), DOUBT, ACCEPT) for _ in range(300)]
    built = Built()
    for priority in (-150, -149, -148, 0):
        built.base("prerouting", "drop", *rules, priority=priority)
    policy = built.policy()
    found = policy.outcomes(syn(OWN4)).at(7)
    assert {outcome.fate for outcome in found} == {"accept", "drop"}
    assert len(found) < 100_000


def test_five_thousand_jumps_in_one_chain() -> None:
    built = dropping(*[(Jump(f"c{at}"),) for at in range(5000)])
    for at in range(5000):
        built.chain(f"c{at}", (only("saddr4", at), ACCEPT))
    policy = built.policy()
    whole = policy.outcomes(syn(OWN4))
    assert whole.where(lambda each: {one.fate for one in each} == {"accept"}, 2**32 - 1) == Intervals.single(1, 4999)


def test_sets_of_a_hundred_thousand_addresses() -> None:
    sets = [Intervals.of((7 * at + by,) * 2 for at in range(1, 100_000)) for by in range(3)]
    built = dropping((Within("saddr4", sets[0]), DROP), (Within("saddr4", sets[1], True), DROP), (ACCEPT,))
    whole = built.policy().outcomes(syn(OWN4))
    assert whole.where(lambda each: {one.fate for one in each} == {"accept"}, 2**32 - 1) == sets[1]


def test_the_same_answer_twice_and_after_forgetting() -> None:
    policy: Policy = dropping((only("saddr4", ONE), ACCEPT)).policy()
    first = policy.outcomes(syn(OWN4)).at(ONE)
    policy.forget()
    assert policy.outcomes(syn(OWN4)).at(ONE) == first
