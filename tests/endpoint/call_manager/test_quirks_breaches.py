"""What sets the imitated servers apart when a phone breaks the rules or sends what is no message."""

from __future__ import annotations

import pytest
from tests.endpoint.call_manager.house import FIRST, SECOND, House, closed, register
from tests.endpoint.call_manager.profile_frames import ACK, ALL, header

from callgate.endpoint.call_manager import Closing
from callgate.sccp import Message, UnknownMessage, encode
from callgate.sccp.framing import keepalive
from callgate.sccp.messages import devices, keys, registration, templates
from callgate.sccp.messages.registration import RegisterAckMessage


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


def test_what_a_phone_does_wrong_is_told_but_not_without_end() -> None:
    house = House()
    phone = house.connect()
    for _ in range(100):
        phone.say(keys.OffHookMessage())
    assert len(house.log) == 20
    assert all(line.startswith("breach by ") for line in house.log)
