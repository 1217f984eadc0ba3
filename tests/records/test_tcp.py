"""TCP streams: reassembled as sent, whatever the network and the capture did to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.records.packets import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN
from tests.records.stream_model import Run, Stream, runs_of

from callgate.records import direction as names
from callgate.records import tcp as limits
from callgate.records.flow import End, EndReason, Event, Flow, Gap, Segment
from callgate.records.tally import Tally
from callgate.records.tcp import TcpReassembler

KEY = ip_address(CLIENT).packed + ip_address(SERVER).packed + (40000).to_bytes(2, "big") + (2000).to_bytes(2, "big")
BACK = KEY[4:8] + KEY[:4] + KEY[10:] + KEY[8:10]


class Wire:
    """A connection as a capture shows it; sequence numbers count from each side's SYN."""

    def __init__(self, isn: int = 1000, peer_isn: int = 5000, *, connections_limit: int = 65536) -> None:
        self.tally = Tally()
        self.reassembler = TcpReassembler(self.tally, connections_limit=connections_limit)
        self.isn = isn
        self.peer_isn = peer_isn
        self.time = 0
        self.events: list[Event] = []

    def send(
        self, seq: int, data: bytes = b"", flags: int = ACK, ack: int = 1, missing: int = 0, key: bytes = KEY
    ) -> Sequence[Event]:
        self.time += 1
        events = self.reassembler.feed(
            self.time, key, (self.isn + seq) % 2**32, (self.peer_isn + ack) % 2**32, flags, data, missing
        )
        self.events.extend(events)
        return events

    def answer(self, seq: int, data: bytes = b"", flags: int = ACK, ack: int = 1, missing: int = 0) -> Sequence[Event]:
        self.time += 1
        events = self.reassembler.feed(
            self.time, BACK, (self.peer_isn + seq) % 2**32, (self.isn + ack) % 2**32, flags, data, missing
        )
        self.events.extend(events)
        return events

    def open(self) -> Wire:
        assert not self.send(0, flags=SYN)
        assert not self.answer(0, flags=SYN | ACK)
        assert not self.send(1)
        return self

    def finish(self) -> list[Event]:
        self.events.extend(self.reassembler.finish())
        return self.events


def runs(events: Iterable[Event], *, client: bool | None = True) -> list[Run]:
    """What the events of one side come to; there is one connection."""
    found = [run for flow, run in runs_of(events).items() if flow.from_client is client and run]
    assert len(found) <= 1
    return found[0] if found else []


def ends(events: Iterable[Event]) -> list[tuple[bool | None, EndReason]]:
    return [(event.flow.from_client, event.reason) for event in events if isinstance(event, End)]


NUMBERS = st.one_of(st.integers(2**32 - 300, 2**32 - 1), st.integers(0, 2**32 - 1))
STREAM = bytes(range(1, 201))


@st.composite
def segments(draw: st.DrawFn, size: int = len(STREAM)) -> list[tuple[int, int]]:
    """Pieces that cover the whole stream, some of them more than once, in any order."""
    cuts = sorted(draw(st.sets(st.integers(1, size - 1), max_size=12)))
    found = list(pairwise([0, *cuts, size]))
    for _ in range(draw(st.integers(0, 6))):
        low = draw(st.integers(0, size - 1))
        found.append((low, draw(st.integers(low + 1, size))))
    return list(draw(st.permutations(found)))


@settings(max_examples=100)
@given(NUMBERS, segments(), st.sampled_from([EndReason.FIN, EndReason.RESET, EndReason.CAPTURE_END]))
def test_any_segmentation_and_order_gives_the_stream(isn: int, sent: list[tuple[int, int]], last: EndReason) -> None:
    wire = Wire(isn).open()
    for low, high in sent:
        wire.send(1 + low, STREAM[low:high], PSH | ACK)
    if last is EndReason.FIN:
        wire.send(1 + len(STREAM), flags=FIN | ACK)
        assert ends(wire.events) == [(True, EndReason.FIN)]
    elif last is EndReason.RESET:
        wire.send(1 + len(STREAM), flags=RST)
        assert ends(wire.events) == [(True, EndReason.RESET), (False, EndReason.RESET)]
    assert runs(wire.finish()) == [STREAM]
    assert not wire.tally.notes[names.CONFLICTS]
    assert not any(isinstance(event, Gap) for event in wire.events)


@settings(max_examples=100)
@given(NUMBERS, segments(), st.data())
def test_lost_segments_are_gaps_of_their_size_and_place(
    isn: int, sent: list[tuple[int, int]], data: st.DataObject
) -> None:
    kept = [one for one in sent if data.draw(st.booleans())]
    wire = Wire(isn).open()
    for low, high in kept:
        wire.send(1 + low, STREAM[low:high])
    wire.send(1 + len(STREAM), flags=FIN | ACK)
    covered = {place for low, high in kept for place in range(low, high)}
    expected: list[Run] = []
    for known, run in groupby(range(len(STREAM)), covered.__contains__):
        places = list(run)
        expected.append(STREAM[places[0] : places[-1] + 1] if known else len(places))
    assert runs(wire.finish()) == expected
    assert (True, EndReason.FIN) in ends(wire.events)


Step = tuple[str, int, int]


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Segments and acknowledgements of both sides, of any sense."""
    place = st.integers(0, 60)
    kinds = st.sampled_from(["send", "answer", "send ack", "answer ack"])
    found: list[Step] = []
    for _ in range(draw(st.integers(1, 40))):
        kind, low, size = draw(kinds), draw(place), draw(st.integers(0, 20))
        found.append((kind, low, size))
    return found


@settings(max_examples=100)
@given(NUMBERS, NUMBERS, steps(), st.booleans())
def test_streams_are_those_of_a_reassembly_byte_by_byte(isn: int, peer_isn: int, taken: list[Step], fin: bool) -> None:
    """The bytes of a place differ with the number of the step, so that the first ones must win."""
    wire = Wire(isn, peer_isn).open()
    here, there = Stream(), Stream()
    for number, (kind, low, size) in enumerate(taken):
        data = bytes((number * 16 + place) % 256 for place in range(size))
        mine, other = (here, there) if kind.startswith("send") else (there, here)
        put = wire.send if kind.startswith("send") else wire.answer
        if kind.endswith("ack"):
            put(1 + mine.next, ack=1 + low)
            other.acknowledge(low)
        elif not (size == 1 and low == mine.next - 1):  # else a keep-alive probe
            put(1 + low, data)
            mine.take(low, data)
    if fin:
        wire.send(101, flags=FIN | ACK)
        here.fin = 100
    wire.finish()
    assert runs(wire.events) == here.finish()
    assert runs(wire.events, client=False) == there.finish()


def test_segments_in_order_come_at_once_with_their_time() -> None:
    wire = Wire().open()
    (event,) = wire.send(1, b"register")
    assert isinstance(event, Segment)
    assert (event.data, event.time) == (b"register", wire.time)
    assert event.flow.source == (ip_address(CLIENT), 40000)
    assert event.flow.destination == (ip_address(SERVER), 2000)
    assert event.flow.from_client
    (reply,) = wire.answer(1, b"ack", ack=9)
    assert isinstance(reply, Segment)
    assert reply.flow.source == event.flow.destination
    assert reply.flow.from_client is False
    assert reply.flow.conversation == event.flow.conversation == 0
    assert wire.send(9, ack=4) == ()


def test_acknowledged_hole_is_given_up_when_bytes_wait_behind_it() -> None:
    wire = Wire().open()
    wire.send(1, b"abc")
    assert not wire.send(9, b"ijk")
    assert not wire.answer(1, ack=4)
    assert not wire.answer(1, ack=8)
    gap, segment = wire.answer(1, ack=9)
    assert (gap, segment) == (Gap(gap.flow, wire.time, 5), Segment(gap.flow, wire.time - 3, b"ijk"))
    assert not wire.send(4, b"defgh")
    assert wire.tally.notes[names.RETRANSMISSIONS] == 1
    assert [type(event) for event in wire.send(12, b"l")] == [Segment]


def test_acknowledgement_captured_before_the_bytes_loses_nothing() -> None:
    wire = Wire().open()
    assert not wire.answer(1, ack=7)
    wire.send(1, b"abc")
    wire.send(4, b"def")
    assert runs(wire.finish()) == [b"abcdef"]


def test_lost_tail_is_a_gap_at_the_end() -> None:
    wire = Wire().open()
    wire.send(1, b"abc")
    wire.answer(1, ack=11)
    assert runs(wire.finish()) == [b"abc", 7]
    assert ends(wire.events) == [(True, EndReason.CAPTURE_END), (False, EndReason.CAPTURE_END)]


def test_keep_alive_probes_are_no_bytes() -> None:
    wire = Wire().open()
    wire.send(1, b"abc")
    assert not wire.send(3)
    assert not wire.send(3, b"\0")
    assert not wire.answer(0, ack=4)
    wire.send(4, b"def")
    assert runs(wire.finish()) == [b"abcdef"]
    assert wire.tally.notes == {names.KEEP_ALIVES: 1}


def test_zero_window_probes_are_bytes_once() -> None:
    wire = Wire().open()
    wire.send(1, b"abc")
    for _ in range(3):
        wire.send(4, b"d")
    wire.send(4, b"def")
    assert runs(wire.finish()) == [b"abcdef"]


def test_data_in_the_syn_is_kept() -> None:
    wire = Wire()
    (event,) = wire.send(0, b"early", SYN)
    assert isinstance(event, Segment)
    assert not wire.answer(0, flags=SYN | ACK, ack=6)
    wire.send(6, b" late")
    assert runs(wire.finish()) == [b"early late"]


def test_fin_with_data_ends_behind_it() -> None:
    wire = Wire().open()
    segment, end = wire.send(1, b"bye", FIN | ACK)
    assert isinstance(segment, Segment)
    assert end == End(segment.flow, wire.time, EndReason.FIN)
    assert not wire.send(1, b"bye", FIN | ACK)
    assert not wire.answer(1, ack=5)
    assert [event.reason for event in wire.answer(1, flags=FIN | ACK, ack=5) if isinstance(event, End)] == ["closed"]
    assert not wire.send(5, ack=2)
    assert wire.finish()[-1].flow.from_client is False


def test_fin_waits_for_the_bytes_before_it() -> None:
    wire = Wire().open()
    assert not wire.send(4, flags=FIN | ACK)
    segment, end = wire.send(1, b"abc")
    assert isinstance(segment, Segment)
    assert isinstance(end, End)


def test_acknowledged_fin_ends_the_stream_over_lost_bytes() -> None:
    wire = Wire().open()
    assert not wire.send(11, flags=FIN | ACK)
    gap, end = wire.answer(1, ack=12)
    assert isinstance(gap, Gap)
    assert gap.size == 10
    assert isinstance(end, End)
    assert end.reason is EndReason.FIN


def test_bytes_behind_a_fin_are_left_out_and_counted() -> None:
    wire = Wire().open()
    wire.send(8, b"hostile")
    wire.send(1, b"abc", FIN | ACK)
    wire.send(3, b"xyz")
    assert runs(wire.finish()) == [b"abc"]
    assert wire.tally.notes[names.AFTER_END] == 7 + 2


def test_reset_ends_both_directions_after_what_waits() -> None:
    wire = Wire().open()
    wire.send(4, b"def")
    wire.answer(1, b"xyz")
    wire.answer(4, flags=RST)
    assert runs(wire.events) == [3, b"def"]
    assert ends(wire.events) == [(False, EndReason.RESET), (True, EndReason.RESET)]
    assert not wire.answer(4, flags=RST)
    assert not wire.send(7, b"late")
    assert wire.tally.notes[limits.STRAYS] == 1
    assert wire.finish() == wire.events


def test_bytes_behind_a_reset_are_left_out() -> None:
    wire = Wire().open()
    wire.send(1, b"abc")
    wire.send(4, flags=RST)
    assert not wire.send(3, b"cdef")
    assert wire.tally.notes[names.AFTER_END] == 3


def test_refused_connection_ends_by_reset() -> None:
    wire = Wire()
    wire.send(0, flags=SYN)
    wire.answer(-5000, flags=RST | ACK)
    assert ends(wire.finish()) == [(False, EndReason.RESET), (True, EndReason.RESET)]


def test_resets_out_of_reach_and_of_nothing_are_counted() -> None:
    wire = Wire()
    assert not wire.send(0, flags=RST)
    wire.open()
    assert not wire.send(2**31, flags=RST)
    assert wire.tally.notes == {limits.STRAY_RESETS: 1, limits.STRAYS: 1}
    wire.send(1, b"abc")
    assert runs(wire.finish()) == [b"abc"]


def test_new_syn_with_another_number_is_a_new_connection() -> None:
    wire = Wire().open()
    wire.send(1, b"old")
    wire.isn, wire.peer_isn = 900_000, 800_000
    assert [type(event) for event in wire.send(0, flags=SYN)] == [End, End]
    wire.answer(0, flags=SYN | ACK)
    wire.send(1, b"new")
    found = {flow.conversation: run for flow, run in runs_of(wire.finish()).items() if run}
    assert found == {0: [b"old"], 1: [b"new"]}
    assert [reason for _, reason in ends(wire.events)] == [EndReason.REPLACED] * 2 + [EndReason.CAPTURE_END] * 2


def test_repeated_syns_change_nothing() -> None:
    wire = Wire()
    for _ in range(2):
        assert not wire.send(0, flags=SYN)
    for _ in range(2):
        assert not wire.answer(0, flags=SYN | ACK)
    wire.send(1, b"abc")
    wire.answer(0, flags=SYN | ACK)
    wire.send(4, b"def")
    assert runs(wire.finish()) == [b"abcdef"]
    assert {event.flow.conversation for event in wire.events} == {0}


def test_simultaneous_opening_is_one_connection() -> None:
    wire = Wire()
    wire.send(0, flags=SYN)
    wire.answer(0, flags=SYN)
    wire.answer(0, flags=SYN | ACK)
    wire.send(1, b"abc")
    wire.answer(1, b"xyz", ack=4)
    assert runs(wire.finish()) == [b"abc"]
    assert {event.flow.conversation for event in wire.events} == {0}


def test_lost_syn_is_known_by_the_answer() -> None:
    wire = Wire()
    wire.answer(0, flags=SYN | ACK)
    wire.send(4, b"def")
    wire.answer(1, ack=7)
    assert runs(wire.finish()) == [3, b"def"]


def test_capture_that_begins_inside_a_connection_is_read() -> None:
    wire = Wire()
    wire.send(5000, b"abc", ack=7000)
    wire.answer(7000, b"xyz", ack=5003)
    wire.send(5003, b"def", ack=7003)
    found = list(runs_of(wire.finish()).values())
    assert found == [[b"abcdef"], [b"xyz"]]
    assert {event.flow.from_client for event in wire.events} == {None}


def test_capture_that_begins_inside_a_connection_knows_what_the_peer_had() -> None:
    wire = Wire()
    wire.send(5000, b"abc", ack=7000)
    assert not wire.answer(7010, b"xyz", ack=5003)
    wire.send(5003, ack=7013)
    assert list(runs_of(wire.finish()).values()) == [[b"abc"], [10, b"xyz"]]


def test_keep_alive_probe_that_begins_a_capture_is_no_byte() -> None:
    wire = Wire()
    wire.send(5000, b"abc", ack=7000)
    assert not wire.answer(6999, b"\0", ack=5003)
    wire.answer(7000, b"xyz", ack=5003)
    assert list(runs_of(wire.finish()).values()) == [[b"abc"], [b"xyz"]]


@pytest.mark.parametrize("peer_isn", [5000, 2**31 + 5000])
def test_lost_answer_to_the_syn_is_known_by_what_was_acknowledged(peer_isn: int) -> None:
    wire = Wire(peer_isn=peer_isn)
    wire.send(0, flags=SYN)
    wire.send(1, b"abc")
    wire.answer(11, b"xyz", ack=4)
    assert runs(wire.finish(), client=False) == [10, b"xyz"]


def test_nothing_comes_after_the_end_whatever_is_acknowledged() -> None:
    wire = Wire().open()
    wire.answer(1, flags=FIN | ACK)
    for number in range(10):
        assert not wire.send(1, ack=1 + number * 50_000_000)


def test_capture_of_one_side_names_the_other_as_a_gap() -> None:
    wire = Wire()
    for number in range(200):  # twice around the sequence numbers
        wire.send(5000, b"", ack=7000 + number * 50_000_000)
    found = runs_of(wire.finish())
    assert [run for run in found.values() if run] == [[199 * 50_000_000]]


def test_acknowledgements_far_ahead_are_not_believed() -> None:
    wire = Wire().open()
    assert not wire.answer(1, ack=2**30)
    wire.send(1, b"abc")
    assert runs(wire.finish()) == [b"abc"]
    assert wire.tally.notes == {limits.STRAY_ACKS: 1}


def test_reused_ports_without_a_syn_are_a_new_connection() -> None:
    wire = Wire().open()
    wire.send(1, b"old")
    for seq in (1_000_000_000, 1_000_000_003, 1_000_000_006, 1_000_000_009):
        wire.send(seq, b"new")
    found = [run for run in runs_of(wire.finish()).values() if run]
    assert found == [[b"old"], [b"newnew"]]
    assert wire.tally.notes[limits.STRAYS] == 3


def test_single_strays_are_left_out_and_counted() -> None:
    wire = Wire().open()
    for seq in (1_000_000_000, 1_500_000_003, 2_000_000_006, 1_000_000_009):
        assert not wire.send(seq, b"odd")
    wire.send(1, b"abc")
    assert runs(wire.finish()) == [b"abc"]
    assert wire.tally.notes == {limits.STRAYS: 4}


def test_conflicting_bytes_are_counted_and_the_first_ones_count() -> None:
    wire = Wire().open()
    wire.send(1, b"abcdef")
    wire.send(4, b"dEfg")
    wire.send(11, b"lmn")
    wire.send(9, b"jkLmno")
    wire.send(8, b"i")
    assert runs(wire.finish()) == [b"abcdefgijklmno"]
    assert wire.tally.notes[names.CONFLICTS] == 2


def test_bytes_that_waited_are_compared_too() -> None:
    wire = Wire().open()
    wire.send(4, b"def")
    wire.send(1, b"abc")
    wire.send(5, b"eX")
    assert wire.tally.notes[names.CONFLICTS] == 1


def test_bytes_before_a_gap_are_not_compared_with_bytes_in_it() -> None:
    wire = Wire().open()
    wire.send(1, b"abc", missing=3)
    wire.send(3, b"cdef")
    assert wire.tally.notes == {names.RETRANSMISSIONS: 1}


def test_bytes_the_capture_cut_are_a_gap() -> None:
    wire = Wire().open()
    segment, gap = wire.send(1, b"abc", missing=7)
    assert isinstance(segment, Segment)
    assert isinstance(gap, Gap)
    assert gap.size == 7
    wire.send(14, b"nop", missing=2)
    wire.send(11, b"klm")
    wire.send(19, b"", missing=3)
    wire.send(22, b"v")
    assert runs(wire.finish()) == [b"abc", 7, b"klmnop", 5, b"v"]


def test_repetition_of_cut_bytes_is_taken_from_where_the_stream_is() -> None:
    wire = Wire().open()
    wire.send(1, b"abc", missing=2)
    wire.send(2, b"b", missing=8)
    wire.send(11, b"k")
    wire.send(3, b"cdefghijklm")
    assert runs(wire.finish()) == [b"abc", 7, b"klm"]


def test_waiting_bytes_are_bounded() -> None:
    wire = Wire().open()
    size = 1000
    for number in range(1, 2000):
        wire.send(1 + number * size, bytes(size))
        direction = wire.reassembler.directions[KEY]
        assert direction.waiting_bytes <= limits.WAITING_LIMIT
    assert wire.tally.notes[limits.GIVEN_UP] == 1
    assert runs(wire.finish()) == [1000, bytes(1_999_000)]


def test_waiting_single_bytes_count_for_what_they_cost() -> None:
    wire = Wire().open()
    for number in range(5000):
        wire.send(2 + number * 2, b"x")
        assert len(wire.reassembler.directions[KEY].waiting) <= limits.WAITING_LIMIT // names.PIECE_COST
    assert wire.tally.notes[limits.GIVEN_UP] > 0
    assert runs(wire.finish()) == [1, b"x"] * 5000


def test_waiting_bytes_of_all_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ALL_WAITING_LIMIT", 10_000)
    wire = Wire()
    for port in range(100):
        key = KEY[:8] + port.to_bytes(2, "big") + KEY[10:]
        wire.send(0, flags=SYN, key=key)
        wire.send(11, bytes(1000), key=key)
        held = sum(one.waiting_bytes for one in wire.reassembler.directions.values())
        assert held <= 10_000
    found = [run for run in runs_of(wire.finish()).values() if run]
    assert found == [[10, bytes(1000)]] * 100


def test_longest_idle_connections_are_evicted_and_counted() -> None:
    wire = Wire(connections_limit=16)
    keys = [KEY[:8] + port.to_bytes(2, "big") + KEY[10:] for port in range(1, 101)]
    wire.send(0, flags=SYN, key=keys[0])
    for key in keys[1:]:
        wire.send(0, flags=SYN, key=key)
        wire.send(len(wire.events) + 1, key=keys[0])
        assert len(wire.reassembler.directions) <= 32
    assert keys[0] in wire.reassembler.directions
    evicted = wire.tally.notes[limits.EVICTED]
    assert evicted >= 84
    wire.finish()
    reasons = Counter(reason for _, reason in ends(wire.events))
    assert reasons == {EndReason.EVICTED: 2 * evicted, EndReason.CAPTURE_END: 200 - 2 * evicted}


def test_ended_connections_are_evicted_first_and_say_nothing_more() -> None:
    wire = Wire(connections_limit=16)
    keys = [KEY[:8] + port.to_bytes(2, "big") + KEY[10:] for port in range(1, 31)]
    for key in keys[:8]:
        wire.send(0, flags=SYN, key=key)
    for key in keys[8:]:
        wire.send(0, flags=SYN, key=key)
        wire.send(1, flags=RST, key=key)
    assert not wire.tally.notes
    assert set(keys[:8]) <= set(wire.reassembler.directions)


def test_source_equal_to_destination_is_refused() -> None:
    wire = Wire()
    key = KEY[:4] * 2 + KEY[8:10] * 2
    assert not wire.send(0, flags=SYN, key=key)
    assert wire.tally.notes == {limits.LAND: 1}
    assert wire.finish() == []


FLAGS = st.integers(0, 63)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(st.integers(-30, 30), st.integers(-(2**32), 2**32)),
            st.one_of(st.integers(-30, 30), st.integers(0, 2**32)),
            FLAGS,
            st.binary(max_size=8),
            st.integers(0, 3),
        ),
        max_size=60,
    )
)
def test_any_segments_keep_the_order_of_events(
    sent: list[tuple[bool, int, int, int, bytes, int]],
) -> None:
    wire = Wire()
    for here, seq, ack, flags, data, missing in sent:
        put = wire.send if here else wire.answer
        put(seq, data, flags, ack, missing)
        held = sum(one.waiting_bytes for one in wire.reassembler.directions.values())
        assert held == wire.reassembler._waiting_bytes
    found: dict[Flow, list[Run]] = runs_of(wire.finish())
    reasons = Counter(event.flow for event in wire.events if isinstance(event, End))
    # Every connection that began has exactly one end per direction.
    assert set(found) == set(reasons)
    assert set(reasons.values()) <= {1}
    assert len({flow.conversation for flow in found}) * 2 == len(found)
