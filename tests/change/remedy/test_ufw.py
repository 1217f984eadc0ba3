"""Remedies for ufw: its rules, its files, and the traps of its command."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.change.remedy.recorded import HOSTS, plan, recorded

from callgate.baseline.service import CATALOGUE
from callgate.change.remedy.need import needs
from callgate.change.remedy.recipe import Refused
from callgate.change.remedy.remedy import remedy
from callgate.change.remedy.ufw import recipe
from callgate.change.remedy.ufw_rules import ANYBODY, UfwRule, apart, keys_of, text_after, tuples_of
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import Bundle, read_bundle
from callgate.firewall.iptables.save import read_save
from callgate.firewall.sources import interval_of

USER_RULES = (HOSTS / "ufw02-allow-lan" / "etc" / "ufw" / "user.rules").read_text()
SCCP = CATALOGUE["sccp"]
LAN = ip_network("192.168.1.0/24")

rules = st.builds(
    UfwRule,
    st.just(4),
    st.sampled_from(sorted(CATALOGUE.values(), key=lambda one: one.name)),
    st.sampled_from(("allow", "deny")),
    st.sampled_from((LAN, ANYBODY[4], ip_network("10.0.0.0/8"), ip_network("192.0.2.7/32"))),
    st.just(ANYBODY[4]),
    st.sampled_from((None, "eth0")),
    st.booleans(),
)


def test_rule_is_written_as_ufw_writes_it() -> None:
    rule = UfwRule(4, SCCP, "allow", LAN, ANYBODY[4])
    assert rule.text.splitlines()[1:] == [
        "### tuple ### allow tcp 2000 0.0.0.0/0 any 192.168.1.0/24 in comment=63616c6c67617465",
        "-A ufw-user-input -p tcp --dport 2000 -s 192.168.1.0/24 -j ACCEPT",
    ]
    # As the recorded host's ufw wrote its own, but for the comment.
    assert rule.text.replace(" comment=63616c6c67617465", "") in USER_RULES
    several = UfwRule(6, CATALOGUE["phone-configuration"], "deny", ANYBODY[6], ANYBODY[6], "eth0")
    assert several.options == "-i eth0 -p tcp -m multiport --dports 6970:6972 -j DROP"
    assert several.words == "deny in on eth0 proto tcp from ::/0 to ::/0 port 6970:6972"


@given(st.lists(rules, min_size=1, max_size=4, unique_by=lambda one: one.key), st.data())
def test_rules_split_from_those_there_are_taken_and_stand_for_the_same_sources(
    wanted: list[UfwRule], data: st.DataObject
) -> None:
    there = data.draw(st.lists(st.sampled_from(wanted), max_size=2, unique_by=lambda one: one.key))
    text = text_after(USER_RULES, there)
    for rule in wanted:
        if rule.source.num_addresses == 1 and rule.key in set(keys_of(text)):
            with pytest.raises(Refused, match="takes no second one"):
                apart([rule], text)
            continue
        found = apart([rule], text)
        assert not {one.key for one in found} & set(keys_of(text))
        assert interval_of([one.source for one in found], 4) == interval_of([rule.source], 4)


@given(st.lists(rules, max_size=4, unique_by=lambda one: one.key))
def test_file_keeps_its_rules_behind_those_at_its_head_and_loads(added: list[UfwRule]) -> None:
    text = text_after(USER_RULES, added)
    assert tuples_of(text) == tuples_of(USER_RULES) | {rule.tuple for rule in added}
    before, after = (
        {name.chain: chain.rules for name, chain in dump.chains.items()}
        for dump in (read_save(one, "user.rules", family="ip", backend="nft", sets=None) for one in (USER_RULES, text))
    )
    inward = [rule for rule in added if not rule.forwarded]
    found = after["ufw-user-input"]
    assert [rule.steps for rule in found[len(inward) :]] == [rule.steps for rule in before["ufw-user-input"]]
    assert len(after["ufw-user-forward"]) == len(added) - len(inward)


def test_recorded_host_whose_ipv6_phones_are_locked_out_lets_them_in_by_their_interface_alone() -> None:
    bundle = read_bundle(HOSTS / "ufw02-allow-lan")
    found = remedy(target_of(bundle, plan()), "ufw")
    assert found is not None
    assert "allow in on eth0 proto tcp from fd00:1::/64 to ::/0 port 2000" in found.recipe.script
    assert set(found.recipe.files) == {"etc/ufw/user6.rules"}
    assert "    'allow tcp" in found.recipe.script
    assert "    'deny" not in found.recipe.script
    subprocess.run(["sh", "-n"], input=found.recipe.script, text=True, check=True, timeout=10)


def test_rule_before_its_chains_is_refused_with_its_place_and_what_would_do() -> None:
    target = recorded("ufw07-behind")
    with pytest.raises(Refused, match=r"INPUT rule 1: tcp dport 2000 accept[^$]*the formats nft and iptables may do"):
        recipe(target, needs(target))


def test_ufw_that_is_not_enabled_or_not_there_is_refused() -> None:
    bundle = read_bundle(HOSTS / "ufw02-allow-lan")
    held = {name: bundle.read(name) for name in bundle.names()}
    held["etc/ufw/ufw.conf"] = b"ENABLED=no\n"
    target = target_of(Bundle("x", held), plan())
    with pytest.raises(Refused, match=r"not enabled on this host \(ENABLED=no\)"):
        recipe(target, needs(target))
    other = recorded("ipt01-given")
    with pytest.raises(Refused, match="ufw does not guard this host"):
        recipe(other, needs(other))


def test_file_that_is_none_of_its_own_is_refused() -> None:
    with pytest.raises(Refused, match="not a file that ufw wrote"):
        text_after("*filter\nCOMMIT\n", [])
