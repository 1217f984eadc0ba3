"""Addresses in iptables rules: -s and -d, iprange, addrtype, and the way back (rpfilter)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.iptables.number import LAST, address_number, address_range, mask_number
from callgate.firewall.iptables.option import Match, Option, Side, Use, address_field, every, negate, options
from callgate.firewall.iptables.words import shown
from callgate.firewall.rule import (
    NEVER,
    AddressKind,
    AddressType,
    Condition,
    Family,
    FieldName,
    Not,
    ReversePath,
    Some,
    Unknown,
    Within,
)

_HOST_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_]([A-Za-z0-9._-]{0,253}[A-Za-z0-9_.])?")
_HEX = re.compile(r"0[xX][0-9A-Fa-f]{1,8}(\.|$)")

_MULTICAST6: Final = Intervals.single(0xFF << 120, LAST[6])
_MAPPED6: Final = Intervals.single(0xFFFF << 32, (0x10000 << 32) - 1)
_UNSPECIFIED: Final = Intervals.single(0)
_UNICAST6: Final = Intervals.single(0, LAST[6]) - (_MULTICAST6 | _MAPPED6 | _UNSPECIFIED)
"""What the kernel's __ipv6_addr_type calls unicast (net/ipv6/addrconf_core.c), the host's own addresses included."""


def _is_host_name(text: str) -> bool:
    return _HOST_NAME.fullmatch(text) is not None and _HEX.match(text) is None


@lru_cache(maxsize=1 << 17)
def address(field: FieldName, family: Family, text: str, negated: bool = False) -> Condition | None:
    """The condition of one `address[/mask]`; None when it holds for every address."""
    name, slash, mask_text = text.partition("/")
    last = LAST[family]
    mask = mask_number(mask_text, family) if slash else last
    if mask == 0:
        return NEVER if negated else None
    if _is_host_name(name):
        return Unknown(f"the address of host {name[:80]}")
    value = address_number(name, family) & mask
    hosts = last ^ mask
    if hosts & (hosts + 1) == 0:
        return Within(field, Intervals((value, (value | hosts) + 1)), negated)
    return Within(field, Intervals.single(value), negated, mask)


def addresses(side: Side, family: Family, text: str, negated: bool = False) -> Condition | None:
    """The condition of `-s` or `-d`, with the comma lists people write; None when it always holds."""
    field = address_field(side, family)
    if "," not in text:
        return address(field, family, text, negated)
    if negated:
        raise ValueError("! cannot stand before several addresses")
    values, others = NOTHING, []
    for part in text.split(","):
        condition = address(field, family, part)
        if condition is None:
            return None
        if isinstance(condition, Within) and condition.mask is None:
            values |= condition.values
        else:
            others.append(condition)
    whole = Within(field, values)
    return Some((whole, *others)) if others else whole


def _iprange(use: Use) -> Condition:
    sides: dict[str, Side] = {"src-range": "source", "dst-range": "destination"}
    return every(
        Within(
            address_field(sides[option.name], use.family),
            Intervals.of((address_range(option.value, use.family),)),  # one that runs backwards never matches
            option.negated,
        )
        for option in use.options
    )


_KINDS: Final[dict[str, AddressKind]] = {
    "UNSPEC": "unspec", "UNICAST": "unicast", "LOCAL": "local", "BROADCAST": "broadcast", "ANYCAST": "anycast",
    "MULTICAST": "multicast", "BLACKHOLE": "blackhole", "UNREACHABLE": "unreachable", "PROHIBIT": "prohibit",
}  # fmt: skip
_ODD_KINDS = ("THROW", "NAT", "XRESOLVE")


def _addrtype(use: Use) -> Condition:
    into, out = use.get("limit-iface-in"), use.get("limit-iface-out")
    interface: Literal["iif", "oif"] | None = "iif" if into else "oif" if out else None
    conditions: list[Condition] = []
    for option in use.options:
        if not option.values:
            continue
        side: Side = "source" if option.name == "src-type" else "destination"
        names = [name.upper() for name in option.value.split(",")]
        for name in names:
            if name not in _KINDS and name not in _ODD_KINDS:
                raise ValueError(f"address type {shown(name)} is not known")
        kinds = frozenset(_KINDS[name] for name in names if name in _KINDS)
        holds: Condition
        if use.family == 6:
            holds = _address_type6(side, kinds, AddressType(side, kinds & _LOOKED_UP, interface=interface))
        else:
            holds = AddressType(side, kinds, interface=interface)
        if any(name in _ODD_KINDS for name in names):
            holds = Some((holds, use.unknown())) if use.family == 4 else use.unknown()
        conditions.append(_contrary(holds, option))
    return every(conditions) if conditions else use.unknown("no type")


_LOOKED_UP: Final[frozenset[AddressKind]] = frozenset(("local", "anycast", "unreachable"))
_BY_VALUE6: Final[tuple[tuple[AddressKind, Intervals], ...]] = (
    ("multicast", _MULTICAST6), ("unicast", _UNICAST6), ("unspec", _UNSPECIFIED),
)  # fmt: skip


def _address_type6(side: Side, kinds: frozenset[AddressKind], looked_up: AddressType) -> Condition:
    """For IPv6 the kernel demands each kind that the address itself shows, and one of those it looks up.

    match_type6 in net/netfilter/xt_addrtype.c; it refuses rules with the other kinds.
    """
    field = address_field(side, 6)
    conditions: list[Condition] = [Within(field, values) for kind, values in _BY_VALUE6 if kind in kinds]
    if looked_up.kinds:
        conditions.append(looked_up)
    odd = kinds - _LOOKED_UP - {"multicast", "unicast", "unspec"}
    if odd:
        conditions.append(Unknown(f"IPv6 address type {', '.join(sorted(odd))}"))
    return every(conditions)


def _contrary(condition: Condition, option: Option) -> Condition:
    if option.negated and isinstance(condition, AddressType):
        return AddressType(condition.side, condition.kinds, True, condition.interface)
    return Not(condition) if option.negated and not isinstance(condition, Within) else negate(condition, option.negated)


def _rpfilter(use: Use) -> Condition:
    if use.get("accept-local"):
        return use.unknown()
    # --validmark takes the mark into the lookup: routes by mark are not in the evidence, with or without it.
    return ReversePath(loose=use.get("loose") is not None, negated=use.get("invert") is not None)


MATCHES: Final = {
    "iprange": Match(options(one="src-range dst-range"), _iprange),
    "addrtype": Match(options(one="src-type dst-type", flags="limit-iface-in limit-iface-out"), _addrtype),
    "rpfilter": Match(options(flags="loose validmark accept-local invert"), _rpfilter),
}
