"""Targets that rewrite addresses and ports: DNAT, REDIRECT, SNAT, MASQUERADE."""

from __future__ import annotations

from typing import Final

from callgate.firewall.iptables.number import address_range
from callgate.firewall.iptables.option import Side, Target, Use, options
from callgate.firewall.iptables.protocol import PORT, port_number, port_range
from callgate.firewall.iptables.words import number, shown
from callgate.firewall.rule import Action, Family, Opaque, Translate


def destination(text: str, family: Family) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """The addresses and ports of `[address[-address]][:port[-port[/base]]]`; IPv6 with ports stands in brackets."""
    if text.startswith("["):
        addresses_text, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{shown(text)} is not an address in brackets")
        ports_text = rest[1:]
        if rest and not ports_text:
            raise ValueError(f"{shown(text)} has an empty port")
    elif family == 6 and text.count(":") > 1:
        addresses_text, ports_text = text, ""
    else:
        addresses_text, colon, ports_text = text.partition(":")
        if colon and not ports_text:
            raise ValueError(f"{shown(text)} has an empty port")
    addresses = None
    if addresses_text:
        addresses = address_range(addresses_text, family)
        if addresses[0] > addresses[1]:
            raise ValueError(f"{shown(text)} runs backwards")
    return addresses, _ports(ports_text) if ports_text else None


def _ports(text: str) -> tuple[int, int]:
    text, slash, base = text.partition("/")
    if slash:
        number(base, PORT, "port")
    if text[:1].isdigit():
        first, last = port_range(text, "-")
        if first > last:
            raise ValueError(f"port range {shown(text)} runs backwards")
        return first, last
    port = port_number(text)  # a service name may hold a dash
    return port, port


def _to_address(use: Use, option: str, side: Side) -> tuple[Action, ...]:
    given = [each for each in use.options if each.name == option]
    if len(given) != 1:
        return (Opaque(f"-j {use.name} to {len(given)} ranges"),)
    addresses, ports = destination(given[0].value, use.family)
    return (Translate(side, use.family, addresses, ports),)


def _dnat(use: Use) -> tuple[Action, ...]:
    return _to_address(use, "to-destination", "destination")


def _snat(use: Use) -> tuple[Action, ...]:
    return _to_address(use, "to-source", "source")


def _to_itself(use: Use, side: Side) -> tuple[Action, ...]:
    given = use.get("to-ports")
    return (Translate(side, use.family, None, _ports(given.value) if given else None, to_itself=True),)


def _redirect(use: Use) -> tuple[Action, ...]:
    return _to_itself(use, "destination")


def _masquerade(use: Use) -> tuple[Action, ...]:
    return _to_itself(use, "source")


def _always(_use: Use) -> bool:
    return True


_RANDOM: Final = "random random-fully persistent"

TARGETS: Final = {
    "DNAT": Target(options(one="to-destination", flags=_RANDOM), _dnat, _always),
    "SNAT": Target(options(one="to-source", flags=_RANDOM), _snat, _always),
    "REDIRECT": Target(options(one="to-ports|to-port", flags=_RANDOM), _redirect, _always),
    "MASQUERADE": Target(options(one="to-ports|to-port", flags=_RANDOM), _masquerade, _always),
}
