"""How rules are saved and who loads them: files that do not load, managers that do not start or are being tested."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from callgate.audit.boot import Booted, after_boot, told_plan
from callgate.audit.persistence import files_of
from callgate.audit.reaching import families_of
from callgate.audit.target import Target
from callgate.audit.told import filters
from callgate.evidence.boot import BootLoader, BootPlan
from callgate.firewall.policy import Policy
from callgate.firewall.rule import FAMILIES, Family

_SAVED_BY_FAMILY: Final[tuple[tuple[str, Family, str], ...]] = (
    ("etc/iptables/rules.v4", 4, "etc/iptables/rules.v6"),
    ("etc/iptables/rules.v6", 6, "etc/iptables/rules.v4"),
    ("etc/sysconfig/iptables", 4, "etc/sysconfig/ip6tables"),
    ("etc/sysconfig/ip6tables", 6, "etc/sysconfig/iptables"),
)
_OF_MANAGERS: Final = {
    "ufw": re.compile(r"ufw6?-.*"),
    "firewalld": re.compile(
        r"(filter|nat|mangle|raw)_(IN|FWD[IO]?|PRE|POST)_.*|(IN|FWD[IO]?|PRE|POST)_.*_(allow|deny)"
    ),
    "csf": re.compile(r"(LOCAL(IN|OUT)PUT|LOGDROP(IN|OUT)|DENYIN|ALLOWIN)"),
}
"""Chains by which a manager's rules are known in the kernel."""
_TABLE: Final = re.compile(
    r"^\s*(?:add\s+|create\s+)?table\s+(?:(?P<family>ip6?|inet|netdev|bridge|arp)\s+)?(?P<name>[\w.-]+)\s*\{",
    re.MULTILINE,
)


@dataclass(slots=True)
class Loading:
    """What is wrong with loading the saved rules."""

    skipped: str | None = None
    wrong: list[str] = field(default_factory=list)


def loading(target: Target) -> Loading:
    """Whether what is saved loads, for both families. Raises NotDetermined where that is not told."""
    plan = told_plan(target.evidence)
    saved = [loader for loader in plan.loaders if loader.enabled is not False and loader.files]
    if not saved and not plan.missing:
        return Loading(skipped="no manager that starts at boot has saved rules")
    result = Loading(wrong=list(plan.missing))
    booted = after_boot(target)
    result.wrong += booted.failures
    result.wrong += _one_family(target, booted)
    return result


def _one_family(target: Target, booted: Booted) -> list[str]:
    """A family whose rules are not saved though the other's are, and that nothing else filters after a boot."""
    policy = booted.evidence.policy
    files = {path for loader in booted.loaders for path in loader.files}
    said = []
    for path, family, other in _SAVED_BY_FAMILY:
        unfiltered: Family = 6 if family == 4 else 4
        alone = path in files and other not in files and unfiltered in target.families()
        if alone and filters(policy, family) and not filters(policy, unfiltered):
            said.append(
                f"/{path} saves the rules of IPv{family}, and nothing saves any of IPv{unfiltered} (/{other} is "
                f"not there, or its unit does not start): after a boot IPv{unfiltered} refuses nothing"
            )
    return said


@dataclass(slots=True)
class Starting:
    """What is wrong with how the managers of the rules start."""

    skipped: str | None = None
    wrong: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    """What is not told."""
    seen: list[str] = field(default_factory=list)


def starting(target: Target) -> Starting:
    """Whether what holds the rules starts at boot and works as it should. Raises EvidenceError for damaged evidence."""
    plan = told_plan(target.evidence)
    policy = target.evidence.policy
    wrong = [*plan.findings, *plan.conflicts]
    wrong += [said for loader in plan.loaders if (said := _runs_but_does_not_start(loader, plan, policy))]
    filtering = [family for family in FAMILIES if family in families_of(target.evidence) and filters(policy, family)]
    open_questions = [loader.because for loader in plan.loaders if loader.enabled is None]
    result = Starting(wrong=wrong, open=open_questions, seen=[_state(loader) for loader in plan.loaders])
    if not any(loader.files for loader in plan.loading) and not open_questions and not wrong:
        if plan.others:
            result.open += plan.others
        elif filtering:
            names = " and ".join(f"IPv{family}" for family in filtering)
            why = "; ".join(loader.because or f"{loader.unit} has no saved rules" for loader in plan.loaders)
            result.wrong.append(f"{names} is filtered now, but nothing loads rules at boot: {why or 'none are saved'}")
        else:
            result.skipped = "no rule refuses anything here, and nothing loads any at boot"
    elif not wrong and not plan.units_told:
        result.skipped = "the bundle has no unit states: whether the managers start at boot is not known"
    return result


def _runs_but_does_not_start(loader: BootLoader, plan: BootPlan, policy: Policy) -> str:
    """A manager whose rules are in the kernel now and that puts none in at boot."""
    if loader.enabled is not False:
        return ""
    chains = policy.ruleset.chains
    pattern = _OF_MANAGERS.get(loader.name)
    there = sorted(name.chain for name in chains if pattern is not None and pattern.fullmatch(name.chain))
    if loader.name == "nftables":
        native = {(name.family, name.table) for name in chains if name.backend == "nft"}
        named = [
            (found["family"] or "ip", found["name"])
            for text in loader.files.values()
            for found in _TABLE.finditer(text)
        ]
        there = [f"table {family} {name}" for family, name in named if (family, name) in native]
        if any(one.name == "nftables" for one in plan.loading):
            there = []
    if not there:
        return ""
    return f"the rules of {loader.name} run now ({there[0]}), but do not load at boot: {loader.because}"


def _state(loader: BootLoader) -> str:
    word = "starts at boot" if loader.enabled else "not told" if loader.enabled is None else "does not start at boot"
    how = " (assumed)" if loader.assumed else ""
    return f"{loader.name}: {loader.unit} {word}{how}; {files_of(loader)}"
