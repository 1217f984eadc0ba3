"""Thirty-two recorded hosts: what the audit says of each, beside what clients on both sides of it really saw.

`expected.json` of a host lists the packets that were sent on a real kernel, and what became of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

HOSTS = Path(__file__).parents[1] / "data" / "hosts"
NAMES = sorted(path.name for path in HOSTS.iterdir())
SERVICES = {("tcp", 2000): "sccp", ("udp", 5060): "sip-udp", ("tcp", 5060): "sip-tcp"}
WAYS_IN = ("EXP-01", "EXP-03", "LSN-04")
CLEAN = {"ipt17-compliant", "nft01-compliant"}
LOOSE = {"ipt16-negated-compliant", "nft09b-two-tables-compliant"}
"""Compliant for VoIP, but 12001/tcp and 15060/udp are open to everybody there."""

Verdicts = dict[tuple[str, str | None], str]


@dataclass(frozen=True)
class Seen:
    """What was observed on a host: packets of strangers and of phones, each as (service, address, fate)."""

    strangers: list[tuple[str | None, str, str]]
    phones: list[tuple[str | None, str, str]]

    @property
    def exposed(self) -> bool:
        return any(fate == "accept" for _, _, fate in self.strangers)

    @property
    def locked_out(self) -> bool:
        return any(fate != "accept" for _, _, fate in self.phones)


def observed(name: str) -> Seen:
    data = json.loads((HOSTS / name / "expected.json").read_text())
    trusted = [ip_network(text) for text in data["trusted"]]
    seen = Seen([], [])
    for packet in data["packets"]:
        source = ip_address(packet["source"])
        side = seen.phones if any(source in network for network in trusted) else seen.strangers
        service = SERVICES.get((packet["protocol"], packet["destination_port"]))
        side.append((service, packet["destination"], packet["observed"]))
    return seen


def audited(folder: Path, *options: str) -> dict[str, Verdicts]:
    """Every host's verdicts, of one audit of them all."""
    hosts = [f"bundle://{HOSTS / name}" for name in NAMES]
    command = [sys.executable, "-m", "callgate", "audit", *hosts, "--json", "-", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300)
    report: dict[str, Any] = json.loads(done.stdout)
    found: dict[str, Verdicts] = defaultdict(dict)
    for host in report["hosts"]:
        for one in host["outcomes"]:
            found[host["name"]][one["control"], one["service"]] = one["verdict"]
    assert sorted(found) == NAMES
    return found


@pytest.fixture(scope="module")
def with_site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdicts]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "site.yaml").write_text('trusted: [192.168.1.0/24, "fd00:1::/64"]\n')
    return audited(folder, "--site", "site.yaml")


@pytest.fixture(scope="module")
def by_default(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdicts]:
    return audited(tmp_path_factory.mktemp("default"))


def exit_code(verdicts: Verdicts) -> int:
    """The exit code of an audit of this host alone."""
    words = set(verdicts.values())
    return 1 if "fail" in words else 3 if "error" in words else 0


def test_the_recorded_hosts_are_all_here_and_trust_the_same() -> None:
    assert len(NAMES) == 32
    told = {json.dumps(json.loads((HOSTS / name / "expected.json").read_text())["trusted"]) for name in NAMES}
    assert told == {'["192.168.1.0/24", "fd00:1::/64"]'}
    assert sum(observed(name).exposed for name in NAMES) == 23
    assert sum(observed(name).locked_out for name in NAMES) == 18


@pytest.mark.parametrize("name", [name for name in NAMES if observed(name).exposed])
def test_host_that_let_a_stranger_in_fails(with_site: dict[str, Verdicts], name: str) -> None:
    verdicts = with_site[name]
    assert exit_code(verdicts) == 1
    failing = {control for (control, _), verdict in verdicts.items() if verdict == "fail"}
    assert failing & set(WAYS_IN)


@pytest.mark.parametrize("name", [name for name in NAMES if observed(name).exposed])
def test_service_that_let_a_stranger_in_never_passes(with_site: dict[str, Verdicts], name: str) -> None:
    for service, _, fate in observed(name).strangers:
        if fate == "accept" and service is not None:
            judged = {with_site[name][control, service] for control in ("EXP-01", "EXP-03")}
            assert judged & {"fail", "error"}, service


@pytest.mark.parametrize("name", [name for name in NAMES if observed(name).locked_out])
def test_host_that_turned_a_phone_away_fails(with_site: dict[str, Verdicts], name: str) -> None:
    verdicts = with_site[name]
    assert exit_code(verdicts) == 1
    if name == "gw01-forward":  # nothing of its own: judged by what it forwards
        assert {verdicts["EXP-03", service] for service in SERVICES.values()} == {"fail"}
        return
    for service, _, fate in observed(name).phones:
        if fate != "accept" and service is not None:
            assert verdicts["EXP-02", service] != "pass", service


@pytest.mark.parametrize("name", sorted(CLEAN))
def test_compliant_host_passes_everything(with_site: dict[str, Verdicts], name: str) -> None:
    assert exit_code(with_site[name]) == 0
    for service in SERVICES.values():
        assert [with_site[name][control, service] for control in ("EXP-01", "EXP-02", "EXP-03")] == ["pass"] * 3


@pytest.mark.parametrize("name", sorted(LOOSE))
def test_host_compliant_for_voip_fails_for_its_other_listeners_alone(with_site: dict[str, Verdicts], name: str) -> None:
    for service in SERVICES.values():
        assert [with_site[name][control, service] for control in ("EXP-01", "EXP-02", "EXP-03")] == ["pass"] * 3
    assert {control for (control, _), verdict in with_site[name].items() if verdict in ("fail", "error")} == {"LSN-04"}


@pytest.mark.parametrize("name", [name for name in NAMES if not observed(name).exposed])
def test_service_no_stranger_got_to_does_not_fail_for_it(with_site: dict[str, Verdicts], name: str) -> None:
    failing = {control for (control, _), verdict in with_site[name].items() if verdict == "fail"}
    assert not failing & {"EXP-01", "EXP-03"}


@pytest.mark.parametrize("name", [name for name in NAMES if observed(name).exposed])
def test_without_a_site_file_no_exposed_host_is_taken_for_sound(by_default: dict[str, Verdicts], name: str) -> None:
    assert exit_code(by_default[name]) == 1


@pytest.mark.parametrize("name", sorted(CLEAN))
def test_without_a_site_file_a_compliant_host_still_passes(by_default: dict[str, Verdicts], name: str) -> None:
    assert exit_code(by_default[name]) == 0
