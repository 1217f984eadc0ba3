"""SCCP ("Skinny"), sans-IO: bytes in, meaning out; no sockets.

    from callgate.sccp import Decoder, decode, encode
    from callgate.sccp.messages.keys import KeypadButtonMessage

    frame = encode(KeypadButtonMessage(kp_button=5, line_instance=1, call_reference=0))
    assert decode(frame).kp_button == 5

Every message is a frozen class in `callgate.sccp.messages`, its fields in wire order. Strategies for hypothesis are in
`callgate.sccp.strategies`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callgate.sccp.codec import decode, encode
    from callgate.sccp.message import CATALOGUE, AnyMessage, AsSent, Message, Structure, UnknownMessage
    from callgate.sccp.negotiation import Negotiation
    from callgate.sccp.presentation import described, fields_of, labelled, text_of, unexplained_tail
    from callgate.sccp.session import Session
    from callgate.sccp.stream import Decoder, ResynchronisingDecoder
    from callgate.sccp.strict import decode_strict, encode_strict
    from callgate.sccp.values import FieldError

__all__ = (
    "CATALOGUE",
    "AnyMessage",
    "AsSent",
    "Decoder",
    "FieldError",
    "Message",
    "Negotiation",
    "ResynchronisingDecoder",
    "Session",
    "Structure",
    "UnknownMessage",
    "decode",
    "decode_strict",
    "described",
    "encode",
    "encode_strict",
    "fields_of",
    "labelled",
    "text_of",
    "unexplained_tail",
)

_MODULES = {
    "codec": ("decode", "encode"),
    "message": ("CATALOGUE", "AnyMessage", "AsSent", "Message", "Structure", "UnknownMessage"),
    "negotiation": ("Negotiation",),
    "presentation": ("described", "fields_of", "labelled", "text_of", "unexplained_tail"),
    "session": ("Session",),
    "stream": ("Decoder", "ResynchronisingDecoder"),
    "strict": ("decode_strict", "encode_strict"),
    "values": ("FieldError",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import what is asked for: an audit that only frames a keepalive does not load the catalogue."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"callgate.sccp.{_HOME[name]}"), name)
