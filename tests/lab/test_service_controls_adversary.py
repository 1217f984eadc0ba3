"""Hosts made to fool the family Service: each would have passed, or failed, for a wrong reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from callgate.lab.call_control import DEVICES, SCCP_PHONE, SIP_PHONES, SIP_USERS, apply_firewall
from callgate.lab.call_manager import start_call_manager
from callgate.lab.certificate import self_signed
from callgate.lab.kamailio import start_kamailio
from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.rulesets import RTP_PORTS
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

PASSWORDS = {user: f"right-{user}" for user in SIP_USERS}
SCCP_SITE = "test_phones:\n" + SCCP_PHONE
SIP_SITE = "test_phones:\n" + SIP_PHONES
RTP = ("--rtp", RTP_PORTS)


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"adversary_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_CONTROLS = _sibling("test_service_controls")


def service_audit(lab: Lab, more_site: str, *, passwords: Mapping[str, str] = PASSWORDS) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = _CONTROLS.service_audit(lab, more_site, passwords=passwords)
    return found


def told(outcome: Mapping[str, Any]) -> tuple[str, str]:
    return str(outcome["verdict"]), str(outcome["message"])


def test_firewall_that_limits_connections_lets_strangers_in_all_the_same(lab: Lab) -> None:
    """The first connection to each address opens; the next are dropped, and look filtered."""
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    lab.pbx.load_nft(
        "table inet t { chain i { type filter hook input priority 0;"
        ' iifname "eth1" tcp dport 2000 ct state new limit rate over 1/hour burst 4 packets drop; }; }'
    )
    verdict, message = told(service_audit(lab, SCCP_SITE)["SVC-03"])
    assert verdict == "fail", message
    assert "the connection opened" in message


def test_audited_host_is_no_vantage_for_itself(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its packets to itself pass no firewall, so that all phones may be locked out."""
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    lab.pbx.load_nft(
        'table inet t { chain i { type filter hook input priority 0; policy drop; iifname "lo" accept; }; }'
    )
    site = SCCP_SITE + 'hosts: {"*": {addresses: [192.168.1.10, "fd00:1::10"]}}\n'
    own = f"vantages:\n  - {{name: itself, host: '{lab.pbx.uri}', side: trusted}}\n"
    written = _CONTROLS.write_site

    def on_itself(its: Lab) -> Path:
        made: Path = written(its)
        kept = [line for line in made.read_text(encoding="utf-8").splitlines() if "phone network" not in line]
        made.write_text("\n".join(kept).replace("vantages:", own.rstrip()) + "\n", encoding="utf-8")
        return made

    monkeypatch.setattr(_CONTROLS, "write_site", on_itself)
    found = service_audit(lab, site)
    verdict, message = told(found["SVC-01"])
    assert verdict == "error", message
    assert "itself" in message


def test_answer_from_another_address_of_the_host_is_an_answer(lab: Lab) -> None:
    """A UDP server bound to all addresses answers by its first: the stranger's REGISTER was taken nevertheless."""
    require_tool("kamailio")
    lab.pbx.configure("address add 203.0.113.20/24 dev eth1\n")
    start_kamailio(lab.pbx, users=PASSWORDS, addresses=("0.0.0.0",), transports=("udp",))
    site = "test_phones:\n" + SIP_PHONES.splitlines(keepends=True)[0]
    site += 'hosts: {"*": {addresses: [192.168.1.10, 203.0.113.20]}}\n'
    lab.pbx.load_nft(
        'table ip t { chain i { type filter hook input priority 0; iifname "eth1" ip daddr 192.168.1.10 drop; }; }'
    )
    found = service_audit(lab, site)
    assert found["SVC-05"]["verdict"] == "pass", found["SVC-05"]
    verdict, message = told(found["SVC-03"])
    assert verdict == "fail", message
    assert "answered from 203.0.113.10" in message


def test_test_user_may_be_called_callgate(lab: Lab) -> None:
    require_tool("kamailio")
    start_kamailio(lab.pbx, users={"callgate": "right"}, reveal_users=True)
    site = "test_phones:\n  - {name: c, application: sip, user: callgate, password_file: callgate.password}\n"
    verdict, message = told(service_audit(lab, site, passwords={"callgate": "right"})["SVC-06"])
    assert verdict == "fail", message
    assert "404" in message


def test_tls_is_not_demanded_of_a_protocol_that_the_host_does_not_speak(lab: Lab) -> None:
    require_tool("kamailio")
    require_tool("openssl")
    apply_firewall(lab.pbx, "right")
    addresses = [own.ip for all_own in lab.pbx.addresses.values() for own in all_own]
    made = self_signed(lab.pbx.directory, "pbx.lab", addresses)
    start_kamailio(lab.pbx, users=PASSWORDS, calls=True, certificate=made)
    site = f"tls_only: true\ntls_ca: {made.certificate}\n"
    tls = SIP_SITE.replace("application: sip, user", "application: sip, transport: tls, user")
    verdict, message = told(service_audit(lab, site + tls)["SVC-07"])
    assert verdict == "pass", message


def test_host_without_ipv6_is_sound_where_phones_have_it(lab: Lab) -> None:
    lab.pbx.configure("address del fd00:1::10/64 dev eth0\naddress del 2001:db8:66::10/64 dev eth1\n")
    start_call_manager(lab.pbx, devices=DEVICES, options=RTP)
    apply_firewall(lab.pbx, "right")
    found = service_audit(lab, SCCP_SITE)
    passed = {control for control, its in found.items() if its["verdict"] == "pass"}
    assert passed == {"SVC-01", "SVC-02", "SVC-03", "SVC-04", "SVC-08"}, found


def test_device_is_at_one_place_at_a_time_and_leaves_each(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = start_call_manager(lab.pbx, devices=DEVICES, options=RTP)  # open: strangers are let in as well
    written = _CONTROLS.write_site

    def with_more_vantages(its: Lab) -> Path:
        made: Path = written(its)
        more = f'  - {{name: annex, host: "{its.trusted.uri}", side: trusted}}\n'
        more += f'  - {{name: abroad, host: "{its.stranger.uri}", side: stranger}}\n'
        made.write_text(made.read_text(encoding="utf-8") + more, encoding="utf-8")
        return made

    monkeypatch.setattr(_CONTROLS, "write_site", with_more_vantages)
    found = service_audit(lab, SCCP_SITE)
    assert found["SVC-01"]["verdict"] == "pass", found["SVC-01"]
    assert found["SVC-03"]["verdict"] == "fail"
    there, most = 0, 0
    for line in manager.log_text().splitlines():
        there += line.startswith("registered ") - line.startswith(("unregistered ", "gone "))
        most = max(most, there)
    assert (there, most) == (0, 1), manager.log_text()
