"""Conditions of nft(8) rules, as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from tests.differential.nft_sets import NamedSet, TableFamily, address_elements, family_of, port_elements, port_text
from tests.differential.packet_strategies import (
    OWN,
    REDIRECTED,
    Family,
    address_ranges,
    networks,
    port_ranges,
    ports,
)

INTERFACES: Final = ("eth0", "eth1", "tun0", "lo", "docker0")
_WORDS: Final[dict[Family, str]] = {4: "ip", 6: "ip6"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands."""

    family: TableFamily
    hook: str | None
    """None in a chain that several may call; then only what is valid everywhere is used."""
    sets: tuple[NamedSet, ...] = ()
    tracked: bool = True
    """Whether connections may be spoken of: not in netdev tables."""
    early: bool = False
    """Whether it stands before connection tracking, where packets can still be kept out of it."""

    @property
    def incoming(self) -> bool:
        """Whether each packet here has come in by an interface, so that `fib .. iif` is taken."""
        return self.hook in ("prerouting", "input", "forward", "ingress")


def no(draw: st.DrawFn) -> str:
    """An operator: mostly none."""
    return "!= " if draw(st.integers(0, 4)) == 4 else ""


@st.composite
def address_values(draw: st.DrawFn, family: Family) -> str:
    """A network, a range, or an anonymous set of both."""
    kind = draw(st.sampled_from(("network", "network", "range", "set")))
    if kind == "range":
        first, last = draw(address_ranges(family))
        return f"{first}-{last}" if first != last else str(first)
    if kind == "network":
        return str(draw(networks(family)))
    return f"{{ {', '.join(draw(address_elements(family)))} }}"


@st.composite
def port_values(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(("port", "port", "range", "set", "compared")))
    if kind == "port":
        return str(draw(ports()))
    if kind == "range":
        return port_text(*draw(port_ranges()))
    if kind == "compared":
        return f"{draw(st.sampled_from(('<', '<=', '>', '>=')))} {draw(ports())}"
    return f"{{ {', '.join(draw(port_elements()))} }}"


@st.composite
def transports(draw: st.DrawFn, place: Place) -> str:
    kind = draw(st.sampled_from(("dport", "dport", "dport", "sport", "th", "l4proto", "protocol", "flags")))
    protocol = draw(st.sampled_from(("tcp", "tcp", "udp")))
    match kind:
        case "dport" | "sport":
            return f"{protocol} {kind} {_negatable(draw, draw(port_values()))}"
        case "th":
            head = draw(st.sampled_from(("meta l4proto { tcp, udp } ", "meta l4proto tcp ", "")))
            return f"{head}th dport {_negatable(draw, draw(port_values()))}"
        case "l4proto":
            return f"meta l4proto {draw(st.sampled_from(('tcp', 'udp', '{ tcp, udp }', '!= tcp', '!= { udp, sctp }')))}"
        case "protocol":
            word = "ip protocol" if family_of(draw, place.family) == 4 else "ip6 nexthdr"
            return f"{word} {no(draw)}{protocol}"
    return "tcp flags " + draw(
        st.sampled_from(
            ("syn", "== syn", "!= syn", "& (fin | syn | rst | ack) == syn", "& (syn | ack) != 0x0", "{ syn, ack }",
             "& (fin | syn) == (fin | syn)", "! syn", "ack,rst")
        )
    )  # fmt: skip


def _negatable(draw: st.DrawFn, value: str) -> str:
    return value if value[0] in "<>" else no(draw) + value


@st.composite
def sources(draw: st.DrawFn, place: Place) -> str:
    usable = [one for one in place.sets if not one.verdicts]
    if usable and draw(st.booleans()) is True:
        chosen = draw(st.sampled_from(usable))
        return f"{chosen.expression} {no(draw)}@{chosen.name}"
    family = family_of(draw, place.family)
    if family == 4 and draw(st.integers(0, 7)) == 7:
        masked = draw(
            st.sampled_from(("& 255.0.255.0 == 10.0.0.0", "& 0.0.0.1 == 0.0.0.1", "& 255.255.0.255 != 203.0.0.64"))
        )
        return f"ip saddr {masked}"
    return f"{_WORDS[family]} saddr {no(draw)}{draw(address_values(family))}"


@st.composite
def concatenations(draw: st.DrawFn, place: Place) -> str:
    """An anonymous set of source and service, or of interface and port."""
    family = family_of(draw, place.family)
    if place.incoming and draw(st.integers(0, 2)) == 2:
        pairs = [f'"{draw(st.sampled_from(INTERFACES))}" . {draw(ports())}' for _ in range(draw(st.integers(1, 3)))]
        return f"iifname . tcp dport {no(draw)}{{ {', '.join(dict.fromkeys(pairs))} }}"
    word = draw(st.sampled_from(("tcp dport", "udp dport", "th dport")))
    elements = [f"{network} . {draw(ports())}" for network in draw(address_elements(family))]
    return f"{_WORDS[family]} saddr . {word} {no(draw)}{{ {', '.join(elements)} }}"


@st.composite
def others(draw: st.DrawFn, place: Place) -> str:
    family = family_of(draw, place.family)
    word = _WORDS[family]
    kinds = ["daddr", "iifname", "iifname", "mark", "mark", "ttl", "pkttype", "saddr type"]
    kinds += ["nfproto"] if place.family == "inet" else []
    if place.tracked:
        kinds += ["state", "state", "status", "ctmark", "original", "direction"]
    if place.incoming:
        kinds += ["fib", "fib", "fib interface", "reverse path"]
    asked: tuple[str, ...]
    match draw(st.sampled_from(kinds)):
        case "daddr":
            return f"{word} daddr {no(draw)}{draw(st.sampled_from(OWN[family]))}"
        case "iifname":
            outward = place.hook in ("output", "postrouting")
            return ("o" if outward else "i") + draw(
                st.sampled_from(
                    (
                        'ifname "eth0"',
                        'ifname != "eth0"',
                        'ifname "eth*"',
                        'ifname != "e*"',
                        'ifname { "eth0", "tun0" }',
                        'ifname != { "lo", "eth1" }',
                        'ifname "ppp0"',
                        'if "lo"',
                        'if != "lo"',
                        'if { "eth0", "eth1" }',
                    )
                )
            )
        case "mark":
            return "meta mark " + draw(
                st.sampled_from(("0x1", "!= 0x1", "& 0x3 == 0x2", "& 0x1 != 0x0", "{ 0x1, 0x2 }", "0x1-0x10", "0x0"))
            )
        case "ctmark":
            return "ct mark " + draw(st.sampled_from(("0x1", "!= 0x1", "& 0x3 == 0x2", "{ 0x1, 0x10 }", "0x0")))
        case "nfproto":
            return f"meta nfproto {draw(st.sampled_from(('ipv4', 'ipv6')))}"
        case "ttl":
            asked = ("64", "!= 64", "< 64", "> 64")
            return f"{word} {'ttl' if family == 4 else 'hoplimit'} {draw(st.sampled_from(asked))}"
        case "pkttype":
            asked = ("host", "!= host", "{ broadcast, multicast }", "broadcast")
            return f"meta pkttype {draw(st.sampled_from(asked))}"
        case "state":
            asked = ("new", "established,related", "invalid", "untracked", "!= new", "{ new, untracked }", "!= invalid")
            return f"ct state {draw(st.sampled_from(asked))}"
        case "status":
            return f"ct status {draw(st.sampled_from(('dnat', 'snat', '& dnat != 0', '& dnat == 0')))}"
        case "original":
            # nft 1.0.6 does not read `ct original proto-dst 2000` back unless a protocol precedes it.
            if draw(st.booleans()):
                port = draw(st.sampled_from(REDIRECTED))[0]
                return f"meta l4proto tcp ct original proto-dst {no(draw)}{port}"
            return f"ct original {word} daddr {no(draw)}{draw(st.sampled_from(OWN[family]))}"
        case "direction":
            return f"ct direction {draw(st.sampled_from(('original', 'reply')))}"
        case "fib":
            asked = ("local", "!= local", "{ local, broadcast }", "multicast", "unicast")
            return f"fib daddr type {draw(st.sampled_from(asked))}"
        case "fib interface":
            return f"fib daddr . iif type {draw(st.sampled_from(('local', '!= local', '{ local, multicast }')))}"
        case "reverse path":
            return f"fib saddr . iif oif {draw(st.sampled_from(('exists', 'missing')))}"
        case "saddr type" if place.hook in ("prerouting", "input"):
            return f"fib saddr type {draw(st.sampled_from(('local', '!= local', 'unicast')))}"
    return ""
