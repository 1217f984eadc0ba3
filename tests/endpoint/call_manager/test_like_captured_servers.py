"""The imitated servers against the captured ones: the same messages of a phone bring the same answers, to the byte."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest

from callgate.endpoint.call_manager import PROFILES, CallManager, Closing, Connection, Line, Settings
from callgate.endpoint.call_manager.events import OpenEcho
from callgate.endpoint.network import TransportAddress
from callgate.records.capture import open_capture
from callgate.records.flow import End, EndReason, Segment, Tally, conversation_events
from callgate.sccp.framing import HEADER_BYTES, unpack_header
from callgate.sccp.messages.calls import CallStateMessage
from callgate.sccp.messages.media import StartMediaTransmissionMessage
from callgate.sccp.stream import Decoder

CAPTURES = Path(__file__).parents[2] / "data" / "sccp" / "captures"
SERVER_PORT = 2000
LOCAL = TransportAddress(ip_address("127.0.0.1"), SERVER_PORT)


@dataclass
class Recorded:
    """One captured connection."""

    reads: list[tuple[float, bytes]] = field(default_factory=list)
    """What the phone sent: time and bytes of each segment."""
    frames: list[bytes] = field(default_factory=list)
    """What the server sent, frame by frame."""
    begins: float = 0.0
    phone_ends: float | None = None
    server_ends: tuple[float, EndReason] | None = None
    rest: bytes = b""


def recorded(capture: str) -> list[Recorded]:
    found: dict[int, Recorded] = {}
    for event in conversation_events(open_capture(CAPTURES / f"{capture}.pcap"), Tally()):
        if not isinstance(event, (Segment, End)) or SERVER_PORT not in (
            event.flow.source.port,
            event.flow.destination.port,
        ):
            continue
        time = event.time / 1e9
        from_server = event.flow.source.port == SERVER_PORT
        one = found.setdefault(event.flow.conversation, Recorded(begins=time))
        if isinstance(event, End):
            if event.reason is EndReason.CAPTURE_END:
                continue
            if from_server:
                one.server_ends = time, event.reason
            else:
                one.phone_ends = time
        elif from_server:
            one.rest += event.data
            while len(one.rest) >= HEADER_BYTES and len(one.rest) >= unpack_header(one.rest).message_bytes:
                size = unpack_header(one.rest).message_bytes
                one.frames.append(one.rest[:size])
                one.rest = one.rest[size:]
        else:
            one.reads.append((time, event.data))
    return [one for one in found.values() if one.reads]


def first_reference(frames: list[bytes]) -> int:
    decoder = Decoder()
    states = [one for one in decoder.feed(b"".join(frames)) if isinstance(one, CallStateMessage)]
    return states[0].call_reference or 0 if states else 1


def audio_port(frames: list[bytes]) -> TransportAddress:
    starts = [one for one in Decoder().feed(b"".join(frames)) if isinstance(one, StartMediaTransmissionMessage)]
    assert starts[0].remote_port_number is not None
    return TransportAddress(ip_address(str(starts[0].remote_ip_addr)), starts[0].remote_port_number)


TIME_DATE = 0x94
VOLATILE = {TIME_DATE: slice(HEADER_BYTES, None)}
"""What must differ: the time of day."""

ONCE_MORE = {"sccp-call600-11": 0x110}
"""What a capture has once more than the server sends otherwise: chan-sccp's first registration since its start (call
reference 1; the other capture has 4) selects the idle phone's soft keys again behind the time, and has selected them
before with another mask."""


def replayed(one: Recorded, profile: str) -> tuple[list[bytes], Connection]:
    """What the imitated server sends to a captured phone, and the connection afterwards."""
    line = Line("1001", owner="Phone One", description="phone1" if profile == "chan-sccp" else "1001")
    interval = None
    if one.frames and profile == "chan-sccp":
        acks = [frame for frame in one.frames if frame[8] == 0x81]
        interval = struct.unpack_from("<I", acks[0], HEADER_BYTES)[0] if acks else None  # 46 to 57 as it likes
    settings = Settings(
        devices={"SEP001122334455": line}, first_reference=first_reference(one.frames), keepalive=interval
    )
    manager = CallManager(settings, PROFILES[profile])
    connection = manager.accept(TransportAddress(ip_address("127.0.0.1"), 40000), LOCAL, one.begins)
    sent: list[bytes] = []
    for time, data in one.reads:
        manager.tick(time)
        connection.feed(data, time)
        for event in manager.take_events():
            if isinstance(event, OpenEcho):
                manager.echo_opened(event.call, audio_port(one.frames), time)
        sent += connection.take()
    return sent, connection


def comparable(frame: bytes) -> bytes:
    """A frame without what must differ."""
    volatile = VOLATILE.get(unpack_header(frame).message_id)
    return frame if volatile is None else frame[: volatile.start] + bytes(len(frame) - volatile.start)


def summary(frame: bytes) -> tuple[str, int]:
    header = unpack_header(frame)
    return f"{header.message_id:04x}", header.length


@pytest.mark.parametrize(
    ("capture", "profile"),
    [
        ("skinny-call600-11", "chan-skinny"),
        ("skinny-call600-17", "chan-skinny"),
        ("skinny-reg-0-3-11-17-22-25", "chan-skinny"),
        ("skinny-reject", "chan-skinny"),
        ("skinny-probe", "chan-skinny"),
        ("sccp-call600-11", "chan-sccp"),
        ("sccp-call600-22", "chan-sccp"),
        ("sccp-probe", "chan-sccp"),
    ],
)
def test_a_captured_phone_hears_what_it_heard_to_the_byte(capture: str, profile: str) -> None:
    connections = recorded(capture)
    assert connections
    for one in connections:
        sent, connection = replayed(one, profile)
        expected = one.frames
        if capture in ONCE_MORE:
            index = next(n for n, frame in enumerate(expected) if frame[8] == TIME_DATE) + 1
            assert unpack_header(expected[index]).message_id == ONCE_MORE[capture]
            expected = expected[:index] + expected[index + 1 :]
        assert [summary(frame) for frame in sent] == [summary(frame) for frame in expected]
        differing = [
            (summary(own)[0], sum(a != b for a, b in zip(own, theirs, strict=True)))
            for own, theirs in zip(sent, expected, strict=True)
            if comparable(own) != comparable(theirs)
        ]
        assert differing == ([("0110", 1)] if capture in ONCE_MORE else [])
        ended_first = one.server_ends is not None and (one.phone_ends is None or one.server_ends[0] < one.phone_ends)
        assert (connection.closing is not None) == ended_first


def test_what_was_sent_to_provoke_chan_skinny_has_the_captured_end() -> None:
    """What is answered, and whether the server closes at once, resets, or waits for the phone to give up."""
    connections = recorded("skinny-malformed")
    assert len(connections) > 50
    for number, one in enumerate(connections):
        sent, connection = replayed(Recorded(one.reads, one.frames, one.begins), "chan-skinny")
        assert [summary(frame) for frame in sent] == [summary(frame) for frame in one.frames], number
        if one.server_ends is None:
            continue
        last_read = one.reads[-1][0]
        at_once = one.server_ends[0] - last_read < 0.1 and (
            one.phone_ends is None or one.server_ends[0] <= one.phone_ends
        )
        assert (connection.closing is not None) == (at_once or _was_split(one)), number
        if connection.closing is not None and not _was_split(one):
            assert (connection.closing is Closing.RESET) == (one.server_ends[1] is EndReason.RESET), number


def _was_split(one: Recorded) -> bool:
    """The server had closed before the phone's second segment came."""
    return len(one.reads) > 1 and len(one.reads[0][1]) < HEADER_BYTES
