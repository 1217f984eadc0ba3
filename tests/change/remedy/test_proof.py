"""What is no remedy is not proven: one recipe for each way to be wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.change.remedy.recorded import NAMES, changed, recorded

from callgate.change.remedy import iptables, nft
from callgate.change.remedy.foreseen import with_restored
from callgate.change.remedy.need import needs
from callgate.change.remedy.proof import Proof, prove
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.firewall.rule import Ruleset

EXPOSED = "ipt02-before-broad-first"
QUICK = ("boot", "f2b", "fpbx", "ipt", "nft", "ufw")
"""The others take seconds, and are proven in the lab, where they are remedied for real."""


def proof(rules: str, name: str = EXPOSED, *families: int) -> Proof:
    """What is made of these lines, put in front of the host's own rules of both families."""
    target = recorded(name)
    ruleset = target.evidence.policy.ruleset
    for family in (4, 6):
        if not families or family in families:
            ruleset = with_restored(ruleset, f"{rules}COMMIT\n", family=family, backend="nft")
    return prove(target, Recipe("ufw", "", ruleset))


DROPS = (
    "-I INPUT -p tcp -m multiport --dports 2000,2443,5060,5061 -j DROP\n-I INPUT -p udp -m udp --dport 5060 -j DROP\n"
)


def test_doing_nothing_is_no_remedy() -> None:
    found = proof("*filter\n")
    assert not found
    assert any(
        re.match(r"SCCP \(Skinny\) \(2000/tcp\) stays open: every IPv4 stranger on .*eth1", one)
        for one in found.reasons
    )


def test_closing_one_family_is_not_proven() -> None:
    found = proof(f"*mangle\n{DROPS}", EXPOSED, 4)
    assert all("every IPv6 stranger" in one for one in found.reasons if "stays open" in one)
    assert any("stays open" in one for one in found.reasons)


def test_shutting_everybody_out_is_not_proven() -> None:
    found = proof(f"*mangle\n{DROPS}")
    assert not [one for one in found.reasons if "stays open" in one]
    assert any("on eth0 loses SCCP (Skinny) (2000/tcp)" in one for one in found.reasons)


def test_letting_strangers_to_another_service_is_not_proven() -> None:
    found = proof("*filter\n-I INPUT -j ACCEPT\n", "nft01-compliant")
    assert not found.reasons  # an accept in one chain is none while another refuses
    found = proof("*filter\n-I INPUT -j ACCEPT\n", "ipt17-compliant")
    assert any("gains SCCP (Skinny) (2000/tcp)" in one for one in found.reasons)


def test_shutting_out_administration_is_not_proven() -> None:
    target = changed(
        EXPOSED, {"ss.txt": "tcp LISTEN 0 9 0.0.0.0:22 0.0.0.0:*\ntcp LISTEN 0 9 0.0.0.0:2000 0.0.0.0:*\n"}
    )
    recipe = iptables.recipe(target, needs(target))
    assert prove(target, recipe)
    worse = with_restored(recipe.ruleset, "*filter\n-I INPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n", family=4, backend="nft")  # fmt: skip  # noqa: E501
    found = prove(target, replace(recipe, ruleset=worse))
    assert any(one.startswith("22/tcp on every IPv4 address is lost for") for one in found.reasons)


def test_opening_another_socket_is_not_proven() -> None:
    sockets = "tcp LISTEN 0 9 *:2000 *:*\ntcp LISTEN 0 9 *:8443 *:*\n"
    target = changed("ipt17-compliant", {"ss.txt": sockets})
    opened = with_restored(target.evidence.policy.ruleset, "*filter\n-I INPUT -p tcp -m tcp --dport 8443 -j ACCEPT\nCOMMIT\n", family=4, backend="nft")  # fmt: skip  # noqa: E501
    found = prove(target, Recipe("ufw", "", opened))
    assert [one.partition(" for ")[0] for one in found.reasons] == [
        "8443/tcp on every IPv4 and IPv6 address is gained"
    ] * 2


def test_rule_that_rollback_would_leave_is_not_proven() -> None:
    target = recorded(EXPOSED)
    recipe = nft.recipe(target, needs(target))
    more = with_restored(recipe.ruleset, "*raw\n-I PREROUTING -p icmp -j ACCEPT\nCOMMIT\n", family=4, backend="nft")
    found = prove(target, replace(recipe, ruleset=more))
    assert found.reasons == ("rollback would leave ip raw PREROUTING other than it was",)


def test_networks_that_a_recipe_claims_to_let_in_must_be() -> None:
    target = recorded("ipt11-split-halves")
    opening = tuple(need for need in needs(target) if need.action == "open")
    recipe = replace(nft.recipe(target, needs(target)), opens=opening)
    found = prove(target, recipe)
    assert any("still cannot reach SIP over UDP (5060/udp)" in one for one in found.reasons)


def test_service_that_is_not_asked_about_may_stay_open() -> None:
    target = recorded(EXPOSED)
    sccp = [service for service in target.plan.services if service.name == "sccp"]
    recipe = nft.recipe(target, needs(target, sccp))
    assert prove(target, recipe, sccp)
    assert not prove(target, recipe)


def test_evidence_without_anything_of_a_boot_is_said_to_prove_nothing_of_it() -> None:
    target = recorded(EXPOSED)
    found = prove(target, nft.recipe(target, needs(target)))
    assert found.reasons == ()
    assert found.notes == ("the evidence does not tell what loads at boot: that the remedy lasts is not proven",)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.startswith(("boot", "f2b", "fpbx", "ipt", "nft", "ufw"))]
)
def test_host_is_proven_in_both_formats_or_refused_with_what_does_it(name: str) -> None:
    target = recorded(name)
    found = needs(target)
    for form in (nft, iptables) if found else ():
        try:
            recipe = form.recipe(target, found)
        except Refused as reason:
            assert "use --format" in str(reason)  # noqa: PT017 - both ends are right
            continue
        assert prove(target, recipe).reasons == ()
        assert isinstance(recipe.ruleset, Ruleset)
