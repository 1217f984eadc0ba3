"""Which controls' verdicts flipped between two audits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callgate.report.outcome import AuditReport, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Flip:
    """One case whose verdict changed. A verdict is None where that audit has no such case."""

    control: str
    case: str
    service: str | None
    before: Verdict | None
    after: Verdict | None
    message: str = ""
    """Why it is as it is now."""

    @property
    def regression(self) -> bool | None:
        """Whether what held no longer holds; None where one of the two audits could not determine it."""
        if self.before is Verdict.PASS and self.after is Verdict.FAIL:
            return True
        if self.before in (Verdict.FAIL, Verdict.WAIVED):
            return False  # it did not hold before
        if self.after is Verdict.ERROR or (self.before is Verdict.ERROR and self.after is Verdict.FAIL):
            return None
        # A case that ran and is gone proves nothing any more.
        return None if self.before is Verdict.PASS and self.after is None else False


def flips(before: AuditReport, after: AuditReport) -> tuple[Flip, ...]:
    """The cases whose verdicts differ, in the order of controls; other messages alone are no flip.

    Cases are matched by control and case, whatever each audit calls its host. Raises ValueError for an audit of
    several hosts: whose cases to compare is not known then.
    """
    then, now = _cases(before), _cases(after)
    found = []
    for key in sorted({*then, *now}):
        old, new = then.get(key), now.get(key)
        one = new or old
        if one is not None and (old is None or new is None or old.verdict is not new.verdict):
            found.append(
                Flip(
                    control=one.control,
                    case=one.case,
                    service=one.service,
                    before=old.verdict if old else None,
                    after=new.verdict if new else None,
                    message=new.message if new else "",
                )
            )
    return tuple(found)


def worsened(found: Iterable[Flip]) -> bool | None:
    """Whether some flip is a regression; None when none surely is and some may be."""
    told = {flip.regression for flip in found}
    return True if True in told else None if None in told else False


def _cases(report: AuditReport) -> dict[tuple[str, str], Outcome]:
    if len({outcome.host for outcome in report.outcomes} | {host.uri for host in report.hosts}) > 1:
        raise ValueError("an audit of one host is compared with another one of it")
    return {(outcome.control, outcome.case): outcome for outcome in report.outcomes}
