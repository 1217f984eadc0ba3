"""What a ruleset says as a whole."""

from __future__ import annotations

from tests.firewall.built import Built, only

from callgate.firewall.rule import (
    ALWAYS,
    Choose,
    Every,
    Jump,
    Not,
    Opaque,
    Queue,
    SetMark,
    Some,
    Translate,
    Tuples,
    Verdict,
)
from callgate.firewall.survey import order_matters, survey

ACCEPT = Verdict("accept")


def test_bounds_are_found_wherever_they_stand() -> None:
    deep = Not(Some((Every((only("dport", 5060, 5061),)), Tuples(("saddr4", "sport"), (((0, 9), (7, 8)),)))))
    built = Built().base("input", "accept", (deep, Choose(((only("ttl", 64), ACCEPT),))))
    found = survey(built.ruleset)
    assert found.bounds["dport"] == (5060, 5062)
    assert found.bounds["sport"] == (7, 9)
    assert found.bounds["ttl"] == (64, 65)


def test_a_condition_shared_by_many_rules_is_noted_once_and_for_each_hook() -> None:
    shared = only("daddr4", 5)
    built = Built().base("input", "accept", (shared, ACCEPT)).base("prerouting", "accept", (shared, ACCEPT))
    assert survey(built.ruleset).early_bounds["daddr4"] == (5, 6)


def test_masks_and_flags_are_noted() -> None:
    built = Built().base("input", "accept", (only("tcp_flags", 2, mask=0x17), only("dport", 8, mask=8), ACCEPT))
    found = survey(built.ruleset)
    assert found.masked == {"tcp_flags", "dport"}
    assert found.flag_bits == 0x17
    assert survey(Built().base("input", "accept", (only("tcp_flags", 2), ACCEPT)).ruleset).flag_bits == 0xFF


def test_a_mark_copied_into_one_that_is_read_is_read_too() -> None:
    save = SetMark("ctmark", take=0xFF)
    assert survey(Built().base("input", "accept", (save,)).ruleset).marks_read == frozenset()
    read = Built().base("input", "accept", (save,), (only("ctmark", 1), ACCEPT))
    assert survey(read.ruleset).marks_read == {"mark", "ctmark"}
    in_tuples = Built().base("input", "accept", (Tuples(("mark", "dport"), ()), ACCEPT))
    assert survey(in_tuples.ruleset).marks_read == {"mark"}


def test_translation_of_destinations_alone_counts() -> None:
    def translates(step: Translate | Opaque | Choose) -> bool:
        return survey(Built().base("prerouting", "accept", (step,)).ruleset).translates

    assert translates(Translate("destination", to_itself=True))
    assert translates(Choose(((ALWAYS, Translate("destination", to_itself=True)),)))
    assert translates(Opaque("x"))
    assert not translates(Translate("source", to_itself=True))


def test_order_matters_where_chains_write_or_refuse_differently() -> None:
    def matters(built: Built) -> bool:
        ruleset = built.ruleset
        return order_matters(ruleset.base_chains, survey(ruleset))

    drop, reject = (Verdict("drop"),), (Verdict("reject"),)
    assert not matters(Built().base("input", "accept", drop))
    assert not matters(Built().base("input", "accept", drop).base("input", "drop", drop))
    assert matters(Built().base("input", "drop").base("input", "accept", reject))
    assert matters(Built().base("input", "accept").base("input", "accept", (Queue(),)))
    marking = Built().base("input", "accept", (SetMark("mark", 1),)).base("input", "accept", drop)
    assert not matters(marking)
    assert matters(marking.chain("reader", (only("mark", 1), ACCEPT)))


def test_effects_are_followed_through_jumps() -> None:
    built = Built().base("input", "accept", (Choose(((ALWAYS, Jump("a")),)),)).base("input", "drop")
    built.chain("a", (Jump("b"),)).chain("b", (Verdict("reject"),))
    found = survey(built.ruleset)
    assert found.refusals[built.ruleset.base_chains[0].chain.name] == {"reject"}
    assert found.refusals[built.ruleset.base_chains[1].chain.name] == {"drop"}
