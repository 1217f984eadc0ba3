"""RTP packets (RFC 3550, section 5.1), and a tone in G.711 whose every packet can be told from the others. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from callgate.errors import ProtocolError

CLOCK_RATE: Final = 8000
"""Samples a second of G.711, and of its RTP timestamps (RFC 3551, table 4)."""
PCMU: Final = 0
PCMA: Final = 8
MARKED_SAMPLES: Final = 64
"""Samples of each payload whose lowest bit is taken for the mark; 8 ms."""

_HEADER: Final = struct.Struct(">BBHII")
_VERSION: Final = 2
_RTCP: Final = range(72, 77)
"""Payload types that would be RTCP's packet types 200 to 204 (RFC 5761, section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpPacket:
    """One packet. Sequence number and timestamp wrap at 16 and 32 bits."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def pack(self) -> bytes:
        """As sent: no sources, no extension, no padding. ValueError if a field is out of its bounds."""
        if not 0 <= self.payload_type < 128:
            raise ValueError(f"{self.payload_type} is no RTP payload type")
        try:
            header = _HEADER.pack(
                _VERSION << 6, self.marker << 7 | self.payload_type, self.sequence, self.timestamp, self.ssrc
            )
        except struct.error as error:
            raise ValueError(f"an RTP field is out of its bounds: {error}") from None
        return header + self.payload

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read a packet; contributing sources, extension and padding are left out. ProtocolError if it is no RTP."""
        if len(data) < _HEADER.size:
            raise ProtocolError(f"{len(data)} bytes are too few for RTP")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != _VERSION:
            raise ProtocolError(f"RTP version {first >> 6}, not {_VERSION}")
        payload_type = second & 0x7F
        if payload_type in _RTCP:
            raise ProtocolError(f"RTCP packet type {second}")
        begin, end = _HEADER.size + 4 * (first & 0x0F), len(data)
        if first & 0x10:
            if end < begin + 4:
                raise ProtocolError("the RTP extension is cut off")
            begin += 4 + 4 * struct.unpack_from(">H", data, begin + 2)[0]
        if begin > end:
            raise ProtocolError("the RTP header is cut off")
        if first & 0x20:
            padding = data[-1]
            if not 0 < padding <= end - begin:
                raise ProtocolError(f"{padding} bytes of RTP padding in {end - begin}")
            end -= padding
        return cls(
            payload_type=payload_type,
            sequence=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=data[begin:end],
            marker=bool(second & 0x80),
        )


class Tone:
    """1 kHz at -13 dBm0, marked with `key` (32 bits) and each payload's index, so that an echo is recognised.

    The mark stands in the lowest bit of the first 64 samples, one quantizing step that nobody hears.
    """

    def __init__(self, key: int, payload_type: int = PCMU) -> None:
        self.key = key & 0xFFFFFFFF
        self._period = _PERIODS[PCMA if payload_type == PCMA else PCMU]

    def payload(self, index: int, samples: int = 160) -> bytes:
        """The payload of the packet with this index (modulo 2**32); ValueError if it is too short for the mark."""
        if samples < MARKED_SAMPLES:
            raise ValueError(f"{samples} samples have no room for a mark of {MARKED_SAMPLES}")
        tone = bytearray((self._period * (samples // len(self._period) + 1))[:samples])
        mark = self.key << 32 | index & 0xFFFFFFFF
        for position in range(MARKED_SAMPLES):
            tone[position] = tone[position] & 0xFE | mark >> (MARKED_SAMPLES - 1 - position) & 1
        return bytes(tone)

    def index_of(self, payload: bytes) -> int | None:
        """The index of a payload of this tone, unchanged in every byte; None for any other."""
        if len(payload) < MARKED_SAMPLES:
            return None
        mark = 0
        for sample in payload[:MARKED_SAMPLES]:
            mark = mark << 1 | sample & 1
        if mark >> 32 != self.key:
            return None
        index = mark & 0xFFFFFFFF
        return index if payload == self.payload(index, len(payload)) else None


def encode_mu_law(sample: int) -> int:
    """One linear 16-bit sample in mu-law (ITU-T G.711, table 2)."""
    sample >>= 2  # G.711 knows 14 bits
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 8158) + 33
    exponent = magnitude.bit_length() - 6
    return ~(sign | exponent << 4 | magnitude >> (exponent + 1) & 0x0F) & 0xFF


def encode_a_law(sample: int) -> int:
    """One linear 16-bit sample in A-law (ITU-T G.711, table 1)."""
    sign, magnitude = (0, ~sample) if sample < 0 else (0x80, sample)
    magnitude = min(magnitude >> 3, 4095)
    exponent = max(magnitude.bit_length() - 5, 0)
    mantissa = magnitude >> max(exponent, 1) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


def _period(encode: Callable[[int], int]) -> bytes:
    return bytes(encode(round(7000 * math.sin(2 * math.pi * (2 * step + 1) / 16))) for step in range(8))


_PERIODS: Final = {PCMU: _period(encode_mu_law), PCMA: _period(encode_a_law)}
