"""ipset dumps: the reader of `ipset save`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

from callgate.errors import EvidenceError
from callgate.firewall.iptables.ipset_entry import Addresses, Member, entry_options, members, ports
from callgate.firewall.iptables.ipset_membership import Direction, IpSet, Range, may_have_changed
from callgate.firewall.iptables.number import BITS, LAST, exact_address
from callgate.firewall.iptables.words import WORD32, number, shown, split_words
from callgate.firewall.rule import Family

__all__ = ["Direction", "IpSet", "may_have_changed", "read_ipset"]

_MOST_LINES: Final = 4_000_000
_LONGEST_LINE: Final = 65536
_OLD_NAMES: Final = {
    "iphash": "hash:ip", "nethash": "hash:net", "ipporthash": "hash:ip,port", "ipportiphash": "hash:ip,port,ip",
    "ipportnethash": "hash:ip,port,net", "ipmap": "bitmap:ip", "macipmap": "bitmap:ip,mac", "portmap": "bitmap:port",
    "setlist": "list:set",
}  # fmt: skip
_TYPES: Final = frozenset((
    "hash:ip", "hash:net", "hash:ip,port", "hash:net,port", "hash:ip,port,ip", "hash:ip,port,net", "hash:net,net",
    "hash:net,port,net", "hash:net,iface", "hash:ip,mark", "hash:mac", "hash:ip,mac", "bitmap:ip", "bitmap:ip,mac",
    "bitmap:port", "list:set",
))  # fmt: skip
_WITHOUT_FAMILY: Final = frozenset(("hash:mac", "bitmap:port", "list:set"))
_FAMILIES: Final[dict[str, Family]] = {"inet": 4, "ipv4": 4, "-4": 4, "inet6": 6, "ipv6": 6, "-6": 6}
_CREATE_WORDS: Final = frozenset((
    "hashsize", "maxelem", "timeout", "range", "size", "bucketsize", "initval", "probes", "resize", "gc", "from", "to",
))  # fmt: skip
_CREATE_FLAGS: Final = frozenset(("counters", "comment", "skbinfo", "forceadd", "nomatch"))
_ADDRESS_AND_PORT: Final = frozenset(("hash:ip,port", "hash:net,port"))
_NO_COMPLAINT: Final = ("-exist", "--exist", "-!")
_cached_ports = lru_cache(maxsize=1 << 17)(ports)


def read_ipset(text: str, file: str) -> Mapping[str, IpSet]:
    """Read `ipset save`: the sets by name.

    Raises EvidenceError with the line that is malformed, names a set not created before, or creates one twice.
    """
    if "\0" in text:
        raise EvidenceError(file, "holds a NUL byte", text.count("\n", 0, text.index("\0")) + 1)
    sets: dict[str, IpSet] = {}
    at = 0
    try:
        for line in text.split("\n"):
            at += 1
            if len(line) > _LONGEST_LINE or at > _MOST_LINES:
                raise ValueError("the line is too long" if at <= _MOST_LINES else "too many lines")
            words = split_words(line)
            if words and not words[0].startswith("#"):
                _read_line(words, sets)
    except ValueError as error:
        raise EvidenceError(file, f"{error}: {shown(line)}", at) from None
    return sets


def _read_line(words: Sequence[str], sets: dict[str, IpSet]) -> None:
    verb = words[0]
    if verb == "add" and len(words) >= 3:
        found = sets.get(words[1])
        if found is None:
            raise ValueError("an entry of a set that is not created")
        _add(found, words)
        return
    words = [word for word in words if word not in _NO_COMPLAINT]
    verb = words[0] if words else ""
    if verb in ("create", "-N", "--create") and len(words) >= 3:
        made = _create(words[1], words[2], words[3:])
        if made.name in sets:
            raise ValueError("a set is created twice")
        made.others = sets
        sets[made.name] = made
    elif verb in ("-A", "--add", "add") and len(words) >= 3:
        _read_line(["add", *words[1:]], sets)
    else:
        raise ValueError("not a line of an ipset dump")


def _create(name: str, kind: str, words: Sequence[str]) -> IpSet:
    kind = _OLD_NAMES.get(kind, kind)
    made = IpSet(name, kind, None if kind in _WITHOUT_FAMILY else 4)
    if kind not in _TYPES:
        made.doubt = f"type {kind[:40]} is not known"
        return made
    at = 0
    masks: list[tuple[str, str]] = []
    while at < len(words):
        word = words[at]
        at += 1
        if word in _CREATE_FLAGS:
            continue
        if word not in _CREATE_WORDS and word not in ("family", "netmask", "bitmask", "markmask"):
            made.doubt = f"option {word[:40]} is not known"
            return made
        if at >= len(words):
            raise ValueError(f"{word} without a value")
        if word == "family":
            if words[at] not in _FAMILIES:
                raise ValueError(f"family {shown(words[at])} is not known")
            if made.family is not None:
                made.family = _FAMILIES[words[at]]
        elif word.endswith("mask"):
            masks.append((word, words[at]))
        at += 1
    for option, value in masks:
        _mask(made, option, value)
    return made


def _mask(made: IpSet, option: str, value: str) -> None:
    family = made.family or 4
    if option == "markmask":
        made.mask = number(value, WORD32, "mark mask")
    elif option == "netmask" and made.kind in ("hash:ip", "bitmap:ip", "hash:ip,port"):
        made.length = number(value, BITS[family], "netmask")
    elif option == "bitmask" and made.kind == "hash:ip":
        made.mask = exact_address(value, family)
    else:
        made.doubt = f"{option} {value[:40]}"


def _add(ip_set: IpSet, words: Sequence[str]) -> None:
    """Take the words of an `add` line.

    The big sets are mostly of addresses, or of addresses and ports, with no option but a timeout: these go fast.
    """
    if ip_set.doubt is not None:
        return
    expires = False
    simple = len(words) == 3
    if not simple and len(words) == 5 and words[3] == "timeout":
        expires, simple = number(words[4], WORD32, "timeout") != 0, True
    if simple and ip_set.length is None:
        if ip_set.of_addresses:
            span = _quick_range(words[2], ip_set.family or 4)
            if span is not None:
                (ip_set.expiring if expires else ip_set.plain).append(span)
                return
        elif ip_set.kind in _ADDRESS_AND_PORT:
            host, _, port_text = words[2].partition(",")
            span = _quick_range(host, ip_set.family or 4)
            if span is not None and "," not in port_text:
                length = BITS[ip_set.family or 4] - (span[1] - span[0]).bit_length()
                ranks = (length,) if ip_set.kind == "hash:net,port" else ()
                ip_set.members.append(Member((Addresses(*span), _cached_ports(port_text)), ranks, expires=expires))
                return
    options = entry_options(words[3:])
    if options.strange is not None:
        ip_set.doubt = f"an entry has option {options.strange[:40]}"
    else:
        ip_set.members += members(words[2], ip_set.dimensions, ip_set.family or 4, options, ip_set.length)


def _quick_range(text: str, family: Family) -> Range | None:
    """The range of a numeric `address` or `address/length`; None when it is written otherwise."""
    name, slash, length_text = text.partition("/")
    try:
        value = int.from_bytes(inet_pton(AF_INET if family == 4 else AF_INET6, name), "big")
    except OSError:
        return None
    if not slash:
        return value, value
    hosts = LAST[family] >> number(length_text, BITS[family], "prefix length")
    value &= ~hosts
    return value, value | hosts
