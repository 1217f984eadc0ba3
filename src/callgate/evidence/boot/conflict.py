"""Managers that undo each other: two are enabled, and nothing says which comes last."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import combinations
from typing import Final

from callgate.evidence.boot.loader import BootLoader

_BEGIN: Final = r"^(?:[^#\n]*[;{}])?[ \t]*"
_FLUSH: Final = re.compile(_BEGIN + r"flush\s+ruleset\b", re.MULTILINE)
_TAKES_OUT: Final = re.compile(
    _BEGIN + r"(?:flush|delete|destroy)\s+(?:table|chain)\s+(?:ip6?\s+)?(?:filter|nat|mangle|raw|security)\b",
    re.MULTILINE,
)
"""nft's words that take out what iptables put in: its tables have these names."""
_IPTABLES: Final = frozenset({"iptables-persistent", "iptables-services"})


def conflicts(loaders: Iterable[BootLoader]) -> tuple[str, ...]:
    """In words, each pair of managers that load at boot, of which one takes out what the other put in."""
    # A unit without files loads nothing, but for firewalld, which has zones of its own.
    loading = [one for one in loaders if one.enabled is not False and (one.files or one.name == "firewalld")]
    return tuple(said for one, other in combinations(loading, 2) if (said := _conflict(one, other)))


def flushes(loader: BootLoader) -> bool:
    """Whether it takes out everything that nf_tables holds before it loads its own."""
    return loader.name == "nftables" and any(_FLUSH.search(text) for text in loader.files.values())


def _takes_out(loader: BootLoader) -> bool:
    return loader.name == "nftables" and any(_TAKES_OUT.search(text) for text in loader.files.values())


def _conflict(one: BootLoader, other: BootLoader) -> str:
    names = {one.name, other.name}
    both = f"{one.unit} and {other.unit} both start at boot"
    if "callgate" in names or names == {"ipset", "nftables"}:
        return ""  # it loads behind all others; nft touches no ipset
    if "firewalld" in names:
        if names & {"nftables", "iptables-services"} or (one.unit == "ipset.service"):
            return f"{both}, and systemd starts only one of them: firewalld.service conflicts with the other"
        return (
            "" if "ipset" in names else f"{both}: two managers of rules, and nothing says which one has the last word"
        )
    if "ipset" in names:
        return ""
    if "nftables" in names:
        flushing = any(flushes(loader) or _takes_out(loader) for loader in (one, other))
        return f"{both}: nftables flushes what the other loads, if that comes first" if flushing else ""
    return f"{both}: each replaces the other's rules, and nothing says which comes last"
