"""Recorded hosts brought to life again: their rules in the lab's PBX, and sockets that say who they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_interface
from pathlib import Path
from typing import Literal, NamedTuple

from callgate.evidence.ss import read_ss
from callgate.firewall.dumps import BUILT_IN
from callgate.lab.holder import isolated_python
from callgate.lab.host import LabHost
from callgate.lab.service import Service
from callgate.lab.topology import Lab

HOSTS = Path(__file__).parents[1] / "data" / "hosts"
ANSWERED_WITHIN = 0.5
"""Seconds for a call within one machine, after which it counts as unanswered."""

Side = Literal["trusted", "stranger"]
TO: Mapping[Side, tuple[str, ...]] = {
    "trusted": ("192.168.1.10", "fd00:1::10"),
    "stranger": ("203.0.113.10", "192.168.1.10", "2001:db8:66::10", "fd00:1::10"),
}
"""The PBX's addresses that each side calls."""

_LISTEN = Path(__file__).with_name("listening_program.py")
_CALL = Path(__file__).with_name("calling_program.py")
_COUNTED = re.compile(r"\[\d+:\d+\] ?|packets \d+ bytes \d+|# (?:Generated|Completed).*\n")


class Answer(NamedTuple):
    """One call, and the socket that answered it, as it names itself: `2000/tcp`."""

    side: Side
    address: str
    port: str
    by: str


def load(host: LabHost, name: str) -> None:
    """Put the rules of a recorded host into the kernel."""
    texts = {path.name: path.read_text() for path in (HOSTS / name).iterdir() if path.is_file()}
    host.run(["sh", "-c", "nft flush ruleset; for t in iptables ip6tables; do for x in filter nat mangle raw; do "
              "$t-legacy -t $x -F; $t-legacy -t $x -X; done; done 2>/dev/null; true"])  # fmt: skip
    saves: tuple[tuple[str, Literal[4, 6], bool], ...] = (
        ("iptables-save.txt", 4, False), ("ip6tables-save.txt", 6, False), ("iptables-legacy-save.txt", 4, True),
    )  # fmt: skip
    of_iptables: set[tuple[str, str]] = set()
    for file, family, legacy in saves:
        if text := texts.get(file, ""):
            host.load_iptables(text, family=family, legacy=legacy)
            if not legacy:
                header = "ip" if family == 4 else "ip6"
                of_iptables |= {(header, table) for table in BUILT_IN if f"*{table}\n" in text}
    for table in re.findall(r"^table .*?^}$", texts["nft.txt"], re.MULTILINE | re.DOTALL):
        _, family_name, table_name = table.split()[:3]
        if (family_name, table_name) not in of_iptables:
            host.load_nft(table)


def listen(host: LabHost, name: str) -> Service:
    """Start the sockets that the recorded host had, but those bound to loopback."""
    sockets = read_ss((HOSTS / name / "ss.txt").read_text() or "", "ss.txt")
    families: dict[tuple[str, int], set[int]] = {}
    for one in sockets:
        if not one.loopback:
            families.setdefault((one.transport, one.port), set()).update(one.families)
    return listen_on(host, [(*socket, 6 in found) for socket, found in families.items()])


def listen_on(host: LabHost, sockets: Iterable[tuple[str, int, bool]]) -> Service:
    """Start sockets, each a transport, a port and whether it takes IPv6 too."""
    wanted = json.dumps(sorted(sockets))
    service = host.spawn(isolated_python(_LISTEN, wanted), log=host.new_directory("sockets") / "log")
    service.wait_ready(lambda: "listening" in service.log_text(), 5)
    return service


@contextmanager
def behind(lab: Lab, name: str, address: str, router: str, *, bridge: bool = False) -> Iterator[LabHost]:
    """A host behind the PBX, by an interface of this name that has the router's address (both with their length)."""
    own = ip_interface(address)
    host = LabHost(f"behind-{name}", {"eth0": (own,)}, lab.directory / f"behind-{name}", {})
    try:
        host.wait_ready()
        link = f"{name}p" if bridge else name
        lines = [f"link add {link} type veth peer name eth0 netns {host.pid}"]
        if bridge:
            lines = [f"link add {name} type bridge", *lines, f"link set {link} master {name}", f"link set {link} up"]
        lab.pbx.configure("\n".join([*lines, f"address add {router} dev {name}", f"link set {name} up", ""]))
        gateway = ip_interface(router).ip
        host.configure(
            f"link set lo up\naddress add {own} dev eth0\nlink set eth0 up\nroute add default via {gateway}\n"
        )
        yield host
    finally:
        host.close()
        if bridge:
            lab.pbx.configure(f"link delete {name}\n")


def answers(
    lab: Lab, ports: Iterable[str], sides: Iterable[Side] = ("trusted", "stranger"), also: Iterable[str] = ()
) -> frozenset[Answer]:
    """Who is answered by which socket, at any address of the PBX and any of the ports (`2000/tcp`).

    `also`: addresses of hosts behind it that both sides call.
    """
    wanted = sorted(ports)
    more = tuple(also)

    def called(side: Side) -> list[Answer]:
        client = lab.trusted if side == "trusted" else lab.stranger
        calls = json.dumps([[address, port] for address in (*TO[side], *more) for port in wanted])
        done = client.run(isolated_python(_CALL, calls, str(ANSWERED_WITHIN)), timeout=20)
        return [Answer(side, address, port, by) for address, port, by in json.loads(done.stdout)]

    with ThreadPoolExecutor(2) as pool:
        return frozenset(answer for found in pool.map(called, sides) for answer in found)


def dumps(host: LabHost) -> dict[str, str]:
    """The firewall dumps of a host, with the names they have in a bundle."""
    commands = {
        "nft.json": "nft -j list ruleset",
        "nft.txt": "nft list ruleset",
        "iptables-save.txt": "iptables-save",
        "ip6tables-save.txt": "ip6tables-save",
        "iptables-legacy-save.txt": "iptables-legacy-save",
        "ip6tables-legacy-save.txt": "ip6tables-legacy-save",
    }
    script = "".join(f"{command} 2>/dev/null; printf '\\001'\n" for command in commands.values())
    texts = host.run(["sh", "-c", script]).stdout.split("\1")
    return {name: text for name, text in zip(commands, texts, strict=False) if text or "legacy" not in name}


def evidence(host: LabHost) -> dict[str, str]:
    """The texts of a bundle made by hand on the host, in one command."""
    commands = {
        "ip-addr.json": "ip -j address",
        "ip-route.json": "ip -j route show table all",
        "ip6-route.json": "ip -j -6 route show table all",
        "ss.txt": "ss -H -tulnp",
        "sysctl.txt": "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding "
        "net.ipv4.conf.all.rp_filter net.ipv4.conf.eth0.rp_filter net.ipv4.conf.eth1.rp_filter",
    }
    script = "".join(f"{command}; printf '\\001'\n" for command in commands.values())
    texts = host.run(["sh", "-c", script]).stdout.split("\1")
    return {**dict(zip(commands, texts, strict=False)), **dumps(host)}


def plain(texts: Mapping[str, str]) -> dict[str, str]:
    """The dumps as they are without counters, handles and times; what holds no rule is left out."""
    return {
        name: _COUNTED.sub("", text)
        for name, text in texts.items()
        if name.endswith("-save.txt") or name == "nft.txt"
        if re.search(r"^-A |^:\S+ DROP|rule|policy|\{", text, re.MULTILINE)
    }
