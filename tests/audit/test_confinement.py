"""Which bindings keep strangers away by themselves, and which only look as if they did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callgate.audit.target import Target

Host = Callable[..., Target]


def confined(target: Target) -> list[bool]:
    return [target.confined(one) for one in target.evidence.listeners if one.port == 2000]


def socket(local: str) -> dict[str, bytes]:
    return {"ss.txt": f"tcp LISTEN 0 5 {local}:2000 0.0.0.0:*\n".encode()}


@pytest.mark.parametrize("local", ["127.0.0.1", "127.0.0.5", "[::1]", "0.0.0.0%lo", "*%lo"])
def test_loopback_confines(host: Host, local: str) -> None:
    assert confined(host(socket(local))) == [True]


@pytest.mark.parametrize("local", ["0.0.0.0", "*", "[::]", "192.168.1.10", "[fd00:1::10]", "[::ffff:192.168.1.10]"])
def test_address_confines_nothing(host: Host, local: str) -> None:
    assert confined(host(socket(local))) == [False]


def test_device_that_leads_to_trusted_networks_only_confines(host: Host) -> None:
    assert confined(host(socket("0.0.0.0%eth0"))) == [True]
    assert confined(host(socket("0.0.0.0%eth1"))) == [False]


@pytest.mark.parametrize(
    "route", [b'{"dst": "default", "dev": "eth0"}', b'{"dst": "198.51.100.0/24", "nexthops": [{"dev": "eth0"}]}']
)
def test_device_with_a_way_to_strangers_does_not_confine(host: Host, route: bytes) -> None:
    routes = b'[{"dst": "192.168.1.0/24", "dev": "eth0"}, ' + route + b"]\n"
    assert confined(host({**socket("0.0.0.0%eth0"), "ip-route.json": routes})) == [False]


def test_device_the_site_names_confines(host: Host) -> None:
    assert confined(host(socket("0.0.0.0%eth1"), voice_interfaces=["eth1"])) == [True]


def test_device_nothing_is_known_of_does_not_confine(host: Host) -> None:
    assert confined(host(socket("0.0.0.0%eth9"))) == [False]


def test_loopback_does_not_confine_where_strangers_can_be_translated_to_it(host: Host) -> None:
    routed = b"net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\nnet.ipv4.conf.eth1.route_localnet = 1\n"
    nat = b"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j DNAT --to 127.0.0.1:2000\nCOMMIT\n"
    both = {**socket("127.0.0.1"), "sysctl.txt": routed, "iptables-save.txt": nat}
    assert confined(host(both)) == [False]
    assert confined(host({**socket("127.0.0.1"), "sysctl.txt": routed})) == [True]
    assert confined(host({**socket("127.0.0.1"), "iptables-save.txt": nat})) == [True]


def test_loopback_strangers_can_be_translated_to_is_beyond_this_host(host: Host) -> None:
    routed = b"net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\nnet.ipv4.conf.all.route_localnet = 1\n"
    nat = b"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j DNAT --to 127.0.0.1:2000\nCOMMIT\n"
    plain, translated = (
        host(socket("127.0.0.1")),
        host({**socket("127.0.0.1"), "sysctl.txt": routed, "iptables-save.txt": nat}),
    )
    for target, expected in ((plain, False), (translated, True)):
        assert [target.beyond(one) for one in target.evidence.listeners if one.port == 2000] == [expected]
