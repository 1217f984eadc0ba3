"""Why a message cannot be encoded: the field, and the rule it breaks. Only called once encoding has failed."""

from __future__ import annotations

from typing import Any

from callgate.sccp.fields import Array, Choice, CString, Integer, LastText, LeadingCString, Text
from callgate.sccp.forms import clamped, forms, layout_of, usual_form
from callgate.sccp.layout import Form, Leaf, Node, layout
from callgate.sccp.message import Message, Structure
from callgate.sccp.values import FieldError

_STRINGS = (Text, LastText, CString, LeadingCString)
_WORD = Integer(4)

_Misfit = tuple[str, str]
"""Where inside a field, and which rule is broken."""


def explain(message: Message, error: Exception) -> FieldError:
    """The error that names what is wrong with a message; `error` is what encoding it raised."""
    name = type(message).name
    if not _fits(message.header_version, _WORD):
        return FieldError(f"{name} header version", None, f"{message.header_version!r} does not fit in 32 bits")
    form = None if message.as_sent is None else message.as_sent.form
    if form is None:
        form = usual_form(type(message), clamped(message.header_version))
    count = len(forms(type(message)))
    if form not in range(count):
        return FieldError(f"{name} form", None, f"{form!r} is none of its {count}")
    whole = layout_of(type(message), form)
    present = [place for place, leaf in enumerate(whole.leaves) if _value(message, leaf) is not None]
    for leaf in whole.leaves[: present[-1] + 1] if present else ():
        value = _value(message, leaf)
        if value is None:
            after = whole.leaves[present[-1]].name
            return FieldError(f"{name} {leaf.name}", leaf.start, f"is missing, but {after}, which follows, is there")
        misfit = _misfit(value, leaf.node, whole.form)
        if misfit:
            inside, rule = misfit
            return FieldError(f"{name} {leaf.name}{inside}", leaf.start, rule)
    if isinstance(error, FieldError):
        start = next((leaf.start for leaf in whole.leaves if leaf.holds(error.field)), None)
        return FieldError(f"{name} {error.field}", start, error.rule)
    return FieldError(name, None, str(error))


def _misfit(value: Any, node: Node, form: Form) -> _Misfit | None:
    """Why a value is not of the field's type or range; counts, sizes and addresses are told where they are written."""
    if isinstance(node.kind, Integer):
        return _misfit_number(value, node.kind)
    if isinstance(node.kind, Choice) and isinstance(value, int):
        return _misfit_number(value, _WORD)
    if isinstance(node.kind, _STRINGS) and not isinstance(value, bytes):
        return "", f"{value!r} is not bytes"
    if isinstance(node.kind, Array):
        return _misfit_entries(value, node, node.kind.of, form)
    return _misfit_inside(value, form) if isinstance(value, Structure) else None


def _misfit_number(value: Any, kind: Integer) -> _Misfit | None:
    return None if _fits(value, kind) else ("", f"{value!r} does not fit in {kind.size * 8} bits")


def _misfit_entries(entries: Any, node: Node, number: Integer | None, form: Form) -> _Misfit | None:
    if not isinstance(entries, (tuple, list)):
        return "", f"{entries!r} is no tuple"
    for place, entry in enumerate(entries):
        if number is not None:
            misfit = _misfit_number(entry, number)
        elif node.structure is not None and isinstance(entry, node.structure):
            misfit = _misfit_inside(entry, form)
        else:
            misfit = "", f"{entry!r} is no entry of this array"
        if misfit:
            return f"[{place}]{misfit[0]}", misfit[1]
    return None


def _misfit_inside(structure: Structure, form: Form) -> _Misfit | None:
    for leaf in layout(type(structure), form).leaves:
        value = _value(structure, leaf)
        misfit = ("", "is missing") if value is None else _misfit(value, leaf.node, form)
        if misfit:
            return f".{leaf.name}{misfit[0]}", misfit[1]
    return None


def _value(owner: Message | Structure, leaf: Leaf) -> Any:
    value: Any = owner
    for node in leaf.path:
        value = getattr(value, node.attribute, None)
        if value is None:
            return None
    return value


def _fits(value: object, kind: Integer) -> bool:
    if not isinstance(value, int):
        return False
    half = 1 << (kind.size * 8 - 1)
    return -half <= value < half if kind.signed else 0 <= value < 2 * half
