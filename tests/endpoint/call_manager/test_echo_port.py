"""The port that sends a phone's audio back."""

from __future__ import annotations

import asyncio
import socket
import struct
from ipaddress import ip_address

import pytest

from callgate.endpoint.call_manager.__main__ import ports as ports_of
from callgate.endpoint.call_manager.echo import Echo, is_rtp
from callgate.endpoint.call_manager.listening import told_address

LOOPBACK = ip_address("127.0.0.1")
WAIT = 5.0


def rtp(number: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, 100 + number, 160 * number, 0x1234) + bytes([number]) * 160


def test_an_echo_takes_even_ports_and_only_its_phones_rtp() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        echo = Echo(LOOPBACK, ip_address("192.0.2.9"))
        try:
            assert echo.address.port % 2 == 0
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("127.0.0.1", 0))
                sock.setblocking(False)
                remote = (str(echo.address.address), echo.address.port)
                await loop.sock_sendto(sock, rtp(1), remote)  # nobody is known yet
                await asyncio.sleep(0.05)
                assert echo.received == 0
                echo.send_to(told_address(sock.getsockname()))
                await loop.sock_sendto(sock, b"\x80\xc8" + bytes(26), remote)  # RTCP
                await loop.sock_sendto(sock, rtp(2), remote)
                assert (await asyncio.wait_for(loop.sock_recv(sock, 2048), WAIT))[12:] == rtp(2)[12:]
                assert (echo.received, echo.sent) == (1, 1)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                    other.bind(("127.0.0.2", 0))
                    other.sendto(rtp(3), remote)
                    await asyncio.sleep(0.05)
                assert echo.received == 1
        finally:
            echo.close()
            echo.close()

    asyncio.run(test())


def test_what_is_no_rtp_is_known() -> None:
    assert is_rtp(rtp(0))
    assert not is_rtp(rtp(0)[:11])
    assert not is_rtp(b"\x40" + rtp(0)[1:])
    assert not is_rtp(b"\x80\xc9" + bytes(10))


def test_echoes_of_a_range_take_its_even_ports_until_there_is_none() -> None:
    async def test() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            first = sock.getsockname()[1] + 1
        ports = range(min(first, 65530), min(first, 65530) + 5)
        taken: list[Echo] = []
        try:
            with pytest.raises(OSError, match="no even UDP port"):
                taken.extend(Echo(LOOPBACK, LOOPBACK, ports) for _ in range(4))
            found = [echo.address.port for echo in taken]
            assert found
            assert all(port in ports and port % 2 == 0 for port in found)
        finally:
            for echo in taken:
                echo.close()

    asyncio.run(test())


@pytest.mark.parametrize("text", ["", "7", "5-4", "0-10", "65000-65536", "a-b", "7-7", "-1-8"])
def test_range_that_holds_no_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ports_of(text)


def test_range_of_ports_holds_both_ends() -> None:
    assert ports_of("16384-32767") == range(16384, 32768)
