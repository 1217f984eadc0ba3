"""A host whose guard and whose snapshots are written down beforehand, for what a change makes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tests.audit.conftest import SERVING_HOST, bundle

from callgate.audit.plan import AuditPlan
from callgate.baseline.library import load_baseline
from callgate.baseline.site import Site
from callgate.change.comparison import Comparison
from callgate.change.flips import Flip
from callgate.change.guarded.conduct import GuardedChange
from callgate.change.guarded.connection import Connection
from callgate.change.guarded.journal import Entry, Journal
from callgate.change.guarded.plan import ChangePlan
from callgate.errors import CollectionError
from callgate.evidence.bundle import Bundle
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict

KEY = "ssh://pbx1"
PROTECTED = bundle(SERVING_HOST)
OPEN = bundle({**SERVING_HOST, "iptables-save.txt": b""})
SITE = Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]})
JUDGED_BY = AuditPlan(load_baseline("voip-core"), SITE, None, ())

Answer = str | BaseException | Callable[[], str]


def says(state: str, *more: str) -> str:
    """A report of the guard."""
    return "".join(f"@guard {line}\n" for line in (f"state {state}", "watchdog alive", *more, "end"))


ARMED = says("armed", "folder /run/callgate-change-0")
APPLIED = says("armed", "apply.code 0", "begun yes")
CONFIRMED = says("confirmed", "apply.code 0")
ROLLED_BACK = says("rolled-back", "reason asked to", "rollback.code 0", "begun yes")
GONE = says("gone")
CLEARED = says("cleared")
UNREACHABLE = CollectionError(KEY, "cannot be reached: Connection timed out")


class HostByScript:
    """Stands in for a Connection. The last answer to a verb, and the last snapshot, are given again and again."""

    def __init__(self, snapshots: Sequence[Bundle | BaseException], **answers: Answer | Sequence[Answer]) -> None:
        self.key = self.uri = KEY
        self.ssh_config = ""
        self.asked: list[str] = []
        self._snapshots = list(snapshots)
        usual: dict[str, Answer | Sequence[Answer]] = {
            "arm": ARMED,
            "wait": [ARMED, APPLIED],
            "apply": APPLIED,
            "confirm": CONFIRMED,
            "fire": ROLLED_BACK,
            "clear": CLEARED,
        }
        self._answers: defaultdict[str, list[Answer]] = defaultdict(list)
        for verb, given in (usual | answers).items():
            self._answers[verb] = [given] if isinstance(given, str) or not isinstance(given, Sequence) else list(given)

    def run(self, seconds: float, command: str, *arguments: str) -> bytes:
        verb = arguments[3] if len(arguments) > 3 else "run"
        self.asked.append(verb)
        answers = self._answers[verb]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return (answer if isinstance(answer, str) else answer()).encode()

    def collect(self, seconds: float = 0) -> Bundle:
        self.asked.append("collect")
        got = self._snapshots.pop(0) if len(self._snapshots) > 1 else self._snapshots[0]
        if isinstance(got, BaseException):
            raise got
        return got

    @property
    def connection(self) -> Connection:
        return cast(Connection, self)


def audited(verdict: Verdict = Verdict.PASS) -> AuditReport:
    """The report of one control."""
    now = datetime(2025, 1, 1, tzinfo=UTC)
    outcome = Outcome(host=KEY, control="EXP-01", case="case", service="sccp", verdict=verdict, message="because")
    return AuditReport(
        tool_version="0",
        baseline="voip-core",
        site=None,
        started=now,
        finished=now,
        controls=JUDGED_BY.baseline.controls,
        hosts=(HostSummary(uri=KEY, name="pbx1"),),
        outcomes=(outcome,),
    )


def described(comparison: Comparison, flipped: tuple[Flip, ...] | None) -> dict[str, Any]:
    return {"regression": comparison.regression, "flips": None if flipped is None else len(flipped)}


def guarded(
    host: HostByScript,
    folder: Path,
    *,
    audits: Sequence[AuditReport | BaseException] = (),
    observe: Callable[[Entry], None] | None = None,
) -> GuardedChange:
    """A guarded change of the host. Audits pass unless others are given."""
    given = list(audits)

    def audit(connection: Connection) -> AuditReport:
        host.asked.append("audit")
        got = given.pop(0) if given else audited()
        if isinstance(got, BaseException):
            raise got
        return got

    plan = ChangePlan(host=KEY, apply="nft -f new", rollback="nft -f old", confirm_within=1, apply_within=1, id="0" * 8)
    return GuardedChange(plan, host.connection, JUDGED_BY, Journal(folder, observe), audit, described)
