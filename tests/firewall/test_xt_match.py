"""What each match of iptables is read as."""

from __future__ import annotations

import pytest
from tests.firewall.xt_reading import interface, steps, within

from callgate.errors import EvidenceError
from callgate.firewall.rule import (
    ALWAYS,
    NEVER,
    AddressType,
    Condition,
    Every,
    InState,
    Not,
    ReversePath,
    Some,
    State,
    Unknown,
    Verdict,
)

ACCEPT = Verdict("accept")
TCP, UDP = within("protocol", 6), within("protocol", 17)
NO_FLOW = InState(frozenset({"invalid", "untracked"}))
A_FLOW = InState(NO_FLOW.states, negated=True)
NO_PORTS = within("protocol", 6, 17, 33, 132, 136, negated=True)
ALL6 = (1 << 128) - 1
FF00, MAPPED = 0xFF << 120, 0xFFFF << 32


def in_state(*states: State, negated: bool = False) -> InState:
    return InState(frozenset(states), negated)


@pytest.mark.parametrize(
    ("words", "conditions"),
    [
        ("", []),
        ("-s 10.0.0.0/8 -p tcp -m tcp ! --dport 2000",
         [within("saddr4", "10.0.0.0-10.255.255.255"), TCP, within("dport", 2000, negated=True)]),
        ("-s 10.1.2.3", [within("saddr4", "10.1.2.3")]),
        ("-s 10.1.2.3/255.255.0.0 -d 10/8", [within("saddr4", "10.1.0.0-10.1.255.255"),
                                              within("daddr4", "10.0.0.0-10.255.255.255")]),
        ("-s 010.0.0.1", [within("saddr4", "8.0.0.1")]),
        ("! -s 10.1.2.3/32", [within("saddr4", "10.1.2.3", negated=True)]),
        ("-s ! 10.1.2.3/32", [within("saddr4", "10.1.2.3", negated=True)]),
        ("-s 10.9.2.3/255.0.255.0", [within("saddr4", "10.0.2.0", mask=0xFF00FF00)]),
        ("-s 0.0.0.0/0 -d any/0", []),
        ("! -s 0.0.0.0/0", [NEVER]),
        ("-s 1.2.3.4,5.6.7.8/30", [within("saddr4", "1.2.3.4", "5.6.7.8-5.6.7.11")]),
        ("-s 1.2.3.4,0.0.0.1/0.0.0.1", [Some((within("saddr4", "1.2.3.4"), within("saddr4", 1, mask=1)))]),
        ("-s pbx.example.org", [Unknown("the address of host pbx.example.org")]),
        ("-i eth0", [interface("iif", "eth0")]),
        ("! -i eth+ -o tun+", [interface("iif", "eth", prefix=True, negated=True), interface("oif", "tun",
         prefix=True)]),
        ("-i +", []),
        ("! -o +", [NEVER]),
        ("-p all", []),
        ("-p 47", [within("protocol", 47)]),
        ("! -p vrrp", [within("protocol", 112, negated=True)]),
        ("-f", [NO_PORTS, Unknown("-f (fragments)")]),
        ("! -f", [Not(Every((NO_PORTS, Unknown("-f (fragments)"))))]),
        ("--protocol tcp --source 1.2.3.4 --in-interface lo --destination-port 80",
         [within("saddr4", "1.2.3.4"), interface("iif", "lo"), TCP, within("dport", 80)]),
        ("--prot udp --destination-p=80", [UDP, within("dport", 80)]),
        ("-m comment --comment \"-s 1.2.3.4 \\\"x\\\" -j DROP\"", []),
        ("-m comment --comment -j", []),
        ("-m comment --comment \"!\" -p tcp", [TCP]),
        ("-c 12 34 -p tcp", [TCP]),
        # the transport
        ("-p tcp --dport cisco-sccp --sport 1024:", [TCP, within("dport", 2000), within("sport", (1024, 65535))]),
        ("-p tcp -m tcp --dport :0x10", [TCP, within("dport", (0, 16))]),
        ("-p tcp --dport ! 010", [TCP, within("dport", 8, negated=True)]),
        ("-p tcp --dport 60000:29", [TCP, within("dport")]),
        ("-p tcp --syn", [TCP, within("tcp_flags", 2, mask=0x17)]),
        ("-p tcp ! --syn", [TCP, within("tcp_flags", 2, mask=0x17, negated=True)]),
        ("-p tcp --tcp-flags ALL NONE", [TCP, within("tcp_flags", 0, mask=0x3F)]),
        ("-p tcp ! --tcp-flags syn,RST SYN", [TCP, within("tcp_flags", 2, mask=6, negated=True)]),
        ("-p tcp --tcp-option 5 --dport 9", [TCP, Unknown("-m tcp --tcp-option 5"), within("dport", 9)]),
        ("-p udplite --dport 9", [within("protocol", 136), within("dport", 9)]),
        ("-p sctp -m sctp --sport 9 --chunk-types any INIT",
         [within("protocol", 132), within("sport", 9), Unknown("-m sctp --chunk-types any INIT")]),
        ("-p dccp --dport 9", [within("protocol", 33), within("dport", 9)]),
        ("-p tcp -m multiport --dports 22,5060:5070", [TCP, within("dport", 22, (5060, 5070))]),
        ("-p udp -m multiport ! --sports 53", [UDP, within("sport", 53, negated=True)]),
        ("-p udp -m multiport --ports 53,sip", [UDP, Some((within("sport", 53, 5060), within("dport", 53, 5060)))]),
        ("-p udp -m multiport ! --ports 53",
         [UDP, within("sport", 53, negated=True), within("dport", 53, negated=True)]),
        ("-m tcp --dport 9", [Unknown("-m tcp --dport 9 (without -p tcp)")]),
        ("! -p tcp -m tcp --dport 9", [within("protocol", 6, negated=True),
         Unknown("-m tcp --dport 9 (without -p tcp)")]),
        ("-m multiport --dports 9", [Unknown("-m multiport --dports 9 (without a -p that has ports)")]),
        ("-p icmp", [within("protocol", 1)]),
        ("-p icmp --icmp-type echo-request", [within("protocol", 1), within("icmp_type", 8)]),
        ("-p icmp -m icmp ! --icmp-type 3/1",
         [within("protocol", 1), Not(Every((within("icmp_type", 3), within("icmp_code", 1))))]),
        ("-p icmp -m icmp --icmp-type host-prohib", [within("protocol", 1), within("icmp_type", 3),
         within("icmp_code", 10)]),
        ("-p icmp -m icmp --icmp-type any", [within("protocol", 1)]),
        ("-p icmp -m icmp ! --icmp-type 8", [within("protocol", 1), within("icmp_type", 8, negated=True)]),
        ("-p esp -m esp", [within("protocol", 50)]),
        ("-p ah -m ah --ahspi 1:2", [within("protocol", 51), Unknown("-m ah --ahspi 1:2")]),
        # the flow
        ("-m state --state new,UNTRACKED", [in_state("new", "untracked")]),
        ("-m state ! --state INVALID", [in_state("invalid", negated=True)]),
        ("-m conntrack --ctstate RELATED,ESTABLISHED,DNAT", [in_state("related", "established", "dnat")]),
        ("-m conntrack --ctorigdstport 5060:5061", [A_FLOW, within("orig_dport", (5060, 5061))]),
        ("-m conntrack ! --ctorigsrc 10.0.0.0/8 --ctproto udp --ctdir REPLY",
         [A_FLOW, within("orig_saddr4", "10.0.0.0-10.255.255.255", negated=True), within("orig_protocol", 17),
          within("ct_direction", 1)]),
        ("-m conntrack ! --ctstate NEW --ctproto tcp",
         [in_state("new", negated=True), Some((NO_FLOW, within("orig_protocol", 6)))]),
        ("-m conntrack --ctreplsrc 10.0.0.1 ! --ctstatus ASSURED",
         [A_FLOW, Unknown("-m conntrack --ctreplsrc 10.0.0.1"), Unknown("-m conntrack ! --ctstatus ASSURED")]),
        ("-m connmark ! --mark 1/0xf", [A_FLOW, within("ctmark", 1, mask=15, negated=True)]),
        # fields
        ("-m mark --mark 0x10/0xf0", [within("mark", 16, mask=0xF0)]),
        ("-m mark ! --mark 7", [within("mark", 7, negated=True)]),
        ("-m length --length 100:", [within("length", (100, 65535))]),
        ("-m length ! --length 100:200", [within("length", (100, 200), negated=True)]),
        ("-m ttl --ttl-lt 5", [within("ttl", (0, 4))]),
        ("-m ttl --ttl-gt 255", [within("ttl")]),
        ("-m ttl ! --ttl-eq 64", [within("ttl", 64, negated=True)]),
        ("-m dscp --dscp-class EF", [within("dscp", 46)]),
        ("-m dscp ! --dscp 0x2e", [within("dscp", 46, negated=True)]),
        ("-m tos --tos 0xb8/0xfc", [within("dscp", 46, mask=63)]),
        ("-m tos --tos 0x10", [within("dscp", 4, mask=63), Unknown("-m tos --tos 0x10 (ECN bits)")]),
        ("-m tos ! --tos 0x10", [Unknown("-m tos ! --tos 0x10")]),
        ("-m pkttype ! --pkt-type broadcast", [within("pkttype", 1, negated=True)]),
        ("-m nfacct --nfacct-name x", []),
        ("-m recent --set --name x --rsource", []),
        ("-m recent ! --set", [NEVER]),
        ("-m recent --rcheck --seconds 9", [Unknown("-m recent --rcheck --seconds 9")]),
        # addresses
        ("-m iprange --src-range 10.0.0.1-10.0.0.9 ! --dst-range 1.1.1.1",
         [within("saddr4", "10.0.0.1-10.0.0.9"), within("daddr4", "1.1.1.1", negated=True)]),
        ("-m iprange --src-range 10.0.0.9-10.0.0.1", [within("saddr4")]),
        ("-m addrtype --dst-type LOCAL,BROADCAST --limit-iface-in",
         [AddressType("destination", frozenset({"local", "broadcast"}), interface="iif")]),
        ("-m addrtype ! --src-type UNICAST --dst-type local",
         [AddressType("source", frozenset({"unicast"}), True), AddressType("destination", frozenset({"local"}))]),
        ("-m addrtype --src-type LOCAL,THROW", [Some((
            AddressType("source", frozenset({"local"})), Unknown("-m addrtype --src-type LOCAL,THROW")))]),
        ("-m rpfilter --loose --invert", [ReversePath(loose=True, negated=True)]),
        ("-m rpfilter --validmark", [ReversePath()]),
        ("-m rpfilter --accept-local", [Unknown("-m rpfilter --accept-local")]),
        # what cannot be decided, and values that look like options
        ("-m limit --limit 3/min", [Unknown("-m limit --limit 3/min", at_first=True)]),
        ("-p udp -m string --string \"-j ACCEPT\" --algo bm", [UDP, Unknown("-m string --string -j ACCEPT --algo bm")]),
        ("-m mac ! --mac-source 00:11:22:33:44:55", [Unknown("-m mac ! --mac-source 00:11:22:33:44:55")]),
        ("-m policy --dir in --pol ipsec --strict --proto esp --next --proto ah",
         [Unknown("-m policy --dir in --pol ipsec --strict --proto esp --next --proto ah")]),
        ("-m set --match-set voip src", [Unknown("-m set --match-set voip src (no dump of the sets)")]),
        ("-m foo --foo-bar 1 2 ! --baz -5 \"-j DROP\" -m tcp -p tcp --dport 9",
         [TCP, Unknown("-m foo (--foo-bar 1 2 ! --baz -5 -j DROP)"), within("dport", 9)]),
        ("-p tcp -m foo --dport 9", [TCP, Unknown("-m foo (--dport 9)")]),
        ("-p tcp -m tcp --dport 9 --sequel x", [TCP, Unknown("-m tcp --dport 9 (--sequel x)")]),
        ("-p tcp -m state --state NEW -m tcp --dport 9", [TCP, in_state("new"), within("dport", 9)]),
        ("-p tcp -m tcp --dport 80:90 -m tcp ! --dport 85", [TCP, within("dport", (80, 90)), within("dport",
         85, negated=True)]),
    ],
)  # fmt: skip
def test_ipv4_rules_mean_these_conditions(words: str, conditions: list[Condition]) -> None:
    assert steps(f"{words} -j ACCEPT") == (*conditions, ACCEPT)


@pytest.mark.parametrize(
    ("words", "conditions"),
    [
        ("-s 2001:db8::/32", [within("saddr6", "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")]),
        ("! -d ::1", [within("daddr6", 1, negated=True)]),
        ("-s 2001:db8::1/ffff:ffff::ffff", [within("saddr6", "2001:db8::1", mask=(0xFFFFFFFF << 96) | 0xFFFF)]),
        ("-s ::/0", []),
        ("-p icmpv6 --icmpv6-type neighbor-solicitation -m hl --hl-eq 255",
         [within("protocol", 58), within("icmp_type", 135), within("ttl", 255)]),
        ("-p ipv6-icmp -m icmpv6 --icmpv6-type 255", [within("protocol", 58), within("icmp_type", 255)]),
        ("-p icmp -m icmp6 --icmpv6-type 1", [within("protocol", 1),
         Unknown("-m icmp6 --icmpv6-type 1 (without -p icmp6)")]),
        ("-m iprange --src-range ::5-::9", [within("saddr6", (5, 9))]),
        ("-m conntrack --ctorigdst ::1", [A_FLOW, within("orig_daddr6", 1)]),
        ("-m addrtype --dst-type LOCAL", [AddressType("destination", frozenset({"local"}))]),
        ("-m addrtype --dst-type MULTICAST,LOCAL",
         [within("daddr6", (FF00, ALL6)), AddressType("destination", frozenset({"local"}))]),
        ("-m addrtype ! --src-type UNICAST",
         [within("saddr6", (1, MAPPED - 1), (MAPPED + (1 << 32), FF00 - 1), negated=True)]),
        ("-m addrtype ! --src-type UNSPEC,ANYCAST",
         [Not(Every((within("saddr6", 0), AddressType("source", frozenset({"anycast"})))))]),
        ("-m addrtype --src-type THROW", [Unknown("-m addrtype --src-type THROW")]),
        ("-m rt --rt-type 0", [Unknown("-m rt --rt-type 0")]),
        ("-m frag --fragmore", [Unknown("-m frag --fragmore")]),
        ("-p mh --mh-type 1", [within("protocol", 135), Unknown("-m mh --mh-type 1")]),
    ],
)  # fmt: skip
def test_ipv6_rules_mean_these_conditions(words: str, conditions: list[Condition]) -> None:
    assert steps(f"{words} -j ACCEPT", family="ip6") == (*conditions, ACCEPT)


def test_a_rule_that_drops_by_extension_header_drops_no_call() -> None:
    assert steps("-m rt --rt-type 0 -j DROP", family="ip6") == (
        NO_PORTS, Unknown("-m rt --rt-type 0"), Verdict("drop"),
    )  # fmt: skip
    assert steps("-m rt --rt-type 0 -j USER", family="ip6")[0] == Unknown("-m rt --rt-type 0")


@pytest.mark.parametrize(
    ("words", "rewriting"),
    [("-m ttl --ttl-eq 1", "-j TTL --ttl-set 1"), ("-m dscp --dscp 1", "-j DSCP --set-dscp 1"),
     ("-m tos --tos 4/0xfc", "--jump TOS --set-tos 4")],
)  # fmt: skip
def test_what_another_rule_rewrites_is_not_known(words: str, rewriting: str) -> None:
    def doubtful(words: str) -> bool:
        return any(isinstance(step, Unknown) for step in steps(words, table="mangle"))

    assert not doubtful(f"{words} -j ACCEPT")
    with_target = f'{words} -j ACCEPT -m comment --comment "{rewriting}"'
    assert doubtful(with_target)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("-s 1.2.3.400", "above 255"), ("-s 1.2.3.4.5", "not an IPv4 address"), ("-s 1.2.3.4/33", "above 32"),
        ("-s 1.2.3.4/", "is not a"), ("-s ::1", "is not a"), ("! -s 1.1.1.1,2.2.2.2", "several addresses"),
        ("-s 1.1.1.1 -s 2.2.2.2", "twice"), ("-d 1.1.1.1 -d 2.2.2.2", "twice"), ("-p tcp -p udp", "twice"),
        ("-p foo", "'foo' is not known"), ("-p 256", "above 255"), ("! -p all", "never matches"),
        ("-p tcp --dport 70000", "above 65535"), ("-p tcp --dport foo", "'foo' is neither"),
        ("-p tcp --dport 1 --dport 2", "--dport twice"), ("-p tcp --dport", "lacks its value"),
        ("-p tcp --dport 1_0", "not a port"), ("-p tcp --dport ²", "not a port"),
        ("-p tcp --dport 9 9", "stands where"),
        ("--dport 9", "option '--dport' is not known"), ("-p tcp --tcp-flags FOO SYN", "'FOO' is not known"),
        ("-p icmp --icmp-type echo", "'echo' is not known"), ("-p icmp --icmp-type 300", "above 255"),
        ("-m state --state NEU", "'NEU' is not known"), ("-m conntrack --ctdir UP", "neither"),
        ("-m mark --mark 0x1ffffffff", "above"), ("-m length --length x", "not a length"),
        ("-m ttl --ttl-eq 256", "above 255"), ("-m dscp --dscp-class QQ", "'QQ' is not known"),
        ("-m pkttype --pkt-type q", "'q' is not known"), ("-m addrtype --dst-type q", "'Q' is not known"),
        ("-i abcdefghijklmnop", "interface name"), ("-i \"\"", "interface name"), ("! -m tcp", "cannot stand"),
        ("-p tcp !", "nothing behind it"), ("! ! -p tcp", "stands where"), ("-z", "'-z' is not known"),
        ("-m", "lacks its value"),
        ("-m comment --comment \"x", "not closed"), ("-m set --match-set x up", "neither src nor dst"),
        ("-p tcp -m multiport --dports 1,,2", "neither a number"),
    ],
)  # fmt: skip
def test_malformed_values_are_told_with_their_line(words: str, complaint: str) -> None:
    with pytest.raises(EvidenceError, match=complaint) as caught:
        steps(f"{words} -j ACCEPT" if '"x' not in words and not words.endswith(("!", "-m", "--dport")) else words)
    assert caught.value.line == 3


def test_equal_conditions_are_one_object() -> None:
    one, other = steps("-p tcp --dport 2000 -j ACCEPT"), steps("-i eth0 -p tcp -m tcp --dport 2000 -j DROP")
    assert one[1] is other[2]
    assert steps("-s 10.0.0.0/8")[0] is steps("-s 10.0.0.0/8 -p tcp")[0]


def test_a_rule_without_words_always_holds() -> None:
    assert steps("") == ()
    assert steps("-m comment --comment x -j ACCEPT") == (ACCEPT,)
    assert ALWAYS not in steps("-p icmp --icmp-type any -j ACCEPT")


@pytest.mark.parametrize(
    ("words", "at_first"),
    [
        ("-m hashlimit --hashlimit-upto 5/sec --hashlimit-name x", True),
        ("-m hashlimit --hashlimit-above 5/sec --hashlimit-name x", False),
        ("-m connlimit --connlimit-upto 2", True),
        ("-m connlimit ! --connlimit-upto 2", False),
        ("-m connlimit --connlimit-above 2", False),
        ("-m connlimit --connlimit-above 0", None),
        ("-m recent --rcheck --seconds 60 --hitcount 4 --name x", False),
        ("-m recent ! --update --seconds 60 --hitcount 4 --name x", True),
        ("-m recent --rcheck --seconds 60 --name x", None),
        ("-m recent --rcheck --hitcount 1 --name x", None),
        ("-m statistic --mode random --probability 0.5", "either"),
        ("-m quota --quota 1000", None),
    ],
)
def test_what_a_lone_first_packet_meets(words: str, at_first: bool | str | None) -> None:
    found = [one for one in steps(f"-p tcp {words} -j ACCEPT") if isinstance(one, Unknown)]
    assert [one.at_first for one in found] == [at_first]
