"""nft statements read into steps: verdicts, translations, marks, and what only may let a rule go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from callgate.firewall.nftables.expression import PROTOCOL, key_name, needed_family, read_key
from callgate.firewall.nftables.mark import demand_value, read_mark
from callgate.firewall.nftables.nat import read_translation
from callgate.firewall.nftables.steps import NOTHING, Rewrite, Steps
from callgate.firewall.nftables.value import Json, MalformedJsonError, mapping, shorten, string
from callgate.firewall.rule import (
    Action,
    FieldName,
    Goto,
    Jump,
    NoTrack,
    Opaque,
    Queue,
    Return,
    Step,
    Unknown,
    Verdict,
    Within,
)

_ACCEPT, _DROP, _REJECT, _RESET = Verdict("accept"), Verdict("drop"), Verdict("reject"), Verdict("reject", reset=True)
_WITHOUT_EFFECT: Final = frozenset((
    "continue", "counter", "log", "last", "dup", "flow", "reset", "secmark", "comment", "ct helper", "ct timeout",
    "ct expectation",
))  # fmt: skip
"""Statements that leave the packet and its way alone: what they write is not modelled, or belongs to a copy."""
_REWRITTEN: Final[dict[tuple[str, str], FieldName]] = {
    ("ip", "dscp"): "dscp", ("ip6", "dscp"): "dscp", ("ip", "ttl"): "ttl", ("ip6", "hoplimit"): "ttl",
}  # fmt: skip
_UNMODELLED: Final = frozenset((("ip", "ecn"), ("ip6", "flowlabel"), ("ip6", "ecn")))
_XT_WITHOUT_EFFECT: Final = frozenset((
    "comment", "LOG", "NFLOG", "ULOG", "TCPMSS", "CHECKSUM", "AUDIT", "CLASSIFY", "TRACE", "LED", "RATEEST",
))  # fmt: skip


def read_statement(steps: Steps, kind: str, content: Json) -> None:
    """Add what a statement other than `match` does. Raises MalformedJsonError."""
    if kind in _WITHOUT_EFFECT:
        return
    if kind in _VERDICTS:
        steps.act(_VERDICTS[kind])
    elif kind in ("jump", "goto"):
        steps.act(_verdict(steps, {kind: content}))
    elif kind in ("dnat", "snat", "redirect", "masquerade"):
        read_translation(steps, kind, content)
    elif kind in _READERS:
        _READERS[kind](steps, content)
    else:
        steps.act(Opaque(shorten(kind)))


_VERDICTS: Final[dict[str, Action]] = {"accept": _ACCEPT, "drop": _DROP, "return": Return(), "notrack": NoTrack()}


def _verdict(steps: Steps, content: Json) -> Action:
    """A verdict as a verdict map has it: `{"accept": null}`, `{"jump": {"target": ...}}`."""
    if type(content) is not dict or len(content) != 1:
        raise MalformedJsonError(f"not a verdict: {shorten(content)}")
    [(kind, target)] = content.items()
    if kind == "continue":
        return NOTHING
    if kind in ("accept", "drop", "return"):
        return _VERDICTS[kind]
    if kind in ("jump", "goto"):
        name = string(mapping(target, kind).get("target"), "a chain")
        if name not in steps.scope.chains:
            raise MalformedJsonError(f"{kind} to {shorten(name)}, a chain that is not there")
        return Jump(name) if kind == "jump" else Goto(name)
    if kind == "queue":
        return _queue(target)
    raise MalformedJsonError(f"not a verdict: {shorten(content)}")


def _verdict_map(steps: Steps, content: Json) -> None:
    chosen, _ = steps.choose(content)
    steps.decide([(condition, _verdict(steps, datum)) for condition, datum in chosen])


def _reject(steps: Steps, content: Json) -> None:
    kind = None if content is None else mapping(content, "reject").get("type")
    if kind == "tcp reset":
        steps.demand((PROTOCOL["tcp"],))
        if steps.scope.family in ("inet", "bridge") and not any(_tells_family(one) for one in steps.steps):
            # nft leaves `meta nfproto ipv6` out when it prints such a rule (1.0.6, text and JSON alike).
            steps.demand((Unknown("whether the rule is about one family alone: nft does not print it"),))
        steps.act(_RESET)
        return
    if kind in ("icmp", "icmpv6"):
        steps.demand(needed_family(steps.scope.family, 4 if kind == "icmp" else 6))
    elif kind not in (None, "icmpx"):
        raise MalformedJsonError(f"reject with {shorten(kind)}")
    steps.act(_REJECT)


def _tells_family(step: Step | Rewrite) -> bool:
    """Whether a step holds for packets of one family alone."""
    return isinstance(step, Within) and (step.field == "family" or step.field.endswith(("addr4", "addr6")))


def _queue(content: Json) -> Queue:
    flags = None if content is None else mapping(content, "queue").get("flags")
    return Queue("bypass" in flags if type(flags) is list else flags == "bypass")


def _limit(steps: Steps, content: Json) -> None:
    if type(content) is dict:
        over = "over " if content.get("inv") else ""
        unit = f" {content['rate_unit']}" if "rate_unit" in content else ""
        said = shorten(f"limit {over}{content.get('rate')}{unit}/{content.get('per')}")
        steps.demand((Unknown(said, at_first=not over),))
    else:
        steps.demand((Unknown(shorten(f"limit {key_name(content)}")),))


def _counted(kind: str) -> Callable[[Steps, Json], None]:
    def read(steps: Steps, content: Json) -> None:
        if type(content) is not dict:
            steps.demand((Unknown(shorten(f"{kind} {key_name(content)}")),))
            return
        over = "over " if content.get("inv") else ""
        unit = f" {content['val_unit']}" if "val_unit" in content else ""
        # A quota stays used up; a count of flows is none for the first one.
        at_first = not over if kind == "ct count" and content.get("val") != 0 else None
        steps.demand((Unknown(shorten(f"{kind} {over}{content.get('val')}{unit}"), at_first),))

    return read


def _exceeding(element: Mapping[str, Json]) -> bool:
    """Whether the element goes on only while a rate is exceeded (`limit rate over`)."""
    limit = element.get("limit")
    return type(limit) is dict and bool(limit.get("inv"))


def _updated(kind: str) -> Callable[[Steps, Json], None]:
    def read(steps: Steps, content: Json) -> None:
        """A rule that adds to a set ends where the set is full, or where the element's own limit says so."""
        content = mapping(content, kind)
        name = shorten(string(content.get(kind), f"a {kind}").removeprefix("@"))
        one = content.get("elem")
        steps.need(mapping(one["elem"], "an element").get("val") if type(one) is dict and "elem" in one else one)
        data = content.get("data")
        if type(data) is dict and "concat" not in data and "range" not in data and "prefix" not in data:
            steps.need(data)
        if content.get("op") != "delete":
            # An element's own rate is not exceeded at first; whether the set is full is not known.
            over = type(one) is dict and "elem" in one and _exceeding(mapping(one["elem"], "an element"))
            steps.demand((Unknown(f"set {name} takes one more", at_first=False if over else None),))

    return read


def _meter(steps: Steps, content: Json) -> None:
    content = mapping(content, "meter")
    steps.need(content.get("key"))
    steps.demand((Unknown(shorten(f"meter {content.get('name')}")),))


def _mangle(steps: Steps, content: Json) -> None:
    content = mapping(content, "mangle")
    if not {"key", "value"} <= content.keys():
        raise MalformedJsonError(f"mangle without key or value: {shorten(content)}")
    target, value = content["key"], content["value"]
    name = key_name(target)
    if name == "meta mark":
        read_mark(steps, "mark", value)
        return
    if name == "ct mark":
        read_mark(steps, "ctmark", value)
        return
    kind, inner = next(iter(mapping(target, "what is written").items()), ("", None))
    if type(value) is dict and "map" in value:
        _missing(steps, value["map"])
    else:
        demand_value(steps, value)
    if kind == "payload":
        needed, _ = read_key(target, steps.scope.family)
        steps.demand(steps.scope.share(one) for one in needed)
        field = (str(inner.get("protocol")), str(inner.get("field"))) if type(inner) is dict else ("", "")
        if field in _REWRITTEN:
            steps.act(Rewrite(_REWRITTEN[field], f"{name} set"))
        elif field not in _UNMODELLED:
            steps.act(Opaque(f"{name} set"))
    elif kind == "tcp option":
        steps.demand((PROTOCOL["tcp"],))
    elif name == "meta pkttype":
        steps.act(Rewrite("pkttype", "meta pkttype set"))
    elif kind not in ("meta", "ct") or name == "meta broute":
        steps.act(Opaque(f"{name} set"))


def _missing(steps: Steps, lookup: Json) -> None:
    """A map that has no entry for the packet ends the rule."""
    chosen, doubt = steps.choose(lookup)
    steps.demand((Unknown("an entry of a map") if doubt or len(chosen) != 1 else chosen[0][0],))


def _xt(steps: Steps, content: Json) -> None:
    """A match or target of xtables whose parameters the JSON does not show."""
    content = {} if content is None else mapping(content, "xt")
    name = shorten(content.get("name") or "of xtables")
    if name in _XT_WITHOUT_EFFECT:
        return
    if content.get("type") == "match":
        steps.demand((Unknown(f"xt match {name}"),))
    elif name == "REJECT":
        steps.act(_REJECT)
    elif name == "NOTRACK":
        steps.act(NoTrack())
    elif content.get("type") != "watcher":
        steps.act(Opaque(f"xt target {name}"))


_READERS: Final[dict[str, Callable[[Steps, Json], None]]] = {
    "vmap": _verdict_map, "reject": _reject, "limit": _limit, "quota": _counted("quota"),
    "ct count": _counted("ct count"), "set": _updated("set"), "map": _updated("map"), "meter": _meter,
    "mangle": _mangle, "xt": _xt, "queue": lambda steps, content: steps.act(_queue(content)),
}  # fmt: skip
