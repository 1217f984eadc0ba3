"""What the guard on the host says of a change, read back. Pure: bytes in, a report out; the host is not trusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from callgate.errors import ProtocolError

OUTPUT_LIMIT: Final = 1 << 20
"""Bytes of the guard's output that are read; it says far less."""
_MARK: Final = "@guard "
_TEXTS: Final = ("note", "log", "apply.out", "rollback.out")
_NUMBERS: Final = ("remaining", "apply.code", "rollback.code")
TIMER: Final = "nobody confirmed the change in time"
"""Why the guard rolled back, where its timer did (guard.sh)."""


class State(StrEnum):
    """Where a change stands on its host."""

    ARMING = "arming"
    REFUSED = "refused"
    ARMED = "armed"
    ROLLING_BACK = "rolling-back"
    CONFIRMED = "confirmed"
    NOT_APPLIED = "not-applied"
    """The apply command never began."""
    ROLLED_BACK = "rolled-back"
    """The rollback command left the firewall with what it held."""
    RESTORED = "restored"
    """The rollback command did not: the guard restored what it had saved."""
    DIFFERS = "differs"
    """Nor did the guard, by the text of the rules."""
    FAILED = "failed"
    """The guard itself was ended, again and again."""
    GONE = "gone"
    """The host knows nothing of the change."""
    CLEARED = "cleared"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens on the host."""
        return self not in (State.ARMING, State.ARMED, State.ROLLING_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardReport:
    """What the guard said. Texts are the host's own words: escape them where they are shown."""

    state: State
    folder: str = ""
    boot: str = ""
    """The kernel's boot id: another one means that the host was restarted."""
    machine: str = ""
    """The host's /etc/machine-id (machine-id(5)): another one means another host of the same name."""
    watchdog: bool = False
    """Whether the timer runs."""
    remaining: int | None = None
    """Seconds until the timer rolls back, unless the change is confirmed."""
    refused: str = ""
    reason: str = ""
    """Why it rolls, or rolled, back."""
    begun: bool = False
    """Whether the apply command may have begun."""
    apply_code: int | None = None
    """None until the apply command ended; 124 when its time was up."""
    rollback_code: int | None = None
    notes: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    apply_output: str = ""
    rollback_output: str = ""


def read_report(output: bytes) -> GuardReport:
    """Read what a verb of the guard printed; lines that are not its own (login banners) are passed over.

    Raises ProtocolError when the report is missing, cut short or not understood.
    """
    values: dict[str, str] = {}
    texts: dict[str, list[str]] = {name: [] for name in _TEXTS}
    complete = False
    for line in output[:OUTPUT_LIMIT].decode("utf-8", "backslashreplace").split("\n"):
        if not line.startswith(_MARK):
            continue
        name, _, value = line.removeprefix(_MARK).partition(" ")
        complete = name == "end"
        if name in texts:
            texts[name].append(value)
        else:
            values[name] = value.strip()
    if not complete:
        raise ProtocolError("the guard's answer is missing or cut short")
    try:
        numbers = {name: int(values[name]) if name in values else None for name in _NUMBERS}
        return GuardReport(
            state=State(values.get("state", "")),
            folder=values.get("folder", ""),
            boot=values.get("boot", ""),
            machine=values.get("machine", ""),
            watchdog=values.get("watchdog") == "alive",
            remaining=numbers["remaining"],
            refused=values.get("refused", ""),
            reason=values.get("reason", ""),
            begun=values.get("begun") == "yes",
            apply_code=numbers["apply.code"],
            rollback_code=numbers["rollback.code"],
            notes=tuple(texts["note"]),
            log=tuple(texts["log"]),
            apply_output="\n".join(texts["apply.out"]),
            rollback_output="\n".join(texts["rollback.out"]),
        )
    except ValueError as error:
        raise ProtocolError(f"the guard's answer is not understood: {str(error)[:120]!r}") from None
