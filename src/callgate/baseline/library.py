"""Baselines: which controls hold, inherited and adjusted, and where the shipped ones are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from callgate.baseline.control import Control, ControlId, Severity
from callgate.baseline.service import CATALOGUE, ServiceName
from callgate.baseline.source import Source, read_source, validate
from callgate.errors import FileMistakes, Mistake, UsageMistake

DEFAULT_BASELINE = "voip-core"


def data_dir(kind: Literal["checks", "baselines"]) -> Path:
    """The shipped checks or baselines: inside the installed package, or beside src/ in a clone."""
    inside = Path(str(resources.files("callgate"))) / kind
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / kind


class ControlEntry(BaseModel):
    """A control as a baseline file writes it: complete where it is new, only what differs where it is inherited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: ControlId
    enabled: bool = True
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    severity: Severity | None = None
    rationale: Annotated[str, Field(min_length=1)] | None = None
    remedy: Annotated[str, Field(min_length=1)] | None = None
    references: dict[str, tuple[str, ...]] | None = None
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class BaselineFile(BaseModel):
    """One baseline file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    extends: tuple[str, ...] = ()
    """Names of shipped baselines, or paths relative to this file."""
    judged_from: Literal["inside", "outside"] | None = None
    """`outside`: the hosts have no shell, nothing is collected there and only probes judge them."""
    services: tuple[ServiceName, ...] = ()
    controls: tuple[ControlEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline with all it inherits."""

    id: str
    title: str
    judged_from: Literal["inside", "outside"]
    services: tuple[str, ...]
    controls: Mapping[str, Control]
    chain: tuple[str, ...]
    """The ids it was made of, the furthest ancestor first."""


def shipped_baselines() -> tuple[Path, ...]:
    """The baseline files that come with Callgate."""
    return tuple(sorted(data_dir("baselines").glob("*.yaml")))


def find_baseline(name: str) -> Path:
    """The file of a baseline given by name or path. Raises UsageMistake when there is none."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise UsageMistake(f"{name}: there is no such baseline file")
        return path
    path = data_dir("baselines") / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(path.stem for path in shipped_baselines())
        raise UsageMistake(f"no baseline is called {name!r}; there are {known}; a file ends in .yaml")
    return path


def load_baseline(name: str) -> Baseline:
    """Load a baseline and all it extends.

    Raises UsageMistake when it is not found, FileMistakes with every mistake in its files.
    """
    return _load(find_baseline(name), ())


def _load(path: Path, above: tuple[Path, ...]) -> Baseline:
    source = read_source(path)
    file = validate(source, BaselineFile)
    mistakes: list[Mistake] = []
    parents: list[Baseline] = []
    for index, name in enumerate(file.extends):
        try:
            parent = find_baseline(str(path.parent / name) if "/" in name or name.endswith((".yaml", ".yml")) else name)
            if parent.resolve() in (path.resolve(), *(one.resolve() for one in above)):
                raise UsageMistake(f"{name!r} extends this baseline in turn")
            parents.append(_load(parent, (*above, path)))
        except UsageMistake as error:
            mistakes.append(source.mistake(("extends", index), str(error)))
        except FileMistakes as error:
            mistakes.extend(error.mistakes)
    if mistakes:
        raise FileMistakes(mistakes)
    for index, name in enumerate(file.services):
        if name not in CATALOGUE:
            text = f"no service is called {name!r}; known: {', '.join(CATALOGUE)}"
            mistakes.append(source.mistake(("services", index), text))
    controls = {id_: control for parent in parents for id_, control in parent.controls.items()}
    _merge(source, file, controls, mistakes)
    if mistakes:
        raise FileMistakes(sorted(mistakes, key=lambda mistake: mistake.line))
    inherited = (parent.judged_from for parent in parents)
    return Baseline(
        id=file.id,
        title=file.title,
        judged_from=file.judged_from or ("outside" if "outside" in inherited else "inside"),
        services=tuple(dict.fromkeys([name for parent in parents for name in parent.services] + [*file.services])),
        controls=controls,
        chain=(*dict.fromkeys(id_ for parent in parents for id_ in parent.chain), file.id),
    )


def _merge(source: Source, file: BaselineFile, controls: dict[str, Control], mistakes: list[Mistake]) -> None:
    """Put the file's entries over what it inherits."""
    seen: dict[str, int] = {}
    for index, entry in enumerate(file.controls):
        if entry.id in seen:
            mistakes.append(source.mistake(("controls", index, "id"), f"{entry.id} stands here twice"))
            continue
        seen[entry.id] = index
        inherited = controls.get(entry.id)
        if not entry.enabled:
            if controls.pop(entry.id, None) is None:
                text = f"{entry.id} is switched off, but no extended baseline has it"
                mistakes.append(source.mistake(("controls", index, "id"), text))
            continue
        given = {
            key: getattr(entry, key)
            for key in ("title", "severity", "rationale", "remedy", "references")
            if getattr(entry, key) is not None
        }
        if inherited is None:
            lacking = [key for key in ("title", "severity", "rationale", "remedy") if key not in given]
            if lacking:
                text = f"{entry.id} is new here and needs {', '.join(lacking)}"
                mistakes.append(source.mistake(("controls", index, "id"), text))
                continue
            controls[entry.id] = Control(id=entry.id, parameters=entry.parameters, **given)
            continue
        for name, value in entry.parameters.items():
            place = ("controls", index, "parameters", name)
            if name not in inherited.parameters:
                known = ", ".join(inherited.parameters) or "none"
                mistakes.append(source.mistake(place, f"{entry.id} has no such parameter; known: {known}"))
            elif not _same_shape(inherited.parameters[name], value):
                wanted = _shape(inherited.parameters[name])
                mistakes.append(source.mistake(place, f"{wanted} is expected, as the inherited value is one"))
        parameters = {**inherited.parameters, **entry.parameters}
        controls[entry.id] = inherited.model_copy(update={**given, "parameters": parameters})


def _shape(value: JsonValue) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "nothing"


def _same_shape(inherited: JsonValue, value: JsonValue) -> bool:
    return _shape(inherited) == _shape(value)
