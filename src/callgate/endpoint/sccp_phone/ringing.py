"""The calls that ring at a phone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from callgate.endpoint.attempt import printable
from callgate.endpoint.sccp_phone.actions import Action, IncomingCall
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.messages.calls import CallInfoMessage, CallInfoV2Message, CallStateMessage

RINGING_LIMIT: Final = 8
"""Calls that ring, and calls of which the caller is known, at a time."""
LONGEST_CALLER: Final = 40

_STILL_RINGING: Final = frozenset({DCallState.RING_IN, DCallState.CALL_WAITING, DCallState.HOLD})
"""chan_skinny says "hold" for any state that is set a second time."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call that may be answered."""

    line: int
    reference: int
    caller: str = ""
    """The number that the server showed; printable ASCII."""


class RingingCalls:
    """Follows which calls ring, and who calls."""

    def __init__(self) -> None:
        self.calls: dict[tuple[int, int], Ringing] = {}
        """By line and reference, the oldest first."""
        self._callers: dict[int, str] = {}

    def take_state(self, message: CallStateMessage, *, in_hand: int) -> list[Action]:
        """Follow a call's state; the call with the reference `in_hand` was answered already."""
        line, reference, state = message.line_instance or 0, message.call_reference or 0, message.call_state
        key = line, reference
        if state not in _STILL_RINGING:
            self.calls.pop(key, None)
        known = key in self.calls or reference in (0, in_hand)
        if state != DCallState.RING_IN or known or len(self.calls) >= RINGING_LIMIT:
            return []
        self.calls[key] = Ringing(line, reference, self.caller_of(reference))
        return [IncomingCall(line, reference)]

    def take_caller(self, message: CallInfoMessage | CallInfoV2Message) -> None:
        """The server shows who calls: before the call rings (chan_skinny) or once it does (chan-sccp)."""
        if not message.calling_party or not message.call_reference:
            return
        self._callers.pop(message.call_reference, None)
        self._callers[message.call_reference] = caller = printable(message.calling_party, LONGEST_CALLER)
        if len(self._callers) > RINGING_LIMIT:
            del self._callers[next(iter(self._callers))]
        for key, ringing in self.calls.items():
            if ringing.reference == message.call_reference:
                self.calls[key] = replace(ringing, caller=caller)

    def caller_of(self, reference: int) -> str:
        """Who calls, as shown; empty if not known."""
        return self._callers.get(reference, "")
