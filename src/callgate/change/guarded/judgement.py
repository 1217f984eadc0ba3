"""Whether an applied change may stay: what the two snapshots and the two audits say together."""

from __future__ import annotations

from dataclasses import dataclass

from callgate.change.comparison import Comparison
from callgate.change.flips import flips, worsened
from callgate.report.outcome import AuditReport, Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """`regression` is None where it could not be determined: then the change does not stay either."""

    regression: bool | None
    reasons: tuple[str, ...]
    """In words, for what speaks against the change; text of the host is in it as it stands."""


def judge(comparison: Comparison, before: AuditReport, after: AuditReport) -> Judgement:
    """Weigh a change. What could not be determined before and cannot now is not held against it: the comparison is."""
    found = flips(before, after)
    worse = worsened(found)
    never = {(one.control, one.case) for one in before.outcomes if one.verdict is Verdict.ERROR}
    unknown = [one for one in after.outcomes if one.verdict is Verdict.ERROR and (one.control, one.case) not in never]
    reasons = [*comparison.reasons, *(f"not determined: {text}" for text in comparison.undetermined)]
    # What merely was not determined is told below, with all that is not.
    reasons += [
        f"{flip.control} ({flip.service or flip.case}): {flip.before} before, {flip.after or 'not asked'} now"
        + (f": {flip.message}" if flip.message else "")
        for flip in found
        if flip.regression or (flip.regression is None and flip.after is not Verdict.ERROR)
    ]
    reasons += [f"{one.control} ({one.service or one.case}): not determined: {one.message}" for one in unknown]
    if comparison.regression or worse:
        return Judgement(True, tuple(reasons))
    if comparison.regression is None or worse is None or unknown or after.unassessed:
        reasons += [f"nothing of {uri} was assessed" for uri in after.unassessed]
        return Judgement(None, tuple(reasons) or ("the comparison could not be determined",))
    return Judgement(False, ())
