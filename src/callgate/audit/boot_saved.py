"""Loads saved rules: with the real tools in namespaces of our own, or else, what iptables-save wrote, by reading it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callgate.errors import EvidenceError, LabError, NotDetermined
from callgate.evidence.filtering import read_save
from callgate.firewall.iptables.save import written_by

_SETS: Final = ("etc/iptables/ipsets", "etc/sysconfig/ipset")
_RULES: Final = {
    "etc/iptables/rules.v4": "iptables-save.txt",
    "etc/iptables/rules.v6": "ip6tables-save.txt",
    "etc/sysconfig/iptables": "iptables-save.txt",
    "etc/sysconfig/ip6tables": "ip6tables-save.txt",
}
_READABLE: Final = frozenset({"ipset", "iptables-persistent", "iptables-services"})
_MATCHED_SET: Final = re.compile(r"--match-set (?P<name>\S+)|--(?:add|del)-set (?P<target>\S+)|--map-set (?P<map>\S+)")
_MADE_SET: Final = re.compile(r"^create (?P<name>\S+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Saved:
    """The rules that saved files give, as dumps, and what did not load."""

    texts: Mapping[str, str]
    """Dumps under the names of the bundle."""
    complaints: Mapping[str, str]
    """File or loader to what is wrong, in words."""
    notes: tuple[str, ...] = ()


def load_saved(files: Mapping[str, str], loaders: Sequence[str], interfaces: Sequence[str], *, legacy: bool) -> Saved:
    """The rules after boot. Raises NotDetermined where they can neither be loaded here nor be read."""
    # The lab is an edge of its own: what is judged without it must not need it.
    from callgate.lab.boot import load_at_boot

    try:
        loaded = load_at_boot(files, loaders, interfaces=interfaces, legacy=legacy)
    except (NotDetermined, LabError) as error:
        read = _read(files, loaders, str(error))
        if read is None:
            raise
        return read
    return Saved(loaded.texts, loaded.complaints)


def _read(files: Mapping[str, str], loaders: Sequence[str], why: str) -> Saved | None:
    """What iptables-restore would make of files that iptables-save wrote; None where only a real load tells.

    A set that nothing makes keeps the table that names it, and those behind it, from being loaded.
    """
    saved = {path: text for path, text in files.items() if path in _RULES}
    others = [path for path in files if path not in _RULES and path not in _SETS]
    if not set(loaders) <= _READABLE or others or any(written_by(text) is None for text in saved.values()):
        return None
    sets = "\n".join(files[path] for path in _SETS if path in files)
    made = {found["name"] for found in _MADE_SET.finditer(sets)}
    texts: dict[str, str] = {"ipset-save.txt": sets} if sets else {}
    complaints: dict[str, str] = {}
    for path, text in saved.items():
        try:
            read_save(text, _RULES[path])
        except EvidenceError as error:
            raise EvidenceError(path, error.reason, error.line) from None
        good, complaint = _before_missing_set(text, made)
        texts[_RULES[path]] = good
        if complaint:
            complaints[path] = complaint
    note = f"the saved rules were read, and not loaded for a test: {' '.join(why.split())[:200]}"
    return Saved(texts, complaints, (note,))


def _before_missing_set(text: str, made: set[str]) -> tuple[str, str]:
    """The tables before the first that names a set nothing makes, and what is wrong with that one."""
    lines = text.splitlines(keepends=True)
    table = 0
    for at, line in enumerate(lines):
        if line.startswith("*"):
            table = at
        for found in _MATCHED_SET.finditer(line):
            name = found["name"] or found["target"] or found["map"]
            if name not in made:
                before = "".join(lines[:table])
                return (
                    before if "\nCOMMIT" in before else "",
                    f"line {at + 1}: no set {name[:60]} is made before: {line.strip()[:120]}",
                )
    return text, ""
