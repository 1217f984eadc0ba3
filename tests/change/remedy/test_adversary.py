"""Remedies against what hosts and their evidence can do to them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.change.remedy.recorded import HOSTS, plan, recorded

from callgate.audit.target import Target
from callgate.change.remedy import ansible, nft
from callgate.change.remedy.foreseen import foreseen_target, with_restored
from callgate.change.remedy.gate import without_gate
from callgate.change.remedy.need import needs
from callgate.change.remedy.recipe import Format, Refused
from callgate.change.remedy.remedy import remedy
from callgate.change.remedy.script import here
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import read_bundle

FORMATS: tuple[Format, ...] = ("nft", "iptables")
_RAW = """\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING {rule} -j NOTRACK
COMMIT
"""


def untracking(rule: str) -> Target:
    """A host that is open over IPv6, with a rule that keeps flows of that family untracked."""
    target = recorded("ipt09-v4-tight-v6-open")
    ruleset = with_restored(target.evidence.policy.ruleset, _RAW.format(rule=rule), family=6, backend="nft")
    return foreseen_target(target, ruleset)


@pytest.mark.parametrize("form", FORMATS)
def test_standing_tcp_flows_of_hosts_that_track_nothing_do_not_pass_as_replies(form: Format) -> None:
    found = remedy(recorded("ipt01-given"), form)
    assert found is not None
    (text,) = [text for name, text in found.recipe.files.items() if name.endswith(("gate.nft", "gate.v4"))]
    assert text.index("2000") < text.index("reply" if form == "nft" else "REPLY") > text.index("192.168.1.0/24")


def test_replies_over_tcp_pass_where_flows_were_tracked_before() -> None:
    target = recorded("nft03-vmap-leak")
    assert target.evidence.policy.ruleset.tracked
    text = nft.recipe(target, needs(target)).files["etc/callgate/gate.nft"]
    assert text.index("ct direction reply") < text.index("@trusted4 accept") < text.index("tcp dport")


@pytest.mark.parametrize("form", FORMATS)
def test_what_only_the_gate_tracks_is_untracked_without_it(form: Format) -> None:
    target = recorded("ipt01-given")
    found = remedy(target, form)
    assert found is not None
    then = foreseen_target(target, found.recipe.ruleset).evidence.policy.ruleset
    assert then.tracked > target.evidence.policy.ruleset.tracked
    assert without_gate(then).tracked == target.evidence.policy.ruleset.tracked


@pytest.mark.parametrize("form", FORMATS)
def test_host_whose_trunks_are_untracked_gets_no_remedy_that_would_cut_them_off(form: Format) -> None:
    target = untracking("-p udp -m udp --dport 5060")
    with pytest.raises(Refused, match=r"PREROUTING rule 1: .* keeps flows untracked"):
        remedy(target, form)


@pytest.mark.parametrize("rule", ["-p udp -m udp --dport 53", "-i lo", "-p tcp -m tcp --dport 5060"])
def test_untracked_flows_of_others_refuse_no_remedy(rule: str) -> None:
    target = untracking(rule)
    assert remedy(target, "nft") is not None


def test_text_that_ends_the_here_document_is_refused_and_no_other_is() -> None:
    with pytest.raises(Refused, match="CALLGATE_END"):
        here("gate_text", "add table ip x\nCALLGATE_END\nrm -rf /\n")
    assert 'iifname "CALLGATE_END"' in here("gate_text", 'iifname "CALLGATE_END" accept\n')


@pytest.mark.parametrize("name", ["all", "ungrouped"])
def test_bundle_named_like_a_group_of_every_inventory_is_no_default_host(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.symlink_to(HOSTS / "ipt01-given")
    target = target_of(read_bundle(folder), plan())
    assert target.name == name
    text = ansible.playbook(target, nft.recipe(recorded("ipt01-given"), needs(recorded("ipt01-given"))))
    assert '  hosts: "{{ callgate_host }}"\n' in text


@pytest.mark.parametrize("form", ["nft", "iptables"])
def test_gate_file_that_cannot_be_read_leaves_the_gate_in_place(form: Format, tmp_path: Path) -> None:
    found = remedy(recorded("ipt01-given"), form)
    assert found is not None
    log = tmp_path / "log"
    for tool in ("nft", "iptables", "ip6tables", "iptables-restore", "ip6tables-restore"):
        path = tmp_path / tool
        path.write_text(f'#!/bin/sh\necho "{tool} $*" >>"{log}"\n[ "$2" = -f ] || [ "$1" = -f ] && cat >>"{log}"\n:\n')
        path.chmod(0o755)
    functions = found.recipe.script.partition("\nwrite_unit() {")[0].partition("\nsay() {")[2]
    program = f'PATH={tmp_path}:$PATH\nsay() {{{functions}\nload "{tmp_path}/none" 2>/dev/null || echo failed\n'
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout == "failed\n"
    said = log.read_text() if log.exists() else ""
    assert "delete table" not in said
    assert " -F " not in said
