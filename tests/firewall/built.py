"""Rulesets put together by hand."""

from __future__ import annotations

from tests.firewall.policy_strategies import host_of

from callgate.firewall.host import Host
from callgate.firewall.intervals import Intervals
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.rule import BaseChain, Chain, ChainName, Family, Rule, Ruleset, Step, Within
from callgate.firewall.sources import Door, Entrance
from callgate.firewall.view import PEER, View


def only(field: str, first: int, last: int | None = None, *, negated: bool = False, mask: int | None = None) -> Within:
    """A look at one field for one span."""
    return Within(field, Intervals.single(first, last), negated, mask)  # type: ignore[arg-type]


class Built:
    """Chains of one table, hooked where said."""

    def __init__(self, family: str = "ip") -> None:
        self._family = family
        self._chains: dict[ChainName, Chain] = {}
        self._bases: list[BaseChain] = []

    def name(self, chain: str) -> ChainName:
        """The full name of a chain."""
        return ChainName("nft", self._family, "t", chain)  # type: ignore[arg-type]

    def chain(self, name: str, *rules: tuple[Step, ...]) -> Built:
        """A chain of rules, each given by its steps."""
        full = self.name(name)
        made = tuple(Rule(steps, f"{name} {at}", full, at) for at, steps in enumerate(rules, 1))
        self._chains[full] = Chain(full, made)
        return self

    def base(self, hook: str, policy: str, *rules: tuple[Step, ...], nat: bool = False, priority: int = 0) -> Built:
        """A base chain, named by its hook, its priority and its number."""
        name = f"{hook}{priority}-{len(self._bases)}"
        self.chain(name, *rules)
        kind = "nat" if nat else "filter"
        chain = self._chains[self.name(name)]
        self._bases.append(BaseChain(chain, hook, -100 if nat else priority, kind, policy))  # type: ignore[arg-type]
        return self

    @property
    def ruleset(self) -> Ruleset:
        """All of it."""
        return Ruleset(tuple(self._bases), self._chains, frozenset((4, 6)))

    def policy(self, host: Host | None = None) -> Policy:
        """The ruleset on a host."""
        return Policy(self.ruleset, host or host_of())

    def door(self, question: Question, host: Host | None = None, interface: str = "eth0", family: Family = 4) -> Door:
        """Who gets in by one interface."""
        return sources_reaching(self.policy(host), question, (family,)).doors[Entrance(family, interface)]


def syn(destination: int, dport: int = 2000, **fields: object) -> View:
    """A new TCP flow from anybody by eth0."""
    return View(4, 6, "eth0", PEER, (destination, destination), (40000, 40000), (dport, dport), **fields)  # type: ignore[arg-type]
