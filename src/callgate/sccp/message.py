"""The base of all SCCP messages, and the catalogue they enter by being declared."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import ClassVar, Final, TypeVar

import msgspec


class Sender(Enum):
    """Who sends a message."""

    PHONE = "phone"
    SERVER = "server"
    BOTH = "both"
    NODE = "node"
    """A conference, media or reservation node and the call manager, either way."""


class AsSent(msgspec.Struct, frozen=True, gc=False):
    """How a received frame differs from the one Callgate would send: kept so that it can be rebuilt to the byte."""

    form: int | None = None
    """Which of the message's forms it has (address width and the like); None: the usual one of its header version."""
    room: int | None = None
    """Bytes its last field takes, where that is not what Callgate would send."""
    junk: tuple[tuple[str, bytes], ...] = ()
    """What unused room holds, by the field's path: the bytes from the first unused one to the end of the room."""
    tail: bytes | None = None
    """What follows the fields; None: the zero bytes that round the length up to 4."""
    unterminated: bool = False
    """The last string has no NUL."""


class Structure(msgspec.Struct, frozen=True, gc=False):
    """Fields that belong together inside a message."""


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One SCCP message. Fields are in wire order; one that is None is not in the body.

    `header_version` is the header's second word: 0 below protocol 10, else the negotiated version.
    """

    header_version: int = 0
    as_sent: AsSent | None = None

    id: ClassVar[int]
    name: ClassVar[str]
    """As in Wireshark's catalogue."""
    sender: ClassVar[Sender]
    answers: ClassVar[int | None]
    """The id of the message this one answers."""
    lengths: ClassVar[tuple[int, int]]
    """Shortest and longest body that any source knows, bytes."""
    spare: ClassVar[int]
    """Bytes that known senders put after the last field and no source names."""


class UnknownMessage(msgspec.Struct, frozen=True, gc=False):
    """A message whose id is in no catalogue: kept whole."""

    message_id: int
    body: bytes = b""
    header_version: int = 0


AnyMessage = Message | UnknownMessage

CATALOGUE: Final[dict[int, type[Message]]] = {}
"""Every message class by its id."""
LENGTH_VARIANTS: Final[dict[tuple[int, int], type[Message]]] = {}
"""Classes that stand for one body length of an id, by id and length."""

M = TypeVar("M", bound=Message)


def message(
    message_id: int,
    *,
    sender: Sender,
    lengths: tuple[int, int] = (0, 0),
    answers: int | None = None,
    spare: int = 0,
    name: str | None = None,
    body: int | None = None,
) -> Callable[[type[M]], type[M]]:
    """Enter a message class into the catalogue; with `body`, as what that one body length of the id means."""

    def enter(cls: type[M]) -> type[M]:
        cls.id = message_id
        cls.name = name or cls.__name__
        cls.sender = sender
        cls.answers = answers
        cls.lengths = lengths if body is None else (body, body)
        cls.spare = spare
        if body is not None:
            LENGTH_VARIANTS[message_id, body] = cls
        elif message_id in CATALOGUE:
            raise ValueError(f"two messages have the id {message_id:#06x}")
        else:
            CATALOGUE[message_id] = cls
        return cls

    return enter
