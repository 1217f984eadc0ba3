"""Targets as people write them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.probe.target import (
    Target,
    addresses_in,
    count_in,
    nobodys,
    parse_target,
    read_targets,
)
from callgate.errors import FileMistakes, UsageMistake

IPV4 = st.ip_addresses(v=4).filter(lambda address: nobodys(address) is None)
IPV6 = st.integers(1, 2**128 - 1).map(IPv6Address).filter(lambda one: nobodys(one) is None and not one.ipv4_mapped)
PORTS = st.integers(1, 65535)


@given(st.one_of(IPV4, IPV6))
def test_an_address_is_read_back(address: IPv4Address | IPv6Address) -> None:
    assert parse_target(str(address)) == Target(str(address), address)


@given(IPV4, PORTS)
def test_a_port_follows_an_ipv4_address(address: IPv4Address, port: int) -> None:
    assert parse_target(f"{address}:{port}") == Target(f"{address}:{port}", address, port)


@given(IPV6, PORTS)
def test_a_port_follows_a_bracketed_ipv6_address(address: IPv6Address, port: int) -> None:
    assert parse_target(f"[{address}]:{port}") == Target(f"[{address}]:{port}", address, port)
    assert parse_target(f"[{address}]").where == address


@given(IPV4, st.integers(16, 32))
def test_an_ipv4_network_holds_its_hosts_alone(address: IPv4Address, prefix: int) -> None:
    network = parse_target(f"{address}/{prefix}").where
    assert isinstance(network, IPv4Network)
    hosts = list(addresses_in(network))
    assert len(hosts) == count_in(network) == len(set(hosts))
    assert all(host in network for host in hosts)
    if prefix < 31:
        assert network.network_address not in hosts
        assert network.broadcast_address not in hosts
        assert len(hosts) == 2 ** (32 - prefix) - 2
    else:
        assert len(hosts) == 2 ** (32 - prefix)


@given(st.integers(112, 128))
def test_every_address_of_an_ipv6_network_is_a_host(prefix: int) -> None:
    network = parse_target(f"2001:db8:66::/{prefix}").where
    assert isinstance(network, IPv6Network)
    assert count_in(network) == 2 ** (128 - prefix)
    assert next(addresses_in(network)) == ip_address("2001:db8:66::")


@given(st.text(max_size=300))
def test_any_text_is_a_target_or_one_clear_line(text: str) -> None:
    try:
        shown = parse_target(text).text
    except UsageMistake as mistake:
        shown = str(mistake)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) < 250


@given(st.lists(st.text(max_size=40), max_size=10))
def test_any_file_is_targets_or_mistakes_with_their_lines(lines: list[str]) -> None:
    wrong: tuple[int, ...] = ()
    try:
        found = len(read_targets(lines, Path("hosts.txt")))
    except FileMistakes as mistakes:
        found, wrong = 0, tuple(one.line for one in mistakes.mistakes)
    assert found + len(wrong) <= len(lines)
    assert all(0 < line <= len(lines) for line in wrong)


@pytest.mark.parametrize(
    ("text", "name", "port"),
    [
        ("pbx.example", "pbx.example", None),
        ("pbx.example:5070", "pbx.example", 5070),
        ("pbx", "pbx", None),
        ("pbx.example.", "pbx.example", None),
        ("b\xfccher.example", "xn--bcher-kva.example", None),
        ("_sip.example", "_sip.example", None),
        ("3cx.example", "3cx.example", None),
    ],
)
def test_a_name_is_kept_to_be_resolved(text: str, name: str, port: int | None) -> None:
    target = parse_target(text)
    assert (target.where, target.port) == (name, port)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("10.0.0.0/15", "too large: a sweep takes an IPv4 network of /16 at most"),
        ("2001:db8::/64", "too large: a sweep takes an IPv6 network of /112 at most"),
        ("0.0.0.0", "the unspecified address is no host"),
        ("::", "the unspecified address is no host"),
        ("0.1.2.3", "0.0.0.0/8 holds no hosts"),
        ("0.0.0.0/24", "0.0.0.0/8 holds no hosts"),
        ("224.0.0.5", "a multicast address"),
        ("239.1.0.0/16", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("ff02::/120", "a multicast address"),
        ("255.255.255.255", "the broadcast address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("::/120", "the unspecified address"),
        ("::ffff:10.0.0.0/120", "write IPv4 networks as IPv4"),
        ("fe80::1", "needs its interface, like fe80::1%eth0"),
        ("fe80::/120", "needs its interface"),
        ("fe80::1%eth0;reboot", "neither an IP address nor a host name"),
        ("192.168.1.300", "neither an IP address nor a host name"),
        ("10.1", "neither an IP address nor a host name"),
        ("010.1.1.1", "neither an IP address nor a host name"),
        ("0x7f000001", "neither an IP address nor a host name"),
        ("2001:db8::1:2:3:4:5:6:7:8", "neither an IP address nor a host name"),
        ("pbx.example:0", "a port lies between 1 and 65535"),
        ("pbx.example:65536", "a port lies between 1 and 65535"),
        ("pbx.example:sip", "a port lies between 1 and 65535"),
        ("pbx.example:\u0665", "a port lies between 1 and 65535"),
        ("[2001:db8::1", "between [ and ]"),
        ("[2001:db8::1]2000", "between [ and ]"),
        ("[192.0.2.1]:2000", "between [ and ]"),
        ("192.0.2.0/24:2000", "ports go to --port"),
        ("192.0.2.0/33", "not a network like"),
        ("-oProxyCommand=x", "neither an IP address nor a host name"),
        ("pbx example", "neither an IP address nor a host name"),
        ("a" * 64 + ".example", "neither an IP address nor a host name"),
        ("sip:pbx@example", "a port lies between 1 and 65535"),
        ("", "an empty text"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(UsageMistake) as caught:
        parse_target(text)
    assert complaint in str(caught.value)


def test_a_target_is_shown_without_what_a_terminal_obeys() -> None:
    with pytest.raises(UsageMistake) as caught:
        parse_target("\x1b[31mpbx")
    assert str(caught.value) == r"\x1b[31mpbx: neither an IP address nor a host name"


def test_the_largest_networks_are_taken() -> None:
    assert count_in(ip_network("10.1.0.0/16")) == 65534
    assert parse_target("10.1.0.0/16").where == ip_network("10.1.0.0/16")
    assert parse_target("2001:db8::/112").where == ip_network("2001:db8::/112")


def test_host_bits_of_a_network_are_passed_over() -> None:
    assert parse_target("192.168.1.10/24").where == ip_network("192.168.1.0/24")


def test_a_mapped_address_is_the_ipv4_one() -> None:
    assert parse_target("::ffff:192.0.2.1").where == ip_address("192.0.2.1")


def test_a_link_local_address_with_its_interface_is_taken() -> None:
    assert parse_target("fe80::1%eth0").where == ip_address("fe80::1%eth0")
    assert parse_target("[fe80::1%eth0]:2000").port == 2000


def test_a_file_has_a_target_a_line_and_comments() -> None:
    text = "# our PBXs\n192.0.2.1\n\n  pbx.example:5060   # the old one\n2001:db8::/120\n"
    found = read_targets(text.splitlines(keepends=True), Path("hosts.txt"))
    assert [target.text for target in found] == ["192.0.2.1", "pbx.example:5060", "2001:db8::/120"]


def test_a_wrong_line_is_told_with_its_number() -> None:
    with pytest.raises(FileMistakes) as caught:
        read_targets(["192.0.2.1", "10.0.0.0/8", "ok.example", "no good"], Path("hosts.txt"))
    assert [(mistake.line, str(mistake).partition(": ")[0]) for mistake in caught.value.mistakes] == [
        (2, "hosts.txt:2"),
        (4, "hosts.txt:4"),
    ]


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(FileMistakes, match=r"hosts\.txt:1: longer than 1024 characters"):
        read_targets(["a" * 2000], Path("hosts.txt"))
