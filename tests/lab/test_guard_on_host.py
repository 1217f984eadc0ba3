"""The guard alone, on real hosts: it rolls back what nobody confirms, and restores what a rollback does not."""

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


def test_what_is_confirmed_stays_and_the_guard_leaves_nothing() -> None:
    with hosts(1) as (host,):
        change = GuardedHost(host, f"echo begun; {CLOSED}; echo done >&2", "false", confirm_within=20)
        report = change.applied()
        assert (report.state, report.apply_code, report.apply_output) == (State.ARMED, 0, "begun\ndone")
        after = firewall(host)
        assert "192.168.1.99" in after
        assert change.guard.confirm().state is State.CONFIRMED
        assert change.guard.fire(1).state is State.CONFIRMED, "what was confirmed is rolled back by nobody"
        assert change.guard.clear().state is State.CLEARED
        assert firewall(host) == after
        assert leftovers(host) == []
        assert change.guard.wait(0).state is State.GONE


FAILURES: Final = {
    # apply, rollback, state, code of the apply command, code of the rollback command
    "nobody confirms": (OPENED, "exit 1", "restored", 0, 1),
    "by the rollback command": (OPENED, "nft flush table inet lab && nft -f /run/old", "rolled-back", 0, 0),
    "apply fails": (f"{OPENED}; exit 7", "true", "restored", 7, 0),
    "apply fails before it does anything": ("exit 7", "exit 8", "rolled-back", 7, 8),
    "apply hangs": (f"{OPENED}; sleep 600 & sleep 600", "true", "restored", 124, 0),
    "apply will not be ended": (
        f"trap '' TERM; {OPENED}; while :; do sleep 1; done",
        "true",
        "restored",
        124,
        0,
    ),
    "rollback hangs": (OPENED, "sleep 600", "restored", 0, 124),
    "rollback does nothing": (OPENED, "true", "restored", 0, 0),
    "rollback makes it worse": (OPENED, "nft flush ruleset", "restored", 0, 0),
    "apply goes on in the background": (f"(sleep 4; {OPENED}; {OPENED}) & exit 0", "true", "rolled-back", 0, 0),
}


def test_whatever_fails_the_firewall_is_what_it_was() -> None:
    with hosts(len(FAILURES)) as built:
        before = {}
        changes = {}
        for host, (name, (apply, rollback, *_)) in zip(built, FAILURES.items(), strict=True):
            host.run(["sh", "-c", "nft list ruleset >/run/old"])
            before[name] = firewall(host)
            changes[name] = GuardedHost(host, apply, rollback, confirm_within=2)

        def check(name: str) -> None:
            change = changes[name]
            change.applied()
            report = change.ended()
            _, _, state, apply_code, rollback_code = FAILURES[name]
            told = (str(report.state), report.apply_code, report.rollback_code)
            assert told == (state, apply_code, rollback_code), (name, report.log)
            time.sleep(2.5)  # what was left in the background had its time
            assert firewall(change.host) == before[name], name
            change.guard.clear()
            assert leftovers(change.host) == [], name
            running = change.host.run(["ps", "-eo", "args"]).stdout
            assert "sleep 600" not in running, name

        at_once(*(partial(check, name) for name in FAILURES))


LEGACY: Final = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:phones - [0:0]
-A INPUT -m set --match-set phones src -j phones
-A phones -p tcp -m multiport --dports 2000,2443 -j ACCEPT
COMMIT
"""
# All chains that iptables knows: it makes the others, too, where it restores a table.
MANGLE: Final = """\
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m multiport --dports 2000,2443 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
"""
FILTER6: Final = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""
MIXED: Final = """\
table ip filter {
  set known { type ipv4_addr; elements = { 192.168.1.5, 192.168.1.7 }; }
  counter seen { packets 3 bytes 180; }
  chain input { type filter hook input priority 0; policy drop; ip saddr @known counter accept; }
}
table netdev edge { chain in { type filter hook ingress device "eth1" priority 0; policy accept; udp dport 69 drop; }; }
table inet asleep { flags dormant; chain input { type filter hook input priority 0; policy drop; }; }
"""
WRECK: Final = """\
nft flush ruleset
iptables-legacy -F; iptables-legacy -X; iptables-legacy -P INPUT ACCEPT; iptables-legacy -t nat -A PREROUTING -j ACCEPT
ipset flush; ipset add phones 0.0.0.0/1; ipset destroy spare; ipset create more hash:ip; ipset create both list:set
ipset add both more; iptables-nft -t mangle -A PREROUTING -m set --match-set more src -j ACCEPT
ip6tables-nft -A INPUT -j ACCEPT; nft add set ip6 filter x '{ type ipv6_addr; }'
nft add table ip filter; nft add table inet surplus
echo 1 >/proc/sys/net/ipv4/ip_forward; echo 2 >/proc/sys/net/ipv4/conf/eth1/rp_filter
exit 1
"""


def test_every_kind_of_firewall_is_restored_together() -> None:
    for tool in ("iptables-legacy", "ipset"):
        require_tool(tool)
    with hosts(1) as (host,):
        host.load_nft(MIXED)
        for set_ in ("phones hash:net", "spare hash:ip,port timeout 0 comment"):
            host.run(["sh", "-c", f"ipset create {set_}"])
        host.run(["ipset", "add", "phones", "192.168.1.0/24"])
        host.run(["ipset", "add", "spare", "192.168.1.9,tcp:2000", "comment", "a b"])
        host.load_iptables(LEGACY, legacy=True)
        host.load_iptables(MANGLE)
        host.load_iptables(FILTER6, family=6)
        before = firewall(host)
        change = GuardedHost(host, WRECK, "true")
        change.applied()
        report = change.ended()
        assert report.state is State.RESTORED, report.log
        now = firewall(host)
        # A table of the legacy way cannot be removed: it stays, and is empty.
        emptied = "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n"
        assert now.replace(emptied, "") == before.replace(emptied, "")


def test_a_confirmation_and_the_timer_never_both_win() -> None:
    count = 6
    with hosts(count) as built:
        changes = [GuardedHost(host, CLOSED, "nft flush table inet lab; nft -f /run/old") for host in built]
        won: list[bool] = []

        def race(change: GuardedHost, delay: float) -> None:
            change.host.run(["sh", "-c", "nft list ruleset >/run/old"])
            before = firewall(change.host)
            change.applied()
            after = firewall(change.host)
            time.sleep(delay)
            confirmed = change.guard.confirm().state is State.CONFIRMED
            report = change.ended()
            assert (report.state is State.CONFIRMED) is confirmed, report
            assert firewall(change.host) == (after if confirmed else before)
            won.append(confirmed)

        # The timer fires three seconds or so after the change.
        delays = (0, 2.4, 2.7, 3, 3.3, 5)
        at_once(*(partial(race, change, delay) for change, delay in zip(changes, delays, strict=True)))
        assert (won.count(True) >= 1, won.count(False) >= 1) == (True, True)


def test_two_changes_of_one_host_at_once_are_refused() -> None:
    with hosts(1) as (host,):
        first, second, third = (GuardedHost(host, CLOSED, "true", confirm_within=20) for _ in range(3))
        states: list[State] = []

        def start(change: GuardedHost) -> None:
            states.append(change.guard.arm(change.plan).state)

        at_once(partial(start, first), partial(start, second))
        assert sorted(states) == [State.ARMED, State.REFUSED]
        refused = third.guard.arm(third.plan)
        assert refused.state is State.REFUSED
        assert "another guarded change is under way" in refused.refused
        armed = next(one for one in (first, second) if one.guard.wait(0).state is State.ARMED)
        assert armed.plan.id in refused.refused
        assert armed.guard.fire(5).state is State.NOT_APPLIED
        assert third.guard.arm(third.plan).state is State.ARMED, "a change that has ended is in nobody's way"
        assert third.guard.fire(5).state is State.NOT_APPLIED


def test_a_change_that_was_fired_cannot_be_applied_any_more() -> None:
    with hosts(1) as (host,):
        before = firewall(host)
        change = GuardedHost(host, OPENED, "true")
        assert change.guard.arm(change.plan).state is State.ARMED
        assert change.guard.fire(5).state is State.NOT_APPLIED
        assert change.guard.apply(change.plan).state is State.NOT_APPLIED
        assert change.guard.confirm().state is State.NOT_APPLIED
        assert firewall(host) == before


def test_when_the_timer_is_killed_somebody_else_rolls_back() -> None:
    with hosts(2) as built:
        change, late = (GuardedHost(host, OPENED, "true", confirm_within=20) for host in built)
        before = [firewall(host) for host in built]
        for one in (change, late):
            one.applied()
            one.host.run(["sh", "-c", f"kill -9 $(cat /run/callgate-change-{one.plan.id}/watchdog)"])
            told = one.guard.wait(0)
            assert (told.state, told.watchdog) == (State.ARMED, False)
        assert change.guard.fire(10).state is State.RESTORED
        # Whoever rolls back may be killed too: the next one takes over.
        folder = f"/run/callgate-change-{late.plan.id}"
        late.host.run(["sh", "-c", f"mkdir {folder}/roller1; echo 999999 >{folder}/roller1/pid"])
        assert late.guard.fire(10).state is State.RESTORED
        assert [firewall(host) for host in built] == before


def test_the_clock_of_the_host_may_jump() -> None:
    with hosts(1) as (host,):
        # A clock that jumps ahead and back by years each time somebody asks.
        script = '#!/bin/sh\necho "$((2000 + $$ % 60))-01-01T00:00:00Z"\n'
        host.run(["sh", "-c", "mkdir -p /run/jump && cat >/run/jump/date && chmod 755 /run/jump/date"], stdin=script)
        change = GuardedHost(host, OPENED, "true", confirm_within=3)
        run = change.connection.run
        change.connection.run = lambda seconds, command, *more: run(  # type: ignore[method-assign]
            seconds, f"PATH=/run/jump:$PATH; export PATH; {command}", *more
        )
        before = firewall(host)
        begun = time.monotonic()
        change.applied()
        report = change.ended()
        assert report.state is State.RESTORED
        assert 3 <= time.monotonic() - begun < 9
        assert len({line[:4] for line in report.log}) > 2, "the log shows that the clock did jump"
        assert firewall(host) == before


def test_it_runs_under_busybox_too() -> None:
    busybox = require_tool("busybox")
    with hosts(1) as (host,):
        host.run(["sh", "-c", f"mkdir /run/bb && {busybox} --install -s /run/bb"])
        host.run(["sh", "-c", "rm -f /run/bb/ip /run/bb/ps"])
        change = GuardedHost(host, f"{OPENED}; sleep 600 & sleep 600", "sleep 600", confirm_within=2)
        run = change.connection.run
        change.connection.run = lambda seconds, command, *more: run(  # type: ignore[method-assign]
            seconds, f"PATH=/run/bb:$PATH; export PATH; {command}", *more
        )
        before = firewall(host)
        assert change.applied().apply_code == 124
        report = change.ended()
        assert (report.state, report.rollback_code) == (State.RESTORED, 124), report.log
        assert firewall(host) == before
        change.guard.clear()
        assert leftovers(host) == []


def test_who_may_not_read_the_firewall_may_not_change_it_under_guard() -> None:
    setpriv = require_tool("setpriv")
    with hosts(1) as (host,):
        change = GuardedHost(host, "true", "true")
        run = change.connection.run
        change.connection.run = lambda seconds, command, *more: run(  # type: ignore[method-assign]
            seconds, f"{setpriv} --reuid=65534 --regid=65534 --clear-groups {command}", *more
        )
        report = change.guard.arm(change.plan)
        assert report.state is State.REFUSED
        assert "cannot be saved" in report.refused
        assert leftovers(host) == []


def test_rules_that_no_tool_can_save_whole_are_not_put_at_risk() -> None:
    with hosts(1) as (host,):
        host.run(
            ["iptables-nft", "-A", "INPUT", "-p", "tcp", "-m", "string", "--string", "x", "--algo", "bm", "-j", "DROP"]
        )
        host.run(["nft", "add", "set", "ip", "filter", "mine", "{ type ipv4_addr; }"])
        before = firewall(host)
        change = GuardedHost(host, "true", "true")
        report = change.guard.arm(change.plan)
        assert report.state is State.REFUSED
        assert "mixes rules of iptables with what is nft's own" in report.refused
        assert firewall(host) == before


SYSTEMD_RUN: Final = """\
#!/bin/sh
echo "$*" >>/run/asked
case $1 in --quiet) ;; *) exit 1 ;; esac
while [ "$1" != sh ]; do shift; done
"""


@pytest.mark.parametrize(
    ("starts", "way"),
    [("setsid $@ &", "systemd"), ("exit 1", "session"), ("true", "session"), ("unshare -n $@ &", "session")],
    ids=["starts it", "refuses", "starts nothing", "elsewhere"],
)
def test_where_systemd_runs_the_timer_is_a_unit_of_its_own_if_that_works(starts: str, way: str) -> None:
    with hosts(1) as (host,):
        host.run(["mkdir", "-p", "/run/systemd/system", "/run/stub"])
        script = SYSTEMD_RUN + starts.replace("$@", '"$@" </dev/null >/dev/null 2>&1') + "\n"
        host.run(["sh", "-c", "cat >/run/stub/systemd-run && chmod 755 /run/stub/systemd-run"], stdin=script)
        change = GuardedHost(host, OPENED, "true", confirm_within=2)
        run = change.connection.run
        change.connection.run = lambda seconds, command, *more: run(  # type: ignore[method-assign]
            seconds, f"PATH=/run/stub:$PATH; export PATH; {command}", *more
        )
        before = firewall(host)
        assert change.applied().apply_code == 0
        folder = f"/run/callgate-change-{change.plan.id}"
        assert host.run(["cat", f"{folder}/way"]).stdout.strip() == way
        assert change.ended().state is State.RESTORED
        assert firewall(host) == before
        asked = host.run(["cat", "/run/asked"]).stdout.splitlines()
        verbs = [line.split()[-2] for line in asked]
        assert verbs == (["watch", "run"] if way == "systemd" else ["watch"])


def test_a_table_that_a_running_program_owns_is_told_to_be_beyond_the_guard() -> None:
    with hosts(1) as (host,):
        owner = "(echo 'add table inet owned { flags owner; }'; sleep 30) | nft -i"
        service = host.spawn(["sh", "-c", owner], log=host.directory / "owner")
        service.wait_ready(lambda: "owned" in firewall(host), 5)
        change = GuardedHost(host, f"{OPENED}; exit 1", "true")
        report = change.guard.arm(change.plan)
        assert report.state is State.ARMED, report
        assert "table inet owned belongs to a running program" in report.notes[0]
        change.guard.apply(change.plan)
        assert change.ended().state is State.RESTORED, "all else is restored"
