"""The lab: a PBX with a trusted network on one side and strangers on the other.

    trusted 192.168.1.50, fd00:1::50 --- eth0 PBX eth1 --- stranger 203.0.113.66, 2001:db8:66::66
              192.168.1.10, fd00:1::10 --'      '-- 203.0.113.10, 2001:db8:66::10

Both clients route everything through the PBX, so the stranger can aim at its inner addresses too.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_interface
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from callgate.errors import LabError
from callgate.lab.host import Addresses, LabHost

PBX: Final[Addresses] = {
    "eth0": (ip_interface("192.168.1.10/24"), ip_interface("fd00:1::10/64")),
    "eth1": (ip_interface("203.0.113.10/24"), ip_interface("2001:db8:66::10/64")),
}
TRUSTED: Final[Addresses] = {"eth0": (ip_interface("192.168.1.50/24"), ip_interface("fd00:1::50/64"))}
STRANGER: Final[Addresses] = {"eth0": (ip_interface("203.0.113.66/24"), ip_interface("2001:db8:66::66/64"))}

_IPV6: Final = {
    f"net/ipv6/conf/{conf}/{knob}": "0"
    for conf in ("all", "default")
    for knob in ("disable_ipv6", "accept_dad", "accept_ra")
}


class Lab:
    """Three hosts, built on entering and gone on leaving (or when this process ends, however it does).

    `forwarding` lets the PBX route between its networks; `rp_filter` is its reverse path filter (0 off, 1 strict,
    2 loose; RFC 3704). Any number of labs can stand at once. Raises LabError when the hosts cannot be built.
    """

    pbx: LabHost
    trusted: LabHost
    stranger: LabHost
    directory: Path
    """Private to the lab (mode 0700), outside of its hosts; gone with it."""

    def __init__(self, *, forwarding: bool = False, rp_filter: int = 0) -> None:
        if rp_filter not in (0, 1, 2):
            raise ValueError(f"rp_filter is 0, 1 or 2, not {rp_filter}")
        self.forwarding = forwarding
        self.rp_filter = rp_filter
        self._hosts: list[LabHost] = []

    def __enter__(self) -> Self:
        temporary = Path(tempfile.gettempdir()).resolve()
        for hidden in ("/run", "/etc", "/var/log"):
            if temporary.is_relative_to(hidden):
                raise LabError(f"temporary files go to {temporary}, and lab hosts have a {hidden} of their own")
        self.directory = Path(tempfile.mkdtemp(prefix="callgate-lab-", dir=temporary))
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
        """End the hosts and remove their files; safe to repeat."""
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(LabHost.close, self._hosts))
        shutil.rmtree(self.directory, ignore_errors=True)

    def _build(self) -> None:
        forwarding = str(int(self.forwarding))
        clients = {**_IPV6, "net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0"}
        pbx = {
            "net/ipv4/ip_forward": forwarding,  # first: it resets other settings
            "net/ipv6/conf/all/forwarding": forwarding,
            "net/ipv6/conf/default/forwarding": forwarding,
            **_IPV6,
            "net/ipv4/conf/all/rp_filter": str(self.rp_filter),
            "net/ipv4/conf/default/rp_filter": str(self.rp_filter),
        }
        self.pbx = self._host("pbx", PBX, pbx)
        self.trusted = self._host("trusted", TRUSTED, clients)
        self.stranger = self._host("stranger", STRANGER, clients)
        for host in self._hosts:
            host.wait_ready()
        self.pbx.configure(
            f"link add name eth0 type veth peer name eth0 netns {self.trusted.pid}\n"
            f"link add name eth1 type veth peer name eth0 netns {self.stranger.pid}\n" + _addressing(PBX)
        )
        with ThreadPoolExecutor(2) as pool:
            trusted = pool.submit(self.trusted.configure, _addressing(TRUSTED) + _default_route("eth0"))
            stranger = pool.submit(self.stranger.configure, _addressing(STRANGER) + _default_route("eth1"))
            trusted.result()
            stranger.result()
        for host in self._hosts:
            host.wait_addressed()

    def _host(self, name: str, addresses: Addresses, settings: dict[str, str]) -> LabHost:
        host = LabHost(name, addresses, self.directory / name, settings)
        self._hosts.append(host)
        return host


def _addressing(addresses: Addresses) -> str:
    lines = ["link set lo up"]
    for interface, own in addresses.items():
        for address in own:
            nodad = " nodad" if address.version == 6 else ""
            lines.append(f"address add {address} dev {interface}{nodad}")
        lines.append(f"link set {interface} up")
    lines += [f"link show dev {interface}" for interface in addresses]  # newer kernels then settle the carrier at once
    return "\n".join(lines) + "\n"


def _default_route(through: str) -> str:
    return "".join(f"route add default via {gateway.ip}\n" for gateway in PBX[through])
