"""Reads `ip -j addr` and `ip -j route`: which addresses and routes each interface has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Any

from callgate.errors import EvidenceError
from callgate.evidence.listener import Address

Network = IPv4Network | IPv6Network


_NOT_UNICAST = ("local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw")


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of one interface, with the network it lies in and the kernel's scope word."""

    interface: str
    address: Address
    network: Network
    scope: str


@dataclass(frozen=True, slots=True)
class Route:
    """One unicast route: what lies where. `destination` 0.0.0.0/0 or ::/0 is a default route."""

    destination: Network
    interfaces: tuple[str, ...]
    table: str


def read_addresses(text: str, file: str = "ip-addr.json") -> tuple[InterfaceAddress, ...]:
    """Read every address. Raises EvidenceError when the text is not what `ip -j addr` prints."""
    found = []
    for link in _list_of_objects(text, file):
        name = link.get("ifname")
        if not isinstance(name, str) or not isinstance(link.get("addr_info"), list):
            raise EvidenceError(file, "an interface without name or addresses: not the output of `ip -j addr`")
        for entry in link["addr_info"]:
            # iproute2 prints an empty object for an address that `-4` or a filter left out.
            if entry == {}:
                continue
            try:
                interface = ip_interface(f"{entry['local']}/{entry['prefixlen']}")
                scope = str(entry.get("scope", "global"))
            except (KeyError, TypeError, ValueError):
                raise EvidenceError(file, f"an address of {name[:40]} is not understood") from None
            found.append(InterfaceAddress(name, interface.ip, interface.network, scope))
    if not found:
        raise EvidenceError(file, "holds no address: a host has at least one")
    return tuple(found)


def read_routes(text: str, file: str) -> tuple[Route, ...]:
    """Read the unicast routes. `ip-route.json` may hold those of both families, `ip6-route.json` IPv6 only.

    Raises EvidenceError when the text is not what `ip -j route` prints for the family.
    """
    found = []
    families = set()
    for entry in _list_of_objects(text, file):
        destination = entry.get("dst")
        hops = entry.get("nexthops", [entry])
        try:
            if destination == "default":
                # The kernel prints a router preference for IPv6 alone.
                destination = "::/0" if "ip6" in file or "pref" in entry else "0.0.0.0/0"
            network = ip_network(str(destination))
            families.add(network.version)
            if entry.get("type", "unicast") in _NOT_UNICAST:
                continue
            interfaces = tuple(str(hop["dev"]) for hop in hops)
            if not interfaces or entry.get("type", "unicast") != "unicast":
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise EvidenceError(file, f"a route is not understood: {str(entry)[:80]}") from None
        found.append(Route(network, interfaces, str(entry.get("table", "main"))))
    if families and (families != {6} if "ip6" in file else 4 not in families):
        raise EvidenceError(file, "holds the routes of another family")
    return tuple(found)


def _list_of_objects(text: str, file: str) -> list[dict[str, Any]]:
    # `ip -j` prints nothing, or an empty list, where there is nothing to show.
    if not text.strip():
        return []
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise EvidenceError(file, "is not JSON") from None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise EvidenceError(file, "is not a list of objects")
    return data
