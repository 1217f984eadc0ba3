"""Short ways to read one rule, and to write what should come of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from callgate.firewall.intervals import Intervals
from callgate.firewall.iptables.ipset import IpSet
from callgate.firewall.iptables.save import SaveDump, read_save
from callgate.firewall.rule import ChainName, FieldName, Interface, InterfaceName, Step, Within
from callgate.firewall.trace import read_address

FILE = "iptables-save.txt"


def address(text: str) -> int:
    return read_address(text)[1]


def within(
    field: FieldName, *values: int | tuple[int, int] | str, negated: bool = False, mask: int | None = None
) -> Within:
    """A condition; a value is a number, a closed range, or an address or range of addresses as text."""
    return Within(field, Intervals.of(map(_pair, values)), negated, mask)


def _pair(value: int | tuple[int, int] | str) -> tuple[int, int]:
    if isinstance(value, str):
        first, _, last = value.partition("-")
        return address(first), address(last or first)
    return (value, value) if isinstance(value, int) else value


def interface(side: Literal["iif", "oif"], name: str, *, prefix: bool = False, negated: bool = False) -> Interface:
    return Interface(side, (InterfaceName(name, prefix),), negated)


def dump(
    lines: str,
    *,
    table: str = "filter",
    family: Literal["ip", "ip6"] = "ip",
    sets: Mapping[str, IpSet] | None = None,
) -> SaveDump:
    """The dump of one table with these lines, and a chain USER."""
    return read_save(f"*{table}\n:USER - [0:0]\n{lines}\nCOMMIT\n", FILE, family=family, backend="nft", sets=sets)


def steps(
    words: str,
    *,
    table: str = "filter",
    family: Literal["ip", "ip6"] = "ip",
    sets: Mapping[str, IpSet] | None = None,
) -> tuple[Step, ...]:
    """The steps of a rule with these words."""
    read = dump(f"-A USER {words}", table=table, family=family, sets=sets)
    (rule,) = read.chains[ChainName("nft", family, table, "USER")].rules
    return rule.steps
