"""Addresses, ports and packets that meet the rules of `iptables_strategies` and `nft_strategies` at their edges.

Rules and packets draw from the same small pools; packets also from the neighbours of what the rules name.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from hypothesis import strategies as st
from tests.differential.kernel_host import ADDRESSES
from tests.differential.probe import Probe

Family = Literal[4, 6]
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

NETWORKS: Final[dict[Family, tuple[Network, ...]]] = {
    4: tuple(
        ip_network(text)
        for text in (
            "203.0.113.0/24", "203.0.113.64/26", "203.0.113.64/32", "203.0.112.0/22", "192.168.50.0/24",
            "192.168.50.96/28", "10.8.0.0/24", "10.0.0.0/8", "198.51.100.0/24", "172.17.0.0/16", "100.64.0.0/10",
            "0.0.0.0/1", "128.0.0.0/2", "127.0.0.0/8", "240.0.0.0/4",
        )
    ),
    6: tuple(
        ip_network(text)
        for text in (
            "2001:db8:5::/48", "2001:db8:5:1::/64", "2001:db8:5:1::42/128", "2001:db8:100::/64", "2001:db8::/32",
            "fd00:50::/64", "fd00:50::60/124", "fd00:8::/64", "fd00::/8", "2000::/3", "fe80::/10", "::/1",
        )
    ),
}  # fmt: skip

PORTS: Final = (2000, 2443, 5060, 5061, 22, 1024)
PORT_RANGES: Final = ((2000, 2443), (5060, 5061), (1024, 65535), (0, 1023), (2001, 5059))
REDIRECTED: Final = ((12000, 2000), (12443, 2443), (15060, 5060), (2000, 5060), (5060, 15061))
"""Original and translated port of NAT rules."""

CONTAINERS: Final[dict[Family, str]] = {4: "172.17.0.2", 6: "fd00:17::2"}
BEHIND: Final[dict[Family, str]] = {4: "192.168.50.20", 6: "fd00:50::20"}
"""Another host of eth1's network."""
OWN: Final[dict[Family, tuple[str, ...]]] = {
    4: tuple(str(own.ip) for all_own in ADDRESSES.values() for own in all_own if own.version == 4),
    6: tuple(str(own.ip) for all_own in ADDRESSES.values() for own in all_own if own.version == 6),
}

_LAST: Final[dict[Family, int]] = {4: 2**32 - 1, 6: 2**128 - 1}
_STRANGE: Final[dict[Family, tuple[str, ...]]] = {  # dropped by routing, or thought to be
    4: (
        "127.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "0.1.2.3",
        "240.0.0.1",
        "198.51.100.10",
        "198.51.100.255",
    ),
    6: ("::1", "::", "ff02::1", "::ffff:203.0.113.5", "2001:db8:100::10", "fe80::5", "64:ff9b::1"),
}
_FLAGS: Final = ("ACK", "SYN,ACK", "FIN", "FIN,ACK", "RST", "NONE", "FIN,PSH,URG", "SYN,FIN", "SYN,RST", "RST,ACK",
                 "PSH,ACK", "SYN,ECE,CWR")  # fmt: skip


def _address(family: Family, number: int) -> Address:
    return IPv4Address(number) if family == 4 else IPv6Address(number)


def networks(family: Family) -> st.SearchStrategy[Network]:
    return st.sampled_from(NETWORKS[family])


@st.composite
def address_ranges(draw: st.DrawFn, family: Family) -> tuple[Address, Address]:
    """First and last address; the edges lie a few addresses off the networks' own."""
    network = draw(networks(family))
    first, last = int(network.network_address), int(network.broadcast_address)
    low = min(max(first + draw(st.integers(-2, 4)), 0), _LAST[family])
    high = min(max(last + draw(st.integers(-3, 2)), low), _LAST[family])
    return _address(family, low), _address(family, high)


def ports() -> st.SearchStrategy[int]:
    return st.sampled_from(PORTS)


def port_ranges() -> st.SearchStrategy[tuple[int, int]]:
    return st.sampled_from(PORT_RANGES)


def _edges(family: Family) -> tuple[str, ...]:
    edges: dict[int, None] = {}
    for network in NETWORKS[family]:
        first, last = int(network.network_address), int(network.broadcast_address)
        for number in (first - 1, first, first + 1, (first + last) // 2, last, last + 1):
            if 0 <= number <= _LAST[family]:
                edges[number] = None
    return tuple(str(_address(family, number)) for number in edges)


_SOURCES: Final[dict[Family, tuple[str, ...]]] = {4: _edges(4), 6: _edges(6)}

_packet_ports: Final = st.one_of(
    ports(),
    st.sampled_from(
        sorted(
            {port + off for port in PORTS for off in (-1, 1)}
            | {end for ends in PORT_RANGES for end in ends}
            | {port for pair in REDIRECTED for port in pair}
        )
    ),
)
_source_ports: Final = st.one_of(
    st.integers(1024, 65535), st.integers(1024, 65535), st.integers(1024, 65535), _packet_ports
)


@st.composite
def probes(draw: st.DrawFn) -> Probe:
    """One packet: mostly a SYN or a datagram from outside to the interface's own address."""
    family: Family = draw(st.sampled_from((4, 4, 6)))
    interface = draw(st.sampled_from(("eth0", "eth0", "eth0", "eth1", "tun0", "lo", "docker0")))
    protocol: Literal["tcp", "udp"] = draw(st.sampled_from(("tcp", "tcp", "udp")))
    if interface == "lo":
        source = draw(st.sampled_from((*OWN[family], "127.0.0.1" if family == 4 else "::1")))
        destination = source
    else:
        oddity = draw(st.integers(0, 15))
        source = draw(st.sampled_from(_STRANGE[family] if oddity == 1 else _SOURCES[family]))
        if interface == "docker0" and oddity:
            source = CONTAINERS[family]
        own = next(str(own.ip) for own in ADDRESSES[interface] if own.version == family)
        destination = own
        if oddity in (2, 3):
            destination = draw(st.sampled_from(OWN[family]))
        elif oddity == 4:
            destination = draw(st.sampled_from((CONTAINERS[family], CONTAINERS[family], BEHIND[family])))
        elif oddity == 5 and family == 4 and protocol == "udp":
            destination = draw(st.sampled_from(("198.51.100.255", "255.255.255.255", "224.0.0.1", "127.0.0.1")))
    flags = "SYN"
    if protocol == "tcp" and draw(st.integers(0, 9)) == 9:
        flags = draw(st.sampled_from(_FLAGS))
    return Probe(
        interface,
        ip_address(source),
        ip_address(destination),
        protocol,
        draw(_source_ports),
        draw(_packet_ports),
        flags,
        draw(st.sampled_from((64, 64, 64, 64, 64, 64, 64, 63, 255, 2))),
    )


def batches(size: int) -> st.SearchStrategy[list[Probe]]:
    """Up to `size` packets of which no two can be one flow for the kernel, before or after NAT of destinations."""
    return st.lists(probes(), min_size=min(size, 40), max_size=size).map(_apart)


def _apart(drawn: list[Probe]) -> list[Probe]:
    flows = {(probe.source, probe.source_port, probe.protocol): probe for probe in drawn}
    return list(flows.values())
