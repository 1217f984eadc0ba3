"""What a host needs now and after its next boot: rules that were never saved protect until then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.change.remedy.foreseen import SeenAs
from callgate.change.remedy.need import Need, needs
from callgate.errors import NotDetermined
from callgate.evidence.boot import boot_plan
from callgate.firewall.rule import Family


def booted(target: Target) -> Target | None:
    """The host as it is after a boot; None where its evidence says nothing of that.

    Raises NotDetermined where it does, and what loads cannot be told.
    """
    from callgate.audit.boot import after_boot

    if target.evidence.rules_alone or not boot_plan(target.evidence).told:
        return None
    return SeenAs(target, after_boot(target).evidence)


def lasting_needs(target: Target, services: Iterable[Service] | None = None) -> tuple[Need, ...]:
    """`needs` of the host as it runs, and what is to be closed besides lest it be open after a boot.

    Where what boots cannot be told, those of now. Raises as `needs` does.
    """
    judged = tuple(target.plan.services if services is None else services)
    now = needs(target, judged)
    try:
        later = booted(target)
        found = () if later is None else needs(later, judged)
    except NotDetermined:
        found = ()
    closing: dict[tuple[str, Family], Need] = {
        (need.service.name, need.family): need for need in now if need.action == "close"
    }
    for need in found:
        if need.action == "close":
            key = need.service.name, need.family
            known = closing.get(key)
            closing[key] = _after_a_boot(need) if known is None else _joined(known, need)
    return (*closing.values(), *(need for need in now if need.action == "open"))


def _after_a_boot(need: Need) -> Need:
    return replace(need, found="\n".join(f"after a boot: {line}" for line in need.found.splitlines()))


def _joined(one: Need, other: Need) -> Need:
    """One need that meets both."""
    behind = tuple(dict.fromkeys((*one.behind, *other.behind)))
    return replace(one, where=one.where | other.where, translated=one.translated or other.translated, behind=behind)
