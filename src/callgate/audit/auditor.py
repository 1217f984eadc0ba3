"""The auditor's own machine as a vantage: which addresses it reaches a host by, and on which side it stands."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, Literal

from callgate.audit.target import Target
from callgate.evidence.listener import Address

Side = Literal["trusted", "stranger"]
AUDITOR: Final = "the auditor's machine"
_OVER_THE_NETWORK: Final = ("ssh", "safe-ssh", "paramiko")


def reached_from_here(target: Target) -> tuple[Address, ...]:
    """The addresses this machine reaches the host by; none where it is not reached over the network."""
    if target.plan.site.auditor == "none":
        return ()
    if target.host.backend.NAME not in _OVER_THE_NETWORK:
        return ()
    try:
        found = socket.getaddrinfo(target.name, None, type=socket.SOCK_STREAM)
    except OSError:  # an alias of ssh_config
        return ()
    return tuple(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def auditors_side(target: Target, sources: Iterable[Address]) -> Side:
    """The side this machine stands on: as the site says, else by the addresses it sends from."""
    site = target.plan.site
    if site.auditor in ("trusted", "stranger"):
        return "trusted" if site.auditor == "trusted" else "stranger"
    trusted = [site.trusts(source) or source.is_loopback for source in sources]
    return "trusted" if all(trusted) else "stranger"


def sources_toward(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """The addresses this machine would send from; nothing is sent."""
    found = []
    for address in addresses:
        with suppress(OSError):
            family, kind, _, _, to = socket.getaddrinfo(str(address), 9, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as sock:
                sock.connect(to)
                found.append(ip_address(str(sock.getsockname()[0]).partition("%")[0]))
    return tuple(found)
