"""Hosts guarded by the real firewalld and the real ufw: what the audit says is what clients see."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest
from tests.lab.managed_host import EVERYBODY, PHONES, Seen, dialled, seen

from callgate.errors import LabError
from callgate.lab import firewalld as firewalld_module
from callgate.lab import ufw as ufw_module
from callgate.lab.availability import lab_unavailable
from callgate.lab.firewalld import Backend, Firewalld, firewalld_unavailable, start_firewalld
from callgate.lab.host import LabHost
from callgate.lab.kamailio import start_kamailio
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.rulesets import USUAL_REMEDY
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab
from callgate.lab.ufw import Ufw, start_ufw, ufw_unavailable

pytestmark = pytest.mark.lab

RULE = 'rule family="ipv4" source address="192.168.1.0/24" port port="2000" protocol="tcp" accept'


def assert_closed(found: Seen) -> None:
    """Everything holds, and clients see the same."""
    assert found.failed == set(), found.messages
    assert {"EXP-01", "EXP-02", "EXP-03"} <= set(found.verdicts)
    assert found.exit_code == 0
    assert found.reach == found.dialled == PHONES
    assert found.doubtful == frozenset()


def assert_open(found: Seen, control: str = "EXP-01") -> None:
    """That control alone fails, and everybody is let in."""
    assert found.failed & {"EXP-01", "EXP-02", "EXP-03"} == {control}, found.messages
    assert found.verdicts[control] == "fail"
    assert found.exit_code == 1
    assert found.reach == found.dialled == EVERYBODY
    assert found.doubtful == frozenset()


def use_firewalld(lab: Lab, backend: Backend = "nftables") -> Firewalld:
    require(firewalld_unavailable())
    if backend == "iptables":
        require_tool("ipset")  # firewalld's other back end keeps sets with it
    start_sccp(lab.pbx)
    return start_firewalld(lab.pbx, backend=backend)


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Lab, Firewalld]]:
    """One firewalld for the tests that change little: phones' interface in zone trusted, 2000/tcp closed in public."""
    require(lab_unavailable())
    with Lab() as built:
        firewalld = use_firewalld(built)
        firewalld.command("--permanent", "--zone=trusted", "--add-interface=eth0")
        yield built, firewalld


@pytest.fixture
def by_zone(guarded: tuple[Lab, Firewalld]) -> tuple[Lab, Firewalld]:
    """That firewalld as its files have it, whatever a test before changed."""
    guarded[1].command("--reload")
    return guarded


@pytest.fixture
def ufw(lab: Lab) -> Ufw:
    """ufw as installed, and the phones' networks allowed to call 2000/tcp."""
    require(ufw_unavailable())
    start_sccp(lab.pbx)
    started = start_ufw(lab.pbx)
    for network in ("192.168.1.0/24", "fd00:1::/64"):
        started.command("allow", "from", network, "to", "any", "port", "2000", "proto", "tcp")
    return started


def test_firewalld_with_the_phones_interface_trusted_passes(by_zone: tuple[Lab, Firewalld]) -> None:
    lab, firewalld = by_zone
    assert firewalld.command("--get-zone-of-interface=eth0") == "trusted"
    assert firewalld.command("--get-default-zone") == "public"
    assert_closed(seen(lab))


def test_port_added_to_the_default_zone_lets_strangers_in(by_zone: tuple[Lab, Firewalld]) -> None:
    lab, firewalld = by_zone
    firewalld.command("--add-port=2000/tcp")
    found = seen(lab)
    assert_open(found)
    assert "filter_IN_public_allow" in found.messages["EXP-01"]


def test_forward_port_leads_strangers_around(by_zone: tuple[Lab, Firewalld]) -> None:
    lab, firewalld = by_zone
    firewalld.command("--add-forward-port=port=12000:proto=tcp:toport=2000")
    found = seen(lab, ports=(2000, 12000))
    assert found.verdicts["EXP-03"] == "fail"
    assert found.verdicts["EXP-01"] == "pass"
    assert "12000/tcp" in found.messages["EXP-03"]
    # firewalld translates IPv4 alone where no address is given.
    assert found.reach == found.dialled == PHONES | {("stranger", 4)}
    assert dialled(lab) == PHONES


def test_rule_behind_firewalld_lets_strangers_in_though_firewalld_does_not_show_it(
    by_zone: tuple[Lab, Firewalld],
) -> None:
    lab, firewalld = by_zone
    before = firewalld.command("--list-all-zones")
    lab.pbx.load_nft("insert rule inet firewalld filter_INPUT tcp dport 2000 accept\n")
    found = seen(lab)
    assert_open(found)
    assert "filter_INPUT rule 1: tcp dport 2000 accept" in found.messages["EXP-01"]
    assert firewalld.command("--list-all-zones") == before


def test_rich_rule_for_ipv4_locks_ipv6_phones_out_until_there_is_one_for_them(lab: Lab) -> None:
    firewalld = use_firewalld(lab)
    firewalld.command(f"--add-rich-rule={RULE}")
    found = seen(lab)
    assert (found.verdicts["EXP-01"], found.verdicts["EXP-02"]) == ("pass", "fail")
    assert "fd00:1::/64 on eth0" in found.messages["EXP-02"]
    assert found.reach == found.dialled == {("trusted", 4)}
    firewalld.command(f"--add-rich-rule={RULE.replace('ipv4', 'ipv6').replace('192.168.1.0/24', 'fd00:1::/64')}")
    assert_closed(seen(lab))


SPOOF = """\
import socket
for family, own, pbx in ((socket.AF_INET, "192.168.1.77", "203.0.113.10"),
                         (socket.AF_INET6, "fd00:1::77", "2001:db8:66::10")):
    with socket.socket(family, socket.SOCK_STREAM) as call:
        call.settimeout(0.2)
        call.bind((own, 0))
        try:
            call.connect((pbx, 2000))
        except OSError:
            pass
"""
ARRIVALS = """\
table inet arrivals { chain i { type filter hook input priority 200;
 iifname "eth1" ip saddr 192.168.1.77 counter
 iifname "eth1" ip6 saddr fd00:1::77 counter
}
}
"""


def test_zone_of_sources_passes_and_believes_forged_ones_over_ipv4_alone(lab: Lab) -> None:
    firewalld = use_firewalld(lab)
    firewalld.command("--zone=trusted", "--add-source=192.168.1.0/24", "--add-source=fd00:1::/64")
    found = seen(lab, baseline="voip-strict")
    assert found.reach == found.dialled == PHONES
    # IPv6_rpfilter is on as installed; for IPv4 firewalld leaves it to the kernel's rp_filter, which is off here.
    assert found.failed == {"EXP-04"}, found.messages
    assert "192.168.1.0/24" in found.messages["EXP-04"]
    assert "fd00:1:" not in found.messages["EXP-04"]
    for address in ("192.168.1.77/32", "fd00:1::77/128"):
        lab.stranger.run(["ip", "address", "add", address, "dev", "lo"])
    lab.pbx.load_nft(ARRIVALS)
    lab.stranger.run(["python3", "-c", SPOOF])
    counted = lab.pbx.run(["nft", "list", "table", "inet", "arrivals"]).stdout
    assert "ip saddr 192.168.1.77 counter packets 1 " in counted
    assert "ip6 saddr fd00:1::77 counter packets 0 " in counted


def test_firewalld_over_iptables_passes_until_the_default_zone_opens_the_port(lab: Lab) -> None:
    firewalld = use_firewalld(lab, "iptables")
    firewalld.command("--zone=trusted", "--add-interface=eth0")
    assert "firewalld" not in lab.pbx.run(["nft", "list", "tables"]).stdout
    assert_closed(seen(lab))
    firewalld.command("--add-port=2000/tcp")
    found = seen(lab)
    assert_open(found)
    assert "IN_public_allow" in found.messages["EXP-01"]


def test_firewalld_keeps_to_its_host_and_takes_its_rules_along(lab: Lab) -> None:
    require(firewalld_unavailable())
    firewalld = start_firewalld(lab.pbx, ipv6_rpfilter=False)
    firewalld.command("--permanent", "--new-zone=callgate-lab")
    lab.pbx.run(["test", "-e", "/etc/firewalld/zones/callgate-lab.xml"])
    assert not Path("/etc/firewalld/zones/callgate-lab.xml").exists()
    rules = lab.pbx.run(["nft", "list", "ruleset"]).stdout
    assert "table inet firewalld" in rules
    assert "fib saddr" not in rules
    firewalld.stop()
    assert not firewalld.running
    assert lab.pbx.run(["nft", "list", "ruleset"]).stdout == ""


@pytest.mark.parametrize(
    ("module", "start", "tool"),
    [
        (firewalld_module, start_firewalld, "firewalld"),
        (firewalld_module, start_firewalld, "dbus-daemon"),
        (ufw_module, start_ufw, "ufw"),
    ],
)
def test_missing_program_is_named_with_its_package(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, module: ModuleType, start: Callable[[LabHost], object], tool: str
) -> None:
    monkeypatch.setattr(module, "find_tool", lambda name: None if name == tool else f"/usr/sbin/{name}")
    with pytest.raises(LabError, match=rf"^{tool} not found \(Debian package {tool}\)$"):
        start(lab.pbx)


def test_ufw_that_allows_the_phones_networks_passes(lab: Lab, ufw: Ufw) -> None:
    assert "deny (incoming)" in ufw.command("status", "verbose")
    assert_closed(seen(lab))


def test_rule_behind_ufw_lets_strangers_in_though_its_status_does_not_show_it(lab: Lab, ufw: Ufw) -> None:
    before = ufw.command("status", "verbose")
    for tool in ("iptables", "ip6tables"):
        lab.pbx.run([tool, "-I", "INPUT", "-p", "tcp", "--dport", "2000", "-j", "ACCEPT"])
    assert_open(seen(lab))
    assert ufw.command("status", "verbose") == before


def test_ufw_limit_lets_strangers_in_at_first(lab: Lab, ufw: Ufw) -> None:
    ufw.command("limit", "2000/tcp")
    found = seen(lab)
    assert found.verdicts["EXP-01"] == "fail"
    # Until it is reloaded, ufw's IPv6 chain for this is empty, and what returns from it is dropped.
    assert found.reach == found.dialled == PHONES | {("stranger", 4)}
    results = [lab.stranger.dial("connect", "203.0.113.10", 2000).result for _ in range(6)]
    assert (results[0], results[-1]) == ("connected", "refused")
    ufw.command("reload")
    found = seen(lab)
    assert_open(found)
    assert "ufw6-user-limit-accept" in found.messages["EXP-01"]


@pytest.mark.parametrize("guard", ["none", "nftables", "iptables"])
def test_usual_remedy_leaves_sccp_open(lab: Lab, guard: Literal["none"] | Backend) -> None:
    for tool in ("iptables", "kamailio"):
        require_tool(tool)
    if guard == "none":
        start_sccp(lab.pbx)
    else:
        firewalld = use_firewalld(lab, guard)
        firewalld.command("--add-port=2000/tcp", "--add-port=5060/udp")
    start_kamailio(lab.pbx, transports=["udp"])
    for command in USUAL_REMEDY:
        lab.pbx.run(shlex.split(command))
    found = seen(lab)
    assert_open(found)
    assert "2000/tcp" in found.messages["EXP-01"]
    # Over IPv4 it stops SIP over UDP, but not where firewalld's own rules of the same table come first.
    answered = lab.stranger.dial("options-udp", "203.0.113.10", 5060).result == "answered"
    assert answered is (guard == "iptables")
    assert lab.stranger.dial("options-udp", "2001:db8:66::10", 5060).result == "answered"
