"""SIP messages on a stream, TCP or TLS: framed by Content-Length (RFC 3261, section 18.3)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from callgate.errors import ProtocolError
from callgate.sip.fields import shown
from callgate.sip.message import (
    MAXIMUM_BODY,
    MAXIMUM_HEAD,
    Request,
    Response,
    content_length,
    read_head,
)

MAXIMUM_LINE: Final = 2200
"""Bytes of a first line: method, URI and version."""
_BEGINNING: Final = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]|$")


class MessageStream:
    """Takes a stream in any pieces, gives its messages. Holds one message at most beyond what was fed.

    Line ends between messages are keepalives (RFC 5626, section 4.4.1) and passed over. A message without
    Content-Length, which a stream must have, is taken to have no body.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._head: Request | Response | None = None
        self._wanted = 0
        self.failure: str | None = None
        """Why nothing more can be read: the stream is not SIP, or is over the bounds."""

    @property
    def between_messages(self) -> bool:
        """Whether the stream may end here."""
        return not self._buffer and self._head is None

    def feed(self, data: bytes) -> list[Request | Response]:
        """The messages that `data` completes, up to the first fault.

        Upon a fault `failure` is set, and raised as ProtocolError by this call if it gives no message, and by every
        later one: where the next message begins is lost.
        """
        if self.failure is not None:
            raise ProtocolError(self.failure)
        messages: list[Request | Response] = []
        self._buffer += data
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except ProtocolError as error:
            self.failure = str(error)
            self._buffer.clear()
            if not messages:
                raise
        return messages

    def _next(self) -> Request | Response | None:
        if self._head is None and not self._take_head():
            return None
        if len(self._buffer) < self._wanted:
            return None
        assert self._head is not None
        message = replace(self._head, body=bytes(self._buffer[: self._wanted]))
        del self._buffer[: self._wanted]
        self._head, self._searched = None, 0
        return message

    def _take_head(self) -> bool:
        buffer = self._buffer
        if not self._searched:
            blank = len(buffer) - len(buffer.lstrip(b"\r\n"))
            del buffer[:blank]
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(buffer)
            self._refuse_early()
            return False
        head = read_head(bytes(buffer[:end]))
        length = content_length(head) or 0
        if length > MAXIMUM_BODY:
            raise ProtocolError(f"Content-Length is {length}, more than {MAXIMUM_BODY}")
        del buffer[: end + 4]
        self._head, self._wanted = head, length
        return True

    def _refuse_early(self) -> None:
        """Do not wait for the end of what cannot become a message."""
        line, end, _ = self._buffer[:MAXIMUM_LINE].partition(b"\n")
        whole = bool(end) or len(line) == MAXIMUM_LINE
        if not _BEGINNING.match(line) or (whole and b"SIP/2.0" not in line.upper()):
            raise ProtocolError(f"not SIP: it begins {shown(line.decode('utf-8', 'backslashreplace').rstrip())!r}")
        if len(self._buffer) > MAXIMUM_HEAD:
            raise ProtocolError(f"the header has more than {MAXIMUM_HEAD} bytes")
