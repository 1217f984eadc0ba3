"""The structure of `nft -j list ruleset`: tables, and in them chains, sets and rules. Nothing is interpreted here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from callgate.errors import EvidenceError
from callgate.firewall.nftables.expression import TABLE_FAMILIES
from callgate.firewall.nftables.listing import ListedTable
from callgate.firewall.nftables.set_elements import NamedSet, read_set
from callgate.firewall.nftables.tracking import tracks
from callgate.firewall.nftables.value import Json, MalformedJsonError, mapping, shorten, string

_MAX_RULES: Final = 2_000_000
_OBJECTS: Final = frozenset((
    "counter", "quota", "limit", "secmark", "synproxy", "ct helper", "ct timeout", "ct expectation", "flowtable",
    "tunnel",
))  # fmt: skip
"""Entries that do nothing by themselves; a rule that uses one says so."""


@dataclass(slots=True, eq=False)
class Table:
    """A table, and what the dump says it holds."""

    family: Any  # one of TABLE_FAMILIES
    name: str
    flags: Json
    chains: dict[str, dict[str, Json]] = field(default_factory=dict)
    sets: dict[str, NamedSet] = field(default_factory=dict)
    rules: dict[str, list[list[Json]]] = field(default_factory=dict)
    listed: ListedTable = field(default_factory=ListedTable)
    in_listing: bool = False
    tracks: bool = False

    def __str__(self) -> str:
        return f"table {self.family} {shorten(self.name)}"


def _entries(text: str, file: str) -> list[dict[str, Json]]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as problem:
        raise EvidenceError(file, "is not JSON", problem.lineno) from None
    except ValueError:
        raise EvidenceError(file, "is not JSON") from None
    entries = data.get("nftables") if type(data) is dict else None
    if type(entries) is not list or not all(type(entry) is dict for entry in entries):
        raise EvidenceError(file, "is not the output of `nft -j list ruleset`")
    if not entries or "metainfo" not in entries[0]:
        raise EvidenceError(file, "has no metainfo: not the output of `nft -j list ruleset`")
    return entries


def read_dump(text: str, file: str) -> dict[tuple[str, str], Table]:
    """Every table with what it holds, in the order of the dump."""
    tables: dict[tuple[str, str], Table] = {}
    rules = 0
    for number, entry in enumerate(_entries(text, file), 1):
        try:
            if len(entry) != 1:
                raise MalformedJsonError(f"not one thing: {shorten(entry)}")
            [(kind, content)] = entry.items()
            content = mapping(content, kind)
            if kind == "metainfo":
                if number > 1:
                    raise MalformedJsonError("a second metainfo")
                continue
            rules += kind == "rule"
            if rules > _MAX_RULES:
                raise MalformedJsonError(f"more than {_MAX_RULES} rules")
            _sort(tables, kind, content)
        except MalformedJsonError as problem:
            raise EvidenceError(file, f"entry {number}: {problem}") from None
    return tables


def _sort(tables: dict[tuple[str, str], Table], kind: str, content: dict[str, Json]) -> None:
    family = content.get("family")
    if family not in TABLE_FAMILIES:
        raise MalformedJsonError(f"{shorten(kind)} of an unknown family {shorten(family)}")
    name = string(content.get("name" if kind == "table" else "table"), "a table's name")
    if kind == "table":
        if (family, name) in tables:
            raise MalformedJsonError(f"table {family} {shorten(name)} is there twice")
        tables[family, name] = Table(family, name, content.get("flags"))
        return
    table = tables.get((family, name))
    if table is None:
        raise MalformedJsonError(f"{shorten(kind)} in table {family} {shorten(name)}, which is not there")
    if kind == "rule":
        expressions = content.get("expr")
        if type(expressions) is not list or not all(type(one) is dict and len(one) == 1 for one in expressions):
            raise MalformedJsonError(f"a rule's statements are no list of objects: {shorten(expressions)}")
        table.rules.setdefault(string(content.get("chain"), "a chain's name"), []).append(expressions)
    elif kind == "chain":
        chain = string(content.get("name"), "a chain's name")
        if chain in table.chains:
            raise MalformedJsonError(f"chain {shorten(chain)} of {table} is there twice")
        table.chains[chain] = content
    elif kind in ("set", "map"):
        one = read_set(content, maps=kind == "map")
        if one.name in table.sets:
            raise MalformedJsonError(f"set {shorten(one.name)} of {table} is there twice")
        table.sets[one.name] = one
        table.tracks = table.tracks or tracks(content.get("stmt"))
    elif kind not in _OBJECTS:
        raise MalformedJsonError(f"an entry of an unknown kind: {shorten(kind)}")
    elif kind.startswith("ct ") or kind == "synproxy":
        table.tracks = table.tracks or kind != "synproxy"


def broken_strings(text: str) -> list[str]:
    """The strings of the dump that hold a line feed; they would split lines of the listing."""
    if "\\n" not in text:
        return []
    found: set[str] = set()
    stack: list[Json] = [json.loads(text)]
    while stack:
        value = stack.pop()
        if type(value) is str and "\n" in value:
            found.add(value)
        elif type(value) is dict:
            stack += value.values()
        elif type(value) is list:
            stack += value
    return sorted(found, key=len, reverse=True)
