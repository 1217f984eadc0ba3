"""The profiles of the imitated servers, and frames that tell them apart."""

from __future__ import annotations

import struct

from callgate.sccp import encode
from callgate.sccp.messages.registration import KeepAliveAckMessage

ALL = ("plain", "chan-skinny", "chan-sccp")
ACK = encode(KeepAliveAckMessage())


def header(length: int, message_id: int = 0x20) -> bytes:
    return struct.pack("<III", length, 0, message_id)


def names(messages: list[object]) -> list[str]:
    return [type(message).__name__ for message in messages]
