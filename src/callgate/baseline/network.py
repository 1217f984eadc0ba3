"""Networks and addresses as a site file writes them, and what is trusted when no file says."""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from callgate.evidence.interfaces import Network

_NETWORK_WORDS = "a network like 192.168.1.0/24 or fd00:1::/64 is expected"
_ADDRESS_WORDS = "an address like 192.168.1.10 or fd00:1::10 is expected"
_INTERFACE = re.compile(r"[A-Za-z0-9_.:-]{1,15}")
_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 section 2.5.5.2


def _network(value: Any) -> Any:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str) or "%" in value:
        raise ValueError(_NETWORK_WORDS)
    try:
        network = ip_network(value)
    except ValueError:
        try:
            loose = ip_network(value, strict=False)
        except ValueError:
            raise ValueError(_NETWORK_WORDS) from None
        raise ValueError(f"the address has host bits set; write {loose}, or {value.partition('/')[0]} alone") from None
    if network.prefixlen == 0:
        raise ValueError(f"this is every IPv{network.version} address: nobody would be a stranger")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        raise ValueError("no packet has such an address; write the IPv4 network, like 192.168.1.0/24")
    return network


def _address(value: Any) -> Any:
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None or not _INTERFACE.fullmatch(getattr(address, "scope_id", None) or "none"):
        raise ValueError(_ADDRESS_WORDS)
    return address


TrustedNetwork = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(_network),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9A-Fa-f.:]+(/[0-9.]+)?$"}),
]
HostAddress = Annotated[
    IPv4Address | IPv6Address,
    BeforeValidator(_address),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9A-Fa-f.:]+(%[A-Za-z0-9_.:-]+)?$"}),
]

# What a stranger's address can be: IPv4 without 0/8, loopback, multicast and the reserved rest (RFC 6890), less
# the private space a site may well trust whole; IPv6 global unicast (RFC 4291 section 2.4).
_PUBLIC: dict[Literal[4, 6], tuple[Network, ...]] = {
    4: tuple(
        network
        for first, last in (
            ("1.0.0.0", "9.255.255.255"),
            ("11.0.0.0", "100.63.255.255"),
            ("100.128.0.0", "126.255.255.255"),
            ("128.0.0.0", "169.253.255.255"),
            ("169.255.0.0", "172.15.255.255"),
            ("172.32.0.0", "192.167.255.255"),
            ("192.169.0.0", "223.255.255.255"),
        )
        for network in summarize_address_range(IPv4Address(first), IPv4Address(last))
    ),
    6: (IPv6Network("2000::/3"),),
}


def _leaves_strangers(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    for version, public in _PUBLIC.items():
        # A network that several others cover together becomes part of one of them here.
        joined = list(collapse_addresses([one for one in networks if one.version == version]))  # type: ignore[type-var]
        if all(any(part.subnet_of(one) for one in joined) for part in public):  # type: ignore[arg-type]
            raise ValueError(f"the networks cover every public IPv{version} address: nobody would be a stranger")
    return networks


Trusted = Annotated[tuple[TrustedNetwork, ...], Field(min_length=1), AfterValidator(_leaves_strangers)]

PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # RFC 3927, link-local
        "fc00::/7",  # RFC 4193
        "fe80::/10",  # RFC 4291, link-local
    )
)

_USED_BY_MANY = (*PRIVATE_NETWORKS, ip_network("100.64.0.0/10"))  # RFC 6598, shared behind carriers' NAT


def used_by_many(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is of private or shared space: elsewhere another host may have it."""
    return any(address in network for network in _USED_BY_MANY)
