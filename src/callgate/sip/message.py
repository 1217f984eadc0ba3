"""SIP messages (RFC 3261, section 7): bytes in, messages out, and back.

`read_message` takes any bytes and returns a message whose mandatory header fields can be read, or raises
ProtocolError with a printable reason. Folded lines are joined and names may be compact; a body ends where
Content-Length says. Texts keep bytes that are not UTF-8 (as surrogates), so that they can be sent back unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Self

import sipmessage

from callgate.errors import ProtocolError
from callgate.sip.fields import Hop, NameAddress, Via, guarded, shown, split_list, stamped

MAXIMUM_HEAD: Final = 16384
"""Bytes of start line and header."""
MAXIMUM_BODY: Final = 65536
MAXIMUM_FIELDS: Final = 256

Field = tuple[str, str]
"""A header field: its name as written, and its value."""

_STATUS_LINE: Final = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_REQUEST_LINE: Final = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]{1,32}) ([^\s<>]{1,2048}) SIP/2\.0", re.IGNORECASE)
_FIELD: Final = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*:[ \t]*(.*)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH: Final = re.compile(r"[0-9]{1,9}")
_LONG: Final = {
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "s": "subject",
    "t": "to",
    "v": "via",
}
"""The compact names of RFC 3261 itself."""


def long_name(name: str) -> str:
    """A header field's name in lower case and in its long form (section 7.3.3)."""
    lowered = name.lower()
    return _LONG.get(lowered, lowered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What requests and responses share. Every property raises ProtocolError if its field is missing or not valid."""

    fields: tuple[Field, ...]
    body: bytes = b""

    @property
    def start_line(self) -> str:
        """The first line."""
        raise NotImplementedError

    def values(self, name: str) -> list[str]:
        """The values of all fields of that name (long form, any case), in order."""
        wanted = name.lower()
        return [value for written, value in self.fields if long_name(written) == wanted]

    def value(self, name: str) -> str | None:
        """The value of the first field of that name."""
        return next(iter(self.values(name)), None)

    def elements(self, name: str) -> list[str]:
        """The comma-separated elements of all fields of that name, in order."""
        return [element for value in self.values(name) for element in split_list(value, name)]

    def number(self, name: str) -> int | None:
        """A field of decimal digits, like Expires; None if it is not there."""
        value = self.value(name)
        if value is None:
            return None
        if not _LENGTH.fullmatch(value):
            raise ProtocolError(f"{name} is not a number: {shown(value)}")
        return int(value)

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return Via.read(next(iter(split_list(self._only("Via", first=True), "Via")), ""))

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self._only("Call-ID")

    @property
    def cseq(self) -> sipmessage.CSeq:
        """CSeq, its number below 2**32."""
        cseq = guarded(sipmessage.CSeq.parse, self._only("CSeq"), "CSeq")
        if cseq.sequence >= 1 << 32:
            raise ProtocolError("CSeq is out of range")
        return cseq

    @property
    def sender(self) -> NameAddress:
        """From."""
        return NameAddress.read(self._only("From"), "From")

    @property
    def recipient(self) -> NameAddress:
        """To."""
        return NameAddress.read(self._only("To"), "To")

    @property
    def contacts(self) -> list[NameAddress]:
        """The elements of Contact; `*` is not one."""
        return [NameAddress.read(element, "Contact") for element in self.elements("Contact") if element != "*"]

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case; empty if it is not there."""
        value = self.value("Content-Type")
        return "" if value is None else guarded(sipmessage.MediaType.parse, value, "Content-Type").mime_type.lower()

    @property
    def product(self) -> str:
        """What the sender calls itself: Server, else User-Agent; printable and short, empty if it does not say."""
        return ascii((self.value("Server") or self.value("User-Agent") or "")[:120])[1:-1][:120]

    def check(self) -> Self:
        """This message, once the fields every message must have (section 8.1.1) were read without fault."""
        _ = self.via, self.call_id, self.cseq, self.sender, self.recipient
        return self

    def encode(self) -> bytes:
        """The message as it is sent."""
        lines = (self.start_line, *(f"{name}: {value}" for name, value in self.fields), "", "")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body

    def _only(self, name: str, *, first: bool = False) -> str:
        values = self.values(name)
        if not values or (len(values) > 1 and not first):
            raise ProtocolError(f"{name} is missing" if not values else f"{name} is there {len(values)} times")
        return values[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    """A request. Its URI is kept as written."""

    method: str
    uri: str

    @property
    def start_line(self) -> str:
        """The request line."""
        return f"{self.method} {self.uri} SIP/2.0"

    def check(self) -> Self:
        """As of every message; and CSeq names the method."""
        Message.check(self)
        if self.cseq.method != self.method:
            raise ProtocolError(f"CSeq names {shown(self.cseq.method)} in a request of {shown(self.method)}")
        return self

    def response(
        self,
        status: int,
        reason: str,
        source: Hop,
        *,
        tag: str | None = None,
        more: tuple[Field, ...] = (),
        body: bytes = b"",
    ) -> Response:
        """The response to this request, which came from `source` (section 8.2.6.2). `tag` goes to To if it has none."""
        to = self._only("To")
        if tag is not None and self.recipient.tag is None:
            to += f";tag={tag}"
        vias = self.values("Via")
        fields: list[Field] = [("Via", stamped(vias[0], source)), *(("Via", via) for via in vias[1:])]
        fields += [("From", self._only("From")), ("To", to)]
        fields += [("Call-ID", self.call_id), ("CSeq", self._only("CSeq")), *more]
        fields.append(("Content-Length", str(len(body))))
        return Response(status=status, reason=reason, fields=tuple(fields), body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    """A response."""

    status: int
    reason: str
    """As sent; may hold anything printable or not but a line end."""

    @property
    def start_line(self) -> str:
        """The status line."""
        return f"SIP/2.0 {self.status} {self.reason}"

    @property
    def final(self) -> bool:
        """Whether the request is decided."""
        return self.status >= 200

    @property
    def success(self) -> bool:
        """Whether it was accepted (2xx)."""
        return 200 <= self.status < 300

    @property
    def shown(self) -> str:
        """Status and reason, printable: `404 Not Found`."""
        return f"{self.status} {ascii(self.reason[:100])[1:-1][:100]}".rstrip()


def read_message(data: bytes) -> Request | Response:
    """Read one whole message, such as a datagram; bytes behind its body are dropped (section 18.3).

    Raises ProtocolError when it is no SIP message, breaks the syntax, is over the bounds, or is cut short.
    """
    head, body = _parted(data)
    message = read_head(head)
    length = content_length(message)
    if length is None:
        length = len(body)
    if length > len(body):
        raise ProtocolError(f"the body has {len(body)} bytes where Content-Length says {length}")
    if length > MAXIMUM_BODY:
        raise ProtocolError(f"the body has more than {MAXIMUM_BODY} bytes")
    return replace(message, body=body[:length])


def read_head(head: bytes) -> Request | Response:
    """Read the start line and header, without the empty line that ends it; ProtocolError as of `read_message`."""
    if len(head) > MAXIMUM_HEAD:
        raise ProtocolError(f"the header has more than {MAXIMUM_HEAD} bytes")
    text = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "surrogateescape"))
    start_line, *lines = text.split("\r\n")
    if len(lines) > MAXIMUM_FIELDS:
        raise ProtocolError(f"the header has more than {MAXIMUM_FIELDS} lines")
    status_line, request_line = _STATUS_LINE.fullmatch(start_line), _REQUEST_LINE.fullmatch(start_line)
    if status_line is None and request_line is None:
        raise ProtocolError(f"not SIP: the first line is {shown(start_line)!r}" if start_line else "not SIP")
    fields = tuple(_field(line) for line in lines)
    if _CONTROL.search(start_line):
        raise ProtocolError("a control character in the first line")
    if status_line is not None:
        reason = status_line[2] or ""
        return Response(status=int(status_line[1]), reason=reason, fields=fields).check()
    assert request_line is not None
    return Request(method=request_line[1], uri=request_line[2], fields=fields).check()


def content_length(message: Message) -> int | None:
    """The Content-Length of a message, None if it has none; ProtocolError if it has two that differ, or no number."""
    if len(set(message.values("Content-Length"))) > 1:
        raise ProtocolError("Content-Length is there twice, with different values")
    return message.number("Content-Length")


def _parted(data: bytes) -> tuple[bytes, bytes]:
    data = data.lstrip(b"\r\n")  # section 7.5
    head, end, _ = data[: MAXIMUM_HEAD + 4].partition(b"\r\n\r\n")
    if not end:
        first = data[:120].split(b"\n")[0].decode("utf-8", "backslashreplace").rstrip("\r")
        if not re.search(r"SIP/2\.0", first, re.IGNORECASE):
            raise ProtocolError(f"not SIP: it begins {shown(first)!r}")
        if len(data) > MAXIMUM_HEAD:
            raise ProtocolError(f"the header has more than {MAXIMUM_HEAD} bytes")
        raise ProtocolError("the header does not end with an empty line")
    return head, data[len(head) + 4 :]


def _field(line: str) -> Field:
    match = _FIELD.fullmatch(line)
    if match is None or _CONTROL.search(line):
        raise ProtocolError(f"a header line is not valid: {shown(line)!r}")
    return match[1], match[2].rstrip(" \t")
