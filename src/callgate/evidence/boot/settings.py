"""Assignments in files that a shell reads: /etc/ufw/ufw.conf, /etc/default/ufw, csf.conf."""

from __future__ import annotations

import re
from typing import Final

_ASSIGNMENT: Final = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*=[ \t]*(?P<value>.*?)[ \t]*", re.DOTALL
)
_RUNS: Final = re.compile(r"\$\(|`|\$\{?\w|;|&|\||<|>")


def settings(text: str) -> dict[str, str]:
    """The values that plain assignments give, the last one of each name; quotes are taken off.

    Lines end with a newline alone, as for a shell: a carriage return before it is part of the value.
    """
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if assigned := _ASSIGNMENT.fullmatch(line):
            value = assigned["value"]
            if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
                value = value[1:end]
            else:
                value = value.partition(" #")[0].strip(" \t")
            found[assigned["name"]] = value
    return found


def first_code(text: str) -> tuple[int, str] | None:
    """The first line, with its number, that is more than a plain assignment; None where all are."""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        assigned = _ASSIGNMENT.fullmatch(line)
        if assigned is None or (not assigned["value"].startswith("'") and _RUNS.search(assigned["value"])):
            return number, bare[:120]
    return None
