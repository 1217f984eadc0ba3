"""Which units start at boot: what `systemctl list-unit-files` says, or the links of older init systems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from callgate.errors import EvidenceError
from callgate.evidence.bundle import Bundle
from callgate.evidence.stream import FileState

UNITS: Final = "boot-units.txt"
ACTIVE: Final = "boot-active.txt"
LINKS: Final = "boot-links.txt"
COMMANDS: Final = "boot-commands.txt"

_STARTS: Final[dict[str, bool | None]] = {
    "enabled": True,
    "enabled-runtime": False,
    "linked": False,
    "linked-runtime": False,
    "alias": False,
    "masked": False,
    "masked-runtime": False,
    "disabled": False,
    "bad": False,
    "transient": False,
}
"""States of systemctl(1) is-enabled. What lasts until the next boot only does not start at it; of all other states
(static, indirect, generated) the name alone does not tell."""
_RC_LINK: Final = re.compile(r"/etc/rc[2-5S]\.d/S\d\d(?P<name>\S+)")
_RUNLEVEL: Final = re.compile(r"\s*(?P<name>\S+) \|.*\S.*")
_RUNS_AT_START: Final = re.compile(r"[ \t]*(Exec(?:Start|StartPre|StartPost|Condition))[ \t]*=[ \t]*(.*?)[ \t]*")
_COMMAND_FILE: Final = re.compile(r"# (?P<file>/\S*/(?P<unit>[^/\s]+)\.service(?P<part>\.d/[^/]+\.conf)?)")


@dataclass(frozen=True, slots=True)
class Unit:
    """One service as init sees it."""

    name: str
    there: bool | None = None
    """Whether such a unit exists."""
    enabled: bool | None = None
    active: bool | None = None
    failed: bool = False
    state: str = ""
    """The word for it, like `disabled`."""


@dataclass(frozen=True, slots=True)
class Units:
    """The services of a host. `told` is False where the bundle, made by hand, says nothing of them."""

    told: bool
    states: Mapping[str, str] | None = None
    """Name without `.service` to its state; None where the host has no systemctl."""
    links: frozenset[str] = frozenset()
    """Services that links of a System V or OpenRC init start."""
    openrc: frozenset[str] = frozenset()
    """Those of them that OpenRC starts: its scripts load files of other names."""
    running: Mapping[str, str] = field(default_factory=dict)
    """Name to ActiveState."""

    def unit(self, name: str) -> Unit:
        """One of them; without `.service`."""
        word = self.running.get(name)
        active = None if word is None else word in ("active", "activating", "reloading")
        failed = word == "failed"
        if self.states is not None:
            state = self.states.get(name)
            if state is None:
                return Unit(name, False, False, active, failed, "not there")
            enabled = _STARTS.get(state)
            if state == "generated":
                enabled = name in self.links
            return Unit(name, state != "alias", enabled, active, failed, state)
        if not self.links:
            return Unit(name, None, None, active, failed, "not told")
        enabled = name in self.links
        return Unit(name, True if enabled else None, enabled, active, failed, "linked" if enabled else "not linked")


def read_units(bundle: Bundle) -> Units:
    """What the bundle tells of units. Raises EvidenceError for a file that is damaged or should be there."""
    if bundle.by_hand and UNITS not in bundle and LINKS not in bundle:
        return Units(told=False)
    record = bundle.manifest.files.get(UNITS) if bundle.manifest else None
    states: dict[str, str] | None = None
    if not (record is not None and record.state is FileState.TOOL_MISSING) and (not bundle.by_hand or UNITS in bundle):
        states = _states(bundle.text(UNITS))
    lines = bundle.text(LINKS).splitlines() if not bundle.by_hand or LINKS in bundle else []
    links = {found["name"] for line in lines if (found := _RC_LINK.fullmatch(line))}
    openrc = frozenset(found["name"] for line in lines if (found := _RUNLEVEL.fullmatch(line)))
    return Units(True, states, openrc | links, openrc, _running(bundle))


def _states(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 2 or not words[0].endswith(".service"):
            raise EvidenceError(UNITS, f"is not a line of `systemctl list-unit-files`: {line[:80]!r}", number)
        found[words[0].removesuffix(".service")] = words[1]
    return found


def _running(bundle: Bundle) -> dict[str, str]:
    if bundle.absent(ACTIVE) or (bundle.by_hand and ACTIVE not in bundle):
        return {}
    found: dict[str, str] = {}
    for block in bundle.text(ACTIVE).split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        # The state of a unit that does not exist says nothing.
        if values.get("LoadState") == "loaded" and "Id" in values and "ActiveState" in values:
            found[values["Id"].removesuffix(".service")] = values["ActiveState"]
    return found


def commands(bundle: Bundle, unit: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What starting a unit runs by its own file (`ExecStart=...` and the like), and the lines that drop-ins add to it.

    A file of its own that runs nothing gives one empty line. Of none: nothing is told.
    """
    if bundle.by_hand and COMMANDS not in bundle:
        return (), ()
    own: dict[str, list[str]] = {}
    added: list[str] = []
    into: list[str] = []
    for line in bundle.text(COMMANDS).splitlines():
        if found := _COMMAND_FILE.fullmatch(line):
            into = [] if found["unit"] != unit else added if found["part"] else own.setdefault(found["file"], [])
        else:
            into.append(line)
    # The first folder has precedence (systemd.unit(5)).
    first = next(iter(own.values()), None)
    if first is None:
        return (), tuple(added)
    runs = [f"{found[1]}={found[2]}" for line in first if (found := _RUNS_AT_START.fullmatch(line))]
    return tuple(runs) or ("",), tuple(added)
