"""The entries of ipsets: what one `add` line puts into a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from callgate.firewall.iptables.number import BITS, LAST, exact_address
from callgate.firewall.iptables.protocol import PORT, icmp_type, port_number, protocol_number
from callgate.firewall.iptables.words import WORD32, looks_like_number, number, shown
from callgate.firewall.rule import Family

_RANGED: Final = frozenset((6, 17, 132, 136))
"""The transports whose ports ipset looks at (net/netfilter/ipset/ip_set_getport.c): TCP, UDP, SCTP, UDP-Lite."""


class Ports(NamedTuple):
    """The `proto:port` part of an entry. `icmp` types and codes stand in `first` and `last` as (type, code)."""

    protocol: int
    first: int
    last: int

    @property
    def has_ports(self) -> bool:
        """Whether first and last are ports."""
        return self.protocol in _RANGED

    @property
    def is_icmp(self) -> bool:
        """Whether first is an ICMP type and last a code."""
        return self.protocol in (1, 58)


class Port(NamedTuple):
    """The ports of a bitmap:port entry."""

    first: int
    last: int


class Addresses(NamedTuple):
    """The closed range of addresses of one part."""

    first: int
    last: int


Part = Addresses | Ports | Port | int | str
"""Addresses, ports, a mark, or the name of an interface, a hardware address or a set."""


class Member(NamedTuple):
    """One element: its parts, the prefix lengths that rank it, and what its options say."""

    parts: tuple[Part, ...]
    lengths: tuple[int, ...] = ()
    nomatch: bool = False
    wildcard: bool = False
    expires: bool = False


class EntryOptions(NamedTuple):
    """What stands behind the element."""

    nomatch: bool = False
    wildcard: bool = False
    expires: bool = False
    strange: str | None = None
    """An option that is not known."""


_WITH_WORD: Final = frozenset(("packets", "bytes", "comment", "skbmark", "skbprio", "skbqueue", "before", "after"))


def entry_options(words: Sequence[str]) -> EntryOptions:
    """Read `timeout N`, `nomatch` and the like."""
    nomatch = wildcard = expires = False
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "nomatch":
            nomatch = True
        elif word == "wildcard":
            wildcard = True
        elif word == "timeout" or word in _WITH_WORD:
            if at >= len(words):
                raise ValueError(f"{word} without a value")
            if word == "timeout":
                expires = number(words[at], WORD32, "timeout") != 0
            at += 1
        elif word not in ("-exist", "--exist", "-!"):
            return EntryOptions(nomatch, wildcard, expires, word)
    return EntryOptions(nomatch, wildcard, expires)


def address_blocks(text: str, family: Family, length: int | None = None) -> list[tuple[Addresses, int]]:
    """The blocks of `a`, `a/length` or `a-b`, each with its prefix length; `length`: what `a` alone stands for."""
    bits = BITS[family]
    name, slash, length_text = text.partition("/")
    if "-" in name and not slash:
        first, last = sorted(exact_address(end, family) for end in name.split("-", 1))
        return _blocks(first, last, bits)
    length = min(bits if length is None else length, number(length_text, bits, "prefix length") if slash else bits)
    hosts = LAST[family] >> length
    first = exact_address(name, family) & ~hosts
    return [(Addresses(first, first | hosts), length)]


def _blocks(first: int, last: int, bits: int) -> list[tuple[Addresses, int]]:
    blocks = []
    while first <= last:
        size = min(first & -first or 1 << bits, 1 << (last - first + 1).bit_length() - 1)
        blocks.append((Addresses(first, first + size - 1), bits - size.bit_length() + 1))
        first += size
    return blocks


def ports(text: str) -> Ports:
    """`port`, `proto:port`, `proto:a-b`, `icmp:type/code`; without a protocol, TCP."""
    name, colon, rest = text.partition(":")
    protocol, rest = (protocol_number(name), rest) if colon else (6, text)
    if protocol == 0:
        raise ValueError(f"{shown(text)} names no protocol")
    if protocol in (1, 58):
        kind, code = icmp_type(rest, 4 if protocol == 1 else 6)
        return Ports(protocol, kind, code or 0)
    if protocol not in _RANGED:
        return Ports(protocol, 0, 0)  # the kernel compares nothing but the protocol
    return Ports(protocol, *_port_range(rest))


def _port_range(text: str) -> tuple[int, int]:
    if not looks_like_number(text):
        port = port_number(text.strip("[]"))
        return port, port
    first_text, dash, last_text = text.partition("-")
    first = number(first_text, PORT, "port")
    last = number(last_text, PORT, "port") if dash else first
    return min(first, last), max(first, last)


def members(
    text: str, dimensions: Sequence[str], family: Family, options: EntryOptions, length: int | None
) -> list[Member]:
    """The elements that one entry makes; a range of addresses may make several.

    `length` is the set's netmask, which widens plain addresses.
    """
    texts = text.split(",")
    if len(texts) != len(dimensions) and not (dimensions[-1] == "mac" and len(texts) < len(dimensions)):
        raise ValueError(f"{shown(text)} is not {','.join(dimensions)}")
    rows: list[tuple[tuple[Part, ...], tuple[int, ...]]] = [((), ())]
    for at, (kind, part_text) in enumerate(zip(dimensions, texts, strict=False)):
        if kind in ("ip", "net"):
            blocks = address_blocks(part_text, family, length if kind == "ip" and at == 0 else None)
            ranked = kind == "net"
            rows = [
                ((*parts, block), (*lengths, prefix) if ranked else lengths)
                for parts, lengths in rows
                for block, prefix in blocks
            ]
            if len(rows) > 65536:
                raise ValueError(f"{shown(text)} makes too many elements")
        else:
            part = _other_part(kind, part_text, len(dimensions))
            rows = [((*parts, part), lengths) for parts, lengths in rows]
    return [Member(parts, lengths, options.nomatch, options.wildcard, options.expires) for parts, lengths in rows]


def _other_part(kind: str, text: str, dimensions: int) -> Part:
    if kind == "port":
        return Port(*_port_range(text)) if dimensions == 1 else ports(text)
    if kind == "mark":
        return number(text, WORD32, "mark")
    if not text:
        raise ValueError(f"an empty {kind}")
    return text
