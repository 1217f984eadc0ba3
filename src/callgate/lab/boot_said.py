"""What a tool said when it did not load a boot file, and whether that is the file's fault or this machine's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from callgate.errors import NotDetermined
from callgate.lab.boot_steps import Step

LINES_LIMIT: Final = 20
"""Lines of a complaint that are kept."""
LINE_LIMIT: Final = 400

_UNABLE: Final = re.compile(
    r"Operation not supported|Protocol not supported|missing kernel module"
    r"|(?:can't|unable to) initialize (?:ip6?tables )?table [`'](?:raw|mangle|nat|filter|security)'"
    r"|do you need to insmod|kernel needs to be upgraded|Could not fetch rule set generation"
    r"|Operation not permitted|Permission denied|Cannot allocate memory|Memory allocation"
    r"|(?:User|Group) does not exist|Bad value for \"--[ug]id-owner\""
    r"|Could not resolve hostname|host/network `[^']*' not found",
)
"""Words that speak of this machine's kernel or users, or of names that its host may know, not of the file."""
_MATCH: Final = re.compile(r"Couldn't (?:load|find) match `([^']{1,40})'")
_TARGET: Final = re.compile(r"Couldn't (?:load|find) target `([^']{1,40})'")
_ADDED_TARGETS: Final = (
    *("ACCOUNT", "CHAOS", "DELUDE", "DHCPMAC", "DNETMAP", "ECHO", "IPMARK", "LOGMARK", "NETFLOW", "PROTO", "RAWNAT"),
    *("RTPENGINE", "RTPPROXY", "SYSRQ", "TARPIT"),
)
"""Targets that come with packages of their own: a host may know them and this machine not."""
_STALE: Final = ": Permission denied (you must be root)."
"""iptables-nft adds it to any failure in a user namespace, where its socket's buffer may not be forced to grow."""
_LOGGED: Final = re.compile(r"^\S+ \S+ (?=(?:ERROR|WARNING): )", re.MULTILINE)
"""The time before a line of firewalld's log."""
_HARMLESS: Final = ("WARNING: AllowZoneDrifting is enabled",)
_MISSING: Final = re.compile(
    r"^WARNING: .*\b(?:not usable|missing)\b|^ERROR: Default zone '|\bINVALID_(?:SERVICE|ICMPTYPE|HELPER)\b"
)
"""Distributions ship zones and services of their own: a host may know one that this machine does not."""


def complaint(step: Step, result: dict[str, Any]) -> str | None:
    """The tool's words when the step failed, or None; raises NotDetermined where this machine cannot tell."""
    tool = Path(step.argv[0]).name
    if result["code"] == 0:
        return logged(str(result["err"])) if step.about == "firewalld" else None
    if result["code"] is None:
        return f"{tool} did not end within {step.seconds:g} s"
    words = plain_lines(f"{result['err']}\n{result['said']}")
    if step.about == "firewalld":
        words = logged(words) or words
    if "-legacy-" not in tool:
        words = words.replace(_STALE, "")
    if reason := unable(words):
        raise NotDetermined(f"{step.about or tool}: not determined by loading it here: {reason}")
    return words or f"{tool} ended with {result['code']}"


def logged(log: str) -> str | None:
    """What firewalld could not make of its files; raises NotDetermined where it lacks something of this machine."""
    lines = _LOGGED.sub("", log).splitlines()
    for line in lines:
        if _MISSING.search(line):
            raise NotDetermined(f"firewalld: not determined by loading it here: {line[:LINE_LIMIT]}")
    return plain_lines("\n".join(line for line in lines if not line.startswith(_HARMLESS))) or None


def unable(words: str) -> str | None:
    """The line that shows that the fault may be this machine's, or None."""
    for line in words.splitlines():
        if _UNABLE.search(line) or _MATCH.search(line):
            return line
        target = _TARGET.search(line)
        if target is not None and target[1] in _ADDED_TARGETS:
            return line
    return None


def plain_lines(text: str) -> str:
    """The first lines, in bounds, with what is no printable character escaped."""
    lines = [line.rstrip()[:LINE_LIMIT] for line in text.splitlines() if line.strip()]
    shown = ("".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in line) for line in lines)
    return "\n".join(line for line, _ in zip(shown, range(LINES_LIMIT), strict=False))
