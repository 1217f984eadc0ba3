"""The captured connections of real servers, each as whole frames in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from callgate.records.capture import open_capture
from callgate.records.flow import Segment, Tally, conversation_events
from callgate.sccp import AnyMessage, Message, Negotiation, decode
from callgate.sccp.framing import HEADER_BYTES, unpack_header
from callgate.sccp.session import Role

CAPTURES = Path(__file__).parents[2] / "data" / "sccp" / "captures"
PORT = 2000


@dataclass
class Captured:
    """One connection: who sent which frame."""

    frames: list[tuple[Role, bytes]] = field(default_factory=list)
    negotiation: Negotiation = field(default_factory=Negotiation)

    @property
    def messages(self) -> list[tuple[Role, AnyMessage]]:
        negotiation, found = Negotiation(), []
        for role, frame in self.frames:
            message = decode(frame, negotiated=negotiation.version)
            negotiation.observe(message)
            found.append((role, message))
        return found


def connections(name: str) -> list[Captured]:
    """The connections of a capture on which a phone registered, in order."""
    found: dict[int, Captured] = {}
    rests: dict[object, bytes] = {}
    for event in conversation_events(open_capture(CAPTURES / f"{name}.pcap"), Tally()):
        if not isinstance(event, Segment):
            continue
        role = Role.SERVER if event.flow.source.port == PORT else Role.PHONE
        rest = rests.get(event.flow, b"") + event.data
        while len(rest) >= HEADER_BYTES and len(rest) >= (size := unpack_header(rest).message_bytes):
            found.setdefault(event.flow.conversation, Captured()).frames.append((role, rest[:size]))
            rest = rest[size:]
        rests[event.flow] = rest
    return [captured for captured in found.values() if captured.frames[0][1][8:12] == b"\1\0\0\0"]


def name_of(message: AnyMessage) -> str:
    assert isinstance(message, Message)
    return message.name
