"""Which rules make the kernel track connections: without one, nat chains do nothing and no flow has a state."""

from __future__ import annotations

from typing import Final

from callgate.firewall.nftables.value import Json

_STATEMENTS: Final = frozenset((
    "ct", "ct count", "ct helper", "ct timeout", "ct expectation", "dnat", "snat", "masquerade", "redirect", "synproxy",
    "flow",
))  # fmt: skip
_XT: Final = frozenset((
    "conntrack", "state", "connmark", "connlimit", "connbytes", "connlabel", "helper", "DNAT", "SNAT", "MASQUERADE",
    "REDIRECT", "NETMAP", "CT", "CONNMARK", "CONNSECMARK", "SYNPROXY",
))  # fmt: skip
QUIET: Final = frozenset((
    "accept", "drop", "return", "continue", "jump", "goto", "reject", "counter", "log", "limit", "quota", "notrack",
))  # fmt: skip
"""Statements that never ask connection tracking."""


def tracks(statements: Json) -> bool:
    """Whether statements, expressions or a part of them ask connection tracking for anything."""
    stack: list[Json] = [statements]
    while stack:
        value = stack.pop()
        if type(value) is list:
            stack += value
        elif type(value) is dict:
            if not _STATEMENTS.isdisjoint(value):
                return True
            if "xt" in value and type(value["xt"]) is dict and str(value["xt"].get("name"))[:40] in _XT:
                return True
            stack += value.values()
    return False
