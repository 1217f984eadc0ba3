"""The phone and sipp, another real implementation: calling it, and called by it."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Literal

import pytest
from tests.lab.sip_on_host import on_host

from callgate.endpoint.attempt import Attempt, CallRecord, Ending
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import Account, SipPhone, SipTransport, call_once
from callgate.endpoint.sockets import LocalNetwork
from callgate.errors import LabError
from callgate.lab.kamailio import start_kamailio
from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.sipp import start_sipp_call, start_sipp_callee
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

ACCOUNT = Account(user="1001", password="one-secret")


def called(lab: Lab, address: str, port: int, number: str, transport: SipTransport, register: bool) -> Attempt:
    place = TransportAddress(ip_address(address), port)
    return on_host(
        lab.trusted,
        lambda: call_once(
            LocalNetwork(), place, ACCOUNT, number=number, seconds=0.5, register=register, transport=transport
        ),
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("address", ["192.168.1.10", "fd00:1::10"])
def test_sipp_is_called_and_its_echo_comes_back(lab: Lab, address: str, transport: Literal["udp", "tcp"]) -> None:
    require_tool("sipp")
    start_sipp_callee(lab.pbx, address, transport=transport)
    for _ in range(2):
        attempt = called(lab, address, 5070, "600", SipTransport(transport), register=False)
        assert attempt.ending is Ending.DONE, attempt
        assert attempt.call is not None
        assert attempt.call.audio.sent >= 20
        assert attempt.call.audio.echoed == attempt.call.audio.received >= 20
        assert str(attempt.call.far_end).endswith(":16000")
        assert attempt.transcript[-2:] == ("> BYE", "< 200 OK")


def test_without_an_echo_the_audio_goes_one_way(lab: Lab) -> None:
    require_tool("sipp")
    start_sipp_callee(lab.pbx, "192.168.1.10", echo=False)
    assert called(lab, "192.168.1.10", 5070, "600", SipTransport.UDP, register=False).ending is Ending.ONE_WAY


def test_sipp_is_an_echo_extension_behind_kamailio(lab: Lab) -> None:
    require_tool("sipp")
    require_tool("kamailio")
    start_sipp_callee(lab.pbx, "192.168.1.10")
    users = {"1001": "one-secret"}
    start_kamailio(lab.pbx, users=users, calls=True, extensions={"600": "192.168.1.10:5070"})
    attempt = called(lab, "192.168.1.10", 5060, "600", SipTransport.TCP, register=True)
    assert attempt.ending is Ending.DONE, attempt
    assert attempt.call is not None
    assert attempt.call.audio.echoed >= 20


def test_sipp_calls_the_phone_and_echoes_its_tone(lab: Lab) -> None:
    require_tool("sipp")
    require_tool("kamailio")
    start_kamailio(lab.pbx, calls=True, open_registrar=True)

    async def answer() -> CallRecord:
        place = TransportAddress(ip_address("192.168.1.10"), 5060)
        async with SipPhone(LocalNetwork(), place, ACCOUNT) as phone:
            await phone.register()
            answering = asyncio.create_task(phone.answer(within=8, echo=False))
            await asyncio.sleep(0)
            service = await asyncio.to_thread(
                start_sipp_call, lab.pbx, "192.168.1.10", "1001", "192.168.1.10:5060", seconds=0.5
            )
            record = await answering
            while service.running:
                await asyncio.sleep(0.02)
            return record

    record = on_host(lab.trusted, answer)
    assert record.ending is Ending.DONE
    assert record.number == "sipp"
    assert record.audio.echoed == record.audio.received >= 15
    assert record.seconds == pytest.approx(0.5, abs=0.4)


def test_sipp_that_cannot_start_is_reported_with_its_log(lab: Lab) -> None:
    require_tool("sipp")
    with pytest.raises(LabError, match="pbx: sipp ended with"):
        start_sipp_callee(lab.pbx, "198.51.100.1")
