"""The firewall as it is after the next boot: what the enabled managers load, in place of what runs now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakKeyDictionary

from callgate.audit.boot_owners import with_owners
from callgate.audit.boot_saved import Saved, load_saved
from callgate.audit.target import Target
from callgate.errors import LabError, NotDetermined
from callgate.evidence.boot import BootLoader, BootPlan, boot_plan
from callgate.evidence.boot.forwarding import SWITCHES
from callgate.evidence.boot.settings import settings
from callgate.evidence.boot.zones import bound_now, differences, read_zones
from callgate.evidence.evidence import Evidence
from callgate.evidence.filtering import Filtering
from callgate.firewall.allocation import without_collection
from callgate.firewall.dumps import read_ruleset
from callgate.firewall.iptables.save import written_by
from callgate.firewall.policy import Policy
from callgate.firewall.rule import Family, Ruleset

NOTHING_TOLD: Final = "the bundle holds nothing about booting: no saved rules (etc/) and no unit states"
RULES_ALONE: Final = "the bundle is a ruleset without its host: nothing is known of how it boots"
_TOLD: Final = 4
_NFT: Final = '{"nftables": [{"metainfo": {"json_schema_version": 1}}]}\n'


class BootedEvidence(Evidence):
    """The same host with the rules that boot loads: `policy` and `filtering` are of after the boot.

    Its bundle is the one that was collected, dumps of what runs now included.
    """

    def __init__(self, now: Evidence, ruleset: Ruleset, switched_on: Iterable[Family] = ()) -> None:
        """`switched_on`: the families that are not forwarded now, and are then."""
        super().__init__(now.bundle)
        rules = sum(len(chain.rules) for chain in ruleset.chains.values())
        refusing = sum(base.policy != "accept" for base in ruleset.base_chains)
        host = now.policy.host
        if switched := {key: "1" for family in switched_on for key in _switches(family, host.sysctls)}:
            self.sysctls = {**now.sysctls, **switched}
            host = replace(host, sysctls={**host.sysctls, **switched})
        with without_collection():
            self.policy = Policy(ruleset, host)
        self.filtering = Filtering(rules, refusing, self.policy.survey.translates)


@dataclass(frozen=True, slots=True)
class Booted:
    """A host after a boot: its evidence, and what went wrong on the way."""

    evidence: Evidence
    """The same addresses, routes, listeners and parameters, with the rules that boot loads."""
    failures: tuple[str, ...]
    """What does not load, in words with file and line."""
    loaders: tuple[BootLoader, ...]
    """Who loads, in order."""
    notes: tuple[str, ...] = ()
    """What the answer takes for granted."""


_KNOWN: WeakKeyDictionary[Evidence, Booted | str] = WeakKeyDictionary()
"""What was worked out, or in words why nothing could be."""


def after_boot(host: Target | Evidence) -> Booted:
    """What the host's firewall is after its next boot; worked out once for an evidence.

    Raises NotDetermined where the evidence, or what this machine has to load it with, does not tell.
    """
    evidence = host.evidence if isinstance(host, Target) else host
    known = _KNOWN.get(evidence)
    if known is None:
        try:
            known = _booted(evidence)
        except LabError as error:
            known = f"what loads at boot cannot be loaded here: {error}"
        except NotDetermined as error:
            known = str(error)
        _KNOWN[evidence] = known
    if isinstance(known, str):
        raise NotDetermined(known)
    return known


def booted_target(target: Target) -> Target:
    """The host under audit as it is after its next boot. Raises as `after_boot` does."""
    evidence = after_boot(target).evidence
    policy = target.evidence.policy
    if same(policy.ruleset, evidence.policy.ruleset) and policy.host.sysctls == evidence.policy.host.sysctls:
        return target  # what was worked out about it holds
    booted = Target(target.host, target.plan, target.evidence.bundle)
    booted.evidence = evidence
    return booted


def same(one: Ruleset, other: Ruleset) -> bool:
    """Whether two rulesets are alike rule by rule, and so in meaning; chains that decide nothing do not count."""
    return _written(one) == _written(other)


def _written(ruleset: Ruleset) -> tuple[object, ...]:
    # Rules are compared by what they do: two sets of one name may hold different elements.
    chains = {
        name: tuple(repr(rule.steps) for rule in chain.rules) for name, chain in ruleset.chains.items() if chain.rules
    }
    bases = {
        (base.chain.name, base.hook, base.priority, base.kind, base.policy, base.devices)
        for base in ruleset.base_chains
        if base.chain.rules or base.policy != "accept"
    }
    return frozenset(bases), chains, ruleset.tracked


def told_plan(evidence: Evidence) -> BootPlan:
    """The host's boot plan; raises NotDetermined for a bundle that has none to tell."""
    if evidence.rules_alone:
        raise NotDetermined(RULES_ALONE)
    plan = boot_plan(evidence)
    if not plan.told:
        raise NotDetermined(NOTHING_TOLD)
    return plan


def zones_differ(evidence: Evidence, plan: BootPlan) -> tuple[str, ...]:
    """What firewalld's runtime and permanent settings differ in, where it starts at boot and both are told."""
    listings = _zones(evidence)
    if listings is None or not any(loader.name == "firewalld" for loader in plan.loading):
        return ()
    return differences(*listings)


def _booted(evidence: Evidence) -> Booted:
    plan = told_plan(evidence)
    open_questions = [*plan.others, *plan.conflicts]
    open_questions += [loader.because for loader in plan.loaders if loader.enabled is None]
    open_questions += ["csf makes its rules by a script of its own" for one in plan.loading if one.name == "csf"]
    open_questions += _unsure_zones(evidence, plan)
    if open_questions:
        more = f"; and {len(open_questions) - _TOLD} more reasons" if len(open_questions) > _TOLD else ""
        raise NotDetermined(f"what loads at boot is not told: {'; '.join(open_questions[:_TOLD])}{more}")
    saved = _load(evidence, plan)
    with without_collection():
        loaded = read_ruleset(saved.texts)
    ruleset, owned = with_owners(evidence.policy.ruleset, loaded, plan)
    failures = tuple(f"{_named(where)}: {_in_a_line(words)}" for where, words in saved.complaints.items())
    host = evidence.policy.host
    on = [family for family, value in plan.forwarding.items() if value and host.number(SWITCHES[family]) == 0]
    switched = [f"{SWITCHES[family]} is 0 now, and a file of parameters sets it to 1 at boot" for family in on]
    notes = (*plan.notes, *saved.notes, *owned, *switched)
    return Booted(BootedEvidence(evidence, ruleset, on), failures, plan.loading, notes)


def _switches(family: Family, sysctls: Mapping[str, str]) -> set[str]:
    """The parameters that change with a family's switch: the kernel writes it through to every interface."""
    own = re.compile(rf"net\.ipv{family}\.conf\..*\.forwarding")
    return {SWITCHES[family], *(key for key in sysctls if own.fullmatch(key))}


def _load(evidence: Evidence, plan: BootPlan) -> Saved:
    # A unit that starts without any file of its own loads nothing; that it does is a finding, not a question.
    loading = [loader for loader in plan.loading if loader.files]
    if not loading:
        return Saved({"nft.json": _NFT}, {})
    files = {path: text for loader in loading for path, text in loader.files.items()}
    names = [loader.name for loader in loading]
    texts = evidence.bundle
    legacy = "iptables-save.txt" in texts and written_by(texts.text("iptables-save.txt")) == "legacy"
    try:
        return load_saved(files, names, _interfaces(evidence, files), legacy=legacy)
    except NotDetermined as error:
        told = zones_differ(evidence, plan)
        if not told:
            raise
        raise NotDetermined(f"{error}\n{'; '.join(told[:_TOLD])}") from None


def _interfaces(evidence: Evidence, files: Mapping[str, str]) -> list[str]:
    """The host's interfaces that some file names: these have to be there when it is loaded."""
    host = evidence.policy.host
    everything = "\n".join(files.values())
    return [
        name
        for name in host.interfaces
        if name != host.loopback and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", everything)
    ]


def _zones(evidence: Evidence) -> tuple[Mapping[str, Mapping[str, frozenset[str]]], ...] | None:
    files = ("firewalld-runtime.txt", "firewalld-permanent.txt")
    if any(evidence.bundle.absent(file) or file not in evidence.bundle for file in files):
        return None
    return tuple(read_zones(evidence.bundle.text(file), file) for file in files)


def _unsure_zones(evidence: Evidence, plan: BootPlan) -> list[str]:
    """Interfaces that something else than firewalld's own settings binds to a zone now, and may again."""
    listings = _zones(evidence)
    loader = next((loader for loader in plan.loading if loader.name == "firewalld"), None)
    if listings is None or loader is None or plan.owners.get("NetworkManager") is False:
        return []
    default = settings(loader.files.get("etc/firewalld/firewalld.conf", "")).get("DefaultZone", "public").strip()
    return [
        f"{interface} is in firewalld's zone {zone} now, which its permanent settings do not say: whether a network "
        "manager binds it again is not told"
        for interface, zone in bound_now(listings[0], listings[1], default)
    ]


def _named(where: str) -> str:
    return f"/{where}" if where.startswith("etc/") else where


def _in_a_line(words: str) -> str:
    lines = [line.strip() for line in words.splitlines()]
    return " / ".join(line for line in lines if line and not line.startswith("Try `"))
