"""`nft list ruleset`, the plain listing: what the JSON of some versions leaves out, and rules as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_TABLE: Final = re.compile(r'table (\w+) "?([^"{]+?)"? \{(?: #.*)?')
_BLOCK: Final = re.compile(r'(chain|set|map|[a-z ]+) "?([^"{]*?)"? \{(?: #.*)?')
_BASE: Final = re.compile(r"type (?:filter|nat|route) hook \w+ ")
_DEVICES: Final = re.compile(r' hook \w+ (?:device ("[^"]*"|\S+)|devices = \{ ?([^}]*?) ?\}) ')
_HANDLE: Final = re.compile(r" # handle \d+$")
_QUOTED: Final = re.compile(r'"[^"]*"')


@dataclass(slots=True, eq=False)
class ListedChain:
    """A chain of the listing."""

    devices: tuple[str, ...] = ()
    """The interfaces an ingress chain is bound to; empty where the listing names none."""
    rules: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ListedTable:
    """A table of the listing."""

    dormant: bool = False
    chains: dict[str, ListedChain] = field(default_factory=dict)


def read_listing(text: str, broken: Iterable[str] = ()) -> dict[tuple[str, str], ListedTable]:
    """The tables of a plain listing, by family and name. What it does not understand, it passes over.

    `broken` are the quoted strings (comments, log prefixes) that hold a line feed: nft prints them as they are.
    """
    for one in broken:
        text = text.replace(f'"{one}"', '"' + one.replace("\n", "\\n") + '"')
    tables: dict[tuple[str, str], ListedTable] = {}
    table: ListedTable | None = None
    chain: ListedChain | None = None
    depth = 0
    pending: list[str] = []
    for raw in text.split("\n"):
        line = raw.strip()
        if not line:
            continue
        if table is None:
            if found := _TABLE.fullmatch(line):
                table = tables.setdefault((found[1], found[2]), ListedTable())
        elif chain is not None:
            if line == "}" and not pending:
                chain = None
                continue
            pending.append(line)
            depth += _depth(line)
            if depth <= 0:
                _chain_line(chain, " ".join(pending))
                pending, depth = [], 0
        elif depth:
            depth += _depth(line)
        elif line == "}":
            table = None
        elif line.startswith("flags "):
            table.dormant = "dormant" in re.split(r"[ ,;]+", line)
        elif found := _BLOCK.fullmatch(line):
            if found[1] == "chain":
                chain = table.chains[found[2]] = ListedChain()
            else:
                depth = 1
    return tables


def _depth(line: str) -> int:
    """How many braces a line opens and does not close, outside of quotes."""
    if "{" not in line and "}" not in line:
        return 0
    if '"' in line:
        line = _QUOTED.sub("", line)
    return line.count("{") - line.count("}")


def _chain_line(chain: ListedChain, line: str) -> None:
    if _BASE.match(line):
        if found := _DEVICES.search(line):
            names = found[1] or found[2]
            chain.devices = tuple(name.strip(' "') for name in names.split(",") if name.strip(' "'))
    elif not line.startswith('comment "'):
        chain.rules.append(_HANDLE.sub("", line))
