"""Firewalls, routers and neighbours that say no, on a real kernel: two network namespaces and a wire between them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from callgate.endpoint.answer import Answer, Finding, exchange_for, judge
from callgate.endpoint.exchange import Exchange, exchanges_to_json, observations_from_json
from callgate.endpoint.vantage import prober_source

pytestmark = pytest.mark.lab

# $1 what the prober runs, $2 its source, $3 the exchanges. The vantage is 192.0.2.1, the target 192.0.2.2.
WIRE = """
set -e
ip link set lo up
ip link add v0 type veth peer name v1
unshare --net sleep 60 & target=$!
trap 'kill $target' EXIT
until [ "$(readlink /proc/$target/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link set v1 netns $target
ip addr add 192.0.2.1/24 dev v0
ip -6 addr add 2001:db8::1/64 dev v0 nodad
ip link set v0 up
nsenter --target $target --net sh -e -c '
    ip link set lo up
    ip addr add 192.0.2.2/24 dev v1
    ip -6 addr add 2001:db8::2/64 dev v1 nodad
    ip link set v1 up
    echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
    echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
    nft -f -' <<'RULES'
table inet filter {
    chain input {
        type filter hook input priority 0; policy accept;
        meta nfproto ipv4 th dport 1001 reject with icmp type host-prohibited
        meta nfproto ipv6 th dport 1001 reject with icmpv6 type admin-prohibited
        meta nfproto ipv4 th dport 1002 reject with icmp type admin-prohibited
        meta nfproto ipv6 th dport 1002 reject with icmpv6 type addr-unreachable
        th dport 1003 reject with icmpx type port-unreachable
        meta nfproto ipv4 th dport 1004 reject with icmp type net-unreachable
        meta nfproto ipv6 th dport 1004 reject with icmpv6 type no-route
        tcp dport 1005 reject with tcp reset
        th dport 1006 drop
    }
}
RULES
nft -f - <<'RULES'
table inet own {
    chain output {
        type filter hook output priority 0; policy accept;
        th dport 1011 reject with icmpx type admin-prohibited
        th dport 1012 drop
    }
}
RULES
until ping -c 1 -W 1 192.0.2.2 >/dev/null 2>&1 || [ $((tries += 1)) -gt 20 ]; do sleep 0.1; done
"$1" -I -c "$2" "$3"
"""


def ask_over_the_wire(asked: Iterable[Exchange]) -> list[Finding]:
    exchanges = list(asked)
    missing = [tool for tool in ("unshare", "nsenter", "ip", "nft") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")
    enter = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*enter, "true"], capture_output=True).returncode:
        pytest.skip("user and network namespaces are not allowed here")
    done = subprocess.run(
        [*enter, "sh", "-c", WIRE, "sh", sys.executable, prober_source(), exchanges_to_json(exchanges)],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    observations = observations_from_json(done.stdout, exchanges)
    return [judge(exchange, seen) for exchange, seen in zip(exchanges, observations, strict=True)]


EXPECTED: dict[tuple[str, int], tuple[Answer, str]] = {
    ("192.0.2.2", 1001): (Answer.UNREACHABLE, "ICMP host administratively prohibited from 192.0.2.2"),
    ("2001:db8::2", 1001): (Answer.UNREACHABLE, "ICMP administratively prohibited from 2001:db8::2"),
    ("192.0.2.2", 1002): (Answer.UNREACHABLE, "ICMP communication administratively prohibited from 192.0.2.2"),
    ("2001:db8::2", 1002): (Answer.UNREACHABLE, "ICMP address unreachable from 2001:db8::2"),
    ("192.0.2.2", 1003): (Answer.REFUSED, "ICMP port unreachable from 192.0.2.2"),
    ("2001:db8::2", 1003): (Answer.REFUSED, "ICMP port unreachable from 2001:db8::2"),
    ("192.0.2.2", 1004): (Answer.UNREACHABLE, "ICMP network unreachable from 192.0.2.2"),
    ("2001:db8::2", 1004): (Answer.UNREACHABLE, "ICMP no route to destination from 2001:db8::2"),
    # This side's own firewall, a neighbour that is not there, and a network nobody routes: no news of the target.
    ("192.0.2.2", 1011): (Answer.NO_ROUTE, "nothing left the sending machine: "),
    ("2001:db8::2", 1011): (Answer.NO_ROUTE, "nothing left the sending machine: "),
    ("198.51.100.9", 2000): (Answer.NO_ROUTE, "nothing left the sending machine: ENETUNREACH"),
    ("2001:db9::9", 2000): (Answer.NO_ROUTE, "nothing left the sending machine: ENETUNREACH"),
}
OVER_TCP: dict[tuple[str, int], tuple[Answer, str]] = {
    ("192.0.2.2", 1005): (Answer.REFUSED, "connection refused (RST)"),
    ("2001:db8::2", 1005): (Answer.REFUSED, "connection refused (RST)"),
    ("192.0.2.2", 1006): (Answer.FILTERED, "no reply to the connection request in 4 s"),
    ("2001:db8::2", 1006): (Answer.FILTERED, "no reply to the connection request in 4 s"),
    # The kernel does not tell a TCP client that its own firewall drops.
    ("192.0.2.2", 1012): (Answer.FILTERED, "no reply to the connection request in 4 s"),
    ("192.0.2.9", 2000): (
        Answer.NO_ROUTE,
        "nothing left the sending machine: ICMP host unreachable from 192.0.2.1",
    ),
    ("2001:db8::9", 2000): (Answer.NO_ROUTE, "nothing left the sending machine: ICMP address unreachable"),
}
OVER_UDP: dict[tuple[str, int], tuple[Answer, str]] = {
    ("192.0.2.2", 1012): (Answer.NO_ROUTE, "nothing left the sending machine: EPERM"),
    ("2001:db8::2", 1012): (Answer.NO_ROUTE, "nothing left the sending machine: EPERM"),
    ("192.0.2.2", 1006): (Answer.NO_REPLY, "no reply to 3 datagrams in 2 s"),
    ("2001:db8::2", 1006): (Answer.NO_REPLY, "no reply to 3 datagrams in 2 s"),
}


@pytest.mark.parametrize(("transport", "more"), [("tcp", OVER_TCP), ("udp", OVER_UDP)])
def test_every_way_to_say_no_is_told_apart(transport: str, more: dict[tuple[str, int], tuple[Answer, str]]) -> None:
    expected = EXPECTED | more
    exchanges = [exchange_for("sip", transport, ip_address(host), port) for host, port in expected]
    findings = ask_over_the_wire(exchanges)
    wrong = {
        where: json.dumps(finding.text)
        for (where, (answer, text)), finding in zip(expected.items(), findings, strict=True)
        if finding.answer is not answer or not finding.text.startswith(text)
    }
    assert wrong == {}
