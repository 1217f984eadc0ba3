from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime

import pytest
from tests.change.remedy.recorded import changed, recorded, texts_of

from callgate.audit.target import Target
from callgate.baseline.service import CATALOGUE
from callgate.change.remedy import nft
from callgate.change.remedy.gate import disjoint, gate_format, without_gate
from callgate.change.remedy.need import Need, needs
from callgate.change.remedy.nft_gate import table_text
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import bundle_of
from callgate.evidence.stream import FileState, Taken


def made(name: str) -> Recipe:
    target = recorded(name)
    return nft.recipe(target, needs(target))


def gate_file(recipe: Recipe) -> str:
    return recipe.files["etc/callgate/gate.nft"]


def test_strangers_are_dropped_in_a_table_of_our_own() -> None:
    assert (
        gate_file(made("ipt01-given"))
        == """\
# Written by a Callgate remedy; `rollback` of the same script removes it.
table inet callgate
delete table inet callgate
table inet callgate {
	set trusted4 {
		type ipv4_addr
		flags interval
		elements = { 192.168.1.0/24 }
	}
	set trusted6 {
		type ipv6_addr
		flags interval
		elements = { fd00:1::/64 }
	}
	chain input {
		type filter hook input priority -150; policy accept;
		iifname "lo" accept
		ip saddr @trusted4 accept
		ip6 saddr @trusted6 accept
		tcp dport { 2000, 5060 } drop
		ct direction reply accept
		meta nfproto ipv6 udp dport 5060 drop
	}
}
"""
    )


def test_transit_is_no_matter_of_the_gate() -> None:
    forward = gate_file(made("dk01-published")).partition("\tchain forward {\n")[2]
    dropping = [line.strip() for line in forward.splitlines() if line.endswith(" drop")]
    assert dropping
    assert all("ct status dnat" in line or "ip daddr 172.17.0.0/16" in line for line in dropping)


def test_port_that_was_sent_to_stands_alone_in_its_rule() -> None:
    rules = [line for line in gate_file(made("ipt06-redirect-away")).splitlines() if "proto-dst" in line]
    assert rules == ["\t\tmeta nfproto ipv4 meta l4proto udp ct original proto-dst 5060 drop"]


def test_chain_that_refuses_phones_accepts_them_at_its_head() -> None:
    recipe = made("nft03-vmap-leak")
    inserted = [line for line in gate_file(recipe).splitlines() if line.startswith(("add", "insert"))]
    assert inserted == [
        "add table inet filter",
        "add chain inet filter input",
        'insert rule inet filter input iifname "eth0" ip6 saddr fd00:1::/64 tcp dport 5060 accept comment "callgate"',
        'insert rule inet filter input iifname "eth0" ip saddr 192.168.1.0/24 tcp dport 5060 accept comment "callgate"',
    ]
    assert [need.service.name for need in recipe.opens] == ["sip-tcp", "sip-tcp"]


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("fw01-default-public", "firewalld refuses: use --format firewalld"),
        ("ufw02-allow-lan", "ufw refuses: use --format ufw"),
        ("dk02-docker-user", "iptables refuses: use --format iptables"),
    ],
)
def test_chain_of_a_manager_is_left_to_its_own_format(name: str, instead: str) -> None:
    with pytest.raises(Refused, match=instead):
        made(name)


def test_what_is_closed_is_closed_though_nothing_can_be_opened_here() -> None:
    recipe = made("fw23-nft-behind")
    assert gate_format(recipe.ruleset) == "nft"
    assert recipe.opens == ()
    assert any("use --format firewalld" in note for note in recipe.notes)
    assert "# " + "  not done: " in recipe.script


def test_interface_that_the_site_names_as_the_phones_own_is_spared() -> None:
    target = changed("ipt01-given", voice_interfaces=["voice0"])
    assert 'iifname "voice0" accept' in gate_file(nft.recipe(target, needs(target)))


def test_networks_that_overlap_are_written_once() -> None:
    target = changed("ipt01-given", trusted=["192.168.1.0/24", "192.168.1.128/25", "192.168.0.0/24", "fd00:1::/64"])
    assert "elements = { 192.168.0.0/23 }" in gate_file(nft.recipe(target, needs(target)))


def test_ranges_that_overlap_are_joined() -> None:
    assert disjoint([(5, 9), (1, 3), (8, 12), (20, 20), (20, 20)]) == ((1, 3), (5, 12), (20, 20))


def test_host_without_nft_is_told_which_format_does_it() -> None:
    given = recorded("ipt01-given").evidence.bundle
    taken = [Taken(name, name, FileState.COLLECTED, 0, given.read(name), "") for name in given.names()
             if name.endswith((".txt", ".json")) and name not in ("nft.json", "nft.txt", "expected.json")]  # fmt: skip
    taken.append(Taken("nft.json", "nft -j list ruleset", FileState.TOOL_MISSING, 127, b"", "nft: not found"))
    target = recorded("ipt01-given")
    bundle = bundle_of("ssh://pbx1", datetime(2026, 11, 22, tzinfo=UTC), "0", taken)
    with pytest.raises(Refused, match="the host has no nft: use --format iptables"):
        nft.recipe(target_of(bundle, target.plan), needs(target))


def test_gate_taken_out_of_the_ruleset_leaves_the_rules_of_before() -> None:
    for name in ("ipt01-given", "nft14-reject-rst", "dk01-published"):
        recipe = made(name)
        assert gate_format(recipe.ruleset) == "nft"
        rolled_back = without_gate(recipe.ruleset)
        assert gate_format(rolled_back) is None
        assert texts_of(rolled_back) == texts_of(recorded(name).evidence.policy.ruleset)


def test_interface_name_that_is_none_is_refused() -> None:
    target = recorded("nft14-reject-rst")
    need = next(need for need in needs(target) if need.action == "open")
    hostile = Need("open", need.service, 4, need.where, need.networks, interface='eth0"; drop; #')
    with pytest.raises(Refused, match="which no rule can name"):
        nft.recipe(target, (hostile,))


def hostile(text: str) -> Target:
    """A host whose evidence is made to break out of a comment."""
    return changed("ipt01-given", {"ss.txt": f'tcp LISTEN 0 9 *:2000 *:* users:(("{text}",pid=1,fd=3))\n'})


def test_hostile_text_stays_in_its_line_of_comment() -> None:
    service = CATALOGUE["sccp"]
    text = "every stranger\n$(touch /tmp/x) `id` '; rm -rf /\n\x1b[2J\u2028CALLGATE_END\ndrop"
    networks = recorded("ipt01-given").plan.site.trusted
    need = Need("close", service, 4, frozenset({"input"}), networks, found=text)
    script = nft.recipe(hostile("x"), (need,)).script
    header = script.partition("\nset -u\n")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    assert "\x1b" not in script
    assert "touch" not in script.partition("\nset -u\n")[2]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_script_is_sound_for_the_shell_and_does_nothing_when_it_is_cut_short(shell: str) -> None:
    script = made("nft14-reject-rst").script
    subprocess.run([shell, "-n"], input=script.encode(), check=True)
    lines = script.splitlines(keepends=True)
    for cut in range(len(lines) - 1):
        # Only definitions and settings stand outside of functions before the last line.
        assert not re.match(r"(main|apply|rollback|load|nft|systemctl|rm|mv)\b(?!\(\))", lines[cut])
    assert lines[-1] == 'main "${1:-apply}" </dev/null\n'


def test_gate_without_anything_to_drop_has_no_chain() -> None:
    from callgate.change.remedy.gate import Gate

    assert "chain" not in table_text(Gate((), (), {"input": (), "forward": ()}))
