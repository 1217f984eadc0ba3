"""What the prober is asked to do and what it says it saw, typed.

Observations come from a host that may be hostile: nothing of them is taken that was not checked and bounded.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeVar

from callgate.errors import NotDetermined

MAXIMUM_KEY: Final = 200
MAXIMUM_PAYLOAD: Final = 4096
MAXIMUM_SECONDS: Final = 30.0
MAXIMUM_RECEIVED: Final = 65536
"""Bytes received in one exchange, over all its datagrams."""
MAXIMUM_DATAGRAMS: Final = 16
MAXIMUM_TEXT: Final = 300
MAXIMUM_CERTIFICATE: Final = 131072
"""OpenSSL takes no certificate message larger than 100 KB."""
MAXIMUM_MILLISECONDS: Final = 1_000_000

_Choice = TypeVar("_Choice", bound=StrEnum)
_SERVER_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class Transport(StrEnum):
    """How a service is spoken to. TLS means TLS over TCP."""

    TCP = "tcp"
    UDP = "udp"
    TLS = "tls"


class Contact(StrEnum):
    """How far an exchange came, before any meaning is read into the bytes."""

    CONNECTED = "connected"
    """TCP connected, or a datagram came back."""
    REFUSED = "refused"
    """RST, or ICMP port unreachable."""
    UNREACHABLE = "unreachable"
    """Another ICMP destination unreachable, from a host other than the vantage."""
    TIMEOUT = "timeout"
    """Nothing came back."""
    NO_ROUTE = "no-route"
    """Nothing left the vantage: no route, no neighbour, or its own firewall."""
    ERROR = "error"


class Closed(StrEnum):
    """How a TCP connection ended."""

    EOF = "eof"
    RESET = "reset"
    OPEN = "open"
    """It did not, before the wait was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One payload to one port, and how long to wait. ValueError if a field is out of its bounds."""

    key: str
    """Names the exchange in its observation; chosen by the caller, at most 200 characters."""
    address: IPv4Address | IPv6Address
    port: int
    transport: Transport
    payload: bytes = b""
    """Sent in one write; over TCP and TLS nothing is sent if it is empty, over UDP an empty datagram."""
    connect_seconds: float = 4.0
    """For TCP to connect. Linux needs 3.1 s to find that a neighbour does not answer: less looks like a filter."""
    wait_seconds: float = 2.0
    """For the answer, and before it as long for a TLS handshake."""
    attempts: int = 3
    """Datagrams sent at most, evenly spaced; over TCP the kernel repeats by itself."""
    server_name: str | None = None
    """The name to ask for in the TLS handshake (SNI)."""

    def __post_init__(self) -> None:
        for field, held in (
            ("key", len(self.key) <= MAXIMUM_KEY),
            ("port", 0 < self.port < 65536),
            ("payload", len(self.payload) <= MAXIMUM_PAYLOAD),
            ("connect_seconds", 0.1 <= self.connect_seconds <= MAXIMUM_SECONDS),
            ("wait_seconds", 0.1 <= self.wait_seconds <= MAXIMUM_SECONDS),
            ("attempts", 0 < self.attempts <= 10),
            ("server_name", self.server_name is None or _SERVER_NAME.fullmatch(self.server_name)),
        ):
            if not held:
                raise ValueError(f"exchange {self.key[:MAXIMUM_KEY]!r}: {field} is out of bounds")

    def as_json(self) -> dict[str, object]:
        """The exchange as the prober reads it."""
        return {
            "key": self.key,
            "address": str(self.address),
            "port": self.port,
            "transport": str(self.transport),
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "connect_seconds": self.connect_seconds,
            "wait_seconds": self.wait_seconds,
            "attempts": self.attempts,
            "server_name": self.server_name,
        }


@dataclass(frozen=True, slots=True)
class IcmpError:
    """The ICMP (or ICMPv6) error that ended an exchange."""

    type: int
    code: int
    sender: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class TlsSession:
    """A finished TLS handshake. Nothing was verified."""

    version: str
    """Like `TLSv1.3`."""
    cipher: str
    certificate: bytes | None
    """The server's certificate, DER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the prober saw of one exchange."""

    key: str
    source: IPv4Address | IPv6Address | None
    """The address the vantage sent from."""
    contact: Contact
    detail: str = ""
    """The error's name, like `ECONNREFUSED`."""
    icmp: IcmpError | None = None
    received: tuple[bytes, ...] = ()
    """One for each datagram; of a stream at most one; the raw bytes if TLS was not set up."""
    closed: Closed | None = None
    """None unless TCP connected."""
    tls: TlsSession | None = None
    tls_error: str | None = None
    """Why TLS failed, or ended early."""
    milliseconds: int = 0
    """From the first packet to the first byte that came back, else to the end of the wait."""

    @classmethod
    def from_json(cls, value: object) -> Observation:
        """Read one observation as the prober prints it; NotDetermined if it is anything else."""
        fields = _Fields("observation", value, _OBSERVATION_NAMES)
        icmp, tls = fields.optional("icmp"), fields.optional("tls")
        return cls(
            key=fields.text("key", MAXIMUM_KEY, printable=False),
            source=None if fields.optional("source") is None else fields.address("source"),
            contact=fields.choice("outcome", Contact),
            detail=fields.text("detail"),
            icmp=None if icmp is None else _icmp_error(icmp),
            received=fields.chunks("received"),
            closed=None if fields.optional("closed") is None else fields.choice("closed", Closed),
            tls=None if tls is None else _tls_session(tls),
            tls_error=None if fields.optional("tls_error") is None else fields.text("tls_error"),
            milliseconds=fields.number("milliseconds", MAXIMUM_MILLISECONDS),
        )


_OBSERVATION_NAMES: Final = frozenset(
    ("key", "source", "outcome", "detail", "icmp", "received", "closed", "tls", "tls_error", "milliseconds")
)


def exchanges_to_json(exchanges: Iterable[Exchange]) -> str:
    """The prober's input: ASCII in which shells find nothing to escape, and Ansible no template to fill in."""
    text = json.dumps([exchange.as_json() for exchange in exchanges])
    for special in ("'", "{{", "{%", "{#"):  # these occur inside JSON strings only
        text = text.replace(special, f"{special[:-1]}\\u{ord(special[-1]):04x}")
    return text


def observations_from_json(text: bytes | str, exchanges: Sequence[Exchange]) -> list[Observation]:
    """Read the prober's output: one observation for each exchange, in order; NotDetermined if it is not that."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise NotDetermined("what the prober printed is not JSON") from None
    if not isinstance(values, list) or len(values) != len(exchanges):
        raise NotDetermined(f"the prober did not print a list of {len(exchanges)} observations")
    observations = [Observation.from_json(value) for value in values]
    if [observation.key for observation in observations] != [exchange.key for exchange in exchanges]:
        raise NotDetermined("the prober's observations do not belong to the exchanges asked for")
    return observations


def _icmp_error(value: object) -> IcmpError:
    fields = _Fields("ICMP error", value, frozenset({"type", "code", "from"}))
    return IcmpError(fields.number("type", 255), fields.number("code", 255), fields.address("from"))


def _tls_session(value: object) -> TlsSession:
    fields = _Fields("TLS session", value, frozenset({"version", "cipher", "certificate"}))
    certificate = fields.optional("certificate")
    return TlsSession(
        version=fields.text("version"),
        cipher=fields.text("cipher"),
        certificate=None if certificate is None else fields.octets("certificate", MAXIMUM_CERTIFICATE),
    )


class _Fields:
    """An object of the prober's output, read field by field."""

    def __init__(self, what: str, value: object, names: frozenset[str]) -> None:
        self._what = what
        if not isinstance(value, dict) or value.keys() != names:
            raise NotDetermined(f"the prober printed a malformed {what}")
        self._value: dict[str, object] = value

    def _wrong(self, name: str) -> NotDetermined:
        return NotDetermined(f"the prober printed a malformed {self._what}: {name} is not valid")

    def optional(self, name: str) -> object:
        return self._value[name]

    def text(self, name: str, limit: int = MAXIMUM_TEXT, *, printable: bool = True) -> str:
        value = self._value[name]
        if not isinstance(value, str) or len(value) > limit:
            raise self._wrong(name)
        if printable and not (value.isascii() and value.isprintable()):
            raise self._wrong(name)
        return value

    def choice(self, name: str, choices: type[_Choice]) -> _Choice:
        try:
            return choices(self.text(name))
        except ValueError:
            raise self._wrong(name) from None

    def number(self, name: str, limit: int) -> int:
        value = self._value[name]
        if type(value) is not int or not 0 <= value <= limit:
            raise self._wrong(name)
        return value

    def address(self, name: str) -> IPv4Address | IPv6Address:
        try:
            return ip_address(self.text(name))
        except ValueError:
            raise self._wrong(name) from None

    def octets(self, name: str, limit: int) -> bytes:
        return self._decoded(name, self._value[name], limit)

    def chunks(self, name: str) -> tuple[bytes, ...]:
        values = self._value[name]
        if not isinstance(values, list) or len(values) > MAXIMUM_DATAGRAMS:
            raise self._wrong(name)
        chunks = tuple(self._decoded(name, value, MAXIMUM_RECEIVED) for value in values)
        if sum(map(len, chunks)) > MAXIMUM_RECEIVED:
            raise self._wrong(name)
        return chunks

    def _decoded(self, name: str, value: object, limit: int) -> bytes:
        if not isinstance(value, str) or len(value) > limit * 2:
            raise self._wrong(name)
        try:
            octets = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise self._wrong(name) from None
        if len(octets) > limit:
            raise self._wrong(name)
        return octets
