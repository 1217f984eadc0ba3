"""Remedies for firewalld on recorded hosts: which rules, in which zones, and what they are once firewalld has them."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.change.remedy.recorded import HOSTS, changed, plan, recorded

from callgate.baseline.service import CATALOGUE
from callgate.change.remedy.firewalld import recipe
from callgate.change.remedy.firewalld_files import files_after, zone_file
from callgate.change.remedy.firewalld_rules import FIRST, SECOND, Placed, RichRule
from callgate.change.remedy.firewalld_script import script
from callgate.change.remedy.firewalld_zones import firewalld_of, rich_rules, section
from callgate.change.remedy.need import needs
from callgate.change.remedy.recipe import Refused
from callgate.change.remedy.remedy import remedy
from callgate.evidence.bundle import Bundle
from callgate.evidence.interfaces import Network
from callgate.firewall.host import EVERYONE
from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import FAMILIES, Family

LISTING = (HOSTS / "fw30-ipt-rich" / "firewalld-runtime.txt").read_text()
ACTIONS: tuple[Literal["accept", "drop"], ...] = ("accept", "drop")
NETWORKS: dict[Family, Network] = {4: ip_network("192.168.1.0/24"), 6: ip_network("fd00:1::/64")}

services = st.sampled_from(sorted(CATALOGUE.values(), key=lambda one: one.name))


@st.composite
def rich(draw: st.DrawFn) -> RichRule:
    family: Family = draw(st.sampled_from(FAMILIES))
    source = draw(st.sampled_from((None, NETWORKS[family])))
    action: Literal["accept", "drop"] = draw(st.sampled_from(ACTIONS))
    negated = source is not None and draw(st.booleans())
    return RichRule(family, draw(services), action, source, negated, draw(st.sampled_from((0, FIRST, SECOND))))


@given(rich())
def test_rule_means_the_same_over_both_back_ends(rule: RichRule) -> None:
    fields = {field for step in rule.native().steps if (field := getattr(step, "field", None))}
    others = {field for step in rule.xt("nft").steps if (field := getattr(step, "field", None))}
    # nftables names the family where no source does; a rule of iptables is of one family.
    assert fields - {"family", "protocol"} == others - {"protocol"}
    assert rule.native().steps[-1] == rule.xt("legacy").steps[-1]


@given(rich())
def test_rule_written_to_a_zone_file_says_what_firewall_cmd_lists(rule: RichRule) -> None:
    written = ElementTree.fromstring(rule.xml())
    listed = f"public\n  target: default\n  rich rules: \n\t{rule}\n"
    made = zone_file(Bundle("x", {"firewalld-permanent.txt": listed.encode()}), "public")
    assert made is not None
    read = ElementTree.fromstring(made.partition("?>")[2]).find("rule")
    assert read is not None
    assert read.attrib == written.attrib
    assert [(one.tag, one.attrib) for one in read] == [(one.tag, one.attrib) for one in written]


def test_zone_file_is_made_of_what_the_listing_says_and_hostile_words_do_not_break_out() -> None:
    text = (
        'dmz (active)\n  target: %%REJECT%%\n  interfaces: eth1\n  sources: 10.0.0.0/8 ipset:x\n  services: ssh a"><b\n'
        "  ports: 2000/tcp 5060-5061/udp\n  forward: yes\n  masquerade: no\n"
        "  forward-ports: port=12000:proto=tcp:toport=2000:toaddr=fd00::1\n  rich rules: \n"
        '\trule family="ipv4" log prefix="<x>" limit value="1/m" accept\n\nhome\n  target: default\n'
    )
    made = zone_file(Bundle("x", {"firewalld-permanent.txt": text.encode()}), "dmz")
    assert made is not None
    zone = ElementTree.fromstring(made.partition("?>")[2])
    assert zone.attrib == {"target": "%%REJECT%%"}
    assert [(one.tag, one.attrib) for one in zone][:-1] == [
        ("interface", {"name": "eth1"}),
        ("source", {"address": "10.0.0.0/8"}),
        ("source", {"ipset": "x"}),
        ("service", {"name": "ssh"}),
        ("service", {"name": "a___b"}),
        ("port", {"port": "2000", "protocol": "tcp"}),
        ("port", {"port": "5060-5061", "protocol": "udp"}),
        ("forward", {}),
        ("forward-port", {"port": "12000", "protocol": "tcp", "to-port": "2000", "to-addr": "fd00::1"}),
    ]
    log = zone.find("rule/log")
    assert log is not None
    assert log.attrib == {"prefix": "<x>"}
    assert [one.tag for one in log] == ["limit"]


def test_listing_is_read_zone_by_zone() -> None:
    assert rich_rules(LISTING, "public") == (
        'rule family="ipv4" source address="192.168.1.0/24" port port="5060" protocol="udp" accept',
        'rule family="ipv4" source address="192.168.1.0/24" port port="2000" protocol="tcp" accept',
    )
    assert rich_rules(LISTING, "home") == ()
    assert rich_rules(LISTING, "none") is None
    assert section(None, "public") is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("fw01-default-public", {"eth0": {"public"}, "eth1": {"public"}}),
        ("ans-D-after", {"eth0": {"public"}, "eth1": {"trusted"}}),
        ("fw30-ipt-rich", {"eth0": {"public"}, "eth1": {"public"}}),
    ],
)
def test_zones_are_found_by_the_rules_that_lead_to_them(host: str, expected: dict[str, set[str]]) -> None:
    guard = firewalld_of(recorded(host))
    for interface, zones in expected.items():
        for family in FAMILIES:
            found = {zone for zone, _ in guard.zones_of(family, interface, EVERYONE[family])}
            assert found == zones


def test_nobody_is_handed_to_a_zone_that_is_not_asked_for() -> None:
    assert list(firewalld_of(recorded("fw01-default-public")).zones_of(4, "eth0", Intervals())) == []


@pytest.mark.parametrize(
    "host", ["fw01-default-public", "fw10-nat-redirect", "fw23-nft-behind", "fw32-ipt-passthrough", "ans-B-after"]
)
def test_recorded_hosts_have_a_proven_remedy_of_the_plainest_form_that_does(host: str) -> None:
    found = remedy(recorded(host), "firewalld")
    assert found is not None
    direct = "-j CALLGATE-FWD-IN" in found.recipe.script
    # Translated flows, and rules before firewalld's own, are beyond rich rules.
    assert direct is (host in ("fw10-nat-redirect", "fw23-nft-behind", "fw32-ipt-passthrough"))
    subprocess.run(["sh", "-n"], input=found.recipe.script, text=True, check=True, timeout=10)


def test_one_trusted_network_takes_one_rule_and_several_take_accepts_before_a_drop() -> None:
    single = remedy(recorded("ans-B-before"), "firewalld")
    several = remedy(changed("ans-B-before", trusted=["192.168.1.0/24", "10.0.0.0/8", "fd00:1::/64"]), "firewalld")
    assert single is not None
    assert several is not None
    alone = f'{SECOND}" family="ipv4" source NOT address="192.168.1.0/24" port port="2000" protocol="tcp" drop'
    assert alone in single.recipe.script
    added = [line for line in single.recipe.script.splitlines() if line.startswith("    'rule")]
    assert added
    assert not any("accept" in line for line in added)
    for network in ("192.168.1.0/24", "10.0.0.0/8"):
        accept = f'{FIRST}" family="ipv4" source address="{network}" port port="2000" protocol="tcp" accept'
        assert accept in several.recipe.script
    assert f'{SECOND}" family="ipv4" port port="2000" protocol="tcp" drop' in several.recipe.script


def test_rich_rule_of_the_lowest_priority_leaves_no_room_before_it() -> None:
    text = (HOSTS / "ans-B-before" / "firewalld-runtime.txt").read_text()
    rule = '\trule priority="-32768" family="ipv4" source address="203.0.113.0/24" accept\n'
    head, zone, rest = text.partition("public (active)\n")
    zone += rest.replace("  rich rules: \n", f"  rich rules: \n{rule}", 1)
    found = remedy(changed("ans-B-before", {"firewalld-runtime.txt": head + zone}), "firewalld")
    assert found is not None
    assert "-j CALLGATE-FWD-IN" in found.recipe.script


def test_files_get_the_permanent_rules_and_keep_the_others() -> None:
    rule = RichRule(4, CATALOGUE["sccp"], "drop", NETWORKS[4], True, SECOND)
    before = '<?xml version="1.0" encoding="utf-8"?>\n<zone>\n  <service name="ssh"/>\n</zone>\n'
    name = "etc/firewalld/zones/public.xml"
    bundle = Bundle("x", {name: before.encode()})
    files, untold = files_after(bundle, [Placed("permanent", "public", rule), Placed("runtime", "public", rule)])
    assert untold == ()
    zone = ElementTree.fromstring(files[name].partition("?>")[2])
    assert [one.tag for one in zone] == ["service", "rule"]
    assert files_after(Bundle("x", {}), [Placed("permanent", "public", rule)]) == ({}, ("public",))


def test_host_without_firewalld_is_refused() -> None:
    target = recorded("ipt01-given")
    with pytest.raises(Refused, match="firewalld does not guard this host"):
        recipe(target, needs(target))


@settings(max_examples=25, deadline=None)
@given(st.lists(rich(), min_size=1, max_size=4, unique=True), st.sampled_from(("apply", "rollback", "status")))
def test_script_is_sound_shell_that_refuses_where_firewalld_is_not(
    tmp_path_factory: pytest.TempPathFactory, rules: list[RichRule], action: str
) -> None:
    text = script([Placed("runtime", "public", rule) for rule in rules], "# none", [])
    empty: Path = tmp_path_factory.getbasetemp()
    done = subprocess.run(
        ["sh", "-s", action], input=f"id() {{ echo 0; }}\ncommand() {{ return 1; }}\n{text}",
        capture_output=True, text=True, timeout=10, cwd=empty,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "callgate: firewall-cmd is not there\n"


def test_site_of_the_tests_trusts_what_the_rules_name() -> None:
    assert set(plan().site.trusted) == set(NETWORKS.values())


def test_flow_that_a_stranger_has_is_ended_and_a_phones_is_not() -> None:
    flow = "tcp 6 431999 ESTABLISHED src={0} dst={1} sport=40000 dport=2000 src={1} dst={0} sport=2000 dport=40000 [ASSURED] use=1\n"  # noqa: E501
    flows = flow.format("203.0.113.66", "203.0.113.10") + flow.format("192.168.1.50", "192.168.1.10")
    found = remedy(changed("ans-B-before", {"conntrack.txt": flows}), "firewalld")
    assert found is not None
    ended = [line.split(" >")[0].strip() for line in found.recipe.script.splitlines() if "conntrack -D" in line]
    assert ended == ["conntrack -D -f ipv4 -p tcp -s 203.0.113.66 -d 203.0.113.10 --sport 40000 --dport 2000"]
