"""Which verdicts flipped between two audits, and which flips are regressions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callgate.change.flips import flips, worsened
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def audit(host: str, **verdicts: Verdict) -> AuditReport:
    outcomes = tuple(
        Outcome(
            host=host, control=name, case=f"test_{name}", service=None, verdict=verdict, message=f"{host} {verdict}"
        )
        for name, verdict in verdicts.items()
    )
    return AuditReport(
        tool_version="0", baseline="b", site=None, started=NOW, finished=NOW, controls={},
        hosts=(HostSummary(uri=host, name=host),), outcomes=outcomes,
    )  # fmt: skip


def test_other_names_and_other_words_are_no_flip() -> None:
    assert flips(audit("one", A=Verdict.PASS, B=Verdict.FAIL), audit("two", B=Verdict.FAIL, A=Verdict.PASS)) == ()


def test_flip_names_control_case_and_both_verdicts() -> None:
    (flip,) = flips(audit("one", A=Verdict.PASS, B=Verdict.FAIL), audit("two", A=Verdict.FAIL, B=Verdict.FAIL))
    assert (flip.control, flip.case, flip.service) == ("A", "test_A", None)
    assert (flip.before, flip.after, flip.message) == (Verdict.PASS, Verdict.FAIL, "two fail")


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (Verdict.PASS, Verdict.FAIL, True),
        (Verdict.PASS, Verdict.ERROR, None),
        (Verdict.PASS, Verdict.WAIVED, False),
        (Verdict.PASS, Verdict.SKIP, False),
        (Verdict.FAIL, Verdict.PASS, False),
        (Verdict.FAIL, Verdict.ERROR, False),
        (Verdict.WAIVED, Verdict.FAIL, False),
        (Verdict.ERROR, Verdict.FAIL, None),
        (Verdict.ERROR, Verdict.PASS, False),
        (Verdict.SKIP, Verdict.FAIL, False),
        (Verdict.SKIP, Verdict.ERROR, None),
    ],
)
def test_flip_is_a_regression_where_what_held_holds_no_longer(
    before: Verdict, after: Verdict, worse: bool | None
) -> None:
    found = flips(audit("one", A=before), audit("one", A=after))
    assert [flip.regression for flip in found] == [worse]
    assert worsened(found) is worse


def test_sure_regression_outweighs_a_doubtful_one() -> None:
    before = audit("one", A=Verdict.PASS, B=Verdict.PASS)
    assert worsened(flips(before, audit("one", A=Verdict.ERROR, B=Verdict.FAIL))) is True
    assert worsened(()) is False


def test_case_that_passed_and_is_gone_proves_nothing() -> None:
    (flip,) = flips(audit("one", A=Verdict.PASS), audit("one"))
    assert (flip.after, flip.regression) == (None, None)
    (flip,) = flips(audit("one"), audit("one", A=Verdict.FAIL))
    assert (flip.before, flip.regression) == (None, False)


def test_audit_of_two_hosts_is_refused() -> None:
    one = audit("one", A=Verdict.PASS)
    two = AuditReport(
        tool_version="0", baseline="b", site=None, started=NOW, finished=NOW, controls={},
        hosts=(*one.hosts, HostSummary(uri="two", name="two")), outcomes=one.outcomes,
    )  # fmt: skip
    with pytest.raises(ValueError, match="one host"):
        flips(one, two)
