"""The states of a call, as data: which CallState may follow which, and what a phone may do in each.

A call begins as IDLE, which is how a reference stands that no CallState has named yet. Every other state is what the
server said last. Transitions are wide where servers are loose; what no server does and no meaning gives is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from callgate.sccp.enums.calls import DCallState
from callgate.sccp.session.roles import Source

_S = DCallState
_CAPTURED = Source.CAPTURED
_SKINNY = Source.CHAN_SKINNY
_SCCP = Source.CHAN_SCCP
_MEANING = Source.MEANING

CALL_STATES: Final[Mapping[DCallState, Mapping[DCallState, Source]]] = {
    _S.IDLE: {
        _S.OFF_HOOK: _CAPTURED,
        _S.RING_IN: _CAPTURED,
        _S.ON_HOOK: _SCCP,  # another phone of a shared line hung up
        _S.CONNECTED: _SCCP,  # answered elsewhere: sent so that the phone lists no missed call
        _S.HOLD: _SCCP,  # held by another phone of a shared line
        _S.CALL_REMOTE_MULTILINE: _SCCP,
        _S.CALL_WAITING: _MEANING,
        _S.IDLE: _MEANING,
    },
    _S.OFF_HOOK: {
        _S.OFF_HOOK: _CAPTURED,  # chan_skinny repeats it once the number is complete
        _S.PROCEED: _CAPTURED,
        _S.CONNECTED: _CAPTURED,
        _S.RING_OUT: _SKINNY,
        _S.RING_IN: _SCCP,  # the user picks up another phone's call
        _S.BUSY: _SKINNY,
        _S.CONGESTION: _SKINNY,
        _S.INVALID_NUMBER: _MEANING,
        _S.HOLD: _SKINNY,  # sent, wrongly, for any state that is set a second time
        _S.ON_HOOK: _SKINNY,
    },
    _S.PROCEED: {
        _S.PROCEED: _SCCP,
        _S.RING_OUT: _SCCP,
        _S.RING_IN: _SCCP,
        _S.CONNECTED: _CAPTURED,
        _S.BUSY: _SKINNY,
        _S.CONGESTION: _SKINNY,
        _S.INVALID_NUMBER: _MEANING,
        _S.HOLD: _SKINNY,
        _S.ON_HOOK: _SKINNY,
    },
    _S.RING_OUT: {
        _S.RING_OUT: _SCCP,
        _S.PROCEED: _SCCP,
        _S.CONNECTED: _SKINNY,
        _S.BUSY: _SKINNY,
        _S.CONGESTION: _SKINNY,
        _S.HOLD: _SKINNY,
        _S.ON_HOOK: _SKINNY,
    },
    _S.RING_IN: {
        _S.RING_IN: _SCCP,
        _S.CALL_WAITING: _SKINNY,
        _S.OFF_HOOK: _MEANING,
        _S.CONNECTED: _SKINNY,
        _S.PROCEED: _SCCP,  # sent on to a mailbox
        _S.CALL_REMOTE_MULTILINE: _SCCP,  # answered on another phone of the line
        _S.HOLD: _SKINNY,
        _S.ON_HOOK: _SKINNY,
    },
    _S.CALL_WAITING: {
        _S.CALL_WAITING: _MEANING,
        _S.RING_IN: _SKINNY,
        _S.OFF_HOOK: _MEANING,
        _S.CONNECTED: _SKINNY,
        _S.CALL_REMOTE_MULTILINE: _MEANING,
        _S.HOLD: _SKINNY,
        _S.ON_HOOK: _SKINNY,
    },
    _S.CONNECTED: {
        _S.CONNECTED: _SKINNY,
        _S.HOLD: _SKINNY,
        _S.REMOTE_HOLD: _MEANING,
        _S.CALL_TRANSFER: _SCCP,
        _S.CALL_PARK: _SCCP,
        _S.CALL_REMOTE_MULTILINE: _SCCP,
        _S.RING_OUT: _MEANING,  # transferred to a phone that rings
        _S.WHISPER: _MEANING,
        _S.ON_HOOK: _CAPTURED,
    },
    _S.HOLD: {
        _S.HOLD: _SKINNY,
        _S.CONNECTED: _SKINNY,
        _S.RING_OUT: _SKINNY,  # this and the next two: HOLD was sent wrongly before
        _S.BUSY: _SKINNY,
        _S.CONGESTION: _SKINNY,
        _S.HOLD_REVERT: _MEANING,
        _S.CALL_TRANSFER: _SCCP,
        _S.CALL_PARK: _MEANING,
        _S.CALL_REMOTE_MULTILINE: _SCCP,  # taken back on another phone of the line
        _S.ON_HOOK: _SKINNY,
    },
    _S.HOLD_REVERT: {_S.HOLD: _MEANING, _S.CONNECTED: _MEANING, _S.ON_HOOK: _MEANING},
    _S.REMOTE_HOLD: {_S.CONNECTED: _MEANING, _S.HOLD: _MEANING, _S.ON_HOOK: _MEANING},
    _S.WHISPER: {_S.CONNECTED: _MEANING, _S.ON_HOOK: _MEANING},
    _S.CALL_TRANSFER: {_S.CALL_TRANSFER: _SCCP, _S.CONNECTED: _SCCP, _S.HOLD: _SCCP, _S.ON_HOOK: _SCCP},
    _S.CALL_PARK: {_S.CONNECTED: _MEANING, _S.HOLD: _MEANING, _S.ON_HOOK: _SCCP},
    _S.CALL_REMOTE_MULTILINE: {
        _S.CALL_REMOTE_MULTILINE: _SKINNY,
        _S.CONNECTED: _SCCP,
        _S.HOLD: _SCCP,
        _S.ON_HOOK: _SCCP,
    },
    _S.BUSY: {_S.BUSY: _MEANING, _S.HOLD: _SKINNY, _S.ON_HOOK: _SKINNY},
    _S.CONGESTION: {_S.CONGESTION: _MEANING, _S.HOLD: _SKINNY, _S.ON_HOOK: _SKINNY},
    _S.INVALID_NUMBER: {_S.ON_HOOK: _MEANING},
    _S.ON_HOOK: {
        _S.ON_HOOK: _SCCP,
        _S.IDLE: _MEANING,
        _S.OFF_HOOK: _MEANING,  # this and the next two: the reference is used again
        _S.RING_IN: _MEANING,
        _S.CALL_REMOTE_MULTILINE: _MEANING,
    },
}
"""What may follow a CallState, and why. MAX_STATE counts the states and is none; from and to a value that is not
listed here, everything is let through."""


class Action(Enum):
    """What the user of a phone does to a call that the phone names."""

    LIFT = "goes off hook"
    DIAL = "presses a key of the keypad"
    ANSWER = "presses Answer"
    HOLD = "presses Hold"
    RESUME = "presses Resume"
    OTHER_KEY = "presses another soft key"


_ANY = frozenset({Action.LIFT, Action.OTHER_KEY})
_DIALLED = _ANY | {Action.DIAL}

ACTIONS: Final[Mapping[DCallState, frozenset[Action]]] = {
    _S.IDLE: _ANY,
    _S.OFF_HOOK: _DIALLED,
    _S.PROCEED: _DIALLED,
    _S.RING_OUT: _DIALLED,
    _S.BUSY: _DIALLED,
    _S.CONGESTION: _DIALLED,
    _S.INVALID_NUMBER: _DIALLED,
    _S.RING_IN: _ANY | {Action.ANSWER},  # observed on both servers: the called phone answers with OffHook
    _S.CALL_WAITING: _ANY | {Action.ANSWER},
    _S.CONNECTED: _DIALLED | {Action.HOLD},
    _S.HOLD: frozenset(Action),  # chan_skinny also sends it for calls in another state
    _S.HOLD_REVERT: _ANY | {Action.RESUME, Action.ANSWER},
    _S.REMOTE_HOLD: _DIALLED | {Action.HOLD},
    _S.WHISPER: _DIALLED | {Action.HOLD},
    _S.CALL_TRANSFER: _DIALLED | {Action.HOLD, Action.RESUME},
    _S.CALL_PARK: _DIALLED | {Action.RESUME},
    _S.CALL_REMOTE_MULTILINE: _ANY | {Action.RESUME},  # another phone's call: it may be barged into or taken over
    _S.ON_HOOK: frozenset(),
}
"""What a phone may do to a call by its state (the meaning of the states in Wireshark's catalogue, except where a
comment says otherwise). Hanging up is always possible. A phone may not have seen the newest state yet, so what the
state before allowed is let through too."""

OVER: Final = DCallState.ON_HOOK
"""The state of a call that has ended: no channel opens in it."""
WAITING: Final = frozenset(
    {_S.RING_IN, _S.CALL_WAITING, _S.HOLD, _S.HOLD_REVERT, _S.CALL_REMOTE_MULTILINE, _S.CALL_PARK, _S.IDLE}
)
"""States of calls that the user does not have in hand: a message that names no call means another one."""
