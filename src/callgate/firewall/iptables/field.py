"""Matches on single fields: mark, length, ttl, hl, dscp, tos, pkttype; and those that always hold."""

from __future__ import annotations

from typing import Final

from callgate.firewall.intervals import Intervals
from callgate.firewall.iptables.option import Match, Use, every, one_number, options, span
from callgate.firewall.iptables.words import looks_like_number, masked_number, number, number_range, shown
from callgate.firewall.rule import ALWAYS, NEVER, Condition, Every, Within

_CLASSES: Final = {"BE": 0, "EF": 46}
_CLASSES.update({f"CS{rank}": rank << 3 for rank in range(8)})
_CLASSES.update({f"AF{rank}{drop}": rank << 3 | drop << 1 for rank in range(1, 5) for drop in range(1, 4)})
_TOS: Final = {
    "minimize-delay": 16, "maximize-throughput": 8, "maximize-reliability": 4, "minimize-cost": 2, "normal-service": 0,
}  # fmt: skip
_PACKET_TYPES: Final = {
    "unicast": 0, "host": 0, "broadcast": 1, "bcast": 1, "multicast": 2, "mcast": 2, "otherhost": 3, "outgoing": 4,
}  # fmt: skip


def _mark(use: Use) -> Condition:
    given = use.get("mark")
    if given is None:
        return use.unknown("no mark")
    value, mask = masked_number(given.value, "mark")
    return one_number("mark", value, given.negated, mask)


def _length(use: Use) -> Condition:
    given = use.get("length")
    if given is None:
        return use.unknown("no length")
    first, last = number_range(given.value, 0xFFFF, "length")
    return span("length", first, last, given.negated)


def _hops(use: Use) -> Condition:
    """ttl and hl: equal, less, greater."""
    if "ttl" in use.around.rewritten:
        return use.unknown("rules rewrite it")
    conditions: list[Condition] = []
    for option in use.options:
        value = number(option.value, 255, "TTL")
        comparison = option.name.rpartition("-")[2]
        bounds = {"eq": (value, value), "lt": (0, value - 1), "gt": (value + 1, 255)}[comparison]
        conditions.append(span("ttl", *bounds, option.negated))
    return every(conditions) if conditions else use.unknown("no TTL")


def _dscp(use: Use) -> Condition:
    if "dscp" in use.around.rewritten:
        return use.unknown("rules rewrite it")
    conditions: list[Condition] = []
    for option in use.options:
        if option.name == "dscp":
            value = number(option.value, 63, "DSCP")
        elif option.value.upper() in _CLASSES:
            value = _CLASSES[option.value.upper()]
        else:
            raise ValueError(f"DiffServ class {shown(option.value)} is not known")
        conditions.append(one_number("dscp", value, option.negated))
    return every(conditions) if conditions else use.unknown("no DSCP")


def _tos(use: Use) -> Condition:
    given = use.get("tos")
    if given is None or "dscp" in use.around.rewritten:
        return use.unknown("no value" if given is None else "rules rewrite it")
    text, slash, mask_text = given.value.partition("/")
    if looks_like_number(text):
        value, mask = number(text, 255, "TOS"), 0xFF
    elif text.lower() in _TOS:
        value, mask = _TOS[text.lower()], 0x3F
    else:
        raise ValueError(f"TOS {shown(text)} is not known")
    if slash:
        mask = number(mask_text, 255, "TOS mask")
    ecn_matters = mask & 3 or value & 3
    if given.negated and ecn_matters:
        return use.unknown()
    dscp = Within("dscp", Intervals.single(value >> 2), given.negated, mask >> 2)
    return Every((dscp, use.unknown("ECN bits"))) if ecn_matters else dscp


def _pkttype(use: Use) -> Condition:
    given = use.get("pkt-type")
    if given is None or given.value.lower() not in _PACKET_TYPES:
        raise ValueError(f"packet type {shown(given.value if given else '')} is not known")
    return one_number("pkttype", _PACKET_TYPES[given.value.lower()], given.negated)


def _always(_use: Use) -> Condition:
    return ALWAYS


def _recent(use: Use) -> Condition:
    """`--set` only records the source, and holds; the other forms ask for what came before."""
    given = use.get("set")
    if given is None or any(use.get(name) for name in ("rcheck", "update", "remove")):
        asked = use.get("rcheck") or use.get("update")
        count = use.get("hitcount")
        # A newcomer has not come twice before: once may be by a `--set` of this very packet.
        if asked is None or count is None or not count.values or int(count.values[0]) < 2:
            return use.unknown()
        return use.unknown(at_first=asked.negated)
    return NEVER if given.negated else ALWAYS


MATCHES: Final = {
    "mark": Match(options(one="mark"), _mark),
    "length": Match(options(one="length"), _length),
    "ttl": Match(options(one="ttl-eq|ttl ttl-lt ttl-gt"), _hops),
    "hl": Match(options(one="hl-eq|hl hl-lt hl-gt"), _hops),
    "dscp": Match(options(one="dscp dscp-class"), _dscp),
    "tos": Match(options(one="tos"), _tos),
    "pkttype": Match(options(one="pkt-type"), _pkttype),
    "comment": Match(options(one="comment"), _always),
    "nfacct": Match(options(one="nfacct-name"), _always),
    "recent": Match(
        options(one="seconds hitcount name mask", flags="set rcheck update remove reap rttl rsource rdest"), _recent
    ),
}
