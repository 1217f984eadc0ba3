"""Whole captures: their conversations, and the account of what was not read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.records.damage import until_damage
from tests.records.packets import (
    ACK,
    CLIENT,
    CLIENT_6,
    FIN,
    SERVER,
    SERVER_6,
    SYN,
    Record,
    ethernet,
    ipv4,
    ipv6,
    ipv6_fragment,
    pcap,
    tcp,
    udp,
)
from tests.records.stream_model import Run, Stream, runs_of

from callgate.records import flow as flow_module
from callgate.records.capture import Packet, read_packets
from callgate.records.flow import Datagram, End, EndReason, Event, Gap, Segment, Tally, conversation_events


def version_4(segment: bytes, back: bool) -> bytes:
    source, destination = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    return ipv4(segment, source=source, destination=destination)


def version_6(segment: bytes, back: bool) -> bytes:
    source, destination = (SERVER_6, CLIENT_6) if back else (CLIENT_6, SERVER_6)
    return ipv6(segment, source=source, destination=destination)


def with_options(segment: bytes, back: bool) -> bytes:
    packet = version_4(segment, back)
    return bytes([0x46]) + packet[1:2] + struct.pack("!H", len(packet) + 4) + packet[4:20] + bytes(4) + packet[20:]


FORMS: dict[str, tuple[int, Callable[[bytes, bool], bytes]]] = {
    "ethernet": (1, lambda segment, back: ethernet(version_4(segment, back))),
    "padded": (1, lambda segment, back: ethernet(version_4(segment, back)) + bytes(6)),
    "802.1Q": (1, lambda segment, back: ethernet(version_4(segment, back), tags=[0x8100])),
    "802.1ad": (1, lambda segment, back: ethernet(version_4(segment, back), tags=[0x88A8, 0x8100])),
    "options": (1, lambda segment, back: ethernet(with_options(segment, back))),
    "ipv6": (1, lambda segment, back: ethernet(version_6(segment, back))),
    "raw": (101, version_4),
    "cooked": (113, lambda segment, back: struct.pack("!HHHQH", 0, 1, 6, 0, 0x0800) + version_4(segment, back)),
}


def packet(data: bytes, linktype: int = 1, time: int = 0, original: int | None = None) -> Packet:
    return Packet(time, linktype, data, len(data) if original is None else original)


def conversation(*packets: Packet) -> tuple[list[Event], Tally]:
    tally = Tally()
    return list(conversation_events(packets, tally)), tally


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(FORMS)),
    st.integers(2**32 - 40, 2**32 + 40),
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 20), st.integers(0, 60), st.binary(max_size=8)),
        max_size=40,
    ),
    st.booleans(),
)
def test_every_form_of_frame_gives_the_same_streams(
    form: str, isn: int, steps: list[tuple[bool, int, int, int, bytes]], in_order: bool
) -> None:
    linktype, build = FORMS[form]
    frames = [
        build(tcp(isn, 0, SYN), False),
        build(tcp(isn, isn + 1, SYN | ACK, ports=(2000, 40000)), True),
    ]
    sides = {False: Stream(), True: Stream()}
    for number, (back, low, size, acknowledged, options) in enumerate(steps):
        mine, other = sides[back], sides[not back]
        at = mine.next if in_order else low
        data = bytes((number * 16 + place) % 256 for place in range(size))
        if size <= 1:
            at, data = mine.next, b""
        segment = tcp(
            isn + 1 + at,
            isn + 1 + acknowledged,
            ACK,
            data,
            ports=(2000, 40000) if back else (40000, 2000),
            options=options[: len(options) // 4 * 4],
        )
        frames.append(build(segment, back))
        other.acknowledge(acknowledged)
        mine.take(at, data)
    events, tally = conversation(*(packet(frame, linktype, time) for time, frame in enumerate(frames)))
    found = {flow.from_client: runs for flow, runs in runs_of(events).items()}
    expected: dict[bool | None, list[Run]] = {True: sides[False].finish(), False: sides[True].finish()}
    assert found == expected
    assert tally.packets == tally.read == len(frames)


@pytest.mark.parametrize("form", FORMS)
def test_flows_name_both_ends(form: str) -> None:
    linktype, build = FORMS[form]
    events, _ = conversation(packet(build(tcp(5, 9, ACK, b"abc"), False), linktype, 7))
    (segment,) = (event for event in events if isinstance(event, Segment))
    assert (segment.data, segment.time) == (b"abc", 7)
    assert segment.flow.source == (ip_address(CLIENT_6 if form == "ipv6" else CLIENT), 40000)
    assert segment.flow.destination == (ip_address(SERVER_6 if form == "ipv6" else SERVER), 2000)
    ends = [event for event in events if isinstance(event, End)]
    assert [end.flow.source for end in ends] == [segment.flow.source, segment.flow.destination]
    assert {end.flow.conversation for end in ends} == {0}
    assert ("[fd00::1]:40000 > [fd00::2]:2000" if form == "ipv6" else "10.0.0.1:40000 > 10.0.1.1:2000") == str(
        segment.flow
    )


def test_datagrams_hold_their_flow_and_payload() -> None:
    there = ethernet(ipv4(udp(b"OPTIONS"), protocol=17))
    back = ethernet(ipv4(udp(b"200", ports=(5060, 40000)), protocol=17, source=SERVER, destination=CLIENT))
    events, tally = conversation(packet(there, time=1), packet(back, time=2), packet(there, time=3))
    first, reply, second = events
    assert isinstance(first, Datagram)
    assert isinstance(reply, Datagram)
    assert isinstance(second, Datagram)
    assert (first.data, first.time, first.missing) == (b"OPTIONS", 1, 0)
    assert first.flow is second.flow
    assert reply.flow.conversation == first.flow.conversation
    assert reply.flow.source == first.flow.destination == (ip_address(SERVER), 5060)
    assert tally.read == 3


@pytest.mark.parametrize("tags", [[], [0x8100], [0x88A8]], ids=["untagged", "802.1Q", "802.1ad"])
@pytest.mark.parametrize("version", [4, 6])
def test_every_datagram_of_a_flow_is_read_alike(version: int, tags: list[int]) -> None:
    """The first one makes the flow known, after which the short way can be taken."""

    def frame(datagram: bytes) -> Packet:
        ip = ipv4(datagram, protocol=17) if version == 4 else ipv6(datagram, protocol=17)
        return packet(ethernet(ip, tags=tags))

    payloads = [bytes(range(n)) for n in (100, 100, 40, 12, 11, 1, 0, 60)]
    events, tally = conversation(*(frame(udp(payload)) for payload in payloads))
    assert [event.data for event in events if isinstance(event, Datagram)] == payloads
    assert len({event.flow for event in events}) == 1
    longer, shorter, lying = (frame(udp(bytes(50), length=length)) for length in (59, 38, 7))
    events, tally = conversation(frame(udp(b"known")), longer, shorter, lying)
    assert [event.data for event in events if isinstance(event, Datagram)] == [b"known", bytes(30)]
    assert tally.unread == {"malformed UDP header": 2}
    assert (tally.packets, tally.read) == (4, 2)


def test_fragmented_datagrams_are_whole() -> None:
    whole = udp(bytes(range(200)), ports=(1, 2))
    frames = [
        ethernet(ipv4(whole[:104], protocol=17, more=True)),
        ethernet(ipv4(whole[104:], protocol=17, offset=104)),
        ethernet(ipv6_fragment(whole[104:], offset=104)),
        ethernet(ipv6_fragment(whole[:104], more=True)),
        ethernet(ipv4(whole[:104], protocol=17, more=True, identification=2)),
    ]
    events, tally = conversation(*map(packet, frames))
    assert [event.data for event in events if isinstance(event, Datagram)] == [bytes(range(200))] * 2
    assert tally.unread == {"fragments of incomplete datagrams": 1}


def test_fragmented_segments_are_whole() -> None:
    segment = tcp(5, 9, ACK, b"in two parts")
    frames = [
        ethernet(ipv4(segment[:24], more=True)),
        ethernet(ipv4(segment[24:], offset=24)),
    ]
    events, _ = conversation(*map(packet, frames))
    assert [event.data for event in events if isinstance(event, Segment)] == [b"in two parts"]


@pytest.mark.parametrize("form", FORMS)
def test_packets_cut_by_the_capture_leave_gaps_at_once(form: str) -> None:
    linktype, build = FORMS[form]
    cut = build(tcp(7, 9, ACK, bytes(range(100))), False)
    padding = 6 if form == "padded" else 0
    packets = [
        packet(build(tcp(5, 9, ACK, b"up"), False), linktype, 1),
        packet(cut[: -60 - padding], linktype, 2, len(cut)),
        packet(build(tcp(107, 9, ACK, b"on"), False), linktype, 3),
    ]
    events, tally = conversation(*packets)
    assert next(iter(runs_of(events).values())) == [b"up" + bytes(range(40)), 60, b"on"]
    assert [event.time for event in events if isinstance(event, Gap)] == [2]
    assert tally.read == 3


@pytest.mark.parametrize("form", FORMS)
def test_conflicts_with_the_last_segment_are_counted(form: str) -> None:
    linktype, build = FORMS[form]
    sent = [(5, b"first"), (10, b"real"), (10, b"real"), (10, b"fake"), (14, b"on")]
    events, tally = conversation(*(packet(build(tcp(seq, 9, ACK, data), False), linktype) for seq, data in sent))
    assert next(iter(runs_of(events).values())) == [b"firstrealon"]
    assert tally.notes == {"retransmissions": 2, "conflicting retransmissions": 1}


def test_datagrams_cut_by_the_capture_say_so() -> None:
    whole = ethernet(ipv4(udp(b"0123456789"), protocol=17))
    events, _ = conversation(packet(whole[:-4], original=len(whole)))
    (datagram,) = events
    assert isinstance(datagram, Datagram)
    assert (datagram.data, datagram.missing) == (b"012345", 4)


WHOLE = ethernet(ipv4(tcp(5, 9, ACK, b"abc")))
DATAGRAM = ethernet(ipv4(udp(b"abc"), protocol=17))


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (packet(ethernet(bytes(46), ethertype=0x0806)), "not IP: ARP"),
        (packet(bytes(60), 105), "link type 105 not supported"),
        (packet(ethernet(ipv4(bytes(8), protocol=1))), "IP protocol 1 (ICMP)"),
        (packet(ethernet(ipv4(bytes(8), protocol=200))), "IP protocol 200"),
        (packet(WHOLE[:13]), "frame too short"),
        (packet(WHOLE[:40]), "IP length beyond the frame"),
        *((packet(WHOLE[:cut], original=len(WHOLE)), "header cut by the capture") for cut in (13, 33, 34, 40, 53)),
        *((packet(DATAGRAM[:cut], original=len(DATAGRAM)), "header cut by the capture") for cut in (33, 41)),
        (packet(ethernet(ipv4(bytes(19)))), "malformed TCP header"),
        (packet(ethernet(ipv4(tcp(1)[:12] + b"\x40" + bytes(30)))), "malformed TCP header"),
        (packet(ethernet(ipv4(tcp(1)[:12] + b"\xf0" + bytes(30)))), "malformed TCP header"),
        (packet(ethernet(ipv4(bytes(7), protocol=17))), "malformed UDP header"),
        (packet(ethernet(ipv4(udp(b"abc", length=7), protocol=17))), "malformed UDP header"),
        (packet(ethernet(ipv4(udp(b"abc", length=12), protocol=17))), "malformed UDP header"),
        (packet(ethernet(ipv4(tcp(1)[:12] + b"\xf0" + bytes(7)))[:54], original=80), "malformed TCP header"),
    ],
)
def test_what_is_not_read_is_counted_by_name(one: Packet, reason: str) -> None:
    events, tally = conversation(one, packet(WHOLE))
    assert tally.unread == {reason: 1}
    assert (tally.packets, tally.read) == (2, 1)
    assert isinstance(events[0], Segment)


def test_reasons_are_bounded() -> None:
    _, tally = conversation(*(packet(b"", linktype) for linktype in range(1000, 2000)))
    assert len(tally.unread) <= 257
    assert tally.unread["other"] == 1000 - 256
    assert tally.read == 0


def test_damaged_capture_gives_its_streams_and_then_the_error() -> None:
    data = pcap([Record(WHOLE), Record(ethernet(ipv4(tcp(20, 9, ACK, b"xyz")))), Record(WHOLE)])
    tally = Tally()
    events, damage = until_damage(conversation_events(read_packets(BytesIO(data[:-1])), tally))
    assert damage is not None
    assert "ends inside a packet" in damage.reason
    assert next(iter(runs_of(events).values())) == [b"abc", 12, b"xyz"]
    assert isinstance(events[-1], End)
    assert tally.packets == 2


def test_events_come_as_soon_as_they_are_certain() -> None:
    def packets() -> Iterator[Packet]:
        yield packet(WHOLE)
        raise AssertionError("read ahead")

    events = conversation_events(packets())
    assert isinstance(next(events), Segment)


def test_udp_flows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_module, "UDP_FLOWS_LIMIT", 10)
    conversations = flow_module.Conversations(Tally())
    for port in range(1, 100):
        (event,) = conversations.feed(packet(ethernet(ipv4(udp(b"x", ports=(port, 5060)), protocol=17))))
        assert event.flow.source.port == port
        assert len(conversations.udp_flows) <= 11


def test_closed_connection_ends_once_per_direction() -> None:
    back = {"ports": (2000, 40000)}
    frames = [
        version_4(tcp(0, 0, SYN), False),
        version_4(tcp(70, 1, SYN | ACK, **back), True),  # type: ignore[arg-type]
        version_4(tcp(1, 71, ACK, b"abc"), False),
        version_4(tcp(4, 71, FIN | ACK), False),
        version_4(tcp(71, 5, FIN | ACK, **back), True),  # type: ignore[arg-type]
        version_4(tcp(5, 72), False),
    ]
    events, _ = conversation(*(packet(frame, 101, time) for time, frame in enumerate(frames)))
    assert [(type(event), event.flow.from_client, event.time) for event in events] == [
        (Segment, True, 2),
        (End, True, 3),
        (End, False, 4),
    ]
    assert {event.reason for event in events if isinstance(event, End)} == {EndReason.FIN}


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 9, 101, 108, 113, 229, 276]),
            st.one_of(
                st.binary(max_size=100),
                st.builds(
                    lambda at, value, whole: whole[:at] + bytes([value]) + whole[at + 1 :],
                    st.integers(0, 60),
                    st.integers(0, 255),
                    st.sampled_from([WHOLE, DATAGRAM, ethernet(version_6(tcp(5, 9, ACK, b"abc"), False))]),
                ),
            ),
            st.integers(0, 40),
        ),
        max_size=20,
    )
)
def test_any_packets_give_events_and_a_full_account(sent: list[tuple[int, bytes, int]]) -> None:
    events, tally = conversation(*(packet(data, link, 0, len(data) + more) for link, data, more in sent))
    assert tally.packets == len(sent)
    assert 0 <= tally.read <= len(sent)
    for event in events:
        if isinstance(event, Gap):
            assert event.size > 0
    runs_of(events)
