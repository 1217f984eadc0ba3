"""Rulesets in the words of iptables-save and ipset: filter, mangle, raw and nat tables of one family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from tests.differential.ipset_strategies import IpSet
from tests.differential.packet_strategies import (
    BEHIND,
    CONTAINERS,
    OWN,
    REDIRECTED,
    Family,
    address_ranges,
    networks,
    port_ranges,
    ports,
)

MARKS: Final = ("0x1", "0x2", "0x1/0x1", "0x2/0x3", "0x10/0xf0", "0x0/0x1", "0x0")
_HOOKS: Final = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
_STATES: Final = ("NEW", "ESTABLISHED,RELATED", "INVALID", "UNTRACKED", "NEW,INVALID", "DNAT", "NEW,DNAT", "SNAT")
_TYPES: Final[dict[Family, tuple[str, ...]]] = {
    4: ("LOCAL", "LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "LOCAL,BROADCAST", "UNSPEC"),
    6: ("LOCAL", "LOCAL", "UNICAST", "MULTICAST", "LOCAL,MULTICAST", "UNICAST,LOCAL"),  # others are refused
}
_REJECTS: Final[dict[Family, tuple[str, ...]]] = {
    4: ("icmp-port-unreachable", "icmp-host-prohibited", "icmp-admin-prohibited", "icmp-net-unreachable"),
    6: ("icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route", "icmp6-addr-unreachable"),
}
_TCP_FLAGS: Final = ("FIN,SYN,RST,ACK SYN", "ALL NONE", "SYN,ACK SYN,ACK", "ACK ACK", "RST RST", "FIN,SYN FIN,SYN")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands: what it may match and do depends on it."""

    family: Family
    table: str
    hook: str | None
    """The built-in chain; None in a user chain, which may be called from several."""
    sets: tuple[IpSet, ...]
    tracked: bool = True
    """Whether rules may speak of connections (they make the kernel track)."""


def _maybe_not(draw: st.DrawFn) -> str:
    return "! " if draw(st.integers(0, 4)) == 4 else ""


@st.composite
def transports(draw: st.DrawFn) -> str:
    """A match on the protocol and mostly its ports; words joined as iptables takes them."""
    protocol = draw(st.sampled_from(("tcp", "udp")))
    kind = draw(st.sampled_from(("dport", "dport", "range", "multiport", "sport", "flags", "none", "not", "number")))
    no = _maybe_not(draw)
    match kind:
        case "dport":
            return f"-p {protocol} -m {protocol} {no}--dport {draw(ports())}"
        case "range":
            first, last = draw(port_ranges())
            return f"-p {protocol} -m {protocol} {no}--dport {first}:{last}"
        case "sport":
            first, last = draw(port_ranges())
            return f"-p {protocol} -m {protocol} {no}--sport {first}:{last} --dport {draw(ports())}"
        case "multiport":
            which = draw(st.sampled_from(("dports", "dports", "sports", "ports")))
            ranges = port_ranges().map(lambda pair: f"{pair[0]}:{pair[1]}")
            listed = draw(st.lists(st.one_of(ports().map(str), ranges), min_size=1, max_size=3))
            return f"-p {protocol} -m multiport {no}--{which} {','.join(listed)}"
        case "flags":
            return f"-p tcp -m tcp {no}--tcp-flags {draw(st.sampled_from(_TCP_FLAGS))}"
        case "not":
            return f"! -p {protocol}"
        case "number":
            return f"-p {draw(st.sampled_from(('6', '17', 'sctp', 'all')))}"
    return f"-p {protocol}"


@st.composite
def _from(draw: st.DrawFn, place: Place) -> str:
    kind = draw(st.sampled_from(("network", "network", "range", "set", "set")))
    no = _maybe_not(draw)
    usable = [one for one in place.sets if one.family in (None, place.family)]
    if kind == "set" and usable:
        chosen = draw(st.sampled_from(usable))
        return f"-m set {no}--match-set {chosen.name} {draw(st.sampled_from(chosen.directions))}"
    if kind == "range":
        first, last = draw(address_ranges(place.family))
        return f"-m iprange {no}--src-range {first}-{last}"
    return f"{no}-s {draw(networks(place.family))}"


@st.composite
def _other_match(draw: st.DrawFn, place: Place) -> str:
    kinds = ["to", "iif", "iif", "mark", "addrtype", "ttl", "pkttype", "comment"]
    if place.tracked:
        kinds += ["state", "state", "conntrack", "connmark"]
    no = _maybe_not(draw)
    match draw(st.sampled_from(kinds)):
        case "to":
            return f"{no}-d {draw(st.sampled_from(OWN[place.family]))}"
        case "iif":
            names = draw(st.sampled_from(("eth0", "eth1", "tun0", "lo", "eth+", "ppp0", "docker0", "e+")))
            outward = place.hook in ("OUTPUT", "POSTROUTING") or (place.hook == "FORWARD" and draw(st.booleans()))
            return f"{no}{'-o' if outward else '-i'} {names}"
        case "mark":
            return f"-m mark {no}--mark {draw(st.sampled_from(MARKS))}"
        case "connmark":
            return f"-m connmark {no}--mark {draw(st.sampled_from(MARKS))}"
        case "addrtype":
            side = draw(st.sampled_from(("dst", "dst", "src")))
            limit = ""
            if place.hook in ("PREROUTING", "INPUT") and draw(st.integers(0, 3)) == 3:
                limit = " --limit-iface-in"
            kinds_of = draw(st.sampled_from(_TYPES[place.family]))
            return f"-m addrtype {no}--{side}-type {kinds_of}{limit}"
        case "ttl":
            word = "ttl" if place.family == 4 else "hl"
            ask = draw(st.sampled_from((f"--{word}-eq 64", f"--{word}-lt 64", f"--{word}-gt 64", f"! --{word}-eq 64")))
            return f"-m {word} {ask}"
        case "pkttype":
            return f"-m pkttype {no}--pkt-type {draw(st.sampled_from(('unicast', 'broadcast', 'multicast')))}"
        case "state":
            return f"-m state {no}--state {draw(st.sampled_from(_STATES[:5]))}"
        case "conntrack":
            asked = draw(st.sampled_from(("state", "state", "port", "destination", "direction", "protocol")))
            if asked == "port":
                return f"-m conntrack {no}--ctorigdstport {draw(st.sampled_from(REDIRECTED))[0]}"
            if asked == "destination":
                return f"-m conntrack {no}--ctorigdst {draw(st.sampled_from(OWN[place.family]))}"
            if asked == "direction":
                return f"-m conntrack --ctdir {draw(st.sampled_from(('ORIGINAL', 'REPLY')))}"
            if asked == "protocol":
                return f"-m conntrack {no}--ctproto {draw(st.sampled_from(('6', '17')))}"
            return f"-m conntrack {no}--ctstate {draw(st.sampled_from(_STATES))}"
    return '-m comment --comment "-j ACCEPT"'


@st.composite
def matches(draw: st.DrawFn, place: Place) -> str:
    """All matches of one rule."""
    parts = []
    if draw(st.integers(0, 3)) != 3:
        parts.append(draw(transports()))
    if draw(st.integers(0, 2)) != 2:
        parts.append(draw(_from(place)))
    parts += [draw(_other_match(place)) for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2))))]
    return _once(parts)


def _once(parts: list[str]) -> str:
    """The parts without those that iptables takes only once in a rule."""
    taken: set[str] = set()
    kept = []
    for part in parts:
        words = part.removeprefix("! ").split()
        option = words[0] if words[0] != "-m" else words[1]
        if option not in taken:
            kept.append(part)
            taken.add(option)
    return " ".join(kept)


@st.composite
def _targets(draw: st.DrawFn, place: Place, callable_chains: tuple[str, ...]) -> str:
    kinds = ["ACCEPT", "ACCEPT", "ACCEPT", "DROP", "DROP", "RETURN", "LOG", "none", "MARK"]
    kinds += ["jump", "jump", "goto"] if callable_chains else []
    if place.table == "filter":
        kinds += ["REJECT", "REJECT"]
    if place.table == "mangle":
        kinds = [kind for kind in kinds if kind != "ACCEPT"] + ["MARK", "MARK", "CONNMARK"]
    if place.table == "raw":
        kinds += ["NOTRACK", "NOTRACK"]
    match draw(st.sampled_from(kinds)):
        case "jump":
            return f"-j {draw(st.sampled_from(callable_chains))}"
        case "goto":
            return f"-g {draw(st.sampled_from(callable_chains))}"
        case "REJECT":
            return f"-j REJECT --reject-with {draw(st.sampled_from(_REJECTS[place.family]))}"
        case "LOG":
            return '-j LOG --log-prefix "DROP "'
        case "none":
            return ""
        case "MARK":
            how = draw(st.sampled_from(("--set-xmark", "--set-mark", "--or-mark", "--and-mark", "--xor-mark")))
            value = draw(st.sampled_from(("0x1", "0x2", "0x10")))
            return f"-j MARK {how} {value}" + ("/0xff" if how == "--set-xmark" else "")
        case "CONNMARK":
            how = draw(st.sampled_from(("--save-mark", "--restore-mark", "--set-mark 0x1", "--set-xmark 0x2/0xff")))
            return f"-j CONNMARK {how}"
        case "NOTRACK":
            return draw(st.sampled_from(("-j NOTRACK", "-j CT --notrack")))
        case other:
            return f"-j {other}"


@st.composite
def _translations(draw: st.DrawFn, place: Place, callable_chains: tuple[str, ...]) -> str:
    original, port = draw(st.sampled_from(REDIRECTED))
    protocol = draw(st.sampled_from(("tcp", "udp")))
    head = f"-p {protocol} -m {protocol} --dport {original}"
    if draw(st.integers(0, 2)) == 2:
        head += " " + draw(_from(place))
    kinds = ["redirect", "redirect", "container", "container", "local", "ACCEPT", "behind", "loopback"]
    kinds += ["jump", "RETURN"] if callable_chains else []
    container = f"[{CONTAINERS[6]}]" if place.family == 6 else CONTAINERS[4]
    match draw(st.sampled_from(kinds)):
        case "redirect":
            return f"{head} -j REDIRECT --to-ports {port}"
        case "container":
            bare = CONTAINERS[place.family]
            return f"{head} -j DNAT --to-destination {draw(st.sampled_from((bare, f'{container}:{port}')))}"
        case "behind":
            return f"{head} -j DNAT --to-destination {BEHIND[place.family]}"
        case "loopback":
            return f"{head} -j DNAT --to-destination {'127.0.0.1' if place.family == 4 else '::1'}"
        case "local":
            own = OWN[place.family][0]
            return f"{head} -j DNAT --to-destination {f'[{own}]' if place.family == 6 else own}:{port}"
        case "jump":
            local = "-m addrtype --dst-type LOCAL" if place.hook else head
            return f"{local} -j {draw(st.sampled_from(callable_chains))}"
        case other:
            return f"{head} -j {other}"


@st.composite
def _filtering_table(draw: st.DrawFn, family: Family, table: str, sets: tuple[IpSet, ...], rules: int) -> str:
    users = tuple(f"{table}-{number}" for number in range(draw(st.integers(0, 3 if table == "filter" else 1))))
    hooks = _HOOKS[table]
    lines = [f"*{table}"]
    for hook in hooks:
        may_drop = hook == "INPUT" or (hook != "POSTROUTING" and draw(st.integers(0, 3)) == 3)
        policy = draw(st.sampled_from(("DROP", "DROP", "ACCEPT"))) if may_drop and table == "filter" else "ACCEPT"
        lines.append(f":{hook} {policy}")
    lines += [f":{user} -" for user in users]
    busiest = "INPUT" if "INPUT" in hooks and table != "mangle" else "PREROUTING"
    for hook in hooks:
        most = rules if hook == busiest else draw(st.sampled_from((0, 0, 0, 2)))
        for _ in range(draw(st.integers(min(1, most), most))):
            place = Place(family, table, hook, sets, tracked=table != "raw")
            lines.append(_rule(hook, draw(matches(place)), draw(_targets(place, users))))
        if hook == "INPUT" and table == "filter" and draw(st.integers(0, 3)) == 3:
            lines.append(f"-A INPUT -j REJECT --reject-with {draw(st.sampled_from(_REJECTS[family]))}")
    for number, user in enumerate(users):
        for _ in range(draw(st.integers(1, 4))):
            place = Place(family, table, None, sets, tracked=table != "raw")
            lines.append(_rule(user, draw(matches(place)), draw(_targets(place, users[number + 1 :]))))
    return "\n".join([*lines, "COMMIT"]) + "\n"


@st.composite
def _nat_table(draw: st.DrawFn, family: Family, sets: tuple[IpSet, ...]) -> str:
    lines = ["*nat", *(f":{hook} ACCEPT" for hook in _HOOKS["nat"]), ":PUBLISHED -"]
    place = Place(family, "nat", "PREROUTING", sets)
    lines += [f"-A PREROUTING {draw(_translations(place, ('PUBLISHED',)))}" for _ in range(draw(st.integers(1, 4)))]
    inner = Place(family, "nat", None, sets)
    lines += [f"-A PUBLISHED {draw(_translations(inner, ()))}" for _ in range(draw(st.integers(0, 3)))]
    if draw(st.integers(0, 2)) == 2:
        lines.append(f"-A OUTPUT {draw(_translations(Place(family, 'nat', None, sets), ()))}")
    if draw(st.integers(0, 2)) == 2:
        lines.append(f"-A INPUT -s {draw(networks(family))} -j SNAT --to-source {CONTAINERS[family]}")
    if draw(st.integers(0, 2)) == 2:
        lines.append(f"-A POSTROUTING -s {draw(networks(family))} ! -o docker0 -j MASQUERADE")
    return "\n".join([*lines, "COMMIT"]) + "\n"


def _rule(chain: str, matching: str, target: str) -> str:
    return " ".join(part for part in (f"-A {chain}", matching, target) if part)


@st.composite
def iptables_saves(draw: st.DrawFn, family: Family, sets: tuple[IpSet, ...] = ()) -> str:
    """What iptables-restore takes: a filter table, and often others."""
    wanted = draw(st.sets(st.sampled_from(("mangle", "nat", "raw", "security"))))
    texts = [draw(_filtering_table(family, "filter", sets, 7))]
    if "mangle" in wanted:
        texts.append(draw(_filtering_table(family, "mangle", sets, 4)))
    if "raw" in wanted:
        texts.append(draw(_filtering_table(family, "raw", sets, 3)))
    if "security" in wanted:
        texts.append(draw(_filtering_table(family, "security", sets, 3)))
    if "nat" in wanted:
        texts.append(draw(_nat_table(family, sets)))
    return "".join(texts)
