"""Dumps of iptables as a whole: tables, chains, policies, order, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firewall.xt_reading import FILE, dump, steps, within

from callgate.errors import EvidenceError
from callgate.firewall.iptables.ipset import read_ipset
from callgate.firewall.iptables.save import SaveDump, changed_sets, read_save, written_by
from callgate.firewall.rule import ChainName, Jump, Queue, Unknown, Verdict

DATA = Path(__file__).parent.parent / "data" / "firewall"
NFT, LEGACY = (DATA / f"xt-{backend}-save.txt" for backend in ("nft", "legacy"))
RULES, IP6, SETS = DATA / "xt-rules.v4", DATA / "xt-ip6-nft-save.txt", DATA / "xt-ipset-save.txt"
ACCEPT, DROP = Verdict("accept"), Verdict("drop")
HOOKS = {
    "prerouting": "PREROUTING",
    "input": "INPUT",
    "forward": "FORWARD",
    "output": "OUTPUT",
    "postrouting": "POSTROUTING",
}


def read(text: str, family: Literal["ip", "ip6"] = "ip", backend: Literal["nft", "legacy"] = "nft") -> SaveDump:
    return read_save(text, FILE, family=family, backend=backend, sets=None)


def texts(read: SaveDump, chain: str, table: str = "filter") -> list[str]:
    rules = next(one.rules for name, one in read.chains.items() if (name.table, name.chain) == (table, chain))
    assert [rule.position for rule in rules] == list(range(1, len(rules) + 1))
    return [rule.text for rule in rules]


def test_base_chains_stand_where_the_kernel_enters_them() -> None:
    tables = {"raw": "PO", "mangle": "PIFOS", "nat": "PIOS", "filter": "IFO", "security": "IFO"}
    letters = dict(zip("PIFOS", HOOKS, strict=True))
    text = "".join(
        f"*{table}\n" + "".join(f":{HOOKS[letters[one]]} ACCEPT [0:0]\n" for one in chains) + "COMMIT\n"
        for table, chains in tables.items()
    )
    found = {(base.chain.name.table, base.hook): (base.priority, base.kind) for base in read(text).base_chains}
    expected: dict[tuple[str, str], tuple[int, str]] = {}
    for table, chains in tables.items():
        for one in chains:
            hook = letters[one]
            priority = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}.get(table)
            if priority is None:
                priority = -100 if hook in ("prerouting", "output") else 100
            kind = "nat" if table == "nat" else "route" if (table, hook) == ("mangle", "output") else "filter"
            expected[table, hook] = (priority, kind)
    assert found == expected


def test_a_hand_written_file_is_read_as_its_loader_reads_it() -> None:
    found = read(RULES.read_text())
    assert texts(found, "INPUT") == [
        "-I INPUT ! -i eth+ -p udp --dport sip -j VOIP",
        "-A INPUT -i lo -j ACCEPT",
        '-I INPUT 2 -p icmp -m icmp --icmp-type ping -m comment --comment "don\'t" -j ACCEPT',
        "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -j BANNED",
        "-A\tINPUT\t-p\ttcp\t--dport 5060\t-j\tVOIP",
        "-4 -A INPUT -s 192.168.1.0/24 -j VOIP",
    ]
    assert texts(found, "PREROUTING", "nat") == [
        "--append PREROUTING --protocol tcp --dport 12000 --jump REDIRECT --to-port 2000"
    ]
    assert texts(found, "VOIP") == ["-A VOIP -s 192.168.1.0/24,10/8 -j ACCEPT"]
    tabbed = found.chains[ChainName("nft", "ip", "filter", "INPUT")].rules[5]
    assert tabbed.steps == (within("protocol", 6), within("dport", 5060), Jump("VOIP"))
    assert {base.chain.name.chain: base.policy for base in found.base_chains} == {
        "PREROUTING": "accept",
        "INPUT": "drop",
    }
    assert found.tracked == {4}


def test_the_dumps_of_both_back_ends_mean_the_same() -> None:
    sets = read_ipset(SETS.read_text(), SETS.name)
    nft = read_save(NFT.read_text(), NFT.name, family="ip", backend="nft", sets=sets)
    legacy = read_save(LEGACY.read_text(), LEGACY.name, family="ip", backend="legacy", sets=sets)
    rules = 0
    for name, chain in nft.chains.items():
        other = legacy.chains[name._replace(backend="legacy")]
        assert [rule.steps for rule in chain.rules] == [rule.steps for rule in other.rules], name
        assert all(rule.text.startswith(f"-A {name.chain}") for rule in chain.rules), name
        rules += len(chain.rules)
    assert rules == 112
    assert nft.tracked == legacy.tracked == {4}
    assert {(base.chain.name.chain, base.policy) for base in nft.base_chains if base.policy != "accept"} == {
        ("INPUT", "drop")
    }


def test_only_undecidable_matches_of_real_dumps_are_unknown() -> None:
    sets = read_ipset(SETS.read_text(), SETS.name)
    four = read_save(NFT.read_text(), NFT.name, family="ip", backend="nft", sets=sets)
    six = read_save(IP6.read_text(), IP6.name, family="ip6", backend="nft", sets=sets)
    names = {
        step.why.split()[1]
        for chain in (*four.chains.values(), *six.chains.values())
        for rule in chain.rules
        for step in rule.steps
        if isinstance(step, Unknown)
    }
    assert names == {
        "ah", "esp", "policy", "limit", "hashlimit", "recent", "connlimit", "statistic", "time", "string", "u32",
         "owner",
        "mac", "physdev", "cpu", "realm", "helper", "connbytes", "socket", "conntrack", "tos", "(fragments)", "rt",
         "hbh",
        "frag", "ipv6header", "mh", "eui64",
    }  # fmt: skip


def test_rules_of_the_other_family_are_left_out() -> None:
    lines = "-6 -A USER -s ::1 -j DROP\n-A USER -6 -s ::1 -j DROP\n--ipv4 -A USER -j ACCEPT\n-A USER -j RETURN -4"
    assert texts(dump(lines), "USER") == ["--ipv4 -A USER -j ACCEPT", "-A USER -j RETURN -4"]
    assert len(texts(dump(lines, family="ip6"), "USER")) == 2


def test_a_policy_that_queues_is_a_last_rule() -> None:
    found = read("*filter\n:INPUT QUEUE [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n")
    rules = found.chains[ChainName("nft", "ip", "filter", "INPUT")].rules
    assert rules[-1].steps == (Queue(),)
    assert found.base_chains[0].policy == "accept"


def test_flushing_leaves_what_comes_behind() -> None:
    assert texts(dump("-A USER -j DROP\n-F USER\n-A USER -j ACCEPT\n-Z"), "USER") == ["-A USER -j ACCEPT"]
    assert texts(dump("-A USER -j DROP\n-F"), "USER") == []


@pytest.mark.parametrize("text", ["", "# Warning: iptables-legacy tables present, use iptables-legacy to see them\n"])
def test_a_dump_without_tables_is_empty(text: str) -> None:
    assert read(text) == SaveDump((), {}, frozenset())


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("\n", None, "holds no table"), ("hello\n", 1, "outside of any table: 'hello'"),
        ("*filter\n:INPUT ACCEPT [0:0]\n", None, "not closed by COMMIT"),
        ("*broute\nCOMMIT\n", 1, "not a table of iptables"),
        ("*filter\nCOMMIT\n*filter\nCOMMIT\n", 3, "stands twice"), ("*filter\nhello\nCOMMIT\n", 2, "not a line of"),
        ("*filter\nCOMMIT\n-A INPUT -j DROP\n", 3, "outside"), ("*filter\n*nat\nCOMMIT\n", 2, "not a line of"),
        ("*filter\n:A - [0:0]\n:A - [0:0]\nCOMMIT\n", 3, "twice"),
        ("*filter\n:INPUT DROP\n:INPUT DROP\nCOMMIT\n", 3, "twice"),
        ("*filter\n:A DROP [0:0]\nCOMMIT\n", 2, "no policy"), ("*filter\n:INPUT MAYBE [0:0]\nCOMMIT\n", 2, "'MAYBE'"),
        ("*filter\n:INPUT DROP [0]\nCOMMIT\n", 2, "declaration"), ("*filter\n-P A DROP\nCOMMIT\n", 2, "not a policy"),
        ("*filter\n-A NOPE -j DROP\nCOMMIT\n", 2, "'NOPE' is not declared"),
        ("*raw\n-A INPUT -j DROP\nCOMMIT\n", 2, "not declared"),
        ("*filter\n-N INPUT\nCOMMIT\n", 2, "new chain"),
        ("*filter\n-I INPUT 2 -j DROP\nCOMMIT\n", 2, "not in the chain"),
        ("*filter\n-A INPUT -j later\n:later - [0:0]\nCOMMIT\n", 2, "not declared"),
        ("*filter\n[1:2 -A INPUT\nCOMMIT\n", 2, "counters"), ("*filter\n\0\nCOMMIT\n", 2, "NUL"),
        ("*filter\n-A INPUT -m comment --comment " + "x" * 70000 + "\nCOMMIT\n", 2, "64 KiB"),
        ("# Generated by ip6tables-save v1.8.9 on x\n*filter\nCOMMIT\n", 1, "other family"),
        ("*filter\n-D INPUT -j DROP\nCOMMIT\n", 2, "not a line of"),
    ],
)  # fmt: skip
def test_damaged_dumps_are_told_with_their_line(text: str, line: int | None, complaint: str) -> None:
    with pytest.raises(EvidenceError, match=complaint) as caught:
        read(text)
    assert (caught.value.line, caught.value.file) == (line, FILE)
    assert len(str(caught.value)) < 250


def test_a_dump_of_the_other_back_end_is_refused_as_legacy() -> None:
    with pytest.raises(EvidenceError, match="nf_tables back end"):
        read_save(NFT.read_text(), FILE, family="ip", backend="legacy", sets=None)


def test_inserting_is_bounded() -> None:
    text = "*filter\n" + "-A INPUT\n" * 65537 + "-I INPUT -j DROP\nCOMMIT\n"
    with pytest.raises(EvidenceError, match="more than 65536"):
        read(text)


def test_lines_may_end_as_on_windows() -> None:
    text = LEGACY.read_text()
    unix, windows = read(text.replace("\n", "\r\n")), read(text)
    assert [[(rule.steps, rule.text) for rule in chain.rules] for chain in unix.chains.values()] == [
        [(rule.steps, rule.text) for rule in chain.rules] for chain in windows.chains.values()
    ]


@pytest.mark.parametrize(
    ("header", "writer"),
    [
        ("# Generated by iptables-save v1.8.9 (nf_tables) on Sun", "nft"),
        ("# Generated by iptables-nft-save v1.8.4 on Sun", "nft"),
        ("# Generated by ip6tables-save v1.8.9 on Sun", "legacy"),
        ("# Generated by iptables-legacy-save v1.8.9 on Sun", "legacy"),
        ("# Generated by iptables-save v1.4.21 on Sun", None),
        ("# Generated by iptables-save v1.10.0 on Sun", "legacy"),
        ("# mine", None), ("-A INPUT -m comment --comment \"# Generated by iptables-save v1.8.9\"", None), ("", None),
    ],
)  # fmt: skip
def test_the_header_tells_the_back_end(header: str, writer: str | None) -> None:
    assert written_by(f"{header}\n*filter\nCOMMIT\n") == writer


def test_a_set_that_rules_change_is_not_known() -> None:
    sets = read_ipset("create bad hash:ip\nadd bad 1.2.3.4\ncreate all list:set\nadd all bad\ncreate ok hash:ip\n", "s")
    changing = "-A INPUT -m recent --set -j SET --add-set bad src\n"
    matching = "-A INPUT -m set --match-set {} src -j DROP\n"
    text = "*filter\n" + changing + "".join(map(matching.format, ("bad", "all", "ok"))) + "COMMIT\n"
    assert changed_sets(text) == {"bad"}
    found = read_save(text, FILE, family="ip", backend="nft", sets=sets)
    rules = found.chains[ChainName("nft", "ip", "filter", "INPUT")].rules[1:]
    assert [isinstance(rule.steps[0], Unknown) for rule in rules] == [True, True, False]
    alone = "*filter\n" + matching.format("bad") + "COMMIT\n"
    for beside, doubtful in (((), False), ((text,), True)):
        found = read_save(alone, FILE, family="ip", backend="nft", sets=sets, beside=beside)
        (rule,) = found.chains[ChainName("nft", "ip", "filter", "INPUT")].rules
        assert isinstance(rule.steps[0], Unknown) == doubtful


def test_a_rule_reads_the_same_wherever_its_addresses_stand() -> None:
    both = "-s 10.0.0.0/8 -d 10.0.0.1 -p tcp -m tcp --dport 2000 -j ACCEPT"
    late = "-p tcp -m tcp --dport 2000 -d 10.0.0.1 -s 10.0.0.0/8 -j ACCEPT"
    assert steps(both) == steps(late) == steps(f"  {both}  ")


@given(st.data())
def test_damaged_dumps_are_read_or_told(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from((NFT, LEGACY, RULES, IP6)))
    text = path.read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.text(max_size=12) | st.sampled_from(PIECES)) + text[at + cut :]
    found: SaveDump | EvidenceError
    try:
        found = read_save(text, FILE, family="ip6" if path is IP6 else "ip", backend="nft", sets={})
    except EvidenceError as error:
        found = error
    assert isinstance(found, SaveDump) or found.file == FILE


PIECES = (
    " ! ", " -m ", " -j ", "\"", "\\", "\n", "\n-A INPUT ", ":", ",", "/", "-", " -s ", "--", "=", "0x", "٣", "\x1c",
    "\ud800", "99999999999999999999", " -p tcp", " --dport ", "COMMIT\n", "*filter\n", "[0:0] ", "+",
)  # fmt: skip
