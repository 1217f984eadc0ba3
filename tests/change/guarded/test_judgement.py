"""Whether a change may stay."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callgate.change.comparison import Comparison
from callgate.change.guarded.judgement import judge
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict

NOW = datetime(2025, 1, 1, tzinfo=UTC)
P, F, E, S, W = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP, Verdict.WAIVED


def audited(*verdicts: Verdict) -> AuditReport:
    outcomes = tuple(
        Outcome(host="ssh://pbx1", control=f"EXP-{n:02}", case="case", service=None, verdict=verdict, message="because")
        for n, verdict in enumerate(verdicts)
    )
    host = HostSummary(uri="ssh://pbx1", name="pbx1")
    return AuditReport(
        tool_version="0",
        baseline="b",
        site=None,
        started=NOW,
        finished=NOW,
        controls={},
        hosts=(host,),
        outcomes=outcomes,
    )


def compared(widened: bool | None = False, locked_out: bool | None = False, undetermined: str = "") -> Comparison:
    return Comparison(
        gained=(),
        lost=(),
        others=(),
        notes=(),
        undetermined=(undetermined,) if undetermined else (),
        widened=widened,
        locked_out=locked_out,
    )


@pytest.mark.parametrize(
    ("comparison", "before", "after", "regression"),
    [
        (compared(), (P, F), (P, F), False),
        (compared(), (F, F), (P, P), False),
        (compared(), (P, S), (P, S), False),
        (compared(), (E, P), (P, P), False),
        (compared(widened=True), (P,), (P,), True),
        (compared(locked_out=True), (P,), (P,), True),
        (compared(widened=None), (P,), (P,), None),
        (compared(undetermined="nft.json: damaged"), (P,), (P,), None),
        (compared(), (P, P), (P, F), True),
        (compared(), (P, P), (P, E), None),
        (compared(), (F, P), (E, P), None),
        (compared(), (E, P), (E, P), False),
        (compared(undetermined="nft.json: damaged"), (E, P), (E, P), None),
        (compared(), (P, P), (P,), None),
        (compared(), (S,), (S,), None),
        (compared(), (P, E), (F, E), True),
    ],
)
def test_a_change_stays_only_where_nothing_got_worse_and_nothing_is_unknown(
    comparison: Comparison, before: tuple[Verdict, ...], after: tuple[Verdict, ...], regression: bool | None
) -> None:
    found = judge(comparison, audited(*before), audited(*after))
    assert found.regression is regression
    assert (found.reasons == ()) is (regression is False) or comparison.regression


def test_the_reasons_name_the_control_and_what_it_said() -> None:
    found = judge(compared(), audited(P, P), audited(F, E))
    assert found.reasons == ("EXP-00 (case): pass before, fail now: because", "EXP-01 (case): not determined: because")
