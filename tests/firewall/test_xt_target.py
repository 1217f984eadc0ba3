"""What each target of iptables does."""

from __future__ import annotations

from typing import Literal

import pytest
from tests.firewall.xt_reading import address, dump, steps, within

from callgate.errors import EvidenceError
from callgate.firewall.rule import (
    Goto,
    InState,
    Jump,
    NoTrack,
    Opaque,
    Queue,
    Return,
    SetMark,
    Step,
    Translate,
    Verdict,
)

ALL = 0xFFFFFFFF
A_FLOW = InState(frozenset({"invalid", "untracked"}), negated=True)


def span(first: str, last: str | None = None) -> tuple[int, int]:
    return address(first), address(last or first)


@pytest.mark.parametrize(
    ("words", "actions"),
    [
        ("-j ACCEPT", [Verdict("accept")]), ("--jump DROP", [Verdict("drop")]), ("-jREJECT", [Verdict("reject")]),
        ("-j REJECT --reject-with icmp-port-unreachable", [Verdict("reject")]),
        ("-j REJECT --reject-with tcp-reset", [Verdict("reject", reset=True)]),
        ("-j RETURN", [Return()]), ("-j USER", [Jump("USER")]), ("-g USER", [Goto("USER")]),
        ("-j QUEUE", [Queue()]), ("-j NFQUEUE --queue-balance 0:3", [Queue()]),
        ("-j NFQUEUE --queue-num 1 --queue-bypass", [Queue(bypass=True)]),
        ("-j NOTRACK", [NoTrack()]), ("-j CT --notrack", [NoTrack()]), ("-j CT --zone 5", []),
        ("-j LOG --log-prefix \"-j DROP \" --log-uid", []), ("-j NFLOG --nflog-prefix -j", []),
        ("-j LOG --log-new-thing 5", []), ("-j TRACE", []), ("-j TTL --ttl-set 5", []),
        ("-j TEE --gateway 1.2.3.4", []),
        ("-j TCPMSS --clamp-mss-to-pmtu", []), ("-j SET --add-set x src --exist --timeout 5", []),
        ("-j SET --map-set x src --map-mark", [SetMark("mark", why="-j SET --map-mark takes the mark from a set")]),
        ("-j MARK --set-mark 5", [SetMark("mark", 5)]),
        ("-j MARK --set-mark 5/3", [SetMark("mark", 5, keep=ALL & ~7)]),
        ("-j MARK --set-xmark 5/0x6", [SetMark("mark", 5, keep=ALL & ~6)]),
        ("-j MARK --and-mark 5", [SetMark("mark", 0, keep=5)]),
        ("-j MARK --or-mark 5", [SetMark("mark", 5, keep=ALL & ~5)]),
        ("-j MARK --xor-mark 5", [SetMark("mark", 5, keep=ALL)]),
        ("-j MARK", [Opaque("-j MARK without one value")]),
        ("-j HMARK --hmark-tuple src --hmark-mod 5", [SetMark("mark", why="-j HMARK sets a hash")]),
        ("-j CONNMARK --set-xmark 5/7", [A_FLOW, SetMark("ctmark", 5, keep=ALL & ~7)]),
        ("-j CONNMARK --save-mark", [A_FLOW, SetMark("ctmark", take=ALL)]),
        ("-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf0",
         [A_FLOW, SetMark("mark", keep=ALL & ~0xFF, take=0xF0)]),
        ("-j CONNMARK --save-mark --mask 0xff", [A_FLOW, SetMark("ctmark", keep=ALL & ~0xFF, take=0xFF)]),
        ("-j CONNMARK --restore-mark --left-shift-mark 1", [A_FLOW, SetMark("mark",
         why="-j CONNMARK shifts the mark")]),
        ("-j REDIRECT", [Translate("destination", 4, to_itself=True)]),
        ("-j REDIRECT --to-ports 2000-2010 --random", [Translate("destination", 4, None, (2000, 2010),
         to_itself=True)]),
        ("-j MASQUERADE --to-ports sip", [Translate("source", 4, None, (5060, 5060), to_itself=True)]),
        ("-j DNAT --to-destination 10.0.0.1", [Translate("destination", 4, span("10.0.0.1"))]),
        ("-j DNAT --to-destination :5060-5160/5000", [Translate("destination", 4, None, (5060, 5160))]),
        ("-j DNAT --to-destination 10.0.0.1-10.0.0.9:5060 --persistent",
         [Translate("destination", 4, span("10.0.0.1", "10.0.0.9"), (5060, 5060))]),
        ("-j SNAT --to-source 10.0.0.1:1024-2000 --random-fully", [Translate("source",
         4, span("10.0.0.1"), (1024, 2000))]),
        ("-j DNAT --to-destination 10.0.0.1 --to-destination 10.0.0.2", [Opaque("-j DNAT to 2 ranges")]),
        ("-j DNAT --to-nowhere x", [Opaque("-j DNAT --to-nowhere x")]),
        ("-j NETMAP --to 10.0.0.0/8", [Opaque("-j NETMAP")]), ("-j TPROXY --on-port 5", [Opaque("-j TPROXY")]),
        ("-j SYNPROXY --mss 5", [Opaque("-j SYNPROXY")]), ("-j TARPIT --honeypot", [Opaque("-j TARPIT")]),
        ("-j INPUT", [Opaque("-j INPUT")]), ("-j ACCEPT --if-lucky", [Opaque("-j ACCEPT --if-lucky")]),
        ("-j ACCEPT -p tcp --dport 80", [within("protocol", 6), within("dport", 80), Verdict("accept")]),
    ],
)  # fmt: skip
def test_ipv4_targets_do_this(words: str, actions: list[Step]) -> None:
    assert steps(words) == tuple(actions)


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ("--to-destination [2001:db8::1]:5060", Translate("destination", 6, span("2001:db8::1"), (5060, 5060))),
        ("--to-destination 2001:db8::1-2001:db8::5", Translate("destination", 6, span("2001:db8::1", "2001:db8::5"))),
        ("--to-destination [2001:db8::1-2001:db8::5]:5-6", Translate("destination", 6, span("2001:db8::1",
         "2001:db8::5"), (5, 6))),
        ("--to-destination [2001:db8::1]", Translate("destination", 6, span("2001:db8::1"))),
        ("--to-destination :5060", Translate("destination", 6, None, (5060, 5060))),
    ],
)  # fmt: skip
def test_ipv6_translations_do_this(words: str, action: Step) -> None:
    assert steps(f"-j DNAT {words}", table="nat", family="ip6") == (action,)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("-j nowhere", "not declared"), ("-g NOWHERE", "not declared"), ("-j ACCEPT -j DROP", "twice"),
        ("-j USER -g USER", "twice"), ("-j MARK --set-mark x", "not a mark"),
        ("-j REDIRECT --to-ports 9-5", "backwards"),
        ("-j DNAT --to-destination 10.0.0.9-10.0.0.1", "backwards"),
        ("-j DNAT --to-destination 10.0.0.1:", "empty port"),
        ("-j DNAT --to-destination [::1", "is not an address in brackets"), ("-j LOG --log-prefix", "lacks its value"),
        ("-j DNAT --to-destination 10.0.0.1:70000", "above 65535"),
    ],
)  # fmt: skip
def test_malformed_targets_are_told(words: str, complaint: str) -> None:
    with pytest.raises(EvidenceError, match=complaint):
        steps(words)


@pytest.mark.parametrize(
    ("words", "family", "tracks"),
    [
        ("-p tcp -j ACCEPT", "ip", False), ("-m state --state NEW", "ip", True),
        ("-m conntrack --ctproto 6", "ip6", True),
        ("-m connmark --mark 1", "ip", True), ("-m connlimit --connlimit-above 5", "ip", True),
        ("-m helper --helper sip", "ip6", True), ("-m limit --limit 3/min", "ip", False), ("-j NOTRACK", "ip", False),
        ("-j CT --notrack", "ip", False), ("-j CT --helper sip", "ip", True), ("-j MASQUERADE", "ip6", True),
        ("-j REDIRECT", "ip", True), ("-j NETMAP --to 1.1.1.1", "ip", True), ("-j CONNMARK --save-mark", "ip", True),
        ("-j MARK --set-mark 1", "ip", False), ("-j SYNPROXY", "ip", True), ("-j TPROXY --on-port 5", "ip", False),
    ],
)  # fmt: skip
def test_some_rules_make_the_kernel_track_connections(words: str, family: Literal["ip", "ip6"], tracks: bool) -> None:
    assert dump(f"-A USER {words}", family=family).tracked == ({4 if family == "ip" else 6} if tracks else set())
