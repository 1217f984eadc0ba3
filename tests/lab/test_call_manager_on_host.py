"""The embedded call manager on a lab host, asked from its networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import callgate
from callgate.errors import LabError
from callgate.lab.call_manager import start_call_manager
from callgate.lab.certificate import self_signed
from callgate.lab.host import LabHost
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

NAME = "SEP001122334455"
REGISTER = """
import socket, sys
from ipaddress import ip_address
from callgate.sccp import decode, encode
from callgate.sccp.framing import unpack_header
from callgate.sccp.messages.registration import RegisterReqMessage
from callgate.sccp.messages.structures import StationIdentifier

host, name = sys.argv[1:]
sid = StationIdentifier(device_name=name.encode(), reserved_for_future_use=0, instance=1)
request = RegisterReqMessage(sid=sid, station_ip_addr=ip_address("192.168.1.50"), device_type=7, max_streams=0,
                             active_streams=0, protocol_ver=17)
with socket.create_connection((host, 2000), timeout=5) as phone:
    phone.sendall(encode(request))
    frame = phone.recv(12)
    frame += phone.recv(unpack_header(frame).message_bytes - 12)
print(decode(frame).name)
"""


def registered_from(host: LabHost, server: str, name: str) -> str:
    """The first message a phone on that host gets."""
    path = f"import sys; sys.path.insert(0, {str(Path(callgate.__file__).parents[1])!r}); sys.path += {sys.path!r}\n"
    return host.run([sys.executable, "-c", path + REGISTER, server, name]).stdout.strip()


@pytest.mark.parametrize("server", ["192.168.1.10", "fd00:1::10"])
def test_known_devices_register_and_strangers_are_rejected(lab: Lab, server: str) -> None:
    service = start_call_manager(lab.pbx, devices={NAME: "1001"})
    assert registered_from(lab.trusted, server, NAME) == "RegisterAckMessage"
    assert registered_from(lab.trusted, server, "SEPDEADBEEF0001") == "RegisterRejectMessage"
    assert lab.stranger.dial("keepalive", "203.0.113.10", 2000).answer == bytes.fromhex("04000000 00000000 00010000")
    log = service.log_text().splitlines()
    source = "192.168.1.50" if ":" not in server else "[fd00:1::50]"
    assert log[0] == "ready *:2000"
    assert log[1].startswith(f"registered {NAME} from {source}:")
    assert log[1].endswith("version 17")
    assert any(line.startswith(f"rejected SEPDEADBEEF0001 from {source}:") for line in log)
    service.stop()
    assert not service.running
    assert lab.trusted.dial("connect", "192.168.1.10", 2000).result == "refused"


def test_it_speaks_tls_and_imitates_on_request(lab: Lab) -> None:
    certificate = self_signed(lab.pbx.directory, "pbx")
    start_call_manager(
        lab.pbx, devices={NAME: "1001"}, certificate=certificate, profile="chan-skinny", open_to_strangers=True
    )
    assert lab.trusted.dial("keepalive-tls", "192.168.1.10", 2443).result == "answered"
    assert registered_from(lab.trusted, "192.168.1.10", "SEPDEADBEEF0001") == "SetLampMessage"


def test_it_takes_only_what_comes_through_an_interface(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices={}, options=("--device-interface", "eth0"))
    assert lab.trusted.dial("keepalive", "192.168.1.10", 2000).result == "answered"
    assert lab.stranger.dial("keepalive", "203.0.113.10", 2000).result == "refused"


def test_what_cannot_be_started_is_told(lab: Lab) -> None:
    with pytest.raises(LabError, match="twice"):
        start_call_manager(lab.pbx, devices={NAME: "1001", "SEP1": "1001"})


def test_it_starts_from_the_modules_this_process_has(lab: Lab, tmp_path: Path) -> None:
    """A working directory with modules of the same names changes nothing."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit('the wrong one')\n", encoding="ascii")
    (tmp_path / "asyncio.py").write_text("raise SystemExit('the wrong one')\n", encoding="ascii")
    script = (
        f"import sys; sys.path.insert(0, {str(Path(callgate.__file__).parents[1])!r}); sys.path += {sys.path!r}\n"
        "from callgate.lab.call_manager import start_call_manager\n"
        "from callgate.lab.topology import Lab\n"
        "with Lab() as lab:\n"
        "    print(start_call_manager(lab.pbx, devices={}).log_text())\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("ready *:2000", 0), done.stderr
