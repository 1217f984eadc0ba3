from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from callgate.baseline.network import PRIVATE_NETWORKS, HostAddress, Trusted
from callgate.baseline.site import DEFAULT_SITE, Site

SiteMistakes = Callable[[str], list[str]]
TRUSTED: TypeAdapter[Trusted] = TypeAdapter(Trusted)
ADDRESS: TypeAdapter[HostAddress] = TypeAdapter(HostAddress)

NO_NETWORK = "a network like 192.168.1.0/24 or fd00:1::/64 is expected"
NO_ADDRESS = "an address like 192.168.1.10 or fd00:1::10 is expected"


@pytest.mark.parametrize(
    "network",
    ["10.0.0.0/8", "192.168.1.0/255.255.255.0", "203.0.113.7", "203.0.113.7/32", "fd00:1::/64", "2001:db8::1", "::1"],
)
def test_a_network_or_a_single_address_is_trusted(network: str) -> None:
    assert TRUSTED.validate_python([network]) == (ip_network(network),)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("nope", f"'nope': {NO_NETWORK}"),
        ("10.0.0.0/33", f"'10.0.0.0/33': {NO_NETWORK}"),
        ("10/8", f"'10/8': {NO_NETWORK}"),
        ("10.0.0", f"'10.0.0': {NO_NETWORK}"),
        ("010.0.0.0/8", f"'010.0.0.0/8': {NO_NETWORK}"),
        ("10.0.0.1-10.0.0.9", f"'10.0.0.1-10.0.0.9': {NO_NETWORK}"),
        ('"fe80::%eth0/64"', f"'fe80::%eth0/64': {NO_NETWORK}"),
        ("1234", f"1234: {NO_NETWORK}"),
        ("~", f"nothing stands here: {NO_NETWORK}"),
        ("[10.0.0.0/8]", NO_NETWORK),
        (
            "192.168.1.5/24",
            "'192.168.1.5/24': the address has host bits set; write 192.168.1.0/24, or 192.168.1.5 alone",
        ),
        ("fd00::1/64", "'fd00::1/64': the address has host bits set; write fd00::/64, or fd00::1 alone"),
        ("0.0.0.0/0", "'0.0.0.0/0': this is every IPv4 address: nobody would be a stranger"),
        ('"::/0"', "'::/0': this is every IPv6 address: nobody would be a stranger"),
        (
            '"::ffff:10.0.0.0/104"',
            "'::ffff:10.0.0.0/104': no packet has such an address; write the IPv4 network, like 192.168.1.0/24",
        ),
    ],
)
def test_what_is_no_network_is_told_with_its_own_line(site_mistakes: SiteMistakes, written: str, told: str) -> None:
    text = f"trusted:\n  - 10.0.0.0/8\n  - {written}\n  - fd00:1::/64\n"
    assert site_mistakes(text) == [f"3: trusted.1: {told}"]


def test_one_wrong_network_does_not_count_as_an_empty_list(site_mistakes: SiteMistakes) -> None:
    assert site_mistakes("trusted: [nope]") == [f"1: trusted.0: 'nope': {NO_NETWORK}"]
    assert site_mistakes("trusted: []") == ["1: trusted: at least one entry is expected"]


@pytest.mark.parametrize(
    "networks",
    [
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["10.0.0.0/8", "128.0.0.0/1", "fd00::/64", "0.0.0.0/1"],
        ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"],
        ["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],  # all but multicast and the reserved rest
        [str(network) for first in range(1, 224) for network in (ip_network(f"{first}.0.0.0/8"),)],
        ["::/1", "8000::/1"],
        ["2000::/3"],
        ["2000::/4", "3000::/4", "10.0.0.0/8"],
    ],
)
def test_networks_that_leave_no_stranger_are_refused_together(networks: list[str]) -> None:
    with pytest.raises(ValidationError, match="nobody would be a stranger"):
        TRUSTED.validate_python(networks)


@pytest.mark.parametrize(
    "networks",
    [
        ["0.0.0.0/1"],
        ["2000::/4"],
        ["0.0.0.0/1", "8000::/1"],
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
        [str(ip_network(f"{first}.0.0.0/8")) for first in range(1, 224) if first != 203],
    ],
)
def test_networks_that_leave_strangers_are_taken(networks: list[str]) -> None:
    assert TRUSTED.validate_python(networks) == tuple(map(ip_network, networks))


@given(st.ip_addresses(v=4).filter(lambda address: address.is_global and not address.is_multicast), st.integers(1, 32))
def test_a_hole_in_the_public_space_leaves_strangers(address: IPv4Address, prefix: int) -> None:
    hole = ip_network((address, prefix), strict=False)
    rest = tuple(ip_network("0.0.0.0/0").address_exclude(hole))  # type: ignore[arg-type]
    assert TRUSTED.validate_python(rest) == rest


@pytest.mark.parametrize("address", ["192.168.1.10", "fd00:1::10", "fe80::1%eth0"])
def test_an_address_is_one(address: str) -> None:
    assert ADDRESS.validate_python(address) == ip_address(address)


@pytest.mark.parametrize(
    "written", ["", "pbx1", "192.168.1.0/24", "1.2.3", "fe80::1%", "fe80::1%e;reboot", "fe80::1%a b"]
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match=NO_ADDRESS):
        ADDRESS.validate_python(written)


@given(st.ip_addresses())
def test_without_a_site_file_private_addresses_alone_are_trusted(address: IPv4Address | IPv6Address) -> None:
    private = any(address in network for network in PRIVATE_NETWORKS)
    assert DEFAULT_SITE.trusts(address) == private
    assert not (private and address.is_global)


@pytest.mark.parametrize("address", ["10.1.2.3", "172.31.0.1", "192.168.255.1", "169.254.3.4", "fd12::1", "fe80::1"])
def test_the_default_site_trusts_private_space(address: str) -> None:
    assert DEFAULT_SITE.trusts(ip_address(address))


@pytest.mark.parametrize(
    "address", ["9.255.255.255", "172.32.0.1", "192.169.0.1", "100.64.0.1", "127.0.0.1", "2001:db8::1"]
)
def test_the_default_site_trusts_nobody_else(address: str) -> None:
    assert not DEFAULT_SITE.trusts(ip_address(address))


def test_a_family_nobody_is_trusted_in_is_all_strangers() -> None:
    site = Site(trusted=(ip_network("192.168.1.0/24"),))
    assert site.trusts(ip_address("192.168.1.255"))
    assert not site.trusts(ip_address("192.168.2.0"))
    assert not site.trusts(ip_address("::ffff:192.168.1.1"))
    assert not site.trusts(ip_address("fd00::1"))
