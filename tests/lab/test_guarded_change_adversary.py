"""The guard on hosts where the change takes away what the guard stands on, and firewalls that tools misread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import pytest
from tests.lab.guarded_host import CLOSED, OPENED, GuardedHost, at_once, firewall, leftovers, lone_hosts

from callgate.change.guarded.report import State
from callgate.lab.availability import lab_unavailable
from callgate.lab.host import LabHost
from callgate.lab.pytest_fixtures import require, require_tool

pytestmark = pytest.mark.lab


@contextmanager
def hosts(count: int) -> Iterator[list[LabHost]]:
    require(lab_unavailable())
    with lone_hosts(count) as built:
        yield built


# iptables-save says that it knows this table, and makes "-j ACCEPT" of its first rule.
MISREAD: Final = """\
table ip filter {
  chain INPUT {
    type filter hook input priority 0; policy drop;
    ip saddr { 192.0.2.1, 192.0.2.9 } accept
    ip saddr 192.168.1.3-192.168.1.9 udp dport { 5060, 5061 } counter accept
  }
}
"""
BEHIND_ITS_BACK: Final = {
    "a set": "iptables-nft -A INPUT -p tcp -m multiport --dports 22,2000 -j ACCEPT; "
    "nft insert rule ip filter INPUT ip saddr '{ 192.0.2.1, 192.0.2.9 }' counter accept",
    "a range": "iptables-nft -A INPUT -p tcp -m multiport --dports 22,2000 -j ACCEPT; "
    "nft insert rule ip filter INPUT ip saddr 192.0.2.1-192.0.2.9 counter accept",
    "what iptables cannot say": "iptables-nft -A INPUT -p tcp -m multiport --dports 22,2000 -j ACCEPT; "
    "nft insert rule ip filter INPUT ct state established accept",
}


def test_rules_that_iptables_would_save_as_others_are_restored_as_they_were_or_not_put_at_risk() -> None:
    with hosts(1 + len(BEHIND_ITS_BACK)) as (native, *mixed):
        native.load_nft(MISREAD)
        before = firewall(native)
        change = GuardedHost(native, "nft flush ruleset; exit 1", "true")
        change.applied()
        report = change.ended()
        assert (report.state, firewall(native)) == (State.RESTORED, before), report.log
        for host, (name, rules) in zip(mixed, BEHIND_ITS_BACK.items(), strict=True):
            host.run(["sh", "-c", rules])
            change = GuardedHost(host, "true", "true")
            report = change.guard.arm(change.plan)
            assert report.state is State.REFUSED, name
            assert "mixes rules of iptables with what is nft's own" in report.refused, name
            assert leftovers(host) == []


def test_what_iptables_alone_made_is_no_mixture() -> None:
    made = (
        "-s 192.0.2.1 -j DROP",
        "-p tcp --dport 1000:2000 -j ACCEPT",
        "-m iprange --src-range 192.0.2.1-192.0.2.9 -j ACCEPT",
        "-p udp -m multiport --dports 5060,5061 -m comment --comment '{ \"set\": x }' -j ACCEPT",
        "-m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "-p icmp -m limit --limit 5/sec -j ACCEPT",
        "-i eth+ ! -s 10.0.0.0/8 -p tcp --syn -j REJECT --reject-with tcp-reset",
        "-j LOG --log-prefix 'in: '",
    )
    with hosts(1) as (host,):
        host.run(["sh", "-ec", "; ".join(f"iptables-nft -A INPUT {rule}" for rule in made)])
        host.run(["sh", "-ec", "iptables-nft -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to 192.168.1.10:80"])
        before = rules(host)
        change = GuardedHost(host, "nft insert rule ip filter INPUT ip saddr '{ 192.0.2.77 }' accept; exit 1", "true")
        assert change.applied().apply_code == 1
        report = change.ended()
        assert (report.state, rules(host)) == (State.RESTORED, before), report.log


LASTS: Final = f"{OPENED}; rm -rf /run/callgate-change*; (sleep 4; {OPENED}) & sleep 30"
FILLS: Final = f"{OPENED}; iptables-nft -F; head -c 9000000 /dev/zero >/run/fill; exit 1"
TAKEN_AWAY: Final = {
    "folder and lock": (f"{OPENED}; rm -rf /run/callgate-change*", "true"),
    "while it goes on": (LASTS, "true"),
    "what is in the folder": (f"{OPENED}; rm -rf /run/callgate-change-*/*; sleep 30", "nft -f /root-has-none"),
    "the room": (FILLS, "true"),
    "an interface that a table needs": (f"{OPENED}; ip link del eth1; exit 1", "true"),
}


def test_a_change_that_takes_the_guards_ground_away_is_rolled_back_all_the_same() -> None:
    with hosts(len(TAKEN_AWAY)) as built:
        changes, before = {}, {}
        for host, (name, (apply, rollback)) in zip(built, TAKEN_AWAY.items(), strict=True):
            host.run(["sh", "-c", "iptables-nft -A INPUT -p tcp -m multiport --dports 22,2000 -j ACCEPT"])
            if name == "the room":
                host.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", "/run"])
            if "interface" in name:
                host.load_nft('table inet edge {\n chain c {\n iif "eth1" accept\n}\n}\n')
            before[name] = rules(host)
            # Nobody fires it: whoever took the ground away has locked the auditor out, too.
            changes[name] = GuardedHost(host, apply, rollback, confirm_within=60)

        def check(name: str) -> None:
            change = changes[name]
            change.applied()
            report = change.ended()
            time.sleep(4)  # what was left in the background had its time
            assert rules(change.host) == before[name], (name, report.log)
            if name == "the room":
                assert report.state is State.RESTORED, report.log
            if "folder" in name:
                assert report.reason == "what the guard keeps on the host was removed"
            running = change.host.run(["ps", "-eo", "args"]).stdout
            assert "sleep 30" not in running, name
            change.guard.clear()
            assert leftovers(change.host) == [], name

        at_once(*(partial(check, name) for name in TAKEN_AWAY))


def rules(host: LabHost) -> str:
    """The rules of the protected table and of iptables."""
    return host.run(["sh", "-c", "nft -s list table inet lab; iptables-nft-save | grep -e ^-A"]).stdout


def test_where_there_is_no_room_nothing_is_begun() -> None:
    with hosts(1) as (host,):
        host.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", "/run"])
        change = GuardedHost(host, "true", "true")
        report = change.guard.arm(change.plan)
        assert (report.state, report.refused) == (State.REFUSED, "there is no room in /run")
        assert leftovers(host) == []


def test_commands_make_files_as_a_login_does_and_what_is_confirmed_outlives_its_folder() -> None:
    with hosts(1) as (host,):
        change = GuardedHost(host, f"umask; {CLOSED}", "true", confirm_within=20)
        run = change.connection.run
        change.connection.run = lambda seconds, command, *more: run(  # type: ignore[method-assign]
            seconds, f"umask 0027; {command}", *more
        )
        report = change.applied()
        assert report.apply_output == "0027"
        after = firewall(host)
        assert change.guard.confirm().state is State.CONFIRMED
        host.run(["sh", "-c", "rm -rf /run/callgate-change*"])
        time.sleep(1)
        assert firewall(host) == after
        assert leftovers(host) == []


def test_large_sets_and_sets_of_any_name_are_restored() -> None:
    require_tool("ipset")
    names = ("a.b", "a-b", "a*", "[x]", "^c", "a/b", "a&b", "$d")
    with hosts(1) as (host,):
        host.run(
            ["ipset", "restore"], stdin="".join(f"create {name} hash:net\nadd {name} 10.0.0.0/9\n" for name in names)
        )
        many = "".join(f"add many 10.{n // 250}.{n % 250}.0/24\n" for n in range(40_000))
        host.run(["ipset", "restore"], stdin="create many hash:net\n" + many)
        before = sorted(firewall(host).splitlines())
        wreck = "for set in $(ipset list -n); do ipset flush $set; ipset add $set 192.0.2.7; done; exit 1"
        change = GuardedHost(host, f"set -f; {wreck}", "true", apply_within=9)
        change.applied()
        begun = time.monotonic()
        report = change.ended()
        assert report.state is State.RESTORED, report.log
        assert time.monotonic() - begun < 8
        assert sorted(firewall(host).splitlines()) == before


def test_commands_that_a_login_shell_changed_on_their_way_are_not_run() -> None:
    with hosts(1) as (host,):
        change = GuardedHost(host, "printf 'a\\\\b'", "true")
        run = change.connection.run
        # fish takes two backslashes for one, also between single quotes.
        change.connection.run = lambda seconds, command, *more: run(  # type: ignore[method-assign]
            seconds, command, *(one.replace("\\\\", "\\") if one == change.plan.apply else one for one in more)
        )
        report = change.guard.arm(change.plan)
        assert report.state is State.REFUSED
        assert report.refused == "the login shell changes the commands on their way"
        assert leftovers(host) == []
