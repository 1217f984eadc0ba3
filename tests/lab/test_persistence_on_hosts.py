"""Hosts whose rules are saved, or not: what is said of their next boot is what their next boot brings."""

from __future__ import annotations

import pytest
import testinfra
from tests.audit.conftest import judged, target_of
from tests.lab.managed_host import EVERYBODY, PHONES, Door, dialled

from callgate.audit.boot import after_boot
from callgate.audit.reaching import reaching_of
from callgate.audit.target import Target
from callgate.baseline.site import Site
from callgate.evidence.backends import host_uri, register_backends
from callgate.evidence.collector import collect
from callgate.lab.boot_files import (
    NFTABLES_UNIT,
    PERSISTENT_UNIT,
    disable,
    enable,
    reboot,
    save_iptables,
    save_nftables,
)
from callgate.lab.call_control import apply_firewall
from callgate.lab.firewalld import firewalld_unavailable, start_firewalld
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.rulesets import RIGHT_REMEDY_NFT
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab
from callgate.lab.ufw import start_ufw, ufw_unavailable
from callgate.report.outcome import Verdict

pytestmark = pytest.mark.lab

CONTROLS = tuple(f"PER-0{n}" for n in range(1, 6))
SITE = Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]})
CLIENTS: dict[Door, tuple[str, int]] = {
    ("trusted", 4): ("eth0", 0xC0A80132),
    ("trusted", 6): ("eth0", 0xFD000001000000000000000000000050),
    ("stranger", 4): ("eth1", 0xCB007142),
    ("stranger", 6): ("eth1", 0x20010DB8006600000000000000000066),
}
V4 = (
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n"
    "-A INPUT -i eth0 -m set --match-set phones src -p tcp --dport 2000 -j ACCEPT\nCOMMIT\n"
)
V6 = (
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -p ipv6-icmp -j ACCEPT\n"
    "-A INPUT -i eth0 -s fd00:1::/64 -p tcp --dport 2000 -j ACCEPT\nCOMMIT\n"
)


@pytest.fixture
def pbx(lab: Lab) -> Lab:
    """A PBX with SCCP on 2000/tcp."""
    start_sccp(lab.pbx)
    return lab


def collected(lab: Lab) -> Target:
    register_backends()
    return target_of(collect(testinfra.get_host(host_uri(lab.pbx.uri))), SITE)


def told(lab: Lab) -> tuple[str, dict[str, str]]:
    """Verdicts on booting, as their first letters in order, and their messages."""
    target = collected(lab)
    found = {control: judged(control, target) for control in CONTROLS}
    letters = " ".join(verdict.name[0] for verdict, _ in found.values())
    return letters, {control: message for control, (_, message) in found.items()}


def foretold(lab: Lab) -> frozenset[Door]:
    """Who reaches SCCP after the next boot, as the evidence says."""
    evidence = after_boot(collected(lab)).evidence
    sccp = [one for one in target_of(None).plan.services if one.name == "sccp"]
    doors = {(one.entrance.family, one.entrance.interface): one.door for one in reaching_of(evidence, SITE, sccp)}
    return frozenset(
        client for client, (interface, address) in CLIENTS.items() if address in doors[client[1], interface].surely
    )


def assert_boot_keeps_word(lab: Lab, expected: frozenset[Door]) -> None:
    assert foretold(lab) == expected
    reboot(lab.pbx)
    assert dialled(lab) == expected


def test_nftables_saved_and_enabled_passes_and_fails_when_it_is_not(pbx: Lab) -> None:
    apply_firewall(pbx.pbx, "right")
    enable(pbx.pbx, NFTABLES_UNIT)
    letters, messages = told(pbx)
    assert letters == "P P P P P", messages
    assert "nftables (/etc/nftables.conf)" in messages["PER-01"]
    # Behind the manager's back: in force now, and gone after a boot.
    pbx.pbx.run(["nft", "insert", "rule", "inet", "lab", "input", "tcp", "dport", "2000", "accept"])
    letters, messages = told(pbx)
    assert letters == "P P P P F", messages
    assert "nothing loads at boot: inet lab input rule 1: tcp dport 2000 accept" in messages["PER-05"]
    assert dialled(pbx) == EVERYBODY
    disable(pbx.pbx, NFTABLES_UNIT)
    pbx.pbx.load_nft(RIGHT_REMEDY_NFT)
    letters, messages = told(pbx)
    assert letters == "F P S F F", messages
    assert "table inet lab" in messages["PER-04"]
    enable(pbx.pbx, NFTABLES_UNIT)
    # A file that does not load leaves the host without any rule.
    pbx.pbx.write_etc("nftables.conf", RIGHT_REMEDY_NFT.replace("chain trusted", "chain trustde"))
    letters, messages = told(pbx)
    assert letters == "F P F P F", messages
    assert "/etc/nftables.conf:" in messages["PER-03"]
    assert_boot_keeps_word(pbx, EVERYBODY)


def test_nftables_file_with_includes_boots_as_it_was_said(pbx: Lab) -> None:
    apply_firewall(pbx.pbx, "right")
    pbx.pbx.write_etc("nftables.d/pbx.nft", RIGHT_REMEDY_NFT)
    save_nftables(pbx.pbx, 'flush ruleset\ninclude "/etc/nftables.d/*.nft"\n')
    enable(pbx.pbx, NFTABLES_UNIT)
    letters, messages = told(pbx)
    assert letters == "P P P P P", messages
    assert_boot_keeps_word(pbx, PHONES)
    pbx.pbx.write_etc("nftables.conf", 'include "/opt/pbx.nft"\n')
    letters, messages = told(pbx)
    assert letters == "E E E P E"
    assert "/etc/nftables.conf:1 includes '/opt/pbx.nft'" in messages["PER-01"]


def test_iptables_saved_for_both_families_with_its_sets_passes(pbx: Lab) -> None:
    require_tool("ipset")
    pbx.pbx.run(["ipset", "restore"], stdin="create phones hash:net\nadd phones 192.168.1.0/24\n")
    pbx.pbx.load_iptables(V4)
    pbx.pbx.load_iptables(V6, family=6)
    save_iptables(pbx.pbx)
    enable(pbx.pbx, PERSISTENT_UNIT)
    letters, messages = told(pbx)
    assert letters == "P P P P P", messages
    # Without its set the whole table stays out.
    sets = pbx.pbx.run(["cat", "/etc/iptables/ipsets"]).stdout
    pbx.pbx.write_etc("iptables/ipsets", "")
    letters, messages = told(pbx)
    assert letters == "F P F P F", messages
    assert "/etc/iptables/rules.v4" in messages["PER-03"]
    assert "Set phones doesn't exist" in messages["PER-03"]
    # One family alone.
    pbx.pbx.write_etc("iptables/ipsets", sets)
    pbx.pbx.run(["rm", "/etc/iptables/rules.v6"])
    letters, messages = told(pbx)
    assert letters == "F P F P F", messages
    assert "nothing saves any of IPv6" in messages["PER-03"]
    assert_boot_keeps_word(pbx, PHONES | {("stranger", 6)})


def test_ufw_passes_until_a_rule_is_put_beside_it(pbx: Lab) -> None:
    require(ufw_unavailable())
    ufw = start_ufw(pbx.pbx)
    for network in ("192.168.1.0/24", "fd00:1::/64"):
        ufw.command("allow", "in", "on", "eth0", "from", network, "to", "any", "port", "2000", "proto", "tcp")
    enable(pbx.pbx, "ufw.service")
    letters, messages = told(pbx)
    assert letters == "P P P P P", messages
    pbx.pbx.run(["iptables", "-I", "INPUT", "-p", "tcp", "--dport", "2000", "-j", "ACCEPT"])
    letters, messages = told(pbx)
    assert letters == "P P P P F", messages
    assert "nothing loads at boot: ip filter INPUT rule 1" in messages["PER-05"]
    assert_boot_keeps_word(pbx, PHONES)
    disable(pbx.pbx, "ufw.service")
    letters, messages = told(pbx)
    assert letters == "F P S F F", messages
    assert "the rules of ufw run now" in messages["PER-04"]


def test_firewalld_keeps_what_is_permanent(pbx: Lab) -> None:
    require(firewalld_unavailable())
    firewalld = start_firewalld(pbx.pbx)
    rules = [
        f'rule family="{family}" source address="{network}" port port="2000" protocol="tcp" accept'
        for family, network in (("ipv4", "192.168.1.0/24"), ("ipv6", "fd00:1::/64"))
    ]
    for rule in rules:
        firewalld.command(f"--add-rich-rule={rule}")
    enable(pbx.pbx, "firewalld.service")
    letters, messages = told(pbx)
    assert letters == "P F P P F", messages
    assert "rich rules" in messages["PER-02"]
    for rule in rules:
        firewalld.command("--permanent", f"--add-rich-rule={rule}")
    letters, messages = told(pbx)
    assert letters == "P P P P P", messages
    # A rule in firewalld's own table that firewalld knows nothing of.
    pbx.pbx.load_nft("insert rule inet firewalld filter_INPUT tcp dport 2000 accept\n")
    letters, messages = told(pbx)
    assert letters == "P P P P F", messages
    assert "filter_INPUT rule 1: tcp dport 2000 accept" in messages["PER-05"]
    assert_boot_keeps_word(pbx, PHONES)


def test_a_script_that_changes_rules_at_boot_leaves_everything_open(pbx: Lab) -> None:
    apply_firewall(pbx.pbx, "right")
    enable(pbx.pbx, NFTABLES_UNIT)
    pbx.pbx.write_etc("rc.local", "#!/bin/sh\n# iptables is not meant here\niptables -F\n")
    letters, messages = told(pbx)
    assert letters == "E E E P E"
    assert "/etc/rc.local:3 may change rules at boot: 'iptables -F'" in messages["PER-01"]


def test_what_the_collector_could_not_read_is_an_error(pbx: Lab) -> None:
    apply_firewall(pbx.pbx, "right")
    enable(pbx.pbx, NFTABLES_UNIT)
    # As root nothing is refused; but a folder in a file's place cannot be read.
    pbx.pbx.run(["sh", "-c", "rm -f /etc/nftables.conf; mkdir /etc/nftables.conf"])
    target = collected(pbx)
    for control in CONTROLS:
        assert judged(control, target)[0] is Verdict.ERROR, control
