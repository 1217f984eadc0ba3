"""The structure of a ruleset, free of counters, handles, texts and places: what two snapshots share or do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import (
    ACTIONS,
    Chain,
    Choose,
    Goto,
    Jump,
    Opaque,
    Rule,
    Ruleset,
    Translate,
)

PATHS: Final = 4096
"""How many ways to translating rules are followed; a ruleset with more is compared rule by rule."""

Form = Any
"""Nested tuples that are equal where two steps mean the same, member for member."""


class Forms:
    """Makes forms; conditions that rules share are taken apart once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, Form]] = {}

    def of(self, value: object) -> Form:
        """The form of a step, or of any part of one."""
        if isinstance(value, Intervals):
            return value.bounds
        if isinstance(value, frozenset):
            return tuple(sorted(map(str, value)))
        if isinstance(value, tuple):
            return tuple(self.of(one) for one in value)
        if is_dataclass(value):
            known = self._known.get(id(value))
            if known is None:
                form = (type(value).__name__, *(self.of(getattr(value, one.name)) for one in fields(value)))
                # The value is kept with it: its id stays its own.
                known = self._known[id(value)] = (value, form)
            return known[1]
        return value


def same_structure(one: Ruleset, other: Ruleset) -> bool:
    """Whether both hold the same chains, at the same hooks, with the same rules in the same order."""
    return bool(_structure(one) == _structure(other))


def _structure(ruleset: Ruleset) -> Form:
    forms = Forms()
    chains = {name: tuple(forms.of(rule.steps) for rule in chain.rules) for name, chain in ruleset.chains.items()}
    bases = {base.chain.name: (base.hook, base.priority, base.kind, base.policy, base.devices)
             for base in ruleset.base_chains}  # fmt: skip
    # An empty base chain that accepts does nothing, whether it is there or not.
    idle = {name for name, told in bases.items() if told[3] == "accept" and not chains.get(name)}
    used = {name: rules for name, rules in chains.items() if rules or name in bases}
    return (
        {name: rules for name, rules in used.items() if name not in idle},
        {name: told for name, told in bases.items() if name not in idle},
        ruleset.tracked,
    )


def translations(ruleset: Ruleset) -> dict[Form, Rule]:
    """Each way to a rule that translates: the hook, what a packet must meet to come there, and what becomes of it.

    Rules that nothing leads to are left out; the names of chains and tables, and the places of rules, do not count.
    """
    forms = Forms()
    found: dict[Form, Rule] = {}
    leading = _leading(ruleset)
    for base in ruleset.base_chains:
        stack: list[tuple[Chain, frozenset[Form]]] = [(base.chain, frozenset())]
        visits = 0
        while stack:
            chain, known = stack.pop()
            visits += 1
            if visits > PATHS or len(found) > PATHS:
                return _rule_by_rule(ruleset, forms)
            for rule in chain.rules:
                met = known | {forms.of(step) for step in rule.steps if not isinstance(step, ACTIONS)}
                if _translates(rule):
                    acts = forms.of(tuple(step for step in rule.steps if isinstance(step, ACTIONS)))
                    found[base.hook, base.chain.name.family, base.devices, met, acts] = rule
                for target, by in _jumps(rule):
                    name = chain.name._replace(chain=target)
                    if name in leading:
                        stack.append((ruleset.chains[name], met if by is None else met | {forms.of(by)}))
    return found


def _rule_by_rule(ruleset: Ruleset, forms: Forms) -> dict[Form, Rule]:
    return {
        (name.family, forms.of(rule.steps)): rule
        for name, chain in ruleset.chains.items()
        for rule in chain.rules
        if _translates(rule)
    }


def _leading(ruleset: Ruleset) -> frozenset[object]:
    """The chains from which a translating rule is reached."""
    found = {name for name, chain in ruleset.chains.items() if any(_translates(rule) for rule in chain.rules)}
    callers: dict[object, set[Any]] = {}
    for name, chain in ruleset.chains.items():
        for rule in chain.rules:
            for target, _ in _jumps(rule):
                callers.setdefault(name._replace(chain=target), set()).add(name)
    stack = list(found)
    while stack:
        for caller in callers.get(stack.pop(), ()):
            if caller not in found:
                found.add(caller)
                stack.append(caller)
    return frozenset(found)


def _translates(rule: Rule) -> bool:
    return any(isinstance(action, Translate | Opaque) for step in rule.steps for action in _actions(step))


def _jumps(rule: Rule) -> Iterator[tuple[str, Choose | None]]:
    for step in rule.steps:
        for action in _actions(step):
            if isinstance(action, Jump | Goto):
                yield action.chain, step if isinstance(step, Choose) else None


def _actions(step: object) -> Iterator[object]:
    if isinstance(step, Choose):
        for _, action in step.branches:
            yield from _actions(action)
    elif isinstance(step, ACTIONS):
        yield step
