"""Signalling in a capture: SCCP messages with their connection and device, SIP named as SIP.

A TCP stream is taken for SCCP when it has a call manager's port, or when it begins like SCCP and no other protocol.
SIP is recognised by its start line, on any port, over UDP and TCP. TLS is counted, not decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from callgate.records.account import Account
from callgate.records.events import Datagram, End, EndReason, Event, Flow, Gap, Segment
from callgate.sccp import AnyMessage, Message, Negotiation, ResynchronisingDecoder
from callgate.sccp.framing import HEADER_BYTES
from callgate.sccp.message import Sender
from callgate.sccp.messages.registration import RegisterReqMessage
from callgate.sccp.presentation import text_of
from callgate.sccp.session import Role, Session, Violation
from callgate.sccp.stream import plausible, whole_messages

SCCP_PORT: Final = 2000
FROM_PHONE: Final = "phone->server"
FROM_SERVER: Final = "server->phone"

_REQUEST: Final = rb"[A-Z][A-Z0-9.!%*_+`'~-]{0,31} [A-Za-z][A-Za-z0-9+.-]{0,31}:[^\r\n]{0,512} SIP/2\.0"
_STATUS: Final = rb"SIP/2\.0 [1-6]\d\d[^\r\n]{0,256}"
_SIP: Final = re.compile(rb"(?:" + _REQUEST + rb"|" + _STATUS + rb")\r?\n")
"""RFC 3261, section 7: Request-Line and Status-Line."""
_TLS: Final = re.compile(rb"\x16\x03[\x00-\x04]")
_BEGINNING: Final = 64
"""Bytes of a stream that tell what it is, once there are that many."""


_ENDS: Final = frozenset({EndReason.FIN, EndReason.RESET, EndReason.REPLACED})
"""Reasons for which a connection has really ended."""


class SccpMessage(msgspec.Struct, frozen=True, gc=False):
    """A message and where it was seen."""

    time: int
    """Nanoseconds since 1970 of the packet that completed it."""
    flow: Flow
    direction: str
    """`phone->server` or `server->phone`."""
    device: str | None
    """The device name that the connection registered so far."""
    message: AnyMessage
    violations: tuple[Violation, ...] = ()
    """What of the session model the message breaks; empty when sessions are not followed."""


class SessionEnd(msgspec.Struct, frozen=True, gc=False):
    """What the session model has to say at the end of a connection."""

    time: int
    flow: Flow
    device: str | None
    violations: tuple[Violation, ...]


class SipMessage(msgspec.Struct, frozen=True, gc=False):
    """The start line of a SIP message and where it was seen."""

    time: int
    flow: Flow
    start_line: str


Signalling = SccpMessage | SipMessage | SessionEnd


@dataclass(slots=True)
class _Connection:
    """What both directions of a conversation share."""

    negotiation: Negotiation = field(default_factory=Negotiation)
    device: str | None = None
    session: Session | None = None
    """None while sessions are not followed."""
    open: int = 0
    """Directions that have not ended."""


@dataclass(slots=True)
class _Direction:
    """One direction of a TCP conversation."""

    connection: _Connection
    protocol: str | None = None
    """`sccp`, `sip`, `other`; None until its beginning tells."""
    beginning: bytes = b""
    decoder: ResynchronisingDecoder | None = None
    lost: bool = False
    """Bytes before the next segment were not seen: it may begin within a message."""
    name: str = ""


def signalling_of(
    events: Iterable[Event],
    account: Account | None = None,
    ports: frozenset[int] = frozenset({SCCP_PORT}),
    *,
    sessions: bool = False,
) -> Iterator[Signalling]:
    """The SCCP and SIP messages of a capture's events, in order; `ports` are those of the call managers.

    With `sessions` each connection is followed by the session model, which says what is out of order.
    """
    reading = _Reading(account if account is not None else Account(), ports, sessions)
    for event in events:
        yield from reading.take(event)


_NONE: Final[tuple[Signalling, ...]] = ()


class _Reading:
    def __init__(self, account: Account, ports: frozenset[int], sessions: bool) -> None:
        self._account = account
        self._ports = ports
        self._sessions = sessions
        self._directions: dict[Flow, _Direction] = {}
        self._connections: dict[int, _Connection] = {}

    def take(self, event: Event) -> Iterable[Signalling]:
        """The messages that an event completes."""
        if isinstance(event, Segment):
            return self._segment(event)
        if isinstance(event, Datagram):
            return self._sip(event.data, event.time, event.flow)
        direction = self._directions.get(event.flow)
        if isinstance(event, Gap):
            if direction is None:
                direction = self._open(event.flow)
            if direction.protocol is None:
                self._decide(direction, event.flow, at_end=True)
            if direction.decoder is not None:
                direction.decoder.feed(direction.beginning)  # too little for a message, but not to be forgotten
                direction.beginning = b""
                direction.decoder.gap()
                direction.lost = True
                if direction.connection.session is not None:
                    direction.connection.session.lose_track()
                self._account.undecoded["bytes missing from SCCP streams"] += event.size
            return _NONE
        return self._end(event, direction)

    def _open(self, flow: Flow) -> _Direction:
        connection = self._connections.get(flow.conversation)
        if connection is None:
            session = Session(whole=flow.from_client is not None) if self._sessions else None
            connection = self._connections[flow.conversation] = _Connection(session=session)
        connection.open += 1
        direction = self._directions[flow] = _Direction(connection)
        return direction

    def _segment(self, segment: Segment) -> Iterable[Signalling]:
        direction = self._directions.get(segment.flow) or self._open(segment.flow)
        data = segment.data
        if direction.protocol is None:
            direction.beginning += data
            self._decide(direction, segment.flow, at_end=False)
            if direction.protocol is None:
                return _NONE
            data, direction.beginning = direction.beginning, b""
        if direction.decoder is not None:
            if direction.lost:
                direction.lost = False
                if whole_messages(data):
                    direction.decoder.found()
            breaks = direction.decoder.breaks
            messages = direction.decoder.feed(data)
            if direction.decoder.breaks != breaks and direction.connection.session is not None:
                direction.connection.session.lose_track()
            return self._sccp(messages, direction, segment.time, segment.flow)
        if direction.protocol == "sip":
            return self._sip(data, segment.time, segment.flow)
        return _NONE

    def _decide(self, direction: _Direction, flow: Flow, *, at_end: bool) -> None:
        """Say what a stream is, if its beginning tells already."""
        beginning = direction.beginning
        on_port = flow.source.port in self._ports or flow.destination.port in self._ports
        if _SIP.match(beginning):
            direction.protocol = "sip"
        elif _TLS.match(beginning):
            direction.protocol = "other"
            self._account.undecoded["TLS streams"] += 1
        elif on_port or (len(beginning) >= HEADER_BYTES and plausible(beginning, 0) is not None):
            if on_port and not at_end and len(beginning) < HEADER_BYTES:
                return
            direction.protocol = "sccp"
            direction.decoder = ResynchronisingDecoder(negotiation=direction.connection.negotiation)
            if flow.from_client is None:
                direction.decoder.gap()
                direction.lost = True
        elif at_end or len(beginning) >= _BEGINNING:
            direction.protocol = "other"

    def _end(self, end: End, direction: _Direction | None) -> list[Signalling]:
        if direction is None:
            return []
        del self._directions[end.flow]
        found: list[Signalling] = []
        data = b""
        if direction.protocol is None and direction.beginning:
            self._decide(direction, end.flow, at_end=True)
            data = direction.beginning
        if direction.decoder is not None:
            decoded = [*direction.decoder.feed(data), *direction.decoder.finish()]
            found += self._sccp(decoded, direction, end.time, end.flow)
            self._count_skipped(direction.decoder)
        connection = direction.connection
        connection.open -= 1
        if not connection.open:
            self._connections.pop(end.flow.conversation, None)
            if connection.session is not None:
                violations = connection.session.finish(whole=end.reason in _ENDS)
                if violations:
                    found.append(SessionEnd(end.time, end.flow, connection.device, violations))
        return found

    def _count_skipped(self, decoder: ResynchronisingDecoder) -> None:
        if decoder.skipped:
            self._account.undecoded["bytes of SCCP streams skipped"] += decoder.skipped

    def _sccp(self, messages: list[AnyMessage], direction: _Direction, time: int, flow: Flow) -> list[SccpMessage]:
        if not messages:
            return []
        if not direction.name:
            direction.name = self._name(flow, messages[0])
        connection = direction.connection
        way, device, session = direction.name, connection.device, connection.session
        self._account.count(messages)
        classes = {message.__class__ for message in messages}
        if session is None and RegisterReqMessage not in classes:
            return [SccpMessage(time, flow, way, device, message) for message in messages]
        sender = Role.PHONE if way == FROM_PHONE else Role.SERVER
        violations: tuple[Violation, ...] = ()
        found = []
        for message in messages:
            if isinstance(message, RegisterReqMessage) and message.sid is not None:
                device = connection.device = text_of(message.sid.device_name or b"") or None
            if session is not None:
                violations = session.observe(message, sender)
                self._account.violations += len(violations)
            found.append(SccpMessage(time, flow, way, device, message, violations))
        return found

    def _name(self, flow: Flow, message: AnyMessage) -> str:
        """Which way a flow goes: the server has the call manager's port, or was called, or sent what servers send."""
        from_server, to_server = flow.source.port in self._ports, flow.destination.port in self._ports
        if from_server != to_server:
            return FROM_SERVER if from_server else FROM_PHONE
        if flow.from_client is not None:
            return FROM_PHONE if flow.from_client else FROM_SERVER
        sent_by_server = isinstance(message, Message) and message.sender is Sender.SERVER
        return FROM_SERVER if sent_by_server else FROM_PHONE

    def _sip(self, data: bytes, time: int, flow: Flow) -> Iterator[SipMessage]:
        if _SIP.match(data):
            self._account.sip += 1
            yield SipMessage(time, flow, data[: data.index(b"\n")].decode("latin-1").rstrip("\r"))
