"""Why a message cannot be encoded: the field, and the rule it breaks. Only called once encoding has failed."""

from __future__ import annotations

from typing import Any

from callgate.sccp.fields import Integer
from callgate.sccp.forms import clamped, layout_of, usual_form
from callgate.sccp.layout import Leaf
from callgate.sccp.message import Message
from callgate.sccp.values import FieldError


def explain(message: Message, error: Exception) -> FieldError:
    """The error that names what is wrong with a message; `error` is what encoding it raised."""
    name = type(message).name
    if not _is_word(message.header_version):
        return FieldError(f"{name} header version", None, f"{message.header_version!r} does not fit in 32 bits")
    sent = message.as_sent
    form = (
        usual_form(type(message), clamped(message.header_version)) if sent is None or sent.form is None else sent.form
    )
    leaves = layout_of(type(message), form).leaves
    present = [leaf for leaf in leaves if _value(message, leaf) is not None]
    last = leaves.index(present[-1]) if present else -1
    for leaf in leaves[: last + 1]:
        value = _value(message, leaf)
        if value is None:
            after = present[-1].name
            return FieldError(f"{name} {leaf.name}", leaf.start, f"is missing, but {after}, which follows, is there")
        if isinstance(leaf.node.kind, Integer) and not _fits(value, leaf.node.kind):
            bits = leaf.node.kind.size * 8
            return FieldError(f"{name} {leaf.name}", leaf.start, f"{value!r} does not fit in {bits} bits")
    return FieldError(name, None, str(error))


def _value(message: Message, leaf: Leaf) -> Any:
    value: Any = message
    for node in leaf.path:
        value = getattr(value, node.attribute, None)
        if value is None:
            return None
    return value


def _is_word(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= 0xFFFFFFFF


def _fits(value: object, kind: Integer) -> bool:
    if not isinstance(value, int):
        return False
    half = 1 << (kind.size * 8 - 1)
    return -half <= value < half if kind.signed else 0 <= value < 2 * half
