from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.evidence.interfaces import InterfaceAddress, Route, read_addresses, read_routes

LINK = {"ifindex": 1, "ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]}
WAY = {"dst": "192.168.1.0/24", "dev": "eth0", "protocol": "kernel"}


def routes(*entries: Any, file: str = "ip-route.json") -> tuple[Route, ...]:
    return read_routes(json.dumps(entries), file)


def test_the_addresses_of_a_recorded_host(recorded: Path) -> None:
    found = read_addresses((recorded / "ipt01-given" / "ip-addr.json").read_text())
    assert [(one.interface, str(one.address), str(one.network), one.scope) for one in found] == [
        ("lo", "127.0.0.1", "127.0.0.0/8", "host"),
        ("lo", "::1", "::1/128", "host"),
        ("eth0", "192.168.1.10", "192.168.1.0/24", "global"),
        ("eth0", "fd00:1::10", "fd00:1::/64", "global"),
        ("eth1", "203.0.113.10", "203.0.113.0/24", "global"),
        ("eth1", "2001:db8:66::10", "2001:db8:66::/64", "global"),
    ]


def test_the_routes_of_a_recorded_host(recorded: Path) -> None:
    assert read_routes((recorded / "ipt01-given" / "ip-route.json").read_text(), "ip-route.json") == (
        Route(ip_network("192.168.1.0/24"), ("eth0",), "main"),
        Route(ip_network("203.0.113.0/24"), ("eth1",), "main"),
    )


def test_an_address_that_a_filter_left_out_is_passed_over() -> None:
    link = LINK | {"addr_info": [{}, *LINK["addr_info"]]}  # type: ignore[misc]
    assert read_addresses(json.dumps([link])) == (
        InterfaceAddress("lo", ip_address("127.0.0.1"), ip_network("127.0.0.0/8"), "global"),
    )


def test_default_routes_are_of_the_family_the_kernel_means() -> None:
    """`ip -j route show table all` prints both families; only IPv6 routes have a preference."""
    four = {"dst": "default", "gateway": "192.168.1.1", "dev": "eth0"}
    six = {"dst": "default", "gateway": "fe80::1", "dev": "eth1", "pref": "medium"}
    assert [str(one.destination) for one in routes(four, six)] == ["0.0.0.0/0", "::/0"]
    assert [str(one.destination) for one in routes(six, file="ip6-route.json")] == ["::/0"]


def test_a_route_over_several_ways_has_them_all() -> None:
    entry = {"dst": "default", "nexthops": [{"dev": "eth0", "weight": 1}, {"dev": "eth1", "weight": 1}]}
    assert routes(entry, WAY)[0].interfaces == ("eth0", "eth1")


@pytest.mark.parametrize("kind", ["local", "broadcast", "anycast", "multicast", "unreachable", "blackhole", "throw"])
def test_what_leads_nowhere_is_left_out(kind: str) -> None:
    assert routes({"type": kind, "dst": "127.0.0.0/8", "dev": "lo", "table": "local"}) == ()
    assert routes({"type": "unicast", **WAY})[0].table == "main"


def test_no_routes_at_all() -> None:
    for text in ("", "\n", "[]\n", "[ ]"):
        assert read_routes(text, "ip-route.json") == ()


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"dst": None, "dev": "eth0"},
        {"dst": "pbx1", "dev": "eth0"},
        {"dst": "192.168.1.1/24", "dev": "eth0"},
        {"dst": {"a": 1}, "dev": "eth0"},
        {"dst": "10.0.0.0/99", "dev": "eth0"},
        {"dst": "10.0.0.0/" + "9" * 5000, "dev": "eth0"},
        {"dst": "10.0.0.0/8"},
        {"dst": "10.0.0.0/8", "nhid": 7},
        {"dst": "10.0.0.0/8", "nexthops": []},
        {"dst": "10.0.0.0/8", "nexthops": [{"gateway": "10.0.0.1"}, {"dev": "eth0"}]},
        {"dst": "10.0.0.0/8", "nexthops": None},
        {"dst": "10.0.0.0/8", "nexthops": 5},
        {"dst": "10.0.0.0/8", "nexthops": "dev"},
        {"dst": "10.0.0.0/8", "nexthops": {"dev": "eth0"}},
        {"dst": "10.0.0.0/8", "dev": "eth0", "type": "new-kind"},
        {"dst": "10.0.0.0/8", "dev": "eth0", "type": ["local"]},
    ],
)
def test_a_route_that_is_not_understood_is_an_error(entry: dict[str, Any]) -> None:
    """One that is left out could be the one by which strangers come."""
    with pytest.raises(EvidenceError, match="a route is not understood") as caught:
        routes(WAY, entry)
    assert len(str(caught.value)) < 200


def test_the_routes_of_the_other_family_are_an_error() -> None:
    six = {"dst": "fd00:1::/64", "dev": "eth0", "pref": "medium"}
    with pytest.raises(EvidenceError, match="another family"):
        routes(six)
    with pytest.raises(EvidenceError, match="another family"):
        routes(WAY, file="ip6-route.json")
    with pytest.raises(EvidenceError, match="another family"):
        routes(WAY, six, file="ip6-route.json")


@pytest.mark.parametrize(
    "entry",
    [
        {"ifname": "eth0"},
        {"addr_info": []},
        {"ifname": 5, "addr_info": []},
        {"ifname": "eth0", "addr_info": {}},
        {"ifname": "eth0", "addr_info": [{"local": "10.0.0.1"}]},
        {"ifname": "eth0", "addr_info": [{"prefixlen": 8}]},
        {"ifname": "eth0", "addr_info": [{"local": "10.0.0.1", "prefixlen": 99}]},
        {"ifname": "eth0", "addr_info": [{"local": "10.0.0.1", "prefixlen": "9" * 5000}]},
        {"ifname": "eth0", "addr_info": [{"local": None, "prefixlen": 8}]},
        {"ifname": "eth0", "addr_info": ["10.0.0.1"]},
        {"ifname": "eth0", "addr_info": [None]},
        {"ifname": "eth" * 5000, "addr_info": [None]},
        {"ifname": "eth0", "addr_info": [["local", "prefixlen"]]},
        WAY,
    ],
)
def test_an_interface_that_is_not_understood_is_an_error(entry: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_addresses(json.dumps([LINK, entry]))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "null",
        "[1]",
        "[null]",
        "[[]]",
        "5",
        "1: lo: <LOOPBACK>",
        "[" * 200_000,
        "[" + "9" * 5000 + "]",
        "[{}",
        '"x"',
    ],
)
def test_what_is_no_list_of_objects_is_an_error(text: str) -> None:
    with pytest.raises(EvidenceError):
        read_addresses(text)
    with pytest.raises(EvidenceError):
        read_routes(text, "ip-route.json")


@pytest.mark.parametrize("text", ["", "\n", "[]", '[{"ifname": "lo", "addr_info": []}]'])
def test_a_host_without_any_address_is_an_error(text: str) -> None:
    with pytest.raises(EvidenceError, match="holds no address"):
        read_addresses(text)


_VALUES = st.recursive(
    st.none()
    | st.integers(-1, 200)
    | st.sampled_from(["default", "10.0.0.0/8", "fd00::/8", "eth0", "local", "::1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dst", "dev", "type", "nexthops", "ifname", "addr_info", "local", "prefixlen", "pref"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


@given(st.lists(_VALUES, max_size=3), st.sampled_from(["ip-route.json", "ip6-route.json"]))
def test_any_json_is_read_or_an_error(entries: list[Any], file: str) -> None:
    text = json.dumps(entries)
    for read in (lambda: read_addresses(text), lambda: read_routes(text, file)):
        try:
            found = read()
        except EvidenceError:
            continue
        assert len(found) <= text.count("local") + text.count("dst")


@given(st.lists(st.tuples(st.sampled_from(["lo", "eth0", "br-1"]), st.ip_addresses(), st.integers(0, 32)), min_size=1))
def test_what_ip_prints_is_read_back(given_: list[tuple[str, Any, int]]) -> None:
    links = [
        {"ifname": name, "addr_info": [{"local": str(address), "prefixlen": length, "scope": "link"}]}
        for name, address, length in given_
    ]
    assert read_addresses(json.dumps(links)) == tuple(
        InterfaceAddress(name, address, ip_network(f"{address}/{length}", strict=False), "link")
        for name, address, length in given_
    )
