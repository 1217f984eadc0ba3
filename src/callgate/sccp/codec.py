"""SCCP messages from bytes and to bytes.

`decode` is faithful: it keeps what a sender left in unused room, so that `encode(decode(frame)) == frame` for every
frame. `callgate.sccp.strict` refuses what breaks a rule.
"""

from __future__ import annotations

import struct
from typing import Final

from callgate.errors import ProtocolError
from callgate.sccp import messages as _catalogue  # noqa: F401 - the classes enter the catalogue by being imported
from callgate.sccp.compiled import (
    Extent,
    Read,
    WriteFrame,
    body_writer,
    extent,
    frame_writer,
    leaves_in,
    leaves_of,
    reader,
)
from callgate.sccp.explain import explain
from callgate.sccp.forms import clamped, form_of_body, form_of_length, layout_of, told_by_body, usual_form
from callgate.sccp.framing import HEADER, HEADER_BYTES, MAXIMUM_LENGTH, MINIMUM_LENGTH, UNCOUNTED_BYTES
from callgate.sccp.message import CATALOGUE, LENGTH_VARIANTS, AnyMessage, AsSent, Message, UnknownMessage
from callgate.sccp.negotiation import TELLING
from callgate.sccp.values import FieldError

Reading = tuple[int, Read, int, int, int | None, bool]
"""How the message behind a header is read: the bytes of the message, the function, what the function takes after the
buffer and the start of the body (the body's length, the header version, the form if it is not the usual one), and
whether the message changes what version is negotiated."""

_REMEMBERED: Final = 4096
"""Headers whose reading is remembered; a peer that sends ever new ones makes it start again."""

_readings: dict[int, dict[bytes, Reading]] = {}


def class_of(message_id: int, body_length: int) -> type[Message] | None:
    """The class of a message; None for an id that no source knows."""
    return LENGTH_VARIANTS.get((message_id, body_length)) or CATALOGUE.get(message_id)


def readings(negotiated: int = 0) -> dict[bytes, Reading]:
    """What is remembered of headers, for one negotiated version."""
    return _readings.setdefault(clamped(negotiated), {})


def reading(header: bytes, negotiated: int = 0) -> Reading:
    """How the message behind a header is read. ProtocolError if its length cannot be."""
    remembered = readings(negotiated)
    found = remembered.get(header)
    if found is None:
        found = _make_reading(header, clamped(negotiated))
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        remembered[header] = found
    return found


def _make_reading(header: bytes, negotiated: int) -> Reading:
    length, header_version, message_id = HEADER.unpack(header)
    if not MINIMUM_LENGTH <= length <= MAXIMUM_LENGTH:
        raise ProtocolError(f"SCCP length {length} is not in {MINIMUM_LENGTH}..{MAXIMUM_LENGTH}")
    body_length = length - MINIMUM_LENGTH
    cls = class_of(message_id, body_length)
    version = clamped(header_version) if header_version else negotiated
    form = None
    if cls is None:
        read = _unknown(message_id)
    elif told_by_body(cls):
        read = _told_by_body(cls, version)
    else:
        form = form_of_length(cls, body_length, header_version, version)
        read = reader(cls, form, leaves_in(layout_of(cls, form), body_length))
        form = _unusual(cls, form, header_version)
    return length + UNCOUNTED_BYTES, read, body_length, header_version, form, cls in TELLING


def _unusual(cls: type[Message], form: int, header_version: int) -> int | None:
    return None if form == usual_form(cls, clamped(header_version)) else form


def _unknown(message_id: int) -> Read:
    def read(buffer: bytes, start: int, length: int, version: int, _form: int | None) -> AnyMessage:
        return UnknownMessage(message_id, buffer[start : start + length], version)

    return read


def _told_by_body(cls: type[Message], negotiated: int) -> Read:
    def read(buffer: bytes, start: int, length: int, version: int, _form: int | None) -> AnyMessage:
        form = form_of_body(cls, buffer[start : start + length], negotiated)
        read = reader(cls, form, leaves_of(layout_of(cls, form), buffer[start : start + length]))
        return read(buffer, start, length, version, _unusual(cls, form, version))

    return read


def decode(frame: bytes, *, negotiated: int = 0) -> AnyMessage:
    """The message that a whole frame holds, header included.

    `negotiated` is the protocol version of the connection, 0 if not known: it tells the form of messages whose header
    says 0 where their length does not. ProtocolError if the bytes are not one frame.
    """
    frame = bytes(frame)
    if len(frame) < HEADER_BYTES:
        raise ProtocolError(f"an SCCP header takes {HEADER_BYTES} bytes, {len(frame)} are there")
    total, read, length, version, form, _ = reading(frame[:HEADER_BYTES], negotiated)
    if len(frame) != total:
        raise ProtocolError(f"the SCCP header announces {total} bytes, {len(frame)} are there")
    return read(frame, HEADER_BYTES, length, version, form)


class _Writers(dict[int, WriteFrame]):
    """The functions that write a class in one form, by the number of leaves there are; made when first asked for."""

    def __init__(self, cls: type[Message], form: int) -> None:
        super().__init__()
        self._cls = cls
        self._form = form

    def __missing__(self, count: int) -> WriteFrame:
        self[count] = frame_writer(self._cls, self._form, count)
        return self[count]


_plans: dict[tuple[type[Message], int], tuple[Extent, _Writers]] = {}


def _plan(cls: type[Message], header_version: int) -> tuple[Extent, _Writers]:
    form = usual_form(cls, clamped(header_version))
    plan = extent(cls, form), _Writers(cls, form)
    if header_version == clamped(header_version):
        _plans[cls, header_version] = plan
    return plan


def encode(message: AnyMessage) -> bytes:
    """The frame of a message: header, fields, zeros up to a multiple of 4; for a decoded one, the bytes it came from.

    Send it in one write. FieldError if a field does not fit its place.
    """
    if isinstance(message, UnknownMessage):
        return _encode_unknown(message)
    try:
        version = message.header_version
        if message.as_sent is not None:
            return _encode_as_sent(message, message.as_sent)
        count_leaves, writers = _plans.get((message.__class__, version)) or _plan(message.__class__, version)
        return writers[count_leaves(message)](message)
    except (FieldError, struct.error, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
        raise explain(message, error) from None


def _encode_as_sent(message: Message, sent: AsSent) -> bytes:
    cls = message.__class__
    form = usual_form(cls, clamped(message.header_version)) if sent.form is None else sent.form
    write = body_writer(cls, form, extent(cls, form)(message))
    body = write(message, dict(sent.junk), sent.room, sent.unterminated)
    body += bytes(-len(body) % 4) if sent.tail is None else sent.tail
    return HEADER.pack(MINIMUM_LENGTH + len(body), message.header_version, cls.id) + body


def _encode_unknown(message: UnknownMessage) -> bytes:
    try:
        header = HEADER.pack(MINIMUM_LENGTH + len(message.body), message.header_version, message.message_id)
    except (struct.error, TypeError) as error:
        raise ProtocolError(f"SCCP header: {error}") from None
    return header + bytes(message.body)
