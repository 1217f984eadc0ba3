"""sipp, a real SIP test phone (Debian package sip-tester), on a lab host: as callee or as caller, echoing audio."""

from __future__ import annotations

from typing import Final, Literal

from callgate.lab.host import LabHost
from callgate.lab.service import Service

READY_WITHIN: Final = 5.0
LONGEST: Final = 120
"""Seconds after which sipp ends by itself."""

_SDP: Final = """Content-Type: application/sdp
{more}Content-Length: [len]

v=0
o=sipp 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""
_ANSWER: Final = """SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:]{tag}
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
"""
_CONTACT: Final = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n"


def _send(text: str, attributes: str = "") -> str:
    return f"<send{attributes}><![CDATA[\n\n{text}\n]]></send>\n"


def _scenario(*steps: str) -> str:
    head = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
    return f'{head}<scenario name="callgate">\n{"".join(steps)}</scenario>\n'


CALLEE: Final = _scenario(
    '<recv request="INVITE" rrs="true" />\n',
    _send(_ANSWER.format(status="180 Ringing", tag=";tag=[call_number]") + _CONTACT + "Content-Length: 0\n"),
    _send(
        _ANSWER.format(status="200 OK", tag=";tag=[call_number]") + _CONTACT + _SDP.format(more=""),
        ' retrans="500"',
    ),
    '<recv request="ACK" optional="true" />\n<recv request="BYE" />\n',
    _send(_ANSWER.format(status="200 OK", tag="") + "Content-Length: 0\n"),
)
"""Answers every INVITE at once, and waits for BYE."""

_REQUEST: Final = """{method} {uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
{routes}Max-Forwards: 70
From: <sip:{caller}@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{tag}
Call-ID: [call_id]
CSeq: {sequence} {method}
"""


def caller_scenario(caller: str, seconds: float) -> str:
    """A call from `caller` without credentials; BYE after `seconds`."""
    own = {"caller": caller}
    within = own | {"uri": "[next_url]", "routes": "[routes]\n", "tag": "[peer_tag_param]"}
    first = own | {"uri": "sip:[service]@[remote_ip]:[remote_port]", "routes": "", "tag": ""}
    return _scenario(
        _send(
            _REQUEST.format(method="INVITE", sequence=1, **first) + _CONTACT + _SDP.format(more=""), ' retrans="500"'
        ),
        '<recv response="100" optional="true" />\n<recv response="180" optional="true" />\n',
        '<recv response="200" rrs="true" />\n',
        _send(_REQUEST.format(method="ACK", sequence=1, **within) + "Content-Length: 0\n"),
        f'<pause milliseconds="{round(1000 * seconds)}" />\n',
        _send(_REQUEST.format(method="BYE", sequence=2, **within) + "Content-Length: 0\n", ' retrans="500"'),
        '<recv response="200" />\n',
    )


def start_sipp_callee(
    host: LabHost,
    address: str,
    *,
    port: int = 5070,
    media_port: int = 16000,
    transport: Literal["udp", "tcp"] = "udp",
    echo: bool = True,
) -> Service:
    """Start sipp on one of the host's addresses; it answers every call and, with `echo`, sends its audio back.

    Ready when it listens. Raises LabError when sipp is missing or does not start.
    """
    directory = host.new_directory("sipp")
    scenario = directory / "callee.xml"
    scenario.write_text(CALLEE, encoding="latin-1")
    command = _command(str(scenario), address, port, media_port, transport, echo=echo)
    service = host.spawn(command, log=directory / "log", name="sipp")
    sockets = ["ss", "-H", "-n", "-l", "--udp" if transport == "udp" else "--tcp", "sport", "=", f":{port}"]
    service.wait_ready(lambda: bool(host.run(sockets).stdout.strip()), READY_WITHIN)
    return service


def start_sipp_call(
    host: LabHost,
    address: str,
    number: str,
    server: str,
    *,
    caller: str = "sipp",
    seconds: float = 1.0,
    port: int = 5072,
    media_port: int = 16100,
    transport: Literal["udp", "tcp"] = "udp",
    echo: bool = True,
) -> Service:
    """Call `number` at `server` (`ADDRESS:PORT`), send its audio back, hang up after `seconds`.

    The service ends with the call; what went wrong stands in its log.
    """
    directory = host.new_directory("sipp")
    scenario = directory / "caller.xml"
    scenario.write_text(caller_scenario(caller, seconds), encoding="latin-1")
    command = _command(str(scenario), address, port, media_port, transport, echo=echo)
    command += ["-m", "1", "-s", number, "-recv_timeout", "10000", server]
    return host.spawn(command, log=directory / "log", name="sipp")


def _command(scenario: str, address: str, port: int, media_port: int, transport: str, *, echo: bool) -> list[str]:
    command = ["sipp", "-sf", scenario, "-i", address, "-p", str(port), "-mi", address, "-mp", str(media_port)]
    command += ["-t", "u1" if transport == "udp" else "t1", "-nostdin", "-timeout", str(LONGEST)]
    return command + (["-rtp_echo"] if echo else [])
