"""Numeric addresses and masks, as iptables and ipset read them."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

from callgate.firewall.iptables.words import number, shown
from callgate.firewall.rule import Family

LAST: Final = {4: 0xFFFFFFFF, 6: (1 << 128) - 1}
"""The last address of each family."""
BITS: Final = {4: 32, 6: 128}
"""The length of an address in each family."""


def exact_address(text: str, family: Family) -> int:
    """A numeric address in its usual form."""
    try:
        return int.from_bytes(inet_pton(AF_INET if family == 4 else AF_INET6, text), "big")
    except OSError:
        raise ValueError(f"{shown(text)} is not an IPv{family} address") from None


def address_number(text: str, family: Family) -> int:
    """A numeric address; IPv4 also as iptables pads it (`10.1` is 10.1.0.0) and with octal and hexadecimal parts."""
    try:
        return int.from_bytes(inet_pton(AF_INET if family == 4 else AF_INET6, text), "big")
    except OSError:
        pass
    parts = text.split(".")
    if family == 6 or len(parts) > 4:
        raise ValueError(f"{shown(text)} is not an IPv{family} address")
    value = 0
    for part in parts:
        value = value << 8 | number(part, 255, "part of an address")
    return value << 8 * (4 - len(parts))


def mask_number(text: str, family: Family) -> int:
    """A mask given as prefix length or as an address."""
    if text.isdigit():
        bits = BITS[family]
        return LAST[family] ^ ((1 << (bits - number(text, bits, "prefix length"))) - 1)
    return address_number(text, family)


def address_range(text: str, family: Family) -> tuple[int, int]:
    """`first-last` or one address; may run backwards."""
    first, dash, last = text.partition("-")
    low = address_number(first, family)
    return low, address_number(last, family) if dash else low
