"""What a rule is read as when a person wrote it, and when the kernel's tools print it again: the same."""

from __future__ import annotations

import subprocess
from typing import Literal

import pytest
from tests.firewall.xt_reading import FILE

from callgate.firewall.iptables.ipset import read_ipset
from callgate.firewall.iptables.save import read_save
from callgate.firewall.rule import Step, Unknown
from callgate.lab.availability import lab_unavailable
from callgate.lab.pytest_fixtures import require, require_tool

pytestmark = pytest.mark.lab

Backend = Literal["nft", "legacy"]
AFTER = 20.0
"""Seconds a tool may take."""

RULES: dict[tuple[Literal["ip", "ip6"], str], str] = {
    ("ip", "filter"): """\
-A INPUT -s 10.0.0.0/8 -p tcp -m tcp ! --dport 2000 -j ACCEPT
-A INPUT -s 10.1.2.3/255.0.255.0 ! -d 10/8 -j DROP
-A INPUT -s 010.0.0.1 -p 47 -j ACCEPT
-A INPUT -p tcp --dport sip --syn -j ACCEPT
-A INPUT -p tcp --dport 0x10:010000 ! --tcp-flags SYN,RST SYN -j DROP
-A INPUT -p udp --sport 1024: --dport :2000 -j ACCEPT
-A INPUT ! -i eth+ -p sctp --dport 2000 -j DROP
-A INPUT -i + ! -p udp -j USER
-A INPUT -p tcp -m multiport ! --dports 22,80,5060:5070 -g USER
-A INPUT -p udp -m multiport --ports 53,5060 -j RETURN
-A INPUT -m iprange --src-range 10.0.0.1-10.0.0.9 ! --dst-range 1.1.1.1-1.1.1.2 -j ACCEPT
-A INPUT -m state --state new,UNTRACKED -j ACCEPT
-A INPUT -m conntrack ! --ctstate INVALID --ctproto udp --ctorigsrc 10.0.0.0/8 ! --ctorigdstport 5060:5061 -j ACCEPT
-A INPUT -m addrtype ! --src-type UNICAST --dst-type LOCAL,BROADCAST --limit-iface-in -j ACCEPT
-A INPUT -m mark ! --mark 0x10/0xf0 -m connmark --mark 1/1 -j ACCEPT
-A INPUT -p icmp ! --icmp-type host-unreach -j ACCEPT
-A INPUT -p icmp --icmp-type 255 -j ACCEPT
-A INPUT -m length ! --length 100: -m ttl --ttl-lt 5 -m pkttype --pkt-type mcast -j DROP
-A INPUT -m dscp --dscp-class af31 -m tos --tos 0xb8/0xfc -j ACCEPT
-A INPUT -m comment --comment "-s 1.2.3.4 \\"x\\" -j DROP" -j LOG --log-prefix "-j ACCEPT " --log-uid
-A INPUT -p tcp -m recent --set -j REJECT --reject-with tcp-reset
-A INPUT -f -j NFQUEUE --queue-num 1 --queue-bypass
-A INPUT -p tcp -j ACCEPT --destination-p 80
""",
    ("ip", "mangle"): """\
-A PREROUTING -j MARK --set-mark 5/3
-A PREROUTING -j MARK --and-mark 5
-A PREROUTING -j MARK --xor-mark 5
-A PREROUTING -j CONNMARK --or-mark 4
-A PREROUTING -j CONNMARK --restore-mark --mask 0xff
-A PREROUTING -m rpfilter --loose --invert -j DROP
""",
    ("ip", "nat"): """\
-A PREROUTING -p tcp --dport 12000 -j REDIRECT --to-port cisco-sccp
-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:5060-5070 --persistent
-A PREROUTING -p udp -j DNAT --to-destination :5060
-A POSTROUTING -p udp -j SNAT --to-source 10.0.0.5:1024-2000
-A POSTROUTING -p udp -j MASQUERADE --to-ports 1024-2000
""",
    ("ip", "raw"): "-A PREROUTING -j CT --notrack\n-A PREROUTING -j NOTRACK\n",
    ("ip6", "filter"): """\
-A INPUT -s 2001:db8::1/ffff:ffff::ffff -j ACCEPT
-A INPUT -p icmpv6 ! --icmpv6-type port-unreachable -j ACCEPT
-A INPUT -p ipv6-icmp --icmpv6-type neighbor-solicitation -m hl --hl-eq 255 -j ACCEPT
-A INPUT -m rt --rt-type 0 -j DROP
-A INPUT -m addrtype ! --src-type UNICAST,LOCAL -j DROP
-A INPUT -p udp -j REJECT
""",
    ("ip6", "nat"): "-A PREROUTING -p tcp -j DNAT --to-destination [2001:db8::1-2001:db8::5]:5060-5070\n",
}


def in_a_namespace(command: str, stdin: str) -> str:
    """What the command prints, in a network namespace of its own."""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", command], input=stdin, capture_output=True, text=True, timeout=AFTER
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def meaning(text: str, family: Literal["ip", "ip6"], backend: Backend, table: str) -> list[tuple[Step, ...]]:
    read = read_save(text, FILE, family=family, backend=backend, sets=None)
    chains = {name.chain: chain for name, chain in read.chains.items() if name.table == table}
    return [rule.steps for name in sorted(chains) for rule in chains[name].rules]


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize(("family", "table"), RULES)
def test_the_tools_print_what_was_read(family: Literal["ip", "ip6"], table: str, backend: Backend) -> None:
    require(lab_unavailable())
    prefix = f"{'iptables' if family == 'ip' else 'ip6tables'}-{backend}"
    require_tool(f"{prefix}-restore")
    written = f"*{table}\n:USER - [0:0]\n{RULES[family, table]}COMMIT\n"
    printed = in_a_namespace(f"{prefix}-restore && {prefix}-save -t {table}", written)
    mine = meaning(written, family, backend, table)
    assert len(mine) == RULES[family, table].count("\n")
    assert meaning(printed, family, backend, table) == mine
    assert sum(isinstance(step, Unknown) for steps in mine for step in steps) <= 2  # a fragment, a routing header


def test_the_names_ipset_prints_are_known() -> None:
    require(lab_unavailable())
    require_tool("ipset")
    entries = [f"10.0.0.1,icmp:{kind}/{code}" for kind in range(20) for code in range(16)]
    others = [f"2001:db8::1,icmpv6:{kind}/{code}" for kind in (*range(6), *range(128, 140)) for code in range(8)]
    services = [f"10.0.0.2,{protocol}:7" for protocol in ("tcp", "udp", "sctp", "udplite")]
    written = "create a hash:ip,port\ncreate b hash:ip,port family inet6\ncreate c hash:net\nadd c 10.0.0.1-10.0.0.9\n"
    written += "".join(f"add a {entry}\n" for entry in entries + services) + "".join(f"add b {one}\n" for one in others)
    printed = in_a_namespace("ipset restore && ipset save", written)
    mine, theirs = read_ipset(written, FILE), read_ipset(printed, FILE)
    for name in "ab":
        assert {one.parts for one in mine[name].members} == {one.parts for one in theirs[name].members}
        assert len(mine[name].members) > 100
    assert mine["c"].condition(("src",), 4) == theirs["c"].condition(("src",), 4)
