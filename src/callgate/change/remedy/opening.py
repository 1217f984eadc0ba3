"""Letting trusted networks in: which chains refuse them now, and so need an accept at their head."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from callgate.audit.target import Target
from callgate.change.remedy.foreseen import foreseen_target
from callgate.change.remedy.gate import interface, is_iptables
from callgate.change.remedy.need import WHERE, Need, unserved
from callgate.evidence.interfaces import Network
from callgate.firewall.rule import BaseChain, Family, Jump, Ruleset
from callgate.firewall.sources import Entrance


@dataclass(frozen=True, slots=True)
class Accept:
    """What is to be let through at the head of one base chain."""

    need: Need
    base: BaseChain

    @property
    def family(self) -> Family:
        """The family of the packets."""
        return self.need.family

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks to let in."""
        return self.need.networks

    @property
    def interface(self) -> str | None:
        """The interface that they come in by."""
        return self.need.interface


def accepts(target: Target, needs: Sequence[Need]) -> tuple[tuple[Accept, ...], list[tuple[Need, str]]]:
    """The accepts that the needs ask for, chain by chain; and the needs that cannot be met so, with the reason."""
    found: list[Accept] = []
    left: list[tuple[Need, str]] = []
    for need in needs:
        if need.action != "open":
            continue
        if not need.where:
            left.append((need, "it is not a filter of incoming packets that refuses it"))
            continue
        if need.interface is not None:
            interface(need.interface)
        found += [Accept(need, base) for base in refusing(target, need)]
    return tuple(found), left


def refusing(target: Target, need: Need) -> tuple[BaseChain, ...]:
    """The base chains that by themselves keep the networks from being served."""
    ruleset = target.evidence.policy.ruleset
    refusals = target.evidence.policy.survey.refusals
    suspects = [
        base
        for base in ruleset.base_chains
        if base.hook in need.where
        and base.kind != "nat"
        and (base.policy != "accept" or refusals.get(base.chain.name))
        and base.chain.name.family in ("inet", "ip" if need.family == 4 else "ip6")
    ]
    if len(suspects) < 2:
        return tuple(suspects)
    others = [base for base in ruleset.base_chains if base.hook not in WHERE or base.kind == "nat"]
    return tuple(base for base in suspects if not _serves(target, need, ruleset, [*others, base]))


def _serves(target: Target, need: Need, ruleset: Ruleset, bases: Sequence[BaseChain]) -> bool:
    alone = foreseen_target(target, replace(ruleset, base_chains=tuple(bases)))
    assert need.interface is not None
    return Entrance(need.family, need.interface) not in unserved(alone, need.service)


def manager_of(base: BaseChain) -> str | None:
    """The firewall manager that owns a base chain, as the chains it jumps to show; nobody else edits its rules."""
    name = base.chain.name
    if not is_iptables(name):
        return "firewalld" if name.table.startswith("firewalld") else None
    jumps = {step.chain for rule in base.chain.rules for step in rule.steps if isinstance(step, Jump)}
    for manager, prefixes in _SIGNS.items():
        if any(jump.startswith(prefixes) for jump in jumps):
            return manager
    return None


_SIGNS: dict[str, tuple[str, ...]] = {
    "firewalld": ("INPUT_ZONES", "INPUT_direct", "FORWARD_IN_ZONES", "FORWARD_direct"),
    "ufw": ("ufw-", "ufw6-"),
    "CSF": ("LOCALINPUT",),
    "the FreePBX firewall": ("fpbxfirewall",),
}
"""The chains of iptables that managers make, and jump to from built-in ones."""


def flushed_by(ruleset: Ruleset) -> str | None:
    """The manager that flushes every table of iptables when it is reloaded (firewalld with that back end) or started.

    Its own chains show that it is there: INPUT_ZONES is firewalld's, LOCALINPUT ConfigServer's (csf).
    """
    chains = {name.chain for name in ruleset.chains if is_iptables(name)}
    return "firewalld" if "INPUT_ZONES" in chains else "CSF" if "LOCALINPUT" in chains else None


def not_opened(refused: Iterable[tuple[Need, str]]) -> tuple[str, ...]:
    """Whom a format leaves without a service, a line for each reason."""
    by_reason: dict[str, dict[str, dict[str, None]]] = {}
    for need, reason in refused:
        networks = ", ".join(map(str, need.networks))
        by_reason.setdefault(reason, {}).setdefault(networks, {})[f"{need.service.title} ({need.service.ports})"] = None
    lines = []
    for reason, without in by_reason.items():
        said = [f"{networks} stays without {', '.join(services)}" for networks, services in without.items()]
        lines.append(f"{'; '.join(said)}: {reason}")
    return tuple(lines)


def met(needs: Iterable[Need], refused: Iterable[tuple[Need, str]]) -> tuple[Need, ...]:
    """The needs of `open` that are not among those refused."""
    left = {id(need) for need, _ in refused}
    return tuple(need for need in needs if need.action == "open" and id(need) not in left)


def owned_by(owner: str) -> str:
    """Why a chain is not edited by a format, and what does it."""
    by = f"use --format {owner}" if owner in ("firewalld", "ufw", "iptables", "nft") else f"let {owner} do it"
    return f"a chain of {owner} refuses: {by}"
