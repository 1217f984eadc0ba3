"""Reads the flows that connection tracking knows: `conntrack -L`, or /proc/net/nf_conntrack.

The kernel writes a line as `seq_print` of nf_conntrack_standalone.c does: protocol, its number, the timeout, the
state of protocols that have one, the tuple as the flow began, the tuple of its replies, and what else is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from callgate.errors import EvidenceError
from callgate.evidence.listener import Address

CONNTRACK: Final = "conntrack.txt"
FLOWS: Final = 2_000_000
"""How many flows are read at most; a bundle's file of 32 MiB holds fewer."""
_HEAD = re.compile(
    r"(?:ipv[46] +\d{1,3} +)?(?P<protocol>[a-z][a-z0-9-]{0,15}) +\d{1,3}"
    r"(?: +\d{1,10}(?= ))?(?: +(?P<state>[A-Z][A-Z0-9_]{1,30})(?= ))?"
)
_FLAG = re.compile(r"\[[A-Z_]{1,20}\]")
_PAIR = re.compile(r"(?P<key>[a-z][a-z-]{0,20})=(?P<value>\S{0,400})")
_TUPLE_KEYS = ("src", "dst", "sport", "dport")
_ENDED = ("TIME_WAIT", "CLOSE")


@dataclass(frozen=True, slots=True)
class End:
    """One direction of a flow: who sends, to whom. Ports are None where the protocol has none."""

    source: Address
    destination: Address
    source_port: int | None
    destination_port: int | None


@dataclass(frozen=True, slots=True)
class Flow:
    """One tracked flow: as it began, and as it is answered; they differ where it is translated."""

    protocol: str
    state: str | None
    """TCP's state, like ESTABLISHED; None for protocols without one, and where it is not shown."""
    original: End
    reply: End
    line: str

    @property
    def ended(self) -> bool:
        """Whether nothing more goes through it: only the memory of it is left."""
        return self.state in _ENDED


def read_conntrack(text: str, file: str = CONNTRACK) -> tuple[Flow, ...]:
    """Read every flow. Raises EvidenceError with the number of the first line that is not one."""
    found: list[Flow] = []
    for number, line in enumerate(text.splitlines(), 1):
        if number > FLOWS:
            raise EvidenceError(file, f"holds more than {FLOWS} flows", number)
        if line.strip():
            found.append(_flow(line.strip(), file, number))
    return tuple(found)


def _flow(line: str, file: str, number: int) -> Flow:
    head = _HEAD.match(line)
    if head is None:
        raise _not_understood(line, file, number)
    pairs: list[tuple[str, str]] = []
    for word in line[head.end() :].split():
        pair = _PAIR.fullmatch(word)
        if pair is not None:
            pairs.append((pair["key"], pair["value"]))
        elif not _FLAG.fullmatch(word):
            raise _not_understood(line, file, number)
    starts = [at for at, (key, _) in enumerate(pairs) if key == "src"]
    if len(starts) != 2 or starts[0] != 0:
        raise _not_understood(line, file, number)
    try:
        original, reply = _end(pairs[: starts[1]]), _end(pairs[starts[1] :])
    except (KeyError, ValueError):
        raise _not_understood(line, file, number) from None
    ported = head["protocol"] in ("tcp", "udp")
    if ported and None in (original.source_port, original.destination_port, reply.source_port, reply.destination_port):
        raise _not_understood(line, file, number)
    return Flow(head["protocol"], head["state"], original, reply, " ".join(line.split()))


def _end(pairs: list[tuple[str, str]]) -> End:
    """One tuple. Raises KeyError or ValueError for one that is not whole."""
    values: dict[str, str] = {}
    for key, value in pairs:
        if key in _TUPLE_KEYS and values.setdefault(key, value) != value:
            raise ValueError(key)
    source, destination = ip_address(values["src"]), ip_address(values["dst"])
    if source.version != destination.version:
        raise ValueError("families")
    return End(source, destination, _port(values.get("sport")), _port(values.get("dport")))


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 0xFFFF):
        raise ValueError(text)
    return int(text)


def _not_understood(line: str, file: str, number: int) -> EvidenceError:
    return EvidenceError(file, f"not a flow as conntrack prints it: {line[:80]!r}", number)
