"""What is out of order in a session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from callgate.sccp.message import Message
from callgate.sccp.session.roles import Role


class Rule(Enum):
    """A rule of the session model; the text completes "this message ..."."""

    SENDER = "is not one that this side sends"
    """Wireshark's catalogue gives each message a direction."""
    REGISTRATION = "does not fit the state of the registration"
    """The table `callgate.sccp.session.registration_states.REGISTRATION`."""
    UNREGISTERED = "needs a registration"
    """Observed: chan_skinny ignores such a message, chan-sccp 4.3.5 closes the connection."""
    CLOSED = "came after the end of the connection"
    KEYPAD = "is a keypad button before any ButtonTemplateReq"
    """Observed: chan-sccp 4.3.5 crashes, and the PBX with it."""
    UNASKED = "answers what was not asked"
    """Only for answers that no known server or phone sends unasked. Captured unasked, hence not judged: TimeDateRes.
    Not judged either: answers that tell of what may change (lines, features, forwards, speed dials, soft key sets)."""
    PARTY_ID = "does not give back the pass-through party id of what it answers"
    """Observed: both servers find the channel by it; it is the call reference in one and counts down in the other."""
    CALL_STATE = "cannot follow the call's last state"
    """The table `callgate.sccp.session.call_states.CALL_STATES`."""
    UNKNOWN_CALL = "names a call that the server has not named, or that ended long ago"
    """Captured: phones give back the reference that CallState gave them, or 0."""
    CALL_OVER = "acts on a call that both sides have ended"
    """By the meaning of OnHook and CallState in Wireshark's catalogue. While only the server has ended the call, the
    phone may not know it yet."""
    ACTION = "does not fit the call's state"
    """The table `callgate.sccp.session.call_states.ACTIONS`."""
    NO_CALL = "is a keypad button without a call to dial for"
    """Captured: OffHook comes first. Observed: chan_skinny ignores a key without a call."""
    MEDIA = "starts media outside a call"
    """Captured: both servers send CallState first, and nothing opens after its ON_HOOK."""
    LEFT_OPEN = "was not followed by one that closes its channel"
    """Captured: both servers close the channels of a call before they put it on hook."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One message that is out of order, or (LEFT_OPEN) the lack of one."""

    rule: Rule
    by: Role
    """Who broke the rule."""
    message_id: int
    message_name: str
    state: str
    """What the registration, call or channel was like before the message: bounded, printable."""
    seen: str
    """What the message said, where its name does not say it all; bounded, printable."""

    def __str__(self) -> str:
        detail = f" ({self.seen})" if self.seen else ""
        return f"{self.by.value}: {self.message_name}{detail} {self.rule.value}: {self.state}"


Found = tuple[Violation, ...]
"""What one message breaks: nothing, as a rule."""


def broken(rule: Rule, message: Message, by: Role, state: str, seen: str = "") -> Found:
    """A message breaks a rule."""
    return (Violation(rule, by, message.id, message.name, state, seen),)
