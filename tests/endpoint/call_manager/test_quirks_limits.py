"""What sets the imitated servers apart in time-outs, keepalives, and how many may connect."""

from __future__ import annotations

import pytest
from tests.endpoint.call_manager.house import FIRST, House, closed
from tests.endpoint.call_manager.profile_frames import ACK, ALL, header, names

from callgate.endpoint.call_manager import Closing
from callgate.sccp.framing import frame, keepalive
from callgate.sccp.messages import devices, registration
from callgate.sccp.messages.registration import RegisterAckMessage


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
