"""Every iptables match by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from callgate.firewall import xt_address, xt_doubt, xt_field, xt_ports, xt_set, xt_state
from callgate.firewall.xt_option import Match

MATCHES: Final[Mapping[str, Match]] = {
    **xt_address.MATCHES, **xt_ports.MATCHES, **xt_state.MATCHES, **xt_field.MATCHES, **xt_set.MATCHES,
    **xt_doubt.MATCHES,
}  # fmt: skip

ALIASES: Final = {"icmpv6": "icmp6", "ipv6-icmp": "icmp6", "mport": "multiport"}

BY_PROTOCOL: Final = {6: "tcp", 17: "udp", 136: "udplite", 132: "sctp", 33: "dccp", 1: "icmp", 58: "icmp6", 50: "esp", 51: "ah", 135: "mh"}  # fmt: skip  # noqa: E501
"""The match that -p brings along, so that `-p tcp --dport 80` needs no -m."""


def match_named(name: str) -> Match | None:
    """The match of this name; None when it is not known here, so that nothing can be said of it."""
    return MATCHES.get(ALIASES.get(name, name))
