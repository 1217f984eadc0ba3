"""A real SIP server, asked over UDP and TCP."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from callgate.endpoint.answer import Answer, exchange_for, judge
from callgate.endpoint.vantage import run_here

CONFIGURATION = """#!KAMAILIO
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
request_route {{
    if (!sanity_check()) {{ exit; }}
    sl_send_reply("{status}", "{reason}");
}}
"""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(params=[(200, "OK"), (401, "Unauthorized")])
def kamailio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, str]]:
    """Kamailio on loopback: its port and the status it answers with."""
    program = shutil.which("kamailio")
    if program is None:
        pytest.skip("the kamailio command is missing")
    (status, reason), port = request.param, _free_port()
    configuration = tmp_path / "kamailio.cfg"
    configuration.write_text(CONFIGURATION.format(port=port, status=status, reason=reason))
    command = [program, "-f", str(configuration), "-P", str(tmp_path / "pid"), "-Y", str(tmp_path)]
    log = tmp_path / "log"
    with log.open("wb") as sink:
        command += ["-w", str(tmp_path), "-m", "32", "-M", "4", "-E", "-DD"]
        server = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            time.sleep(0.1)
        else:
            pytest.fail(log.read_text(errors="backslashreplace"))
        yield port, f"{status} {reason}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def test_a_real_server_answers_over_each_transport(kamailio: tuple[int, str]) -> None:
    port, status = kamailio
    exchanges = [exchange_for("sip", transport, ip_address("127.0.0.1"), port) for transport in ("udp", "tcp")]
    for exchange, observation in zip(exchanges, run_here(exchanges), strict=True):
        finding = judge(exchange, observation)
        assert finding.answer is Answer.ANSWERS
        assert finding.text.startswith(f"SIP/2.0 {status} from kamailio (")


def test_a_real_sip_server_is_no_sccp_server(kamailio: tuple[int, str]) -> None:
    exchange = exchange_for("sccp", "tcp", ip_address("127.0.0.1"), kamailio[0])
    finding = judge(exchange, run_here([exchange])[0])
    assert finding.answer is Answer.SILENT
