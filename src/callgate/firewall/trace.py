"""Single packets, as `callgate trace` takes them: one JSON object each."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from callgate.errors import EvidenceError
from callgate.firewall.rule import Family, State

PROTOCOLS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "icmpv6": 58, "sctp": 132, "udplite": 136}
FLAGS: Final = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
_STATES: Final = frozenset(get_args(State)) - {"snat", "dnat"}


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a flow, or with `state` one of a flow in that state. Addresses are numbers."""

    iif: str
    family: Family
    source: int
    destination: int
    protocol: int
    source_port: int | None = None
    destination_port: int | None = None
    tcp_flags: int = 2
    ttl: int = 64
    state: State | None = None


def read_address(text: object) -> tuple[Family, int]:
    """An address as (family, number). Raises ValueError for anything else."""
    if not isinstance(text, str):
        raise ValueError
    try:
        if ":" in text:
            return 6, int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
        return 4, int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except (OSError, UnicodeEncodeError):
        raise ValueError from None


def write_address(family: Family, number: int) -> str:
    """An address in its usual text form (RFC 5952 for IPv6)."""
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))


def read_packet(data: Mapping[str, Any]) -> Packet:
    """Read one packet. Fields that are not known are left alone; one that is wrong raises EvidenceError naming it."""
    family, source = _address(data, "source")
    other, destination = _address(data, "destination")
    if family != other:
        raise EvidenceError("packet", "source and destination are of different families")
    iif = data.get("iif")
    if not isinstance(iif, str) or not 0 < len(iif) < 16:
        raise EvidenceError("packet", f"iif is not the name of an interface: {str(iif)[:40]!r}")
    state: State | None = data.get("state")
    if state is not None and (not isinstance(state, str) or state not in _STATES):
        raise EvidenceError("packet", f"state is one of {', '.join(sorted(_STATES))}, not {str(state)[:40]!r}")
    return Packet(
        iif,
        family,
        source,
        destination,
        _protocol(data.get("protocol")),
        _number(data, "source_port", 0xFFFF),
        _number(data, "destination_port", 0xFFFF),
        _flags(data.get("tcp_flags")),
        64 if data.get("ttl") is None else _number(data, "ttl", 255) or 0,
        state,
    )


def _address(data: Mapping[str, Any], key: str) -> tuple[Family, int]:
    try:
        return read_address(data.get(key))
    except ValueError:
        raise EvidenceError("packet", f"{key} is not an address: {str(data.get(key))[:60]!r}") from None


def _number(data: Mapping[str, Any], key: str, last: int) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= last:
        raise EvidenceError("packet", f"{key} is not a number from 0 to {last}: {str(value)[:40]!r}")
    return value


def _protocol(value: object) -> int:
    if isinstance(value, str) and value.lower() in PROTOCOLS:
        return PROTOCOLS[value.lower()]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value
    raise EvidenceError("packet", f"protocol is not one of {', '.join(PROTOCOLS)} or a number: {str(value)[:40]!r}")


def _flags(value: object) -> int:
    """TCP flags as a number, a list of names, or names joined by commas, bars or spaces; nothing means SYN."""
    if value is None:
        return FLAGS["syn"]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value
    if isinstance(value, str):
        value = value.replace(",", " ").replace("|", " ").split()
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        names = [name.lower() for name in value if name.lower() != "none"]
        if all(name in FLAGS for name in names):
            return sum({FLAGS[name] for name in names})
    raise EvidenceError("packet", f"tcp_flags is not a list of {', '.join(FLAGS)}: {str(value)[:60]!r}")
