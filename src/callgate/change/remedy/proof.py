"""Whether a remedy does what it should on this very host, asked of the engine before anybody sees the script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from callgate.audit.reaching import families_of
from callgate.audit.standing import bindings, standings
from callgate.audit.target import Target
from callgate.audit.told import networks_in_words, who_gets_in
from callgate.audit.ways_in import around, behind, reaching_sockets, served, straight
from callgate.baseline.service import Service
from callgate.change.remedy.foreseen import SeenAs, foreseen_target
from callgate.change.remedy.gate import FILES, without_gate
from callgate.change.remedy.lasting import booted
from callgate.change.remedy.need import needs, sockets_told, unserved, ways_in
from callgate.change.remedy.recipe import Recipe
from callgate.errors import NotDetermined
from callgate.evidence.listener import Listener
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.rule import Family, Ruleset
from callgate.firewall.sources import Door, Entrance, Sources, interval_of

_OTHERS_ASKED = (22, 80, 443)
"""TCP ports that stand for everything else where the evidence does not tell who listens: administration, web."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the engine says of a remedy."""

    reasons: tuple[str, ...]
    """Why it is not effective, or does harm; none: it is proven."""
    notes: tuple[str, ...] = ()
    """What could not be asked of this evidence."""

    def __bool__(self) -> bool:
        return not self.reasons


def prove(target: Target, recipe: Recipe, services: Iterable[Service] | None = None) -> Proof:
    """Compare the host as it is with the host after the remedy, now and after a boot.

    No stranger reaches a judged service (`services`; None: all of the plan); nobody who is trusted loses one; nobody
    gains one but trusted networks that are owed it; every other socket keeps exactly its callers; once more changes
    nothing; and rollback leads back. Raises NotDetermined where any of this cannot be told.
    """
    judged = tuple(target.plan.services if services is None else services)
    replaced = dict.fromkeys(FILES) if recipe.format in ("nft", "iptables") else {}
    after = foreseen_target(target, recipe.ruleset, {**replaced, **recipe.files}, recipe.units)
    reasons = [*_closed(after, judged), *_kept(target, after), *_let_in(after, recipe), *_others(target, after)]
    if not reasons:
        reasons += _again(after, judged)
    if recipe.format in ("nft", "iptables"):
        reasons += _back(target, recipe.ruleset)
    notes: tuple[str, ...] = ()
    if not reasons:
        lasting, notes = _lasting(target, after, judged)
        reasons += (f"after a boot: {one}" for one in lasting)
    return Proof(tuple(dict.fromkeys(reasons)), notes)


def _lasting(target: Target, after: Target, services: Sequence[Service]) -> tuple[list[str], tuple[str, ...]]:
    """What is wrong after a boot that would not be without the remedy; and notes.

    Where the evidence of before does not tell what boots, no remedy can be proven to last: that is a note.
    """
    from callgate.audit.boot import after_boot

    try:
        without = booted(target)
    except NotDetermined as error:
        return [], (f"that the remedy lasts is not proven: {error}",)
    if without is None:
        return [], ("the evidence does not tell what loads at boot: that the remedy lasts is not proven",)
    found = after_boot(after)
    later = SeenAs(after, found.evidence)
    wrong = [*_closed(later, services)]
    if sockets_told(target):
        for service in target.plan.services:
            wrong += _lost(without, later, service)
            wrong += _opened(target, after, later, service)
    return wrong, found.notes


def _opened(target: Target, after: Target, later: Target, service: Service) -> Iterator[str]:
    """Whom the remedy lets in, and boot does not."""
    now = unserved(after, service)
    for entrance, missing in unserved(target, service).items():
        if entrance not in now and (left := unserved(later, service).get(entrance, NOTHING) & missing):
            yield f"{_whom(entrance, left)} loses {service.title} ({service.ports})"


def _closed(after: Target, services: Sequence[Service]) -> Iterator[str]:
    for service in services:
        for sources in ways_in(after, service):
            if not sources.empty:
                yield f"{service.title} ({service.ports}) stays open: {who_gets_in(after, sources, None)}"


def _let_in(after: Target, recipe: Recipe) -> Iterator[str]:
    for need in recipe.opens:
        missing = unserved(after, need.service)
        for entrance, members in missing.items():
            if entrance == (need.family, need.interface):
                yield f"{_whom(entrance, members)} still cannot reach {need.service.title} ({need.service.ports})"


def _kept(before: Target, after: Target) -> Iterator[str]:
    """Who loses a service without being a stranger, and who gains one without being owed it."""
    for service in before.plan.services:
        yield from _lost(before, after, service)
        yield from _gained(before, after, service)


def _lost(before: Target, after: Target, service: Service) -> Iterator[str]:
    then, still = _served(before, service), _served(after, service)
    for entrance, door in then:
        left = still.doors.get(entrance, Door())
        kept = _kept_in(before, entrance)
        lost = ((door.surely - left.surely) | (door.any - left.any)) & kept
        if lost:
            yield f"{_whom(entrance, lost)} loses {service.title} ({service.ports})"


def _gained(before: Target, after: Target, service: Service) -> Iterator[str]:
    then, later = _reached(before, service), _reached(after, service)
    owed = unserved(before, service)
    for entrance, door in later:
        known = then.doors.get(entrance, Door())
        gained = (door.any - known.any) | (door.surely - known.surely)
        if gained and entrance in owed:
            gained -= _owed_networks(before, entrance, owed[entrance])
        if gained:
            yield f"{_whom(entrance, gained)} gains {service.title} ({service.ports})"


def _owed_networks(target: Target, entrance: Entrance, missing: Intervals) -> Intervals:
    """The whole trusted networks of which some are owed a service: they are let in whole."""
    trusted = target.plan.site.trusted
    return interval_of((one for one in trusted if interval_of([one], entrance.family) & missing), entrance.family)


def _kept_in(target: Target, entrance: Entrance) -> Intervals:
    """Who is no stranger at an entrance."""
    if entrance.interface in target.plan.site.voice_interfaces:
        return Intervals.single(0, (1 << (32 if entrance.family == 4 else 128)) - 1)
    return interval_of(target.plan.site.trusted, entrance.family)


def _served(target: Target, service: Service) -> Sources:
    return served(target, service, _sockets(target, service), behind(target))


def _reached(target: Target, service: Service) -> Sources:
    found = _sockets(target, service)
    around_it = around(target, service, found, behind(target))
    return around_it if found is not None and not found else straight(target, service, found) | around_it


def _sockets(target: Target, service: Service) -> Sequence[Listener] | None:
    if target.evidence.rules_alone or not sockets_told(target):
        return None
    return tuple(listener for listener in target.evidence.listeners if service.claims(listener))


def _others(before: Target, after: Target) -> Iterator[str]:
    """Sockets that are no service's, whose callers change."""
    for what, then, later in _asked_of_others(before, after):
        for entrance in sorted({*then.doors, *later.doors}):
            old, new = then.doors.get(entrance, Door()), later.doors.get(entrance, Door())
            for members, word in ((old.any - new.any | old.surely - new.surely, "lost"),
                                  (new.any - old.any | new.surely - old.surely, "gained")):  # fmt: skip
                if members:
                    yield f"{what} is {word} for {_whom(entrance, members)}"


def _asked_of_others(before: Target, after: Target) -> Iterator[tuple[str, Sources, Sources]]:
    services = before.plan.services
    if before.evidence.rules_alone or not sockets_told(before):
        families = families_of(before.evidence)
        for port in _OTHERS_ASKED:
            asked = Question("tcp", (port, port), f"{port}/tcp")
            then, later = (sources_reaching(one.evidence.policy, asked, families) for one in (before, after))
            yield asked.what, then, later
        return
    others = [one for one in before.evidence.listeners if not any(service.claims(one) for service in services)]
    # Rules that are added tell more ports apart: groups of after are parts of those of before.
    for standing in standings(after, others):
        yield bindings(standing.listeners), reaching_sockets(before, standing), reaching_sockets(after, standing)


def _again(after: Target, services: Sequence[Service]) -> Iterator[str]:
    """What would be found to close once more."""
    for need in needs(after, services):
        if need.action == "close":
            yield f"once applied, there would be more to close: {need.found}"


def _back(target: Target, ruleset: Ruleset) -> Iterator[str]:
    """Whether taking out what is ours leads back to the rules of before, chain by chain."""
    then, rolled_back = _content(without_gate(target.evidence.policy.ruleset)), _content(without_gate(ruleset))
    for name in {*then, *rolled_back}:
        if then.get(name, ()) != rolled_back.get(name, ()):
            yield f"rollback would leave {name} other than it was"


def _content(ruleset: Ruleset) -> dict[str, tuple[str, ...]]:
    """The rules of each chain that has some."""
    return {
        str(name): tuple(rule.text for rule in chain.rules) for name, chain in ruleset.chains.items() if chain.rules
    }


def _whom(entrance: Entrance, members: Intervals) -> str:
    family: Family = entrance.family
    return f"{networks_in_words(family, members)} on {entrance.interface}"
