"""Reads `ss -H -tulnp` (iproute2; also with -e, and with the header line)."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

from callgate.errors import EvidenceError
from callgate.evidence.listener import Address, Family, Listener, Process, Transport, unmapped

_LINE = re.compile(
    r"(?P<transport>tcp|udp)\s+(?P<state>LISTEN|UNCONN)\s+\d+\s+\d+\s+"
    r"(?P<local>\S+):(?P<port>\d{1,5})\s+(?P<peer>\S+):\*(?P<rest>(?:\s.*)?)",
    re.ASCII | re.DOTALL,
)
_SPELLED_OUT = re.compile(r"^\w+\s+\w+\s+\d+\s+\d+\s+(?:\S+\s+)?0\.0\.0\.0(?:%\S+)?:", re.ASCII | re.MULTILINE)
# A process may call itself anything: its name ends where the next entry or the end of the list follows.
_USERS = re.compile(r"\s+users:\((?P<entries>.*)\)(?P<extras>.*)", re.ASCII | re.DOTALL)
_ENTRY = re.compile(r'\("(.{0,64}?)",pid=(\d{1,10}),fd=\d{1,10}\)(?:,(?=\(")|\Z)', re.ASCII | re.DOTALL)
_STATES = {"tcp": "LISTEN", "udp": "UNCONN"}


def read_ss(text: str, file: str = "ss.txt") -> tuple[Listener, ...]:
    """Read every listening socket.

    An IPv6 wildcard shows as `*` when it takes IPv4 too and as `[::]` when it does not, since iproute2 4.17.
    Older ones print `[::]` for both, and `*` for an IPv4 wildcard; nothing but an `0.0.0.0` in the output tells
    the new form from the old. Without it `[::]` may take IPv4 (`v6only` None), and `*` is read as both families.
    Raises EvidenceError with the line that is not understood.
    """
    # Only the new form spells the IPv4 wildcard out, as a local address or as a peer.
    spelled_out = _SPELLED_OUT.search(text) is not None
    listeners = []
    # Not splitlines(): a process may have U+2028 and its like in its name.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or (number == 1 and line.startswith("Netid ")):
            continue
        found = _LINE.fullmatch(line)
        if found is None or _STATES[found["transport"]] != found["state"] or int(found["port"]) > 65535:
            raise EvidenceError(file, f"not a line of `ss -H -tulnp`: {line[:80]!r}", number)
        listener = _listener(found, line)
        if listener is None:
            raise EvidenceError(file, f"no address: {found['local'][:60]!r}", number)
        if listener.v6only and not spelled_out:
            listener = replace(listener, v6only=_told(_rest(found)[1]))
        listeners.append(listener)
    return tuple(listeners)


def _listener(found: re.Match[str], line: str) -> Listener | None:
    transport: Transport = "tcp" if found["transport"] == "tcp" else "udp"
    host, _, device = found["local"].partition("%")
    if host.startswith("[") and device.endswith("]"):  # [fe80::1%eth0]
        host, device = host + "]", device.removesuffix("]")
    family: Family = 6
    address: Address | None = None
    v6only: bool | None = None
    processes, extras = _rest(found)
    if host == "*":
        v6only = False
    elif host in ("[::]", "::"):
        told = _told(extras)
        v6only = True if told is None else told
    else:
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            return None
        family = 4 if isinstance(address, IPv4Address) else 6
        address = None if host == "0.0.0.0" else unmapped(address)  # noqa: S104 - read, not bound
    return Listener(
        transport=transport,
        socket_family=family,
        address=address,
        port=int(found["port"]),
        device=device or None,
        v6only=v6only,
        processes=processes,
        line=line.strip(),
    )


def _rest(found: re.Match[str]) -> tuple[tuple[Process, ...], str]:
    """The processes, and what `ss -e` adds. A list of processes that is not understood in whole shows none."""
    users = _USERS.fullmatch(found["rest"])
    if users is None:
        return (), found["rest"]
    processes: dict[Process, None] = {}
    position = 0
    while entry := _ENTRY.match(users["entries"], position):
        processes[Process(entry[1], int(entry[2]))] = None
        position = entry.end()
    return tuple(processes) if position == len(users["entries"]) else (), users["extras"]


def _told(extras: str) -> bool | None:
    """What `ss -e` says outright."""
    said = set(re.findall(r"\sv6only:([01])\b", extras))
    return said == {"1"} if said else None
