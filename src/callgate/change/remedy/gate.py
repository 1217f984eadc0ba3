"""The gate: what is dropped at which hook, and who passes; the form each tool writes it in is its own matter.

A drop is final in whatever base chain it stands, an accept is not: so one early chain closes broad accepts, address
translation, containers and rules behind a manager's back alike, and a chain that only drops lets nobody new in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Final, Literal

from callgate.audit.target import Target
from callgate.change.remedy.need import WHERE, Need, Where
from callgate.change.remedy.recipe import Refused
from callgate.evidence.interfaces import Network
from callgate.firewall.rule import FAMILIES, Chain, ChainName, Family, Goto, Jump, Rule, Ruleset, Verdict, Within

PRIORITY: Final = -150
"""With iptables' table mangle: behind destination translation, in front of every filter."""
TABLE: Final = "callgate"
"""The nftables table that is ours."""
CHAINS: Final = ("CALLGATE", "CALLGATE-FORWARD", "CALLGATE-OPEN", "CALLGATE-OPEN-FORWARD")
"""The iptables chains that are ours: what drops in table mangle, what accepts in table filter; by hook."""
FILES: Final = tuple(f"etc/callgate/gate.{kind}" for kind in ("nft", "v4", "v6"))
"""What loads the gate at boot holds it in these, by the bundle's names; of an earlier remedy none is left."""
MARK: Final = "callgate"
"""The comment on rules put into others' nftables chains."""
_MARKED: Final = re.compile(rf' comment "{MARK}"$')
_INTERFACE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}")

_EPHEMERAL: Final = 32768
"""The first port that programs are given which ask for none, unless the host is set up otherwise (ip(7))."""

Span = tuple[int, int]
Transport = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Drop:
    """What one rule drops: packets of one transport to these ports, unless an exception before it let them pass."""

    transport: Transport
    ports: tuple[Span, ...]
    families: tuple[Family, ...]
    original: bool = False
    """The ports are those that were sent to, before any translation; else those that packets arrive at."""
    translated: bool = False
    """Only packets whose destination was translated (of what is forwarded: what else goes through is transit)."""
    into: tuple[Network, ...] = ()
    """Only packets into these networks, of one family."""

    def in_words(self, where: Where) -> str:
        """Which packets."""
        ports = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ports)
        families = " and ".join(f"IPv{family}" for family in self.families)
        sent = "sent to" if self.original else "to"
        limits = [", translated"] if self.translated else []
        limits += [f", into {', '.join(map(str, self.into))}"] if self.into else []
        delivered = "delivered here" if where == "input" else "sent on"
        return f"{families} {sent} {ports}/{self.transport}{''.join(limits)}, {delivered}"


@dataclass(frozen=True, slots=True)
class Gate:
    """Who passes everywhere, and what is dropped at each hook."""

    trusted: tuple[Network, ...]
    spared: tuple[str, ...]
    """Interfaces that the site names as leading to trusted networks only."""
    drops: dict[Where, tuple[Drop, ...]]
    untracked: tuple[Family, ...] = ()
    """The families whose flows nothing tracked so far: the next packet of a flow decides who is taken to have begun it.

    A TCP flow that a stranger has is then the host's own as soon as the host sends (nf_conntrack_tcp_loose)."""

    @property
    def families(self) -> tuple[Family, ...]:
        """The families in which something is dropped."""
        found = {family for drops in self.drops.values() for drop in drops for family in drop.families}
        return tuple(sorted(found))

    def trusted_of(self, family: Family) -> tuple[Network, ...]:
        """The trusted networks of a family."""
        return tuple(one for one in self.trusted if one.version == family)

    def before_replies(self, where: Where) -> tuple[Drop, ...]:
        """What is dropped even if it looks like a reply: TCP flows from a port that others are served at.

        Programs that call over TCP do so from a port of their own (ip_local_port_range).
        """
        return tuple(
            drop
            for drop in self.drops[where]
            if drop.transport == "tcp" and not (drop.original or drop.translated)
            if set(drop.families) & set(self.untracked) and all(last < _EPHEMERAL for _, last in drop.ports)
        )

    def in_words(self, place: str) -> tuple[str, ...]:
        """What it does, a line for each rule that drops."""
        passing = ", ".join(str(one) for one in self.trusted if one.version in self.families)
        through = ", ".join((*([passing] if passing else []), *self.spared, "loopback and replies"))
        who = f"{place} lets {through} pass, and drops"
        return (who, *(f"  {drop.in_words(where)}" for where in WHERE for drop in self.drops[where]))


def gate_of(target: Target, needs: Iterable[Need]) -> Gate:
    """The gate that closes what is to be closed. Raises Refused for an interface whose name is none."""
    closing = [need for need in needs if need.action == "close"]
    spared = tuple(target.plan.site.voice_interfaces)
    for name in spared:
        interface(name)
    drops = {where: tuple(_drops(where, [need for need in closing if where in need.where])) for where in WHERE}
    tracked = target.evidence.policy.ruleset.tracked
    untracked = tuple(family for family in FAMILIES if family not in tracked)
    return Gate(trusted_networks(target), spared, drops, untracked)


def trusted_networks(target: Target) -> tuple[Network, ...]:
    """The trusted networks, none within another: sets of intervals take no others."""
    trusted = target.plan.site.trusted
    four = collapse_addresses([one for one in trusted if isinstance(one, IPv4Network)])
    six = collapse_addresses([one for one in trusted if isinstance(one, IPv6Network)])
    return (*four, *six)


def interface(name: str) -> str:
    """The name of an interface, sound to be written into rules. Raises Refused for another."""
    if not _INTERFACE.fullmatch(name):
        raise Refused(f"the evidence names an interface {name[:40]!r}, which no rule can name")
    return name


def _drops(where: Where, needs: Sequence[Need]) -> Iterable[Drop]:
    """The fewest rules for the needs of one hook."""
    if where == "input":
        yield from _joined(needs, Drop("tcp", (), ()))
        translated = [need for need in needs if need.translated]
        yield from _joined(translated, Drop("tcp", (), (), original=True))
        return
    translated = [need for need in needs if need.translated]
    yield from _joined(translated, Drop("tcp", (), (), translated=True))
    yield from _joined(translated, Drop("tcp", (), (), original=True, translated=True))
    for into in dict.fromkeys(need.behind for need in needs if need.behind):
        yield from _joined([need for need in needs if need.behind == into], Drop("tcp", (), (), into=into))


def _joined(needs: Sequence[Need], form: Drop) -> Iterable[Drop]:
    """One rule for each transport and set of families, with all of their ports."""
    transports: tuple[Transport, ...] = ("tcp", "udp")
    for transport in transports:
        families: dict[Span, set[Family]] = {}
        for need in needs:
            if need.service.transport == transport:
                families.setdefault((need.service.port[0], need.service.port[-1]), set()).add(need.family)
        groups: dict[tuple[Family, ...], list[Span]] = {}
        for span, members in sorted(families.items()):
            groups.setdefault(tuple(sorted(members)), []).append(span)
        for group, spans in groups.items():
            yield replace(form, transport=transport, ports=disjoint(spans), families=group)


def disjoint(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans of ports in order, overlapping ones made one: sets of intervals take no others."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def without_gate(ruleset: Ruleset) -> Ruleset:
    """The ruleset without anything that the remedies `nft` and `iptables` put there."""
    chains: dict[ChainName, Chain] = {}
    for name, chain in ruleset.chains.items():
        if _is_ours(name):
            continue
        kept = tuple(rule for rule in chain.rules if not _ours(rule))
        if len(kept) < len(chain.rules):
            kept = tuple(replace(rule, position=at) for at, rule in enumerate(kept, 1))
            chain = Chain(name, kept)
        chains[name] = chain
    bases = [replace(base, chain=chains[base.chain.name]) for base in ruleset.base_chains if base.chain.name in chains]
    tracked = ruleset.tracked - set(_first_tracked(ruleset))
    return replace(ruleset, base_chains=tuple(bases), chains=chains, tracked=tracked)


def _first_tracked(ruleset: Ruleset) -> Iterator[Family]:
    """The families that nothing but a gate of ours has tracked: it drops some TCP flows in front of all replies."""
    for chain in ruleset.chains.values():
        if not _is_ours(chain.name):
            continue
        asks = [
            any(isinstance(step, Within) and step.field == "ct_direction" for step in one.steps) for one in chain.rules
        ]
        early = chain.rules[: asks.index(True)] if True in asks else ()
        if any(step == Verdict("drop") for rule in early for step in rule.steps):
            yield from (one for one in FAMILIES if chain.name.family in ("inet", "ip" if one == 4 else "ip6"))


def gate_format(ruleset: Ruleset) -> Literal["nft", "iptables"] | None:
    """The format of the remedy of ours that stands in it; None for none."""
    ours = [name for name in ruleset.chains if _is_ours(name)]
    ours += [rule.chain for chain in ruleset.chains.values() for rule in chain.rules if _ours(rule)]
    if not ours:
        return None
    return "iptables" if any(map(is_iptables, ours)) else "nft"


def _is_ours(name: ChainName) -> bool:
    if name.backend == "nft" and name.family == "inet" and name.table == TABLE:
        return True
    return is_iptables(name) and name.chain in CHAINS


def _ours(rule: Rule) -> bool:
    """A rule of ours in a chain of somebody else's."""
    if is_iptables(rule.chain):
        last = rule.steps[-1] if rule.steps else None
        return isinstance(last, Jump | Goto) and last.chain in CHAINS
    return _MARKED.search(rule.text) is not None


def is_iptables(name: ChainName) -> bool:
    """Whether the chain is in a table of iptables, of either back end."""
    return name.family in ("ip", "ip6") and name.table in ("raw", "mangle", "nat", "filter", "security")
