"""The ruleset of a firewalld as it is with more rules: which chain gets each, and where in it.

Observed with firewalld 1.3.3: a rich rule with a priority below 0 stands in the zone's `_pre` chain, in the order of
priorities, one without in `_allow`. Direct rules stand first in the chains of iptables, or over the iptables back end
in chains named `_direct` which those jump to first of all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from callgate.change.remedy.firewalld_rules import SECOND, DirectChain, DirectRule, RichRule, saved_rule, saved_rules
from callgate.change.remedy.firewalld_zones import Firewalld, rich_rules
from callgate.change.remedy.foreseen import with_chain_rules, with_restored, with_tables
from callgate.errors import NotDetermined
from callgate.firewall.rule import Chain, ChainName, Family, Jump, Rule, Ruleset, Verdict

_PRIORITY = re.compile(r'^rule(?: family="?[a-z0-9]+"?)? priority="?(-?[0-9]{1,5})"?')
_OURS = re.compile(
    r'rule priority="-3276[78]" family="ipv[46]"(?: source (?:NOT )?address="[0-9a-f.:/]+")? '
    r'port port="[0-9-]+" protocol="(?:tcp|udp)" (?:accept|drop)'
)
_TABLE: Final = "mangle"
PREFIX: Final = "CALLGATE-FWD-"
"""What the names of our chains of the direct interface begin with."""


class Unplaceable(NotDetermined):
    """Where firewalld would put a rule is not known, or it has no place for it."""


def ruleset_after(
    guard: Firewalld, rich: Sequence[tuple[str, RichRule]], direct: Sequence[DirectChain | DirectRule]
) -> Ruleset:
    """The ruleset with these rules added at runtime. Raises Unplaceable."""
    ruleset = guard.ruleset
    for zone in dict.fromkeys(zone for zone, _ in rich):
        here = [rule for where, rule in rich if where == zone]
        first = [rule for rule in here if rule.part == "pre"]
        if first:
            _has_room(guard, zone, first)
        # Put in last to first, at the head: what lets in stands before what refuses.
        first.sort(key=lambda rule: rule.priority)
        for rule in first[::-1]:
            ruleset = with_chain_rules(ruleset, _chain(guard, ruleset, rule, zone), [_kernel(guard, rule)])
        for rule in here:
            if rule.part != "pre":
                name = _chain(guard, ruleset, rule, zone)
                ruleset = with_chain_rules(ruleset, name, [_kernel(guard, rule)], at=len(ruleset.chains[name].rules))
    families: tuple[Family, ...] = (4, 6)
    for family in families:
        ruleset = _with_direct(guard, ruleset, [one for one in direct if one.family == family], family)
    return ruleset


def _chain(guard: Firewalld, ruleset: Ruleset, rule: RichRule, zone: str) -> ChainName:
    name = guard.chain(rule.family, zone, rule.part)
    if name not in ruleset.chains:
        what = "does not know priorities (it is older than 0.7)" if rule.priority else "has no such zone"
        raise Unplaceable(f"this firewalld {what}: it has no chain {name.chain}")
    return name


def _kernel(guard: Firewalld, rule: RichRule) -> Rule:
    return rule.native() if guard.native else rule.xt(guard.xt)


def _has_room(guard: Firewalld, zone: str, rules: Sequence[RichRule]) -> None:
    """Raise Unplaceable where rules that are not ours have the lowest priorities: which is asked first is not told."""
    listed = rich_rules(guard.runtime, zone)
    if listed is None:
        if any(
            guard.ruleset.chains[name].rules
            for rule in rules
            if (name := guard.chain(rule.family, zone, "pre")) in guard.ruleset.chains
        ):
            raise Unplaceable(f"zone {zone} has rules with priorities that the evidence does not tell")
        return
    for text in listed:
        found = _PRIORITY.match(text)
        if found is not None and int(found[1]) <= SECOND and not _OURS.fullmatch(text):
            raise Unplaceable(f"zone {zone} has a rich rule of the lowest priority already: {text[:120]}")


def _with_direct(
    guard: Firewalld, ruleset: Ruleset, added: Sequence[DirectChain | DirectRule], family: Family
) -> Ruleset:
    own = [one for one in added if isinstance(one, DirectRule) and not one.options.startswith("-j ")]
    for chain in dict.fromkeys(one.chain for one in own):
        name = _named(guard, family, chain)
        mine = [one for one in own if one.chain == chain]
        passing = [one.options for one in mine if one.priority == 0]
        dropping = [one.options for one in mine if one.priority]
        if name not in ruleset.chains:
            lines = (f"-A {chain} {options}" for options in (*passing, *dropping))
            text = "\n".join([f"*{_TABLE}", f":{chain} - [0:0]", *lines, "COMMIT", ""])
            ruleset = with_restored(ruleset, text, family=family, backend=guard.xt)
            continue
        known = ruleset.chains[name].rules
        first = next((at for at, rule in enumerate(known) if rule.steps[-1:] == (Verdict("drop"),)), len(known))
        for at, texts in ((len(known), dropping), (first, passing)):
            rules = saved_rules(texts, family, guard.xt)
            ruleset = with_chain_rules(ruleset, name, rules, at=at, tracked=(family,))
    for one in added:
        if isinstance(one, DirectRule) and one.options.startswith("-j "):
            ruleset = _with_jump(guard, ruleset, one)
    return ruleset


def _with_jump(guard: Firewalld, ruleset: Ruleset, rule: DirectRule) -> Ruleset:
    to = rule.options.removeprefix("-j ")
    base = _named(guard, rule.family, rule.chain)
    direct = _named(guard, rule.family, f"{rule.chain}_direct")
    name = direct if direct in ruleset.chains and not guard.native else base
    if name not in ruleset.chains:
        text = f"*{_TABLE}\n:{rule.chain} ACCEPT [0:0]\nCOMMIT\n"
        ruleset = with_tables(ruleset, _empty(text, guard, rule.family))
    # Behind those of ours that are there: they have the same priority.
    known = ruleset.chains[name].rules
    at = next((at for at, rule in enumerate(known) if not _to_ours(rule)), len(known))
    step = replace(saved_rule("-j ACCEPT", rule.family, guard.xt), steps=(Jump(to),), text=f"-j {to}")
    return with_chain_rules(ruleset, name, [step], at=at)


def _to_ours(rule: Rule) -> bool:
    return any(isinstance(step, Jump) and step.chain.startswith(PREFIX) for step in rule.steps)


def _empty(text: str, guard: Firewalld, family: Family) -> Ruleset:
    return with_restored(Ruleset(), text, family=family, backend=guard.xt)


def _named(guard: Firewalld, family: Family, chain: str) -> ChainName:
    return ChainName(guard.xt, "ip" if family == 4 else "ip6", _TABLE, chain)


def stands(guard: Firewalld, rule: DirectChain | DirectRule) -> bool:
    """Whether the kernel has a direct rule of ours already."""
    if isinstance(rule, DirectChain):
        return _named(guard, rule.family, rule.name) in guard.ruleset.chains
    names = [_named(guard, rule.family, chain) for chain in (rule.chain, f"{rule.chain}_direct")]
    chains: list[Chain] = [guard.ruleset.chains[name] for name in names if name in guard.ruleset.chains]
    if rule.options.startswith("-j "):
        steps: tuple[object, ...] = (Jump(rule.options.removeprefix("-j ")),)
    else:
        steps = saved_rule(rule.options, rule.family, guard.xt).steps
    return any(one.steps == steps for chain in chains for one in chain.rules)
