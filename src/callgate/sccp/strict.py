"""Strict reading and writing: what breaks a rule is refused, with the field, the offset and the rule.

Rules: the body ends with a field and has a length that senders of its id write; what rounds it up to 4 is zero, as is
unused room; counts count what is there; strings fit their field and the sender's buffer.
"""

from __future__ import annotations

from typing import Any

from callgate.sccp.codec import decode, encode
from callgate.sccp.fields import Array, Blob, CountedOctets, CString, LeadingCString
from callgate.sccp.framing import HEADER_BYTES
from callgate.sccp.layout import Leaf, layout
from callgate.sccp.message import AnyMessage, AsSent, Message, UnknownMessage
from callgate.sccp.presentation import form_of
from callgate.sccp.values import FieldError


def decode_strict(frame: bytes, *, negotiated: int = 0) -> AnyMessage:
    """The message that a whole frame holds. FieldError, or ProtocolError for what is no frame, if a rule is broken.

    Unknown ids break no rule: their bodies are kept.
    """
    message = decode(frame, negotiated=negotiated)
    if not isinstance(message, UnknownMessage):
        check(message, len(frame) - HEADER_BYTES)
    return message


def encode_strict(message: AnyMessage) -> bytes:
    """The frame of a message that breaks no rule; FieldError if it does."""
    frame = encode(message)
    if not isinstance(message, UnknownMessage):
        check(message, len(frame) - HEADER_BYTES)
    return frame


def check(message: Message, body_length: int) -> None:
    """Raise FieldError for the first rule that a decoded message breaks."""
    leaves = layout(type(message), form_of(message)).leaves
    for leaf in leaves:
        _check_counts(message, leaf, leaves)
        _check_string(message, leaf)
    if message.as_sent is not None:
        _check_as_sent(message, message.as_sent, leaves, body_length)
    shortest, longest = message.lengths
    if not shortest <= body_length <= longest:
        raise FieldError(message.name, None, f"a body of {body_length} bytes; known ones have {shortest} to {longest}")


def _check_counts(message: Message, leaf: Leaf, leaves: tuple[Leaf, ...]) -> None:
    kind = leaf.node.kind
    if not isinstance(kind, (Array, Blob, CountedOctets)) or kind.count is None:
        return
    owner = _owner(message, leaf)
    count = None if owner is None else getattr(owner, kind.count)
    held = None if owner is None else getattr(owner, leaf.node.attribute)
    if count is None or held is None or count == len(held):
        return
    around = leaf.path[:-1]
    counting = next(one for one in leaves if one.path[:-1] == around and one.node.attribute == kind.count)
    rule = f"counts {count}, there are {len(held)} in {leaf.name}"
    raise FieldError(f"{message.name} {counting.name}", counting.start, rule)


def _check_string(message: Message, leaf: Leaf) -> None:
    if not isinstance(leaf.node.kind, (CString, LeadingCString)):
        return
    owner = _owner(message, leaf)
    string = None if owner is None else getattr(owner, leaf.node.attribute)
    if string is not None and len(string) >= leaf.node.kind.size:
        most = leaf.node.kind.size
        raise FieldError(f"{message.name} {leaf.name}", leaf.start, f"{len(string)} bytes and a NUL exceed {most}")


def _check_as_sent(message: Message, sent: AsSent, leaves: tuple[Leaf, ...], body_length: int) -> None:
    for path, octets in sent.junk:
        start = next(leaf.start for leaf in leaves if leaf.holds(path))
        raise FieldError(f"{message.name} {path}", start, f"{len(octets)} bytes of unused room are not zero")
    if sent.unterminated:
        raise FieldError(message.name, body_length, "the last string has no NUL")
    if sent.tail is not None and not 0 < len(sent.tail) <= message.spare:
        start = body_length - len(sent.tail)
        rule = "the body is not rounded up to 4" if not sent.tail else f"{len(sent.tail)} bytes are behind the fields"
        raise FieldError(message.name, start, rule)


def _owner(message: Message, leaf: Leaf) -> Any:
    owner: Any = message
    for node in leaf.path[:-1]:
        owner = getattr(owner, node.attribute)
        if owner is None:
            return None
    return owner
