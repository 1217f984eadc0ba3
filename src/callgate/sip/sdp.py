"""Session descriptions (RFC 4566) as offer and answer (RFC 3264) for one audio stream, G.711.

Offers are PCMU and PCMA. What a peer sends is read leniently: a line this phone has no use for is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Final

from callgate.errors import ProtocolError
from callgate.sip.fields import shown

MAXIMUM_BYTES: Final = 16384
MAXIMUM_STREAMS: Final = 32
MAXIMUM_FORMATS: Final = 64

CODECS: Final[Mapping[int, str]] = MappingProxyType({0: "PCMU", 8: "PCMA"})
"""What is offered and accepted: payload type and name (RFC 3551, section 6)."""
_MEDIA: Final = re.compile(r"([^\s/]+) ([0-9]{1,5})(?:/[0-9]{1,3})? (\S+)((?: \S+)*)")
_RTPMAP: Final = re.compile(r"rtpmap: ?([0-9]{1,3}) ([^\s/]{1,40})/([0-9]{1,6})(?:/[0-9]+)?", re.IGNORECASE)
_PTIME: Final = re.compile(r"ptime: ?([0-9]{1,3})(?:\.0*)?", re.IGNORECASE)


class Direction(StrEnum):
    """Who sends, as the describing side sees it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def reversed(self) -> Direction:
        """The same as the other side sees it, and the most it may answer."""
        return {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}.get(self, self)

    @property
    def sends(self) -> bool:
        """Whether the describing side sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the describing side receives."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """The first audio stream of a description."""

    address: IPv4Address | IPv6Address | None
    """Where it wants to receive; None if that is not an address (a name, or nothing)."""
    port: int
    """0: the stream is refused (RFC 3264, section 6)."""
    protocol: str
    """`RTP/AVP`, `RTP/SAVP` ..."""
    formats: tuple[int, ...]
    """Payload types in order of preference."""
    direction: Direction = Direction.SENDRECV
    names: Mapping[int, str] = field(default_factory=dict)
    """From rtpmap, in upper case: `PCMU/8000`."""
    packet_milliseconds: int | None = None
    """From ptime."""

    @property
    def payload_type(self) -> int | None:
        """The first format that is G.711 and is called so, or not called at all; None if there is none."""
        for number in self.formats:
            if number in CODECS and self.names.get(number, f"{CODECS[number]}/8000") == f"{CODECS[number]}/8000":
                return number
        return None


@dataclass(frozen=True, slots=True)
class Description:
    """What was read of a session description."""

    streams: tuple[str, ...]
    """The m= lines' values, in order: an answer must have one for each."""
    audio: Audio | None
    """The first audio stream over RTP; None if there is none."""
    audio_index: int = 0
    """Its place in `streams`."""


def offer(address: IPv4Address | IPv6Address, port: int, session: int) -> bytes:
    """An offer of one audio stream to `address` and `port`, both ways; `session` is its number."""
    return _written(address, session, (_stream(port, tuple(CODECS), Direction.SENDRECV),))


def answer(offered: Description, address: IPv4Address | IPv6Address, port: int, session: int) -> bytes | None:
    """The answer to an offer: its audio stream accepted, all others refused; None if there is nothing to accept."""
    audio = offered.audio
    if audio is None or audio.payload_type is None or not audio.port or audio.protocol.upper() != "RTP/AVP":
        return None
    accepted = _stream(port, (audio.payload_type,), audio.direction.reversed)
    streams = [
        accepted if index == offered.audio_index else (_refused(media),) for index, media in enumerate(offered.streams)
    ]
    return _written(address, session, tuple(streams))


def read_description(body: bytes) -> Description:
    """Read a session description; ProtocolError if it is none or over the bounds."""
    if len(body) > MAXIMUM_BYTES:
        raise ProtocolError(f"the session description has more than {MAXIMUM_BYTES} bytes")
    lines = [line.rstrip(" \t") for line in re.split(r"\r\n|\n|\r", body.decode("utf-8", "backslashreplace"))]
    if not lines or not lines[0].startswith("v="):
        raise ProtocolError(f"not a session description: it begins {shown(lines[0])!r}")
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
            if len(sections) > MAXIMUM_STREAMS + 1:
                raise ProtocolError(f"the session description has more than {MAXIMUM_STREAMS} streams")
        sections[-1].append(line)
    session, *media = sections
    streams = tuple(section[0][2:] for section in media)
    for index, section in enumerate(media):
        if streams[index].lower().startswith("audio "):
            return Description(streams, _audio(session, section), index)
    return Description(streams, None)


def _audio(session: list[str], section: list[str]) -> Audio:
    media = _MEDIA.fullmatch(section[0][2:])
    if media is None or int(media[2]) > 65535:
        raise ProtocolError(f"an m= line is not valid: {shown(section[0])}")
    formats = media[4].split()
    if len(formats) > MAXIMUM_FORMATS:
        raise ProtocolError(f"an m= line has more than {MAXIMUM_FORMATS} formats")
    names: dict[int, str] = {}
    packet = None
    for line in section:
        if mapped := _RTPMAP.fullmatch(line[2:]):
            names.setdefault(int(mapped[1]), f"{mapped[2].upper()}/{int(mapped[3])}")
        elif paced := _PTIME.fullmatch(line[2:]):
            packet = int(paced[1]) or None
    return Audio(
        address=_address(section) or _address(session),
        port=int(media[2]),
        protocol=media[3],
        formats=tuple(int(number) for number in formats if re.fullmatch(r"[0-9]{1,3}", number) and int(number) < 128),
        direction=_direction(section) or _direction(session) or Direction.SENDRECV,
        names=names,
        packet_milliseconds=packet,
    )


def _address(lines: list[str]) -> IPv4Address | IPv6Address | None:
    for line in lines:
        if line.startswith("c="):
            words = line[2:].split()
            try:
                return ip_address(words[2].partition("/")[0])
            except (IndexError, ValueError):
                return None
    return None


def _direction(lines: list[str]) -> Direction | None:
    for line in lines:
        if line.startswith("a=") and line[2:].strip().lower() in list(Direction):
            return Direction(line[2:].strip().lower())
    return None


def _stream(port: int, formats: tuple[int, ...], direction: Direction) -> tuple[str, ...]:
    media = " ".join(map(str, (f"m=audio {port} RTP/AVP", *formats)))
    return (media, *(f"a=rtpmap:{number} {CODECS[number]}/8000" for number in formats), "a=ptime:20", f"a={direction}")


def _refused(media: str) -> str:
    """An m= line of the offer with port 0; a word at a time, so that nothing else of the peer's is sent back."""
    words = [*media.split(), "", "", ""]
    kind, protocol = words[0], words[2]
    numbers = [word for word in words[3:] if re.fullmatch(r"[A-Za-z0-9_.-]{1,20}", word)][:MAXIMUM_FORMATS]
    kind = kind if re.fullmatch(r"[A-Za-z0-9.-]{1,20}", kind) else "audio"
    protocol = protocol if re.fullmatch(r"[A-Za-z0-9/.-]{1,20}", protocol) else "RTP/AVP"
    return f"m={kind} 0 {protocol} {' '.join(numbers) or '0'}"


def _written(address: IPv4Address | IPv6Address, session: int, streams: tuple[tuple[str, ...], ...]) -> bytes:
    where = f"IN IP{address.version} {str(address).partition('%')[0]}"
    lines = ["v=0", f"o=callgate {session} {session} {where}", "s=-", f"c={where}", "t=0 0"]
    for stream in streams:
        lines += stream
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
