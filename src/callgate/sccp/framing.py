"""SCCP framing: the header every message carries, and the keepalive that makes a server show itself.

A message is three little-endian u32 (length, header version, message id) and a body. The length counts the
message id and the body, so a message takes length + 8 bytes. There is no magic and no checksum.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from callgate.errors import ProtocolError

HEADER: Final = struct.Struct("<III")
HEADER_BYTES: Final = HEADER.size
"""12: length, header version and message id."""

UNCOUNTED_BYTES: Final = 8
"""The length and header version fields, which the length does not count."""
MINIMUM_LENGTH: Final = 4
"""The message id alone; servers close the connection on less."""
MAXIMUM_LENGTH: Final = 8192
"""The largest receive limit of a known server; the largest defined message takes 2444."""

KEEP_ALIVE: Final = 0x0000
KEEP_ALIVE_ACK: Final = 0x0100


@dataclass(frozen=True, slots=True)
class Header:
    """The first 12 bytes of a message."""

    length: int
    """Bytes that follow the header version: the message id and the body."""
    version: int
    """0 means that less than protocol 10 was negotiated, or nothing yet."""
    message_id: int

    def __post_init__(self) -> None:
        if not MINIMUM_LENGTH <= self.length <= MAXIMUM_LENGTH:
            raise ProtocolError(f"SCCP length {self.length} is not in {MINIMUM_LENGTH}..{MAXIMUM_LENGTH}")
        for field, value in (("header version", self.version), ("message id", self.message_id)):
            if not 0 <= value <= 0xFFFFFFFF:
                raise ProtocolError(f"SCCP {field} {value} does not fit in 32 bits")

    @property
    def body_bytes(self) -> int:
        """Size of the body that follows the header."""
        return self.length - MINIMUM_LENGTH

    @property
    def message_bytes(self) -> int:
        """Size of the whole message, header included."""
        return self.length + UNCOUNTED_BYTES


def pack_header(header: Header) -> bytes:
    """The header's 12 bytes."""
    return HEADER.pack(header.length, header.version, header.message_id)


def unpack_header(data: bytes) -> Header:
    """Read the header that `data` begins with; ProtocolError if it is short or its length cannot be."""
    if len(data) < HEADER_BYTES:
        raise ProtocolError(f"an SCCP header takes {HEADER_BYTES} bytes, {len(data)} are there")
    return Header(*HEADER.unpack_from(data))


def frame(message_id: int, body: bytes = b"", version: int = 0) -> bytes:
    """A whole message. Send it in one write: a server may close if a header is split over segments."""
    return pack_header(Header(MINIMUM_LENGTH + len(body), version, message_id)) + body


def keepalive() -> bytes:
    """An unregistered KeepAlive: `04000000 00000000 00000000`. It registers nothing and changes nothing."""
    return frame(KEEP_ALIVE)


class KeepaliveReply(Enum):
    """What came back on an unregistered KeepAlive."""

    ACK = auto()
    """Exactly one KeepAliveAck: an SCCP server. Known servers send it within 300 ms, and no more."""
    ECHO = auto()
    """The KeepAlive itself: a service that sends back what it gets."""
    OTHER = auto()
    """Other bytes, or more or less than one KeepAliveAck."""
    NOTHING = auto()
    """No byte. Not a proof that there is no SCCP server."""


_REPLIES: Final = {
    frame(KEEP_ALIVE_ACK): KeepaliveReply.ACK,
    keepalive(): KeepaliveReply.ECHO,
    b"": KeepaliveReply.NOTHING,
}


def judge_keepalive_reply(received: bytes) -> KeepaliveReply:
    """Say what the bytes are that a peer sent after `keepalive()`; takes any bytes."""
    return _REPLIES.get(bytes(received), KeepaliveReply.OTHER)
