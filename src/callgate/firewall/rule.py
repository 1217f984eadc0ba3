"""Rules as a kernel sees them, whichever tool wrote them: conditions, actions, chains, hooks.

iptables matches and nft expressions are both read into these. A rule is a row of steps, taken in order: a
condition that does not hold ends the rule, an action acts. Nothing here is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from callgate.firewall.intervals import Intervals

Family = Literal[4, 6]
FAMILIES: Final[tuple[Family, ...]] = (4, 6)

FieldName = Literal[
    "family",  # 4 or 6, as `meta nfproto`
    "protocol",  # of the transport layer, as a number (6 TCP, 17 UDP)
    "nexthdr",  # of IPv6 alone: what follows the fixed header, the transport unless the sender put a header between
    "saddr4", "daddr4", "saddr6", "daddr6",  # absent from packets of the other family
    "sport", "dport",  # absent unless the transport has ports (TCP, UDP, UDP-Lite, SCTP, DCCP)
    "tcp_flags",  # the flag byte: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128; absent unless TCP
    "icmp_type", "icmp_code",  # of ICMP or ICMPv6; absent elsewhere
    "ttl",  # TTL or hop limit
    "length",  # of the whole IP packet, in bytes
    "dscp",
    "mark", "ctmark",  # 32 bits
    "pkttype",  # 0 host, 1 broadcast, 2 multicast, 3 otherhost
    "ct_direction",  # 0 original, 1 reply
    "orig_protocol", "orig_saddr4", "orig_daddr4", "orig_saddr6", "orig_daddr6", "orig_sport", "orig_dport",
]  # fmt: skip
"""The numeric fields of a packet and of the flow it belongs to; `orig_` is the flow before any translation."""


@dataclass(frozen=True, slots=True)
class Within:
    """The packet has the field, and its value (after `& mask`) is in `values`; not in them when `negated`.

    A packet without the field matches neither way, as in the kernel: `tcp dport != 5060` matches no UDP packet.
    """

    field: FieldName
    values: Intervals
    negated: bool = False
    mask: int | None = None


class InterfaceName(NamedTuple):
    """An interface by name, or every interface whose name begins so."""

    name: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """The packet came in (`iif`) or goes out (`oif`) by one of these; a negated one holds where there is none."""

    side: Literal["iif", "oif"]
    names: tuple[InterfaceName, ...]
    negated: bool = False


State = Literal["invalid", "new", "established", "related", "untracked", "snat", "dnat"]
"""Connection tracking's state; `snat` and `dnat` mean that the flow is translated (iptables counts them as states)."""


@dataclass(frozen=True, slots=True)
class InState:
    """The flow has one of these states (iptables `--ctstate`, nft `ct state` and `ct status snat/dnat`)."""

    states: frozenset[State]
    negated: bool = False


AddressKind = Literal["local", "unicast", "broadcast", "multicast", "anycast", "unspec", "blackhole", "unreachable", "prohibit"]  # fmt: skip  # noqa: E501


@dataclass(frozen=True, slots=True)
class AddressType:
    """What the routing tables say of an address (iptables addrtype, nft `fib saddr|daddr type`).

    `interface` limits the question to addresses of the ingress or egress interface.
    """

    side: Literal["source", "destination"]
    kinds: frozenset[AddressKind]
    negated: bool = False
    interface: Literal["iif", "oif"] | None = None


@dataclass(frozen=True, slots=True)
class ReversePath:
    """The way back to the source exists: through the ingress interface, or, when `loose`, through any.

    iptables rpfilter, nft `fib saddr . iif oif exists`.
    """

    loose: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Tuples:
    """The fields together lie in one of the `boxes`: each box has one closed interval for each field.

    Sets of concatenations (nft `ip saddr . tcp dport @s`, ipset hash:net,port). Compared by identity: they are big.
    A packet without one of the fields matches neither way.
    """

    fields: tuple[FieldName, ...]
    boxes: tuple[tuple[tuple[int, int], ...], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """A condition nobody can decide from the evidence: `why` says what it depends on, like `limit 3/min`."""

    why: str
    at_first: bool | Literal["either"] | None = None
    """What it says of a lone packet after a long silence: a rate is then not exceeded. `either`: chance decides.

    None where that is not certain. Who can wait and try again can bring this about.
    """


@dataclass(frozen=True, slots=True)
class Every:
    """All of the conditions hold; of none, always."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """One of the conditions holds; of none, never."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: Condition


Condition = Within | Interface | InState | AddressType | ReversePath | Tuples | Unknown | Every | Some | Not

ALWAYS: Final = Every(())
NEVER: Final = Some(())

Kind = Literal["accept", "drop", "reject"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accept, drop or reject: the base chain is done."""

    kind: Kind
    reset: bool = False
    """Rejected with a TCP RST, and not with an ICMP error."""


@dataclass(frozen=True, slots=True)
class Return:
    """Back to the rule behind the last jump; in a base chain, its policy."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Into a chain of the same table, and on behind this rule when it returns."""

    chain: str


@dataclass(frozen=True, slots=True)
class Goto:
    """Into a chain of the same table; what returns from there returns from here."""

    chain: str


@dataclass(frozen=True, slots=True)
class SetMark:
    """`target = (target & keep) ^ (other & take) ^ constant`, where the other mark of the two is meant.

    MARK, CONNMARK, nft `meta mark set` and `ct mark set`. With `why` the new value is not known.
    """

    target: Literal["mark", "ctmark"]
    constant: int = 0
    keep: int = 0
    take: int = 0
    why: str | None = None


@dataclass(frozen=True, slots=True)
class NoTrack:
    """The packet is not tracked: its state is `untracked`, and nothing translates it."""


@dataclass(frozen=True, slots=True)
class Translate:
    """DNAT, REDIRECT (`to_itself`), SNAT, MASQUERADE (`to_itself`): ends the base chain, like an accept.

    `addresses` and `ports` are closed ranges of which one value is taken; None keeps what the packet has.
    """

    side: Literal["source", "destination"]
    family: Family | None = None
    addresses: tuple[int, int] | None = None
    ports: tuple[int, int] | None = None
    to_itself: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """To a program in user space: it decides. Without one, dropped, or with `bypass` accepted past all policies."""

    bypass: bool = False


@dataclass(frozen=True, slots=True)
class Opaque:
    """An action that is not modelled and may do anything to the packet: `why` names it."""

    why: str


@dataclass(frozen=True, slots=True)
class Choose:
    """The first branch whose condition holds acts (verdict maps, `dnat to ... map`); where none does, the rule ends."""

    branches: tuple[tuple[Condition, Action], ...]


Action = Verdict | Return | Jump | Goto | SetMark | NoTrack | Translate | Queue | Opaque | Choose
Step = Condition | Action
ACTIONS: Final = (Verdict, Return, Jump, Goto, SetMark, NoTrack, Translate, Queue, Opaque, Choose)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule: its steps, its text as the dump has it, and where it stands. Compared by identity."""

    steps: tuple[Step, ...]
    text: str
    chain: ChainName
    position: int
    """Its place in the chain, from 1."""

    def __str__(self) -> str:
        return f"{self.chain} rule {self.position}: {self.text}"


class ChainName(NamedTuple):
    """A chain, told apart over all back ends, families and tables."""

    backend: Literal["nft", "legacy"]
    family: Literal["ip", "ip6", "inet", "netdev", "bridge", "arp"]
    table: str
    chain: str

    def __str__(self) -> str:
        legacy = " (legacy)" if self.backend == "legacy" else ""
        return f"{self.family} {self.table} {self.chain}{legacy}"


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The rules of one chain, in order."""

    name: ChainName
    rules: tuple[Rule, ...]


Hook = Literal["ingress", "prerouting", "input", "forward", "output", "postrouting"]


@dataclass(frozen=True, slots=True, eq=False)
class BaseChain:
    """Where the kernel enters a chain: hook, priority, and what holds when no rule decides."""

    chain: Chain
    hook: Hook
    priority: int
    kind: Literal["filter", "nat", "route"] = "filter"
    policy: Kind = "accept"
    devices: tuple[str, ...] | None = ()
    """For ingress: the interfaces it is bound to; None when the dump does not say. Empty at all other hooks."""


@dataclass(frozen=True, slots=True, eq=False)
class Ruleset:
    """Every table of every back end of one host."""

    base_chains: tuple[BaseChain, ...] = ()
    chains: Mapping[ChainName, Chain] = field(default_factory=dict)
    tracked: frozenset[Family] = frozenset()
    """The families in which some rule makes the kernel track connections."""
    notes: tuple[str, ...] = ()
    """What reading the dumps took for granted, in plain words."""
