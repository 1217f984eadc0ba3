"""One audit: the evidence of every host, collected once, and the outcomes as they come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from testinfra.host import Host

from callgate import __version__
from callgate.audit.answers import Answers, measure
from callgate.audit.plan import AuditPlan
from callgate.audit.target import Target
from callgate.audit.waiving import Waiving
from callgate.errors import UsageMistake
from callgate.evidence.backends import host_key
from callgate.evidence.collector import Progress, collect_all
from callgate.evidence.logins import SharedLogins
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict

if TYPE_CHECKING:
    from callgate.audit.trials.trials import Trials


class AuditSession:
    """Holds what the checks of one audit share. The clock is read once, at the start."""

    def __init__(self, plan: AuditPlan, progress: Progress | None = None) -> None:
        self.plan = plan
        self.logins = SharedLogins()
        self.started = datetime.now(UTC).replace(microsecond=0)
        self.waiving = Waiving(plan.waivers, self.started)
        self.outcomes: list[Outcome] = []
        self._cases: set[tuple[str, str, str]] = set()
        self._progress = progress
        self._targets: dict[str, Target] = {}
        self._answers: dict[str, Answers] = {}
        self._trials: dict[str, Trials] = {}

    def prepare(self, hosts: Iterable[Host]) -> None:
        """Collect every host that was not collected yet, all at once.

        Raises UsageMistake when two hosts would share one name in the results.
        """
        fresh: dict[str, Host] = {}
        for host in hosts:
            key = host_key(host)
            known = fresh.get(key) or (self._targets[key].host if key in self._targets else None)
            if known is not None and known.backend is not host.backend:
                if not _same(known, host):
                    raise UsageMistake(f"{key} is named twice, with different options")
                continue
            if known is None:
                fresh[key] = host
        if self.plan.baseline.judged_from == "outside":
            self._targets.update({key: Target(host, self.plan, None) for key, host in fresh.items()})
        else:
            collected = collect_all(fresh, self._progress)
            self._targets.update({key: Target(fresh[key], self.plan, bundle) for key, bundle in collected.items()})

    def target(self, host: Host) -> Target:
        """The host's target, collected now if `prepare` did not see it."""
        key = host_key(host)
        if key not in self._targets:
            self.prepare([host])
        return self._targets[key]

    def answers(self, target: Target) -> Answers:
        """What answered the probes of this host's services; measured once, when first asked for."""
        if target.uri not in self._answers:
            self._answers[target.uri] = measure(target, self.logins)
        return self._answers[target.uri]

    def trials(self, target: Target) -> Trials:
        """What the site's test phones get of this host; nothing is sent before a check asks."""
        # Imported here: pytest loads this in every project of its environment, and most call nobody.
        from callgate.audit.trials.places import places_of
        from callgate.audit.trials.trials import Trials

        if target.uri not in self._trials:
            self._trials[target.uri] = Trials(target, places_of(target, self.logins) if target.live else ())
        return self._trials[target.uri]

    def add(self, outcome: Outcome) -> None:
        """Take down the outcome of a case. Checks of one name for one control are numbered, so that each counts."""
        case, number = outcome.case, 1
        while (outcome.host, outcome.control, case) in self._cases:
            number += 1
            case = f"{outcome.case} #{number}"
        self._cases.add((outcome.host, outcome.control, case))
        self.outcomes.append(replace(outcome, case=case))

    def add_unchecked(self, implemented: Iterable[str]) -> None:
        """Make an error, on every host, of each control of the baseline that no check implements."""
        for control in sorted(set(self.plan.baseline.controls) - set(implemented)):
            for target in self._targets.values():
                self.add(
                    Outcome(
                        host=target.uri,
                        control=control,
                        case="no check",
                        service=None,
                        verdict=Verdict.ERROR,
                        message=f"no check implements {control}: it was not assessed",
                    )
                )

    def report(self) -> AuditReport:
        """What the audit found, hosts and controls in order."""
        order = {uri: index for index, uri in enumerate(self._targets)}
        outcomes = sorted(self.outcomes, key=lambda one: (order.get(one.host, 0), one.control))
        return AuditReport(
            tool_version=__version__,
            baseline=self.plan.baseline.id,
            site=str(self.plan.site_path) if self.plan.site_path else None,
            started=self.started,
            finished=datetime.now(UTC).replace(microsecond=0),
            controls=self.plan.baseline.controls,
            hosts=tuple(
                HostSummary(uri=target.uri, name=target.name, assumptions=target.assumptions())
                for target in self._targets.values()
            ),
            outcomes=tuple(outcomes),
            notes=self.waiving.notes(),
        )

    def close(self) -> None:
        """End the shared logins."""
        self.logins.close()


def _same(one: Host, other: Host) -> bool:
    """Whether two connections are made alike (testinfra makes a new one for each check)."""
    ignored = {"_host", "_encoding"}
    mine = {key: value for key, value in vars(one.backend).items() if key not in ignored}
    theirs = {key: value for key, value in vars(other.backend).items() if key not in ignored}
    return mine == theirs
