"""Every iptables match by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from callgate.firewall.iptables import address, doubt, field, ports, set_match, state
from callgate.firewall.iptables.option import Match

MATCHES: Final[Mapping[str, Match]] = {
    **address.MATCHES, **ports.MATCHES, **state.MATCHES, **field.MATCHES, **set_match.MATCHES,
    **doubt.MATCHES,
}  # fmt: skip

ALIASES: Final = {"icmpv6": "icmp6", "ipv6-icmp": "icmp6", "mport": "multiport"}

BY_PROTOCOL: Final = {6: "tcp", 17: "udp", 136: "udplite", 132: "sctp", 33: "dccp", 1: "icmp", 58: "icmp6", 50: "esp", 51: "ah", 135: "mh"}  # fmt: skip  # noqa: E501
"""The match that -p brings along, so that `-p tcp --dport 80` needs no -m."""


def match_named(name: str) -> Match | None:
    """The match of this name; None when it is not known here, so that nothing can be said of it."""
    return MATCHES.get(ALIASES.get(name, name))
