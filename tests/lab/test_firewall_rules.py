"""The lab's rules load in a real kernel, and clients see what they do."""

from __future__ import annotations

import shlex
from typing import Literal

import pytest

from callgate.errors import LabError
from callgate.lab.host import Call, LabHost
from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.rulesets import RIGHT_REMEDY_NFT, USUAL_REMEDY
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

INNER = ("192.168.1.10", "fd00:1::10")
OUTER = ("203.0.113.10", "2001:db8:66::10")
SERVICES: tuple[tuple[Call, int], ...] = (("keepalive", 2000), ("options-udp", 5060), ("options-tcp", 5060))

DROP_SCCP_FROM_STRANGERS = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -i eth1 -p tcp --dport 2000 -j DROP\nCOMMIT\n"


def answered(client: LabHost, addresses: tuple[str, ...], *, timeout: float) -> set[tuple[str, str]]:
    return {
        (call, address)
        for address in addresses
        for call, port in SERVICES
        if client.dial(call, address, port, timeout=timeout).result == "answered"
    }


ALL = {(call, address) for call, _ in SERVICES for address in INNER}


def test_without_rules_everyone_is_answered(pbx_lab: Lab) -> None:
    assert answered(pbx_lab.trusted, INNER, timeout=2) == ALL
    assert answered(pbx_lab.stranger, INNER, timeout=2) == ALL


def test_the_right_remedy_closes_the_pbx_to_strangers_and_keeps_it_open_to_phones(pbx_lab: Lab) -> None:
    for _ in range(2):  # it may be loaded again
        pbx_lab.pbx.load_nft(RIGHT_REMEDY_NFT)
    assert answered(pbx_lab.trusted, INNER, timeout=2) == ALL
    assert answered(pbx_lab.stranger, INNER + OUTER, timeout=0.2) == set()
    assert pbx_lab.pbx.run(["nft", "list", "ruleset"]).stdout.count("table inet lab") == 1


def test_the_right_remedy_binds_the_trusted_network_to_its_interface(pbx_lab: Lab) -> None:
    pbx_lab.pbx.load_nft(RIGHT_REMEDY_NFT)
    spoof = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.bind(('192.168.1.77', 0)); s.sendto(b'x', ('192.168.1.10', 5060))"
    )
    pbx_lab.stranger.run(["ip", "address", "add", "192.168.1.77/32", "dev", "lo"])
    pbx_lab.stranger.run(["python3", "-c", spoof])
    pbx_lab.pbx.load_nft(
        'insert rule inet lab input iifname eth1 ip saddr 192.168.1.77 counter comment "spoofed"\n'
        'insert rule inet lab trusted ip saddr 192.168.1.77 counter comment "let in"\n'
    )
    pbx_lab.stranger.run(["python3", "-c", spoof])
    rules = pbx_lab.pbx.run(["nft", "list", "ruleset"]).stdout.splitlines()
    (came,) = [line for line in rules if "spoofed" in line]
    (got_in,) = [line for line in rules if "let in" in line]
    assert "packets 1 " in came
    assert "packets 0 " in got_in


def test_the_usual_remedy_stops_one_transport_of_one_service_in_one_family(pbx_lab: Lab) -> None:
    require_tool("iptables")
    for command in USUAL_REMEDY:
        pbx_lab.pbx.run(shlex.split(command))
    assert answered(pbx_lab.trusted, INNER, timeout=2) == ALL
    assert answered(pbx_lab.stranger, INNER, timeout=0.5) == ALL - {("options-udp", "192.168.1.10")}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("legacy", [False, True], ids=["nf_tables", "legacy"])
def test_iptables_rules_filter_in_their_family_and_back_end(lab: Lab, family: Literal[4, 6], legacy: bool) -> None:
    name = "iptables" if family == 4 else "ip6tables"
    for back_end in ("nft", "legacy"):
        require_tool(f"{name}-{back_end}-restore")
    start_sccp(lab.pbx)
    lab.pbx.load_iptables(DROP_SCCP_FROM_STRANGERS, family=family, legacy=legacy)
    filtered, other = INNER if family == 4 else INNER[::-1]
    assert lab.stranger.dial("keepalive", filtered, 2000, timeout=0.3).result == "unanswered"
    assert lab.stranger.dial("keepalive", other, 2000).result == "answered"
    for address in INNER:
        assert lab.trusted.dial("keepalive", address, 2000).result == "answered"
    for back_end in ("nft", "legacy"):
        shown = lab.pbx.run([f"{name}-{back_end}-save"]).stdout
        assert ("--dport 2000 -j DROP" in shown) is ((back_end == "legacy") is legacy)


def test_both_iptables_back_ends_filter_side_by_side(lab: Lab) -> None:
    for tool in ("iptables-nft-restore", "iptables-legacy-restore"):
        require_tool(tool)
    start_sccp(lab.pbx, listen=("*:2000", "*:2443"))
    lab.pbx.load_iptables(DROP_SCCP_FROM_STRANGERS)
    lab.pbx.load_iptables(DROP_SCCP_FROM_STRANGERS.replace("2000", "2443"), legacy=True)
    for port in (2000, 2443):
        assert lab.stranger.dial("connect", "192.168.1.10", port, timeout=0.3).result == "unanswered"
        assert lab.trusted.dial("connect", "192.168.1.10", port).result == "connected"


def test_rules_that_do_not_parse_are_an_error(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"pbx: nft -f - ended with 1: .*syntax error"):
        lab.pbx.load_nft("table inet t { chain }")
    require_tool("iptables-nft-restore")
    with pytest.raises(LabError, match="pbx: iptables-nft-restore ended with "):
        lab.pbx.load_iptables("*filter\n-A INPUT -j NO_SUCH_TARGET\nCOMMIT\n")
