"""Reads a YAML file a user wrote, and finds the line of every value and every mistake in it.

Input is hostile: size, depth and expansion are bounded, and only plain data is built (no tags).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from callgate.errors import FileMistakes, Mistake

SIZE_LIMIT = 1024 * 1024
_NODE_LIMIT = 50_000
_DEPTH_LIMIT = 40

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


@dataclass
class Source:
    """A YAML document as plain data, with the line (from 1) of each value by its location."""

    path: Path
    data: Any
    lines: dict[Location, int] = field(default_factory=dict)
    key_lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Sequence[str | int]) -> int:
        """The line of the value at a location, or of the nearest one around it."""
        place = tuple(location)
        while place:
            if place in self.key_lines:
                return self.key_lines[place]
            if place in self.lines:
                return self.lines[place]
            place = place[:-1]
        return self.lines.get((), 1)

    def mistake(self, location: Sequence[str | int], text: str) -> Mistake:
        """A mistake at a location, its text led by the location in words."""
        where = ".".join(str(part) for part in location)
        return Mistake(self.path, self.line(location), f"{where}: {text}" if where else text)


def read_source(path: Path) -> Source:
    """Read a YAML file.

    Raises FileMistakes when it cannot be read, is no YAML, repeats a key, or is too large or too deep.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise FileMistakes([Mistake(path, 1, f"cannot be read: {error.strerror}")]) from None
    if len(raw) > SIZE_LIMIT:
        raise FileMistakes([Mistake(path, 1, f"is larger than {SIZE_LIMIT} bytes")])
    try:
        text = raw.decode()
        node = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FileMistakes([Mistake(path, line, "is not UTF-8 text")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise FileMistakes([Mistake(path, line, f"is not YAML: {error.problem or error}")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise FileMistakes([Mistake(path, 1, f"is not YAML: {reason}")]) from None
    source = Source(path, None)
    if node is not None:
        builder = _Builder(source)
        source.data = builder.build(node, ())
        if builder.mistakes:
            raise FileMistakes(builder.mistakes)
    return source


class _Builder:
    """Builds plain data from YAML nodes, noting lines and repeated keys."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mistakes: list[Mistake] = []
        self._scalars = _Loader("")
        self._count = 0

    def build(self, node: yaml.Node, location: Location) -> Any:
        line = node.start_mark.line + 1
        self._count += 1
        # Counted as expanded, so that nested aliases cannot multiply without bound.
        if self._count > _NODE_LIMIT or len(location) > _DEPTH_LIMIT:
            raise FileMistakes([Mistake(self.source.path, line, "too many or too deeply nested values")])
        self.source.lines[location] = line
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*location, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, line)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                self.mistakes.append(Mistake(self.source.path, line, "a plain word is expected as key"))
                continue
            key = str(key_node.value)
            if key in built:
                first = self.source.key_lines[(*location, key)]
                self.mistakes.append(
                    Mistake(self.source.path, line, f"{key}: stands here again; first in line {first}")
                )
                continue
            self.source.key_lines[(*location, key)] = line
            built[key] = self.build(value_node, (*location, key))
        return built

    def _scalar(self, node: yaml.Node, line: int) -> Any:
        # A date stays text, whatever YAML makes of it: the models say what they expect.
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, RecursionError):
            self.mistakes.append(Mistake(self.source.path, line, f"{str(node.value)[:60]!r} is no plain value"))
            return None


def validate(source: Source, model: type[Model], context: dict[str, Any] | None = None) -> Model:
    """Make a model of the data. Raises FileMistakes with every mistake, each with its line."""
    if not isinstance(source.data, dict):
        raise FileMistakes([Mistake(source.path, 1, f"{_shape(source.data)} where keys and values are expected")])
    try:
        return model.model_validate(source.data, context=context)
    except ValidationError as error:
        raise FileMistakes(list(_mistakes(source, model, error))) from None


def _mistakes(source: Source, model: type[BaseModel], error: ValidationError) -> Iterable[Mistake]:
    seen: set[tuple[int, str]] = set()
    found = []
    for entry in error.errors(include_url=False):
        location = _in_document(source.data, entry["loc"])
        value = entry.get("input")
        if entry["type"] == "extra_forbidden":
            known = _siblings(model, location)
            near = difflib.get_close_matches(str(location[-1]), known, n=1)
            text = "unknown key" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}")
        elif entry["type"] == "missing":
            text = "is missing"
        else:
            plain = isinstance(value, str | int | float | bool)
            text = f"{str(value)[:80]!r}: {_words(entry)}" if plain else _words(entry)
        mistake = source.mistake(location, text)
        if (mistake.line, mistake.text) not in seen:
            seen.add((mistake.line, mistake.text))
            found.append(mistake)
    return sorted(found, key=lambda mistake: mistake.line)


def _words(entry: Any) -> str:
    """What was expected, in the words of a YAML file rather than of Python."""
    context = entry.get("ctx", {})
    match entry["type"]:
        case "tuple_type" | "list_type":
            return "a list is expected"
        case "dict_type" | "model_type":
            return "keys and values are expected"
        case "bool_type" | "bool_parsing":
            return "true or false is expected"
        case "string_type":
            return "text is expected"
        case "too_short":
            return f"at least {context.get('min_length')} is expected"
        case "literal_error" | "enum":
            return f"{context.get('expected')} is expected"
        case "string_pattern_mismatch":
            return f"does not look like {context.get('pattern')}"
    return str(entry["msg"]).removeprefix("Value error, ").rstrip(".")


def _in_document(data: Any, location: Sequence[str | int]) -> Location:
    """Pydantic's location without the parts that name a type and stand nowhere in the document."""
    place: list[str | int] = []
    for index, part in enumerate(location):
        if isinstance(data, dict) and isinstance(part, str):
            if part in data:
                data = data[part]
                place.append(part)
            elif index == len(location) - 1:
                place.append(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
            place.append(part)
    return tuple(place)


def _siblings(model: type[BaseModel], location: Location) -> list[str]:
    """The keys the model knows where an unknown one stands."""
    schema = model.model_json_schema()
    place: Any = schema
    for part in location[:-1]:
        place = _resolve(schema, place)
        place = place.get("properties", {}).get(part) or place.get("additionalProperties") or place.get("items")
        if not isinstance(place, dict):
            return []
    return sorted(_resolve(schema, place).get("properties", {}))


def _resolve(schema: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    for option in (place, *place.get("anyOf", ())):
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
            return found
        if "properties" in option or "items" in option or "additionalProperties" in option:
            return option if isinstance(option, dict) else place
    return place


def _shape(data: Any) -> str:
    match data:
        case None:
            return "nothing"
        case list():
            return "a list"
        case _:
            return f"{str(data)[:60]!r}"
