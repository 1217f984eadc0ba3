"""Long lists of rules, against binary decision diagrams: how many sources each port accepts, to the last one."""

from __future__ import annotations

from random import Random

import pytest
from tests.firewall.built import Built, syn
from tests.firewall.policy_strategies import OWN4

from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import Rule, Step, Verdict, Within

oxidd = pytest.importorskip("oxidd.bdd", reason="oxidd is not installed: pip install oxidd")

ADDRESS, PORT = 32, 16


class Diagrams:
    """Sets of (source, port) as decision diagrams, most significant bit first."""

    def __init__(self) -> None:
        self._manager = oxidd.BDDManager(1 << 20, 1 << 18, 1)
        self._manager.add_vars(ADDRESS + PORT)
        self._bits = [self._manager.var(at) for at in range(ADDRESS + PORT)]
        self.none, self.all = self._manager.false(), self._manager.true()

    def _from(self, first: int, bits: list[object]) -> object:
        """The numbers not below `first`."""
        found = self.all
        for at, bit in enumerate(reversed(bits)):
            found = bit & found if first >> at & 1 else bit | found
        return found

    def values(self, values: Intervals, field: str) -> object:
        """The numbers of a field that are members."""
        bits = self._bits[:ADDRESS] if field == "saddr4" else self._bits[ADDRESS:]
        found = self.none
        for first, last in values:
            above = self.none if last + 1 == 1 << len(bits) else self._from(last + 1, bits)
            found = found | (self._from(first, bits) & ~above)  # type: ignore[operator]
        return found

    def port(self, number: int) -> object:
        """One port."""
        return self.values(Intervals.single(number), "dport")

    def accepted(self, rules: list[Rule]) -> object:
        """What a list accepts, first match first."""
        accepted, left = self.none, self.all
        for rule in rules:
            *conditions, verdict = rule.steps
            hit = left
            for one in conditions:
                assert isinstance(one, Within)
                members = self.values(one.values, one.field)
                hit = hit & (~members if one.negated else members)  # type: ignore[operator]
            if verdict == Verdict("accept"):
                accepted = accepted | hit
            left = left & ~hit
        return accepted


def addresses(luck: Random) -> Intervals:
    kind = luck.randrange(3)
    number = luck.getrandbits(32)
    if kind == 0:
        length = luck.choice((8, 12, 16, 20, 24, 28, 32))
        span = (1 << 32 - length) - 1
        return Intervals.single(number & ~span, number | span)
    if kind == 1:
        return Intervals.single(number, min(number + luck.randrange(1 << luck.randrange(30)), 2**32 - 1))
    return Intervals.of((one, min(one + 9, 2**32 - 1)) for one in (luck.getrandbits(32) for _ in range(3)))


PORTS = (0, 22, 1999, 2000, 2001, 5060, 5061, 40000, 65535)


def listed(luck: Random, many: int) -> list[tuple[Step, ...]]:
    rules: list[tuple[Step, ...]] = []
    for _ in range(many):
        steps: list[Step] = []
        if luck.random() < 0.97:
            # A negated network nearly ends a list: let them be rare, and dropping or not by chance.
            steps.append(Within("saddr4", addresses(luck), luck.random() < 0.01))
        if luck.random() < 0.7 or not steps:
            first = luck.choice(PORTS)
            last = first if luck.random() < 0.5 else luck.choice([one for one in PORTS if one >= first])
            steps.append(Within("dport", Intervals.single(first, last), luck.random() < 0.15))
        rules.append((*steps, Verdict(luck.choice(("accept", "drop")))))
    return rules


@pytest.mark.parametrize(("many", "seed"), [(300, 1), (300, 2), (500, 3), (1000, 4)])
def test_the_number_of_accepted_sources_is_exact_for_every_port(many: int, seed: int) -> None:
    built = Built().base("input", "drop", *listed(Random(seed), many))
    policy = built.policy()
    diagrams = Diagrams()
    truth = diagrams.accepted(list(built.ruleset.base_chains[0].chain.rules))
    for port in PORTS:
        found = policy._path._hooks._traversal.summary(built.ruleset.base_chains[0].chain, syn(OWN4, port))
        accepted = found.where(lambda each: {one.fate for one in each} == {"accept"}, 2**32 - 1)
        expected = (truth & diagrams.port(port)).sat_count(ADDRESS + PORT)  # type: ignore[operator]
        assert accepted.size == expected
        assert 0 < expected < 2**32
