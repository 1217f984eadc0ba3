"""One phone's connection: bytes in, frames out, and the state of its registration. Sans-IO."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Protocol

import msgspec

from callgate.endpoint.call_manager.profile import Oversize, Profile
from callgate.endpoint.network import TransportAddress
from callgate.sccp.codec import decode, encode
from callgate.sccp.framing import HEADER, HEADER_BYTES, MINIMUM_LENGTH, UNCOUNTED_BYTES
from callgate.sccp.message import AnyMessage, AsSent, Message
from callgate.sccp.messages.registration import RegisterReqMessage
from callgate.sccp.negotiation import Negotiation, header_version
from callgate.sccp.session import Role, Session

MAXIMUM_QUEUED: Final = 4096
"""Frames that wait to be sent; a phone that is owed more is dropped."""


class Closing(Enum):
    """How the server ends a connection, once what is queued has been sent."""

    GENTLY = auto()
    """FIN."""
    RESET = auto()


class Owner(Protocol):
    """Who a connection belongs to."""

    def handle(self, connection: Connection, message: AnyMessage, now: float) -> None:
        """It has brought a message."""
        ...

    def note_ready(self, connection: Connection) -> None:
        """It has something to send, or is to be ended."""
        ...

    def note_closed(self, connection: Connection, now: float) -> None:
        """It is to be ended, because of what it brought."""
        ...

    def lose(self, connection: Connection, half: bool, now: float) -> None:
        """Its peer has ended it, in the middle of a message or not."""
        ...


class Connection:
    """A phone's connection as the server sees it.

    Bytes go in by `feed`, or messages by `receive`; frames come out of `take`, to be sent with one write each; when
    `closing` is set, the connection is to be ended after them. `lost` says that the peer ended it. Times are seconds
    of any clock that only goes forward, the same for all of a server's connections.
    """

    def __init__(
        self,
        profile: Profile,
        peer: TransportAddress,
        local: TransportAddress,
        now: float,
        owner: Owner,
    ) -> None:
        self.profile = profile
        self.peer = peer
        """Where the phone is."""
        self.local = local
        """The address the phone connected to."""
        self.session = Session(Role.SERVER)
        self.negotiation = Negotiation()
        self.closing: Closing | None = None
        self.gone = False
        """It is of no concern any more."""
        self.heard = now
        """The last message's time, or the connection's start."""
        self.started = now
        self.half_since: float | None = None
        """Since when a message has not been whole."""
        self.late_refusal: float | None = None
        """When a rejection that was put off is due."""
        self.refused_name = b""
        self.breaches = 0
        """How often the phone did what is out of order."""
        self._owner = owner
        self._pending = b""
        self._deaf_for: int | None = None
        self._queue: list[bytes] = []

    @property
    def version(self) -> int:
        """The protocol version that holds."""
        return self.negotiation.version

    @property
    def usual_header(self) -> int:
        """What the headers of most messages to this phone say."""
        return self.version if self.profile.names_version and self.version >= 10 else 0

    @property
    def open(self) -> bool:
        """Whether messages still go either way."""
        return self.closing is None and not self.gone

    def feed(self, data: bytes, now: float) -> None:
        """Take what one read brought."""
        if self.open:
            self._read(data, now)
            if not self.open:
                self._owner.note_closed(self, now)

    def _read(self, data: bytes, now: float) -> None:
        if self._deaf_for is not None:
            self._hear_nothing(len(data))
            return
        buffer = self._pending + data
        self._pending = b""
        start = 0
        while self.open and len(buffer) - start >= HEADER_BYTES:
            length, _, _ = HEADER.unpack_from(buffer, start)
            if not MINIMUM_LENGTH <= length <= self.profile.longest:
                self._refuse_length(length, len(buffer) - start)
                return
            end = start + length + UNCOUNTED_BYTES
            if end > len(buffer):
                break
            self.half_since = None
            self.receive(decode(buffer[start:end], negotiated=self.version), now)
            start = end
        if not self.open or start == len(buffer):
            return
        self._pending = buffer[start:]
        if self.half_since is None:
            self.half_since = now
        if self.profile.refuses_split_headers and len(self._pending) < HEADER_BYTES:
            self.close()

    def _refuse_length(self, length: int, held: int) -> None:
        if length >= MINIMUM_LENGTH and self.profile.oversize is Oversize.GOES_DEAF:
            self._deaf_for = length + UNCOUNTED_BYTES
            self._hear_nothing(held)
            return
        self.close(Closing.RESET if held > HEADER_BYTES else Closing.GENTLY)

    def _hear_nothing(self, count: int) -> None:
        assert self._deaf_for is not None
        self._deaf_for -= count
        if self._deaf_for <= 0:
            self.close()

    def receive(self, message: AnyMessage, now: float) -> None:
        """Take one message."""
        if self.open:
            self.heard = now
            if isinstance(message, RegisterReqMessage):  # no other message of a phone changes what is negotiated
                self.negotiation.observe(message)
            self._owner.handle(self, message, now)

    def lost(self, now: float) -> None:
        """The peer has closed or reset the connection, or it broke."""
        if not self.gone:
            half = bool(self._pending) and self.closing is None
            self.gone = True
            self._pending = b""
            self._queue.clear()
            self.session.finish()
            self._owner.lose(self, half, now)

    def send(self, message: Message) -> None:
        """Queue a message, in the handwriting of the profile."""
        if not self.open:
            return
        cls = type(message)
        header = header_version(cls, self.version) if self.profile.names_version else 0
        as_sent = message.as_sent
        tail = self.profile.shape.tails.get(cls)
        if tail is not None:
            as_sent = (
                AsSent(tail=bytes(tail)) if as_sent is None else msgspec.structs.replace(as_sent, tail=bytes(tail))
            )
        if header or as_sent is not message.as_sent:
            message = msgspec.structs.replace(message, header_version=header, as_sent=as_sent)
        self._queue.append(encode(message))
        self.negotiation.observe(message)
        self.session.sent(message)
        self._owner.note_ready(self)
        if len(self._queue) > MAXIMUM_QUEUED:
            self._queue.clear()
            self.close(Closing.RESET)

    def close(self, how: Closing = Closing.GENTLY) -> None:
        """End the connection, after what is queued."""
        if self.open:
            self.closing = how
            self._pending = b""
            self.session.finish()
            self._owner.note_ready(self)

    def take(self) -> list[bytes]:
        """The frames to send now, in order, with one write each."""
        frames, self._queue = self._queue, []
        return frames
