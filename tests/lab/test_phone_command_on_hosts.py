"""`callgate phone` on real hosts: from inside, from a vantage, over TLS, through a firewall."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import callgate
from callgate.lab.call_control import apply_firewall
from callgate.lab.call_manager import start_call_manager
from callgate.lab.certificate import self_signed
from callgate.lab.kamailio import start_kamailio
from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.rulesets import RTP_PORTS
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

DESK = "SEPCA11CA7E0001"
RTP = ("--rtp", RTP_PORTS)
PASSWORDS = {"4711": "right-4711", "4712": "right-4712"}
PBX = {4: "192.168.1.10", 6: "[fd00:1::10]"}


def phone(vantage: str, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Run it from a vantage; the exit code and the JSON object."""
    command = [sys.executable, "-m", "callgate", "phone", *arguments, "--from", vantage, "--json"]
    source = {"PYTHONPATH": str(Path(callgate.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, timeout=90, env={**os.environ, **source, **(env or {})})
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("profile", ["plain", "chan-skinny", "chan-sccp"])
def test_sccp_phone_at_a_vantage_calls_each_kind_of_server(lab: Lab, profile: str, family: int) -> None:
    start_call_manager(lab.pbx, devices={DESK: "1001"}, profile=profile, options=RTP)
    apply_firewall(lab.pbx, "right")
    code, said = phone(lab.trusted.uri, "call", PBX[family], "600", "--device", DESK, "--seconds", "1")
    assert (code, said["ending"]) == (0, "done"), said
    assert said["call"]["echoed"] > 25
    assert said["source"].startswith("192.168.1.50:" if family == 4 else "[fd00:1::50]:")
    code, said = phone(lab.stranger.uri, "register", PBX[family], "--device", DESK)
    assert (code, said["ending"], said["transcript"]) == (1, "no-reply", [])


def test_sccp_over_tls_verifies_the_server_and_shows_its_own_certificate(lab: Lab) -> None:
    require_tool("openssl")
    addresses = [own.ip for all_own in lab.pbx.addresses.values() for own in all_own]
    server = self_signed(lab.pbx.directory, "pbx.lab", addresses)
    own = self_signed(lab.directory, "phone")
    start_call_manager(
        lab.pbx, devices={DESK: "1001"}, certificate=server, client_ca=own.certificate, listen=(), options=RTP
    )
    asked = ("call", PBX[4], "600", "--device", DESK, "--tls", "--seconds", "1")
    shown = ("--cert", str(own.certificate), "--key", str(own.key))
    trusting = ("--ca", str(server.certificate))
    assert phone(lab.trusted.uri, *asked, *shown, *trusting)[0] == 0
    named = ("--server-name", "pbx.lab")
    assert phone(lab.trusted.uri, *asked, *shown, *trusting, *named)[0] == 0
    for wrong in (shown, (*shown, *trusting, "--server-name", "other.lab")):
        code, said = phone(lab.trusted.uri, *asked, *wrong)
        assert (code, said["ending"]) == (1, "tls-failed"), said
    code, said = phone(lab.trusted.uri, *asked, *trusting)  # with TLS 1.3 the refusal comes after the handshake
    assert (code, said["call"], said["registration"]) == (1, None, None)
    assert said["ending"] in ("tls-failed", "closed", "reset")


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_sip_phone_at_a_vantage_registers_with_the_right_password_alone(lab: Lab, transport: str) -> None:
    require_tool("kamailio")
    addresses = [own.ip for all_own in lab.pbx.addresses.values() for own in all_own]
    certificate = self_signed(lab.pbx.directory, "pbx.lab", addresses)
    start_kamailio(lab.pbx, users=PASSWORDS, calls=True, certificate=certificate)
    apply_firewall(lab.pbx, "right")
    asked = ["register", PBX[6], "--user", "4711", "--password-env", "SECRET", "--transport", transport]
    if transport == "tls":
        asked += ["--ca", str(certificate.certificate)]
    code, said = phone(lab.trusted.uri, *asked, env={"SECRET": PASSWORDS["4711"]})
    assert (code, said["ending"]) == (0, "done"), said
    assert said["registration"]["server"].lower().startswith("kamailio")
    code, said = phone(lab.trusted.uri, *asked, env={"SECRET": "not-the-password"})
    assert (code, said["ending"]) == (1, "rejected"), said
    assert "not-the-password" not in json.dumps(said)
    assert phone(lab.stranger.uri, *asked, env={"SECRET": "x"})[1]["ending"] == "no-reply"


def test_phone_without_a_route_learns_nothing(lab: Lab) -> None:
    lab.trusted.configure("route del default\n")
    code, said = phone(lab.trusted.uri, "register", "203.0.113.10", "--device", DESK)
    assert (code, said["ending"]) == (3, "no-route"), said


def test_vantage_that_is_gone_is_said_so(lab: Lab) -> None:
    command = [sys.executable, "-m", "callgate", "phone", "register", PBX[4], "--device", DESK]
    done = subprocess.run([*command, "--from", "nsenter://999999999"], capture_output=True, timeout=60)
    assert done.returncode == 3, done.stdout
    assert b"nsenter://999999999" in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
