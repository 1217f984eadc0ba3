"""The bytes of a capture, piece by piece, decompressed where they are gzip's."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from callgate.errors import CaptureError

CHUNK: Final = 65_536
"""Bytes read, or decompressed, at a time."""

GZIP_MAGIC: Final = b"\x1f\x8b"


class Source:
    """A window on a stream of bytes that moves forward only.

    `buffer` is the window, `base` how many bytes lie before it. What ends the stream early (a read error,
    damaged gzip data) is kept in `damage`, so that a reader first takes what is good.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.buffer = b""
        self.base = 0
        self.damage: str | None = None
        self._chunks = _chunks(stream)
        if self.more(0, len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
            self._chunks = _inflated(_after(self.buffer, self._chunks))
            self.buffer = b""

    def more(self, at: int, needed: int) -> bytes:
        """Move the window to `at`; it then holds `needed` bytes or more, or all that is left."""
        self.base += at
        parts = [self.buffer[at:]]
        held = len(parts[0])
        while held < needed and (chunk := self._next()):
            parts.append(chunk)
            held += len(chunk)
        self.buffer = b"".join(parts)
        return self.buffer

    def skip(self, at: int, count: int) -> bytes:
        """Move the window to `at + count`, without holding what is passed over; shorter streams end there."""
        end = at + count
        while end > len(self.buffer):
            end -= len(self.buffer)
            self.base += len(self.buffer)
            self.buffer = self._next()
            if not self.buffer:
                raise self.cut("the capture ends inside a block")
        return self.more(end, 0)

    def cut(self, reason: str) -> CaptureError:
        """The error for a stream that ends where it should not."""
        return CaptureError(self.damage or reason, self.base + len(self.buffer))

    def _next(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except CaptureError as error:
            self.damage = error.reason
            return b""


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(CHUNK)
        except OSError as error:
            raise CaptureError(f"the capture cannot be read: {error.strerror or error}") from error
        if not chunk:
            return
        yield chunk


def _after(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The members of a gzip file (RFC 1952), zero bytes between and behind them passed over.

    At most CHUNK bytes come at a time, however well the data was compressed.
    """
    member = None
    for chunk in chunks:
        rest = chunk
        while True:
            if member is None:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                member = zlib.decompressobj(wbits=31)
            try:
                inflated = member.decompress(rest, CHUNK)
            except zlib.error as error:
                raise CaptureError(f"the capture's gzip data is damaged: {error}") from error
            if inflated:
                yield inflated
            if member.eof:
                rest, member = member.unused_data, None
                continue
            rest = member.unconsumed_tail
            if not rest and len(inflated) < CHUNK:
                break
    if member is not None:
        raise CaptureError("the capture's gzip data is cut short")
