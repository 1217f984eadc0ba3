"""Holds a file a user wrote against a model, and says what differs in the words of the file rather than of Python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from callgate.baseline.source import SWITCHES, Location, Source
from callgate.errors import FileMistakes, Mistake

Model = TypeVar("Model", bound=BaseModel)


def check(source: Source, model: type[Model]) -> tuple[Model | None, list[Mistake]]:
    """The model of the data, None when it has another shape; and every mistake found, in line order."""
    if not isinstance(source.data, dict):
        found = "the file is empty" if source.data is None else f"{_shown(source.data) or 'a list'} stands here"
        return None, [*source.mistakes, source.mistake((), f"{found}; keys and values are expected")]
    try:
        return model.model_validate(source.data), in_line_order(source.mistakes)
    except ValidationError as error:
        return None, in_line_order([*source.mistakes, *_mistakes(source, (), error, _model_schema(model))])


def validate(source: Source, model: type[Model]) -> Model:
    """Make a model of the data. Raises FileMistakes with every mistake, each with its line."""
    made, mistakes = check(source, model)
    if made is None or mistakes:
        raise FileMistakes(mistakes)
    return made


def sound_entries(source: Source, key: str, model: type[Model]) -> Iterator[tuple[str | int, Model]]:
    """The entries under a key that are right by themselves, each with its place.

    With them, what crosses entries can be checked while others are still wrong.
    """
    entries = source.mapping.get(key)
    pairs: Iterable[tuple[str | int, Any]] = ()
    if isinstance(entries, dict):
        pairs = entries.items()
    elif isinstance(entries, list):
        pairs = enumerate(entries)
    for place, value in pairs:
        try:
            made = model.model_validate(value)
        except ValidationError:
            continue
        yield place, made


def differences(source: Source, location: Location, kind: TypeAdapter[Any]) -> Iterator[Mistake]:
    """What is wrong with the value at a location, which should be of a kind."""
    value = source.data
    for part in location:
        value = value[part]
    try:
        kind.validate_python(value)
    except ValidationError as error:
        yield from _mistakes(source, location, error, kind.json_schema())


def names_under(source: Source, location: Location) -> list[tuple[int, str]]:
    """The texts in the list at a location, each with its index; none where no list stands."""
    data = source.data
    for part in location:
        data = data.get(part) if isinstance(data, dict) else None
    return [(index, name) for index, name in enumerate(data if isinstance(data, list) else ()) if isinstance(name, str)]


def in_line_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """The mistakes of one file by line, none twice."""
    return sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.line)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known names that somebody who wrote `word` may have meant, like `sip-tcp or sip-udp`; empty for none."""
    word = word[:80].lower()
    near = difflib.get_close_matches(word, known, n=3)
    alike = [difflib.SequenceMatcher(a=word, b=name).ratio() for name in near]
    names = sorted(name for name, ratio in zip(near, alike, strict=True) if ratio > alike[0] - 0.05)
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def suggestion(word: str, known: Iterable[str]) -> str:
    """What else `word` may have meant: the nearest known names, or all of them."""
    names = sorted(known)
    if near := nearest(word, names):
        return f"did you mean {near}?"
    return f"known: {', '.join(names)}" if names else "none is known"


def _mistakes(source: Source, base: Location, error: ValidationError, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """The mistakes in the value at `base`, whose JSON Schema tells the keys it knows."""
    data = source.data
    for part in base:
        data = data[part]
    for entry in error.errors(include_url=False):
        inside = _in_document(data, entry["loc"])
        location = (*base, *inside)
        if entry["type"] == "extra_forbidden":
            yield source.mistake(location, f"unknown key; {suggestion(str(inside[-1]), _known_keys(schema, inside))}")
        elif entry["type"] == "missing":
            yield source.mistake(location, "is missing")
        elif entry["type"] != "too_short" or not entry["input"]:  # items that are wrong count as absent: said already
            shown = _shown(entry["input"])
            yield source.mistake(location, f"{shown}: {_words(entry)}" if shown else _words(entry))


def _words(entry: Any) -> str:
    """What was expected, in the words of a YAML file."""
    context = entry.get("ctx", {})
    match entry["type"]:
        case "tuple_type" | "list_type":
            return "a list is expected"
        case "dict_type" | "model_type":
            return "keys and values are expected"
        case "bool_type" | "bool_parsing" if str(entry["input"]).lower() in SWITCHES:
            return "true or false is expected, without quotes"
        case "bool_type" | "bool_parsing":
            return "true or false is expected"
        case "string_type" if isinstance(entry["input"], bool):
            return "text is expected; yes, no, on and off are true and false unless they stand in quotes"
        case "string_type":
            return "text is expected"
        case "string_too_long":
            return f"at most {context['max_length']} characters are expected"
        case "string_too_short":
            return "is empty; text is expected"
        case "too_short":
            return "at least one entry is expected"
        case "literal_error" | "enum":
            return f"{context['expected']} is expected"
    return str(entry["msg"]).removeprefix("Value error, ").rstrip(".")


def _shown(value: Any) -> str:
    """A value as its file may have it; nothing for lists and mappings, which are too long."""
    match value:
        case None:
            return "nothing stands here"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value[:80]}'" + ("..." if len(value) > 80 else "")
        case int() | float():
            return str(value)
    return ""


def _in_document(data: Any, location: Sequence[str | int]) -> Location:
    """Pydantic's location without the parts that stand nowhere in the document, like the name of a type."""
    place: list[str | int] = []
    for index, part in enumerate(location):
        if isinstance(data, dict) and isinstance(part, str):
            if part in data:
                data = data[part]
                place.append(part)
            elif index == len(location) - 1 and part != "[key]":
                place.append(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
            place.append(part)
    return tuple(place)


@cache
def _model_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _known_keys(schema: Mapping[str, Any], location: Location) -> set[str]:
    """The keys a schema knows where an unknown one stands."""
    places = _branches(schema, schema)
    for part in location[:-1]:
        places = [branch for place in places for step in _steps(place, part) for branch in _branches(schema, step)]
    return {key for place in places for key in place.get("properties", ())}


def _steps(place: Mapping[str, Any], part: str | int) -> Iterator[Any]:
    """The schemas one level below, for a key or an index."""
    if isinstance(part, int):
        yield place.get("items")
    elif part in place.get("properties", {}):
        yield place["properties"][part]
    else:
        yield from (step for pattern, step in place.get("patternProperties", {}).items() if re.search(pattern, part))
        yield place.get("additionalProperties")


def _branches(schema: Mapping[str, Any], place: Any) -> list[Mapping[str, Any]]:
    """A schema with its references followed and its alternatives laid out."""
    if not isinstance(place, dict):
        return []
    if "$ref" in place:
        return _branches(schema, schema["$defs"][place["$ref"].rpartition("/")[2]])
    return [place, *(branch for option in place.get("anyOf", ()) for branch in _branches(schema, option))]
