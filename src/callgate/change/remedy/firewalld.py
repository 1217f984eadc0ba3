"""The remedy for firewalld: rich rules with priority in the zones that let strangers in, at runtime and permanently.

Nothing is reloaded: that would lose what stands at runtime only. Rich rules are asked after `ct status dnat accept` and
after rules put behind firewalld's back, and say nothing of what is forwarded: there, direct rules in table mangle stand
in for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from callgate.audit.boot import booted_target
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.change.remedy.firewalld_change import FORMS, Additions, additions, elsewhere
from callgate.change.remedy.firewalld_files import DIRECT, PERMANENT, files_after
from callgate.change.remedy.firewalld_foreseen import Unplaceable, ruleset_after, stands
from callgate.change.remedy.firewalld_rules import VIEWS, DirectChain, DirectRule, Placed, PlacedDirect, View
from callgate.change.remedy.firewalld_script import Change, script
from callgate.change.remedy.firewalld_zones import Firewalld, checked, firewalld_of, rich_rules
from callgate.change.remedy.foreseen import foreseen_target
from callgate.change.remedy.need import Need
from callgate.change.remedy.need import needs as needs_of
from callgate.change.remedy.proof import prove
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.change.remedy.script import header
from callgate.change.remedy.standing_flows import flows_to_end
from callgate.errors import NotDetermined
from callgate.evidence.boot import boot_plan
from callgate.evidence.bundle import Bundle
from callgate.firewall.rule import Ruleset

_LATER: Final = "after a boot: "
_OTHERS: Final = "the formats nft and iptables may do"
_WHY_DIRECT: Final = (
    "direct rules, as zones say nothing of what is forwarded, nor of what is translated or accepted before them"
)


def recipe(target: Target, needs: tuple[Need, ...]) -> Recipe:
    """The remedy for a host that firewalld guards.

    Raises Refused where it does not, or where no form of it is proven to work; EvidenceError for damaged evidence.
    """
    guard = firewalld_of(target)
    reasons: dict[str, None] = {}
    tried: list[Additions] = []
    for form in FORMS:
        wanted = additions(target, guard, needs, form)
        if wanted is None or wanted in tried or (wanted.nothing and needs):
            continue
        tried.append(wanted)
        try:
            wanted = _kept_to_their_side(target, guard, needs, wanted)
            written = _written(target, guard, needs, wanted)
        except Unplaceable as error:
            reasons[str(error)] = None
            continue
        if not needs:
            return written
        missing = _reasons(target, needs, written)
        lasting = _lasting(target, guard, needs, written) if all(one.startswith(_LATER) for one in missing) else None
        if lasting is not None:
            written = _written(target, guard, needs, wanted, lasting)
            missing = _reasons(target, needs, written)
        if not missing:
            return written
        reasons |= dict.fromkeys(missing)
    said = "; ".join(list(reasons)[:3]) or "its zones get none of the packets in question"
    raise Refused(f"firewalld has no rules that are proven to do it: {said} ({_OTHERS})")


def _reasons(target: Target, needs: Sequence[Need], written: Recipe) -> tuple[str, ...]:
    """Why a recipe is not effective; nothing where it is proven."""
    return prove(target, written, _services(needs)).reasons


def _services(needs: Sequence[Need]) -> tuple[Service, ...]:
    return tuple(dict.fromkeys(need.service for need in needs))


def _kept_to_their_side(target: Target, guard: Firewalld, needs: Sequence[Need], wanted: Additions) -> Additions:
    """The additions, with drops for those who are let in by interfaces that they are not behind."""
    if not any(need.action == "open" for need in needs):
        return wanted
    _, ruleset = _missing(guard, target.evidence.bundle, wanted, VIEWS)
    return replace(wanted, direct=(*wanted.direct, *elsewhere(target, foreseen_target(target, ruleset), needs)))


def _lasting(target: Target, guard: Firewalld, needs: Sequence[Need], written: Recipe) -> Additions | None:
    """What the permanent settings lack besides, as they let others in than the runtime does; None for nothing.

    What a boot leads to and this evidence does not tell is not made up for: the proof says so.
    """
    bundle, services = target.evidence.bundle, _services(needs)
    if target.evidence.rules_alone or not boot_plan(target.evidence).told:
        return None
    try:
        booted = booted_target(foreseen_target(target, written.ruleset, written.files, written.units))
        left = needs_of(booted, services)
        saved = replace(firewalld_of(booted), runtime=bundle.text(PERMANENT) if PERMANENT in bundle else None)
    except (NotDetermined, Refused):
        return None
    if not left or saved.native != guard.native:
        return None
    for form in FORMS:
        wanted = additions(booted, saved, left, form)
        if wanted is None or wanted.nothing:
            continue
        try:
            added = _kept_to_their_side(booted, saved, left, wanted)
            after = foreseen_target(booted, ruleset_after(saved, added.rich, added.direct))
        except Unplaceable:
            continue
        if not needs_of(after, services):
            return added
    return None


def _written(
    target: Target, guard: Firewalld, needs: Sequence[Need], wanted: Additions, lasting: Additions | None = None
) -> Recipe:
    bundle = target.evidence.bundle
    checked([zone for zone, _ in (*wanted.rich, *(lasting.rich if lasting else ()))])
    change, ruleset = _missing(guard, bundle, wanted, VIEWS)
    if lasting is not None:
        known = set(change)
        more, _ = _missing(guard, bundle, lasting, ("permanent",))
        change = [*change, *(one for one in more if one not in known)]
    files, untold = files_after(bundle, change)
    notes = [f"what zone {zone} is after a boot is not told by the evidence" for zone in untold]
    if lasting is not None:
        notes.append("firewalld's permanent settings let others in than the runtime does: they are mended too")
    does = [*(f"{one.view}, zone {one.zone}: {one.rule}" for one in change if isinstance(one, Placed))]
    does += [f"{one.view}, direct: {one.rule}" for one in change if isinstance(one, PlacedDirect)]
    if any(isinstance(one, PlacedDirect) for one in change):
        does.append(_WHY_DIRECT)
    text = script(change, header(target, "firewalld", needs, does), flows_to_end(target, needs))
    opens = tuple(need for need in needs if need.action == "open")
    return Recipe("firewalld", text, ruleset, files, opens=opens, notes=tuple(notes))


def _missing(guard: Firewalld, bundle: Bundle, wanted: Additions, views: Sequence[View]) -> tuple[Change, Ruleset]:
    """Of what is wanted, what the host does not have yet, by configuration; and the ruleset with it."""
    change: list[Placed | PlacedDirect] = []
    permanent = bundle.text(PERMANENT) if PERMANENT in bundle else None
    saved = bundle.text(DIRECT) if DIRECT in bundle else ""
    new: Additions = Additions((), ())
    for view in views:
        listing = guard.runtime if view == "runtime" else permanent
        there = {zone: rich_rules(listing, zone) or () for zone, _ in wanted.rich}
        rich = tuple((zone, rule) for zone, rule in wanted.rich if str(rule) not in there[zone])
        direct = tuple(
            rule
            for rule in wanted.direct
            if not (stands(guard, rule) if view == "runtime" else rule.xml().strip() in saved)
        )
        # Chains before what stands in them, and what leads into them last.
        change += [PlacedDirect(view, rule) for rule in sorted(direct, key=_turn)]
        change += [Placed(view, zone, rule) for zone, rule in rich]
        if view == "runtime":
            new = Additions(rich, direct)
    return change, ruleset_after(guard, new.rich, new.direct)


def _turn(rule: DirectChain | DirectRule) -> int:
    return 0 if isinstance(rule, DirectChain) else 2 if rule.options.startswith("-j ") else 1
