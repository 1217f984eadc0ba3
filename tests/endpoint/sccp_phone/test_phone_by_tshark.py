"""What the phone sends, as tshark reads it: no malformed frame, and the order and lengths of real phones."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.endpoint.sccp_phone.memory_network import SERVER, MemoryNetwork
from tests.endpoint.sccp_phone.scripted import NAME, CallManager
from tests.records.packets import ACK, PSH, Record, ethernet, ipv4, pcap, tcp

from callgate.endpoint.sccp_phone import Identity, Patience, call_once
from callgate.lab.pytest_fixtures import require_tool

PATIENCE = Patience(digit=0.0)
FIRST = ["0x0001", "0x0010", "0x000e", "0x0028", "0x0025", "0x000b", "0x002d", "0x000d", "0x0000"]
LENGTHS = {"0x0001": 72, "0x0010": 296, "0x000b": 8, "0x002d": 8, "0x0006": 12, "0x0003": 16, "0x0007": 12, "0x0027": 8}


def captured_call(version: int, *, enbloc: bool) -> list[bytes]:
    """The writes of a phone that calls once."""

    async def scenario() -> list[bytes]:
        async with asyncio.timeout(10):
            network = MemoryNetwork(CallManager())
            identity = Identity(device_name=NAME, version=version)
            await call_once(network, SERVER, identity, "600", seconds=0.0, enbloc=enbloc, patience=PATIENCE)
            return network.streams[0].writes

    return asyncio.run(scenario())


def read_by_tshark(folder: Path, writes: list[bytes]) -> list[tuple[str, int, str]]:
    """Of each packet the message id, the length field and what is wrong with it."""
    records, seq = [], 1
    for write in writes:
        records.append(Record(ethernet(ipv4(tcp(seq, 1, ACK | PSH, write)))))
        seq += len(write)
    capture = folder / "phone.pcap"
    capture.write_bytes(pcap(records))
    fields = [word for name in ("skinny.messageId", "skinny.data_length", "_ws.malformed") for word in ("-e", name)]
    done = subprocess.run(
        [require_tool("tshark"), "-n", "-r", str(capture), "-d", "tcp.port==2000,skinny", "-T", "fields", *fields],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(f"{int(number, 0):#06x}", int(length), wrong) for number, length, wrong in rows]


@pytest.mark.parametrize("enbloc", [False, True], ids=["keypad", "en bloc"])
@pytest.mark.parametrize("version", [0, 3, 11, 17, 20, 22])
def test_tshark_reads_every_frame_in_order_and_length(tmp_path: Path, version: int, enbloc: bool) -> None:
    writes = captured_call(version, enbloc=enbloc)
    found = read_by_tshark(tmp_path, writes)
    assert len(found) == len(writes)
    dialling = ["0x0004"] if enbloc else ["0x0006", "0x0003", "0x0003", "0x0003"]
    assert [number for number, _, _ in found] == [*FIRST, *dialling, "0x0022", "0x0007", "0x0027"]
    assert [wrong for _, _, wrong in found] == [""] * len(found)
    lengths = {number: length for number, length, _ in found}
    expected = {**LENGTHS, "0x0022": 40 if version >= 17 else 24}
    if enbloc:
        expected["0x0004"] = 36 if version >= 19 else 32
    assert {number: lengths[number] for number in lengths if number in expected} == {
        number: length for number, length in expected.items() if number in lengths
    }
