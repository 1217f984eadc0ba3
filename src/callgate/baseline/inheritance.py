"""How the controls of a baseline come about from what it, and those it extends, say of them.

Each file's word on a control is kept as a statement, and statements are joined in the order the files are
extended. So where two extended baselines share an ancestor, a change that one of them makes is not undone by the
other, which leaves the control alone; where both change it, the later one holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, TypeAdapter

from callgate.baseline.baseline_file import ControlEntry
from callgate.baseline.control import Control
from callgate.baseline.shape import differences, suggestion
from callgate.baseline.site import AccountedListener
from callgate.baseline.source import Source
from callgate.errors import Mistake

_NEEDED = ("title", "severity", "rationale", "remedy")
_CHANGEABLE = (*_NEEDED, "references")


def _ascending(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] > bounds[1]:
        raise ValueError("the least comes first, like [10, 300]")
    return bounds


def _two(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(value) != 2:
        raise ValueError("two numbers are expected, the least first, like [10, 300]")
    return value


_Seconds = Annotated[int, Field(strict=True, ge=1, le=604_800)]
_Bounds = Annotated[tuple[_Seconds, _Seconds], BeforeValidator(_two), AfterValidator(_ascending)]

_KNOWN_PARAMETERS: Mapping[tuple[str, str], TypeAdapter[Any]] = {
    ("LSN-04", "accounted"): TypeAdapter(tuple[AccountedListener, ...]),
    ("SVC-07", "days"): TypeAdapter(Annotated[int, Field(strict=True, ge=0, le=3650)]),
    ("SVC-08", "sccp_keepalive"): TypeAdapter(_Bounds),
    ("SVC-08", "sip_expires"): TypeAdapter(_Bounds),
}
"""The shape of the parameters whose items have one, by control and name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one file says of one control."""

    path: Path
    """The file, resolved."""
    entry: ControlEntry
    defines: bool
    """Whether it defines the control rather than changes an inherited one."""


Statements = Mapping[str, tuple[Statement, ...]]
"""All that is said of each control, by its id; what defines it comes first."""


def joined(parents: Sequence[Statements]) -> dict[str, tuple[Statement, ...]]:
    """What several baselines say together. A control that one of them leaves out still holds for the other."""
    together: dict[str, tuple[Statement, ...]] = {}
    for parent in parents:
        for id_, statements in parent.items():
            before = together.get(id_, ())
            said_by = {statement.path for statement in before}
            together[id_] = before + tuple(statement for statement in statements if statement.path not in said_by)
    return together


def control_of(statements: Sequence[Statement]) -> Control:
    """The control as its statements leave it."""
    values: dict[str, Any] = {}
    parameters: dict[str, JsonValue] = {}
    for statement in statements:
        if statement.defines:
            values, parameters = {"id": statement.entry.id}, {}
        values |= _given(statement.entry)
        parameters |= statement.entry.parameters
    return Control(**values, parameters=parameters)


def mistakes_in_new(source: Source, index: str | int, entry: ControlEntry) -> Iterator[Mistake]:
    """What is wrong with an entry for a control that nothing extended has."""
    place = ("controls", index, "id")
    if not entry.enabled:
        yield source.mistake(place, f"{entry.id} is switched off, but no extended baseline has it")
    elif lacking := [key for key in _NEEDED if key not in _given(entry)]:
        yield source.mistake(place, f"no extended baseline has {entry.id}: it needs {', '.join(lacking)}")


def mistakes_in_change(source: Source, index: str | int, entry: ControlEntry, inherited: Control) -> Iterator[Mistake]:
    """What is wrong with an entry for an inherited control: parameters it has not, or of another kind."""
    for name, value in entry.parameters.items():
        place = ("controls", index, "parameters", name)
        if name not in inherited.parameters:
            yield source.mistake(place, f"{entry.id} has no such parameter; {suggestion(name, inherited.parameters)}")
        elif (entry.id, name) not in _KNOWN_PARAMETERS and not _alike(inherited.parameters[name], value):
            text = f"{_kind(inherited.parameters[name])} is expected, as the inherited value is one"
            yield source.mistake(place, text)


def mistakes_in_known_parameters(source: Source, index: str | int, entry: ControlEntry) -> Iterator[Mistake]:
    """What is wrong inside the parameters whose items have a shape, new or inherited."""
    for name in entry.parameters:
        if kind := _KNOWN_PARAMETERS.get((entry.id, name)):
            yield from differences(source, ("controls", index, "parameters", name), kind)


def _alike(inherited: JsonValue, value: JsonValue) -> bool:
    """Whether a value is of the inherited one's kind; what is empty there may become anything."""
    return inherited is None or _kind(inherited) == _kind(value)


def _given(entry: ControlEntry) -> dict[str, Any]:
    return {key: value for key in _CHANGEABLE if (value := getattr(entry, key)) is not None}


def _kind(value: JsonValue) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number like 12 or 0.5"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping of keys to values"
        case _:
            return "nothing"
