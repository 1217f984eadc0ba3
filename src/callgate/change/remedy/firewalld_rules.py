"""Rules of firewalld: as firewall-cmd takes and lists them, as its files and the kernel have them.

What the kernel gets was observed with firewalld 1.3.3 over both of its back ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from callgate.baseline.service import Service
from callgate.change.remedy.foreseen import read_tables
from callgate.evidence.interfaces import Network
from callgate.firewall.iptables.save import read_save
from callgate.firewall.rule import Family, Rule

View = Literal["runtime", "permanent"]
VIEWS: Final[tuple[View, ...]] = ("runtime", "permanent")
"""firewalld's two configurations: what holds now, and what it starts with."""

FIRST: Final = -32768
"""The lowest priority of rich rules, which is asked first (firewalld.richlanguage(5))."""
SECOND: Final = -32767

_CHAIN: Final = "zone"


@dataclass(frozen=True, slots=True)
class RichRule:
    """One rich rule about one service: `firewalld.richlanguage(5)`."""

    family: Family
    service: Service
    action: Literal["accept", "drop"]
    source: Network | None = None
    negated: bool = False
    """Everybody but the source."""
    priority: int = 0
    """Below 0: in the zone's `_pre` chain, before all else; 0: in its `_allow` or `_deny` chain."""

    def __str__(self) -> str:
        """As firewall-cmd lists it, word for word, and takes it."""
        words = ["rule"]
        if self.priority:
            words.append(f'priority="{self.priority}"')
        words.append(f'family="ipv{self.family}"')
        if self.source is not None:
            words.append(f'source {"NOT " if self.negated else ""}address="{self.source}"')
        words.append(f'port port="{self.ports}" protocol="{self.service.transport}"')
        return " ".join([*words, self.action])

    @property
    def ports(self) -> str:
        """The ports, like `2000` or `6970-6972`."""
        return self.service.ports.partition("/")[0]

    @property
    def part(self) -> Literal["pre", "allow", "deny"]:
        """Which of the zone's chains it goes to."""
        if self.priority < 0:
            return "pre"
        return "allow" if self.action == "accept" else "deny"

    def xml(self) -> str:
        """As the zone's file has it: firewalld.zone(5)."""
        priority = f' priority="{self.priority}"' if self.priority else ""
        source = ""
        if self.source is not None:
            invert = ' invert="True"' if self.negated else ""
            source = f'    <source address="{self.source}"{invert}/>\n'
        return (
            f'  <rule family="ipv{self.family}"{priority}>\n{source}'
            f'    <port port="{self.ports}" protocol="{self.service.transport}"/>\n'
            f"    <{self.action}/>\n  </rule>\n"
        )

    def native(self) -> Rule:
        """As the nftables back end writes it, parsed."""
        ip, protocol = ("ip" if self.family == 4 else "ip6"), self.service.transport
        port = self.service.port
        if self.source is None:
            first: object = {"meta": {"key": "nfproto"}}
            expressions = [_match(first, f"ipv{self.family}")]
        else:
            prefix = {"addr": str(self.source.network_address), "len": self.source.prefixlen}
            saddr = {"payload": {"protocol": ip, "field": "saddr"}}
            expressions = [_match(saddr, {"prefix": prefix}, "!=" if self.negated else "==")]
        ports = {"range": [port[0], port[-1]]} if len(port) > 1 else port[0]
        expressions += [_match({"payload": {"protocol": protocol, "field": "dport"}}, ports), {self.action: None}]
        place = {"family": "inet", "table": "firewalld"}
        entries: Sequence[dict[str, object]] = (
            {"table": {"family": "inet", "name": "firewalld"}},
            {"chain": {**place, "name": _CHAIN}},
            {"rule": {**place, "chain": _CHAIN, "expr": expressions}},
        )
        (chain,) = read_tables(entries).chains.values()
        return chain.rules[0]

    def xt(self, backend: Literal["nft", "legacy"]) -> Rule:
        """As the iptables back end writes it, parsed."""
        source = "" if self.source is None else f"{'! ' if self.negated else ''}-s {self.source} "
        protocol, port = self.service.transport, self.service.port
        ports = f"{port[0]}:{port[-1]}" if len(port) > 1 else f"{port[0]}"
        rule = f"{source}-p {protocol} -m {protocol} --dport {ports} -j {self.action.upper()}"
        return saved_rule(rule, self.family, backend)


@dataclass(frozen=True, slots=True)
class DirectChain:
    """A chain of the direct interface: `firewalld.direct(5)`."""

    family: Family
    name: str
    table: str = "mangle"

    def __str__(self) -> str:
        """As `--direct --get-all-chains` lists it."""
        return f"ipv{self.family} {self.table} {self.name}"

    def xml(self) -> str:
        """As direct.xml has it."""
        return f'  <chain ipv="ipv{self.family}" table="{self.table}" chain="{self.name}"/>\n'


@dataclass(frozen=True, slots=True)
class DirectRule:
    """A rule of the direct interface: options of iptables, none of which holds a space or a quote."""

    family: Family
    chain: str
    priority: int
    options: str
    table: str = "mangle"

    def __str__(self) -> str:
        """As `--direct --get-all-rules` lists it."""
        return f"ipv{self.family} {self.table} {self.chain} {self.priority} {self.options}"

    def xml(self) -> str:
        """As direct.xml has it."""
        place = f'ipv="ipv{self.family}" table="{self.table}" chain="{self.chain}" priority="{self.priority}"'
        return f"  <rule {place}>{self.options}</rule>\n"


@dataclass(frozen=True, slots=True)
class Placed:
    """A rich rule, and the zone it goes into, in one of the two configurations."""

    view: View
    zone: str
    rule: RichRule


@dataclass(frozen=True, slots=True)
class PlacedDirect:
    """A chain or rule of the direct interface in one of the two configurations."""

    view: View
    rule: DirectChain | DirectRule


def saved_rule(text: str, family: Family, backend: Literal["nft", "legacy"]) -> Rule:
    """A rule in the words of iptables-save, without the chain, parsed."""
    return saved_rules([text], family, backend)[0]


def saved_rules(texts: Sequence[str], family: Family, backend: Literal["nft", "legacy"]) -> tuple[Rule, ...]:
    """Rules in the words of iptables-save, which jump to no chain but those of iptables, parsed."""
    lines = ["*mangle", f":{_CHAIN} - [0:0]", *(f"-A {_CHAIN} {text}" for text in texts), "COMMIT", ""]
    dump = read_save("\n".join(lines), "remedy", family="ip" if family == 4 else "ip6", backend=backend, sets=None)
    return next(chain.rules for name, chain in dump.chains.items() if name.chain == _CHAIN)


def _match(left: object, right: object, operator: str = "==") -> dict[str, object]:
    return {"match": {"op": operator, "left": left, "right": right}}
