"""Reads `netstat -tulnp` (net-tools, BusyBox): no device, no way to tell whether an IPv6 wildcard takes IPv4."""

from __future__ import annotations

import re
from ipaddress import ip_address

from callgate.errors import EvidenceError
from callgate.evidence.listener import Listener, Process, unmapped

_LINE = re.compile(
    r"(?P<transport>tcp|udp)(?P<six>6?)\s+\d+\s+\d+\s+(?P<local>\S+):(?P<port>\d{1,5})\s+\S+:\*"
    r"(?:\s+(?P<state>[A-Z]\w*))?(?:\s+(?P<process>-|\d{1,10}/.*))?\s*",
    re.ASCII | re.DOTALL,
)
_CUT = 23
"""Columns net-tools gives an address and port without -W; a longer IPv6 address loses its end."""
_PROLOGUE = re.compile(r"Active Internet connections|Proto Recv-Q|\(Not all processes|\s*will not be shown|\s*$")


def read_netstat(text: str, file: str = "netstat.txt") -> tuple[Listener, ...]:
    """Read every listening socket. Raises EvidenceError with the line that is not understood, or was cut short."""
    if "Proto Recv-Q" not in text:
        raise EvidenceError(file, "has no header: not the output of `netstat -tulnp`")
    listeners = []
    longest = 0
    cut: tuple[int, str] | None = None
    # Not splitlines(): a process may have U+2028 and its like in its name.
    for number, line in enumerate(text.split("\n"), 1):
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
        shown = len(host) + 1 + len(found["port"])
        longest = max(longest, shown)
        if address.version == 6 and shown == _CUT:
            cut = cut or (number, host)
        pid, _, name = (found["process"] or "").strip().partition("/")
        listeners.append(
            Listener(
                transport="tcp" if found["transport"] == "tcp" else "udp",
                # BusyBox writes `tcp` for both families.
                socket_family=6 if found["six"] or address.version == 6 else 4,
                address=None if address.is_unspecified else unmapped(address),
                port=int(found["port"]),
                processes=(Process(name[:64], int(pid)),) if pid.isdigit() else (),
                line=line.strip(),
            )
        )
    if cut and longest == _CUT:
        raise EvidenceError(file, f"the address {cut[1]} may be cut short: use `netstat -tulnpW`", cut[0])
    return tuple(listeners)
