"""The host whose kernel is asked: many rulesets, one after the other, and the dumps an evidence bundle would hold.

    peer ---- eth0    198.51.100.10/24   2001:db8:100::10/64   default routes
         ---- eth1    192.168.50.1/24    fd00:50::1/64
         ---- tun0    10.8.0.1/24        fd00:8::1/64
         ---- docker0 172.17.0.1/16      fd00:17::1/64         the far end stands for a container at 172.17.0.2

All far ends lie in one peer namespace without addresses, so nothing there answers. The host's interfaces do no ARP: it
sends each answer at once, whoever the neighbour is.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from ipaddress import ip_interface
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.differential.observer import Observer, Side
from tests.differential.probe import Probe
from tests.differential.ruleset import Ruleset

from callgate.errors import LabError
from callgate.lab.host import Addresses, LabHost

ADDRESSES: Final[Addresses] = {
    "eth0": (ip_interface("198.51.100.10/24"), ip_interface("2001:db8:100::10/64")),
    "eth1": (ip_interface("192.168.50.1/24"), ip_interface("fd00:50::1/64")),
    "tun0": (ip_interface("10.8.0.1/24"), ip_interface("fd00:8::1/64")),
    "docker0": (ip_interface("172.17.0.1/16"), ip_interface("fd00:17::1/64")),
}
OPEN_WITHIN: Final = 5.0
"""Seconds until the host takes packets on all addresses (usually 0.01)."""
GATEWAYS: Final = ("198.51.100.254", "2001:db8:100::fe")
MACS: Final = {"eth0": "02:00:00:00:00:10", "eth1": "02:00:00:00:00:11", "tun0": "02:00:00:00:00:12",
               "docker0": "02:00:00:00:00:dd"}  # fmt: skip
"""Of the host; the far ends have 01 for the last 00."""

_SETTINGS: Final = {
    "net/ipv4/ip_forward": "1",  # first: it resets other settings
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/forwarding": "1",
    **{f"net/ipv4/conf/{conf}/rp_filter": "0" for conf in ("all", "default")},
    **{
        f"net/ipv6/conf/{conf}/{knob}": "0"
        for conf in ("all", "default")
        for knob in ("disable_ipv6", "accept_dad", "accept_ra")
    },
    # Each REJECT must be heard: no limit for any type of ICMP error.
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/icmp_ratemask": "0",
    "net/ipv6/icmp/ratelimit": "0",
    "net/ipv6/icmp/ratemask": "\n",
}
_QUIET: Final = {"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"}

_SYSCTLS: Final = (
    "net.ipv4.ip_forward",
    *(
        f"net.ipv4.conf.{conf}.{knob}"
        for conf in ("all", "default", "lo", *ADDRESSES)
        for knob in ("rp_filter", "forwarding", "route_localnet", "accept_local")
    ),
    "net.netfilter.nf_conntrack_tcp_loose",
    "net.ipv6.conf.all.forwarding",
)

_EMPTY_LEGACY: Final = "".join(
    f"*{table}\n" + "".join(f":{chain} ACCEPT\n" for chain in chains) + "COMMIT\n"
    for table, chains in {
        "filter": ("INPUT", "FORWARD", "OUTPUT"),
        "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
        "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
        "raw": ("PREROUTING", "OUTPUT"),
        "security": ("INPUT", "FORWARD", "OUTPUT"),
    }.items()
)

_LOADERS: Final = {
    "ipset": "ipset restore",
    "iptables": "iptables-nft-restore",
    "ip6tables": "ip6tables-nft-restore",
    "iptables_legacy": "iptables-legacy-restore",
    "ip6tables_legacy": "ip6tables-legacy-restore",
    "nft": "nft -f -",
}
"""Field of `Ruleset` to the command that reads it, in the order of loading."""

TOOLS: Final = ("nft", "ipset", "iptables-nft-restore", "iptables-legacy-restore", "ip6tables-legacy-restore")

# A set stays in use for a moment after the rule that named it: nf_tables frees rules from a work queue. A list of sets
# uses its members until it is flushed.
_DESTROY_SETS: Final = """\
ipset flush
tries=0
until ipset destroy 2>destroy.log; do
  tries=$((tries + 1))
  [ "$tries" -lt 1000 ] || { cat destroy.log >&2; exit 9; }
  sleep 0.002
done
"""


class RulesetError(Exception):
    """A tool did not take its part of the ruleset; the text is its complaint."""


class KernelHost:
    """A host in namespaces of its own; built on entering, gone on leaving or when this process ends.

    Raises LabError when it cannot be built.
    """

    observer: Observer
    files: Path
    """Where rulesets and dumps pass between host and builder; the host removes it at its end, however that comes."""

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="callgate-differential-"))
        self._hosts: list[LabHost] = []
        self._stale_sets = self._stale_legacy = False
        self._changed: tuple[str, ...] = ()
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End both namespaces and remove their files; safe to repeat."""
        if hasattr(self, "observer"):
            self.observer.close()
        for host in self._hosts:
            host.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def load(self, ruleset: Ruleset) -> dict[str, str]:
        """Replace all rules of the host by these, and dump it: file names of an evidence bundle to their texts.

        Raises RulesetError when a tool does not take its part (then nothing of the ruleset may be relied on), and
        LabError when the rules loaded before cannot be removed.
        """
        dumps = {"nft.json": "nft -j list ruleset", "nft.txt": "nft list ruleset"}
        dumps |= {"iptables-save.txt": "iptables-nft-save", "ip6tables-save.txt": "ip6tables-nft-save"}
        if ruleset.legacy:
            dumps |= {
                "iptables-legacy-save.txt": "iptables-legacy-save",
                "ip6tables-legacy-save.txt": "ip6tables-legacy-save",
            }
        dumps["ipset-save.txt"] = "ipset save" if ruleset.ipset else ":"
        script = self._flushing()
        self._stale_sets, self._stale_legacy = bool(ruleset.ipset), ruleset.legacy
        script += "".join(f"echo {value} >{_path(name)} || exit 9\n" for name, value in ruleset.settings)
        if ruleset.settings or self._changed:
            dumps["sysctl.txt"] = _SHOW_SETTINGS
        self._changed = tuple(name for name, _ in ruleset.settings)
        for part, loader in _LOADERS.items():
            if text := getattr(ruleset, part):
                (self.files / part).write_text(text, encoding="utf-8")
                script += f"{loader} <{part} >&2 || exit 8\n"
        # Side by side: dumping takes as long as loading.
        script += "all=\n" + "".join(f'{command} >{name} & all="$all $!"\n' for name, command in dumps.items())
        script += 'for one in $all; do wait "$one" || exit 9; done\n'
        done = self.host.run(["sh", "-c", f"cd '{self.files}' || exit 9\n{script}"], check=False)
        if done.returncode == 8:
            raise RulesetError(done.stderr)
        if done.returncode != 0:
            raise LabError(f"rules cannot be replaced: {done.stderr.strip()}")
        dumped = {name: (self.files / name).read_text(encoding="utf-8") for name in dumps}
        if "sysctl.txt" in dumped:
            dumped["sysctl.txt"] = _settings(dumped["sysctl.txt"])
        return self._standing | dumped

    def _flushing(self) -> str:
        script = "nft flush ruleset || exit 9\n"
        script += "".join(f"echo {self._usual[name]} >{_path(name)} || exit 9\n" for name in self._changed)
        if self._stale_legacy:
            (self.files / "empty").write_text(_EMPTY_LEGACY, encoding="ascii")
            script += "iptables-legacy-restore <empty && ip6tables-legacy-restore <empty || exit 9\n"
        return script + _DESTROY_SETS if self._stale_sets else script

    def _build(self) -> None:
        self.host = LabHost("kernel", ADDRESSES, self.directory / "kernel", _SETTINGS)
        self._hosts.append(self.host)
        self.files = self.host.directory
        peer = LabHost("peer", {}, self.directory / "peer", _QUIET)
        self._hosts.append(peer)
        for host in self._hosts:
            host.wait_ready()
        lines = ["link set lo up"]
        for interface, own in ADDRESSES.items():
            far_end, mac = f"far-{interface}", MACS[interface]
            lines += [
                f"link add name {interface} address {mac} type veth"
                f" peer name {far_end} address {_far_mac(mac)} netns {peer.pid}",
                f"link set {interface} arp off",
                *(f"address add {address} dev {interface}" for address in own),
                f"link set {interface} up",
            ]
        self.host.configure("\n".join(lines) + "\n")
        peer.configure("".join(f"link set far-{interface} up\nlink show far-{interface}\n" for interface in ADDRESSES))
        self.host.configure(
            "".join(f"route add default via {gateway}\n" for gateway in GATEWAYS)
            + "".join(f"link show {interface}\n" for interface in ADDRESSES)  # newer kernels then settle the carrier
        )
        sides = [
            Side(interface, f"far-{interface}", _mac_bytes(mac), _mac_bytes(_far_mac(mac)))
            for interface, mac in MACS.items()
        ]
        self.observer = Observer(self.host.pid, peer.pid, sides)
        self._wait_open()
        sysctl = _settings(self.host.run(["sh", "-c", _SHOW_SETTINGS]).stdout)
        self._usual = dict(line.split(" = ") for line in sysctl.splitlines())
        self._standing = {
            "ip-addr.json": self.host.run(["ip", "-j", "addr"]).stdout,
            "ip-route.json": self.host.run(["ip", "-j", "route", "show", "table", "all"]).stdout,
            "ip6-route.json": self.host.run(["ip", "-6", "-j", "route", "show", "table", "all"]).stdout,
            "sysctl.txt": sysctl,
        }

    def _wait_open(self) -> None:
        """Until every address takes probes: links come up from a work queue."""
        probes = [
            Probe(interface, own.network.network_address + 99, own.ip, "udp", 40000, 2000)
            for interface, all_own in ADDRESSES.items()
            for own in all_own
        ]
        deadline = time.monotonic() + OPEN_WITHIN
        while "drop" in self.observer.verdicts(probes):
            if time.monotonic() > deadline:
                raise LabError(f"the host's addresses did not take probes within {OPEN_WITHIN:g} s")
            time.sleep(0.005)


def _path(setting: str) -> str:
    return f"/proc/sys/{setting.replace('.', '/')}"


def _settings(shown: str) -> str:
    """What sysctl(8) prints, from the lines `path:value` of grep(1)."""
    lines = (line.removeprefix("/proc/sys/").partition(":") for line in shown.splitlines())
    return "".join(f"{path.replace('/', '.')} = {value}\n" for path, _, value in lines)


_SHOW_SETTINGS: Final = " ".join(("grep -H ''", *(_path(name) for name in _SYSCTLS)))


def _far_mac(mac: str) -> str:
    return mac[:12] + "01" + mac[14:]


def _mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
