"""What a guarded change is to do, and how long each part may take."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from callgate.errors import UsageMistake

COMMAND_LIMIT: Final = 16 * 1024
"""Bytes a command may have: it travels, quoted, in one argument of at most 128 KiB (MAX_ARG_STRLEN, execve(2))."""
CONFIRM_WITHIN: Final = 120
APPLY_WITHIN: Final = 60
_ID: Final = re.compile(r"[0-9a-f]{8,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan:
    """One change of one host. Raises UsageMistake for what cannot be done."""

    host: str
    """As the user wrote it; the connection makes the URI."""
    apply: str
    rollback: str
    confirm_within: int = CONFIRM_WITHIN
    """Seconds, from the end of the apply command, until the host rolls back what nobody confirmed."""
    apply_within: int = APPLY_WITHIN
    """Seconds that each of the two commands may take."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        for name, command in (("apply", self.apply), ("rollback", self.rollback)):
            if not command.strip():
                raise UsageMistake(f"the {name} command is empty")
            if len(command.encode("utf-8", "surrogateescape")) > COMMAND_LIMIT:
                raise UsageMistake(f"the {name} command has more than {COMMAND_LIMIT} bytes: put it into a file there")
            if "\0" in command:
                raise UsageMistake(f"the {name} command holds a NUL")
        if not (1 <= self.confirm_within <= 86400 and 1 <= self.apply_within <= 86400):
            raise UsageMistake("a time limit is between 1 and 86400 seconds")
        if not _ID.fullmatch(self.id):
            raise UsageMistake(f"{self.id[:40]!r} is no number of a change")

    @property
    def longest(self) -> int:
        """Seconds after which the host has surely healed itself, counted from the moment it was armed."""
        return 2 * self.apply_within + self.confirm_within + 60
