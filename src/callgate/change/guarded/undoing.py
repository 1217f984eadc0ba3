"""The way back: roll back on the host, by its timer where it cannot be reached, and prove that it is as it was."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from callgate.audit.plan import AuditPlan
from callgate.change.comparison import Comparison, compare
from callgate.change.guarded.ending import APPLIED, UNKNOWN, Code, Ending, undone
from callgate.change.guarded.guard import Guard
from callgate.change.guarded.journal import Journal, Progress
from callgate.change.guarded.plan import ChangePlan
from callgate.change.guarded.report import GuardReport, State
from callgate.change.snapshot import target_of
from callgate.errors import CallgateError, CollectionError
from callgate.evidence.bundle import Bundle, write_bundle
from callgate.report.atomic import write_atomically

_ATTEMPTS: Final = 3
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """The host as it was when the guard was armed; empty where that is not known."""

    boot: str = ""
    machine: str = ""

    def another(self, report: GuardReport) -> bool:
        """Whether it is another machine that answers by the host's name."""
        return bool(self.machine and report.machine and self.machine != report.machine)

    def gone(self, report: GuardReport) -> str:
        """Why the guard is gone, in words."""
        if not (self.boot and report.boot):
            return "the guard is gone, as the host was restarted, or somebody removed it"
        if self.boot != report.boot:
            return "the host was restarted, and the guard is gone"
        return "the guard is gone, though the host was not restarted"


class Undoing:
    """Ends a change that is, or may be, armed. Its journal may fail here (a full disk): the host comes first."""

    def __init__(
        self,
        plan: ChangePlan,
        guard: Guard,
        judged_by: AuditPlan,
        journal: Journal,
        before: Bundle | None,
        *,
        applied: bool,
        armed: Identity,
    ) -> None:
        """`applied`: whether the apply command may have begun; `armed`: the host that the guard was armed on."""
        self.plan = plan
        self.guard = guard
        self.judged_by = judged_by
        self.journal = journal
        self.before = before
        self.applied = applied
        self.armed = armed
        self.key = guard.connection.key

    def undo(self, code: Code, reasons: tuple[str, ...]) -> Ending:
        """Roll back, wait for it, and prove it. `code` is what the ending has when that is proven, and 3 else."""
        self._note("roll back", "begun", reasons=list(reasons[:_SHOWN]))
        report = self._fired()
        if report is None and not self.applied:
            words = "cannot be reached any more; the change was never applied"
            return self._end(Ending(UNKNOWN, f"{self.key}: {words}", reasons))
        if report is None:
            words = "cannot be reached; its timer should have rolled the change back by now, and NOTHING PROVES IT"
            return self._end(Ending(UNKNOWN, f"{self.key}: {words}", reasons, proven=False))
        self._keep_log(report)
        if report.state is State.CONFIRMED:
            return self.confirmed(report, reasons)
        details = {"guard": report.state, "reason": report.reason, "rollback_code": report.rollback_code}
        self._note("roll back", "done", **details)
        if report.state in (State.GONE, State.REFUSED, State.ARMING) and not self.applied:
            self._clear(report)
            return self._end(Ending(code, f"{self.key}: nothing was changed", reasons))
        if self.armed.another(report):
            words = "another machine answers by this name, and NOTHING is known of the one that was changed"
            return self._end(Ending(UNKNOWN, f"{self.key}: {words}", reasons, proven=False))
        how = self.armed.gone(report) if report.state is State.GONE else undone(report)
        differences = self._differences()
        if differences and report.state is State.GONE:
            self._roll_back_unguarded()
            how += "; the rollback command was run anew"
            differences = self._differences()
        if differences:
            words = f"{how}; it is NOT PROVEN to be as it was before the change"
            where = f"the guard's folder {report.folder} is left there" if report.folder else ""
            seen = (*reasons, *differences, where) if where else (*reasons, *differences)
            return self._end(Ending(UNKNOWN, f"{self.key}: {words}", seen, proven=False))
        self._clear(report)
        words = f"{how}; a new snapshot proves that it is as it was before the change"
        return self._end(Ending(code, f"{self.key}: {words}", reasons))

    def confirmed(self, report: GuardReport, reasons: tuple[str, ...] = ()) -> Ending:
        """End a change that the host knows as confirmed."""
        self._keep_log(report)
        self._clear(report)
        return self._end(Ending(APPLIED, f"{self.key}: the change is applied, verified and confirmed", reasons))

    def _fired(self) -> GuardReport | None:
        """The guard's report once it has ended; None when the host cannot be reached long past its timer."""
        # A timer that started, and nothing applied: it ends by itself.
        patience = self.plan.longest if self.applied else self.plan.confirm_within + 60
        deadline = time.monotonic() + patience
        told = ""
        idle = 0
        while time.monotonic() < deadline:
            try:
                report = self.guard.fire(5)
            except CollectionError as error:
                if str(error) != told:
                    told = str(error)
                    self._note("roll back", "begun", waiting=f"for the timer on the host: {told}")
                time.sleep(1)
                continue
            if report.state.ended:
                return report
            # Never armed, and without a timer it never will be.
            idle = idle + 1 if report.state is State.ARMING and not report.watchdog else 0
            if idle > 2:
                return report
        self._note("roll back", "failed", reason=told)
        return None

    def _differences(self) -> tuple[str, ...]:
        """What a new snapshot shows to differ from the one before the change; nothing when that is certain."""
        self._note("prove", "begun")
        found = self._compared()
        self._note("prove", "failed" if found else "done", differences=list(found[:_SHOWN]))
        return found

    def _compared(self) -> tuple[str, ...]:
        if self.before is None:
            return ("there is no snapshot from before the change to compare with",)
        failure = ""
        for attempt in range(_ATTEMPTS):
            try:
                now = self.guard.connection.collect()
                break
            except CollectionError as error:
                failure = str(error)
                time.sleep(attempt)
        else:
            return (f"no snapshot could be taken afterwards: {failure}",)
        try:
            with suppress(OSError, CallgateError):
                write_bundle(now, self._folder())
            found = compare(target_of(self.before, self.judged_by), target_of(now, self.judged_by))
        except Exception as error:  # whatever it is, nothing is proven
            return (f"the snapshots could not be compared: {type(error).__name__}: {error}",)
        texts = _changed_files(self.before, now)
        if texts:
            self._note("files", "done", changed=list(texts))
        return () if found.nothing else _in_words(found)

    def _folder(self) -> Any:
        names = ("restored", *(f"restored-{number}" for number in range(2, 100)))
        return next(path for name in names if not (path := self.journal.folder / name).exists())

    def _roll_back_unguarded(self) -> None:
        self._note("roll back", "begun", unguarded=True)
        try:
            self.guard.connection.run(self.plan.apply_within + 20, "sh -c %s", self.plan.rollback)
        except CollectionError as error:
            self._note("roll back", "failed", unguarded=True, reason=str(error))

    def _clear(self, report: GuardReport) -> None:
        if report.state is State.GONE:
            return
        self._note("clear", "begun")
        try:
            self.guard.clear()
        except CollectionError as error:  # the host is as it should be: only the folder stays
            self._note("clear", "failed", reason=str(error))
        else:
            self._note("clear", "done")

    def _keep_log(self, report: GuardReport) -> None:
        with suppress(OSError, CallgateError):
            data = "".join(f"{line}\n" for line in report.log).encode("utf-8", "backslashreplace")
            write_atomically(self.journal.folder / "guard.log", data)

    def _end(self, ending: Ending) -> Ending:
        reasons = list(ending.reasons[:_SHOWN])
        self._note("end", "done", code=ending.code, host=ending.host, proven=ending.proven, reasons=reasons)
        return ending

    def _note(self, step: str, state: Progress, **details: Any) -> None:
        with suppress(OSError):
            self.journal.write(step, state, **details)


def _changed_files(before: Bundle, now: Bundle) -> tuple[str, ...]:
    """The files below etc/ whose text differs; what they mean is compared elsewhere."""
    names = sorted(name for name in {*before.names(), *now.names()} if name.startswith("etc/"))
    return tuple(name for name in names if _text(before, name) != _text(now, name))


def _text(bundle: Bundle, name: str) -> bytes | None:
    try:
        return bundle.read(name)
    except CallgateError:
        return None


def _in_words(found: Comparison) -> tuple[str, ...]:
    lines = [f"{shift.service} on {shift.entrance.interface}: more sources get in" for shift in found.gained]
    lines += [f"{shift.service} on {shift.entrance.interface}: fewer sources get in" for shift in found.lost]
    lines += [change.text for change in found.others]
    lines += [f"not determined: {text}" for text in found.undetermined]
    return tuple(lines) or ("it is not certain that nothing changed",)
