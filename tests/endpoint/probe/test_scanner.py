"""The scanner's exchange: what is sent, what its rule makes of the answers, and what is left behind."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.network import ByteStream, DatagramSocket, TransportAddress
from callgate.endpoint.probe import scanner
from callgate.endpoint.probe.scanner import Replay, predict, replay, replay_messages, scanner_reports
from callgate.endpoint.sockets import LocalNetwork
from callgate.lab.pytest_fixtures import require_tool
from callgate.sccp import decode, encode
from callgate.sccp.framing import frame
from callgate.sccp.messages.registration import RegisterAckMessage, RegisterRejectMessage

CAPTURES = Path(__file__).parents[2] / "data" / "sccp" / "captures"
Serve = Callable[..., int]

ACK = encode(RegisterAckMessage(keep_alive_interval=120, date_template=b"D.M.Y"))
LAMP = bytes.fromhex("1000000000000000860000000f0000000100000001000000")
CAPABILITIES = frame(0x009B)
KEEPALIVE_ACK = frame(0x0100)
NAMED = encode(RegisterRejectMessage(text=b"No Authority: SEP6E6573737573"))
BLANK = encode(RegisterRejectMessage(text=b"No Authority: "))
OTHER_WORDS = encode(RegisterRejectMessage(text=b"Device Unknown"))
ANOTHER = encode(RegisterRejectMessage(text=b"No Authority: SEP001122334455"))


def captured(name: str, header: str, length: int) -> bytes:
    """A message as it stands in a capture of a real server."""
    data = (CAPTURES / name).read_bytes()
    at = data.index(bytes.fromhex(header))
    return data[at : at + length]


def test_the_three_messages_have_the_sizes_and_names_of_the_notes() -> None:
    messages = replay_messages(ip_address("192.0.2.1"))
    assert [len(message) for message in messages] == [104, 56, 16]
    alarm, register, ip_port = (decode(message) for message in messages)
    assert [type(one).__name__ for one in (alarm, register, ip_port)] == [
        "AlarmMessage",
        "RegisterReqMessage",
        "IpPortMessage",
    ]
    assert b"SEP6E6573737573\0" in messages[1]
    assert [int.from_bytes(message[8:12], "little") for message in messages] == [0x20, 0x01, 0x02]


def test_over_ipv6_no_ipv4_address_is_claimed() -> None:
    assert decode(replay_messages(ip_address("2001:db8::1"))[1]) == decode(replay_messages(ip_address("0.0.0.0"))[1])


@pytest.mark.lab
def test_tshark_finds_the_three_messages_well_formed(tmp_path: Path) -> None:
    sequence, packets = 1, b""
    for message in replay_messages(ip_address("192.168.1.50")):
        tcp = struct.pack("!HHIIBBHHH", 40000, 2000, sequence, 1, 0x50, 0x18, 65535, 0, 0) + message
        sequence += len(message)
        addresses = ip_address("192.168.1.50").packed + ip_address("192.168.1.10").packed
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + addresses + tcp
        packets += struct.pack("<IIII", 1, 0, len(packet), len(packet)) + packet
    (tmp_path / "s.pcap").write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + packets)
    fields = ("skinny.data_length", "skinny.messageId", "skinny.DeviceName", "_ws.malformed")
    command = [require_tool("tshark"), "-r", str(tmp_path / "s.pcap"), "-d", "tcp.port==2000,skinny", "-T", "fields"]
    command += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(int(length), int(number, 0), name, bad) for length, number, name, bad in rows] == [
        (96, 0x20, "", ""),
        (48, 0x01, "SEP6E6573737573", ""),
        (8, 0x02, "", ""),
    ]


@pytest.mark.parametrize(
    ("received", "reported", "text"),
    [
        (ACK, True, "RegisterAckMessage came back alone"),
        (NAMED, True, "RegisterRejectMessage came back alone"),
        (b"", False, "nothing came back"),
        (LAMP + LAMP + ACK, False, "SetLampMessage came before RegisterAckMessage"),
        (LAMP + NAMED, False, "SetLampMessage came before RegisterRejectMessage"),
        (KEEPALIVE_ACK + ACK, False, "KeepAliveAckMessage came before RegisterAckMessage"),
        (OTHER_WORDS, False, 'RegisterRejectMessage came back, but its text has other words: "Device Unknown"'),
        (BLANK, False, 'RegisterRejectMessage came back, but its text does not name the device: "No Authority: "'),
        (
            ANOTHER,
            False,
            'RegisterRejectMessage came back, but its text does not name the device: "No Authority: SEP001122334455"',
        ),
        (KEEPALIVE_ACK, False, "KeepAliveAckMessage came back, and no answer to Register"),
        (frame(0x7777), False, "message 0x7777 came back, and no answer to Register"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "what came back is not SCCP: HTTP/1.1 400 Bad Request"),
        (ACK[:-1], False, "what came back is not SCCP: "),
        (
            ACK + CAPABILITIES,
            None,
            "RegisterAckMessage came back, but CapabilitiesReq follows at once: it depends on how the scanner",
        ),
        (ACK + b"\0", None, "RegisterAckMessage came back, but 1 more bytes follow at once: it depends"),
    ],
)
def test_the_scanners_rule(received: bytes, reported: bool | None, text: str) -> None:
    prediction = predict(received)
    assert prediction.reported is reported
    assert prediction.text.startswith(text)
    assert scanner_reports(received) is (reported is True)


def test_the_captured_reject_of_chan_skinny_escapes_the_scanner() -> None:
    reject = captured("skinny-reject.pcap", "25000000000000009d000000", 45)
    assert reject[12:26] == b"No Authority: "
    assert not scanner_reports(reject)
    assert predict(reject).text.endswith('does not name the device: "No Authority: "')


def test_the_captured_acks_of_both_servers() -> None:
    ack = captured("sccp-call600-11.pcap", "180000000000000081000000", 32)
    assert scanner_reports(ack)
    lamp = captured("skinny-call600-11.pcap", "100000000000000086000000", 24)
    ack = captured("skinny-call600-11.pcap", "180000000000000081000000", 32)
    assert scanner_reports(ack)
    assert not scanner_reports(lamp + lamp + ack)


@given(st.binary(max_size=200))
def test_any_bytes_get_a_prediction_of_one_line(received: bytes) -> None:
    prediction = predict(received)
    assert prediction.text.isascii()
    assert prediction.text.isprintable()
    assert (prediction.reported is True) is scanner_reports(received)


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=60))
def test_the_length_must_be_that_of_all_that_came(length: int, version: int, body: bytes) -> None:
    received = struct.pack("<III", length, version, 0x81) + body
    assert scanner_reports(received) is (length == len(received) - 8)


class Server:
    """Reads whole messages from each connection, and answers the Register with given bytes."""

    def __init__(self, *answers: bytes, confirm: bool = True, closes: bool = True) -> None:
        self.answers = answers
        self.confirm = confirm
        self.closes = closes
        self.ids: list[int] = []
        self.rest = b""
        self.ended = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        try:
            while (data := connection.recv(4096)) != b"":
                self.rest += data
                while len(self.rest) >= 12 and len(self.rest) >= 8 + int.from_bytes(self.rest[:4], "little"):
                    end = 8 + int.from_bytes(self.rest[:4], "little")
                    self.ids.append(int.from_bytes(self.rest[8:12], "little"))
                    self.rest = self.rest[end:]
                    if self.ids[-1] == 0x02:
                        for answer in self.answers:
                            connection.sendall(answer)
                    if self.ids[-1] == 0x27:
                        if self.confirm:
                            connection.sendall(frame(0x0118, bytes(4)))
                        if self.closes:
                            return
        finally:
            self.ended.set()


def ask(port: int, host: str = "127.0.0.1", wait_seconds: float = 0.6) -> Replay:
    async def run() -> Replay:
        async with asyncio.timeout(20):
            remote = TransportAddress(ip_address(host), port)
            return await replay(LocalNetwork(), remote, connect_seconds=1, wait_seconds=wait_seconds)

    return asyncio.run(run())


def test_a_server_that_takes_the_device_in_is_left_clean(serve: Serve, loopback: str) -> None:
    server = Server(ACK)
    done = ask(serve(server, loopback), loopback)
    assert done.prediction.reported is True
    assert (done.registered, done.left) == (True, "unregistered")
    assert server.ended.wait(5)
    assert server.ids == [0x20, 0x01, 0x02, 0x27]
    assert server.rest == b""


def test_a_server_that_only_closes_upon_unregister_is_left_clean(serve: Serve) -> None:
    server = Server(LAMP, LAMP, ACK, confirm=False)
    done = ask(serve(server))
    assert done.prediction.reported is False
    assert (done.registered, done.left) == (True, "unregistered")
    assert server.ids == [0x20, 0x01, 0x02, 0x27]


def test_an_unregister_without_a_sign_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "LEAVE_SECONDS", 0.1)
    done = ask(serve(Server(ACK, confirm=False, closes=False)))
    assert (done.registered, done.left) == (True, "unregistered, which the server did not confirm")


def test_a_rejected_device_has_nothing_to_unregister(serve: Serve) -> None:
    server = Server(OTHER_WORDS)
    done = ask(serve(server))
    assert (done.prediction.reported, done.registered, done.left) == (False, False, "")
    assert server.ended.wait(5)
    assert server.ids == [0x20, 0x01, 0x02]


def test_a_silent_server_is_told_to_forget_the_device_all_the_same(serve: Serve) -> None:
    server = Server()
    done = ask(serve(server), wait_seconds=0.2)
    assert (done.prediction.text, done.registered, done.left) == ("nothing came back", False, "")
    assert server.ended.wait(5)
    assert server.ids == [0x20, 0x01, 0x02, 0x27]


def test_an_answer_in_pieces_is_taken_as_a_whole(serve: Serve) -> None:
    def slowly(connection: socket.socket) -> None:
        connection.recv(4096)
        for piece in (ACK[:5], ACK[5:20], ACK[20:]):
            time.sleep(0.05)
            connection.sendall(piece)
        while connection.recv(4096):
            pass

    assert ask(serve(slowly)).prediction.reported is True


def test_nothing_is_sent_where_nothing_listens(closed_port: Callable[..., int]) -> None:
    done = ask(closed_port())
    assert done.prediction.reported is None
    assert not done.registered


def endless(connection: socket.socket) -> None:
    while True:
        connection.sendall(bytes(range(32, 104)) * 100)


def reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close_at_once(connection: socket.socket) -> None:
    connection.close()


def half_an_ack(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ACK[:16])
    while connection.recv(4096):
        pass


def drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"\x04")
        time.sleep(0.02)


@pytest.mark.parametrize("behaviour", [endless, reset, close_at_once, half_an_ack, drip])
def test_a_hostile_peer_ends_in_bounded_time_and_registers_nothing(
    serve: Serve, behaviour: Callable[[socket.socket], None]
) -> None:
    done = ask(serve(behaviour), wait_seconds=0.3)
    assert done.prediction.reported is not True
    assert done.prediction.text.isprintable()
    assert not done.registered


class Flood:
    """A network whose only stream has always more to give, at once: no time passes while it is read."""

    def __init__(self) -> None:
        self.local = TransportAddress(ip_address("192.0.2.1"), 40000)
        self.remote = TransportAddress(ip_address("192.0.2.2"), 2000)
        self.given = 0
        self.sent: list[bytes] = []
        self.ends: list[str] = []

    async def connect(self, remote: TransportAddress, *, within: float) -> ByteStream:
        return self

    async def datagrams(self, *, toward: TransportAddress) -> DatagramSocket:
        raise AssertionError("no datagrams are sent")

    async def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def receive(self) -> bytes:
        self.given += 1
        assert self.given < 1000, "read without a bound"
        return LAMP * 100

    async def close(self) -> None:
        self.ends.append("closed politely")

    def abort(self) -> None:
        self.ends.append("dropped")


def test_a_flood_is_read_within_bounds_and_ended_politely() -> None:
    network = Flood()
    done = asyncio.run(replay(network, network.remote))
    assert done.prediction.text == "SetLampMessage came back, and no answer to Register"
    assert network.ends == ["closed politely"]
    assert network.sent == [*replay_messages(network.local.address), frame(0x27)]


def test_an_interrupted_replay_unregisters_before_it_ends(serve: Serve) -> None:
    server = Server(ACK)
    port = serve(server)

    async def run() -> None:
        async with asyncio.timeout(20):
            remote = TransportAddress(ip_address("127.0.0.1"), port)
            task = asyncio.create_task(replay(LocalNetwork(), remote, wait_seconds=5))
            while 0x02 not in server.ids:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert server.ended.wait(5)
    assert server.ids == [0x20, 0x01, 0x02, 0x27]
    assert server.rest == b""
