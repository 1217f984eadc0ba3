"""The plain listing `nft list ruleset`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.firewall.nftables.listing import ListedTable, read_listing

DATA = Path(__file__).parents[1] / "data" / "firewall"


def table(body: str) -> ListedTable:
    return read_listing(f"table inet t {{\n{body}}}\n")["inet", "t"]


def test_real_listings_name_every_table_chain_and_device() -> None:
    tables = read_listing((DATA / "nft-families.txt").read_text(), ["a\nb"])
    assert list(tables) == [
        ("inet", "maps"), ("netdev", "wire"), ("inet", "door"), ("ip", "asleep"), ("ip", "commented"),
        ("bridge", "switch"), ("arp", "neighbours"),
    ]  # fmt: skip
    assert [name for name, one in tables.items() if one.dormant] == [("ip", "asleep")]
    assert {name: one.devices for name, one in tables["netdev", "wire"].chains.items()} == {
        "a": ("eth0",), "b": ("eth0", "lo"), "e": ("eth0",),
    }  # fmt: skip
    assert len(tables["inet", "maps"].chains["p"].rules) == 35
    assert tables["ip", "commented"].chains["a"].rules[0] == "ip ttl 5 ip dscp ef reject"


@pytest.mark.parametrize(
    ("lines", "rules"),
    [
        ("accept\n", ["accept"]),
        ("accept # handle 7\n", ["accept"]),
        ("tcp dport { 1,\n 2,\n 3 } drop\ndrop\n", ["tcp dport { 1, 2, 3 } drop", "drop"]),
        ('log prefix "a { b"\naccept\n', ['log prefix "a { b"', "accept"]),
        ('tcp dport vmap { 1 : jump a } comment "} }"\n', ['tcp dport vmap { 1 : jump a } comment "} }"']),
        ('comment "of the chain"\naccept\n', ["accept"]),
        ("type filter hook input priority filter + 5; policy drop;\naccept\n", ["accept"]),
    ],
)  # fmt: skip
def test_a_rule_is_a_line_unless_braces_are_open(lines: str, rules: list[str]) -> None:
    assert table(f"\tchain c {{\n{lines}\t}}\n").chains["c"].rules == rules


@pytest.mark.parametrize(
    ("line", "devices"),
    [
        ('type filter hook ingress device "eth0" priority filter; policy accept;', ("eth0",)),
        ("type filter hook ingress device eth0 priority 0; policy accept;", ("eth0",)),
        ("type filter hook ingress devices = { eth0, lo } priority filter + 5; policy drop;", ("eth0", "lo")),
        ('type filter hook ingress devices = { "eth0" } priority 0; policy drop;', ("eth0",)),
        ("type filter hook input priority 0; policy drop;", ()),
    ],
)
def test_an_ingress_chain_names_its_devices(line: str, devices: tuple[str, ...]) -> None:
    assert table(f"\tchain c {{\n\t\t{line}\n\t}}\n").chains["c"].devices == devices


def test_sets_and_objects_are_no_chains_and_their_flags_not_the_tables() -> None:
    found = table(
        '\tcomment "x {"\n\tset s {\n\t\ttype ipv4_addr\n\t\tflags dormant\n\t\telements = { 1.1.1.1,\n\t\t 2.2.2.2 }\n'
        "\t}\n\tct helper h {\n\t\ttype \"ftp\"\n\t}\n\tchain c {\n\t\taccept\n\t}\n"
    )  # fmt: skip
    assert found.chains["c"].rules == ["accept"]
    assert found.dormant is False


def test_a_string_with_a_line_feed_stays_in_its_rule() -> None:
    listing = 'table ip t {\n\tchain c {\n\t\tlog prefix "a\n}\n}" accept\n\t\tdrop\n\t}\n}\n'
    assert read_listing(listing, ["a\n}\n}"])["ip", "t"].chains["c"].rules == ['log prefix "a\\n}\\n}" accept', "drop"]


@given(st.text(alphabet='table inet chain { } " \n\tflags dormant #;,=', max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert all(isinstance(one, ListedTable) for one in read_listing(text).values())
