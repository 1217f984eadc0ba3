"""Networks and addresses as a site file writes them, and what is trusted when no file says."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from callgate.evidence.interfaces import Network


def _network(value: Any) -> Any:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        raise ValueError("a network like 192.168.1.0/24 or fd00:1::/64 is expected")
    try:
        return ip_network(value)
    except ValueError:
        try:
            loose = ip_network(value, strict=False)
        except ValueError:
            raise ValueError("a network like 192.168.1.0/24 or fd00:1::/64 is expected") from None
        raise ValueError(f"the address has host bits set; write {loose}") from None


def _address(value: Any) -> Any:
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    try:
        return ip_address(value) if isinstance(value, str) else ip_address("")
    except ValueError:
        raise ValueError("an address like 192.168.1.10 or fd00:1::10 is expected") from None


_TEXT_SCHEMA = WithJsonSchema({"type": "string"})
TrustedNetwork = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network), _TEXT_SCHEMA]
HostAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(_address), _TEXT_SCHEMA]


def _leaves_strangers(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    for version, everything in ((4, "IPv4"), (6, "IPv6")):
        same = [network for network in networks if network.version == version]
        if any(network.prefixlen == 0 for network in collapse_addresses(same)):  # type: ignore[type-var]
            raise ValueError(f"the networks cover every {everything} address: nobody would be a stranger")
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
