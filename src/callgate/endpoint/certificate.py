"""What stands in a certificate that was not verified: its subject and its end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from callgate.endpoint.attempt import printable

MAXIMUM_ATTRIBUTES: Final = 32

_INTEGER: Final = 0x02
_OBJECT_IDENTIFIER: Final = 0x06
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_VERSION: Final = 0xA0
_BMP_STRING: Final = 0x1E

_ATTRIBUTES: Final = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x05": "serialNumber",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
}
"""RFC 5280, appendix A.1; the names are those of RFC 4514, section 3."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Read, not verified."""

    subject: str
    """Like `CN=pbx, O=Example`, as ordered in the certificate; printable ASCII."""
    not_after: datetime | None
    """In UTC; None if it is no time."""


def certificate_facts(der: bytes) -> CertificateFacts | None:
    """Read a DER certificate (RFC 5280, section 4.1); None if it is not one."""
    try:
        outer = _Elements(_Elements(der).take(_SEQUENCE))
        body = _Elements(outer.take(_SEQUENCE))
        if body.next_tag == _VERSION:
            body.take(_VERSION)
        body.take(_INTEGER)
        body.take(_SEQUENCE)  # signature algorithm
        body.take(_SEQUENCE)  # issuer
        validity = _Elements(body.take(_SEQUENCE))
        validity.skip()
        not_after = _time(validity.next_tag, validity.skip())
        return CertificateFacts(_name(body.take(_SEQUENCE)), not_after)
    except ValueError:
        return None


class _Elements:
    """The elements of a DER value, one after the other (X.690, section 8.1). ValueError where it is not DER."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    @property
    def next_tag(self) -> int | None:
        return self._rest[0] if self._rest else None

    def take(self, tag: int) -> bytes:
        if self.next_tag != tag:
            raise ValueError(f"tag {self.next_tag}, not {tag}")
        return self.skip()

    def skip(self) -> bytes:
        if len(self._rest) < 2:
            raise ValueError("cut off")
        begin, length = 2, self._rest[1]
        if length & 0x80:
            begin += length & 0x7F
            if not 2 < begin <= 6:
                raise ValueError("length of the length")
            length = int.from_bytes(self._rest[2:begin], "big")
        if len(self._rest) < begin + length:
            raise ValueError("cut off")
        value, self._rest = self._rest[begin : begin + length], self._rest[begin + length :]
        return value


def _time(tag: int | None, value: bytes) -> datetime | None:
    text = value.decode("ascii", "replace")
    if tag == _UTC_TIME:  # RFC 5280, section 4.1.2.5.1
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _name(value: bytes) -> str:
    parts: list[str] = []
    names = _Elements(value)
    while names.next_tag is not None and len(parts) < MAXIMUM_ATTRIBUTES:
        attribute = _Elements(_Elements(names.take(_SET)).take(_SEQUENCE))
        kind = _ATTRIBUTES.get(attribute.take(_OBJECT_IDENTIFIER))
        encoding = "utf-16-be" if attribute.next_tag == _BMP_STRING else "utf-8"
        text = attribute.skip().decode(encoding, "replace")
        if kind is not None:
            parts.append(f"{kind}={text}")
    return printable(", ".join(parts))
