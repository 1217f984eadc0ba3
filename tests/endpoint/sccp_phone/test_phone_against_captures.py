"""The phone against what real servers were captured to say: it sends what the captured phone sent, byte for byte."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from tests.endpoint.sccp_phone.captured import Captured, connections

from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sccp_phone.actions import (
    Action,
    CallEnded,
    CallProceeds,
    DialTone,
    Event,
    MediaOpen,
    MediaStart,
    MediaStop,
    Registered,
    Rejected,
    Send,
    Settled,
    Unregistered,
)
from callgate.endpoint.sccp_phone.device import Device, Stage
from callgate.endpoint.sccp_phone.identity import Identity
from callgate.sccp import decode, encode
from callgate.sccp.messages import capabilities, keys, media, registration
from callgate.sccp.messages.registration import RegisterReqMessage
from callgate.sccp.session import Role

LOOPBACK = IPv4Address("127.0.0.1")
CALLS = ["skinny-call600-11", "skinny-call600-17", "sccp-call600-11", "sccp-call600-22"]
OWN_WORDS = (capabilities.CapabilitiesResMessage, registration.UnregisterReqMessage)
"""Where the phone says something else than the captured one: other codecs, and always a reason."""


class Replay:
    """Plays a captured server to a phone, and its user as captured."""

    def __init__(self, captured: Captured) -> None:
        first = captured.messages[0][1]
        assert isinstance(first, RegisterReqMessage)
        assert first.sid is not None
        self.captured = captured
        name = (first.sid.device_name or b"").decode()
        self.device = Device(Identity(device_name=name, version=min(first.protocol_ver or 0, 22)), LOOPBACK, LOOPBACK)
        self.frames: list[bytes] = []
        self.events: list[Event] = []
        self.number = "600"
        self._media_at = next(
            (
                TransportAddress(LOOPBACK, message.port_number or 0)
                for _, message in captured.messages
                if isinstance(message, media.OpenReceiveChannelAckMessage)
            ),
            TransportAddress(LOOPBACK, 20000),
        )

    def run(self) -> None:
        for role, message in self.captured.messages:
            if role is Role.SERVER:
                self.do(self.device.receive(message))
            else:
                self.user(message)

    def user(self, message: object) -> None:
        match message:
            case registration.RegisterReqMessage():
                self.do(self.device.register())
            case keys.OffHookMessage():
                self.do(self.device.place_call(self.number, self._media_at))
            case keys.KeypadButtonMessage():
                self.do(self.device.press_next())
            case keys.OnHookMessage():
                self.do(self.device.hang_up())
            case registration.UnregisterReqMessage():
                self.do(self.device.unregister())

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self.frames.append(encode(action.message))
            else:
                self.events.append(action)


def replayed(captured: Captured) -> Replay:
    replay = Replay(captured)
    replay.run()
    return replay


def from_phone(captured: Captured) -> list[bytes]:
    return [frame for role, frame in captured.frames if role is Role.PHONE]


def own(frames: list[bytes], *, without: tuple[type, ...]) -> list[bytes]:
    return [frame for frame in frames if not isinstance(decode(frame), without)]


def ids(frames: list[bytes]) -> list[int]:
    return [int.from_bytes(frame[8:12], "little") for frame in frames]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_made_as_the_captured_phone_made_it(name: str) -> None:
    (captured,) = connections(name)
    replay = replayed(captured)
    assert ids(replay.frames) == ids(from_phone(captured))
    assert own(replay.frames, without=OWN_WORDS) == own(from_phone(captured), without=OWN_WORDS)
    assert [frame[:12] for frame in replay.frames if frame[8] == 0x27] == [
        (8).to_bytes(4, "little") + replay.frames[-1][4:8] + b"\x27\0\0\0"
    ]


@pytest.mark.parametrize("name", CALLS)
def test_a_captured_call_brings_these_events(name: str) -> None:
    (captured,) = connections(name)
    replay = replayed(captured)
    kinds = [type(event) for event in replay.events]
    expected: list[type] = [Registered, Settled, DialTone, CallProceeds, MediaOpen, MediaStart, MediaStop, CallEnded]
    assert [kind for kind in expected if kind not in kinds] == []
    assert [kind for kind in kinds if kind not in (*expected, Unregistered)] == []
    # chan_skinny says "connected" only once, chan-sccp "proceeds" first; the order of the rest is one.
    assert kinds.index(Registered) < kinds.index(Settled) < kinds.index(DialTone) < kinds.index(CallProceeds)
    assert kinds.index(MediaOpen) < kinds.index(MediaStart) < kinds.index(MediaStop) < kinds.index(CallEnded)
    assert replay.device.leg is not None
    assert replay.device.leg.connected
    assert replay.device.violations == ()


@pytest.mark.parametrize(
    ("name", "remote"),
    [
        ("skinny-call600-11", "127.0.0.1:20074"),
        ("skinny-call600-17", "127.0.0.1:20000"),
        ("sccp-call600-11", "127.0.0.2:21090"),
        ("sccp-call600-22", "127.0.0.2:21004"),
    ],
)
def test_audio_goes_where_the_captured_server_said(name: str, remote: str) -> None:
    replay = replayed(connections(name)[0])
    (started,) = [event for event in replay.events if isinstance(event, MediaStart)]
    assert str(started.remote) == remote
    assert (started.payload_type, started.codec, started.packet_milliseconds) == (0, "PCMU", 20)


def test_registrations_at_all_versions_are_those_of_the_captured_phone() -> None:
    captures = connections("skinny-reg-0-3-11-17-22-25")
    offered = []
    for captured in captures:
        replay = replayed(captured)
        phone = from_phone(captured)
        offered.append(replay.device.identity.version)
        assert ids(replay.frames) == ids(phone)
        assert own(replay.frames, without=(*OWN_WORDS, RegisterReqMessage)) == own(
            phone, without=(*OWN_WORDS, RegisterReqMessage)
        )
        # The phone that announced 25 was clamped to 22 here: byte 52 of the frame is the version.
        assert replay.frames[0][:52] + replay.frames[0][53:] == phone[0][:52] + phone[0][53:]
        assert replay.device.violations == ()
        assert replay.device.terms is not None
        assert replay.device.terms.interval_seconds == 120
        assert replay.device.terms.protocol_version == offered[-1]
    assert offered == [0, 3, 11, 17, 22, 22]


def test_a_captured_rejection_is_told() -> None:
    captured = connections("skinny-reject")[0]
    device = Device(Identity(device_name="SEPDEADBEEF0001", version=11), LOOPBACK, LOOPBACK)
    device.register()
    reject = next(message for role, message in captured.messages if role is Role.SERVER)
    assert device.receive(reject) == [Rejected("No Authority: ")]
    assert device.stage is Stage.REJECTED
    assert device.unregister() == []


@pytest.mark.parametrize(
    ("name", "off_hook", "keypad", "ack"),
    [
        ("skinny-call600-11", 12, 16, 24),
        ("skinny-call600-17", 12, 16, 40),
        ("sccp-call600-11", 12, 16, 24),
        ("sccp-call600-22", 12, 16, 40),
    ],
)
def test_lengths_are_those_of_the_table(name: str, off_hook: int, keypad: int, ack: int) -> None:
    replay = replayed(connections(name)[0])
    lengths = {frame[8]: int.from_bytes(frame[:4], "little") for frame in replay.frames}
    assert (lengths[0x06], lengths[0x03], lengths[0x22]) == (off_hook, keypad, ack)
    assert lengths[0x01] == 72


def test_header_zero_is_given_back_to_a_server_that_writes_it() -> None:
    headers = {
        name: {frame[4] for frame in replayed(connections(name)[0]).frames[1:]}
        for name in ("skinny-call600-17", "sccp-call600-22", "sccp-call600-11")
    }
    assert headers == {"skinny-call600-17": {0}, "sccp-call600-22": {22}, "sccp-call600-11": {11}}
