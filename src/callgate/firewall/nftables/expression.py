"""nft expressions read into keys, with the conditions nft adds by itself.

In an inet table `ip saddr != X` never matches IPv6, and `tcp dport != N` matches TCP only: nft compiles the demand
for the family and the protocol in front, and prints neither in JSON nor in text.
"""

from __future__ import annotations

from typing import Final

from callgate.firewall.intervals import Intervals
from callgate.firewall.nftables import value
from callgate.firewall.nftables.key import (
    AddressTypeKey,
    ConcatKey,
    InterfaceKey,
    Key,
    NumberKey,
    ReversePathKey,
    StateKey,
    StatusKey,
    UndecidedKey,
)
from callgate.firewall.nftables.value import Json, MalformedJsonError, UnreadableValueError, mapping, shorten, string
from callgate.firewall.rule import Condition, FieldName, InState, Unknown, Within

TABLE_FAMILIES: Final = ("ip", "ip6", "inet", "netdev", "bridge", "arp")
FAMILY: Final = {4: Within("family", Intervals.single(4)), 6: Within("family", Intervals.single(6))}
TRACKED: Final = InState(frozenset(("invalid", "untracked")), negated=True)
"""The packet belongs to a flow: without one, no `ct` key but the state can be read, and the rule ends."""

_PROTOCOL_NUMBERS: Final = {
    "tcp": 6, "udp": 17, "udplite": 136, "sctp": 132, "dccp": 33, "icmp": 1, "icmpv6": 58, "igmp": 2, "ah": 51,
    "esp": 50, "comp": 108, "gre": 47,
}  # fmt: skip
PROTOCOL: Final = {name: Within("protocol", Intervals.single(number)) for name, number in _PROTOCOL_NUMBERS.items()}

_IP: Final[dict[str, tuple[FieldName, value.ValueKind]]] = {
    "saddr": ("saddr4", value.IPV4), "daddr": ("daddr4", value.IPV4),
    "protocol": ("protocol", value.PROTOCOL), "ttl": ("ttl", value.BYTE),
    "length": ("length", value.LENGTH), "dscp": ("dscp", value.DSCP),
}  # fmt: skip
_IP6: Final[dict[str, tuple[FieldName, value.ValueKind]]] = {
    "saddr": ("saddr6", value.IPV6), "daddr": ("daddr6", value.IPV6),
    "nexthdr": ("nexthdr", value.PROTOCOL), "hoplimit": ("ttl", value.BYTE),
    "length": ("length", value.PAYLOAD_LENGTH), "dscp": ("dscp", value.DSCP),
}  # fmt: skip
_ICMP: Final[dict[str, tuple[FieldName, value.ValueKind]]] = {
    "type": ("icmp_type", value.ICMP_TYPE), "code": ("icmp_code", value.ICMP_CODE),
}  # fmt: skip
_ICMPV6: Final[dict[str, tuple[FieldName, value.ValueKind]]] = {
    "type": ("icmp_type", value.ICMPV6_TYPE), "code": ("icmp_code", value.ICMPV6_CODE),
}  # fmt: skip
_PORTS: Final[dict[str, tuple[FieldName, value.ValueKind]]] = {
    "sport": ("sport", value.PORT), "dport": ("dport", value.PORT),
}  # fmt: skip
_PAYLOADS: Final[dict[str, dict[str, tuple[FieldName, value.ValueKind]]]] = {
    "ip": _IP, "ip6": _IP6, "icmp": _ICMP, "icmpv6": _ICMPV6, "th": _PORTS, "udp": _PORTS, "udplite": _PORTS,
    "sctp": _PORTS, "dccp": _PORTS, "tcp": {**_PORTS, "flags": ("tcp_flags", value.TCP_FLAGS)},
}  # fmt: skip
_FAMILY_OF: Final = {"ip": 4, "icmp": 4, "igmp": 4, "ip6": 6, "icmpv6": 6}
_ETHERNET: Final = Unknown("the Ethernet header")
_META: Final[dict[str, Key]] = {
    "l4proto": NumberKey("protocol", value.PROTOCOL), "mark": NumberKey("mark", value.MARK),
    "pkttype": NumberKey("pkttype", value.PACKET_TYPE), "protocol": NumberKey("family", value.ETHER_TYPE),
    "iifname": InterfaceKey("iif"), "oifname": InterfaceKey("oif"),
    "iif": InterfaceKey("iif", by_index=True), "oif": InterfaceKey("oif", by_index=True),
}  # fmt: skip
_ORIGINAL: Final[dict[str, NumberKey]] = {
    "ip saddr": NumberKey("orig_saddr4", value.IPV4), "ip daddr": NumberKey("orig_daddr4", value.IPV4),
    "ip6 saddr": NumberKey("orig_saddr6", value.IPV6), "ip6 daddr": NumberKey("orig_daddr6", value.IPV6),
    "proto-src": NumberKey("orig_sport", value.PORT), "proto-dst": NumberKey("orig_dport", value.PORT),
    "protocol": NumberKey("orig_protocol", value.PROTOCOL), "l3proto": NumberKey("family", value.NFPROTO),
}  # fmt: skip
_PATHS: Final = {frozenset(("saddr", "iif")): False, frozenset(("saddr",)): True}

Read = tuple[tuple[Condition, ...], Key]


def read_key(expression: Json, family: str, *, frames: bool = False) -> Read:
    """The conditions nft puts in front of an expression, and what the expression looks at.

    `family` is the table's; with `frames` its chains may see packets as they come off the wire (ingress).
    Raises MalformedJsonError.
    """
    if type(expression) is not dict or not expression:
        raise MalformedJsonError(f"not an expression: {shorten(expression)}")
    if len(expression) != 1:
        raise MalformedJsonError(f"an expression of several kinds: {shorten(expression)}")
    [(kind, content)] = expression.items()
    if kind == "payload":
        return _payload(mapping(content, "payload"), family)
    if kind == "meta":
        return (), _meta(content, family, frames)
    if kind == "ct":
        return _ct(mapping(content, "ct"), family)
    if kind == "concat":
        return _concat(content, family, frames)
    if kind == "&":
        return _masked(content, family, frames)
    if kind == "fib":
        return (), _fib(mapping(content, "fib"))
    if kind in ("numgen", "jhash", "symhash"):
        return _numbered(kind, mapping(content, kind), family, frames)
    return (), UndecidedKey(_label(kind, content))


def needed_family(family: str, version: int) -> tuple[Condition, ...]:
    """The demand for a version of IP, where the table's family does not imply it."""
    if family == ("ip" if version == 4 else "ip6"):
        return ()
    return (FAMILY[version],)


def _payload(content: dict[str, Json], family: str) -> Read:
    if "base" in content:
        return (), _raw(content)
    if not content.keys() <= {"protocol", "field"}:  # like the header inside a tunnel
        return (), UndecidedKey(shorten(f"payload {content}"))
    protocol, name = string(content.get("protocol"), "a header"), string(content.get("field"), "a header's field")
    needs: list[Condition] = []
    if protocol in _FAMILY_OF and not (protocol in ("icmp", "icmpv6", "igmp") and family in ("ip", "ip6")):
        needs += needed_family(family, _FAMILY_OF[protocol])
    if protocol in PROTOCOL:
        needs.append(PROTOCOL[protocol])
    if protocol == "ether" and name == "type":
        return (_ETHERNET,), NumberKey("family", value.ETHER_TYPE)
    known = _PAYLOADS.get(protocol, {}).get(name)
    return tuple(needs), NumberKey(*known) if known else UndecidedKey(f"{protocol} {name}")


def _raw(content: dict[str, Json]) -> Key:
    base, offset, length = content.get("base"), content.get("offset"), content.get("len")
    if base == "th" and length == 16 and offset in (0, 16):
        return NumberKey("sport" if offset == 0 else "dport", value.PORT)
    return UndecidedKey(shorten(f"@{base},{offset},{length}"))


def _meta(content: Json, family: str, frames: bool) -> Key:
    name = string(content.get("key") if type(content) is dict else content, "a meta key")
    link_layer = family in ("netdev", "bridge")
    if name == "nfproto":
        return UndecidedKey(f"meta nfproto in {family}") if link_layer else NumberKey("family", value.NFPROTO)
    if name == "length":  # off the wire, a short packet still has its padding
        return UndecidedKey("meta length") if link_layer or frames else NumberKey("length", value.LENGTH)
    return _META.get(name) or UndecidedKey(f"meta {shorten(name)}")


def _ct(content: dict[str, Json], family: str) -> Read:
    name, direction = string(content.get("key"), "a ct key"), content.get("dir")
    if name == "state":
        return (), StateKey()
    if name == "status":
        return (TRACKED,), StatusKey()
    if name == "mark":
        return (TRACKED,), NumberKey("ctmark", value.MARK)
    if name == "direction":
        return (TRACKED,), NumberKey("ct_direction", value.DIRECTION)
    if name in ("saddr", "daddr"):
        network = content.get("family") or (family if family in ("ip", "ip6") else "")
        name = f"{network} {name}"
    known = _ORIGINAL.get(name)
    if known is not None and (direction == "original" or (direction is None and name in ("protocol", "l3proto"))):
        return (TRACKED,), known
    return (TRACKED,), UndecidedKey(shorten(f"ct {direction + ' ' if type(direction) is str else ''}{name}"))


def _concat(content: Json, family: str, frames: bool) -> Read:
    if type(content) is not list or not 2 <= len(content) <= 16:
        raise MalformedJsonError(f"not a concatenation: {shorten(content)}")
    needs: dict[Condition, None] = {}
    parts: list[Key] = []
    for one in content:
        if type(one) is dict and "concat" in one:
            raise MalformedJsonError("a concatenation within another")
        before, part = read_key(one, family, frames=frames)
        needs.update(dict.fromkeys(before))
        parts.append(part)
    return tuple(needs), ConcatKey(tuple(parts))


def _masked(content: Json, family: str, frames: bool) -> Read:
    if type(content) is not list or len(content) < 2:
        raise MalformedJsonError(f"not two operands of &: {shorten(content)}")
    left, mask = content[0], content[1]
    if len(content) > 2 or (type(left) is dict and ("&" in left or "concat" in left)):
        return (), UndecidedKey("an expression with several &")
    needs, key = read_key(left, family, frames=frames)
    kind = {StateKey: value.STATE, StatusKey: value.STATUS}.get(type(key))
    if isinstance(key, NumberKey) and key.kind.becomes is None and not key.kind.shift:
        kind = key.kind
    try:
        bits = kind.flags(mask) if kind is not None else None
    except UnreadableValueError:
        bits = None
    if bits is None:
        return needs, UndecidedKey(f"{key_name(left)} under a mask")
    if isinstance(key, NumberKey):
        return needs, NumberKey(key.field, key.kind, bits)
    return needs, StateKey(bits) if isinstance(key, StateKey) else StatusKey(bits)


def _fib(content: dict[str, Json]) -> Key:
    result, flags = content.get("result"), content.get("flags")
    if type(flags) is str:
        flags = [flags]
    if type(flags) is not list or not all(type(flag) is str for flag in flags):
        raise MalformedJsonError(f"fib without its fields: {shorten(content)}")
    fields = frozenset(flags) - {"mark"}
    if result == "oif" and fields in _PATHS:
        return ReversePathKey(_PATHS[fields])
    sides = fields & {"saddr", "daddr"}
    devices = fields & {"iif", "oif"}
    if result == "type" and len(sides) == 1 and len(devices) <= 1 and fields == sides | devices:
        device = "iif" if "iif" in devices else "oif" if devices else None
        return AddressTypeKey("source" if "saddr" in sides else "destination", device)  # type: ignore[arg-type]
    return UndecidedKey(shorten(f"fib {' . '.join(flags)} {result}"))


def _numbered(kind: str, content: dict[str, Json], family: str, frames: bool) -> Read:
    """A number drawn for each packet or flow: below `mod`, counted from `offset`."""
    if "expr" in content:  # a hash of something the packet may not have
        return read_key(content["expr"], family, frames=frames)[0], UndecidedKey(kind)
    modulus, offset = content.get("mod"), content.get("offset", 0)
    if type(modulus) is int and 0 < modulus <= 65536 and type(offset) is int and 0 <= offset < 2**32:
        return (), UndecidedKey(kind, offset, modulus)
    return (), UndecidedKey(kind)


def key_name(expression: Json) -> str:
    """An expression in few words, for messages."""
    if type(expression) is not dict or len(expression) != 1:
        return shorten(expression)
    [(kind, content)] = expression.items()
    if kind == "payload" and type(content) is dict and "protocol" in content:
        return shorten(f"{content.get('protocol')} {content.get('field')}")
    return _label(kind, content)


def _label(kind: str, content: Json) -> str:
    if kind in ("&", "|", "^", "<<", ">>") and type(content) is list and content:
        return shorten(f"{key_name(content[0])} {kind}")
    name = content.get("key", content.get("name")) if type(content) is dict else None
    return shorten(f"{kind} {name}" if type(name) is str else kind)
