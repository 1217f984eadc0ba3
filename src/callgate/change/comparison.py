"""Two snapshots of a host compared by meaning: who gained access to its services, who lost it, what else changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from callgate.audit.exposure import every_table
from callgate.audit.reaching import families_of
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.change.access import Snapped
from callgate.change.persistence import Persistence
from callgate.change.ruleset_alone import on_one_host
from callgate.change.sections import callers, listeners, network, parameters, translated
from callgate.change.services import ServiceChange, service_change
from callgate.change.shift import Change, Kind, Shift
from callgate.change.structure import same_structure
from callgate.errors import NotDetermined


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one snapshot to the other. The order and the form of rules do not count."""

    gained: tuple[Shift, ...]
    lost: tuple[Shift, ...]
    others: tuple[Change, ...]
    """Other listeners' callers, listeners, translations, sysctls, addresses and routes, what loads at boot."""
    notes: tuple[str, ...]
    """What to know beside: it changes no verdict."""
    undetermined: tuple[str, ...]
    """What could not be compared, and why."""
    widened: bool | None
    """Whether strangers gained access to a service that is offered, now or by the next boot; None where not certain."""
    locked_out: bool | None
    """Whether phones of trusted networks lost access to a service that was offered; None where not certain."""
    reasons: tuple[str, ...] = ()
    """In words, for what `widened` and `locked_out` say other than False."""
    doubtful: tuple[Shift, ...] = ()
    """The sources that perhaps have access, in both snapshots: of them nobody knows whether anything changed."""
    unknown_at_boot: tuple[str, ...] = ()
    """Why it cannot be told what the next boot changes, though what loads then differs. `regression` is of what runs,
    and of what a boot surely changes."""
    same_rules: bool | None = None
    """Whether both hold the very same rules in the same order, counters and handles aside; None when not known."""

    @property
    def regression(self) -> bool | None:
        """Whether strangers gained or phones lost; None when that could not be determined."""
        if self.widened or self.locked_out:
            return True
        if self.widened is None or self.locked_out is None or self.undetermined:
            return None
        return False

    @property
    def nothing(self) -> bool:
        """Whether it is certain that nothing changed by meaning, in any section."""
        return not (self.gained or self.lost or self.others or self.unknown_at_boot) and self.regression is False

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The other changes of one kind."""
        return tuple(change for change in self.others if change.kind == kind)


def compare(before: Target, after: Target) -> Comparison:
    """Compare two snapshots, judged by the plan of `after`. Raises nothing: what cannot be told is `undetermined`."""
    return compared(Snapped(before), Snapped(after))


def compared(before: Snapped, after: Snapped) -> Comparison:
    """`compare`, for snapshots that keep their answers."""
    return _Course(before, after).comparison()


class _Course:
    """One comparison on its way: what was found so far."""

    def __init__(self, before: Snapped, after: Snapped) -> None:
        self.before, self.after = before, after
        self.services = after.target.plan.services
        self.others: list[Change] = []
        self.notes: dict[str, None] = {}
        self.undetermined: dict[str, None] = {}
        self.at_boot: Persistence | None = None
        self.unknown_at_boot: list[str] = []

    def comparison(self) -> Comparison:
        found = [change for service in self._comparable() if (change := self._service(service)) is not None]
        self._sections()
        same = self._same_rules()
        self._virtual_services(same)
        boot = self.at_boot
        return Comparison(
            gained=tuple(shift for change in found for shift in change.gained),
            lost=tuple(shift for change in found for shift in change.lost),
            others=tuple(self.others),
            notes=tuple(self.notes),
            undetermined=tuple(self.undetermined),
            widened=self._worst([*(change.widened for change in found), boot.widened if boot else False]),
            locked_out=self._worst([*(change.locked_out for change in found), boot.locked_out if boot else False]),
            reasons=(*(reason for change in found for reason in change.reasons), *(boot.reasons if boot else ())),
            unknown_at_boot=tuple(self.unknown_at_boot),
            doubtful=tuple(shift for change in found for shift in change.doubtful),
            same_rules=same,
        )

    def _comparable(self) -> tuple[Service, ...]:
        """The services, where both snapshots are of a kind."""
        kinds = []
        for side, one in (("before", self.before), ("after", self.after)):
            try:
                kinds.append(one.target.evidence.rules_alone)
                every_table(one.target)
                _ = one.target.evidence.policy
            except NotDetermined as error:
                self.undetermined[f"{side}: {error}"] = None
        if len(kinds) < 2:
            return ()
        if kinds[0] != kinds[1]:
            said = "one of the two is a ruleset without its host, and the other is not: who gained access is not known"
            self.undetermined[said] = None
            return ()
        if kinds[0]:
            try:
                self._on_one_host()
            except NotDetermined as error:
                self.undetermined[str(error)] = None
                return ()
        return self.services

    def _on_one_host(self) -> None:
        before, after = self.before.target, self.after.target
        told = [frozenset(families_of(one)) for one in (before.evidence, after.evidence)]
        for family in sorted(told[0] ^ told[1]):
            which = "after" if family in told[0] else "before"
            self.undetermined[f"{which} holds no dump of IPv{family}: what changed there is not known"] = None
        one, other = on_one_host(before, after)
        self.before, self.after = Snapped(one, told[0] & told[1]), Snapped(other, told[0] & told[1])

    def _service(self, service: Service) -> ServiceChange | None:
        try:
            change = service_change(self.before, self.after, service)
        except NotDetermined as error:
            self.undetermined[str(error)] = None
            return None
        if change.undetermined:
            self.undetermined[change.undetermined] = None
        return change

    def _sections(self) -> None:
        before, after = self.before.target, self.after.target
        sections: tuple[Callable[[], Iterable[Change]], ...] = (
            lambda: listeners(before, after, self.services),
            lambda: callers(self.before, self.after),
            lambda: translated(before.evidence, after.evidence),
            lambda: parameters(before.evidence, after.evidence),
            lambda: network(before.evidence, after.evidence),
            self._persistence,
        )
        for section in sections:
            try:
                self.others += section()
            except NotDetermined as error:
                self.undetermined[str(error)] = None

    def _persistence(self) -> Iterable[Change]:
        try:
            found = Persistence(self.before.target, self.after.target, self.services)
        except NotDetermined as error:
            self.unknown_at_boot.append(f"what loads at boot is not compared: {error}")
            return ()
        self.notes.update(dict.fromkeys(found.notes))
        self.at_boot = found
        self.unknown_at_boot += found.unknown
        return found.changes

    def _same_rules(self) -> bool | None:
        try:
            one, other = (one.target.evidence.policy.ruleset for one in (self.before, self.after))
        except NotDetermined:
            return None
        return same_structure(one, other)

    def _virtual_services(self, same: bool | None) -> None:
        """Whom virtual services (IPVS) let in is not weighed: only where nothing at all changed, nothing did."""
        try:
            evidence = [one.target.evidence for one in (self.before, self.after)]
            balances = any(not one.rules_alone and one.balances() for one in evidence)
        except NotDetermined as error:
            self.undetermined[str(error)] = None
            return
        moved = {change.kind for change in self.others} & {"translations", "sysctls", "network"}
        if balances and (same is not True or moved):
            said = "virtual services (IPVS) are set up: who gained or lost access by them is not weighed"
            self.undetermined[said] = None

    def _worst(self, told: list[bool | None]) -> bool | None:
        if True in told:
            return True
        return None if None in told or self.undetermined else False
