"""Turns what pytest reports of a check into an outcome. What is not clearly a pass or a failure is an error."""

from __future__ import annotations

import pytest

from callgate.errors import CallgateError
from callgate.report.outcome import Outcome, Verdict

ATTESTED = pytest.StashKey[list[str]]()
PHASES = pytest.StashKey[list[tuple[Verdict, str, float]]]()


def note_phase(item: pytest.Item, call: pytest.CallInfo[None]) -> tuple[Verdict, str]:
    """Take down how setup, call or teardown of a check went; returns that phase's verdict and message."""
    verdict, message = phase_verdict(call)
    item.stash.setdefault(PHASES, []).append((verdict, message, call.duration))
    return verdict, message


def phase_verdict(call: pytest.CallInfo[None]) -> tuple[Verdict, str]:
    """A failed assertion is a failure, a skip a skip; everything else that is raised left the question open."""
    if call.excinfo is None:
        return Verdict.PASS, ""
    error = call.excinfo.value
    text = str(error).strip()
    if isinstance(error, pytest.skip.Exception):
        return Verdict.SKIP, error.msg or "no reason given"
    if isinstance(error, CallgateError):
        return Verdict.ERROR, text
    if call.when == "call" and isinstance(error, AssertionError | pytest.fail.Exception):
        return Verdict.FAIL, _asserted(text)
    kind = type(error).__name__
    where = "" if call.when == "call" else f" in its {call.when}"
    return Verdict.ERROR, f"the check broke{where}: {kind}: {text}" if text else f"the check broke{where}: {kind}"


def _asserted(text: str) -> str:
    """The message of an assertion, without the expression pytest spells out below it."""
    message = text.split("\nassert ", 1)[0].strip()
    return message or "the check's assertion does not hold"


def outcome_of(item: pytest.Item, host: str, control: str, service: str | None) -> Outcome:
    """The one outcome of a finished check: the worst of its phases."""
    phases = item.stash[PHASES]
    lines: list[str] = item.stash.get(ATTESTED, [])
    attested = "\n".join(lines)
    order = (Verdict.ERROR, Verdict.FAIL, Verdict.SKIP, Verdict.PASS)
    verdict, message, _ = min(phases, key=lambda phase: order.index(phase[0]))
    if verdict is Verdict.PASS:
        message, attested = attested or "holds", ""
    return Outcome(
        host=host,
        control=control,
        case=case_name(item, service),
        service=service,
        verdict=verdict,
        message=message or "no reason given",
        detail=attested,
        seconds=sum(seconds for _, _, seconds in phases),
    )


def case_name(item: pytest.Item, service: str | None) -> str:
    """The check and its own parameters, without the host: the same in a clone and from a wheel."""
    if not isinstance(item, pytest.Function):
        return item.name
    callspec = getattr(item, "callspec", None)
    own = [
        str(value)
        for name, value in (callspec.params.items() if callspec else ())
        if name not in ("_testinfra_host", "service")
    ]
    parts = ([service] if service else []) + own
    return item.originalname + (f"[{'-'.join(parts)}]" if parts else "")
