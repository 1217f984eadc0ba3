"""The states of a registration, as data: what leads from one to the other, and what each lets a phone send.

Sources: captures of Asterisk 18 chan_skinny and chan-sccp 4.3.5 at five protocol versions; the code of both.
"""

# ruff: noqa: S105 - an SCCP token is a permission to register, no secret.
from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Registration(Enum):
    """How far a device is with its registration."""

    UNKNOWN = "unknown"
    """The beginning of the connection, or a part of it, was not seen: everything is let through."""
    UNREGISTERED = "unregistered"
    TOKEN_ASKED = "token asked"
    TOKEN_HELD = "token held"
    REGISTERING = "registering"
    """RegisterReq was sent, and not answered yet."""
    REJECTED = "rejected"
    REGISTERED = "registered"
    RESETTING = "resetting"
    """The server told the device to register anew."""
    UNREGISTERING = "unregistering"
    CLOSED = "closed"
    """The connection has ended."""


class RegistrationEvent(Enum):
    """What moves a registration; each is sent by one side only."""

    TOKEN_REQUEST = "asks for a token"
    TOKEN_GRANT = "grants a token"
    TOKEN_REFUSAL = "refuses a token"
    REGISTER = "registers"
    ACCEPT = "accepts the registration"
    REJECT = "rejects the registration"
    UNREGISTER = "unregisters"
    RELEASE = "confirms the end of the registration"
    RETAIN = "refuses to end the registration"
    RESET = "resets the device"


_S = Registration
_E = RegistrationEvent

REGISTRATION: Final[Mapping[Registration, Mapping[RegistrationEvent, Registration]]] = {
    _S.UNREGISTERED: {
        _E.TOKEN_REQUEST: _S.TOKEN_ASKED,  # chan-sccp's code
        _E.REGISTER: _S.REGISTERING,  # captured
        _E.RESET: _S.UNREGISTERED,  # chan-sccp's code: to devices that it holds for another connection's
    },
    _S.TOKEN_ASKED: {
        _E.TOKEN_GRANT: _S.TOKEN_HELD,  # chan-sccp's code
        _E.TOKEN_REFUSAL: _S.UNREGISTERED,  # chan-sccp's code; the device asks again after the time it is told
        _E.REJECT: _S.REJECTED,  # its meaning: there is no use in another token
        _E.TOKEN_REQUEST: _S.TOKEN_ASKED,  # chan_skinny never answers (captured): a device may ask again,
        _E.REGISTER: _S.REGISTERING,  # ... or do without
        _E.RESET: _S.UNREGISTERED,
    },
    _S.TOKEN_HELD: {
        _E.TOKEN_REQUEST: _S.TOKEN_ASKED,
        _E.REGISTER: _S.REGISTERING,  # chan-sccp's code
        _E.RESET: _S.UNREGISTERED,
    },
    _S.REGISTERING: {
        _E.ACCEPT: _S.REGISTERED,  # captured
        _E.REJECT: _S.REJECTED,  # captured
        _E.RESET: _S.RESETTING,
    },
    _S.REJECTED: {
        _E.TOKEN_REQUEST: _S.TOKEN_ASKED,
        _E.REGISTER: _S.REGISTERING,  # captured: the connection stays open, and another name may be tried
        _E.RESET: _S.REJECTED,
    },
    _S.REGISTERED: {
        _E.UNREGISTER: _S.UNREGISTERING,  # captured
        _E.RESET: _S.RESETTING,
    },
    _S.RESETTING: {
        _E.TOKEN_REQUEST: _S.TOKEN_ASKED,
        _E.REGISTER: _S.REGISTERING,
        _E.UNREGISTER: _S.UNREGISTERING,
        _E.RESET: _S.RESETTING,
    },
    _S.UNREGISTERING: {
        _E.RELEASE: _S.UNREGISTERED,  # captured from chan-sccp; chan_skinny closes without a word
        _E.RETAIN: _S.REGISTERED,  # Wireshark's catalogue: UnregisterAck has the states error and "nak"
        _E.RESET: _S.UNREGISTERING,
    },
    _S.UNKNOWN: {
        _E.TOKEN_REQUEST: _S.TOKEN_ASKED,
        _E.TOKEN_GRANT: _S.TOKEN_HELD,
        _E.TOKEN_REFUSAL: _S.UNREGISTERED,
        _E.REGISTER: _S.REGISTERING,
        _E.ACCEPT: _S.REGISTERED,
        _E.REJECT: _S.REJECTED,
        _E.UNREGISTER: _S.UNREGISTERING,
        _E.RELEASE: _S.UNREGISTERED,
        _E.RETAIN: _S.REGISTERED,
        _E.RESET: _S.UNKNOWN,
    },
    _S.CLOSED: {},
}
"""What leads from one state to another. An event that a state does not list is out of order there."""

AFTER_BREACH: Final[Mapping[RegistrationEvent, Registration]] = {
    _E.REGISTER: _S.REGISTERING,
    _E.ACCEPT: _S.REGISTERED,
    _E.REJECT: _S.REJECTED,
    _E.UNREGISTER: _S.UNREGISTERING,
    _E.RELEASE: _S.UNREGISTERED,
}
"""The state after an event that was out of order, so that one breach is not told with every message that follows.
An event that is not listed changes nothing; nor does any event once the connection is closed."""


class Need(Enum):
    """What a message needs of the registration."""

    NOTHING = "nothing"
    """Keepalives, alarms, registration itself: sent at any time."""
    ANSWER = "a question"
    """Answers: judged by what they answer."""
    SERVICE = "a phone"
    """What a server shows and tells. Captured from chan_skinny: lamps before RegisterAck; a phone must take it."""
    ANNOUNCEMENT = "an attempt to register"
    """What a device says of itself unasked: it may follow RegisterReq at once, without waiting for the answer."""
    CALL = "an attempt of the phone to register"
    """A server's call states and media: no server sends them to a device that has not asked to register."""
    REQUEST = "a registration"
    """What a phone asks and what its user does. Observed before RegisterAck: chan_skinny ignores it, chan-sccp
    closes the connection."""


_ALWAYS = frozenset({Need.NOTHING, Need.ANSWER, Need.SERVICE})
_ATTEMPT = _ALWAYS | {Need.ANNOUNCEMENT, Need.CALL}

MAY_SEND: Final[Mapping[Registration, frozenset[Need]]] = {
    _S.UNREGISTERED: _ALWAYS,
    _S.TOKEN_ASKED: _ALWAYS,
    _S.TOKEN_HELD: _ALWAYS,
    _S.REJECTED: _ALWAYS,
    _S.REGISTERING: _ATTEMPT,
    _S.UNREGISTERING: _ATTEMPT,  # what was under way
    _S.REGISTERED: frozenset(Need),
    _S.RESETTING: frozenset(Need),  # the reset may still be under way
    _S.UNKNOWN: frozenset(Need),
    _S.CLOSED: frozenset(),
}
"""What may be sent in a state."""
