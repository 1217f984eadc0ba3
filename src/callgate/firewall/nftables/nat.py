"""`dnat`, `snat`, `redirect` and `masquerade` read into translations."""

from __future__ import annotations

from typing import Final, Literal

from callgate.firewall.nftables import value
from callgate.firewall.nftables.steps import Steps
from callgate.firewall.nftables.value import Json, MalformedJsonError, UnreadableValueError, mapping, shorten, string
from callgate.firewall.rule import Action, Condition, Family, Opaque, Translate

_SIDES: Final[dict[str, Literal["source", "destination"]]] = {
    "dnat": "destination", "redirect": "destination", "snat": "source", "masquerade": "source",
}  # fmt: skip
_FAMILIES: Final[dict[str, Family]] = {"ip": 4, "ip6": 6}
_Range = tuple[int, int]


def read_translation(steps: Steps, kind: str, content: Json) -> None:
    """Add the steps of a translation: by a map, one branch for each datum. Raises MalformedJsonError."""
    content = {} if content is None else mapping(content, kind)
    family = _FAMILIES.get(steps.scope.family)
    if "family" in content:
        family = _FAMILIES.get(string(content["family"], "a family"))
        if family is None:
            raise MalformedJsonError(f"{kind} of family {shorten(content['family'])}")
    address, port = content.get("addr"), content.get("port")
    itself = kind in ("redirect", "masquerade")
    maps = [
        (name, one["map"]) for name, one in (("addr", address), ("port", port)) if type(one) is dict and "map" in one
    ]
    if not maps:
        steps.act(_translation(kind, family, itself, address, port))
        return
    if len(maps) > 1:
        steps.act(Opaque(f"{kind} by two maps"))
        return
    [(name, lookup)] = maps
    chosen, doubt = steps.choose(lookup)
    if doubt is not None:
        steps.act(Opaque(doubt))
        return
    branches: list[tuple[Condition, Action]] = []
    for condition, datum in chosen:
        if name == "port":
            branches.append((condition, _translation(kind, family, itself, address, datum)))
        elif type(datum) is dict and "concat" in datum:
            parts = datum["concat"]
            if type(parts) is not list or len(parts) != 2 or port is not None:
                raise MalformedJsonError(f"not an address and a port: {shorten(datum)}")
            branches.append((condition, _translation(kind, family, itself, parts[0], parts[1])))
        else:
            branches.append((condition, _translation(kind, family, itself, datum, port)))
    steps.decide(branches)


def _translation(kind: str, family: Family | None, itself: bool, address: Json, port: Json) -> Action:
    addresses: _Range | None = None
    ports: _Range | None = None
    try:
        if address is not None:
            if itself:
                raise MalformedJsonError(f"{kind} with an address")
            family, addresses = _addresses(family, address)
        if port is not None:
            ports = _upright(value.PORT.interval(port))
    except UnreadableValueError as problem:
        return Opaque(f"{kind} to {problem}")
    return Translate(_SIDES[kind], family, addresses, ports, to_itself=itself)


def _addresses(family: Family | None, address: Json) -> tuple[Family, _Range]:
    if family == 6:
        return 6, _upright(value.IPV6.interval(address))
    try:
        ends = value.IPV4.interval(address)
    except UnreadableValueError:
        if family == 4:
            raise
        return 6, _upright(value.IPV6.interval(address))
    return 4, _upright(ends)


def _upright(ends: _Range) -> _Range:
    if ends[0] > ends[1]:
        raise UnreadableValueError(f"{ends[0]}-{ends[1]}")
    return ends
