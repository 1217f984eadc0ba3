"""The values of SIP header fields (RFC 3261, sections 20 and 25): lists, parameters, addresses, Via.

Read leniently where real peers are sloppy, and in linear time. sipmessage's readers of these take too little (a bare
IPv6 `received` in Via, which servers do send), too much (they split quoted strings at `;` and `,`) or raise TypeError
(a parameter named `self`); its URI, CSeq and MediaType hold and are used, see `callgate.sip.message`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeVar

import sipmessage

from callgate.errors import ProtocolError

MAXIMUM_VALUE: Final = 4096
"""Characters of one header field's value; longer ones are refused."""
MAXIMUM_PARAMETERS: Final = 64
SIP_PORT: Final = 5060
SIPS_PORT: Final = 5061

Hop = tuple[IPv4Address | IPv6Address, int]
"""Address and port of the next or last machine on the way."""

_Read = TypeVar("_Read")
_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]+"  # noqa: S105 - a grammar's token
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_PARAMETER: Final = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*({_QUOTED}|[^\s;,"<>]*))?')
_ELEMENT: Final = re.compile(rf'(?:[^,"<]|{_QUOTED}|<[^>]*>)*')
_NAME_ADDRESS: Final = re.compile(rf'(?P<name>{_QUOTED}[ \t]*|[^"<>]*)<(?P<uri>[^<>\s]+)>(?P<parameters>.*)')
_ADDRESS: Final = re.compile(r'(?P<name>)(?P<uri>[^\s;<>",]+)(?P<parameters>.*)')
_VIA: Final = re.compile(
    rf"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(?P<transport>{_TOKEN})[ \t]+"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]+)(?:[ \t]*:[ \t]*(?P<port>[0-9]{1,5}))?(?P<parameters>.*)",
    re.IGNORECASE,
)


def shown(text: str) -> str:
    """A peer's text for an error: printable ASCII, 60 characters at most."""
    return ascii(text[:60])[1:-1][:60]


def guarded(read: Callable[[str], _Read], value: str, what: str) -> _Read:
    """Let sipmessage read `value`; whatever it raises upon hostile input becomes a ProtocolError that names `what`."""
    if len(value) > MAXIMUM_VALUE:
        raise ProtocolError(f"{what} is longer than {MAXIMUM_VALUE} characters")
    try:
        return read(value)
    except Exception:  # ValueError by its contract; KeyError and TypeError in fact
        raise ProtocolError(f"{what} is not valid: {shown(value)}") from None


def split_list(value: str, what: str) -> list[str]:
    """The elements of a comma-separated list; commas within quotes and angle brackets do not count."""
    if len(value) > MAXIMUM_VALUE:
        raise ProtocolError(f"{what} is longer than {MAXIMUM_VALUE} characters")
    elements, at = [], 0
    while True:
        match = _ELEMENT.match(value, at)
        assert match is not None  # it matches the empty text
        at = match.end()
        if at < len(value) and value[at] != ",":
            raise ProtocolError(f"{what} has a quote or bracket that does not end: {shown(value)}")
        if element := match[0].strip(" \t"):
            elements.append(element)
        if at == len(value):
            return elements
        at += 1


def read_parameters(text: str, what: str) -> dict[str, str | None]:
    """`;name=value;name` as a dictionary: names in lower case, values without quotes. The first of a name counts."""
    parameters: dict[str, str | None] = {}
    text, at = text.rstrip(" \t"), 0
    for _ in range(MAXIMUM_PARAMETERS):
        if at == len(text):
            return parameters
        match = _PARAMETER.match(text, at)
        if match is None:
            raise ProtocolError(f"{what} has a parameter that is not valid: {shown(text[at:])}")
        parameters.setdefault(match[1].lower(), unquoted(match[2]))
        at = match.end()
    raise ProtocolError(f"{what} has more than {MAXIMUM_PARAMETERS} parameters")


def unquoted(value: str | None) -> str | None:
    """A parameter's value without its quotes and their escapes."""
    if value is None or not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1])


@dataclass(frozen=True, slots=True)
class NameAddress:
    """An element of From, To, Contact, Route or Record-Route."""

    uri: str
    name: str = ""
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def read(cls, value: str, what: str) -> NameAddress:
        """Read one element; ProtocolError if it is none. Without brackets, parameters are the header's."""
        if len(value) > MAXIMUM_VALUE:
            raise ProtocolError(f"{what} is longer than {MAXIMUM_VALUE} characters")
        value = value.strip(" \t")
        match = _NAME_ADDRESS.fullmatch(value) or _ADDRESS.fullmatch(value)
        if match is None:
            raise ProtocolError(f"{what} is not an address: {shown(value)}")
        parameters = read_parameters(match["parameters"], what)
        return cls(match["uri"], unquoted(match["name"].strip(" \t")) or "", parameters)

    @property
    def tag(self) -> str | None:
        """The tag parameter of From and To."""
        return self.parameters.get("tag")

    def parsed(self, what: str) -> sipmessage.URI:
        """The URI in its parts; ProtocolError if it is not one of SIP or TEL."""
        return read_uri(self.uri, what)


def read_uri(text: str, what: str) -> sipmessage.URI:
    """A URI in its parts, headers (`?...`) left out; ProtocolError if it is not one of SIP or TEL."""
    uri = guarded(sipmessage.URI.parse, text.partition("?")[0], what)
    if uri.port is not None and uri.port > 65535:
        raise ProtocolError(f"{what} has no valid port: {shown(text)}")
    return uri


@dataclass(frozen=True, slots=True)
class Via:
    """One element of Via: who sent the message, and which transaction it belongs to."""

    transport: str
    """In upper case."""
    host: str
    """In lower case, IPv6 addresses in brackets."""
    port: int | None
    parameters: Mapping[str, str | None]

    @classmethod
    def read(cls, value: str) -> Via:
        """Read one element; ProtocolError if it is none."""
        match = _VIA.fullmatch(value)
        if match is None or (match["port"] and int(match["port"]) > 65535):
            raise ProtocolError(f"Via is not valid: {shown(value)}")
        return cls(
            match["transport"].upper(),
            match["host"].lower(),
            int(match["port"]) if match["port"] else None,
            read_parameters(match["parameters"], "Via"),
        )

    @property
    def branch(self) -> str | None:
        """The branch parameter."""
        return self.parameters.get("branch")

    def response_hop(self, source: Hop) -> Hop:
        """Where the response to a request from `source` goes over UDP (RFC 3261 18.2.2, RFC 3581 section 4).

        `maddr` is not followed: it would let a stranger point our packets at a third party.
        """
        if "rport" in self.parameters:
            return source
        return source[0], self.port or (SIPS_PORT if self.transport == "TLS" else SIP_PORT)


def stamped(via: str, source: Hop) -> str:
    """The topmost Via value of a request with `received` and `rport` filled in by its server (RFC 3261 18.2.1).

    `received` is added when the sender's address is another than the host it names, or when `rport` asks for it
    (RFC 3581, section 4). The rest stays as it is, other elements of the list too.
    """
    first = split_list(via, "Via")[0]
    rest = via.strip(" \t")[len(first) :]
    read = Via.read(first)
    asked = "rport" in read.parameters
    if asked and not read.parameters["rport"]:
        first = re.sub(r"(;[ \t]*rport)[ \t]*=?[ \t]*(?=;|$)", rf"\1={source[1]}", first, count=1, flags=re.IGNORECASE)
    if (asked or _address(read.host) != source[0]) and "received" not in read.parameters:
        first += f";received={source[0]}"
    return first + rest


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def uri_host(address: IPv4Address | IPv6Address) -> str:
    """An address as the host of a URI; a zone (fe80::1%eth0) means something to one machine only and is left out."""
    text = str(address).partition("%")[0]
    return f"[{text}]" if address.version == 6 else text
