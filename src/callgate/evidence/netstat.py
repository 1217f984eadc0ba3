"""Reads `netstat -tulnp` (net-tools): no device, and no way to tell whether an IPv6 wildcard takes IPv4."""

from __future__ import annotations

import re
from ipaddress import ip_address

from callgate.errors import EvidenceError
from callgate.evidence.listener import Listener, Process, unmapped

_LINE = re.compile(
    r"(?P<transport>tcp|udp)(?P<six>6?)\s+\d+\s+\d+\s+(?P<local>\S+):(?P<port>\d{1,5})\s+\S+:\*"
    r"(?:\s+(?P<state>[A-Z]\w*))?(?:\s+(?P<process>-|\d+/.*))?\s*"
)
_PROLOGUE = re.compile(r"Active Internet connections|Proto Recv-Q|\(Not all processes|\s*will not be shown|\s*$")


def read_netstat(text: str, file: str = "netstat.txt") -> tuple[Listener, ...]:
    """Read every listening socket. Raises EvidenceError with the line that is not understood."""
    if "Proto Recv-Q" not in text:
        raise EvidenceError(file, "has no header: not the output of `netstat -tulnp`")
    listeners = []
    for number, line in enumerate(text.splitlines(), 1):
        if _PROLOGUE.match(line):
            continue
        found = _LINE.fullmatch(line)
        if found is None or int(found["port"]) > 65535:
            raise EvidenceError(file, f"not a line of `netstat -tulnp`: {line[:80]!r}", number)
        if (found["state"] == "LISTEN") != (found["transport"] == "tcp"):
            raise EvidenceError(file, f"not a listening socket: {line[:80]!r}", number)
        host = found["local"]
        try:
            address = ip_address(host)
        except ValueError:
            raise EvidenceError(file, f"no address: {host[:60]!r}", number) from None
        pid, _, name = (found["process"] or "").strip().partition("/")
        listeners.append(
            Listener(
                transport="tcp" if found["transport"] == "tcp" else "udp",
                socket_family=6 if found["six"] else 4,
                address=None if address.is_unspecified else unmapped(address),
                port=int(found["port"]),
                processes=(Process(name[:64], int(pid)),) if pid.isdigit() else (),
                line=line.strip(),
            )
        )
    return tuple(listeners)
