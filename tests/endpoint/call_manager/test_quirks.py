"""What sets the imitated servers apart, fact by fact of what was observed of them."""

from __future__ import annotations

import struct

import pytest
from tests.endpoint.call_manager.house import FIRST, SECOND, DeskPhone, House, closed, register

from callgate.endpoint.call_manager import Closing, Line
from callgate.sccp import Message, UnknownMessage, encode
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.framing import frame, keepalive
from callgate.sccp.messages import devices, display, keys, lines, media, registration, signals, templates
from callgate.sccp.messages.registration import KeepAliveAckMessage, RegisterAckMessage, RegisterRejectMessage

ALL = ("plain", "chan-skinny", "chan-sccp")
STRANGER = "SEPDEADBEEF0001"
ACK = encode(KeepAliveAckMessage())


def header(length: int, message_id: int = 0x20) -> bytes:
    return struct.pack("<III", length, 0, message_id)


def names(messages: list[object]) -> list[str]:
    return [type(message).__name__ for message in messages]


def lengths(phone: DeskPhone, message_id: int) -> set[int]:
    """The length fields of what came with that id."""
    return {len(one) - 8 for one in phone.frames if one[8:12] == struct.pack("<I", message_id)}


# Registration


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


# Rules a phone must keep


def test_a_key_before_the_button_template_crashes_chan_sccp_alone() -> None:
    for profile, crashes in (("plain", False), ("chan-skinny", False), ("chan-sccp", True)):
        house = House(profile)
        phone, other = house.connect(), house.phone(SECOND)
        phone.say(register(FIRST))
        phone.lift()
        phone.say(keys.KeypadButtonMessage(kp_button=6, line_instance=1, call_reference=phone.reference))
        assert house.manager.crashed is crashes
        assert other.connection.open is not crashes
        assert any(line.startswith("crashed: keypad before ButtonTemplateReq") for line in house.log) is crashes


def test_no_key_crashes_chan_sccp_after_the_button_template() -> None:
    house = House("chan-sccp")
    phone = house.phone(FIRST)
    phone.lift()
    phone.press("600")
    assert not house.manager.crashed


@pytest.mark.parametrize("profile", ALL)
def test_a_split_header_ends_the_connection_to_chan_skinny_alone(profile: str) -> None:
    for cut in (1, 4, 8, 11):
        phone = House(profile).connect()
        assert phone.send(keepalive()[:cut]) == []
        if profile == "chan-skinny":
            assert closed(phone) is Closing.GENTLY
        else:
            assert phone.send(keepalive()[cut:]) == [ACK]


@pytest.mark.parametrize("profile", ALL)
def test_a_body_may_come_in_parts(profile: str) -> None:
    phone = House(profile).connect()
    whole = encode(register(FIRST))
    assert phone.send(whole[:12]) == []
    phone.send(whole[12:20])
    assert phone.send(whole[20:])
    assert phone.all(RegisterAckMessage)


def test_closing_in_the_middle_of_a_message_has_chan_skinny_spin() -> None:
    for profile, spins in (("plain", False), ("chan-skinny", True), ("chan-sccp", False)):
        house = House(profile)
        phone = house.connect()
        phone.send(encode(register(FIRST))[:30])
        phone.leave()
        assert house.log == ([f"spinning: closed in the middle of a message by {phone.address}"] if spins else [])
        whole = house.connect()
        whole.send(keepalive())
        whole.leave()
        assert len(house.log) == spins


# Errors


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize("length", [0, 3])
def test_a_length_below_4_closes(profile: str, length: int) -> None:
    phone = House(profile).connect()
    assert phone.send(header(length)) == []
    assert closed(phone) is Closing.GENTLY


def test_chan_skinny_takes_1992_bytes_and_resets_where_more_was_sent() -> None:
    for size, there, how in (
        (1992, 1988, None),
        (1993, 0, Closing.GENTLY),
        (1993, 1, Closing.RESET),
        (3000, 2996, Closing.RESET),
        (0xFFFFFFFF, 0, Closing.GENTLY),
    ):
        phone = House("chan-skinny").connect()
        phone.send(header(size) + bytes(there))
        assert closed(phone) is how


def test_chan_sccp_is_silent_about_too_much_and_closes_once_the_body_came() -> None:
    phone = House("chan-sccp").connect()
    assert phone.send(header(3000)) == []
    assert phone.send(bytes(2995)) == []
    assert phone.connection.open
    phone.send(bytes(1))
    assert closed(phone) is Closing.GENTLY


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\n\r\n",
        b"\x16\x03\x01\x00\xc8\x01" + bytes(100),
        b"\xff" * 64,
    ],
)
def test_other_protocols_are_reset_or_met_with_silence(data: bytes) -> None:
    for profile, how in (("plain", Closing.RESET), ("chan-skinny", Closing.RESET), ("chan-sccp", None)):
        phone = House(profile).connect()
        assert phone.send(data) == []
        assert closed(phone) is how


@pytest.mark.parametrize("registered", [False, True])
def test_unknown_ids_are_ignored_closed_upon_or_acknowledged(registered: bool) -> None:
    for profile in ALL:
        for message_id in (0x777, 0x8001, 0xFFFF, 0x80000000, 0xFFFFFFFF):
            house = House(profile)
            phone = house.phone(FIRST) if registered else house.connect()
            answers = phone.send(encode(UnknownMessage(message_id)))
            assert answers == ([ACK] if profile == "chan-sccp" else [])
            closes = profile == "chan-skinny" and message_id >= 0x80000000
            assert closed(phone) is (Closing.GENTLY if closes else None)


@pytest.mark.parametrize(
    "message",
    [
        templates.ButtonTemplateReqMessage(),
        keys.OffHookMessage(line_instance=0, call_reference=0),
        registration.UnregisterReqMessage(),
        registration.VersionReqMessage(),
        devices.TimeDateReqMessage(),
    ],
    ids=lambda message: type(message).__name__,
)
def test_requests_before_registering_are_ignored_but_close_chan_sccp(message: Message) -> None:
    for profile in ALL:
        phone = House(profile).connect()
        assert phone.say(message) == []
        assert closed(phone) is (Closing.GENTLY if profile == "chan-sccp" else None)


@pytest.mark.parametrize("profile", ALL)
def test_an_unregistered_keepalive_is_answered_with_exactly_one_ack(profile: str) -> None:
    house = House(profile)
    phone = house.connect()
    for version in (0, 11, 22, 99):
        assert phone.send(frame(0, version=version)) == [ACK]
    assert phone.send(keepalive() * 2) == [ACK, ACK]
    house.wait(0.3)
    assert len(phone.frames) == 6
    assert house.manager.registered == 0
    assert house.log == []


@pytest.mark.parametrize(("profile", "seconds"), [("plain", 30), ("chan-skinny", 30), ("chan-sccp", 120)])
def test_an_idle_connection_is_closed(profile: str, seconds: int) -> None:
    house = House(profile)
    phone = house.connect()
    house.wait(seconds - 1)
    assert phone.connection.open
    house.wait(1.5)
    assert closed(phone) is Closing.GENTLY
    assert house.log == [f"time-out unregistered from {phone.address}"]


def test_keepalives_do_not_help_a_stranger_at_chan_skinny() -> None:
    for profile, helps in (("plain", True), ("chan-skinny", False), ("chan-sccp", True)):
        house = House(profile)
        phone = house.connect()
        for _ in range(8):
            house.wait(5)
            phone.send(keepalive()) if phone.connection.open else None
        assert phone.connection.open is helps


@pytest.mark.parametrize(("profile", "seconds"), [("plain", 90), ("chan-skinny", 360), ("chan-sccp", 96)])
def test_a_registered_phone_that_keeps_silent_is_given_up(profile: str, seconds: int) -> None:
    house = House(profile)
    phone = house.phone(FIRST)
    house.wait(seconds - 1)
    phone.say(devices.TimeDateReqMessage())
    assert phone.connection.open
    house.wait(1.5)
    assert closed(phone) is Closing.GENTLY
    assert house.manager.registered == 0
    assert f"time-out {FIRST} from {phone.address}" in house.log


def test_keepalives_keep_a_registered_phone() -> None:
    house = House(keepalive=10)
    phone = house.phone(FIRST)
    assert phone.last(RegisterAckMessage).keep_alive_interval == 10
    for _ in range(20):
        house.wait(10)
        assert names([*phone.say(registration.KeepAliveReqMessage())]) == ["KeepAliveAckMessage"]
    house.wait(31)
    assert not phone.connection.open


def test_time_scale_shortens_every_time_out() -> None:
    house = House("chan-skinny", time_scale=0.1)
    stranger, phone = house.connect(), house.phone(FIRST)
    house.wait(3.1)
    assert not stranger.connection.open
    assert phone.connection.open
    house.wait(33)
    assert not phone.connection.open


def test_half_a_message_is_not_waited_for_without_end() -> None:
    for profile, ends in (("plain", True), ("chan-skinny", True), ("chan-sccp", False)):
        house = House(profile)
        phone = house.phone(FIRST)
        phone.send(header(100))
        house.wait(10.5)
        assert phone.connection.open is not ends


def test_the_51st_stranger_is_reset_by_chan_skinny_alone() -> None:
    for profile, how in (("plain", None), ("chan-skinny", Closing.RESET), ("chan-sccp", None)):
        house = House(profile)
        registered = house.phone(FIRST)
        assert all(house.connect().connection.open for _ in range(50))
        assert closed(house.connect()) is how
        assert registered.connection.open


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


def test_what_a_phone_does_wrong_is_told_but_not_without_end() -> None:
    house = House()
    phone = house.connect()
    for _ in range(100):
        phone.say(keys.OffHookMessage())
    assert len(house.log) == 20
    assert all(line.startswith("breach by ") for line in house.log)
