"""Waivers change failures only, until they end, and say so when they do nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.audit.waiving import Waiving
from callgate.baseline.waiver import Waiver
from callgate.report.outcome import Outcome, Verdict

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def waiver(expires: str = "2026-12-31", **changes: str) -> Waiver:
    values = {"control": "EXP-01", "host": "pbx*", "reason": "old phones", "owner": "ops", "ticket": "T-1"}
    return Waiver.model_validate({**values, "expires": expires, **changes})


def outcome(verdict: Verdict, service: str | None = "sccp") -> Outcome:
    return Outcome(host="ssh://pbx1", control="EXP-01", case="t", service=service, verdict=verdict, message="open")


def test_failure_is_waived_and_keeps_its_message() -> None:
    waiving = Waiving([waiver()], NOW)
    got = waiving.apply(outcome(Verdict.FAIL), "pbx1")
    assert got.verdict is Verdict.WAIVED
    assert got.message == "waived: old phones (ops, T-1, until 2027-01-01 00:00 UTC)\nopen"
    assert waiving.notes() == ()


@given(st.sampled_from([verdict for verdict in Verdict if verdict is not Verdict.FAIL]))
def test_only_a_failure_can_be_waived(verdict: Verdict) -> None:
    waiving = Waiving([waiver()], NOW)
    assert waiving.apply(outcome(verdict), "pbx1") == outcome(verdict)
    assert waiving.notes()[0].startswith("waiver is not needed")


@pytest.mark.parametrize(
    ("expires", "verdict"),
    [
        ("2026-11-22", Verdict.WAIVED),  # the day itself still counts
        ("2026-11-21", Verdict.FAIL),
        ("2026-11-22T12:00:01Z", Verdict.WAIVED),
        ("2026-11-22T12:00:00Z", Verdict.FAIL),
        ("2026-11-22T13:30:00+02:00", Verdict.FAIL),
    ],
)
def test_waiver_ends_when_it_says_in_utc(expires: str, verdict: Verdict) -> None:
    waiving = Waiving([waiver(expires)], NOW)
    got = waiving.apply(outcome(Verdict.FAIL), "pbx1")
    assert got.verdict is verdict
    if verdict is Verdict.FAIL:
        assert "its waiver has expired" in got.message
        assert waiving.notes()[0].startswith("waiver expired: EXP-01 on pbx*")


@pytest.mark.parametrize("changes", [{"control": "LSN-02"}, {"host": "cucm*"}, {"service": "sip-udp"}])
def test_waiver_of_something_else_changes_nothing_and_is_reported(changes: dict[str, str]) -> None:
    waiving = Waiving([waiver(**changes)], NOW)
    assert waiving.apply(outcome(Verdict.FAIL), "pbx1") == outcome(Verdict.FAIL)
    assert waiving.notes()[0].startswith("waiver matches nothing here")


def test_expired_waiver_does_not_hide_one_that_holds() -> None:
    waiving = Waiving([waiver("2020-01-01"), waiver()], NOW)
    assert waiving.apply(outcome(Verdict.FAIL), "pbx1").verdict is Verdict.WAIVED


def test_host_pattern_speaks_of_names_and_uris() -> None:
    for pattern in ("pbx1", "ssh://pbx1", "ssh://*", "*"):
        assert Waiving([waiver(host=pattern)], NOW).apply(outcome(Verdict.FAIL), "pbx1").verdict is Verdict.WAIVED
