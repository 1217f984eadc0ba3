"""Rules that services put in themselves when they start: they are there after a boot, whatever is saved.

Docker, fail2ban, libvirt, Kubernetes and FreePBX keep chains of their own and jumps into them. What they have put in
now, they put in again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from callgate.errors import NotDetermined
from callgate.evidence.boot import BootPlan
from callgate.firewall.rule import (
    BaseChain,
    Chain,
    ChainName,
    Choose,
    Goto,
    Jump,
    Return,
    Rule,
    Ruleset,
    Step,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
    chains: re.Pattern[str]
    tables: frozenset[str] = frozenset()
    """Native tables of nf_tables that are all its own."""
    rules: re.Pattern[str] | None = None
    """Rules that it puts into chains of others, beside jumps to its own."""
    users: frozenset[str] = frozenset()
    """Of its chains those that it leaves to the administrator: what is in there nobody puts in again."""
    refusing: re.Pattern[str] | None = None
    """All that it refuses in its own chains; whatever else refuses something there is the administrator's."""


_BRIDGE: Final = r"(?:docker\d+|br-[0-9a-f]{12})"
_OWNERS: Final = (
    _Owner(
        "docker",
        re.compile(r"DOCKER(-.*)?"),
        frozenset({"docker-bridges"}),
        re.compile(
            rf"-A \S+ (?:-o {_BRIDGE} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
            rf"|-i {_BRIDGE} ! -o {_BRIDGE} -j ACCEPT|-i {_BRIDGE} -o {_BRIDGE} -j (?:ACCEPT|DROP)"
            rf"|-s \S+ ! -o {_BRIDGE} -j (?:MASQUERADE|SNAT --to-source \S+)"
            rf"|-o {_BRIDGE} -m addrtype --src-type LOCAL -j MASQUERADE"
            rf"|-d \S+ ! -i {_BRIDGE} (?:-p \w+ -m \w+ --dport \d+ )?-j DROP)"
        ),
        frozenset({"DOCKER-USER"}),
        re.compile(r"-A \S+ (?:(?:! -[sd] \S+ |! -i \S+ )?-o \S+|! -[sd] \S+ -i \S+) -j DROP"),
    ),
    _Owner("fail2ban", re.compile(r"(f2b|fail2ban)-.*"), frozenset({"f2b-table"})),
    _Owner("libvirt", re.compile(r"LIBVIRT_.*"), frozenset({"libvirt_network"})),
    _Owner("kubernetes", re.compile(r"(KUBE|CNI|FLANNEL)-.*|cali-.*"), frozenset({"kube-proxy"})),
    _Owner("FreePBX", re.compile(r"fpbx.*")),
    _Owner("podman", re.compile(r"NETAVARK.*"), frozenset({"netavark"})),
)


def with_owners(running: Ruleset, booted: Ruleset, plan: BootPlan) -> tuple[Ruleset, tuple[str, ...]]:
    """The rules after boot together with what starting services add to them, and what that takes for granted.

    Raises NotDetermined where it is not told whether such a service starts, or where its rules come to stand.
    """
    notes = []
    for owner in _OWNERS:
        if not any(_is_own(owner, name) for name in running.chains):
            continue
        starts = plan.owners.get(owner.name)
        if owner.name == "docker" and starts is False:
            starts = None  # docker.socket may start it
        if starts is None and plan.units_told:
            raise NotDetermined(f"what loads at boot is not told: whether {owner.name} puts its rules in again")
        if starts is False:
            notes.append(f"{owner.name} does not start at boot: its rules are gone then")
            continue
        booted = _with_owner(running, booted, owner)
        notes.append(f"{owner.name} is taken to put the same rules in again when it starts")
    return booted, tuple(notes)


def _is_own(owner: _Owner, name: ChainName) -> bool:
    return name.table in owner.tables or owner.chains.fullmatch(name.chain) is not None


def _with_owner(running: Ruleset, booted: Ruleset, owner: _Owner) -> Ruleset:
    chains = dict(booted.chains)
    bases = {base.chain.name: base for base in booted.base_chains}
    for name, chain in running.chains.items():
        if name.chain in owner.users:
            chains[name] = chains.get(name) or Chain(name, tuple(rule for rule in chain.rules if _returns(rule)))
            continue
        if _is_own(owner, name):
            chains[name] = Chain(name, tuple(rule for rule in chain.rules if not _is_administrators(owner, rule)))
            continue
        own = [rule for rule in chain.rules if _is_rule_of(owner, rule)]
        if own:
            base = next((base for base in running.base_chains if base.chain.name == name), None)
            chains[name] = Chain(name, _placed(owner, chain, own, chains.get(name), base))
            if base is not None:
                bases[name] = _base(owner, name, base, bases.get(name))
    for base in running.base_chains:
        if _is_own(owner, base.chain.name):
            bases[base.chain.name] = base
    joined = tuple(replace(base, chain=chains[name]) for name, base in bases.items())
    return replace(booted, base_chains=joined, chains=chains, tracked=booted.tracked | running.tracked)


def _base(owner: _Owner, name: ChainName, running: BaseChain, saved: BaseChain | None) -> BaseChain:
    """A chain the kernel begins at: a policy that nothing saves is accept. Docker may set the one of FORWARD."""
    found = saved or replace(running, policy="accept")
    if owner.name == "docker" and name.chain == "FORWARD" and found.policy != running.policy:
        raise NotDetermined(f"what loads at boot is not told: the policy of {name} once docker starts")
    return found


def _placed(
    owner: _Owner, chain: Chain, own: list[Rule], booted: Chain | None, base: BaseChain | None
) -> tuple[Rule, ...]:
    """The rules of a chain once the owner has put in its own: they keep their place before or behind all others."""
    if booted is None and base is None:
        raise NotDetermined(
            f"what loads at boot is not told: {owner.name} has rules in {chain.name}, which is not saved"
        )
    ids = {id(rule) for rule in own}
    rest = [rule for rule in chain.rules if id(rule) not in ids]
    saved = [rule for rule in (booted.rules if booted else ()) if not _is_rule_of(owner, rule)]
    if [rule.text for rule in rest] == [rule.text for rule in saved]:
        return chain.rules
    count = len(own)
    if [id(rule) for rule in chain.rules[:count]] == [id(rule) for rule in own]:
        joined = [*own, *saved]
    elif [id(rule) for rule in chain.rules[-count:]] == [id(rule) for rule in own]:
        joined = [*saved, *own]
    else:
        raise NotDetermined(f"what loads at boot is not told: where {owner.name} puts its rules in {chain.name}")
    return tuple(replace(rule, position=at) for at, rule in enumerate(joined, 1))


def _is_rule_of(owner: _Owner, rule: Rule) -> bool:
    if any(owner.chains.fullmatch(target) for step in rule.steps for target in _targets(step)):
        return True
    return owner.rules is not None and owner.rules.fullmatch(rule.text) is not None


def _is_administrators(owner: _Owner, rule: Rule) -> bool:
    """Whether somebody else put a rule that refuses into a chain of the owner's, which makes its chains anew."""
    if owner.refusing is None or owner.refusing.fullmatch(rule.text):
        return False
    return any(isinstance(step, Verdict) and step.kind != "accept" for step in rule.steps)


def _returns(rule: Rule) -> bool:
    return all(isinstance(step, Return) for step in rule.steps)


def _targets(step: Step) -> Iterator[str]:
    if isinstance(step, Choose):
        for _, action in step.branches:
            yield from _targets(action)
    elif isinstance(step, (Jump, Goto)):
        yield step.chain
