"""The guard of a change on its host: armed first, it rolls back what is not confirmed, whoever is still there."""

from __future__ import annotations

from importlib import resources
from typing import Final

from callgate.change.guarded.connection import Connection
from callgate.change.guarded.plan import ChangePlan
from callgate.change.guarded.report import GuardReport, State, read_report
from callgate.errors import CollectionError, ProtocolError

_GRACE: Final = 20
"""Seconds that a login and an answer may take beyond what the host itself is asked to wait."""
_START: Final = 'guard=$1; shift; eval "$guard"'


def script() -> str:
    """The POSIX shell script that guards a change on its host."""
    files = resources.files("callgate.change.guarded")
    return "".join(files.joinpath(name).read_text(encoding="utf-8") for name in ("firewall.sh", "guard.sh"))


class Guard:
    """Speaks to the guard of one change, over a fresh connection each time.

    Every method raises CollectionError when the host cannot be reached or does not answer as the guard does; what
    became of the command is then unknown.
    """

    def __init__(self, connection: Connection, change: str) -> None:
        self.connection = connection
        self.change = change

    def arm(self, plan: ChangePlan) -> GuardReport:
        """Save what the firewall holds, and start the timer. The state is ARMED or REFUSED, with the reason."""
        limits = (str(plan.confirm_within), str(plan.apply_within))
        commands = (plan.apply, plan.rollback)
        sizes = (str(len(command.encode("utf-8", "surrogateescape"))) for command in commands)
        return self._ask(45, "arm", *limits, *commands, *sizes)

    def apply(self, plan: ChangePlan) -> GuardReport:
        """Run the apply command, apart from this connection, and wait for its end."""
        return self._ask(plan.apply_within + 5, "apply")

    def confirm(self) -> GuardReport:
        """Stop the timer for good; the state is CONFIRMED unless the timer was faster."""
        return self._ask(5, "confirm")

    def fire(self, wait: int) -> GuardReport:
        """Roll back now, and wait up to `wait` seconds for the end of it."""
        return self._ask(wait, "fire", str(wait))

    def wait(self, seconds: int) -> GuardReport:
        """Where the change stands, as soon as it ended or after `seconds`; changes nothing."""
        return self._ask(seconds, "wait", str(seconds))

    def knock(self, seconds: float) -> GuardReport:
        """Where the change stands now; CollectionError unless a new connection tells within `seconds`."""
        return self._ask(0, "wait", "0", within=seconds)

    def clear(self) -> GuardReport:
        """Remove what the guard left on the host, if the change has ended."""
        report = self._ask(10, "clear")
        if report.state not in (State.CLEARED, State.GONE):
            raise CollectionError(self.connection.key, f"the guard's folder {report.folder} could not be removed")
        return report

    def _ask(self, seconds: int, verb: str, *arguments: str, within: float | None = None) -> GuardReport:
        places = " ".join(["%s"] * (len(arguments) + 5))
        said = self.connection.run(
            seconds + _GRACE if within is None else within,
            f"sh -c {places}",
            _START,
            "guard",
            script(),
            verb,
            self.change,
            *arguments,
        )
        try:
            return read_report(said)
        except ProtocolError as error:
            raise CollectionError(self.connection.key, str(error)) from None
