"""tshark as the judge: the same packets, the same conversations, the same bytes."""

from __future__ import annotations

import gzip
import subprocess
from collections import Counter
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Final

import pytest
from tests.records.damage import until_damage
from tests.records.packets import ACK, FIN, SYN, Record, ethernet, ipv4, ipv6, pcap, tcp, udp
from tests.records.stream_model import Run, runs_of

from callgate.lab.pytest_fixtures import require_tool
from callgate.records.capture import Packet, open_capture, read_packets
from callgate.records.flow import Datagram, Flow, Segment, Tally, conversation_events

CAPTURES: Final = sorted((Path(__file__).parents[1] / "data" / "sccp" / "captures").glob("*.pcap"))


def tool(name: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [require_tool(name), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fields(path: Path, display: str, *names: str) -> list[tuple[str, ...]]:
    options = [word for name in names for word in ("-e", name)]
    lines = tool("tshark", "-n", "-r", path, "-Y", display, "-T", "fields", *options).splitlines()
    return [tuple(line.split("\t")) for line in lines]


def followed(path: Path) -> Counter[tuple[str, bytes]]:
    """Sender and bytes of every direction of every TCP connection that carries some, by tshark."""
    streams = sorted({int(stream) for (stream,) in fields(path, "tcp", "tcp.stream")})
    options = [word for stream in streams for word in ("-z", f"follow,tcp,raw,{stream}")]
    found: Counter[tuple[str, bytes]] = Counter()
    nodes: list[str] = []
    parts: list[bytes] = []
    for line in tool("tshark", "-n", "-q", "-r", path, *options).splitlines():
        if line.startswith("Node "):
            nodes.append(line.split(": ", 1)[1])
            parts.append(b"")
        elif line.startswith("===") and nodes:
            found.update((node, part) for node, part in zip(nodes, parts, strict=True) if part)
            nodes, parts = [], []
        elif nodes:
            parts[line.startswith("\t")] += bytes.fromhex(line.strip())
    return found


def reassembled(path: Path) -> Counter[tuple[str, bytes]]:
    events = (event for event in conversation_events(open_capture(path)) if not isinstance(event, Datagram))
    return Counter((str(flow.source), joined(runs)) for flow, runs in runs_of(events).items() if runs)


def joined(runs: list[Run]) -> bytes:
    """The stream's bytes; there must be no gap, for which tshark puts words of its own."""
    (run,) = runs
    assert isinstance(run, bytes)
    return run


def assert_same_packets(path: Path, mine: list[Packet]) -> None:
    rows = fields(path, "frame", "frame.time_epoch", "frame.cap_len", "frame.len")
    theirs = []
    for time, captured, length in rows:
        seconds, _, fraction = time.partition(".")
        theirs.append((int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0")), int(captured), int(length)))
    assert [(packet.time, len(packet.data), packet.original_length) for packet in mine] == theirs


def test_there_are_real_captures() -> None:
    assert len(CAPTURES) >= 9


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_real_captures_are_read_alike(path: Path) -> None:
    assert_same_packets(path, list(open_capture(path)))
    assert reassembled(path) == followed(path)
    tally = Tally()
    datagrams = [event for event in conversation_events(open_capture(path), tally) if isinstance(event, Datagram)]
    rows = fields(path, "udp and not icmp", "ip.src", "udp.srcport", "ip.dst", "udp.dstport", "udp.length")
    assert [
        (str(one.flow.source.address), one.flow.source.port, str(one.flow.destination.address)) for one in datagrams
    ] == [(source, int(port), destination) for source, port, destination, _, _ in rows]
    assert [8 + len(one.data) for one in datagrams] == [int(row[4]) for row in rows]
    assert not tally.unread
    assert not tally.notes


def generated() -> list[Record]:
    """Connections with reordered, repeated and overlapping segments, across the wrap of sequence numbers."""
    random = Random(7)
    records: list[Record] = []
    time = 1_700_000_000_000_001_000
    for number in range(12):
        version = ipv6 if number % 3 == 2 else ipv4
        hosts = ("fd00::1", "fd00::2") if number % 3 == 2 else ("10.0.0.1", "10.0.1.1")
        tags = [0x8100] * (number % 4 // 2) + [0x8100] * (number % 2)
        streams = [random.randbytes(2000), random.randbytes(1500)]
        isn = [2**32 - 700, 2**32 - 300] if number % 2 else [random.randrange(2**31), random.randrange(2**31)]
        frames: list[tuple[bool, int, int, int, bytes]] = [
            (False, 0, -1, SYN, b""),
            (True, 0, 1, SYN | ACK, b""),
            (False, 1, 1, ACK, b""),
        ]
        for back, stream in enumerate(streams):
            low, sent = 0, []
            while low < len(stream):
                size = random.randrange(1, 300)
                sent.append((bool(back), 1 + low, 1, ACK, stream[low : low + size]))
                low += size
            for _ in range(4):
                low = random.randrange(len(stream) - 50)
                sent.insert(random.randrange(len(sent)), (bool(back), 1 + low, 1, ACK, stream[low : low + 150]))
            for at in range(0, len(sent) - 3, 3):
                part = sent[at : at + 3]
                random.shuffle(part)
                sent[at : at + 3] = part
            frames += sent
        frames.append((False, 2001, 1501, FIN | ACK, b""))
        frames.append((True, 1501, 2002, FIN | ACK, b""))
        frames.append((False, 2002, 1502, ACK, b""))
        for back, seq, ack, flags, data in frames:
            ports = (2000, 40000 + number) if back else (40000 + number, 2000)
            segment = tcp(isn[back] + seq, isn[not back] + ack, flags, data, ports=ports)
            source, destination = reversed(hosts) if back else hosts
            packet = version(segment, source=source, destination=destination)
            time += 1_000_003_000
            records.append(Record(ethernet(packet, tags=tags), time))
        records.append(Record(ethernet(ipv4(udp(b"between"), protocol=17)), time + 1000))
    return records


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "generated.pcap"
    path.write_bytes(pcap(generated()))
    return path


def test_generated_streams_are_reassembled_alike(capture: Path) -> None:
    mine = reassembled(capture)
    assert mine.total() == 24
    assert mine == followed(capture)
    assert_same_packets(capture, list(open_capture(capture)))


def test_conversations_are_numbered_alike(capture: Path) -> None:
    flows: dict[int, Flow] = {}
    for event in conversation_events(open_capture(capture)):
        if isinstance(event, Segment):
            flows.setdefault(event.flow.conversation, event.flow)
    ports = sorted({max(flow.source.port, flow.destination.port) for flow in flows.values()})
    rows = fields(capture, "tcp.flags.syn == 1 and tcp.flags.ack == 0", "tcp.stream", "tcp.srcport")
    assert [int(port) for _, port in rows] == ports
    assert len(flows) == len(rows) == 12


@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "modpcap", "pcapng"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_what_editcap_writes_is_read(capture: Path, tmp_path: Path, form: str, compressed: bool) -> None:
    path = tmp_path / "written"
    tool("editcap", "-F", form, capture, path)
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    packets = list(open_capture(path))
    assert packets == list(open_capture(capture))
    assert_same_packets(path, packets)


def test_nanoseconds_of_editcap_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "nanoseconds.pcap"
    path.write_bytes(pcap([Record(bytes(60), 1_700_000_000_123_456_789)], nanoseconds=True))
    written = tmp_path / "nanoseconds.pcapng"
    tool("editcap", "-F", "pcapng", path, written)
    assert [packet.time for packet in open_capture(written)] == [1_700_000_000_123_456_789]
    assert_same_packets(written, list(open_capture(written)))


def test_what_editcap_cuts_is_missing_and_no_more(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    tool("editcap", "-s", "100", "-F", "pcap", capture, path)
    assert_same_packets(path, list(open_capture(path)))
    whole = runs_of(conversation_events(open_capture(capture)))
    cut = runs_of(conversation_events(open_capture(path)))
    compared = 0
    for mine, theirs in zip(cut.items(), whole.items(), strict=True):
        assert str(mine[0]) == str(theirs[0])
        stream = b"".join(run for run in theirs[1] if isinstance(run, bytes))
        at = 0
        for run in mine[1]:
            if isinstance(run, bytes):
                assert stream[at : at + len(run)] == run
                compared += len(run)
            at += run if isinstance(run, int) else len(run)
        if not str(mine[0]).endswith("5060"):
            assert at == len(stream)
    assert compared > 3000


def test_merged_captures_of_other_links_are_read(capture: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.pcap"
    raw.write_bytes(pcap([Record(ipv4(udp(b"raw"), protocol=17), 1_600_000_000_000_000_000)], linktype=101))
    path = tmp_path / "merged.pcapng"
    tool("mergecap", "-F", "pcapng", "-w", path, raw, capture)
    packets = list(open_capture(path))
    assert_same_packets(path, packets)
    assert packets[0].linktype == 101
    assert packets[1:] == list(open_capture(capture))


def test_capture_tshark_calls_cut_is_cut(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(capture.read_bytes()[:-7])
    done = subprocess.run(
        [require_tool("tshark"), "-n", "-r", path, "-T", "fields", "-e", "frame.number"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert "cut short" in done.stderr
    packets, damage = until_damage(read_packets(BytesIO(path.read_bytes())))
    assert damage is not None
    assert len(packets) == len(done.stdout.splitlines()) == len(generated()) - 1
