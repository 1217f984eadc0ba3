"""SIP OPTIONS (RFC 3261, section 11): the request that asks a server who it is, and its response.

A response counts only if it belongs to our request: same Call-ID, same CSeq, and our branch in the topmost
Via (RFC 3261, sections 8.1.3 and 17.1.3). A stray datagram does not, nor does the request sent back by an
echo service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from callgate import __version__

BRANCH_COOKIE: Final = "z9hG4bK"
"""Every branch of an RFC 3261 client begins with it (section 8.1.1.7)."""
SENT_BY: Final = "callgate.invalid"
"""Our host in Via, From and Contact: the local address is unknown before sending, and `rport` (RFC 3581)
makes the server answer to where the request came from."""
MAXIMUM_HEAD_BYTES: Final = 16384
MAXIMUM_TEXT: Final = 120
"""Characters kept of a reason phrase or a product name."""

_TRANSPORTS: Final = frozenset({"udp", "tcp", "tls"})
_TOKEN: Final = re.compile(r"[A-Za-z0-9]{8,64}")
_STATUS_LINE: Final = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\r\n]*))?")
_HEADER: Final = re.compile(rb"([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
_BRANCH: Final = re.compile(rb";[ \t]*branch[ \t]*=[ \t]*([^\s;,]+)", re.IGNORECASE)
_COMPACT: Final = {b"v": b"via", b"i": b"call-id"}
"""Compact header forms (RFC 3261, section 7.3.3) of the headers read here."""


@dataclass(frozen=True, slots=True)
class Response:
    """A SIP response to our request. Its texts are printable ASCII, other characters are escaped."""

    status: int
    reason: str
    product: str
    """What Server (else User-Agent) says; empty if neither is there."""


def options_request(target: IPv4Address | IPv6Address, port: int, transport: str, token: str) -> bytes:
    """Build an OPTIONS request to a server's own address.

    `transport` is `udp`, `tcp` or `tls`. `token` is 8 to 64 letters and digits, new for each request:
    Call-ID, tag and branch are made of it, and a server may take a repeated one for a retransmission.
    The same arguments give the same bytes. ValueError if an argument cannot be.
    """
    if transport not in _TRANSPORTS:
        raise ValueError(f"SIP does not run over {transport!r}")
    if not _TOKEN.fullmatch(token):
        raise ValueError("the token must be 8 to 64 letters and digits")
    if not 0 < port < 65536:
        raise ValueError(f"{port} is not a port")
    # A zone (fe80::1%eth0) means something to this machine only and has no place in a URI.
    host = f"[{str(target).partition('%')[0]}]" if isinstance(target, IPv6Address) else str(target)
    lines = (
        f"OPTIONS sip:{host}:{port} SIP/2.0",
        f"Via: SIP/2.0/{transport.upper()} {SENT_BY};branch={BRANCH_COOKIE}{token};rport",
        "Max-Forwards: 70",
        f"From: <sip:callgate@{SENT_BY}>;tag={token}",
        f"To: <sip:{host}:{port}>",
        f"Call-ID: {token}@{SENT_BY}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:callgate@{SENT_BY}>",
        "Accept: application/sdp",
        f"User-Agent: callgate/{__version__}",
        "Content-Length: 0",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def response_to(request: bytes, message: bytes) -> Response | None:
    """Read `message` as the response to `request` (one of `options_request`), or say None; takes any bytes.

    A provisional response (100) and a refusal (401, 403, 404, 405, 500 ...) are responses too. On a stream
    `message` is all that was received: line ends before the response and a body after it are passed over.
    """
    asked = _Head.read(request)
    answered = _Head.read(message.lstrip(b"\r\n"))  # RFC 3261, section 7.5: ignore CRLF before a message
    if asked is None or answered is None:
        return None
    status_line = _STATUS_LINE.fullmatch(answered.start_line)
    transaction = asked.transaction()
    if status_line is None or transaction is None or answered.transaction() != transaction:
        return None
    product = answered.values(b"server") or answered.values(b"user-agent") or [b""]
    return Response(int(status_line[1]), _printable(status_line[2] or b""), _printable(product[0]))


@dataclass(frozen=True, slots=True)
class _Head:
    """The start line and the headers of a message, names in lower case and in their long form."""

    start_line: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def read(cls, message: bytes) -> _Head | None:
        """Take a message apart; None if it has no complete, well-formed head."""
        head, end, _ = message[:MAXIMUM_HEAD_BYTES].partition(b"\r\n\r\n")
        if not end:
            return None
        start_line, *lines = re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n")  # folded lines, section 7.3.1
        headers = []
        for line in lines:
            header = _HEADER.fullmatch(line)
            if header is None:
                return None
            name = header[1].lower()
            headers.append((_COMPACT.get(name, name), header[2].rstrip(b" \t")))
        return cls(start_line, tuple(headers))

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    def transaction(self) -> tuple[bytes, bytes, tuple[bytes, ...]] | None:
        """Branch of the topmost Via, Call-ID, and CSeq in its parts; None if one is missing or not alone."""
        calls, sequences, vias = self.values(b"call-id"), self.values(b"cseq"), self.values(b"via")
        if len(calls) != 1 or len(sequences) != 1 or not vias:
            return None
        branch = _BRANCH.search(vias[0].partition(b",")[0])
        return None if branch is None else (branch[1], calls[0], tuple(sequences[0].split()))


def _printable(text: bytes) -> str:
    return ascii(text.decode("utf-8", "replace"))[1:-1][:MAXIMUM_TEXT]
