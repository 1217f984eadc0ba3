"""Real servers in a session: nothing that they were captured to do is out of order, and what was sent to provoke is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from callgate.errors import ProtocolError
from callgate.records.capture import open_capture
from callgate.records.flow import End, EndReason, Flow, Segment, Tally, conversation_events
from callgate.sccp.codec import decode
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.framing import HEADER_BYTES, unpack_header
from callgate.sccp.message import AnyMessage
from callgate.sccp.session import Role, Rule, Session, Violation
from callgate.sccp.session.registration_states import Registration

CAPTURES = Path(__file__).parents[2] / "data" / "sccp" / "captures"
SERVER_PORT = 2000
SOUND = sorted(path.stem for path in CAPTURES.glob("*.pcap") if path.stem != "skinny-malformed")


def role(flow: Flow) -> Role:
    return Role.SERVER if flow.source.port == SERVER_PORT else Role.PHONE


class Direction:
    """The messages of one direction, up to what is none."""

    def __init__(self) -> None:
        self.rest = b""
        self.sound = True

    def feed(self, data: bytes) -> Iterator[AnyMessage]:
        self.rest += data
        try:
            while self.sound and len(self.rest) >= HEADER_BYTES:
                size = unpack_header(self.rest).message_bytes
                if len(self.rest) < size:
                    return
                frame, self.rest = self.rest[:size], self.rest[size:]
                yield decode(frame)
        except ProtocolError:
            self.sound = False


class Followed(NamedTuple):
    """A TCP connection, once it has ended."""

    session: Session
    registration: Registration
    found: list[Violation]


def followed(capture: str) -> list[Followed]:
    """The sessions of a capture, and all that is out of order in them."""
    sessions: dict[int, tuple[Session, list[Violation]]] = {}
    directions: dict[Flow, Direction] = {}
    cut: set[int] = set()
    for event in conversation_events(open_capture(CAPTURES / f"{capture}.pcap"), Tally()):
        if isinstance(event, Segment):
            session, found = sessions.setdefault(event.flow.conversation, (Session(), []))
            for message in directions.setdefault(event.flow, Direction()).feed(event.data):
                found += session.observe(message, role(event.flow))
        elif isinstance(event, End) and event.reason is EndReason.CAPTURE_END:
            cut.add(event.flow.conversation)
    return [
        Followed(session, session.registration, [*found, *session.finish(whole=conversation not in cut)])
        for conversation, (session, found) in sessions.items()
    ]


@pytest.mark.parametrize("capture", SOUND)
def test_nothing_that_real_servers_do_is_out_of_order(capture: str) -> None:
    sessions = followed(capture)
    assert sessions
    assert [str(violation) for each in sessions for violation in each.found] == []


@pytest.mark.parametrize(
    ("capture", "reference"),
    [("skinny-call600-11", 19), ("skinny-call600-17", 2), ("sccp-call600-11", 1), ("sccp-call600-22", 4)],
)
def test_a_captured_call_is_followed_to_its_end(capture: str, reference: int) -> None:
    ((session, registration, _),) = followed(capture)
    ended = Registration.UNREGISTERED if capture.startswith("sccp") else Registration.UNREGISTERING
    assert (session.device_name, registration) == (b"SEP001122334455", ended)
    call = session.calls[1, reference]
    assert (call.state, call.before, call.hung_up) == (DCallState.ON_HOOK, DCallState.CONNECTED, True)
    assert len(session.calls) == 1
    assert not [channel for channel in session.channels if channel.owed == 0]


def test_captured_registrations_and_probes_end_as_they_did() -> None:
    ends = [each.registration for each in followed("skinny-reg-0-3-11-17-22-25")]
    assert ends.count(Registration.UNREGISTERING) == 6
    assert ends.count(Registration.UNREGISTERED) == len(ends) - 6 == 1
    for probe in ("skinny-probe", "sccp-probe"):
        assert [each.registration for each in followed(probe)] == [Registration.UNREGISTERED] * 3
    (rejected,) = followed("skinny-reject")
    assert (rejected.registration, rejected.session.device_name) == (Registration.REJECTED, b"SEPDEADBEEF0002")


def test_what_was_sent_to_provoke_a_server_is_out_of_order() -> None:
    """Alarms, unknown ids, keepalives, a token request and rejected registrations are in order before a registration,
    whatever their fields; so is UpdateDSCP, which either side may send."""
    sessions = followed("skinny-malformed")
    found = [violation for each in sessions for violation in each.found]
    assert [(violation.rule, violation.message_name) for violation in found] == [
        (Rule.SENDER, "RegisterAckMessage"),
        (Rule.UNREGISTERED, "ButtonTemplateReqMessage"),
        (Rule.UNREGISTERED, "OffHookMessage"),
        (Rule.REGISTRATION, "UnregisterReqMessage"),
        (Rule.UNASKED, "CapabilitiesResMessage"),
        (Rule.UNREGISTERED, "VersionReqMessage"),
        (Rule.UNREGISTERED, "ServerReqMessage"),
        (Rule.UNREGISTERED, "TimeDateReqMessage"),
    ]
    assert {violation.by for violation in found} == {Role.PHONE}
    assert max(len(each.found) for each in sessions) == 1
