"""`meta mark set` and `ct mark set`: which bits of the new value come from where."""

from __future__ import annotations

from typing import Final, Literal

from callgate.firewall.nftables.expression import key_name
from callgate.firewall.nftables.steps import Steps
from callgate.firewall.nftables.value import MARK, Json, UnreadableValueError
from callgate.firewall.rule import Action, SetMark

_ALL: Final = 0xFFFFFFFF
_DEPTH: Final = 16
_Bits = tuple[int, int, int]
"""Bits kept of the mark itself, bits taken of the other mark, and what is flipped in the end."""


def read_mark(steps: Steps, target: Literal["mark", "ctmark"], value: Json) -> None:
    """Add the steps that set a mark to the value of an expression. Raises MalformedJsonError."""
    if type(value) is dict and "map" in value:
        chosen, doubt = steps.choose(value["map"])
        actions: list[tuple[object, Action]] = [(one, _constant(target, datum)) for one, datum in chosen]
        if doubt is not None:
            steps.act(SetMark(target, why=doubt))
        else:
            steps.decide(actions)  # type: ignore[arg-type]
        return
    try:
        kept, taken, flipped = _bits(steps, target, value, _DEPTH)
    except UnreadableValueError as problem:
        demand_value(steps, value)
        steps.act(SetMark(target, why=str(problem)))
    else:
        steps.act(SetMark(target, flipped, kept, taken))


def _constant(target: Literal["mark", "ctmark"], datum: Json) -> SetMark:
    try:
        return SetMark(target, MARK.number(datum))
    except UnreadableValueError as problem:
        return SetMark(target, why=str(problem))


def _bits(steps: Steps, target: str, value: Json, depth: int) -> _Bits:
    if type(value) is not dict:
        return 0, 0, MARK.number(value)
    if len(value) != 1 or not depth:
        raise UnreadableValueError(key_name(value))
    [(kind, content)] = value.items()
    if kind in ("meta", "ct") and content == {"key": "mark"}:
        steps.need(value)
        return (_ALL, 0, 0) if (kind == "meta") == (target == "mark") else (0, _ALL, 0)
    if kind not in ("&", "|", "^") or type(content) is not list or len(content) < 2:
        raise UnreadableValueError(key_name(value))
    total = _bits(steps, target, content[0], depth - 1)
    for one in content[1:]:
        total = _joined(kind, total, _bits(steps, target, one, depth - 1), value)
    return total


def _joined(kind: str, one: _Bits, two: _Bits, value: Json) -> _Bits:
    if kind == "^":
        return one[0] ^ two[0], one[1] ^ two[1], one[2] ^ two[2]
    if not any(two[:2]):
        one, two = two, one
    if any(one[:2]):
        raise UnreadableValueError(key_name(value))
    constant = one[2]
    mask = constant if kind == "&" else ~constant & _ALL
    return two[0] & mask, two[1] & mask, (two[2] & mask) | (constant if kind == "|" else 0)


def demand_value(steps: Steps, value: Json, depth: int = _DEPTH) -> None:
    """Add what an expression demands of the packet, whatever its value is. Raises MalformedJsonError."""
    if type(value) is not dict or len(value) != 1 or not depth:
        return
    [(kind, content)] = value.items()
    if kind in ("&", "|", "^", "<<", ">>"):
        for one in content if type(content) is list else ():
            demand_value(steps, one, depth - 1)
    else:
        steps.need(value)
