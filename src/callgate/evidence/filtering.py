"""Whether the kernel filters or translates anything at all.

This reads the structure of the dumps, not what the rules mean: it can prove that nothing is filtered (no rule,
no policy but accept, in any table), never that a rule protects. A dump that is not understood is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from callgate.errors import EvidenceError
from callgate.evidence.listener import Address

_TABLE = re.compile(r"\*\S+")
_CHAIN = re.compile(r":\S+ (ACCEPT|DROP|QUEUE|-)( \[\d+:\d+\])?")
_RULE = re.compile(r"(\[\d+:\d+\] )?-A \S+( .*)?")
_TRANSLATING_TARGET = re.compile(r" -j (DNAT|REDIRECT|NETMAP|TPROXY|BALANCE|CLUSTERIP)\b")
_TRANSLATING = ("dnat", "redirect", "tproxy", "xt", "flow", "fwd", "dup")


@dataclass(frozen=True, slots=True)
class Filtering:
    """What the firewall dumps show without weighing any rule."""

    rules: int
    """Rules loaded, over all tables of all dumps; a table two dumps show counts twice."""
    refusing_policies: int
    """Base chains whose policy is not accept."""
    translates: bool
    """Whether some rule rewrites or redirects (or is of a kind the dump does not spell out)."""

    @property
    def nothing_filtered(self) -> bool:
        """Proof that every packet passes: there is no rule and no refusing policy anywhere."""
        return self.rules == 0 and self.refusing_policies == 0

    def __add__(self, other: Filtering) -> Filtering:
        return Filtering(
            self.rules + other.rules,
            self.refusing_policies + other.refusing_policies,
            self.translates or other.translates,
        )


NOTHING = Filtering(0, 0, False)


def read_save(text: str, file: str) -> Filtering:
    """Read an iptables-save dump of either family and back end.

    Raises EvidenceError with the line that is not understood, and when a table is not closed by COMMIT.
    """
    rules = policies = 0
    translates = False
    table: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if table is None and _TABLE.fullmatch(stripped):
            table = stripped
        elif table is not None and stripped == "COMMIT":
            table = None
        elif table is not None and (chain := _CHAIN.fullmatch(stripped)):
            policies += chain[1] in ("DROP", "QUEUE")
        elif table is not None and _RULE.fullmatch(stripped):
            rules += 1
            translates = translates or _TRANSLATING_TARGET.search(stripped) is not None
        else:
            raise EvidenceError(file, f"not a line of an iptables-save dump: {stripped[:80]!r}", number)
    if table is not None:
        raise EvidenceError(file, f"table {table[1:60]} is not closed by COMMIT: cut short")
    return Filtering(rules, policies, translates)


def read_nft(text: str, file: str = "nft.json") -> Filtering:
    """Read `nft -j list ruleset`. Raises EvidenceError when the text is something else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise EvidenceError(file, "is not JSON") from None
    entries = data.get("nftables") if isinstance(data, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise EvidenceError(file, "is not the output of `nft -j list ruleset`")
    if not entries or "metainfo" not in entries[0]:
        raise EvidenceError(file, "has no metainfo: not the output of `nft -j list ruleset`")
    total = NOTHING
    for entry in entries:
        if isinstance(entry.get("rule"), dict):
            total += Filtering(1, 0, _translates(entry["rule"].get("expr")))
        elif isinstance(entry.get("chain"), dict):
            total += Filtering(0, int(entry["chain"].get("policy", "accept") != "accept"), False)
        elif "flowtable" in entry:
            total += Filtering(0, 0, True)
    return total


def _translates(expressions: Any) -> bool:
    if not isinstance(expressions, list):
        return True
    return any(
        not isinstance(expression, dict) or any(key in expression for key in _TRANSLATING) for expression in expressions
    )


def names_address(texts: Iterable[str], address: Address) -> bool:
    """Whether a dump names this very address, alone: a rule or a set (a ban list) is about it."""
    pattern = re.compile(rf"(?<![0-9A-Fa-f:./]){re.escape(str(address))}(?:/(?:32|128))?(?![0-9A-Fa-f:./])")
    return any(pattern.search(text) for text in texts)
