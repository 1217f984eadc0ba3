"""What each phone of a capture did: the lines of `callgate decode --summary`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from callgate.cli.decoded import phone_of, printable, time_of
from callgate.records.account import id_of, name_of
from callgate.records.signalling import FROM_PHONE, SccpMessage, SessionEnd, Signalling, SipMessage
from callgate.sccp import Negotiation, labelled
from callgate.sccp.messages.calls import CallStateMessage
from callgate.sccp.messages.registration import RegisterAckMessage, RegisterRejectMessage, RegisterReqMessage

CONNECTIONS: Final = 10_000
"""Connections that are told apart."""
CALLS: Final = 1_000
"""Calls of a connection that are told apart."""


@dataclass(slots=True)
class _Connection:
    phone: str
    server: str
    first: int
    last: int
    device: str | None = None
    registration: str = "not registered"
    negotiation: Negotiation = field(default_factory=Negotiation)
    sent: int = 0
    received: int = 0
    calls: set[int] = field(default_factory=set)
    broken: Counter[str] = field(default_factory=Counter)

    def take(self, found: SccpMessage) -> None:
        self.last = max(self.last, found.time)
        self.device = found.device
        if found.direction == FROM_PHONE:
            self.sent += 1
        else:
            self.received += 1
        self.negotiation.observe(found.message)
        match found.message:
            case RegisterReqMessage():
                self.registration = "registration not answered"
            case RegisterAckMessage(keep_alive_interval=interval):
                self.registration = f"registered, version {self.negotiation.version}, keepalive {interval} s"
            case RegisterRejectMessage(text=text):
                self.registration = f"rejected: {printable(labelled(text or b''))}"
            case CallStateMessage(call_reference=int(call)) if len(self.calls) < CALLS:
                self.calls.add(call)

    def line(self) -> str:
        name = "no device" if self.device is None else printable(self.device)
        seconds = (self.last - self.first) / 1_000_000_000
        text = f"{time_of(self.first)} {name} {self.phone} > {self.server}: {self.registration}"
        text += f"; {self.sent} messages sent, {self.received} received in {seconds:.1f} s"
        return text + (f"; {len(self.calls)} calls" if self.calls else "") + "\n"


class Overview:
    """Counts messages by connection, as they come."""

    def __init__(self) -> None:
        self._names: Counter[tuple[int, str]] = Counter()
        self._sip: Counter[str] = Counter()
        self._connections: dict[int, _Connection] = {}
        self._more: set[int] = set()

    def take(self, found: Signalling) -> None:
        """Count one message."""
        if isinstance(found, SipMessage):
            self._sip[found.start_line.split(" ", 1)[0] if len(self._sip) < CALLS else "other"] += 1
            return
        connection = self._connections.get(found.flow.conversation)
        if connection is not None:
            connection.broken.update(str(violation) for violation in found.violations)
        if isinstance(found, SessionEnd):
            return
        self._names[id_of(found.message), name_of(found.message)] += 1
        if connection is None:
            if len(self._connections) >= CONNECTIONS:
                return
            phone, server = phone_of(found), found.flow.destination
            server = server if found.direction == FROM_PHONE else found.flow.source
            connection = _Connection(str(phone), str(server), found.time, found.time)
            self._connections[found.flow.conversation] = connection
            connection.broken.update(str(violation) for violation in found.violations)
        connection.take(found)

    def lines(self) -> Iterator[str]:
        """The summary: connections, what was out of order in each, messages by kind, SIP."""
        for connection in self._connections.values():
            yield connection.line()
            for violation, count in sorted(connection.broken.items()):
                yield f"  ! {violation}" + (f" ({count} times)\n" if count > 1 else "\n")
        yield f"{len(self._connections)} connections\n"
        for (number, name), count in sorted(self._names.items()):
            yield f"{count:9} {number:04x} {name}\n"
        for method, count in sorted(self._sip.items()):
            yield f"{count:9} SIP {printable(method)}\n"
