"""Reads /proc/net/{tcp,tcp6,udp,udp6} (proc(5)): readable without privilege, without device or process."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from callgate.errors import EvidenceError
from callgate.evidence.listener import Address, Family, Listener, Transport, unmapped

_LINE = re.compile(
    r"\s*\d+:\s+(?P<local>[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}):(?P<port>[0-9A-Fa-f]{4})"
    r"\s+(?P<peer>[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}):(?P<peer_port>[0-9A-Fa-f]{4})\s+(?P<state>[0-9A-Fa-f]{2})\s.*",
    re.ASCII,
)
_LISTEN = 0x0A  # TCP_LISTEN, include/net/tcp_states.h
_UNCONNECTED = 0x07  # TCP_CLOSE, which a UDP socket without a peer shows
_ESTABLISHED = 0x01  # ... and one with a peer


def read_proc_net(text: str, transport: Transport, family: Family, file: str) -> tuple[Listener, ...]:
    """Read the listening sockets of one of the four files, as a little-endian host wrote them.

    Raises EvidenceError with the line that is not understood.
    """
    lines = text.splitlines()
    if not lines or not _heads(lines[0], transport, family):
        raise EvidenceError(file, f"has not the header of the kernel's list of IPv{family} {transport} sockets")
    listeners = []
    for number, line in enumerate(lines[1:], 2):
        found = _LINE.fullmatch(line)
        if found is None or len(found["local"]) != (8 if family == 4 else 32):
            raise EvidenceError(file, f"not a socket of the kernel's list: {line[:80]!r}", number)
        state = int(found["state"], 16)
        # A closed TCP socket is on no list, and UDP has but two states: anything else is another list.
        if (state == _UNCONNECTED) if transport == "tcp" else (state not in (_UNCONNECTED, _ESTABLISHED)):
            raise EvidenceError(file, f"no state of a {transport} socket: {found['state']}", number)
        if state != (_LISTEN if transport == "tcp" else _UNCONNECTED):
            continue
        address = _address(found["local"])
        listeners.append(
            Listener(
                transport=transport,
                socket_family=family,
                address=None if address.is_unspecified else unmapped(address),
                port=int(found["port"], 16),
                line=" ".join(line.split()[:4]),
            )
        )
    return tuple(listeners)


def _heads(line: str, transport: Transport, family: Family) -> bool:
    """Whether this is the list's header, as tcp_ipv4.c, tcp_ipv6.c, and udp.c print it, or the beginning of it."""
    columns = line.split()
    return columns[1:3] == ["local_address", "rem_address" if family == 4 else "remote_address"] and (
        "inode" not in columns or ("drops" in columns) == (transport == "udp")
    )


def _address(digits: str) -> Address:
    """An address as the kernel prints it: 32-bit words in host order, each in hexadecimal."""
    words = [bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8)]
    packed = b"".join(words)
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
