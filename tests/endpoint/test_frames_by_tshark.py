"""What the probes send, as tshark reads it: an independent judge of both frames."""

from __future__ import annotations

import struct
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from callgate.endpoint.answer import exchange_for
from callgate.lab.pytest_fixtures import require_tool

pytestmark = pytest.mark.lab


def capture(path: Path, payload: bytes, port: int) -> None:
    """A pcap with one TCP segment, raw IP (LINKTYPE_RAW 101)."""
    tcp = struct.pack("!HHIIBBHHH", 40000, port, 1, 1, 0x50, 0x18, 65535, 0, 0) + payload
    source, destination = ip_address("192.168.1.50").packed, ip_address("192.168.1.10").packed
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, source, destination)
    packet = header + tcp
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    path.write_bytes(file + struct.pack("<IIII", 1, 0, len(packet), len(packet)) + packet)


def read(path: Path, port: int, protocol: str, *fields: str) -> list[str]:
    command = [require_tool("tshark"), "-r", str(path), "-d", f"tcp.port=={port},{protocol}", "-T", "fields"]
    for field in (*fields, "_ws.malformed"):
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    return done.stdout.rstrip("\n").split("\t")


def test_sccp_probe_is_one_well_formed_keepalive(tmp_path: Path) -> None:
    payload = exchange_for("sccp", "tcp", ip_address("192.168.1.10"), 2000).payload
    capture(tmp_path / "k.pcap", payload, 2000)
    length, message, malformed = read(tmp_path / "k.pcap", 2000, "skinny", "skinny.data_length", "skinny.messageId")
    assert (int(length), int(message, 0), malformed) == (4, 0, "")


@pytest.mark.parametrize("address", ["192.168.1.10", "fd00:1::10"])
def test_sip_probe_is_one_well_formed_options(tmp_path: Path, address: str) -> None:
    payload = exchange_for("sip", "tcp", ip_address(address), 5060, token="abcdef012345").payload
    capture(tmp_path / "o.pcap", payload, 5060)
    method, length, sequence, malformed = read(
        tmp_path / "o.pcap", 5060, "sip", "sip.Method", "sip.Content-Length", "sip.CSeq.method"
    )
    assert (method, length, sequence, malformed) == ("OPTIONS", "0", "OPTIONS", "")
