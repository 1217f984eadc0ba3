"""The protocol version two ends agree on, as their registration tells it."""

from __future__ import annotations

from typing import Final

from callgate.sccp.forms import clamped
from callgate.sccp.message import AnyMessage, Message
from callgate.sccp.messages.registration import (
    KeepAliveAckMessage,
    RegisterAckMessage,
    RegisterRejectMessage,
    RegisterReqMessage,
    UnregisterAckMessage,
)

FIRST_IN_HEADER: Final = 10
"""The header names the version from here on; below, it says 0."""

TELLING: Final = frozenset({RegisterReqMessage, RegisterAckMessage, RegisterRejectMessage, UnregisterAckMessage})
"""The messages that change what is negotiated."""

UNVERSIONED: Final = frozenset({RegisterReqMessage, RegisterAckMessage, KeepAliveAckMessage, UnregisterAckMessage})
"""The messages whose header says 0 whatever was negotiated (observed on chan-sccp and CUCM)."""


class Negotiation:
    """The protocol version of one connection; both directions' decoders share it.

    The phone offers its highest version in RegisterReq, the server answers with its own in RegisterAck; the lower one
    holds. Messages too short to tell a version mean 0. Versions above the newest in use are clamped to it.
    """

    def __init__(self) -> None:
        self.offered: int | None = None
        """What the phone offered, as sent; None before a RegisterReq."""
        self.version = 0
        """What holds: 0 to 22."""

    def observe(self, message: AnyMessage) -> None:
        """Follow a message of either direction."""
        if isinstance(message, RegisterReqMessage):
            self.offered = message.protocol_ver or 0
            self.version = 0
        elif isinstance(message, RegisterAckMessage):
            own = clamped(message.max_protocol_ver or 0)
            self.version = own if self.offered is None else min(own, clamped(self.offered))
        elif isinstance(message, (RegisterRejectMessage, UnregisterAckMessage)):
            self.offered = None
            self.version = 0


def header_version(cls: type[Message], negotiated: int) -> int:
    """What the header of such a message says on a connection with that version."""
    if cls in UNVERSIONED or negotiated < FIRST_IN_HEADER:
        return 0
    return clamped(negotiated)
