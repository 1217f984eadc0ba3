"""tshark as the judge of the SCCP codec: the same messages, and in them the same fields with the same values."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final

from tests.differential.sccp_places import placed
from tests.differential.sccp_specimens import specimens
from tests.differential.skinny_differences import Verdict, kind_of
from tests.differential.skinny_dissection import columns, dissections
from tests.differential.skinny_known import KNOWN, NEVER_CONFIRMED
from tests.records.packets import ACK, PSH, Record, ethernet, ipv4, pcap, tcp

from callgate.records.capture import open_capture
from callgate.records.flow import conversation_events
from callgate.records.signalling import SccpMessage, signalling_of
from callgate.sccp import AnyMessage, Decoder, Message, UnknownMessage, encode
from callgate.sccp.framing import HEADER, HEADER_BYTES
from callgate.sccp.messages.devices import EnhancedAlarmMessage
from callgate.sccp.messages.keys import KeypadButtonMessage

CAPTURES: Final = sorted((Path(__file__).parents[1] / "data" / "sccp" / "captures").glob("*.pcap"))

READ_BY_ONE: Final = {
    39868: "header version 99; tshark takes only those that servers negotiate",
    42404: "header version 4",
    42416: "header version 0x01020304",
    40922: "the header comes in pieces of 1 and 11 bytes",
    40926: "the header comes in pieces of 4 and 8 bytes",
    50452: "length 65536; Callgate takes 8192",
}
"""Ports of phones in the capture of malformed input whose one message only one of the two reads."""


ENDS_SEGMENTS: Final = (EnhancedAlarmMessage.id,)
"""Where its data is no XML, tshark may drop what follows in the segment."""


def written(segments: Sequence[bytes], path: Path) -> Path:
    """A capture of one direction of a connection."""
    records = []
    seq = 1
    for segment in segments:
        records.append(Record(ethernet(ipv4(tcp(seq, 1, ACK | PSH, segment)))))
        seq += len(segment)
    path.write_bytes(pcap(records))
    return path


def generated() -> list[Message]:
    """The specimens, and data whose NUL has no room, which seldom is drawn."""
    return [*specimens(), EnhancedAlarmMessage(alarm_info=b"<alarm/>")]


def header_of(message: AnyMessage, frame: bytes) -> tuple[int, int, int]:
    """Length, version and id."""
    number = message.message_id if isinstance(message, UnknownMessage) else message.id
    return len(frame) - 8, message.header_version, number


def test_generated_messages_are_read_alike(tmp_path: Path) -> None:
    messages = generated()
    frames = [encode(message) for message in messages]
    found = dissections(written(frames, tmp_path / "generated.pcap"))
    assert [(one.length, one.header_version, one.message_id) for one in found] == [
        header_of(message, frame) for message, frame in zip(messages, frames, strict=True)
    ]
    verdict = Verdict()
    kinds: set[tuple[int, str]] = set()
    for message, frame, dissection in zip(messages, frames, found, strict=True):
        verdict.take(message, frame, dissection)
        kinds.update((message.id, kind_of(one.path)) for one in placed(message, len(frame) - HEADER_BYTES))
    assert not verdict.unexplained
    assert verdict.messages > 4000
    assert verdict.alike > 0.65 * verdict.messages
    assert verdict.fields > 70_000
    assert {kind for kind in kinds - verdict.kinds if not kind[1].endswith(".octets")} == NEVER_CONFIRMED
    assert [str(known) for known in KNOWN if not known.captured and known not in verdict.used] == []


def test_real_captures_are_read_alike() -> None:
    verdict = Verdict()
    ports = set()
    for path in CAPTURES:
        theirs = defaultdict(list)
        for dissection in dissections(path):
            theirs[dissection.direction].append(dissection)
        ours = defaultdict(list)
        for found in signalling_of(conversation_events(open_capture(path))):
            if isinstance(found, SccpMessage):
                ours[found.flow.conversation, found.flow.source.port].append(found.message)
        for direction in ours | theirs:
            messages = [(message, encode(message)) for message in ours[direction]]
            headers = [header_of(message, frame) for message, frame in messages]
            if headers != [(one.length, one.header_version, one.message_id) for one in theirs[direction]]:
                assert sorted((len(headers), len(theirs[direction]))) == [0, 1], (path.name, direction)
                ports.add(direction[1])
                continue
            for (message, frame), dissection in zip(messages, theirs[direction], strict=True):
                verdict.take(message, frame, dissection)
    assert ports == set(READ_BY_ONE)
    assert not verdict.unexplained
    assert verdict.messages >= 480
    assert verdict.alike > 0.85 * verdict.messages
    assert verdict.fields > 6500
    assert [str(known) for known in KNOWN if known.captured and known not in verdict.used] == []


def segmented(frames: Sequence[bytes], random: Random) -> list[bytes]:
    """The frames in segments of any size that do not end in a header: from such a one on tshark may find no more."""
    stream = b"".join(frames)
    starts = list(accumulate(map(len, frames), initial=0))
    segments = []
    start = 0
    while start < len(stream):
        end = min(start + random.randrange(HEADER_BYTES, 1460), len(stream))
        begun = starts[bisect_right(starts, end) - 1]
        if begun > start and end - begun < HEADER_BYTES:
            end = begun
        segments.append(stream[start:end])
        start = end
    return segments


def test_messages_that_share_and_span_segments_are_found_alike(tmp_path: Path) -> None:
    messages = [message for message in generated() if message.id not in ENDS_SEGMENTS]
    segments = segmented([encode(message) for message in messages], Random(11))
    decoder = Decoder()
    headers = [header_of(message, encode(message)) for segment in segments for message in decoder.feed(segment)]
    assert headers == [header_of(message, encode(message)) for message in messages]
    assert decoder.pending == 0
    path = written(segments, tmp_path / "coalesced.pcap")
    found = []
    for row in columns(path, "skinny.data_length", "skinny.hdr_version", "skinny.messageId"):
        found += list(zip(*[[int(number, 0) for number in column.split(",")] for column in row], strict=True))
    assert found == headers
    assert any(column.count(",") > 5 for (column,) in columns(path, "skinny.messageId"))


def test_a_message_that_is_read_otherwise_is_noticed(tmp_path: Path) -> None:
    message = KeypadButtonMessage(kp_button=5, line_instance=1, call_reference=77)
    frame = encode(message)
    swapped = HEADER.pack(16, 0, message.id) + frame[12:16] + frame[20:24] + frame[16:20]
    short = HEADER.pack(8, 0, message.id) + frame[12:16]
    found = dissections(written([swapped, short, frame], tmp_path / "swapped.pcap"))
    noticed = []
    for dissection in found:
        verdict = Verdict()
        verdict.take(message, frame, dissection)
        noticed.append([one.split(" at ")[0].split()[-1] for one in verdict.unexplained])
    assert noticed == [["!lineInstance"], ["-lineInstance"], []]
