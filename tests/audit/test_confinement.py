"""Which bindings keep strangers away by themselves, and which only look as if they did (no rule is loaded here)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callgate.audit.target import Target
from callgate.report.outcome import Verdict

from .conftest import QUIET_HOST, judged

Host = Callable[..., Target]
ROUTED = b"net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\nnet.ipv4.conf.eth1.route_localnet = 1\n"
NAT = b"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 12000 -j DNAT --to 127.0.0.1:2000\nCOMMIT\n"


def socket(local: str) -> dict[str, bytes]:
    return {"ss.txt": f"tcp LISTEN 0 5 {local}:2000 0.0.0.0:*\n".encode()}


@pytest.mark.parametrize("local", ["127.0.0.1", "127.0.0.5", "[::1]"])
def test_loopback_confines(host: Host, local: str) -> None:
    assert judged("EXP-01", host(socket(local)))[0] is Verdict.PASS


@pytest.mark.parametrize("local", ["0.0.0.0%lo", "*%lo"])
def test_loopback_device_confines(host: Host, local: str) -> None:
    assert judged("EXP-01", host(socket(local)))[0] is Verdict.PASS


@pytest.mark.parametrize("local", ["0.0.0.0", "*", "192.168.1.10", "[::ffff:192.168.1.10]"])
def test_address_confines_nothing(host: Host, local: str) -> None:
    verdict, message = judged("EXP-01", host(socket(local)))
    assert verdict is Verdict.FAIL
    assert "every IPv4 stranger on eth1, for example 203.0.113.1 to 192.168.1.10:2000/tcp, and no rule" in message


@pytest.mark.parametrize("local", ["[fd00:1::10]", "10.9.9.9"])
def test_nobody_reaches_an_address_the_host_does_not_have(host: Host, local: str) -> None:
    assert judged("EXP-01", host(socket(local)))[0] is Verdict.PASS


def test_device_that_leads_to_trusted_networks_only_confines(host: Host) -> None:
    assert judged("EXP-01", host(socket("0.0.0.0%eth0")))[0] is Verdict.PASS
    assert judged("EXP-01", host(socket("0.0.0.0%eth1")))[0] is Verdict.FAIL


@pytest.mark.parametrize(
    "route", [b'{"dst": "default", "dev": "eth0"}', b'{"dst": "198.51.100.0/24", "nexthops": [{"dev": "eth0"}]}']
)
def test_device_with_a_way_to_strangers_does_not_confine(host: Host, route: bytes) -> None:
    routes = b'[{"dst": "192.168.1.0/24", "dev": "eth0"}, ' + route + b"]\n"
    verdict, message = judged("EXP-01", host({**socket("0.0.0.0%eth0"), "ip-route.json": routes}))
    assert verdict is Verdict.FAIL
    assert "every IPv4 stranger on eth0" in message


def test_device_the_site_names_confines(host: Host) -> None:
    assert judged("EXP-01", host(socket("0.0.0.0%eth1"), voice_interfaces=["eth1"]))[0] is Verdict.PASS


def test_device_nothing_is_known_of_is_not_determined(host: Host) -> None:
    verdict, message = judged("EXP-01", host(socket("0.0.0.0%eth9")))
    assert verdict is Verdict.ERROR
    assert "bound to eth9, an interface that ip-addr.json does not show" in message


def test_loopback_does_not_confine_where_strangers_can_be_translated_to_it(host: Host) -> None:
    both = {**socket("127.0.0.1"), "sysctl.txt": ROUTED, "iptables-save.txt": NAT}
    verdict, message = judged("EXP-03", host(both))
    assert verdict is Verdict.FAIL
    assert ":12000/tcp, which becomes 127.0.0.1:2000" in message
    assert judged("EXP-03", host({**socket("127.0.0.1"), "sysctl.txt": ROUTED}))[0] is Verdict.PASS
    assert judged("EXP-03", host({**socket("127.0.0.1"), "iptables-save.txt": NAT}))[0] is Verdict.PASS


def test_listener_on_loopback_that_strangers_are_translated_to_must_be_accounted_for(host: Host) -> None:
    line = b'tcp LISTEN 0 5 127.0.0.1:2001 0.0.0.0:* users:(("relay",pid=1,fd=3))\n'
    relay = {"ss.txt": QUIET_HOST["ss.txt"] + line}
    assert judged("LSN-04", host(relay))[0] is Verdict.PASS
    both = {**relay, "sysctl.txt": ROUTED, "iptables-save.txt": NAT.replace(b":2000", b":2001")}
    verdict, message = judged("LSN-04", host(both))
    assert verdict is Verdict.FAIL
    assert "2001/tcp (relay) on 127.0.0.1" in message


def test_loopback_does_not_confine_where_neighbours_may_send_to_it(host: Host) -> None:
    verdict, message = judged("EXP-01", host({**socket("127.0.0.1"), "sysctl.txt": ROUTED}))
    assert verdict is Verdict.FAIL
    assert "203.0.113.1 to 127.0.0.1:2000/tcp" in message


def test_loopback_that_others_may_send_to_is_beyond_this_host(host: Host) -> None:
    plain, routed = host(socket("127.0.0.1")), host({**socket("127.0.0.1"), "sysctl.txt": ROUTED})
    for target, expected in ((plain, False), (routed, True)):
        assert [target.beyond(one) for one in target.evidence.listeners if one.port == 2000] == [expected]
