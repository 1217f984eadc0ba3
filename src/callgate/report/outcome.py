"""What an audit found: one outcome per host, control and case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callgate.baseline.control import Control


class Verdict(StrEnum):
    """The five things an audit can say of a case. Unknown is `error`, never `pass`."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One case: a check run for one control on one host (and one service, where the check takes one)."""

    host: str
    """The host as the audit names it: a URI without password, like `ssh://root@pbx1:2222`."""
    control: str
    case: str
    """The check's name and its parameters, like `test_no_stranger_is_answered[sccp]`; unique per host and control."""
    service: str | None
    verdict: Verdict
    message: str
    """Why, in one or a few lines; never empty."""
    detail: str = ""
    """The evidence behind the message: socket lines, probe results; may be empty."""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not self.message.strip():
            raise ValueError(f"{self.host} {self.control} {self.case}: an outcome needs a message")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSummary:
    """What the report says of a host beside its outcomes."""

    uri: str
    name: str
    """The short name, for JUnit's `hostname`."""
    assumptions: tuple[str, ...] = ()
    """What was taken for granted, like a trusted network no site file named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """A whole audit, ready to be written down."""

    tool_version: str
    baseline: str
    site: str | None
    started: datetime
    finished: datetime
    """Both times are aware and in UTC."""
    controls: Mapping[str, Control]
    hosts: tuple[HostSummary, ...]
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    """What holds for the audit as a whole, like a waiver that matched nothing."""

    def count(self) -> Counter[Verdict]:
        """Outcomes per verdict."""
        return Counter(outcome.verdict for outcome in self.outcomes)

    @property
    def unassessed(self) -> tuple[str, ...]:
        """The hosts of which nothing was assessed: neither a pass nor a failure, waived or not."""
        verdicts = (Verdict.PASS, Verdict.FAIL, Verdict.WAIVED)
        assessed = {outcome.host for outcome in self.outcomes if outcome.verdict in verdicts}
        return tuple(host.uri for host in self.hosts if host.uri not in assessed)

    @property
    def exit_code(self) -> int:
        """0 everything holds or is waived, 1 something fails, 3 something, or all of a host, is undetermined."""
        count = self.count()
        if count[Verdict.FAIL]:
            return 1
        if count[Verdict.ERROR] or not (count[Verdict.PASS] or count[Verdict.WAIVED]) or self.unassessed:
            return 3
        return 0
