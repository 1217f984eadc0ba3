"""The calls of a session, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from callgate.sccp.enums.calls import DCallState
from callgate.sccp.session.call_states import ACTIONS, CALL_STATES, OVER, WAITING, Action

CALLS_LIMIT: Final = 64
"""Calls remembered of a session, ended ones included: more than any phone shows at once."""

CallKey = tuple[int, int]
"""Line instance and call reference."""


@dataclass(slots=True)
class Call:
    """One call as the phone knows it."""

    line_instance: int
    call_reference: int
    state: int = DCallState.IDLE
    """A `DCallState`, or the number a server sent that is none."""
    before: int = DCallState.IDLE
    """The state before, which the phone may still act by."""
    hung_up: bool = False
    """The phone hung up since the server last said that the call goes on."""

    @property
    def live(self) -> bool:
        """Whether the server has not ended it."""
        return self.state != OVER

    def may_become(self, state: int) -> bool:
        """Whether the server may say that state now."""
        legal = CALL_STATES.get(DCallState(self.state)) if is_state(self.state) else None
        return legal is None or not is_state(state) or state in legal

    def hang_up(self) -> None:
        """The phone hung up. A call that waits goes on then: a handset is put down while another call is held."""
        self.hung_up = self.hung_up or self.state not in WAITING

    def become(self, state: int) -> None:
        """The server said a state."""
        if state != self.state:
            self.before, self.state = self.state, state
        if state != OVER:
            self.hung_up = False

    def permits(self, action: Action) -> bool:
        """Whether the phone may do that, going by this state or the one before."""
        return any(not is_state(state) or action in ACTIONS[DCallState(state)] for state in (self.state, self.before))

    def __str__(self) -> str:
        return f"call {self.call_reference} of line {self.line_instance} is {state_name(self.state)}"


def is_state(state: int) -> bool:
    """Whether a number is a call state that the tables know."""
    return state in CALL_STATES


def state_name(state: int) -> str:
    """A call state in words."""
    return DCallState(state).name.lower().replace("_", " ") if is_state(state) else f"in state {state}"


class Calls:
    """The calls of a session; the oldest one is forgotten, first of those that have ended, when there are too many."""

    def __init__(self) -> None:
        self.forgotten = 0
        """Calls that are remembered no more."""
        self.forgotten_live = 0
        """Those among them that had not ended."""
        self._calls: dict[CallKey, Call] = {}

    @property
    def known(self) -> Mapping[CallKey, Call]:
        """Every call by line instance and call reference, in the order they began."""
        return MappingProxyType(self._calls)

    def find(self, line: int, reference: int) -> Call | None:
        """The call with a reference: on the line if it is there, else the newest on any, a live one first."""
        call = self._calls.get((line, reference))
        if call is not None:
            return call
        found = None
        for call in self._calls.values():
            if call.call_reference == reference and (found is None or call.live or not found.live):
                found = call
        return found

    def active(self, line: int = 0) -> Call | None:
        """The newest call that the user has in hand, on a line or (0) on any."""
        for call in reversed(self._calls.values()):
            if call.live and call.state not in WAITING and line in (0, call.line_instance):
                return call
        return None

    def any_live(self) -> bool:
        """Whether a call goes on."""
        return any(call.live for call in self._calls.values())

    def begin(self, line: int, reference: int) -> Call:
        """A call that the server names for the first time."""
        if len(self._calls) >= CALLS_LIMIT:
            oldest = next((key for key, call in self._calls.items() if not call.live), next(iter(self._calls)))
            self.forgotten_live += self._calls.pop(oldest).live
            self.forgotten += 1
        call = self._calls[line, reference] = Call(line, reference)
        return call

    def clear(self) -> None:
        """Nothing is known of any call."""
        self._calls.clear()
