"""Remedies that ufw takes, applied to a real one; and why it has none where something stands before its chains."""

from __future__ import annotations

import pytest
from tests.lab.remedied_host import called, differing, live, phones, run, serve, strangers_in

from callgate.change.remedy.need import needs
from callgate.change.remedy.recipe import Refused
from callgate.change.remedy.remedy import remedy
from callgate.lab.boot_files import reboot
from callgate.lab.pytest_fixtures import require
from callgate.lab.topology import Lab
from callgate.lab.ufw import Ufw, start_ufw, ufw_unavailable

pytestmark = pytest.mark.lab

FILES = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")


@pytest.fixture
def ufw(lab: Lab) -> Ufw:
    """ufw with the rules of many hosts: the LAN is allowed, and then everybody is."""
    require(ufw_unavailable())
    serve(lab)
    started = start_ufw(lab.pbx)
    started.command("allow", "22/tcp")
    started.command("allow", "from", "192.168.1.0/24", "to", "any", "port", "2000", "proto", "tcp")
    started.command("allow", "2000/tcp", "comment", "phones")
    started.command("limit", "5060")
    started.command("reload")  # until then its limits of IPv6 have no chain to go to
    return started


def files(ufw: Ufw) -> dict[str, str]:
    return {name.lstrip("/"): ufw.host.run(["cat", name]).stdout for name in FILES}


def told(ufw: Ufw) -> tuple[str, str, dict[str, str]]:
    return ufw.command("status", "verbose"), ufw.command("show", "added"), files(ufw)


def test_remedy_holds_is_idempotent_survives_a_reboot_and_is_taken_back(lab: Lab, ufw: Ufw) -> None:
    before, then = live(lab), told(ufw)
    assert strangers_in(called(lab))
    found = remedy(before, "ufw")
    assert found is not None
    # ufw takes no second rule for the same packets, and answers 0: two halves stand for everybody.
    assert "deny in proto tcp from 0.0.0.0/1 to 0.0.0.0/0 port 2000" in found.recipe.script

    done = run(lab, found.recipe.script)
    assert (done.returncode, done.stderr) == (0, "")
    assert {name: text for name, text in files(ufw).items() if name in found.recipe.files} == found.recipe.files
    after = live(lab)
    assert differing(after, found.recipe.ruleset) == []
    assert needs(after) == ()
    assert called(lab) == phones()
    applied = told(ufw)
    again = run(lab, found.recipe.script)
    assert (again.returncode, again.stdout.splitlines()) == (0, ["callgate: applied"])
    assert told(ufw) == applied
    assert run(lab, found.recipe.script, "status").returncode == 0

    rebooted = reboot(lab.pbx)
    assert (rebooted.started, rebooted.complaints) == (("ufw.service",), {})
    assert called(lab) == phones()
    assert run(lab, found.recipe.script, "rollback").returncode == 0
    assert told(ufw) == then
    assert differing(live(lab), before.evidence.policy.ruleset) == []
    assert run(lab, found.recipe.script, "status").returncode == 1


def test_rule_behind_its_back_is_beyond_it_and_the_format_that_closes_it_is_named(lab: Lab, ufw: Ufw) -> None:
    for tool in ("iptables", "ip6tables"):
        lab.pbx.run([tool, "-I", "INPUT", "-p", "tcp", "--dport", "2000", "-j", "ACCEPT"])
    target = live(lab)
    with pytest.raises(Refused, match=r"INPUT rule 1: tcp dport 2000 accept[^$]*the formats nft and iptables may do"):
        remedy(target, "ufw")
    found = remedy(target, "nft")
    assert found is not None
    assert run(lab, found.recipe.script).returncode == 0
    assert strangers_in(called(lab)) == frozenset()


def test_rule_that_ufw_does_not_take_undoes_what_was_done(lab: Lab, ufw: Ufw) -> None:
    found = remedy(live(lab), "ufw")
    assert found is not None
    ufw.command("allow", "from", "::/1", "to", "any", "port", "2000", "proto", "tcp")  # since the evidence was taken
    then = told(ufw)
    done = run(lab, found.recipe.script)
    assert done.returncode == 1
    assert "ufw did not take: deny in proto tcp from ::/1 to ::/0 port 2000" in done.stderr
    assert "Skipping inserting existing rule" in done.stderr
    assert told(ufw) == then
