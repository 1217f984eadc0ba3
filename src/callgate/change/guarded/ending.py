"""How a guarded change ended: the exit code, and in words what state the host is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from callgate.change.guarded.report import GuardReport, State

Code = Literal[0, 1, 3]
APPLIED: Final = 0
UNDONE: Final = 1
UNKNOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Ending:
    """`code` is 0 for a change that was verified and confirmed, 1 for one that was undone, 3 for everything else."""

    code: Code
    host: str
    """One line: what state the host is in. The host's own words are not in it."""
    reasons: tuple[str, ...] = ()
    """Why, line by line; text of the host is in it as it stands, to be made safe where it is shown."""
    proven: bool = True
    """Whether a snapshot proved the state; where it is not, somebody has to look at the host."""


def undone(report: GuardReport) -> str:
    """In words, by whom and how the host was brought back."""
    match report.state:
        case State.NOT_APPLIED:
            return "the change was never applied"
        case State.ROLLED_BACK:
            return "rolled back by the rollback command"
        case State.RESTORED:
            return f"the rollback command {_failed(report)}, and the guard restored the firewall it had saved"
        case State.DIFFERS:
            return f"the rollback command {_failed(report)}, and the guard restored what it could"
        case _:
            return f"the guard says: {report.state}"


def _failed(report: GuardReport) -> str:
    match report.rollback_code:
        case 0:
            return "did not bring back what was"
        case 124:
            return "did not end in time"
        case None:
            return "did not run to its end"
        case code:
            return f"ended with {code}"
