"""What a check raises becomes a verdict; what is not clearly a pass or a failure is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from callgate.audit.verdicts import phase_verdict
from callgate.errors import CollectionError, EvidenceError, NotDetermined
from callgate.report.outcome import Verdict


def raising(error: BaseException) -> Callable[[], Any]:
    def check() -> None:
        raise error

    return check


def judged(error: BaseException | None, when: Literal["setup", "call", "teardown"] = "call") -> tuple[Verdict, str]:
    call = pytest.CallInfo.from_call(raising(error) if error else lambda: None, when=when)
    return phase_verdict(call)


@pytest.mark.parametrize(
    ("error", "verdict", "message"),
    [
        (None, Verdict.PASS, ""),
        (AssertionError("open\nassert not 'open'"), Verdict.FAIL, "open"),
        (AssertionError(), Verdict.FAIL, "the check's assertion does not hold"),
        (pytest.fail.Exception("open"), Verdict.FAIL, "open"),
        (pytest.skip.Exception("no vantage"), Verdict.SKIP, "no vantage"),
        (NotDetermined("unknown"), Verdict.ERROR, "unknown"),
        (EvidenceError("ss.txt", "cut short", 3), Verdict.ERROR, "ss.txt:3: cut short"),
        (CollectionError("ssh://pbx", "down"), Verdict.ERROR, "ssh://pbx: down"),
        (KeyError("x"), Verdict.ERROR, "the check broke: KeyError: 'x'"),
        (TimeoutError(), Verdict.ERROR, "the check broke: TimeoutError"),
    ],
)
def test_verdict_of_a_call(error: BaseException | None, verdict: Verdict, message: str) -> None:
    assert judged(error) == (verdict, message)


@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_assertion_outside_the_check_is_an_error(when: Literal["setup", "teardown"]) -> None:
    verdict, message = judged(AssertionError("x"), when)
    assert verdict is Verdict.ERROR
    assert message == f"the check broke in its {when}: AssertionError: x"
