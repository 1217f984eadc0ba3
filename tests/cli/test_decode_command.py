"""`callgate decode`, as a user runs it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.records.connection import Connection
from tests.records.packets import pcap

from callgate.sccp import UnknownMessage, encode
from callgate.sccp.messages.devices import AlarmMessage
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.registration import KeepAliveReqMessage, RegisterReqMessage
from callgate.sccp.messages.structures import StationIdentifier

Callgate = Callable[..., subprocess.CompletedProcess[str]]
CAPTURES = Path(__file__).parents[1] / "data" / "sccp" / "captures"
CALL = str(CAPTURES / "sccp-call600-22.pcap")
KEYS = ["time", "source", "destination", "direction", "header_version", "id", "name", "fields"]


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def capture(tmp_path: Path) -> Callable[[Connection], str]:
    def write(talk: Connection) -> str:
        path = tmp_path / "made.pcap"
        path.write_bytes(pcap(talk.records))
        return str(path)

    return write


def test_a_line_is_a_message_with_time_device_direction_id_name_and_fields(run_callgate: Callgate) -> None:
    done = run_callgate("decode", CALL)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(lines) == 78
    assert (
        "2026-11-22 13:01:29.483251 SEP001122334455 phone->server 0003 KeypadButtonMessage"
        " kpButton=SIX lineInstance=1 callReference=4"
    ) in lines
    assert any(
        line.endswith('0143 DisplayNotifyV2Message timeOutValue=5 notify="Asterisk {Connected}"') for line in lines
    )


def test_json_has_the_keys_others_script_against(run_callgate: Callgate) -> None:
    done = run_callgate("decode", CALL, "--json")
    found = objects(done.stdout)
    assert len(found) == 78
    assert all(list(one) == KEYS for one in found)
    assert found[0]["name"] == "RegisterReqMessage"
    assert found[0]["id"] == 1
    assert found[0]["direction"] == "phone->server"
    assert found[0]["source"] == "127.0.0.1:51882"
    assert found[0]["destination"] == "127.0.0.2:2000"
    assert found[0]["time"] == 1795352488.536459
    assert found[0]["fields"]["sid"]["DeviceName"] == "SEP001122334455"
    assert found[0]["fields"]["stationIpAddr"] == "127.0.0.1"
    assert found[0]["fields"]["protocolVer"] == 22
    assert found[3]["fields"]["caps"][0]["payloadCapability"] == 4
    assert {one["header_version"] for one in found} == {0, 22}


@pytest.mark.parametrize("wanted", ["0x0003", "3", "KeypadButtonMessage", "keypadbutton"])
def test_messages_are_chosen_by_id_or_name(run_callgate: Callgate, wanted: str) -> None:
    found = objects(run_callgate("decode", CALL, "--json", "--id", wanted).stdout)
    assert [one["fields"]["kpButton"] for one in found] == [6, 0, 0]


def test_ids_add_up(run_callgate: Callgate) -> None:
    found = objects(run_callgate("decode", CALL, "--json", "--id", "3", "--id", "OnHook").stdout)
    assert [one["id"] for one in found] == [3, 3, 3, 7]


@pytest.mark.parametrize(("device", "count"), [("sep001122334455", 78), ("127.0.0.1", 78), ("SEPFFFFFFFFFFFF", 0)])
def test_messages_are_chosen_by_device_or_phones_address(run_callgate: Callgate, device: str, count: int) -> None:
    done = run_callgate("decode", CALL, "--device", device)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == count


def test_arrays_are_counted_and_in_full_written_out(run_callgate: Callgate) -> None:
    short = run_callgate("decode", CALL, "--id", "0x0010").stdout
    assert short.endswith("CapabilitiesResMessage capCount=3 caps=[3]\n")
    full = run_callgate("decode", CALL, "--id", "0x0010", "--full").stdout
    assert "caps[0].payloadCapability=G711_ULAW64K caps[0].maxFramesPerPacket=40" in full


def test_summary_tells_connections_and_counts(run_callgate: Callgate) -> None:
    done = run_callgate("decode", CALL, "--summary")
    first, *rest = done.stdout.splitlines()
    assert first == (
        "2026-11-22 13:01:28.536459 SEP001122334455 127.0.0.1:51882 > 127.0.0.2:2000: registered, version 22,"
        " keepalive 53 s; 16 messages sent, 62 received in 4.0 s; 1 calls"
    )
    assert rest[0] == "1 connections"
    assert "        3 0003 KeypadButtonMessage" in rest


def test_standard_input_and_gzip_are_read(run_callgate: Callgate, tmp_path: Path) -> None:
    packed = tmp_path / "call.pcap.gz"
    packed.write_bytes(gzip.compress(Path(CALL).read_bytes()))
    expected = run_callgate("decode", CALL).stdout
    assert run_callgate("decode", str(packed)).stdout == expected
    with open(packed, "rb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "callgate", "decode", "-"], stdin=stream, capture_output=True, timeout=60, check=True
        )
    assert done.stdout.decode() == expected


def test_sip_is_named_as_sip(run_callgate: Callgate, capture: Callable[[Connection], str]) -> None:
    path = capture(Connection(server_port=5060).phone(b"REGISTER sip:pbx SIP/2.0\r\n\r\n"))
    (line,) = run_callgate("decode", path).stdout.splitlines()
    assert line.endswith('10.0.0.1:40000 > 10.0.1.1:5060 SIP "REGISTER sip:pbx SIP/2.0"')
    (one,) = objects(run_callgate("decode", path, "--json").stdout)
    assert list(one) == KEYS
    assert one["name"] == "SIP"
    assert one["fields"] == {"startLine": "REGISTER sip:pbx SIP/2.0"}
    assert run_callgate("decode", path, "--id", "1").stdout == ""


def test_what_is_unexplained_unknown_or_out_of_order_is_said(
    run_callgate: Callgate, capture: Callable[[Connection], str]
) -> None:
    strange = b"\x0c\0\0\0\0\0\0\0\0\0\0\0behind a"
    sent = strange + encode(UnknownMessage(0x777, b"\1\2\3\4")) + encode(KeypadButtonMessage(5, 1, 0))
    path = capture(Connection().phone(sent).close())
    done = run_callgate("decode", path)
    lines = done.stdout.splitlines()
    assert lines[0].endswith("0000 KeepAliveReqMessage +8 bytes unexplained")
    assert lines[1].endswith("0777 Unknown body=01020304")
    assert lines[3] == "  ! phone: KeypadButtonMessage needs a registration: unregistered"
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "callgate: 1 messages out of order, as the session model has it",
        "callgate: 1 KeepAliveReqMessage with bytes behind the fields that no source explains",
        "callgate: 1 messages of unknown id 0x0777",
    ]
    tail, unknown, key = objects(run_callgate("decode", path, "--json").stdout)
    assert tail["unexplained_tail"] == b"behind a".hex()
    assert unknown["fields"] == {"body": "01020304"}
    assert unknown["id"] == 0x777
    assert key["violations"] == ["phone: KeypadButtonMessage needs a registration: unregistered"]


def test_what_strangers_wrote_cannot_reach_the_terminal(
    run_callgate: Callgate, capture: Callable[[Connection], str]
) -> None:
    evil = StationIdentifier(b"\x1b[2J\xff\r\n", 0, 1)
    alarm = AlarmMessage(2, b"\x1b]0;title\x07 \xe2\x80\xae")
    sip = b"OPTIONS sip:\x1b[31mx SIP/2.0\r\n\r\n"
    talk = Connection().phone(encode(RegisterReqMessage(evil)) + encode(alarm) + encode(KeepAliveReqMessage()))
    path = capture(talk)
    for options in ([], ["--json"], ["--summary"], ["--full"]):
        done = run_callgate("decode", path, *options)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr
        assert "\x07" not in done.stdout
        assert "\u202e" not in done.stdout
    path = capture(Connection(server_port=5060).phone(sip))
    for options in ([], ["--json"], ["--summary"]):
        assert "\x1b" not in run_callgate("decode", path, *options).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nowhere.pcap"], 2, "nowhere.pcap: No such file or directory"),
        (["."], 2, "Is a directory"),
        ([CALL, "--id", "CallStat"], 2, "--id CallStat: neither a number nor the name of a message"),
        ([CALL, "--id", "CallStat"], 2, "(near: CallStateMessage)"),
        ([CALL, "--id", "0x100000000"], 2, "a message id has 32 bits"),
        ([CALL, "--id", "-1"], 2, "a message id has 32 bits"),
        ([CALL, "--port", "0"], 2, "--port"),
        ([CALL, "--json", "--summary"], 2, "--json and --summary exclude each other"),
        ([__file__], 3, "neither pcap nor pcapng"),
        ([], 2, "Missing argument 'CAPTURE'"),
    ],
)
def test_a_mistake_is_one_clear_line(run_callgate: Callgate, arguments: list[str], code: int, text: str) -> None:
    done = run_callgate("decode", *arguments)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_cut_capture_gives_what_is_whole_and_ends_as_not_determined(run_callgate: Callgate, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(Path(CALL).read_bytes()[:-30])
    done = run_callgate("decode", str(path))
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) >= 70
    assert "at byte" in done.stderr.splitlines()[-1]
