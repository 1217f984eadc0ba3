"""Sets and maps of nft(8) tables: their elements, named ones, and what is looked up in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from hypothesis import strategies as st
from tests.differential.packet_strategies import Family, networks, port_ranges, ports

TableFamily = Literal["inet", "ip", "ip6", "netdev"]

_FAMILIES: Final[dict[TableFamily, tuple[Family, ...]]] = {"inet": (4, 4, 6), "ip": (4,), "ip6": (6,), "netdev": (4, 6)}


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A set of a table; `expression` is what is looked up in it, like `ip saddr . tcp dport`."""

    name: str
    expression: str
    text: str
    verdicts: bool = False
    """Whether it maps to verdicts, for `vmap`."""


def family_of(draw: st.DrawFn, table: TableFamily) -> Family:
    """The family a rule of such a table speaks of."""
    return draw(st.sampled_from(_FAMILIES[table]))


def address_elements(family: Family) -> st.SearchStrategy[list[str]]:
    """Elements of an interval set; overlapping ones are refused by nft, so they are taken out."""
    return st.lists(networks(family), min_size=1, max_size=4).map(
        lambda drawn: [
            str(one) for at, one in enumerate(drawn) if not any(one.overlaps(earlier) for earlier in drawn[:at])
        ]
    )


def port_elements() -> st.SearchStrategy[list[str]]:
    """Elements of an interval set of ports that do not overlap."""
    pairs = st.one_of(ports().map(lambda port: (port, port)), port_ranges())
    return st.lists(pairs, min_size=1, max_size=4).map(
        lambda drawn: [
            port_text(*one)
            for at, one in enumerate(drawn)
            if not any(one[0] <= earlier[1] and earlier[0] <= one[1] for earlier in drawn[:at])
        ]
    )


def port_text(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


@st.composite
def named_sets(draw: st.DrawFn, family: TableFamily) -> tuple[NamedSet, ...]:
    made = []
    for at in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(("addresses", "addresses", "ports", "pairs", "singles", "empty", "marks")))
        of = family_of(draw, family)
        word, kind_of = ("ip", "ipv4_addr") if of == 4 else ("ip6", "ipv6_addr")
        name = f"s{at}"
        elements: list[str] = []
        flags = "flags interval; "
        match kind:
            case "addresses" | "empty":
                expression, typed = f"{word} saddr", kind_of
                elements = draw(address_elements(of)) if kind == "addresses" else []
            case "ports":
                expression, typed = draw(st.sampled_from(("tcp dport", "udp dport", "th dport"))), "inet_service"
                elements = draw(port_elements())
            case "pairs":
                expression, typed = f"{word} saddr . tcp dport", f"{kind_of} . inet_service"
                first, last = draw(port_ranges())
                elements = [
                    f"{network} . {draw(st.sampled_from((str(draw(ports())), f'{first}-{last}')))}"
                    for network in draw(address_elements(of))
                ]
            case "marks":
                expression, typed, flags, elements = "meta mark", "mark", "", ["0x1", "0x2"]
            case _:
                expression, typed, flags = f"{word} saddr", kind_of, ""
                elements = list(
                    dict.fromkeys(str(one.network_address) for one in draw(st.lists(networks(of), max_size=3)))
                )
        filled = f"elements = {{ {', '.join(elements)} }}; " if elements else ""
        made.append(NamedSet(name, expression, f"  set {name} {{ type {typed}; {flags}{filled}}}"))
    return tuple(made)


@st.composite
def named_verdict_maps(draw: st.DrawFn, family: TableFamily, chains: tuple[str, ...]) -> tuple[NamedSet, ...]:
    """None or one map from ports or addresses to verdicts."""
    if draw(st.integers(0, 2)) != 2:
        return ()
    of = family_of(draw, family)
    verdicts = st.sampled_from(("accept", "drop", "return", "continue", *(f"jump {chain}" for chain in chains)))
    if draw(st.booleans()):
        word, typed = ("ip", "ipv4_addr") if of == 4 else ("ip6", "ipv6_addr")
        expression, keys = f"{word} saddr", draw(address_elements(of))
    else:
        expression, typed = draw(st.sampled_from(("tcp dport", "udp dport", "th dport"))), "inet_service"
        keys = draw(port_elements())
    elements = ", ".join(f"{key} : {draw(verdicts)}" for key in keys)
    text = f"  map v0 {{ type {typed} : verdict; flags interval; elements = {{ {elements} }}; }}"
    return (NamedSet("v0", expression, text, verdicts=True),)
