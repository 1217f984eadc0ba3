"""The host as it will be: rules merged into the parsed ruleset, never into the text of a dump."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final, Literal

from callgate.audit.target import Target
from callgate.evidence.boot.units import UNITS
from callgate.evidence.bundle import MANIFEST, Bundle
from callgate.evidence.evidence import Evidence
from callgate.evidence.filtering import Filtering
from callgate.evidence.interfaces import InterfaceAddress, Route
from callgate.evidence.listener import Listener
from callgate.evidence.stream import FileState
from callgate.firewall.iptables.save import read_save
from callgate.firewall.iptables.table import base_chain
from callgate.firewall.nftables.ruleset import read_nft
from callgate.firewall.policy import Policy
from callgate.firewall.rule import BaseChain, Chain, ChainName, Family, Rule, Ruleset

_BUILT_IN: Final = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_METAINFO: Final = {"metainfo": {"json_schema_version": 1}}


def with_chain_rules(
    ruleset: Ruleset, chain: ChainName, rules: Sequence[Rule], at: int = 0, *, tracked: Iterable[Family] = ()
) -> Ruleset:
    """The ruleset with rules put into one of its chains, before the rule that is at index `at` (0 the first).

    `tracked`: families in which the rules look at connection tracking, and so make the kernel track. Chain and position
    of the rules given are set anew. Raises KeyError when the ruleset has no such chain.
    """
    known = ruleset.chains[chain].rules
    joined = (*known[:at], *rules, *known[at:])
    return _with_chains(ruleset, {chain: _chain(chain, joined)}, (), tracked)


def without_rules(ruleset: Ruleset, chain: ChainName, unwanted: Iterable[Rule]) -> Ruleset:
    """The ruleset with some rules (these very objects) taken out of a chain."""
    gone = {id(rule) for rule in unwanted}
    kept = tuple(rule for rule in ruleset.chains[chain].rules if id(rule) not in gone)
    return _with_chains(ruleset, {chain: _chain(chain, kept)}, (), ())


def with_tables(ruleset: Ruleset, added: Ruleset) -> Ruleset:
    """The ruleset with the chains of another beside its own; a chain of both is the other's."""
    return _with_chains(ruleset, added.chains, added.base_chains, added.tracked)


def with_restored(ruleset: Ruleset, text: str, *, family: Family, backend: Literal["nft", "legacy"]) -> Ruleset:
    """The ruleset after `iptables-restore --noflush` of `text`, whose rules in built-in chains are all `-I` (at 1).

    Chains of one's own that the text declares (`:NAME -`) are emptied first, as iptables-restore does. Raises
    EvidenceError for a text that is not in the form of iptables-save.
    """
    dump = read_save(text, "remedy", family="ip" if family == 4 else "ip6", backend=backend, sets=None)
    own = {name: chain for name, chain in dump.chains.items() if name.chain not in _BUILT_IN}
    merged = _with_chains(ruleset, own, (), dump.tracked)
    for name, chain in dump.chains.items():
        if name.chain not in _BUILT_IN:
            continue
        if name in merged.chains:
            merged = with_chain_rules(merged, name, chain.rules)
        else:
            merged = _with_chains(merged, {name: chain}, (base_chain(chain, "accept"),), ())
    return merged


def read_tables(entries: Sequence[Mapping[str, object]]) -> Ruleset:
    """Tables as `nft -j list ruleset` prints them (`{"table": ...}`, `{"chain": ...}`, ...), without its metainfo."""
    text = json.dumps({"nftables": [_METAINFO, *entries]})
    return replace(read_nft(text, "remedy", listing=None, filled={}), notes=())


def _chain(name: ChainName, rules: Iterable[Rule]) -> Chain:
    return Chain(name, tuple(replace(rule, chain=name, position=at) for at, rule in enumerate(rules, 1)))


def _with_chains(
    ruleset: Ruleset, changed: Mapping[ChainName, Chain], added: Sequence[BaseChain], tracked: Iterable[Family]
) -> Ruleset:
    chains = {**ruleset.chains, **changed}
    new = {base.chain.name: base for base in added}
    bases = [new.pop(base.chain.name, base) for base in ruleset.base_chains]
    bases = [replace(base, chain=chains[base.chain.name]) for base in (*bases, *new.values())]
    return replace(ruleset, base_chains=tuple(bases), chains=chains, tracked=ruleset.tracked | frozenset(tracked))


class ForeseenEvidence(Evidence):
    """The evidence of a host as it will be: another policy and other files below etc/, all else as collected."""

    def __init__(
        self, before: Evidence, ruleset: Ruleset, files: Mapping[str, str | None], units: Iterable[str] = ()
    ) -> None:
        super().__init__(with_files(before.bundle, files, units))
        self.before = before
        # What the cached property would read from the dumps, which are those of before.
        self.policy = Policy(ruleset, before.policy.host)

    @cached_property
    def filtering(self) -> Filtering:
        """What the ruleset holds, without weighing any rule."""
        ruleset = self.policy.ruleset
        rules = sum(len(chain.rules) for chain in ruleset.chains.values())
        refusing = sum(base.policy != "accept" for base in ruleset.base_chains)
        return Filtering(rules, refusing, self.before.filtering.translates or self.policy.survey.translates)

    @cached_property
    def listeners(self) -> tuple[Listener, ...]:
        """As before."""
        return self.before.listeners

    @cached_property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """As before."""
        return self.before.addresses

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """As before."""
        return self.before.routes

    @cached_property
    def sysctls(self) -> dict[str, str]:
        """As before."""
        return self.before.sysctls

    @property
    def rules_alone(self) -> bool:
        """As before: the files a remedy leaves make no host of a ruleset."""
        return self.before.rules_alone


def with_files(bundle: Bundle, files: Mapping[str, str | None], units: Iterable[str] = ()) -> Bundle:
    """The bundle with other texts in some files (None: the host has none), and units enabled.

    Where there is a manifest, it vouches for them.
    """
    held = {name: data for name, data in bundle._files.items() if files.get(name, "") is not None}
    added = {name: text.encode() for name, text in files.items() if text is not None}
    if UNITS in bundle and (started := tuple(units)):
        known = bundle.text(UNITS)
        kept = [line for line in known.splitlines() if not line.startswith(tuple(f"{unit} " for unit in started))]
        lines = [*kept, *(f"{unit} enabled enabled" for unit in started)]
        added[UNITS] = "".join(f"{line}\n" for line in lines).encode()
    if bundle.manifest is not None:
        manifest = json.loads(held[MANIFEST])
        for name in {*files, *added}:
            record: dict[str, object] = {"command": "foreseen", "state": FileState.ABSENT}
            if name in added:
                record = {"command": "foreseen", "exit_code": 0, "sha256": hashlib.sha256(added[name]).hexdigest()}
            manifest["files"][name] = record
        held[MANIFEST] = json.dumps(manifest).encode() + b"\n"
    return Bundle(bundle.source, {**held, **added})


def foreseen_target(
    target: Target, ruleset: Ruleset, files: Mapping[str, str | None] | None = None, units: Iterable[str] = ()
) -> Target:
    """The host under audit as it will be: another ruleset, other texts in some files below etc/, units enabled.

    Raises EvidenceError where the evidence of before is damaged, or the ruleset cannot be followed.
    """
    return SeenAs(target, ForeseenEvidence(target.evidence, ruleset, files or {}, units))


class SeenAs(Target):
    """A host under audit, with other evidence than was collected."""

    def __init__(self, target: Target, evidence: Evidence) -> None:
        super().__init__(target.host, target.plan, evidence.bundle)
        self.uri, self.name = target.uri, target.name
        self.evidence = evidence
