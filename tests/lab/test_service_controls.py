"""The controls of the family Service on real hosts: real phones, a real firewall, and each turned round."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from callgate.baseline.library import load_baseline
from callgate.lab.call_control import (
    DEVICES,
    SCCP_PHONE,
    SIP_PHONES,
    SIP_USERS,
    CallControl,
    apply_firewall,
    write_site,
)
from callgate.lab.call_manager import start_call_manager
from callgate.lab.certificate import self_signed
from callgate.lab.kamailio import start_kamailio
from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.rulesets import RTP_PORTS
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

SERVICE_ALONE = """\
id: service
title: The family Service alone
extends: [voip-core]
controls:
""" + "".join(
    f"  - {{id: {id_}, enabled: false}}\n" for id_ in load_baseline("voip-core").controls if not id_.startswith("SVC-")
)
PASSWORDS = {user: f"right-{user}" for user in SIP_USERS}
SCCP_SITE = "test_phones:\n" + SCCP_PHONE
SIP_SITE = "test_phones:\n" + SIP_PHONES
RTP = ("--rtp", RTP_PORTS)


def service_audit(lab: Lab, more_site: str, *, passwords: Mapping[str, str] = PASSWORDS) -> dict[str, dict[str, Any]]:
    """Each control of the family with its outcome."""
    site = write_site(lab)
    site.write_text(site.read_text(encoding="utf-8") + more_site, encoding="utf-8")
    for user, password in passwords.items():
        (lab.directory / f"{user}.password").write_text(password, encoding="ascii")
    baseline = lab.directory / "service.yaml"
    baseline.write_text(SERVICE_ALONE, encoding="utf-8")
    command = [sys.executable, "-m", "callgate", "audit", lab.pbx.uri, "--site", str(site)]
    command += ["--baseline", str(baseline), "--json", "-"]
    done = subprocess.run(command, capture_output=True, timeout=150)
    assert done.stdout, done.stderr.decode()
    return {one["control"]: one for one in json.loads(done.stdout)["hosts"][0]["outcomes"]}


def verdicts(outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {control: str(one["verdict"]) for control, one in outcomes.items()}


def told(outcome: Mapping[str, Any]) -> str:
    return str(outcome["message"])


def test_sccp_phone_is_served_inside_and_gets_nothing_outside(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    apply_firewall(lab.pbx, "right")
    found = service_audit(lab, SCCP_SITE)
    passed = {control for control, its in verdicts(found).items() if its == "pass"}
    assert passed == {"SVC-01", "SVC-02", "SVC-03", "SVC-04", "SVC-08"}, found
    assert {control for control, its in verdicts(found).items() if its == "skip"} == {"SVC-05", "SVC-06", "SVC-07"}


def test_open_host_serves_strangers_as_well(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    found = service_audit(lab, SCCP_SITE)
    assert verdicts(found)["SVC-01"] == "pass"
    assert verdicts(found)["SVC-03"] == "fail"
    assert "a stranger is served: desk phone from internet (as 203.0.113.66)" in told(found["SVC-03"])


def test_everything_blocked_locks_the_phone_out_and_proves_nothing_of_strangers(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    lab.pbx.load_nft("table inet t { chain i { type filter hook input priority 0; policy drop; }; }")
    found = verdicts(service_audit(lab, SCCP_SITE))
    assert found["SVC-01"] == "fail"
    assert {control for control, its in found.items() if its == "error"} >= {"SVC-02", "SVC-03", "SVC-04", "SVC-08"}


def test_firewall_that_blocks_audio_one_way_fails_the_call_alone(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    apply_firewall(lab.pbx, "right")
    lab.pbx.load_nft("table inet a { chain i { type filter hook input priority -5; meta l4proto udp drop; }; }")
    found = service_audit(lab, SCCP_SITE)
    assert verdicts(found)["SVC-01"] == "pass"
    assert verdicts(found)["SVC-02"] == "fail"
    assert "one-way" in told(found["SVC-02"])


def test_ipv4_rules_alone_lock_ipv6_phones_out(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    apply_firewall(lab.pbx, "right")
    lab.pbx.load_nft("table ip6 a { chain i { type filter hook input priority -5; tcp dport 2000 reject; }; }")
    found = service_audit(lab, SCCP_SITE)
    assert verdicts(found)["SVC-01"] == "fail"
    assert "fd00:1::10 port 2000: " in told(found["SVC-01"])


def test_auto_registration_is_found(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices=DEVICES, open_to_strangers=True, options=RTP)
    apply_firewall(lab.pbx, "right")
    found = service_audit(lab, SCCP_SITE)
    assert verdicts(found)["SVC-04"] == "fail"
    assert verdicts(found)["SVC-01"] == "pass"


def test_keepalive_interval_out_of_bounds_is_found(lab: Lab) -> None:
    start_call_manager(lab.pbx, devices=DEVICES, options=(*RTP, "--keepalive", "900"))
    found = service_audit(lab, SCCP_SITE)
    assert verdicts(found)["SVC-08"] == "fail"
    assert "every 900 s" in told(found["SVC-08"])


def test_sccp_over_tls_with_a_certificate_of_the_phone(lab: Lab) -> None:
    require_tool("openssl")
    addresses = [own.ip for all_own in lab.pbx.addresses.values() for own in all_own]
    server = self_signed(lab.pbx.directory, "pbx.lab", addresses)
    phone = self_signed(lab.directory, "phone")
    start_call_manager(
        lab.pbx, devices=DEVICES, certificate=server, client_ca=phone.certificate, options=RTP, listen=()
    )
    apply_firewall(lab.pbx, "right")
    own = f"transport: tls, certificate: {phone.certificate}, key: {phone.key}, "
    site = f"tls_only: [sccp]\ntls_ca: {server.certificate}\n" + SCCP_SITE.replace("number:", own + "number:")
    found = verdicts(service_audit(lab, site))
    assert {control for control, its in found.items() if its == "pass"} >= {"SVC-01", "SVC-02", "SVC-03", "SVC-07"}


@pytest.fixture
def sip_lab(lab: Lab) -> Lab:
    """A lab with the right firewall, and no server yet."""
    require_tool("kamailio")
    apply_firewall(lab.pbx, "right")
    return lab


def test_sip_phones_are_served_inside_and_get_nothing_outside(sip_lab: Lab) -> None:
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True)
    found = verdicts(service_audit(sip_lab, SIP_SITE))
    passed = {control for control, its in found.items() if its == "pass"}
    assert passed == {"SVC-01", "SVC-02", "SVC-03", "SVC-05", "SVC-06", "SVC-08"}, found


def test_registrar_that_asks_for_no_password_is_found(sip_lab: Lab) -> None:
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True, open_registrar=True)
    found = service_audit(sip_lab, SIP_SITE)
    assert verdicts(found)["SVC-05"] == "fail"
    assert verdicts(found)["SVC-06"] == "error"
    assert "without the password" in told(found["SVC-05"])


def test_registrar_that_tells_who_exists_is_found(sip_lab: Lab) -> None:
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True, reveal_users=True)
    found = service_audit(sip_lab, SIP_SITE)
    assert verdicts(found)["SVC-05"] == "pass"
    assert verdicts(found)["SVC-06"] == "fail"
    assert "404 Not Found" in told(found["SVC-06"])


def test_registration_that_lasts_too_long_is_found(sip_lab: Lab) -> None:
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True, expires=(60, 86400))
    assert verdicts(service_audit(sip_lab, SIP_SITE))["SVC-08"] == "pass"  # granted is what was asked for
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True, expires=(7200, 86400), port=5070)
    moved = "services:\n  sip-udp: {port: 5070}\n  sip-tcp: {port: 5070}\n"
    sip_lab.pbx.load_nft("table inet lab { chain trusted { tcp dport 5070 accept; udp dport 5070 accept; }; }")
    found = service_audit(sip_lab, moved + SIP_SITE)
    assert verdicts(found)["SVC-08"] == "fail"


def test_wrong_password_of_the_test_phone_itself_fails(sip_lab: Lab) -> None:
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True)
    wrong = dict.fromkeys(SIP_USERS, "not-the-password")
    found = service_audit(sip_lab, SIP_SITE, passwords=wrong)
    assert verdicts(found)["SVC-01"] == "fail"
    assert verdicts(found)["SVC-05"] == "error"  # being refused proves nothing where everybody is
    assert "not-the-password" not in json.dumps(found)


def test_missing_password_is_an_error_that_names_the_file(sip_lab: Lab) -> None:
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True)
    found = service_audit(sip_lab, SIP_SITE, passwords={})
    assert verdicts(found)["SVC-01"] == "error"
    assert "4711.password: No such file" in told(found["SVC-01"])


@pytest.mark.parametrize(("days", "known", "verdict"), [(60, True, "pass"), (60, False, "fail"), (7, True, "fail")])
def test_tls_certificate_must_be_known_and_last(sip_lab: Lab, days: int, known: bool, verdict: str) -> None:
    addresses = [own.ip for all_own in sip_lab.pbx.addresses.values() for own in all_own]
    certificate = self_signed(sip_lab.pbx.directory, "pbx.lab", addresses, days=days)
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True, certificate=certificate)
    site = "tls_only: [sip]\n" + (f"tls_ca: {certificate.certificate}\n" if known else "")
    tls = SIP_SITE.replace("application: sip, user", "application: sip, transport: tls, user")
    found = service_audit(sip_lab, site + tls)
    assert verdicts(found)["SVC-07"] == verdict, found["SVC-07"]
    assert verdicts(found)["SVC-01"] == "pass"
    assert verdicts(found)["SVC-02"] == "pass"


def test_tls_that_is_demanded_and_not_offered_fails(sip_lab: Lab) -> None:
    start_kamailio(sip_lab.pbx, users=PASSWORDS, calls=True)
    found = service_audit(sip_lab, "tls_only: [sip]\n" + SIP_SITE)
    assert verdicts(found)["SVC-07"] == "fail"
    assert "refused" in told(found["SVC-07"])


def test_phone_of_a_host_judged_from_outside(sip_lab: Lab, tmp_path: Path) -> None:
    start_call_manager(sip_lab.pbx, devices=DEVICES, options=RTP)
    site = write_site(sip_lab, CallControl(()))
    pattern = 'hosts:\n  "*": {addresses: [192.168.1.10, 203.0.113.10], expected: [sccp]}\n'
    site.write_text(site.read_text(encoding="utf-8") + pattern, encoding="utf-8")
    command = [sys.executable, "-m", "callgate", "audit", sip_lab.pbx.uri, "--site", str(site)]
    done = subprocess.run(
        [*command, "--baseline", "cisco-call-manager", "--json", "-"], capture_output=True, timeout=150
    )
    found = verdicts({one["control"]: one for one in json.loads(done.stdout)["hosts"][0]["outcomes"]})
    assert (found["SVC-01"], found["SVC-02"], found["SVC-03"]) == ("pass", "pass", "pass")
