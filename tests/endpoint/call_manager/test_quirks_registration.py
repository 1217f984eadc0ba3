"""What sets the imitated servers apart when phones register, call, leave, or ask for a token."""

from __future__ import annotations

import struct

import pytest
from tests.endpoint.call_manager.house import FIRST, DeskPhone, House, closed, register
from tests.endpoint.call_manager.profile_frames import ACK, ALL, names

from callgate.endpoint.call_manager import Closing, Line
from callgate.sccp import Message
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.messages import devices, display, lines, media, registration, signals, templates
from callgate.sccp.messages.registration import RegisterAckMessage, RegisterRejectMessage

STRANGER = "SEPDEADBEEF0001"


def lengths(phone: DeskPhone, message_id: int) -> set[int]:
    """The length fields of what came with that id."""
    return {len(one) - 8 for one in phone.frames if one[8:12] == struct.pack("<I", message_id)}


@pytest.mark.parametrize("version", [0, 3, 11, 17, 22])
def test_chan_skinny_sends_two_lamps_before_its_ack_and_always_header_0(version: int) -> None:
    house = House("chan-skinny")
    phone = house.connect()
    answers = phone.say(register(FIRST, version))
    assert names([*answers]) == ["SetLampMessage", "SetLampMessage", "RegisterAckMessage", "CapabilitiesReq"]
    ack = phone.last(RegisterAckMessage)
    assert (ack.keep_alive_interval, ack.alignment_padding, ack.max_protocol_ver) == (120, 48, 48)
    phone.say(templates.ButtonTemplateReqMessage(), devices.TimeDateReqMessage())
    phone.lift()
    assert {one[4:8] for one in phone.frames} == {bytes(4)}
    assert house.violations() == []


@pytest.mark.parametrize("version", [0, 3, 11, 17, 22])
@pytest.mark.parametrize("profile", ["plain", "chan-sccp"])
def test_others_ack_first_and_name_the_version_from_10(profile: str, version: int) -> None:
    house = House(profile)
    phone = house.connect()
    answers = phone.say(register(FIRST, version))
    assert names([*answers]) == ["RegisterAckMessage", "CapabilitiesReq"]
    assert phone.last(RegisterAckMessage).max_protocol_ver == version
    assert phone.negotiation.version == version
    expected = version if version >= 10 else 0
    assert [one[4] for one in phone.frames] == [0, expected]
    phone.say(registration.KeepAliveReqMessage())
    assert phone.frames[-1] == ACK


def test_the_highest_version_is_the_servers_where_phones_offer_more() -> None:
    for offered, own, holds in ((33, 22, 22), (22, 17, 17), (11, 17, 11), (22, 0, 0)):
        phone = House(version=own).connect()
        phone.say(register(FIRST, offered))
        assert phone.last(RegisterAckMessage).max_protocol_ver == holds
        assert phone.negotiation.version == holds


@pytest.mark.parametrize(
    ("profile", "version", "expected"),
    [
        ("chan-skinny", 11, {0x97: 100, 0x108: 656, 0x109: 788, 0x110: 20, 0x92: 116, 0x94: 40}),
        ("chan-skinny", 22, {0x97: 100, 0x108: 656, 0x109: 788, 0x110: 20, 0x92: 116, 0x94: 40}),
        ("chan-sccp", 3, {0x97: 128, 0x108: 1296, 0x109: 784, 0x110: 20, 0x92: 116, 0x94: 40}),
        ("chan-sccp", 11, {0x97: 128, 0x108: 1296, 0x109: 784, 0x110: 20, 0x92: 116, 0x94: 40}),
        ("chan-sccp", 17, {0x97: 128, 0x108: 1296, 0x109: 784, 0x110: 20, 0x147: 32, 0x94: 40}),
        ("chan-sccp", 22, {0x97: 128, 0x108: 1296, 0x109: 784, 0x110: 20, 0x147: 32, 0x94: 40}),
    ],
)
def test_the_answers_to_a_registering_phone_have_the_observed_lengths(
    profile: str, version: int, expected: dict[int, int]
) -> None:
    phone = House(profile, devices={FIRST: Line("1001", description="phone1")}).phone(FIRST, version)
    phone.say(
        templates.SoftKeyTemplateReqMessage(),
        templates.SoftKeySetReqMessage(),
        lines.LineStatReqMessage(line_number=1),
        devices.TimeDateReqMessage(),
    )
    assert {key: lengths(phone, key) for key in expected} == {key: {value} for key, value in expected.items()}


@pytest.mark.parametrize(
    ("profile", "version", "opening", "starting"),
    [
        ("chan-skinny", 3, 172, 120),
        ("chan-skinny", 11, 172, 120),
        ("chan-skinny", 17, 172, 136),
        ("chan-skinny", 22, 172, 136),
        ("chan-sccp", 3, 112, 120),
        ("chan-sccp", 11, 112, 120),
        ("chan-sccp", 17, 132, 136),
        ("chan-sccp", 22, 172, 172),
    ],
)
def test_channel_messages_have_the_observed_lengths(profile: str, version: int, opening: int, starting: int) -> None:
    phone = House(profile).phone(FIRST, version)
    phone.lift()
    phone.press("600")
    phone.answer_open()
    assert (lengths(phone, 0x105), lengths(phone, 0x8A)) == ({opening}, {starting})


@pytest.mark.parametrize(("version", "fixed"), [(7, True), (8, False), (11, False), (22, False)])
def test_chan_sccp_tells_who_calls_with_dynamic_strings_from_8(version: int, fixed: bool) -> None:
    phone = House("chan-sccp").phone(FIRST, version)
    phone.lift()
    phone.press("600")
    assert bool(lengths(phone, 0x8F)) == fixed
    assert bool(lengths(phone, 0x14A)) != fixed


def test_chan_sccp_greets_a_phone_that_asked_for_the_time_once() -> None:
    phone = House("chan-sccp").phone(FIRST, 22)
    answers = phone.say(devices.TimeDateReqMessage())
    assert [message.id for message in answers if isinstance(message, Message)] == [
        0x94, 0x86, 0x86, 0x113, 0x145, 0x110, 0x143,
    ]  # fmt: skip
    assert phone.last(display.DisplayNotifyV2Message).notify == b"Asterisk \x80\x18"
    assert names([*phone.say(devices.TimeDateReqMessage())]) == ["TimeDateResMessage"]


@pytest.mark.parametrize(
    ("profile", "text", "length"),
    [
        ("plain", b"No Authority: SEPDEADBEEF0001", 36),
        ("chan-skinny", b"No Authority: ", 37),
        ("chan-sccp", b"Device Unknown", 36),
    ],
)
def test_strangers_are_rejected_in_each_ones_words_and_may_try_again(profile: str, text: bytes, length: int) -> None:
    house = House(profile)
    phone = house.connect()
    for _ in range(2):
        (answer,) = phone.say(register(STRANGER))
        assert isinstance(answer, RegisterRejectMessage)
        assert answer.text == text
    assert lengths(phone, 0x9D) == {length}
    assert house.log == [f"rejected {STRANGER} from {phone.address}: unknown device"] * 2
    phone.register(FIRST)
    assert house.violations() == []


@pytest.mark.parametrize("profile", ALL)
def test_an_open_server_registers_strangers_who_can_call_but_not_be_called(profile: str) -> None:
    house = House(profile, open=True)
    phone = house.connect().register(STRANGER)
    phone.lift()
    phone.press("600")
    assert phone.state() is DCallState.CONNECTED
    assert house.manager.registered == 1
    assert house.violations() == []


def test_a_device_without_a_name_is_rejected_even_by_an_open_server() -> None:
    phone = House(open=True).connect()
    phone.say(registration.RegisterReqMessage())
    assert phone.all(RegisterRejectMessage)


def test_leaving_is_acknowledged_or_not_and_always_closes() -> None:
    for profile, acknowledged in (("plain", True), ("chan-skinny", False), ("chan-sccp", True)):
        house = House(profile)
        phone = house.phone(FIRST)
        answers = phone.say(registration.UnregisterReqMessage())
        assert names([*answers]) == (["UnregisterAckMessage"] if acknowledged else [])
        assert closed(phone) is Closing.GENTLY
        assert house.manager.registered == 0
        assert house.violations() == []


def test_a_second_registration_is_refused_at_once_by_the_plain_server() -> None:
    house = House()
    first, second = house.phone(FIRST), house.connect("192.0.2.10")
    second.say(register(FIRST))
    assert second.all(RegisterRejectMessage)
    assert first.connection.open


def test_a_second_registration_is_refused_after_2_s_by_chan_skinny() -> None:
    house = House("chan-skinny")
    first, second = house.phone(FIRST), house.connect("192.0.2.10")
    assert second.say(register(FIRST)) == []
    house.wait(1.9)
    assert second.received == []
    house.wait(0.2)
    assert names([*second.received]) == ["RegisterRejectMessage"]
    assert first.connection.open
    assert second.connection.open
    assert house.violations() == []


def test_a_second_registration_makes_chan_sccp_drop_both() -> None:
    house = House("chan-sccp")
    first, second = house.phone(FIRST), house.connect("192.0.2.10")
    second.say(register(FIRST))
    assert (closed(first), closed(second)) == (Closing.GENTLY, Closing.GENTLY)
    assert house.manager.registered == 0
    assert house.violations() == []


def test_tokens_are_granted_to_known_devices_and_ignored_by_chan_skinny() -> None:
    for profile, answers in (("plain", True), ("chan-skinny", False), ("chan-sccp", True)):
        for name, granted in ((FIRST, "RegisterTokenAck"), (STRANGER, "RegisterTokenReject")):
            house = House(profile)
            asked = register(name)
            got = house.connect().say(registration.RegisterTokenReq(sid=asked.sid))
            assert names([*got]) == ([granted] if answers else [])
            assert house.violations() == []


def test_chan_skinny_closes_channels_that_were_never_opened() -> None:
    for profile, count in (("plain", 0), ("chan-skinny", 1), ("chan-sccp", 0)):
        phone = House(profile).phone(FIRST)
        phone.lift()
        phone.hang_up()
        assert len(phone.all(media.CloseReceiveChannelMessage)) == count
        assert len(phone.all(signals.SetRingerMessage)) >= 1
