"""Baselines: which controls hold, inherited and adjusted, and where the shipped ones are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from callgate.baseline.baseline_file import BaselineFile, ControlEntry
from callgate.baseline.control import Control
from callgate.baseline.inheritance import (
    Statement,
    Statements,
    control_of,
    joined,
    mistakes_in_change,
    mistakes_in_known_parameters,
    mistakes_in_new,
)
from callgate.baseline.service import CATALOGUE, SERVICE_NAME
from callgate.baseline.shape import check, in_line_order, names_under, sound_entries, suggestion
from callgate.baseline.source import Source, read_source
from callgate.errors import FileMistakes, Mistake, UsageMistake

DEFAULT_BASELINE = "voip-core"
_CHAIN_LIMIT = 20


def data_dir(kind: Literal["checks", "baselines"]) -> Path:
    """The shipped checks or baselines: inside the installed package, or beside src/ in a clone."""
    inside = Path(str(resources.files("callgate"))) / kind
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / kind


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
    if _is_path(name):
        return _existing(Path(os.path.expanduser(name)))
    path = data_dir("baselines") / f"{name}.yaml"
    if path not in shipped_baselines():
        known = suggestion(name, (path.stem for path in shipped_baselines()))
        raise UsageMistake(f"no baseline is called {name!r}; {known}; a file ends in .yaml")
    return path


def load_baseline(name: str) -> Baseline:
    """Load a baseline and all it extends.

    Raises UsageMistake when it is not found, FileMistakes with every mistake in its files.
    """
    path = find_baseline(name)
    lineage, mistakes = _Loading().load(path, ())
    if lineage is None:
        raise FileMistakes(mistakes)
    if not lineage.said:
        raise FileMistakes([Mistake(path, 1, "no control is left here; an audit needs at least one")])
    return Baseline(
        id=lineage.file.id,
        title=lineage.file.title,
        judged_from=lineage.judged_from,
        services=lineage.services,
        controls={id_: control_of(statements) for id_, statements in lineage.said.items()},
        chain=lineage.chain,
    )


def _is_path(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "/" in name


def _existing(path: Path) -> Path:
    try:
        found = path.is_file()
    except OSError as error:  # a name that is too long, a folder one may not enter
        raise UsageMistake(f"{path}: {error.strerror}") from None
    if not found:
        raise UsageMistake(f"{path}: there is no such baseline file")
    return path


@dataclass(frozen=True, slots=True)
class _Lineage:
    """A baseline file with what it and those it extends say."""

    file: BaselineFile
    judged_from: Literal["inside", "outside"]
    services: tuple[str, ...]
    said: Statements
    chain: tuple[str, ...]


class _Loading:
    """One load: each file is read once, however often it is extended, and its mistakes are told once."""

    def __init__(self) -> None:
        self._lineages: dict[str, _Lineage | None] = {}

    def load(self, path: Path, above: tuple[Path, ...]) -> tuple[_Lineage | None, list[Mistake]]:
        """The lineage of a file, None when it has mistakes; and the mistakes, its own before those it inherits.

        `above` are the files that extend it in turn, resolved.
        """
        name = os.path.abspath(path)
        if name in self._lineages:
            return self._lineages[name], []
        try:
            source = read_source(path)
        except FileMistakes as error:
            lineage, mistakes = None, list(error.mistakes)
        else:
            lineage, mistakes = self._read(source, (*above, path.resolve()))
        self._lineages[name] = lineage
        return lineage, mistakes

    def _read(self, source: Source, chain: tuple[Path, ...]) -> tuple[_Lineage | None, list[Mistake]]:
        file, own = check(source, BaselineFile)
        inherited: list[Mistake] = []
        parents: list[_Lineage | None] = []
        for index, name in names_under(source, ("extends",)):
            try:
                parent, mistakes = self.load(_extended(source.path, name, chain), chain)
            except UsageMistake as error:
                own.append(source.mistake(("extends", index), str(error)))
                parent, mistakes = None, []
            parents.append(parent)
            inherited += mistakes
        known = [parent for parent in parents if parent is not None]
        said = joined([parent.said for parent in known])
        own += _unknown_services(source)
        own += _add(source, chain[-1], said, complete=len(known) == len(parents))
        ids = tuple(dict.fromkeys(id_ for parent in known for id_ in parent.chain))
        if file is not None and file.id in ids:
            own.append(source.mistake(("id",), f"{file.id!r} is the id of a baseline that this one extends"))
        if file is None or own or len(known) < len(parents):
            return None, in_line_order(own) + inherited
        outside = any(parent.judged_from == "outside" for parent in known)
        lineage = _Lineage(
            file=file,
            judged_from=file.judged_from or ("outside" if outside else "inside"),
            services=tuple(dict.fromkeys([*(name for parent in known for name in parent.services), *file.services])),
            said=said,
            chain=(*ids, file.id),
        )
        return lineage, []


def _extended(path: Path, name: str, chain: tuple[Path, ...]) -> Path:
    """The file that `path` extends by a name. Raises UsageMistake when there is none, or it cannot be extended."""
    found = _existing(path.parent / name) if _is_path(name) else find_baseline(name)
    if found.resolve() == chain[-1]:
        raise UsageMistake(f"{name!r} is this very file")
    if found.resolve() in chain:
        raise UsageMistake(f"{name!r} extends this baseline in turn")
    if len(chain) >= _CHAIN_LIMIT:
        raise UsageMistake(f"more than {_CHAIN_LIMIT} baselines extend each other in a row")
    return found


def _unknown_services(source: Source) -> Iterator[Mistake]:
    for index, name in names_under(source, ("services",)):
        if name not in CATALOGUE and SERVICE_NAME.fits(name):
            yield source.mistake(("services", index), f"no service is called {name!r}; {suggestion(name, CATALOGUE)}")


def _add(source: Source, path: Path, said: dict[str, tuple[Statement, ...]], *, complete: bool) -> Iterator[Mistake]:
    """Add a file's entries to what is said by those it extends; these are not `complete` where one is wrong."""
    seen: set[str] = set()
    for index, entry in sound_entries(source, "controls", ControlEntry):
        before = said.get(entry.id, ())
        if entry.id in seen:
            yield source.mistake(("controls", index, "id"), f"{entry.id} stands here twice")
            continue
        seen.add(entry.id)
        yield from mistakes_in_known_parameters(source, index, entry)
        if before:
            yield from mistakes_in_change(source, index, entry, control_of(before))
        elif complete:
            yield from mistakes_in_new(source, index, entry)
        if entry.enabled:
            said[entry.id] = (*before, Statement(path, entry, defines=not before))
        else:
            said.pop(entry.id, None)
