"""Which product a SIP server is, by its response to OPTIONS: what it says of itself, and how its response is made.

One response is enough, so that nothing more is sent. Everything in it may be written to deceive: texts are bounded and
escaped, a name counts as what the server says, and where no evidence is clear the answer is "unknown".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from callgate.endpoint.attempt import printable
from callgate.endpoint.probe.sip_products import (
    BRANCH_TAG,
    HABITS,
    PRODUCT_NAMES,
    REFINES,
    WIDER,
    Habit,
)
from callgate.sip.options import response_to

MAXIMUM_HEAD: Final = 16384
MAXIMUM_HEADERS: Final = 100
MAXIMUM_VALUE: Final = 1024
MAXIMUM_PRODUCT: Final = 120
ENOUGH_POINTS: Final = 2
ORDERED_HEADERS: Final = 5

_COMPACT: Final = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "k": "supported",
    "c": "content-type",
    "e": "content-encoding",
    "u": "allow-events",
}
"""RFC 3261, section 7.3.3, and RFC 6665, section 8.2.2."""
_TAG: Final = re.compile(r";\s*tag\s*=\s*([^\s;,]+)", re.IGNORECASE)
_BRANCH: Final = re.compile(r";\s*branch\s*=\s*([^\s;,]+)", re.IGNORECASE)


class Basis(StrEnum):
    """What a family rests on."""

    SAYS_SO = "says so itself"
    HEADERS = "by its headers"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one response tells of the product behind it. Every text is printable ASCII."""

    family: str | None
    basis: Basis
    product: str
    """Server, else User-Agent, as sent; empty if neither is there."""
    version: str
    """As the server says it; empty if it does not."""
    evidence: tuple[str, ...]
    """What else was seen of the family; with a family that the server says it is, also what speaks against it."""
    status: int
    reason: str
    headers: tuple[str, ...]
    """The names of the response's headers as written, in order."""

    def __str__(self) -> str:
        if self.family is None:
            return f"product unknown; it calls itself {self.product}" if self.product else "product unknown"
        name = f"{self.family} {self.version}" if self.version and self.version not in self.family else self.family
        shown = f"{name} ({self.basis})"
        doubts = [text for text in self.evidence if text.startswith("but ")]
        return f"{shown}, {doubts[0]}" if doubts else shown


def fingerprint(request: bytes, message: bytes) -> Fingerprint | None:
    """Say whose response to `request` (of `options_request`) a message is; None if it is no response to it."""
    response = response_to(request, message)
    if response is None:
        return None
    names, values = _headers(message.lstrip(b"\r\n"))
    product = (values.get("server") or values.get("user-agent") or [""])[0]
    said, version = _said(product)
    seen = _habits(values, _branch_of(request))
    family, basis, evidence = _weigh(said, seen)
    return Fingerprint(
        family=family,
        basis=basis,
        product=printable(product, MAXIMUM_PRODUCT),
        version=printable(version, MAXIMUM_PRODUCT),
        evidence=evidence,
        status=response.status,
        reason=response.reason,
        headers=tuple(printable(name, 60) for name in names),
    )


def _headers(message: bytes) -> tuple[list[str], dict[str, list[str]]]:
    """The header names as written, and the values by long name in lower case."""
    head = message[:MAXIMUM_HEAD].partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    names: list[str] = []
    values: dict[str, list[str]] = {}
    for line in re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")[1 : MAXIMUM_HEADERS + 1]:
        name, _, value = line.partition(":")
        written = name.rstrip(" \t")
        key = written.lower()
        key = _COMPACT.get(key, key)
        names.append(written)
        values.setdefault(key, []).append(value[:MAXIMUM_VALUE].strip(" \t"))
        if key == "content-length" and value.startswith("  "):
            values["spaced-length"] = ["0"]
    return names, values


def _said(product: str) -> tuple[str | None, str]:
    for pattern, family in PRODUCT_NAMES:
        if found := pattern.match(product):
            return family, found.groupdict().get("version") or ""
    return None, ""


def _habits(values: dict[str, list[str]], branch: str) -> dict[str, list[Habit]]:
    """The habits seen, by family."""
    tag = _TAG.search(values.get("to", [""])[0])
    shown = {**values, "tag": [tag[1]] if tag else []}
    shown["order"] = [name for name in values if name != "spaced-length"][:ORDERED_HEADERS]
    seen: dict[str, list[Habit]] = {}
    for habit in HABITS:
        if shown.get(habit.header) and habit.pattern.fullmatch(", ".join(shown[habit.header])[:MAXIMUM_VALUE]):
            seen.setdefault(habit.family, []).append(habit)
    if tag and branch and tag[1] == branch:
        seen.setdefault(BRANCH_TAG.family, []).append(BRANCH_TAG)
    return seen


def _weigh(said: str | None, seen: dict[str, list[Habit]]) -> tuple[str | None, Basis, tuple[str, ...]]:
    """Choose the family, say what it rests on, and give the evidence."""
    points = {
        family: sum(habit.points for habit in habits + seen.get(WIDER.get(family, ""), []))
        for family, habits in seen.items()
    }
    likely = [family for family, sum_ in points.items() if sum_ >= ENOUGH_POINTS]
    likely = [family for family in likely if not any(WIDER.get(other) == family for other in likely)]
    if said is not None:
        agreeing = [family for family in likely if _agree(said, family)]
        family = next((family for family in agreeing if REFINES.get(family) == said), said)
        evidence = [f"its {habit.text}" for one in agreeing for habit in _all_of(one, seen)]
        against = [family for family in likely if not _agree(said, family)]
        evidence += [f"but its headers are like those of {family}" for family in against]
        return family, Basis.SAYS_SO, tuple(evidence)
    evidence = [f"its {habit.text}" for one in likely for habit in _all_of(one, seen)]
    if len(likely) == 1:
        return likely[0], Basis.HEADERS, tuple(evidence)
    return None, Basis.UNKNOWN, tuple(evidence)


def _agree(said: str, family: str) -> bool:
    return family in (said, WIDER.get(said)) or REFINES.get(family) == said


def _all_of(family: str, seen: dict[str, list[Habit]]) -> list[Habit]:
    return seen[family] + seen.get(WIDER.get(family, ""), [])


def _branch_of(request: bytes) -> str:
    found = _BRANCH.search(request.decode("ascii", "replace"))
    return found[1] if found else ""
