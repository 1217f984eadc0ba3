"""Applies waivers to failing outcomes, and remembers which of them did anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from callgate.baseline.waiver import Waiver
from callgate.report.outcome import Outcome, Verdict


class Waiving:
    """The waivers of an audit. Only a failure can be waived: what is unknown stays unknown."""

    def __init__(self, waivers: Sequence[Waiver], now: datetime) -> None:
        self._waivers = tuple(waivers)
        self._now = now
        self._spoke_of: set[int] = set()
        self._waived: set[int] = set()

    def apply(self, outcome: Outcome, host_name: str) -> Outcome:
        """The outcome as the waivers leave it: a failure that one covers is waived, one it no longer covers says so."""
        expired: Waiver | None = None
        for index, waiver in enumerate(self._waivers):
            if not waiver.applies_to(outcome.control, outcome.host, host_name, outcome.service):
                continue
            self._spoke_of.add(index)
            if outcome.verdict is not Verdict.FAIL:
                continue
            if waiver.expires > self._now:
                self._waived.add(index)
                message = f"waived: {waiver.words}\n{outcome.message}"
                return replace(outcome, verdict=Verdict.WAIVED, message=message)
            expired = waiver
        if expired is not None:
            return replace(outcome, message=f"{outcome.message}\nits waiver has expired: {expired.words}")
        return outcome

    def notes(self) -> tuple[str, ...]:
        """What the reader should know: waivers that expired, that matched nothing, or that nothing needs."""
        said = []
        for index, waiver in enumerate(self._waivers):
            if waiver.expires <= self._now:
                said.append(f"waiver expired: {waiver.subject}: {waiver.words}")
            elif index not in self._spoke_of:
                said.append(f"waiver matches nothing here: {waiver.subject}: {waiver.words}")
            elif index not in self._waived:
                said.append(f"waiver is not needed, nothing it covers fails: {waiver.subject}: {waiver.words}")
        return tuple(said)
