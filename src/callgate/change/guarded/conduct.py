"""A guarded change from the snapshot to its end: armed on the host first, so that every way out of here is safe."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from callgate.audit.plan import AuditPlan
from callgate.change.comparison import Comparison, compare
from callgate.change.flips import Flip, flips
from callgate.change.guarded.connection import Connection
from callgate.change.guarded.ending import UNDONE, UNKNOWN, Code, Ending
from callgate.change.guarded.guard import Guard
from callgate.change.guarded.journal import Journal
from callgate.change.guarded.judgement import judge
from callgate.change.guarded.plan import ChangePlan
from callgate.change.guarded.report import TIMER, State
from callgate.change.guarded.undoing import Identity, Undoing
from callgate.change.snapshot import target_of
from callgate.errors import CallgateError, CollectionError
from callgate.evidence.bundle import Bundle, write_bundle
from callgate.report.atomic import write_atomically
from callgate.report.json_report import json_bytes
from callgate.report.outcome import AuditReport, Verdict

Audit = Callable[[Connection], AuditReport]
"""Audits the host over connections of its own: checks, probes and phones, as the site has them."""
Describe = Callable[[Comparison, tuple[Flip, ...] | None], Mapping[str, Any]]
"""What goes into diff.json; there are no flips where the comparison alone was enough."""
SNAPSHOT_SECONDS: Final = 180.0
SHOWN: Final = 20
"""Reasons that go into one entry of the journal."""


class _Stop(Exception):  # noqa: N818 - not an error: the way back
    """The change does not stay, or does not even begin; with the exit code once it is undone and that is proven."""

    def __init__(self, code: Code, reasons: tuple[str, ...]) -> None:
        self.code = code
        self.reasons = reasons
        super().__init__(*reasons)


class GuardedChange:
    """One change of one host; `run` conducts it. The journal's folder also holds the bundles and what was found."""

    def __init__(
        self,
        plan: ChangePlan,
        connection: Connection,
        judged_by: AuditPlan,
        journal: Journal,
        audit: Audit,
        describe: Describe,
        ssh_config: str | None = None,
    ) -> None:
        """`ssh_config` is the user's own, as the journal keeps it for a later run."""
        self.plan = plan
        self.connection = connection
        self.judged_by = judged_by
        self.journal = journal
        self.guard = Guard(connection, plan.id)
        self._ssh_config = ssh_config
        self._audit = audit
        self._describe = describe
        self._may_be_armed = False
        self._may_be_applied = False
        self._before: Bundle | None = None
        self._identity = Identity()

    def run(self) -> Ending:
        """Conduct the change to its end.

        KeyboardInterrupt, whenever it comes, makes it roll back at once; so does whatever else is raised here.
        """
        try:
            ending = self._forward()
        except _Stop as stop:
            ending = self._back(stop.code, stop.reasons)
        except KeyboardInterrupt:
            ending = self._back(UNKNOWN, ("interrupted",))
        except CallgateError as error:
            ending = self._back(UNKNOWN, (str(error),))
        except Exception as error:  # a full disk, a mistake of ours: the host comes first
            with suppress(OSError):
                self._note("error", "failed", trace=traceback.format_exc()[-4000:])
            ending = self._back(UNKNOWN, (f"{type(error).__name__}: {error}",))
        return ending

    def _forward(self) -> Ending:
        self._note("plan", "done", **self._planned())
        self._before = before = self._snapshot("before")
        self._require_judgeable(before)
        audited = self._audited("before")
        self._arm()
        self._apply()
        after = self._snapshot("after")
        self._verify(before, after, audited)
        return self._confirm()

    def _planned(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "id": plan.id,
            "host": plan.host,
            "uri": self.connection.key,
            "apply": plan.apply,
            "rollback": plan.rollback,
            "confirm_within": plan.confirm_within,
            "apply_within": plan.apply_within,
            "baseline": self.judged_by.baseline.id,
            "ssh_config": self._ssh_config,
            "site": str(self.judged_by.site_path.absolute()) if self.judged_by.site_path else None,
        }

    def _snapshot(self, name: str) -> Bundle:
        step = f"snapshot {name}"
        self._note(step, "begun")
        try:
            bundle = self.connection.collect(SNAPSHOT_SECONDS)
        except CollectionError as error:
            self._note(step, "failed", reason=str(error))
            raise
        write_bundle(bundle, self.journal.folder / name)
        self._note(step, "done", files=len(bundle.names()))
        return bundle

    def _require_judgeable(self, before: Bundle) -> None:
        """A snapshot that does not even equal itself could prove nothing afterwards."""
        target = target_of(before, self.judged_by)
        same = compare(target, target)
        if not same.nothing:
            reasons = same.undetermined or ("the snapshot cannot be compared with certainty",)
            self._note("snapshot before", "failed", reasons=list(reasons[:SHOWN]))
            raise _Stop(UNKNOWN, reasons)

    def _audited(self, name: str) -> AuditReport:
        step = f"audit {name}"
        self._note(step, "begun")
        report = self._audit(self.connection)
        write_atomically(self.journal.folder / f"audit-{name}.json", json_bytes(report))
        count = report.count()
        unknown = [f"{one.control}: {one.message}" for one in report.outcomes if one.verdict is Verdict.ERROR]
        self._note(step, "done", **{str(verdict): count[verdict] for verdict in Verdict}, unknown=unknown[:SHOWN])
        return report

    def _arm(self) -> None:
        self._note("arm", "begun")
        self._may_be_armed = True
        report = self.guard.arm(self.plan)
        if report.state is State.REFUSED:
            self._may_be_armed = False
            self._note("arm", "failed", reason=report.refused)
            raise _Stop(UNKNOWN, (f"the host cannot be guarded: {report.refused}",))
        if report.state is State.ARMED:
            # Asked anew: the login that started the timer is over, and the timer must not be over with it.
            report = self.guard.wait(0)
        if report.state is not State.ARMED or not report.watchdog:
            self._note("arm", "failed", guard=report.state, watchdog=report.watchdog)
            raise _Stop(UNKNOWN, ("the timer on the host does not outlive the login that started it",))
        self._identity = Identity(report.boot, report.machine)
        told = {"folder": report.folder, "boot": report.boot, "machine": report.machine}
        self._note("arm", "done", **told, notes=list(report.notes))

    def _apply(self) -> None:
        """Apply, and look whether a new connection still finds its way: the answer itself may come by an old one."""
        self._note("apply", "begun")
        self._may_be_applied = True
        asked = monotonic()
        report = None
        try:
            report = self.guard.apply(self.plan)
        except CollectionError as error:
            self._note("apply", "begun", waiting=f"for a new connection, as this one is lost: {error}")
        try:
            if report is None or report.state is State.ARMED:
                report = self.guard.knock(max(1.0, self.plan.confirm_within / 2))
        except CollectionError as error:
            self._note("apply", "failed", reason=str(error))
            raise _Stop(UNDONE, (f"the change locked this auditor out: {error}",)) from None
        told = {"code": report.apply_code, "output": report.apply_output[-2000:]}
        if report.state is State.ARMED and report.apply_code == 0:
            self._note("apply", "done", **told)
            return
        self._note("apply", "failed", guard=report.state, reason=report.reason, **told)
        if report.apply_code == 0 and report.reason == TIMER and monotonic() - asked >= self.plan.confirm_within:
            # A connection that the change froze goes on, where it does, when the timer has healed the host.
            words = "did not answer until its timer had rolled the change back, as when a change locks the auditor out"
            raise _Stop(UNDONE, (f"{self.connection.key} {words}",))
        why = report.reason or f"the guard says {report.state}"
        raise _Stop(
            UNKNOWN if report.apply_code == 0 else UNDONE, (why, *report.apply_output.strip().splitlines()[-3:])
        )

    def _verify(self, before: Bundle, after: Bundle, audited: AuditReport) -> None:
        self._note("compare", "begun")
        comparison = compare(target_of(before, self.judged_by), target_of(after, self.judged_by))
        told = {"regression": comparison.regression, "reasons": list(comparison.reasons[:SHOWN])}
        self._note("compare", "done", **told)
        if comparison.regression:  # an audit would only leave the door open for longer
            self._write("diff.json", self._describe(comparison, None))
            raise _Stop(UNDONE, comparison.reasons)
        again = self._audited("after")
        self._write("diff.json", self._describe(comparison, flips(audited, again)))
        found = judge(comparison, audited, again)
        self._note("judge", "done", regression=found.regression, reasons=list(found.reasons[:SHOWN]))
        if found.regression is not False:
            raise _Stop(UNDONE if found.regression else UNKNOWN, found.reasons)

    def _confirm(self) -> Ending:
        self._note("confirm", "begun")
        report = self.guard.confirm()
        if report.state is not State.CONFIRMED:
            self._note("confirm", "failed", guard=report.state)
            raise _Stop(UNKNOWN, (f"the confirmation came too late: {report.reason or report.state}",))
        self._note("confirm", "done")
        return self._undoing().confirmed(report)

    def _back(self, code: Code, reasons: tuple[str, ...]) -> Ending:
        if not self._may_be_armed:
            host = f"{self.connection.key}: nothing was changed"
            ending = Ending(UNKNOWN, host, reasons)
            with suppress(OSError):
                self._note("end", "done", code=ending.code, host=ending.host, reasons=list(reasons[:SHOWN]))
            return ending
        for _ in range(2):
            try:
                return self._undoing().undo(code, reasons)
            except KeyboardInterrupt:  # one more is heeded: the rollback is asked for again, and goes on
                code, reasons = UNKNOWN, (*reasons, "interrupted")
        return self._undoing().undo(code, reasons)

    def _undoing(self) -> Undoing:
        return Undoing(
            self.plan,
            self.guard,
            self.judged_by,
            self.journal,
            self._before,
            applied=self._may_be_applied,
            armed=self._identity,
        )

    def _note(self, step: str, state: Any, **details: Any) -> None:
        self.journal.write(step, state, **details)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        data = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True).encode("utf-8", "backslashreplace")
        write_atomically(self.journal.folder / name, data + b"\n")
