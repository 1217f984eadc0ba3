"""ipset dumps, and what membership means."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.firewall.xt_reading import address, interface, steps, within

from callgate.errors import EvidenceError
from callgate.firewall.iptables.ipset import Direction, IpSet, read_ipset
from callgate.firewall.rule import FAMILIES, NEVER, Condition, Every, Family, Not, Some, Tuples, Unknown, Within

DATA = Path(__file__).parent.parent / "data" / "firewall" / "xt-ipset-save.txt"
EXPIRES = Unknown("entries of ipset s expire")
TCP_UDP = within("protocol", 6, 17)


def one(kind: str, *entries: str) -> IpSet:
    """A set named s; `kind` with its options."""
    return read_ipset(f"create s {kind}\n" + "".join(f"add s {entry}\n" for entry in entries), "ipset-save.txt")["s"]


def plain(condition: Condition) -> object:
    """The condition with tuples spelt out, as they are compared by identity."""
    if isinstance(condition, Tuples):
        return ("tuples", condition.fields, frozenset(condition.boxes))
    if isinstance(condition, (Every, Some)):
        return (type(condition).__name__, tuple(map(plain, condition.conditions)))
    return ("Not", plain(condition.condition)) if isinstance(condition, Not) else condition


def span(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return address(first), address(last or first)


@pytest.mark.parametrize(
    ("ip_set", "condition"),
    [
        (one("hash:ip"), within("saddr4")),
        (one("hash:ip family inet", "1.2.3.4", "1.2.3.5", "9.9.9.0/30", "8.8.8.8-8.8.8.9"),
         within("saddr4", "1.2.3.4-1.2.3.5", "9.9.9.0-9.9.9.3", "8.8.8.8-8.8.8.9")),
        (one("hash:ip netmask 24", "10.0.1.0"), within("saddr4", "10.0.1.0-10.0.1.255")),
        (one("hash:ip bitmask 255.0.255.0", "10.0.1.0"), within("saddr4", "10.0.1.0", mask=0xFF00FF00)),
        (one("iphash", "10.0.1.0 packets 5 bytes 6 comment \"nomatch\""), within("saddr4", "10.0.1.0")),
        (one("hash:net comment", "10.0.0.0/8", "10.1.0.0/16 nomatch", "10.1.2.0/24", "10.1.2.3 nomatch",
         "0.0.0.0/0 nomatch"),
         within("saddr4", "10.0.0.0-10.0.255.255", "10.2.0.0-10.255.255.255", "10.1.2.0-10.1.2.2",
          "10.1.2.4-10.1.2.255")),
        (one("hash:net timeout 9", "10.0.0.0/8 timeout 0", "11.0.0.0/8 timeout 5", "10.1.0.0/16 nomatch timeout 5"),
         Some((within("saddr4", "10.0.0.0-10.0.255.255", "10.2.0.0-10.255.255.255"),
               Every((within("saddr4", "10.1.0.0-10.1.255.255", "11.0.0.0-11.255.255.255"), EXPIRES))))),
        (one("hash:ip timeout 9", "1.1.1.1 timeout 5", "1.1.1.2 timeout 0"),
         Some((within("saddr4", "1.1.1.2"), Every((within("saddr4", "1.1.1.1"), EXPIRES))))),
        (one("bitmap:ip range 10.0.0.0/16", "10.0.0.5-10.0.0.7"), within("saddr4", "10.0.0.5-10.0.0.7")),
        (one("bitmap:port range 0-9000", "2000", "5060-5061"), Every((within("sport", 2000, (5060, 5061)), TCP_UDP))),
        (one("hash:mac", "00:11:22:33:44:55", "00:11:22:33:44:56"), Unknown("hardware addresses in ipset s")),
        (one("hash:new,thing", "x"), Unknown("ipset s: type hash:new,thing is not known")),
        (one("hash:ip newoption", "1.1.1.1"), Unknown("ipset s: option newoption is not known")),
        (one("hash:ip", "1.1.1.1 newoption"), Unknown("ipset s: an entry has option newoption")),
        (one("list:set"), NEVER),
        (one("list:set", "t"), Unknown("ipset t in s: not in the dump")),
    ],
)  # fmt: skip
def test_sets_of_one_part_mean_this(ip_set: IpSet, condition: Condition) -> None:
    assert plain(ip_set.condition(("src",), 4)) == plain(condition)


@pytest.mark.parametrize(
    ("ip_set", "directions", "condition"),
    [
        (one("hash:ip,port", "1.2.3.4,2000", "1.2.3.4,udp:5060-5061", "1.2.3.4,sip"), ("src", "dst"),
         ("tuples", ("saddr4", "protocol", "dport"), frozenset({
             (span("1.2.3.4"), (6, 6), (2000, 2000)), (span("1.2.3.4"), (17, 17), (5060, 5061)),
             (span("1.2.3.4"), (6, 6), (5060, 5060))}))),
        (one("hash:ip,port", "1.2.3.4,icmp:3/1"), ("dst", "src"),
         ("tuples", ("daddr4", "protocol", "icmp_type", "icmp_code"),
          frozenset({(span("1.2.3.4"), (1, 1), (3, 3), (1, 1))}))),
        (one("hash:ip,port netmask 24", "1.2.3.0,icmp:echo-request"), ("dst", "src"),
         ("tuples", ("daddr4", "protocol", "icmp_type", "icmp_code"),
          frozenset({(span("1.2.3.0-1.2.3.255"), (1, 1), (8, 8), (0, 0))}))),
        (one("hash:ip,port", "1.2.3.4,gre:0"), ("src", "dst"),
         ("tuples", ("saddr4", "protocol"), frozenset({(span("1.2.3.4"), (47, 47))}))),
        (one("hash:ip,port,ip", "1.2.3.4,tcp:5,5.6.7.8"), ("src", "src", "dst"),
         ("tuples", ("saddr4", "protocol", "sport", "daddr4"),
          frozenset({(span("1.2.3.4"), (6, 6), (5, 5), span("5.6.7.8"))}))),
        (one("hash:net,net", "10.0.0.0/8,11.0.0.0/8"), ("src", "dst"),
         ("tuples", ("saddr4", "daddr4"), frozenset({(span("10.0.0.0-10.255.255.255"),
          span("11.0.0.0-11.255.255.255"))}))),
        (one("hash:net,iface", "10.0.0.0/8,eth0", "11.0.0.0/8,eth0", "12.0.0.0/8,eth wildcard"), ("src", "dst"),
         ("Some", (("Every", (within("saddr4", "10.0.0.0-11.255.255.255"), interface("oif", "eth0"))),
                   ("Every", (within("saddr4", "12.0.0.0-12.255.255.255"), interface("oif", "eth", prefix=True)))))),
        (one("hash:net,iface", "10.0.0.0/32,physdev:eth0"), ("src", "src"),
         ("Every", (within("saddr4", "10.0.0.0"), Unknown("bridge port eth0")))),
        (one("hash:ip,mark markmask 0xf", "1.2.3.4,0x5", "1.2.3.5,5"), ("src", "src"),
         ("Every", (within("saddr4", "1.2.3.4-1.2.3.5"), within("mark", 5, mask=15)))),
        (one("hash:ip,mac", "1.2.3.4,00:11:22:33:44:55"), ("src", "src"),
         ("Every", (within("saddr4", "1.2.3.4"), Unknown("hardware addresses in ipset s")))),
        (one("bitmap:ip,mac range 1.2.3.0/24", "1.2.3.4"), ("src", "src"),
         ("Every", (within("saddr4", "1.2.3.4"), Unknown("hardware addresses in ipset s")))),
        (one("hash:ip,port", "1.2.3.4,5 timeout 9", "1.2.3.5,6"), ("src", "src"),
         ("Some", (("tuples", ("saddr4", "protocol", "sport"), frozenset({(span("1.2.3.5"), (6, 6), (6, 6))})),
                   ("Every", (("tuples", ("saddr4", "protocol", "sport"),
                               frozenset({(span("1.2.3.5"), (6, 6), (6, 6)), (span("1.2.3.4"), (6, 6), (5, 5))})),
                                EXPIRES))))),
    ],
)  # fmt: skip
def test_sets_of_several_parts_mean_this(ip_set: IpSet, directions: tuple[Direction, ...], condition: object) -> None:
    assert plain(ip_set.condition(directions, 4)) == condition


@pytest.mark.parametrize(
    ("kind", "directions", "family"),
    [
        ("hash:ip", ("src",), 6), ("hash:net family inet6", ("src",), 4),
        ("bitmap:ip range 1.1.1.1-1.1.1.9", ("src",), 6),
        ("hash:ip,port", ("src",), 4), ("hash:ip,port,net", ("src", "dst"), 4),
    ],
)  # fmt: skip
def test_another_family_and_too_few_directions_never_match(
    kind: str, directions: tuple[Direction, ...], family: Family
) -> None:
    assert one(kind).condition(directions, family) == NEVER


def test_ports_and_lists_fit_both_families() -> None:
    sets = read_ipset("create p bitmap:port\nadd p 5\ncreate six hash:ip family inet6\nadd six ::1\ncreate l list:set\n"
                      "add l p\nadd l six\n", "s")  # fmt: skip
    assert sets["l"].condition(("dst",), 6) == Some((Every((within("dport", 5), TCP_UDP)), within("daddr6", 1)))
    assert sets["l"].condition(("dst",), 4) == Every((within("dport", 5), TCP_UDP))


def test_lists_in_lists_are_not_followed() -> None:
    sets = read_ipset("create a list:set\ncreate b list:set\nadd a b\nadd b a\n", "s")
    assert sets["a"].condition(("src",), 4) == Unknown("ipset b in a: not in the dump")


def test_the_same_question_has_the_same_answer() -> None:
    ip_set = one("hash:ip,port", "1.2.3.4,5")
    assert ip_set.condition(("src", "dst"), 4) is ip_set.condition(("src", "dst"), 4)
    assert ip_set.condition(("src", "src"), 4) is not ip_set.condition(("src", "dst"), 4)


def test_rules_ask_sets() -> None:
    sets = {"s": one("hash:net", "10.0.0.0/8", "10.1.0.0/16 nomatch"), "p": one("hash:ip,port", "1.2.3.4,5")}
    member = within("saddr4", "10.0.0.0-10.0.255.255", "10.2.0.0-10.255.255.255")
    assert steps("-m set --match-set s src", sets=sets) == (member,)
    assert steps("-m set ! --match-set s src ! --update-counters", sets=sets) == (Not(member),)
    assert steps("-m set --set s dst", sets=sets) == (Within("daddr4", member.values),)
    assert steps("-m set --match-set s src --return-nomatch", sets=sets) == (within("saddr4", "10.1.0.0-10.1.255.255"),)
    assert steps("-m set --match-set p src,dst -j DROP", sets=sets)[0] is sets["p"].condition(("src", "dst"), 4)
    for words, why in (("other src", "the set is not in the dump"), ("s src --packets-gt 5", None)):
        (step,) = steps(f"-m set --match-set {words}", sets=sets)
        assert isinstance(step, Unknown)
        assert why is None or why in step.why


def test_return_nomatch_asks_for_the_holes() -> None:
    ip_set = one("hash:net,port", "10.0.0.0/8,tcp:5", "10.1.0.0/16,tcp:5 nomatch")
    hole = ("tuples", ("saddr4", "protocol", "dport"), frozenset({(span("10.1.0.0-10.1.255.255"), (6, 6), (5, 5))}))
    wide = ("tuples", ("saddr4", "protocol", "dport"), frozenset({(span("10.0.0.0-10.255.255.255"), (6, 6), (5, 5))}))
    asked = ip_set.condition(("src", "dst"), 4, return_nomatch=True)
    assert plain(asked) == ("Some", (("Every", (("Some", ()), ("Not", wide))), hole))
    assert plain(ip_set.condition(("src", "dst"), 4)) == ("Every", (wide, ("Not", hole)))
    ports = one("bitmap:port", "5")
    assert ports.condition(("src",), 4, return_nomatch=True) == ports.condition(("src",), 4)


NETS = st.builds(
    lambda number, length: IPv4Network((number << 24, length), strict=False), st.integers(0, 3), st.integers(6, 10)
)


@given(st.dictionaries(NETS, st.booleans(), max_size=6), st.integers(0, (4 << 24) - 1))
@example({IPv4Network("0.0.0.0/7"): False, IPv4Network("1.0.0.0/8"): True, IPv4Network("1.0.0.0/9"): False}, 1 << 24)
def test_the_most_specific_network_decides(nets: dict[IPv4Network, bool], asked: int) -> None:
    ip_set = one("hash:net", *(f"{net}{' nomatch' * hole}" for net, hole in nets.items()))
    holding = [(net.prefixlen, hole) for net, hole in nets.items() if asked in range(int(net[0]), int(net[-1]) + 1)]
    condition = ip_set.condition(("src",), 4)
    holes = ip_set.condition(("src",), 4, return_nomatch=True)
    assert isinstance(condition, Within)
    assert isinstance(holes, Within)
    assert (asked in condition.values) == bool(holding and not max(holding)[1])
    assert (asked in holes.values) == bool(holding and max(holding)[1])


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_range_is_what_its_blocks_add_up_to(first: int, last: int) -> None:
    text = f"0.0.{first >> 8}.{first & 255}-0.0.{last >> 8}.{last & 255}"
    low, high = sorted((first, last))
    assert one("hash:net", f"{text} comment x").condition(("src",), 4) == within("saddr4", (low, high))


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("add s 1.1.1.1\n", 1, "not created"), ("create s hash:ip\ncreate s hash:ip\n", 2, "twice"),
        ("hello\n", 1, "not a line"),
        ("create s hash:ip\nadd s 1.1.1\n", 2, "not an IPv4 address"),
        ("create s hash:ip\nadd s 1.1.1.256\n", 2, "not an IPv4"),
        ("create s hash:net\nadd s 1.1.1.1/33\n", 2, "above 32"), ("create s hash:ip family inet5\n", 1, "family"),
        ("create s hash:ip,port\nadd s 1.1.1.1\n", 2, "neither"),
        ("create s hash:ip,port\nadd s 1.1.1.1,tcp:99999\n", 2, "above"),
        ("create s hash:ip,port\nadd s 1.1.1.1,qqq:5\n", 2, "not known"),
        ("create s hash:ip,port\nadd s 1.1.1.1,5,6\n", 2, "not ip,port"),
        ("create s hash:ip timeout\n", 1, "without a value"),
        ("create s hash:ip\nadd s 1.1.1.1 timeout\n", 2, "without a value"),
        ("create s hash:ip\n\0\n", 2, "NUL"), ("create s hash:ip\nadd s " + "1" * 70000, 2, "too long"),
        ("destroy s\n", 1, "not a line"), ("create s hash:net,iface\nadd s 1.1.1.1,\n", 2, "empty iface"),
        ("create s hash:net,net\nadd s 0.0.0.1-255.255.255.254,0.0.0.1-255.255.255.254,\n", 2, "is not net,net"),
    ],
)  # fmt: skip
def test_damaged_dumps_are_told_with_their_line(text: str, line: int, complaint: str) -> None:
    with pytest.raises(EvidenceError, match=complaint) as caught:
        read_ipset(text, "ipset-save.txt")
    assert (caught.value.line, caught.value.file) == (line, "ipset-save.txt")


def test_the_dump_of_the_tool_is_read() -> None:
    sets = read_ipset(DATA.read_text(), DATA.name)
    assert sets["trusted"].condition(("src",), 4) == within(
        "saddr4", "10.0.0.0-10.0.255.255", "10.2.0.0-10.255.255.255"
    )
    assert sets["floor"].condition(("dst",), 4) == within("daddr4", "10.0.1.0-10.0.1.3")
    assert sets["wide"].condition(("dst",), 4) == within("daddr4", "10.5.5.0-10.5.5.255")
    assert not any(ip_set.doubt for ip_set in sets.values())
    assert list(sets) == [
        "trusted",
        "phones6",
        "services",
        "doors",
        "room",
        "wing",
        "lan",
        "floor",
        "bm",
        "wide",
        "all",
    ]


@given(st.data())
def test_damaged_dumps_are_read_or_told(data: st.DataObject) -> None:
    text = DATA.read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(
            st.text(max_size=9) | st.sampled_from(("-", ",", "/", "\n", " nomatch", '"', ":", " timeout 5", "0x", "٣"))
        )
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 9)) :]
    found: Mapping[str, IpSet] | EvidenceError
    try:
        found = read_ipset(text, "ipset-save.txt")
    except EvidenceError as error:
        found = error
    if isinstance(found, EvidenceError):
        assert found.file == "ipset-save.txt"
        return
    for ip_set in found.values():
        for family in FAMILIES:
            assert isinstance(ip_set.condition(("src", "dst", "dst"), family), get_args(Condition))
