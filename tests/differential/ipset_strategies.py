"""Sets of ipset, of the types that rules on sources and ports use."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from tests.differential.packet_strategies import Family, networks, port_ranges, ports


@dataclass(frozen=True, slots=True)
class IpSet:
    """One set: `text` for `ipset restore`, and how `--match-set` may be asked of it."""

    name: str
    family: Family | None
    """None for sets of ports, which fit both."""
    directions: tuple[str, ...]
    text: str


def _family_word(family: Family) -> str:
    return "inet" if family == 4 else "inet6"


@st.composite
def _services(draw: st.DrawFn) -> str:
    protocol = draw(st.sampled_from(("tcp", "udp")))
    if draw(st.integers(0, 3)) == 3:
        first, last = draw(port_ranges().filter(lambda pair: pair[1] - pair[0] < 2000))
        return f"{protocol}:{first}-{last}"
    return f"{protocol}:{draw(ports())}"


@st.composite
def _network_set(draw: st.DrawFn, name: str, family: Family) -> IpSet:
    # A prefix of no bits is refused by these types; the pool has none.
    members = draw(st.lists(networks(family), min_size=1, max_size=4, unique=True))
    lines = [f"create {name} hash:net family {_family_word(family)}"]
    for at, member in enumerate(members):
        hole = " nomatch" if at and draw(st.integers(0, 2)) == 2 else ""
        lines.append(f"add {name} {member}{hole}")
    return IpSet(name, family, ("src", "src", "dst", "src --return-nomatch"), "\n".join(lines) + "\n")


@st.composite
def _address_set(draw: st.DrawFn, name: str, family: Family) -> IpSet:
    chosen = draw(st.lists(networks(family), min_size=1, max_size=4, unique=True))
    members = dict.fromkeys(str(network.network_address + 0) for network in chosen if int(network.network_address))
    lines = [f"create {name} hash:ip family {_family_word(family)}", *(f"add {name} {member}" for member in members)]
    return IpSet(name, family, ("src",), "\n".join(lines) + "\n")


@st.composite
def _address_port_set(draw: st.DrawFn, name: str, family: Family, kind: str) -> IpSet:
    lines = [f"create {name} hash:{kind},port family {_family_word(family)}"]
    for _ in range(draw(st.integers(1, 4))):
        network = draw(networks(family))
        if kind == "ip":
            address = network.network_address + (0 if int(network.network_address) else 1)
            lines.append(f"add {name} {address},{draw(_services())} -exist")
        else:
            lines.append(f"add {name} {network},{draw(_services())} -exist")
    return IpSet(name, family, ("src,dst", "src,dst", "src,src", "dst,dst"), "\n".join(lines) + "\n")


@st.composite
def _port_set(draw: st.DrawFn, name: str) -> IpSet:
    first, last = draw(st.sampled_from(((0, 65535), (2000, 6000))))
    inside = draw(st.lists(ports().filter(lambda port: first <= port <= last), min_size=1, max_size=4, unique=True))
    lines = [f"create {name} bitmap:port range {first}-{last}", *(f"add {name} {port}" for port in inside)]
    return IpSet(name, None, ("dst", "dst", "src"), "\n".join(lines) + "\n")


@st.composite
def ipsets(draw: st.DrawFn, family: Family, prefix: str) -> tuple[IpSet, ...]:
    """None to three sets for one family; with two sets of networks and addresses, sometimes a list of both."""
    kinds = draw(st.lists(st.sampled_from(("net", "ip", "net-port", "ip-port", "port")), max_size=3))
    made: list[IpSet] = []
    for at, kind in enumerate(kinds):
        name = f"{prefix}{at}-{kind}"
        match kind:
            case "net":
                made.append(draw(_network_set(name, family)))
            case "ip":
                made.append(draw(_address_set(name, family)))
            case "port":
                made.append(draw(_port_set(name)))
            case _:
                made.append(draw(_address_port_set(name, family, kind.removesuffix("-port"))))
    listed = [one for one in made if one.directions[0] == "src"]
    if listed and draw(st.integers(0, 2)) == 2:
        name = f"{prefix}-list"
        text = f"create {name} list:set\n" + "".join(f"add {name} {one.name}\n" for one in listed)
        made.append(IpSet(name, family, ("src",), text))
    return tuple(made)
