"""What became of a change whose controller did not see its end, from its journal and from its host."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from callgate.audit.plan import AuditPlan
from callgate.change.guarded.connection import Connection
from callgate.change.guarded.ending import APPLIED, UNDONE, UNKNOWN, Code, Ending, undone
from callgate.change.guarded.guard import Guard
from callgate.change.guarded.journal import Entry, Journal, read_journal
from callgate.change.guarded.plan import ChangePlan
from callgate.change.guarded.report import State
from callgate.change.guarded.undoing import Identity, Undoing
from callgate.errors import CallgateError, UsageMistake
from callgate.evidence.bundle import Bundle, read_bundle

_CODES: Final[tuple[Code, ...]] = (APPLIED, UNDONE, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Record:
    """A change as its journal tells it."""

    plan: ChangePlan
    planned: Mapping[str, Any]
    """As it was written down: also `baseline`, `site` and `ssh_config`."""
    entries: tuple[Entry, ...]

    def reached(self, step: str, state: str = "begun") -> bool:
        """Whether the journal has this entry."""
        return any(entry.step == step and entry.state == state for entry in self.entries)

    @property
    def ending(self) -> Ending | None:
        """The end that the journal tells, if it does."""
        for entry in reversed(self.entries):
            told = entry.details.get("code")
            code = next((one for one in _CODES if type(told) is int and one == told), None)
            if entry.step == "end" and code is not None:
                why = entry.details.get("reasons")
                reasons = tuple(map(str, why)) if isinstance(why, list) else ()
                proven = entry.details.get("proven", True) is True
                return Ending(code, str(entry.details.get("host", "")), reasons, proven)
        return None

    @property
    def armed(self) -> Identity:
        """The host that the guard was armed on, as far as the journal tells."""
        told = next((entry.details for entry in self.entries if (entry.step, entry.state) == ("arm", "done")), {})
        return Identity(str(told.get("boot", "")), str(told.get("machine", "")))

    @property
    def last(self) -> str:
        """The last entry, in words."""
        return f"{self.entries[-1].step} {self.entries[-1].state} at {self.entries[-1].time}"


def read_record(folder: Path) -> Record:
    """Read a journal. Raises UsageMistake when there is none, or when it tells of no change."""
    entries = read_journal(folder)
    planned = next((entry.details for entry in entries if entry.step == "plan"), None)
    if planned is None:
        raise UsageMistake(f"{folder}: the journal tells of no change: nothing was begun")
    try:
        plan = ChangePlan(
            host=str(planned["host"]),
            apply=str(planned["apply"]),
            rollback=str(planned["rollback"]),
            confirm_within=int(planned["confirm_within"]),
            apply_within=int(planned["apply_within"]),
            id=str(planned["id"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UsageMistake(f"{folder}: the journal does not tell what was planned") from None
    return Record(plan, planned, entries)


def status(record: Record, connection: Connection) -> Ending:
    """Where the change stands, without touching anything. Raises CollectionError when the host cannot be reached."""
    if (settled := _settled(record, connection)) is not None:
        return settled
    report = Guard(connection, record.plan.id).wait(0)
    key = connection.key
    match report.state:
        case State.CONFIRMED:
            return Ending(APPLIED, f"{key}: the change is applied, verified and confirmed")
        case State.ARMED if report.watchdog:
            words = f"the change is armed; the timer rolls it back in {report.remaining} s"
            return Ending(UNKNOWN, f"{key}: {words}", proven=False)
        case State.ROLLING_BACK if report.watchdog:
            return Ending(UNKNOWN, f"{key}: the change is being rolled back", proven=False)
        case State.ARMED | State.ROLLING_BACK | State.ARMING:
            words = f"the guard says {report.state}, and its timer is DEAD; --resume rolls back"
            return Ending(UNKNOWN, f"{key}: {words}", proven=False)
        case State.GONE if record.reached("confirm", "done"):
            return Ending(APPLIED, f"{key}: the change is applied, verified and confirmed")
        case State.GONE if record.armed.another(report):
            words = "another machine answers by this name, and NOTHING is known of the one that was changed"
            return Ending(UNKNOWN, f"{key}: {words}", proven=False)
        case State.GONE:
            return Ending(UNKNOWN, f"{key}: the guard is gone; --resume tells what the host is like", proven=False)
        case _:
            return Ending(UNKNOWN, f"{key}: {undone(report)}; --resume proves it", (report.reason,), proven=False)


def resume(record: Record, connection: Connection, judged_by: AuditPlan, journal: Journal) -> Ending:
    """End the change: what is armed is rolled back, what was rolled back is proven, what was confirmed is told.

    Raises CollectionError when the host cannot be reached at first.
    """
    if (settled := _settled(record, connection)) is not None:
        return settled
    guard = Guard(connection, record.plan.id)
    report = guard.wait(0)
    with suppress(OSError):
        journal.write("resume", "begun", after=record.last, guard=report.state)
    before, applied = _before(journal.folder), record.reached("apply")
    undoing = Undoing(record.plan, guard, judged_by, journal, before, applied=applied, armed=record.armed)
    # Once that was written, only the guard's folder was left to remove.
    if report.state is State.CONFIRMED or (report.state is State.GONE and record.reached("confirm", "done")):
        return undoing.confirmed(report)
    return undoing.undo(UNDONE, (f"the controller ended before the change did: {record.last}",))


def _settled(record: Record, connection: Connection) -> Ending | None:
    """The end, where the journal alone is enough to tell it."""
    if record.ending is not None and record.ending.proven:
        return record.ending
    if not record.reached("arm"):
        return Ending(UNDONE, f"{connection.key}: nothing was changed: it ended before that ({record.last})")
    return None


def _before(folder: Path) -> Bundle | None:
    try:
        return read_bundle(folder / "before")
    except CallgateError:
        return None
