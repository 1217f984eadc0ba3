"""What a user asks to have probed: names, addresses, networks; read, and turned into addresses. Opens no socket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path
from typing import Final

from callgate.errors import FileMistakes, Mistake, UsageMistake

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SHORTEST_PREFIX: Final = {4: 16, 6: 112}
"""Prefix length of the largest network that is swept: 65,536 addresses in either family."""
MAXIMUM_LINE: Final = 1024
MAXIMUM_TARGETS: Final = 100_000
MAXIMUM_SHOWN: Final = 80

_PORT: Final = re.compile(r"[0-9]{1,5}")
_NAME: Final = re.compile(r"(?=.{1,253}\.?$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_-]{1,63}\.?")
_ZONE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """One target as written."""

    text: str
    """In printable ASCII."""
    where: Address | Network | str
    """A string is a host name, in ASCII, still to be resolved."""
    port: int | None = None
    """The one port asked for, where the text names one."""


def parse_target(text: str) -> Target:
    """Read `name`, `name:port`, an address, `IPv4:port`, `[IPv6]:port`, or a network in CIDR form.

    Raises UsageMistake, in one line, when it is something else, is larger than a sweep may be, or is an address that
    is nobody's: unspecified, multicast or broadcast.
    """
    shown = ascii(text)[1:-1][:MAXIMUM_SHOWN]
    if not text or text != text.strip():
        raise UsageMistake(f"{shown or 'an empty text'}: no target; a name, an address or a network is expected")
    if "/" in text:
        return Target(shown, _network(text, shown))
    host, port = _split_port(text, shown)
    address = _address(host)
    if address is not None:
        if complaint := nobodys(address):
            raise UsageMistake(f"{shown}: {complaint}")
        return Target(shown, address, port)
    if ":" in host or "%" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        # inet_aton(3) would take 10.1 or 0x7f000001 for an address nobody meant.
        raise UsageMistake(f"{shown}: neither an IP address nor a host name")
    return Target(shown, _host_name(host, shown), port)


def read_targets(lines: Iterable[str], path: Path) -> list[Target]:
    """Read one target a line; `#` begins a comment. Raises FileMistakes with every line that is wrong."""
    targets: list[Target] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines, 1):
        if len(line) > MAXIMUM_LINE:
            raise FileMistakes([*mistakes, Mistake(path, number, f"longer than {MAXIMUM_LINE} characters")])
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if len(targets) == MAXIMUM_TARGETS:
            raise FileMistakes([*mistakes, Mistake(path, number, f"more than {MAXIMUM_TARGETS:,} targets")])
        try:
            targets.append(parse_target(text))
        except UsageMistake as mistake:
            mistakes.append(Mistake(path, number, str(mistake)))
            if len(mistakes) == 20:
                break
    if mistakes:
        raise FileMistakes(mistakes)
    return targets


def addresses_in(network: Network) -> Iterator[Address]:
    """The addresses of a network to be asked: of IPv4 without its network and broadcast address (RFC 3021)."""
    return iter(network.hosts()) if network.version == 4 else iter(network)


def count_in(network: Network) -> int:
    """How many `addresses_in` gives."""
    left_out = 2 if network.version == 4 and network.prefixlen < 31 else 0
    return network.num_addresses - left_out


def nobodys(address: Address) -> str | None:
    """Why no host can be meant by an address; None if one can."""
    if address.is_unspecified:
        return "the unspecified address is no host"
    if address.is_multicast:
        return "a multicast address: probes ask hosts one by one"
    if isinstance(address, IPv4Address):
        if address in IPv4Network("0.0.0.0/8"):
            return "0.0.0.0/8 holds no hosts (RFC 1122, section 3.2.1.3)"
        if int(address) == 0xFFFFFFFF:
            return "the broadcast address: probes ask hosts one by one"
        return None
    if address.is_link_local and not address.scope_id:
        return f"a link-local address needs its interface, like {address}%eth0"
    return None


def _split_port(text: str, shown: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise UsageMistake(f"{shown}: an IPv6 address is expected between [ and ], then perhaps :PORT")
        return host, _port(rest[1:], shown) if rest else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, _port(port, shown)
    return text, None


def _port(text: str, shown: str) -> int:
    if not (text.isascii() and _PORT.fullmatch(text) and 0 < int(text) < 65536):
        raise UsageMistake(f"{shown}: a port lies between 1 and 65535")
    return int(text)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None and not _ZONE.fullmatch(address.scope_id):
            return None
        # A socket would send IPv4 packets to it: one and the same target (RFC 4291, section 2.5.5.2).
        return address.ipv4_mapped or address
    return address


def _network(text: str, shown: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        hint = "; ports go to --port" if re.search(r"/[0-9]+:", text) else ""
        raise UsageMistake(f"{shown}: not a network like 192.0.2.0/24 or 2001:db8::/120{hint}") from None
    shortest = SHORTEST_PREFIX[network.version]
    if network.prefixlen < shortest:
        raise UsageMistake(f"{shown}: too large: a sweep takes an IPv{network.version} network of /{shortest} at most")
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        raise UsageMistake(f"{shown}: write IPv4 networks as IPv4")
    # No network of this size is partly multicast, or partly of 0.0.0.0/8.
    first = next(addresses_in(network))
    last = network.network_address + (network.num_addresses - 1)
    for address in (first, last) if network.prefixlen >= 31 or network.version == 6 else (first,):
        if complaint := nobodys(address):
            raise UsageMistake(f"{shown}: {complaint}")
    return network


def _host_name(host: str, shown: str) -> str:
    name = host
    if not host.isascii():
        try:
            name = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise UsageMistake(f"{shown}: not a host name") from None
    if not _NAME.fullmatch(name):
        raise UsageMistake(f"{shown}: neither an IP address nor a host name")
    return name.rstrip(".")
