"""Reads a YAML file a user wrote as plain data, and knows the line of every value in it.

Input is hostile: size, depth and expansion are bounded, and only plain data is built (no tags).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from callgate.errors import FileMistakes, Mistake

SIZE_LIMIT = 1024 * 1024
NODE_LIMIT = 50_000
DEPTH_LIMIT = 40
_SHOWN_LIMIT = 80

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Location = tuple[str | int, ...]

# What YAML 1.1 section 5.1 forbids, and the separators that would end a line for some readers and not for others.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TAG_PREFIX = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({"str", "null", "bool", "int", "float", "timestamp", "value", "merge"})
SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")


@dataclass
class Source:
    """A YAML document as plain data, with the line (from 1) of each value by its location.

    A number is one only where it is written as such a number is shown: `4711` and `0.5` are, `0123`, `4.10`
    and `12:30` stay the text they are. A date stays text as well.
    """

    path: Path
    data: Any
    lines: dict[Location, int] = field(default_factory=dict)
    key_lines: dict[Location, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    """What is wrong whatever the file should hold, like a key that stands there twice."""

    @property
    def mapping(self) -> dict[str, Any]:
        """The keys and values; none when the document holds something else."""
        return self.data if isinstance(self.data, dict) else {}

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

    def mistake(self, location: Sequence[str | int], text: str, line: int | None = None) -> Mistake:
        """A mistake at a location, its text led by the location in words."""
        where = ".".join(str(part)[:_SHOWN_LIMIT] or "''" for part in location)
        line = self.line(location) if line is None else line
        return _mistake(self.path, line, f"{where}: {text}" if where else text)


def read_source(path: Path) -> Source:
    """Read a YAML file. An empty file has the data None.

    Raises FileMistakes when it cannot be read, is not one YAML document, or is too large or too deep.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _refusal(path, 1, f"cannot be read: {error.strerror}") from None
    if len(raw) > SIZE_LIMIT:
        raise _refusal(path, 1, f"is larger than {SIZE_LIMIT // 1024} KiB")
    text = _text(path, raw)
    try:
        _check_structure(path, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _no_yaml(path, text, error) from None
    source = Source(path, None)
    if node is not None:
        source.data = _Builder(source).build(node, ())
    return source


def _mistake(path: Path, line: int, text: str) -> Mistake:
    """A mistake on one line: what would break it, or hide in it, is shown as an escape."""
    return Mistake(path, line, "".join(part if part.isprintable() else repr(part)[1:-1] for part in text))


def _refusal(path: Path, line: int, text: str) -> FileMistakes:
    return FileMistakes([_mistake(path, line, text)])


def _text(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = raw[: error.start] + b"."
        raise _refusal(path, len(before.splitlines()), "is not UTF-8 text") from None
    if found := _FORBIDDEN.search(text):
        before_it = text[: found.start()] + "."
        name = f"U+{ord(found[0]):04X}"
        raise _refusal(path, len(before_it.splitlines()), f"the hidden character {name} stands here; remove it")
    return text


def _check_structure(path: Path, text: str) -> None:
    """Bound a document before it is composed: libyaml's composer calls itself for each level, without limit.

    Raises FileMistakes, and yaml.YAMLError as the parser does.
    """
    anchors: dict[str, int] = {}
    around: list[str | None] = []
    documents = count = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        count += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refusal(path, line, "a second document begins here; one file holds one")
        elif isinstance(event, yaml.CollectionEndEvent):
            around.pop()
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in around:
                raise _refusal(path, line, f"*{event.anchor} stands inside the very value it repeats")
            if event.anchor not in anchors:
                raise _refusal(path, line, f"*{event.anchor} repeats nothing: no &{event.anchor} stands above")
        elif isinstance(event, yaml.NodeEvent):
            if event.anchor is not None and event.anchor in anchors:
                first = anchors[event.anchor]
                raise _refusal(path, line, f"&{event.anchor} marks a second value; first in line {first}")
            if event.anchor is not None:
                anchors[event.anchor] = line
            if isinstance(event, yaml.CollectionStartEvent):
                around.append(event.anchor)
        if len(around) > DEPTH_LIMIT:
            raise _refusal(path, line, f"is nested more than {DEPTH_LIMIT} levels deep here")
        if count > NODE_LIMIT:
            raise _refusal(path, line, f"holds more than {NODE_LIMIT} values")


def _no_yaml(path: Path, text: str, error: yaml.YAMLError) -> FileMistakes:
    """The parser's complaint in one line."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return _refusal(path, 1, f"is not YAML: {' '.join(str(error).split())}")
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return _refusal(path, 1, f"is not YAML: {error.problem or error.context}")
    # At the end of the file the parser may stand a line behind it.
    line = min(mark.line + 1, max(1, len(text.splitlines())))
    if text[mark.index : mark.index + 1] == "\t":
        return _refusal(path, line, "is not YAML: a tab stands where only spaces may indent")
    reason = error.problem or "unreadable"
    if error.context and error.context_mark and error.context_mark.line + 1 < line:
        reason += f", {error.context} that begins in line {error.context_mark.line + 1}"
    return _refusal(path, line, f"is not YAML: {reason}")


class _Builder:
    """Builds plain data from YAML nodes, noting lines, repeated keys and tags."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._count = 0

    def build(self, node: yaml.Node, location: Location) -> Any:
        line = node.start_mark.line + 1
        self._count += 1
        # Counted as expanded, so that nested aliases cannot multiply without bound.
        if self._count > NODE_LIMIT or len(location) > DEPTH_LIMIT:
            limits = f"{NODE_LIMIT} values or {DEPTH_LIMIT} levels"
            raise _refusal(self._source.path, line, f"holds more than {limits}, once its aliases are written out")
        self._source.lines[location] = line
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, location, {"map"})
            return dict(self._entries(node, location))
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, location, {"seq"})
            return [self.build(child, (*location, index)) for index, child in enumerate(node.value)]
        self._check_tag(node, location, _PLAIN_TAGS)
        return _plain(node.tag.removeprefix(_TAG_PREFIX), node.value)

    def _check_tag(self, node: yaml.Node, location: Location, plain: set[str] | frozenset[str]) -> None:
        if node.tag.removeprefix(_TAG_PREFIX) not in plain:
            tag = node.tag.replace(_TAG_PREFIX, "!!")
            self._complain(location, node, f"the tag {tag[:_SHOWN_LIMIT]} means nothing here; write the value alone")

    def _entries(self, node: yaml.MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.value:
                self._complain(location, key_node, "a plain word is expected as key")
                continue
            if key_node.tag == f"{_TAG_PREFIX}merge":
                self._complain(location, key_node, "<< is not taken here; write the keys out")
                continue
            place = (*location, str(key_node.value))
            if place in self._source.key_lines:
                first = self._source.key_lines[place]
                self._complain(place, key_node, f"stands here a second time; first in line {first}")
                continue
            self._source.key_lines[place] = key_node.start_mark.line + 1
            yield str(key_node.value), self.build(value_node, place)

    def _complain(self, location: Location, node: yaml.Node, text: str) -> None:
        self._source.mistakes.append(self._source.mistake(location, text, node.start_mark.line + 1))


def _plain(tag: str, word: str) -> str | int | float | bool | None:
    """The value a word stands for; what is not clearly something else is text."""
    match tag:
        case "null" if word.lower() in ("", "~", "null"):
            return None
        case "bool" if word.lower() in SWITCHES:
            return SWITCHES[word.lower()]
        case "int" if _WHOLE.fullmatch(word):
            return int(word)
        case "float" if _DECIMAL.fullmatch(word) and str(float(word)) == word:
            return float(word)
    return word
