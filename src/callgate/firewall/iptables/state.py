"""Matches on the flow a packet belongs to: state, conntrack, connmark.

net/netfilter/xt_conntrack.c: for a packet that belongs to no flow (invalid, untracked) `--ctstate` alone decides,
whatever else the match asks; without `--ctstate` it does not match.
"""

from __future__ import annotations

from typing import Final

from callgate.firewall.iptables.address import address
from callgate.firewall.iptables.option import Match, Option, Use, every, one_number, options, span
from callgate.firewall.iptables.protocol import port_range, protocol_number
from callgate.firewall.iptables.words import masked_number, shown
from callgate.firewall.rule import Condition, Every, FieldName, InState, Some, State, Unknown

_STATES: Final[dict[str, State]] = {
    "INVALID": "invalid", "NEW": "new", "ESTABLISHED": "established", "RELATED": "related",
    "UNTRACKED": "untracked", "SNAT": "snat", "DNAT": "dnat",
}  # fmt: skip
_NO_FLOW: Final = InState(frozenset(("invalid", "untracked")))
A_FLOW: Final = InState(_NO_FLOW.states, negated=True)
"""The packet belongs to a flow."""
_ADDRESSES: Final[dict[tuple[str, int], FieldName]] = {
    ("ctorigsrc", 4): "orig_saddr4", ("ctorigsrc", 6): "orig_saddr6",
    ("ctorigdst", 4): "orig_daddr4", ("ctorigdst", 6): "orig_daddr6",
}  # fmt: skip
_PORTS: Final[dict[str, FieldName]] = {"ctorigsrcport": "orig_sport", "ctorigdstport": "orig_dport"}
_STATUSES: Final = ("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")


def states(text: str, negated: bool = False) -> InState:
    """The condition of a list of states; iptables takes them in any case."""
    names = text.upper().split(",")
    for name in names:
        if name not in _STATES:
            raise ValueError(f"state {shown(name)} is not known")
    return InState(frozenset(_STATES[name] for name in names), negated)


def _state(use: Use) -> Condition:
    given = use.get("state")
    return states(given.value, given.negated) if given else use.unknown("no state")


def _conntrack(use: Use) -> Condition:
    wanted = use.get("ctstate")
    of_flow = every(_of_flow(option, use) for option in use.options if option.name != "ctstate")
    if wanted is None:
        return every((A_FLOW, of_flow))
    state = states(wanted.value, wanted.negated)
    return state if of_flow == Every(()) else Every((state, Some((_NO_FLOW, of_flow))))


def _of_flow(option: Option, use: Use) -> Condition:
    name, value = option.name, option.value
    if name == "ctproto":
        return one_number("orig_protocol", protocol_number(value), option.negated)
    if (name, use.family) in _ADDRESSES:
        condition = address(_ADDRESSES[name, use.family], use.family, value, option.negated)
        return Every(()) if condition is None else condition
    if name in _PORTS:
        return span(_PORTS[name], *port_range(value), option.negated)
    if name == "ctdir":
        if value.upper() not in ("ORIGINAL", "REPLY"):
            raise ValueError(f"direction {shown(value)} is neither ORIGINAL nor REPLY")
        return one_number("ct_direction", int(value.upper() == "REPLY"), option.negated)
    if name == "ctstatus":
        for status in value.upper().split(","):
            if status not in _STATUSES:
                raise ValueError(f"flow status {shown(status)} is not known")
    return Unknown(f"-m {use.name} {option}"[:120])


def _connmark(use: Use) -> Condition:
    given = use.get("mark")
    if given is None:
        return use.unknown("no mark")
    value, mask = masked_number(given.value, "mark")
    return Every((A_FLOW, one_number("ctmark", value, given.negated, mask)))


MATCHES: Final = {
    "state": Match(options(one="state"), _state, tracks=True),
    "conntrack": Match(
        options(
            one="ctstate ctproto ctorigsrc ctorigdst ctreplsrc ctrepldst ctorigsrcport ctorigdstport ctreplsrcport "
            "ctrepldstport ctstatus ctexpire ctdir"
        ),
        _conntrack,
        tracks=True,
    ),
    "connmark": Match(options(one="mark"), _connmark, tracks=True),
}
