"""What an nft expression looks at, and the conditions that its values make of it.

A key is the left side of a match, or the key of a set or map: a field, a name, a state, or several at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from callgate.firewall.intervals import NOTHING
from callgate.firewall.nftables.value import ValueKind
from callgate.firewall.rule import (
    AddressType,
    Condition,
    Every,
    FieldName,
    InState,
    Interface,
    Not,
    ReversePath,
    Some,
    State,
    Tuples,
    Unknown,
    Within,
)

CATCH_ALL: Final = "*"
_ALWAYS_THERE: Final = frozenset(("family", "protocol", "ttl", "length", "mark", "pkttype", "dscp"))
STATE_BITS: Final[tuple[tuple[int, State], ...]] = (
    (1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "untracked"),
)  # fmt: skip
"""The bit each state has in `ct state`."""


@dataclass(frozen=True, slots=True)
class NumberKey:
    """A numeric field, maybe under a mask."""

    field: FieldName
    kind: ValueKind
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class InterfaceKey:
    """An interface: by name (where a trailing `*` stands for any rest), or by index."""

    side: Literal["iif", "oif"]
    by_index: bool = False


@dataclass(frozen=True, slots=True)
class StateKey:
    """Connection tracking's state: one bit of several, maybe under a mask."""

    mask: int | None = None


@dataclass(frozen=True, slots=True)
class StatusKey:
    """What has happened to the flow: a sum of bits, of which only `snat` and `dnat` are modelled."""

    mask: int | None = None


@dataclass(frozen=True, slots=True)
class AddressTypeKey:
    """What the routing tables say of an address (`fib daddr type`)."""

    side: Literal["source", "destination"]
    interface: Literal["iif", "oif"] | None


@dataclass(frozen=True, slots=True)
class ReversePathKey:
    """Whether the way back to the source exists (`fib saddr . iif oif`)."""

    loose: bool


@dataclass(frozen=True, slots=True)
class UndecidedKey:
    """Something rules alone do not tell; `count` is how many values it takes, where they are 0, 1, 2 and so on."""

    why: str
    first: int = 0
    count: int | None = None


@dataclass(frozen=True, slots=True)
class ConcatKey:
    """Several keys at once (`ip saddr . tcp dport`)."""

    parts: tuple[Key, ...]


Key = NumberKey | InterfaceKey | StateKey | StatusKey | AddressTypeKey | ReversePathKey | UndecidedKey | ConcatKey


def any_of(conditions: list[Condition]) -> Condition:
    """One of the conditions holds."""
    return conditions[0] if len(conditions) == 1 else Some(tuple(conditions))


def all_of(conditions: list[Condition]) -> Condition:
    """All of the conditions hold."""
    return conditions[0] if len(conditions) == 1 else Every(tuple(conditions))


def presence(key: Key) -> list[Condition]:
    """What must hold for the packet to have the key at all, beyond what the expression demands by itself."""
    if isinstance(key, ConcatKey):
        return list(dict.fromkeys(condition for part in key.parts for condition in presence(part)))
    if isinstance(key, NumberKey) and key.field not in _ALWAYS_THERE:
        return [Within(key.field, NOTHING, True)]
    if isinstance(key, UndecidedKey) and key.count is None:
        return [Unknown(key.why)]
    return []


def negation(key: Key, condition: Condition) -> Condition:
    """The key is there, and the condition on it does not hold."""
    if isinstance(condition, Within | Interface | InState | AddressType | ReversePath | Tuples):
        return replace(condition, negated=not condition.negated)
    if isinstance(condition, Unknown):
        return condition
    return all_of([*presence(key), Not(condition)])
