"""The SCCP codec beside tshark and scapy, on one capture, in one run.

Usage: python bench/sccp_codec.py [MESSAGES]     (default 500000)

The capture repeats the messages of tests/data/sccp/captures (two servers, five protocol versions) in segments of up to
1,400 bytes, as a busy server coalesces them. Each program reads it in a process of its own: Callgate decodes every
message to its object, with enums and addresses; `tshark -T fields` prints the message ids; scapy's contrib layer, slow
and blind to all but the first message of a segment, gets 10,000 messages in segments of their own.
Then Callgate encodes the decoded messages again. CPU seconds and the highest resident memory of each process.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from callgate.records.capture import open_capture
from callgate.records.flow import conversation_events
from callgate.records.signalling import SccpMessage, signalling_of
from callgate.sccp import decode, encode

CAPTURES = Path(__file__).parents[1] / "tests" / "data" / "sccp" / "captures"
SEGMENT = 1400
SCAPY_MESSAGES = 10_000


def frames() -> list[bytes]:
    """The messages of the real captures, without those that were malformed on purpose."""
    paths = sorted(path for path in CAPTURES.glob("*.pcap") if "malformed" not in path.name)
    return [encode(found.message) for path in paths for found in messages_of(path)]


def messages_of(path: Path) -> Iterator[SccpMessage]:
    for found in signalling_of(conversation_events(open_capture(path))):
        if isinstance(found, SccpMessage):
            yield found


def write_capture(path: Path, messages: int, sent: list[bytes], most: int) -> None:
    """A capture of that many messages in segments of up to `most` bytes, server to phone, one connection."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        sequence, packets, segment = 1, 0, b""
        for number in range(messages + 1):
            frame = sent[number % len(sent)]
            if number == messages or (segment and len(segment) + len(frame) > most):
                out.write(_packet(segment, sequence, packets))
                sequence, packets, segment = sequence + len(segment), packets + 1, b""
            segment += frame


def _packet(payload: bytes, sequence: int, number: int) -> bytes:
    addresses = bytes([10, 0, 0, 1, 10, 0, 0, 2])
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0) + addresses
    tcp = struct.pack(">HHIIBBHHH", 2000, 50000, sequence & 0xFFFFFFFF, 1, 0x50, 0x18, 65535, 0, 0)
    frame = bytes(12) + b"\x08\x00" + ip + tcp + payload
    header = struct.pack("<IIII", 1_700_000_000 + number // 1000, number % 1000 * 1000, len(frame), len(frame))
    return header + frame


def codec_alone(sent: list[bytes], rounds: int) -> tuple[float, float]:
    """Messages a second of `decode` and of `encode`, each a single call."""
    messages = [decode(frame) for frame in sent]
    for message in messages:
        encode(message)
    start = time.process_time()
    for _ in range(rounds):
        for frame in sent:
            decode(frame)
    decoded = time.process_time() - start
    start = time.process_time()
    for _ in range(rounds):
        for message in messages:
            encode(message)
    encoded = time.process_time() - start
    return rounds * len(sent) / decoded, rounds * len(sent) / encoded


def run(command: list[str]) -> tuple[float, int, str]:
    """CPU seconds, peak memory in KiB and output of a program."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{command[0]} failed: {os.waitstatus_to_exitcode(status)}")
        out.seek(0)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss, out.read()


SCAPY = """
import sys
from scapy.all import PcapReader, TCP
from scapy.contrib.skinny import Skinny
print(sum(1 for packet in PcapReader(sys.argv[1]) if Skinny(bytes(packet[TCP].payload)).fields))
"""


def row(name: str, rate: float, cpu: float, peak: int) -> None:
    print(f"{name:36} {rate:10,.0f} messages/s {cpu:7.2f} s CPU {peak / 1024:5.0f} MB")


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    sent = frames()
    mean = sum(map(len, sent)) / len(sent)
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "sccp.pcap", Path(folder) / "small.pcap"
        write_capture(path, messages, sent, SEGMENT)
        print(f"{messages:,} messages of {mean:.0f} bytes, {path.stat().st_size / 1e6:.0f} MB")
        cpu, peak, out = run([sys.executable, __file__, "--decode", str(path)])
        assert int(out) == messages, f"callgate decoded {out} messages"
        own = messages / cpu
        row("callgate, capture to objects", own, cpu, peak)
        if shutil.which("tshark"):
            command = ["tshark", "-r", str(path), "-d", "tcp.port==2000,skinny", "-T", "fields"]
            cpu, peak, out = run([*command, "-e", "skinny.messageId"])
            assert out.count(",") + out.count("\n") == messages, "tshark saw other messages"
            row(f"tshark -T fields ({own * cpu / messages:.1f} times slower)", messages / cpu, cpu, peak)
        else:
            print("tshark is not installed")
        if importlib.util.find_spec("scapy"):
            write_capture(small, SCAPY_MESSAGES, sent, 1)
            cpu, peak, out = run([sys.executable, "-c", SCAPY, str(small)])
            rate = int(out.split()[-1]) / cpu
            row(f"scapy contrib ({own / rate:,.0f} times slower)", rate, cpu, peak)
        else:
            print("scapy is not installed")
    decoded, encoded = codec_alone(sent, max(1, messages // len(sent) // 4))
    print(f"{'callgate, decode() of one frame':36} {decoded:10,.0f} messages/s")
    print(
        f"{'callgate, encode() of one message':36} {encoded:10,.0f} messages/s, {encoded / decoded:.2f} times decode()"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--decode"]:
        print(sum(1 for _ in messages_of(Path(sys.argv[2]))))
    else:
        main()
