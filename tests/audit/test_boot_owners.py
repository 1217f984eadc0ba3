"""Rules that services put in themselves are there after a boot, whatever is saved; in doubt nothing is said."""

from __future__ import annotations

import pytest

from callgate.audit.boot_owners import with_owners
from callgate.errors import NotDetermined
from callgate.evidence.boot import BootPlan
from callgate.firewall.dumps import read_ruleset
from callgate.firewall.rule import ChainName, Ruleset

SAVED = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n-A INPUT -s 192.168.1.0/24 -j ACCEPT\nCOMMIT\n"
BANNED = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A INPUT -s 192.168.1.0/24 -j ACCEPT
-A f2b-sshd -s 203.0.113.66/32 -j REJECT --reject-with icmp-port-unreachable
-A f2b-sshd -j RETURN
COMMIT
"""
DOCKER = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 12000 -j DNAT --to-destination 172.17.0.2:2000
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
-A INPUT -s 192.168.1.0/24 -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 2000 -j ACCEPT
COMMIT
"""
NOTHING = '{"nftables": [{"metainfo": {"json_schema_version": 1}}]}'


def read(save: str) -> Ruleset:
    return read_ruleset({"iptables-save.txt": save} if save else {"nft.json": NOTHING})


def rules(ruleset: Ruleset, table: str, chain: str) -> list[str]:
    return [rule.text for rule in ruleset.chains[ChainName("nft", "ip", table, chain)].rules]


def starting(**owners: bool | None) -> BootPlan:
    return BootPlan(owners=owners)


def test_rulesets_without_owners_are_left_as_they_are() -> None:
    booted = read(SAVED)
    assert with_owners(read(SAVED), booted, starting(fail2ban=True)) == (booted, ())


def test_bans_come_back_before_the_saved_rules() -> None:
    merged, notes = with_owners(read(BANNED), read(SAVED), starting(fail2ban=True))
    assert [rules(merged, "filter", name) for name in ("INPUT", "f2b-sshd")] == [
        rules(read(BANNED), "filter", name) for name in ("INPUT", "f2b-sshd")
    ]
    assert "fail2ban is taken to put the same rules in again" in notes[0]
    assert {base.chain.name.chain: base.policy for base in merged.base_chains} == {"INPUT": "drop", "FORWARD": "drop"}
    assert all(base.chain is merged.chains[base.chain.name] for base in merged.base_chains)


def test_a_rule_of_the_running_kernel_that_is_nobodys_does_not_come_back() -> None:
    loose = BANNED.replace("-A INPUT -s", "-A INPUT -p tcp -m tcp --dport 2000 -j ACCEPT\n-A INPUT -s")
    merged, _ = with_owners(read(loose), read(SAVED), starting(fail2ban=True))
    assert [text[:40] for text in rules(merged, "filter", "INPUT")] == [
        text[:40] for text in rules(read(BANNED), "filter", "INPUT")
    ]
    chain = merged.chains[ChainName("nft", "ip", "filter", "INPUT")]
    assert [rule.position for rule in chain.rules] == [1, 2]


def test_owner_that_does_not_start_leaves_nothing() -> None:
    booted = read(SAVED)
    merged, notes = with_owners(read(BANNED), booted, starting(fail2ban=False))
    assert merged is booted
    assert notes == ("fail2ban does not start at boot: its rules are gone then",)


def test_where_nothing_is_saved_the_owner_makes_its_table_with_an_open_policy() -> None:
    merged, _ = with_owners(read(BANNED), read(""), starting(fail2ban=True))
    assert len(rules(merged, "filter", "INPUT")) == 1
    assert [(base.chain.name.chain, base.policy) for base in merged.base_chains] == [("INPUT", "accept")]


def test_docker_comes_back_with_its_translations() -> None:
    merged, _ = with_owners(read(DOCKER), read(SAVED), starting(docker=True))
    for table, chain in (("nat", "PREROUTING"), ("nat", "DOCKER"), ("filter", "FORWARD"), ("filter", "DOCKER")):
        assert rules(merged, table, chain) == rules(read(DOCKER), table, chain)
    assert rules(merged, "filter", "INPUT") == rules(read(SAVED), "filter", "INPUT")


def test_docker_rules_that_were_saved_count_once() -> None:
    merged, _ = with_owners(read(DOCKER), read(DOCKER), starting(docker=True))
    assert rules(merged, "filter", "FORWARD") == rules(read(DOCKER), "filter", "FORWARD")


@pytest.mark.parametrize(
    ("running", "saved", "plan", "why"),
    [
        (BANNED, SAVED, starting(), "whether fail2ban"),
        # docker.socket starts it as well.
        (DOCKER, SAVED, starting(docker=False), "whether docker"),
        (DOCKER, SAVED.replace(":FORWARD DROP", ":FORWARD ACCEPT"), starting(docker=True), "the policy of ip filter"),
        (DOCKER, "", starting(docker=True), "the policy of ip filter"),
        (
            BANNED.replace("-A INPUT -p", "-A INPUT -i eth9 -j DROP\n-A INPUT -p"),
            SAVED,
            starting(fail2ban=True),
            "where fail2ban puts its rules",
        ),
        (BANNED.replace("f2b-", "NETAVARK-"), SAVED, starting(), "whether podman"),
    ],
)
def test_doubt_is_no_answer(running: str, saved: str, plan: BootPlan, why: str) -> None:
    with pytest.raises(NotDetermined, match=why):
        with_owners(read(running), read(saved), plan)


def test_by_hand_owners_are_taken_to_start() -> None:
    merged, notes = with_owners(read(BANNED), read(SAVED), BootPlan(units_told=False))
    assert len(rules(merged, "filter", "INPUT")) == 2
    assert notes
