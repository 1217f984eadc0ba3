"""What of a capture's signalling was decoded, and what was not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from callgate.sccp import AnyMessage, Message, UnknownMessage
from callgate.sccp.presentation import unexplained_tail

_UNKNOWN_IDS: Final = 256


@dataclass(slots=True)
class Account:
    """What was found and what was not decoded; complete when all messages have been taken."""

    messages: Counter[type[Message]] = field(default_factory=Counter)
    """SCCP messages by class."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Messages of unknown ids by id; the first so many ids are told apart."""
    sip: int = 0
    violations: int = 0
    """Of the session model, where sessions are followed."""
    unexplained_tails: Counter[str] = field(default_factory=Counter)
    """Messages with bytes behind their fields that no source explains, by name."""
    undecoded: Counter[str] = field(default_factory=Counter)
    """What was not decoded, in the unit the name gives, like `bytes of SCCP streams skipped`."""

    @property
    def total(self) -> int:
        """SCCP messages in all."""
        return self.messages.total() + self.unknown.total()

    def count(self, messages: list[AnyMessage]) -> None:
        """Count messages by class, unknown ones by id, and unexplained tails."""
        self.messages.update([message.__class__ for message in messages if isinstance(message, Message)])
        for message in messages:
            if isinstance(message, UnknownMessage):
                name = f"{message.message_id:#06x}"
                self.unknown[name if name in self.unknown or len(self.unknown) < _UNKNOWN_IDS else "other"] += 1
            elif message.as_sent is not None and unexplained_tail(message):
                self.unexplained_tails[message.name] += 1


def name_of(message: AnyMessage) -> str:
    """A message's name."""
    return "Unknown" if isinstance(message, UnknownMessage) else message.name


def id_of(message: AnyMessage) -> int:
    """A message's id."""
    return message.message_id if isinstance(message, UnknownMessage) else message.id
