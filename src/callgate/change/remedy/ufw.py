"""The remedy for ufw: rules at the head of its own, in both families; what lets in before what refuses.

Inserting a rule makes ufw load its user.rules anew: what differs from the file in those chains is gone then, also where
`limit` rules of IPv6 wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import collapse_addresses, ip_network
from typing import Final, Literal

from callgate.audit.exposure import sockets_of
from callgate.audit.target import Target
from callgate.audit.ways_in import around, behind, straight
from callgate.change.remedy.firewalld_rules import saved_rules
from callgate.change.remedy.firewalld_zones import backend_of
from callgate.change.remedy.foreseen import foreseen_target, with_chain_rules, with_restored
from callgate.change.remedy.gate import interface
from callgate.change.remedy.need import Need, sockets_told
from callgate.change.remedy.need import needs as needs_of
from callgate.change.remedy.proof import prove
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.change.remedy.script import header
from callgate.change.remedy.standing_flows import flows_to_end
from callgate.change.remedy.ufw_rules import ANYBODY, FILES, UfwRule, apart, text_after, tuples_of
from callgate.change.remedy.ufw_script import script
from callgate.evidence.interfaces import Network
from callgate.firewall.host import EVERYONE
from callgate.firewall.rule import FAMILIES, ChainName, Family, Ruleset
from callgate.firewall.sources import cidrs, interval_of

_OTHERS: Final = "the formats nft and iptables may do"
_ENABLED = re.compile(r"^\s*ENABLED=[\"']?(\w+)", re.MULTILINE)
_MOST_STRANGERS: Final = 64


def recipe(target: Target, needs: tuple[Need, ...]) -> Recipe:
    """The remedy for a host that ufw guards.

    Raises Refused where it does not, or where no form of it is proven to work; EvidenceError for damaged evidence.
    """
    guarding(target, {need.family for need in needs})
    reasons: dict[str, None] = {}
    for spelled_out in (False, True):
        written = _proven(target, needs, spelled_out, reasons)
        if written is not None:
            return written
    raise Refused(f"ufw has no rules that are proven to do it: {'; '.join(list(reasons)[:3])} ({_OTHERS})")


def _proven(target: Target, needs: tuple[Need, ...], spelled_out: bool, reasons: dict[str, None]) -> Recipe | None:
    """The remedy in one form; None where it is not proven, with the reasons added to `reasons`."""
    for _ in range(2):
        rules = _rules(target, needs, spelled_out)
        if rules is None:
            return None
        written = _written(target, needs, rules)
        missing = _reasons(target, needs, written) if needs else ()
        if not missing:
            return written
        # What the files open as they are loaded anew is to be closed too.
        services = dict.fromkeys(need.service for need in needs)
        later = needs_of(foreseen_target(target, written.ruleset, written.files), services)
        more = [need for need in later if need.action == "close" and not any(_same(need, one) for one in needs)]
        if not more:
            break
        needs = (*needs, *more)
    reasons |= dict.fromkeys(missing)
    return None


def _same(one: Need, other: Need) -> bool:
    return (one.action, one.service, one.family) == (other.action, other.service, other.family)


def _reasons(target: Target, needs: Sequence[Need], written: Recipe) -> tuple[str, ...]:
    """Why a recipe is not effective; nothing where it is proven."""
    return prove(target, written, tuple(dict.fromkeys(need.service for need in needs))).reasons


def guarding(target: Target, families: set[Family]) -> None:
    """Raise Refused where ufw does not guard these families, now and after a boot."""
    bundle = target.evidence.bundle
    if "etc/ufw/ufw.conf" in bundle:
        enabled = _ENABLED.search(bundle.text("etc/ufw/ufw.conf"))
        if enabled is not None and enabled[1].lower() != "yes":
            raise Refused(f"ufw is not enabled on this host (ENABLED={enabled[1]}): {_OTHERS}")
    chains = target.evidence.policy.ruleset.chains
    if _chain(target, 4, "input") not in chains:
        raise Refused(f"ufw does not guard this host, its chains are not in the kernel: {_OTHERS}")
    for family in sorted(families):
        if _chain(target, family, "input") not in chains:
            raise Refused(f"ufw leaves IPv{family} alone (IPV6=no in /etc/default/ufw): {_OTHERS}")


def _chain(target: Target, family: Family, suffix: str) -> ChainName:
    name = f"ufw{'6' if family == 6 else ''}-user-{suffix}"
    return ChainName(backend_of(target.evidence.bundle), "ip" if family == 4 else "ip6", "filter", name)


def _rules(target: Target, needs: Sequence[Need], spelled_out: bool) -> tuple[UfwRule, ...] | None:
    """The rules in the order in which they are added: what lets in first. None where this form cannot say it."""
    found: list[UfwRule] = []
    for need in needs:
        if need.action == "open":
            name = interface(need.interface) if need.interface else None
            for network in _collapsed(need.networks):
                found += _ways(need, "allow", network, name)
        else:
            closing = _closing(target, need, spelled_out)
            if closing is None:
                return None
            found += closing
    bundle = target.evidence.bundle
    ordered = [one for one in found if one.action == "allow"] + [one for one in found if one.action == "deny"]
    rules: list[UfwRule] = []
    for family in FAMILIES:
        mine = dict.fromkeys(one for one in ordered if one.family == family)
        text = bundle.text(FILES[family]) if FILES[family] in bundle else ""
        there = tuples_of(text)
        rules += apart([one for one in mine if one.tuple not in there], text)
    return tuple(rules)


def _closing(target: Target, need: Need, spelled_out: bool) -> list[UfwRule] | None:
    """Rules that drop strangers; trusted sources that are let in stay in."""
    networks = _collapsed(need.networks)
    anybody = ANYBODY[need.family]
    found = sockets_of(target, need.service) if sockets_told(target) else None
    reached = straight(target, need.service, found) | around(target, need.service, found, behind(target))
    let_in = not (reached & target.plan.site.trusted).of(need.family).empty
    if not let_in or not networks:
        return _ways(need, "deny", anybody, None)
    if not spelled_out:
        passing = [rule for network in networks for rule in _ways(need, "allow", network, None)]
        return [*passing, *_ways(need, "deny", anybody, None)]
    others = cidrs(need.family, EVERYONE[need.family] - interval_of(networks, need.family), _MOST_STRANGERS + 1)
    if len(others) > _MOST_STRANGERS:
        return None
    return [rule for text, _ in others for rule in _ways(need, "deny", ip_network(text), None)]


def _ways(need: Need, what: Literal["allow", "deny"], source: Network, name: str | None) -> list[UfwRule]:
    """A rule for each hook at which the packets end; what is forwarded goes into the networks behind the host."""
    anybody = ANYBODY[need.family]
    found = []
    if "forward" not in need.where or "input" in need.where:
        found.append(UfwRule(need.family, need.service, what, source, anybody, name))
    if "forward" in need.where:
        into = need.behind or (anybody,)
        found += [UfwRule(need.family, need.service, what, source, one, name, forwarded=True) for one in into]
    return found


def _collapsed(networks: Sequence[Network]) -> list[Network]:
    return list(collapse_addresses(networks))  # type: ignore[type-var]


def _written(target: Target, needs: Sequence[Need], rules: tuple[UfwRule, ...]) -> Recipe:
    bundle = target.evidence.bundle
    texts = {family: bundle.text(name) for family, name in FILES.items() if name in bundle}
    files: dict[str, str] = {}
    notes: list[str] = []
    heads: dict[Family, list[UfwRule]] = {}
    for family in FAMILIES:
        mine = [rule for rule in rules if rule.family == family]
        # Each is put in front of those before it.
        passing = [rule for rule in reversed(mine) if rule.action == "allow"]
        heads[family] = [*passing, *(rule for rule in reversed(mine) if rule.action == "deny")]
        if mine and family in texts:
            files[FILES[family]] = text_after(texts[family], heads[family])
        elif mine:
            notes.append(f"the evidence has no {FILES[family]}: what else ufw loads with it is not told")
    does = [f"ufw {'route ' if rule.forwarded else ''}{rule.words}" for rule in rules]
    if any(rule.source.prefixlen and rule.source.prefixlen <= 2 for rule in rules):
        does.append("two halves stand for everybody, as ufw takes no second rule for the same packets")
    text = script(rules, header(target, "ufw", needs, does), flows_to_end(target, needs))
    ruleset = _ruleset(target, rules, heads, {**texts, **_by_family(files)})
    opens = tuple(need for need in needs if need.action == "open")
    return Recipe("ufw", text, ruleset, files, opens=opens, notes=tuple(notes))


def _by_family(files: dict[str, str]) -> dict[Family, str]:
    return {family: files[name] for family, name in FILES.items() if name in files}


def _ruleset(
    target: Target, rules: Sequence[UfwRule], heads: dict[Family, list[UfwRule]], texts: dict[Family, str]
) -> Ruleset:
    """What the kernel has afterwards: an inserted rule has ufw load both files anew, a first one is put in alone."""
    ruleset = target.evidence.policy.ruleset
    backend = backend_of(target.evidence.bundle)
    counts = {family: len(tuples_of(texts[family])) for family in FAMILIES if family in texts}
    loaded_anew = any(heads[family] and counts.get(family, 2) > 1 for family in FAMILIES)
    for family in FAMILIES:
        if family in texts and rules and loaded_anew and _chain(target, family, "input") in ruleset.chains:
            ruleset = with_restored(ruleset, texts[family], family=family, backend=backend)
            continue
        for suffix in ("input", "forward"):
            mine = [rule.options for rule in heads[family] if rule.forwarded == (suffix == "forward")]
            if mine:
                name = _chain(target, family, suffix)
                ruleset = with_chain_rules(ruleset, name, saved_rules(mine, family, backend))
    return ruleset
