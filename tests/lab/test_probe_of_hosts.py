"""`callgate probe` on lab hosts: real servers behind a real firewall, from both sides."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import callgate
from callgate.lab.call_manager import start_call_manager
from callgate.lab.certificate import self_signed
from callgate.lab.host import LabHost
from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

SOURCE = str(Path(callgate.__file__).parents[1])
FIREWALL = """
table inet filter {
  chain input {
    type filter hook input priority filter; policy accept;
    ip saddr 192.168.1.0/24 accept
    ip6 saddr fd00:1::/64 accept
    tcp dport { 2000, 2443, 5060, 5061 } drop
    udp dport 5060 drop
  }
}
"""


def probe(host: LabHost, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command on a lab host."""
    command = ["env", f"PYTHONPATH={SOURCE}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-m", "callgate", "probe"]
    return host.run([*command, *arguments], timeout=60, check=check)


def probe_from(host: LabHost, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command here, with a lab host as its vantage."""
    return subprocess.run(
        [sys.executable, "-m", "callgate", "probe", "--from", host.uri, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def answers(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], str]:
    return {(one["address"], one["service"]): one["answer"] for one in objects(done)}


def test_the_trusted_side_is_answered_and_the_stranger_is_not_until_the_rules_are_turned(pbx_lab: Lab) -> None:
    pbx_lab.pbx.load_nft(FIREWALL)
    inside, outside = ("192.168.1.10", "fd00:1::10"), ("203.0.113.10", "2001:db8:66::10")
    services = ("--service", "sccp", "--service", "sip-udp", "--service", "sip-tcp", "--timeout", "0.6", "--json", "-q")
    trusted = probe_from(pbx_lab.trusted, *inside, *services)
    assert trusted.returncode == 0
    assert set(answers(trusted).values()) == {"answers"}
    assert {one["detected"] for one in objects(trusted)} == {"sccp", "sip"}
    assert {one["source"] for one in objects(trusted)} == {"192.168.1.50", "fd00:1::50"}

    stranger = probe_from(pbx_lab.stranger, *inside, *outside, *services, "--fail-on-answer")
    assert stranger.returncode == 0
    assert answers(stranger) == {
        (address, service): "no-reply" if service == "sip-udp" else "filtered"
        for address in (*inside, *outside)
        for service in ("sccp", "sip-udp", "sip-tcp")
    }

    pbx_lab.pbx.run(["nft", "flush", "chain", "inet", "filter", "input"])
    turned = probe_from(pbx_lab.stranger, *outside, *services, "--fail-on-answer")
    assert turned.returncode == 1
    assert set(answers(turned).values()) == {"answers"}


@pytest.mark.parametrize("address", ["192.168.1.10", "fd00:1::10"])
def test_kamailio_is_named_over_both_transports(pbx_lab: Lab, address: str) -> None:
    found = objects(probe(pbx_lab.trusted, address, "--service", "sip-udp", "--service", "sip-tcp", "--json", "-q"))
    assert {(one["service"], one["answer"]) for one in found} == {("sip-udp", "answers"), ("sip-tcp", "answers")}
    for one in found:
        fingerprint = one["fingerprint"]
        assert (fingerprint["family"], fingerprint["basis"]) == ("Kamailio", "says so itself")
        assert fingerprint["product"].startswith("kamailio (5.")
        assert fingerprint["evidence"] == ["its To tag is an MD5 sum and 8 hexadecimal digits"]
        assert (fingerprint["status"], fingerprint["headers"][0]) == (200, "Via")


def test_a_sweep_of_the_network_finds_the_pbx(pbx_lab: Lab) -> None:
    done = probe(pbx_lab.trusted, "192.168.1.0/24", "--service", "sccp", "--rate", "1000")
    shown = done.stdout.splitlines()
    assert shown[0].startswith("192.168.1.10     2000/tcp  sccp      answers    KeepAliveAck, 12 bytes in ")
    # Where no neighbour answers, the kernel gives up after 3.1 s, and under load later than the probe (4 s).
    counts = {word: int(count) for count, word in re.findall(r"(\d+) ([a-z-]+)", shown[1].partition(": ")[2])}
    assert counts.pop("refused") == 1
    assert set(counts) <= {"no-route", "filtered"}
    assert sum(counts.values()) == 252
    assert shown[2].startswith("254 asked in ")
    assert done.returncode == 0


def test_a_sweep_from_a_vantage_finds_the_same(pbx_lab: Lab) -> None:
    done = probe_from(pbx_lab.trusted, "192.168.1.0/27", "fd00:1::/123", "--service", "sccp", "--rate", "20")
    shown = done.stdout.splitlines()
    found = {tuple(line.split()[:4]) for line in shown if "KeepAliveAck" in line}
    assert found == {(address, "2000/tcp", "sccp", "answers") for address in ("192.168.1.10", "fd00:1::10")}
    assert shown[-1].startswith("62 asked in ")
    assert done.returncode == 0


def test_without_a_route_nothing_is_learnt(lab: Lab) -> None:
    lab.trusted.run(["ip", "route", "del", "default"])
    done = probe(lab.trusted, "198.51.100.0/29", "--service", "sccp", "--fail-on-answer", check=False)
    assert done.returncode == 3
    assert "not shown of 198.51.100.0/29: 6 no-route" in done.stdout


def test_sccp_inside_tls_is_detected(lab: Lab) -> None:
    require_tool("openssl")
    start_sccp(lab.pbx, listen=("*:2443",), certificate=self_signed(lab.directory, "pbx"))
    for address in ("192.168.1.10", "fd00:1::10"):
        (found,) = objects(probe(lab.trusted, address, "--service", "sccp-tls", "--json", "-q"))
        assert (found["answer"], found["detected"], found["tls"]["version"]) == ("answers", "sccp", "TLSv1.3")


def test_the_scanner_is_asked_for_once_and_ends_in_order(lab: Lab) -> None:
    start_sccp(lab.pbx)
    arguments = ("192.168.1.10", "fd00:1::10", "--service", "sccp", "--as-scanner", "--yes", "--timeout", "0.4")
    found = objects(probe(lab.stranger, *arguments, "--json", "-q"))
    assert {(one["address"], one["detected"]) for one in found} == {("192.168.1.10", "sccp"), ("fd00:1::10", "sccp")}
    for one in found:
        assert one["scanner"]["reported"] is False
        assert one["scanner"]["text"] == "nothing came back"
    left = lab.pbx.run(["ss", "-Htn", "state", "established", "sport", "=", ":2000"]).stdout
    assert left == ""


@pytest.mark.parametrize(
    ("profile", "open_to_strangers", "reported", "registered", "text"),
    [
        ("plain", False, True, False, "RegisterRejectMessage came back alone"),
        ("chan-skinny", False, False, False, 'but its text does not name the device: "No Authority: "'),
        ("chan-skinny", True, False, True, "SetLampMessage came before RegisterAckMessage"),
        ("chan-sccp", False, False, False, 'but its text has other words: "Device Unknown"'),
        ("chan-sccp", True, None, True, "RegisterAckMessage came back, but CapabilitiesReq follows at once"),
    ],
)
def test_the_scanner_beside_servers_with_the_quirks_of_real_ones(
    lab: Lab, profile: str, open_to_strangers: bool, reported: bool | None, registered: bool, text: str
) -> None:
    devices = {"SEP001122334455": "100"}
    start_call_manager(lab.pbx, devices=devices, profile=profile, open_to_strangers=open_to_strangers)
    arguments = ("--service", "sccp", "--as-scanner", "--yes", "--json", "-q")
    for done in (
        probe(lab.stranger, "203.0.113.10", *arguments, check=False),
        probe_from(lab.stranger, "203.0.113.10", *arguments),
    ):
        (found,) = objects(done)
        assert found["detected"] == "sccp"
        assert (found["scanner"]["reported"], found["scanner"]["registered"]) == (reported, registered)
        assert text in found["scanner"]["text"]
        assert found["scanner"]["left"] == ("unregistered" if registered else "")
        assert done.returncode == (3 if reported is None else 0)


def test_a_vantage_that_cannot_be_used_is_told(lab: Lab) -> None:
    done = probe_from(lab.trusted, "192.168.1.10", "--from", "nsenter://4194304")
    assert done.returncode == 3
    assert "callgate: nsenter://4194304: the prober could not be started" in done.stderr or "ended with" in done.stderr
