"""What the phone sends, as tshark reads it: well-formed SIP and SDP in every message."""

from __future__ import annotations

import asyncio
import struct
import subprocess
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.endpoint.sip_phone.scripted_server import (
    ACCOUNT,
    HASTE,
    Server,
    authorized,
    challenge,
    obliging,
    over_tcp,
    over_udp,
    reply,
    run,
    session,
)
from tests.endpoint.sip_phone.test_placed_calls import bye_to

from callgate.endpoint.sip_phone import SipPhone, SipTransport
from callgate.endpoint.sockets import LocalNetwork
from callgate.lab.pytest_fixtures import require_tool
from callgate.sip.message import Request, Response

pytestmark = pytest.mark.lab

SHA_256 = 'Digest realm="pbx.lab", nonce="n", qop="auth", algorithm=SHA-256, opaque="o"'


def script(server: Server, request: Request) -> Iterable[Response | Request]:
    if request.method == "INVITE" and request.uri.startswith("sip:ring@"):
        yield reply(server, request, 180, "Ringing")
    elif request.method == "CANCEL":
        yield reply(server, request, 200, "OK")
        yield reply(server, server.of("INVITE")[-1], 487, "Request Terminated")
    elif request.method == "REGISTER" and not authorized(request):
        yield challenge(server, request, SHA_256)
    else:
        yield from obliging(server, request, body=session())


def everything(transport: SipTransport) -> list[bytes]:
    """All messages of a phone that asks, registers, calls, calls off, is asked, and leaves."""

    async def act() -> list[bytes]:
        async with (over_udp if transport is SipTransport.UDP else over_tcp)(script) as server:
            phone = SipPhone(LocalNetwork(), server.address, ACCOUNT, transport=transport, patience=HASTE)
            async with phone:
                await phone.options()
                await phone.register()
                await phone.call("6#0", seconds=0.05)
                server.send(bye_to(server).encode())
                with pytest.raises(Exception, match="not answered"):
                    await phone.call("ring")
                await asyncio.sleep(0.05)
            return [message.encode() for message in (*server.requests, *server.responses)]

    return run(act)


def capture(path: Path, payloads: list[bytes], transport: SipTransport) -> None:
    """A pcap with one raw IP packet for each message (LINKTYPE_RAW 101), each from a port of its own."""
    source, destination = ip_address("192.168.1.50").packed, ip_address("192.168.1.10").packed
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for number, payload in enumerate(payloads):
        port = 40000 + number
        if transport is SipTransport.UDP:
            segment = struct.pack("!HHHH", port, 5060, 8 + len(payload), 0) + payload
        else:
            segment = struct.pack("!HHIIBBHHH", port, 5060, 1, 1, 0x50, 0x18, 65535, 0, 0) + payload
        protocol = 17 if transport is SipTransport.UDP else 6
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), number, 0, 64, protocol, 0, source, destination
        )
        packet = header + segment
        data += struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet
    path.write_bytes(data)


def read(path: Path, *fields: str) -> list[list[str]]:
    command = [require_tool("tshark"), "-r", str(path), "-d", "udp.port==5060,sip", "-d", "tcp.port==5060,sip"]
    command += ["-T", "fields"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("transport", [SipTransport.UDP, SipTransport.TCP])
def test_every_message_is_well_formed(tmp_path: Path, transport: SipTransport) -> None:
    require_tool("tshark")
    messages = everything(transport)
    capture(tmp_path / "sip.pcap", messages, transport)
    frames = read(
        tmp_path / "sip.pcap",
        "sip.Method",
        "sip.Status-Code",
        "sip.CSeq.method",
        "sip.msg_hdr",
        "sdp.media.proto",
        "_ws.malformed",
        "_ws.expert.severity",
    )
    assert [frame[0] or frame[1] for frame in frames] == [
        *("OPTIONS", "REGISTER", "REGISTER", "INVITE", "ACK", "INVITE", "ACK", "BYE"),
        *("INVITE", "CANCEL", "ACK", "REGISTER", "REGISTER", "481"),
    ]
    for method, status, sequence, header, media, malformed, severity in frames:
        assert header
        assert (malformed, severity) == ("", "")
        assert status or sequence == method
        assert (media == "RTP/AVP") == (method == "INVITE")


def test_tshark_agrees_on_the_credentials_and_the_session(tmp_path: Path) -> None:
    require_tool("tshark")
    messages = everything(SipTransport.UDP)
    capture(tmp_path / "sip.pcap", messages, SipTransport.UDP)
    frames = read(
        tmp_path / "sip.pcap",
        "sip.Method",
        "sip.auth.algorithm",
        "sip.auth.nc",
        "sip.auth.qop",
        "sip.auth.username",
        "sip.contact.parameter",
        "sdp.connection_info.address",
        "sdp.media.format",
    )
    registered, invited = frames[2], frames[5]
    assert registered[1:5] == ["SHA-256", "00000001", "auth", '"1001"']
    assert registered[5] == "expires=300"
    assert invited[6] == "127.0.0.1"
    assert "PCMU" in invited[7]
