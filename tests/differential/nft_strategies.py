"""Rulesets in nft(8)'s own language: tables of all families a packet to this host crosses, several of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from hypothesis import strategies as st
from tests.differential.nft_matches import INTERFACES, Place, concatenations, others, sources, transports
from tests.differential.nft_sets import (
    NamedSet,
    TableFamily,
    address_elements,
    family_of,
    named_sets,
    named_verdict_maps,
    port_elements,
)
from tests.differential.packet_strategies import BEHIND, CONTAINERS, OWN, REDIRECTED, networks, ports

_REJECTS: Final[dict[TableFamily, tuple[str, ...]]] = {
    "inet": ("reject", "reject with icmpx admin-prohibited", "reject with icmp host-prohibited",
             "reject with icmpv6 admin-prohibited", "meta l4proto tcp reject with tcp reset"),
    "ip": ("reject", "reject with icmp host-unreachable", "meta l4proto tcp reject with tcp reset"),
    "ip6": ("reject", "reject with icmpv6 no-route", "meta l4proto tcp reject with tcp reset"),
    "netdev": ("drop",),
}  # fmt: skip

PRIORITIES: Final[dict[str, tuple[int, ...]]] = {
    # Tracking begins at -200, translation is done at -100 (100 in input). No value is taken by an iptables table.
    "prerouting": (-350, -250, -180, -120, -90, 10),
    "input": (-140, -20, 5, 20, 60, 120),
    "forward": (-20, 5, 20),
    "output": (-310, -20, 5, 20),
}
_NAT: Final[dict[str, tuple[int, ...]]] = {"prerouting": (-110, -105, -95), "output": (-105, -95), "input": (105,)}


@dataclass(frozen=True, slots=True)
class Slot:
    """A base chain to be: no two of a ruleset share hook and priority where order could matter."""

    hook: str
    priority: int
    kind: Literal["filter", "nat"]


def slots(max_size: int) -> st.SearchStrategy[list[Slot]]:
    """Base chains for a whole ruleset, to be dealt out among its tables."""
    every = [Slot(hook, priority, "filter") for hook, at in PRIORITIES.items() for priority in at]
    nat = [Slot(hook, priority, "nat") for hook, at in _NAT.items() for priority in at]
    usual = [slot for slot in every if slot.hook == "input"]
    one = st.one_of(st.sampled_from(usual), st.sampled_from(every), st.sampled_from(nat))
    return st.lists(one, min_size=1, max_size=max_size, unique=True)


@st.composite
def _conditions(draw: st.DrawFn, place: Place) -> list[str]:
    parts = []
    if draw(st.integers(0, 3)) != 3:
        parts.append(draw(transports(place)))
    if draw(st.integers(0, 2)) != 2:
        parts.append(draw(sources(place)) if draw(st.integers(0, 4)) else draw(concatenations(place)))
    parts += [draw(others(place)) for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2))))]
    return parts


@st.composite
def rules(draw: st.DrawFn, place: Place, chains: tuple[str, ...]) -> str:
    """One rule: conditions, perhaps none, and a verdict or another statement."""
    return _agreeing(draw(_conditions(place)), draw(_verdicts(place, chains)))


def _agreeing(conditions: list[str], verdict: str) -> str:
    """The rule without those conditions that nft refuses beside the others.

    `ip saddr` beside `ip6 saddr`, or two statements of the transport, are conflicts to it.
    """
    network, transport = _layers(verdict)
    kept: list[str] = []
    for part in filter(None, conditions):
        its_network, its_transport = _layers(part)
        if (its_network and network and its_network != network) or (its_transport and transport):
            continue
        network, transport = network or its_network, transport or its_transport
        kept.append(part)
    return " ".join([*kept, verdict])


def _layers(part: str) -> tuple[str | None, str | None]:
    """What a part of a rule presumes of the network and of the transport layer."""
    words = part.split()
    network = next((_NETWORK_WORDS[word] for word in words if word in _NETWORK_WORDS), None)
    return network, next((word for word in words if word in _TRANSPORT_WORDS), None)


_NETWORK_WORDS: Final = {"ip": "ip", "icmp": "ip", "ipv4": "ip", "ip6": "ip6", "icmpv6": "ip6", "ipv6": "ip6"}
_TRANSPORT_WORDS: Final = ("tcp", "udp", "th", "l4proto", "protocol", "nexthdr")


@st.composite
def _verdicts(draw: st.DrawFn, place: Place, chains: tuple[str, ...]) -> str:
    kinds = ["accept", "accept", "accept", "drop", "drop", "return", "continue", "none", "mark", "vmap", "vmap"]
    kinds += ["jump", "jump", "goto"] if chains else []
    kinds += ["reject", "reject"] if place.hook in ("input", "forward", "output") else []
    kinds += ["ct mark"] if place.tracked else []
    kinds += ["notrack", "notrack"] if place.early else []
    counted = draw(st.sampled_from(("", "", "", "counter ", 'log prefix "accept " ')))
    match draw(st.sampled_from(kinds)):
        case "none":
            return "counter"
        case "jump":
            return f"{counted}jump {draw(st.sampled_from(chains))}"
        case "goto":
            return f"{counted}goto {draw(st.sampled_from(chains))}"
        case "reject":
            return counted + draw(st.sampled_from(_REJECTS[place.family]))
        case "mark":
            how = ("0x1", "0x2", "meta mark | 0x2", "meta mark & 0x1", "meta mark ^ 0x3", "0x0")
            copied = ("ct mark",) if place.tracked else ()
            after = draw(st.sampled_from(("", "", " accept")))
            return f"{counted}meta mark set {draw(st.sampled_from(how + copied))}{after}"
        case "ct mark":
            return f"{counted}ct mark set {draw(st.sampled_from(('0x1', '0x10', 'meta mark')))}"
        case "vmap":
            return draw(_verdict_maps(place, chains))
        case other:
            return f"{counted}{other}"


@st.composite
def _verdict_maps(draw: st.DrawFn, place: Place, chains: tuple[str, ...]) -> str:
    answers = ["accept", "drop", "return", "continue", *(f"jump {chain}" for chain in chains[:2])]
    answers += [f"goto {chain}" for chain in chains[:1]]
    answer = st.sampled_from(answers)
    family = family_of(draw, place.family)
    word = "ip" if family == 4 else "ip6"
    named = [one for one in place.sets if one.verdicts]
    if named and draw(st.booleans()) is True:
        chosen = draw(st.sampled_from(named))
        return f"{chosen.expression} vmap @{chosen.name}"
    kinds = ["ports", "addresses", "mark", "protocol", "pair"]
    kinds += ["interface"] if place.incoming else []
    kinds += ["state"] if place.tracked else []
    match draw(st.sampled_from(kinds)):
        case "ports":
            protocol = draw(st.sampled_from(("tcp", "udp", "th")))
            expression, keys = f"{protocol} dport", draw(port_elements())
        case "addresses":
            expression, keys = f"{word} saddr", draw(address_elements(family))
        case "mark":
            expression, keys = "meta mark", ["0x0", "0x1", "0x2"]
        case "protocol":
            expression, keys = "meta l4proto", ["tcp", "udp"]
        case "interface":
            expression, keys = "iifname", [f'"{name}"' for name in draw(st.permutations(INTERFACES))[:3]]
        case "state":
            expression, keys = "ct state", ["established", "new", "invalid", "untracked"]
        case _:
            expression = "meta l4proto . th dport"
            keys = list(dict.fromkeys(f"tcp . {draw(ports())}" for _ in range(3)))
    elements = ", ".join(f"{key} : {draw(answer)}" for key in keys)
    return f"{expression} vmap {{ {elements} }}"


@st.composite
def _translations(draw: st.DrawFn, family: TableFamily, hook: str) -> str:
    place = Place(family, hook)
    of = family_of(draw, place.family)
    word = "ip" if of == 4 else "ip6"
    original, port = draw(st.sampled_from(REDIRECTED))
    protocol = draw(st.sampled_from(("tcp", "udp")))
    head = f"meta nfproto {'ipv4' if of == 4 else 'ipv6'} " if family == "inet" else ""
    if draw(st.integers(0, 2)) == 2:
        head += f"{word} saddr {draw(networks(of))} "
    to = f"dnat {word} to" if family == "inet" else "dnat to"
    container = f"[{CONTAINERS[6]}]" if of == 6 else CONTAINERS[4]
    own = f"[{OWN[6][0]}]" if of == 6 else OWN[4][0]
    pairs = ", ".join(f"{one} : {other}" for one, other in dict(REDIRECTED[:3]).items())
    kinds = (
        "redirect",
        "redirect",
        "map",
        "container",
        "container",
        "own",
        "accept",
        "bare",
        "pairs",
        "behind",
        "loopback",
    )
    match draw(st.sampled_from(kinds)):
        case "redirect":
            return f"{head}{protocol} dport {original} redirect to :{port}"
        case "map":
            return f"{head}{protocol} dport {{ 12000, 12443, 15060 }} redirect to :{protocol} dport map {{ {pairs} }}"
        case "container":
            return f"{head}{protocol} dport {original} {to} {container}:{port}"
        case "own":
            return f"{head}{protocol} dport {original} {to} {own}:{port}"
        case "bare":
            return f"{head}{protocol} dport {original} {to} {CONTAINERS[of]}"
        case "behind":
            return f"{head}{protocol} dport {original} {to} {BEHIND[of]}"
        case "loopback":
            return f"{head}{protocol} dport {original} {to} {'127.0.0.1' if of == 4 else '::1'}"
        case "pairs" if of == 4:
            targets = f"2000 : {CONTAINERS[4]} . 2443, 5060 : {OWN[4][1]} . 5061, 22 : {BEHIND[4]} . 22"
            return f"{head}{to.removesuffix(' to')} addr . port to {protocol} dport map {{ {targets} }}".replace(
                "dnat addr", "dnat ip addr"
            )
    return f"{head}{protocol} dport {original} accept"


@st.composite
def _source_translations(draw: st.DrawFn, family: TableFamily, hook: str) -> str:
    """In input: filters after it see another source."""
    of = family_of(draw, family)
    word = "ip" if of == 4 else "ip6"
    service = f"{draw(st.sampled_from(('tcp', 'udp')))} dport {draw(ports())}"
    head = f"{word} saddr {draw(networks(of))} {service}" if draw(st.booleans()) else service
    if draw(st.integers(0, 2)) == 2:
        return f"{head} accept"
    to = draw(networks(of).filter(lambda network: int(network.network_address) > 0)).network_address + 5
    nfproto = f"meta nfproto {'ipv4' if of == 4 else 'ipv6'} " if family == "inet" and word not in head.split() else ""
    return f"{nfproto}{head} snat {f'{word} ' if family == 'inet' else ''}to {to}"


@st.composite
def _base_chain(
    draw: st.DrawFn, family: TableFamily, slot: Slot, sets: tuple[NamedSet, ...], users: tuple[str, ...]
) -> str:
    number = f"{slot.hook}_{slot.priority}".replace("-", "m")
    policy = "accept"
    if slot.hook == "input" and slot.kind == "filter":
        policy = draw(st.sampled_from(("drop", "accept")))
    elif slot.kind == "filter" and draw(st.integers(0, 7)) == 7:
        policy = "drop"
    lines = [
        f"  chain {number} {{",
        f"    type {slot.kind} hook {slot.hook} priority {slot.priority}; policy {policy};",
    ]
    if slot.kind == "nat":
        kind = _source_translations if slot.hook == "input" else _translations
        lines += [f"    {draw(kind(family, slot.hook))}" for _ in range(draw(st.integers(1, 3)))]
    else:
        early = slot.hook in ("prerouting", "output") and slot.priority < -200
        # Speaking of connections makes the kernel track, also where a rule comes before tracking and sees none.
        place = Place(family, slot.hook, sets, tracked=not early or draw(st.integers(0, 2)) == 2, early=early)
        most = 6 if slot.hook == "input" else 3
        for _ in range(draw(st.integers(1, most))):
            lines.append(f"    {draw(rules(place, users))}")
    return "\n".join([*lines, "  }"])


@st.composite
def _netdev_table(draw: st.DrawFn, name: str) -> str:
    place = Place("netdev", "ingress", tracked=False)
    device = draw(st.sampled_from(("eth0", "eth0", "eth1")))
    lines = [
        f"table netdev {name} {{",
        "  chain in {",
        f'    type filter hook ingress device "{device}" priority -500;',
    ]
    for _ in range(draw(st.integers(1, 3))):
        parts = [draw(transports(place)), draw(sources(place))][draw(st.integers(0, 1)) :]
        verdict = draw(st.sampled_from(("drop", "drop", "accept", "meta mark set 0x1", "counter")))
        lines.append(f"    {_agreeing(parts, verdict)}")
    return "\n".join([*lines, "  }", "}"]) + "\n"


@st.composite
def _table(draw: st.DrawFn, name: str, family: TableFamily, own: list[Slot]) -> str:
    users = tuple(f"c{number}" for number in range(draw(st.integers(0, 3))))
    # A map of verdicts may jump to the last chain only: the others must not come to call themselves.
    sets = draw(named_sets(family)) + draw(named_verdict_maps(family, users[-1:]))
    lines = [f"table {family} {name} {{"]
    if draw(st.integers(0, 11)) == 11:
        lines.append("  flags dormant;")
    lines += [one.text for one in sets]
    for number, user in enumerate(users):
        # A chain called from everywhere may say only what is valid in every hook it is reached from.
        callers = {slot.hook for slot in own if slot.kind == "filter"}
        hook = next(iter(callers)) if len(callers) == 1 else None
        early = bool(callers) and callers <= {"prerouting", "output"} and all(slot.priority < -200 for slot in own)
        lines.append(f"  chain {user} {{")
        for _ in range(draw(st.integers(1, 3))):
            inner = tuple(one for one in sets if user != users[-1] or not one.verdicts)
            place = Place(family, hook, inner, early=early)
            lines.append(f"    {draw(rules(place, users[number + 1 :]))}")
        lines.append("  }")
    lines += [draw(_base_chain(family, slot, sets, users)) for slot in own]
    return "\n".join([*lines, "}"]) + "\n"


@st.composite
def nft_texts(draw: st.DrawFn, max_chains: int = 5) -> str:
    """What `nft -f` takes: one to three tables, each with base chains of its own, and sometimes one at ingress."""
    dealt = draw(slots(max_chains))
    count = draw(st.integers(1, min(3, len(dealt))))
    texts = []
    for at in range(count):
        family: TableFamily = draw(st.sampled_from(("inet", "inet", "ip", "ip6")))
        texts.append(draw(_table(f"t{at}", family, dealt[at::count])))
    if draw(st.integers(0, 7)) == 7:
        texts.append(draw(_netdev_table("n0")))
    return "".join(texts)
