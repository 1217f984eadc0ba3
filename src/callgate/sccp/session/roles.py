"""The two ends of an SCCP connection, and where a rule of the session model comes from."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """One end of a connection."""

    PHONE = "phone"
    """The end that registers: a phone, but also a media resource."""
    SERVER = "server"
    """The call manager."""

    @property
    def other(self) -> Role:
        """The other end."""
        return Role.SERVER if self is Role.PHONE else Role.PHONE


class Source(Enum):
    """Why a transition is in a table."""

    CAPTURED = "captured from Asterisk 18 chan_skinny or chan-sccp 4.3.5"
    CHAN_SKINNY = "chan_skinny's code sends it"
    CHAN_SCCP = "chan-sccp's code sends it"
    MEANING = "follows from the state's name in Wireshark's catalogue; seen in no capture"
