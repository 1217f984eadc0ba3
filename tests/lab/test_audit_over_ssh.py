"""The whole way: over ssh, into a lab host, out as JUnit, with one login."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest
from lxml import etree

from callgate.baseline.library import load_baseline
from callgate.lab.call_control import apply_firewall, write_site
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.sshd import Sshd, sshd_unavailable, start_sshd
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab
XSD = Path(__file__).parents[3] / "shared" / "junit" / "junit-10.xsd"


@pytest.fixture
def sshd(pbx_lab: Lab) -> Sshd:
    require_tool("ssh")
    require(sshd_unavailable())
    return start_sshd(pbx_lab.pbx)


def audit(lab: Lab, sshd: Sshd, junit: Path, *more: str) -> subprocess.CompletedProcess[str]:
    site = write_site(lab)
    command = [sys.executable, "-m", "callgate", "audit", f"ssh://{sshd.alias}", "--ssh-config", str(sshd.ssh_config)]
    command += ["--site", str(site), "--junit", str(junit), *more]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=90, check=False
    )


def outcomes(junit: Path) -> dict[str, int]:
    """The counts of a JUnit file: as junitparser reads them, as its totals say, and as its cases are."""
    parsed = junitparser.JUnitXml.fromfile(str(junit))
    cases = [case for suite in parsed for case in suite]
    seen = {
        "tests": len(cases),
        "failures": sum(any(isinstance(one, junitparser.Failure) for one in case.result) for case in cases),
        "errors": sum(any(isinstance(one, junitparser.Error) for one in case.result) for case in cases),
    }
    root = ElementTree.parse(junit).getroot()
    assert {key: int(root.get(key, "-1")) for key in seen} == seen
    assert (parsed.tests, parsed.failures, parsed.errors) == (seen["tests"], seen["failures"], seen["errors"])
    if XSD.exists():
        etree.XMLSchema(etree.parse(XSD)).assertValid(etree.parse(junit))
    return seen


def test_exposed_pbx_fails(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    done = audit(pbx_lab, sshd, tmp_path / "r.xml")
    assert done.returncode == 1, done.stderr
    counts = outcomes(tmp_path / "r.xml")
    assert counts["failures"] == 9  # three services, by rules, by probes, and after a boot
    assert counts["errors"] == 0


def test_protected_pbx_passes(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    apply_firewall(pbx_lab.pbx, "right")
    done = audit(pbx_lab, sshd, tmp_path / "r.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = outcomes(tmp_path / "r.xml")
    assert (counts["failures"], counts["errors"]) == (0, 0)


def test_host_with_sshd_down_is_an_error_for_every_control(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    sshd.stop(sessions=True)
    done = audit(pbx_lab, sshd, tmp_path / "r.xml")
    assert done.returncode == 3
    counts = outcomes(tmp_path / "r.xml")
    assert counts["errors"] == counts["tests"] > 0
    # Each control has a suite of its own.
    assert len(ElementTree.parse(tmp_path / "r.xml").getroot().findall("testsuite")) == len(
        load_baseline("voip-core").controls
    )


OWN = """
from callgate.plugin import control

@control("OWN-01")
def test_own(host, target):
    for _ in range(5):
        assert host.run("uname -n").stdout.strip() == "pbx"
    assert host.file("/etc/passwd").exists
"""
OWN_BASELINE = """
id: ours
title: Ours
extends: [voip-core]
controls:
  - {id: OWN-01, title: Ours, severity: low, rationale: because, remedy: do it}
"""


def test_whole_audit_logs_in_once_also_with_checks_that_run_commands(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    audit(pbx_lab, sshd, tmp_path / "r.xml")
    assert (sshd.logins(), sshd.sessions()) == (1, 1)
    (tmp_path / "test_own.py").write_text(OWN)
    (tmp_path / "ours.yaml").write_text(OWN_BASELINE)
    more = ("--checks", str(tmp_path / "test_own.py"), "--baseline", str(tmp_path / "ours.yaml"))
    done = audit(pbx_lab, sshd, tmp_path / "r.xml", *more)
    assert done.returncode == 1, done.stderr
    assert "OWN-01" in (tmp_path / "r.xml").read_text()
    assert sshd.logins() == 2
    assert sshd.sessions() >= 1 + 1 + 6


def test_ssh_config_in_the_uri_shares_its_login_too(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(OWN)
    (tmp_path / "ours.yaml").write_text(OWN_BASELINE)
    command = [sys.executable, "-m", "callgate", "audit", f"ssh://pbx?ssh_config={sshd.ssh_config}", "--baseline"]
    command += [str(tmp_path / "ours.yaml"), "--checks", str(tmp_path / "test_own.py"), "--json", "-"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=90)
    assert b'"OWN-01"' in done.stdout, done.stderr
    assert sshd.logins() == 1
    assert sshd.sessions() >= 7


def test_wrong_host_key_is_refused_and_never_a_pass(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    known = sshd.directory / "known_hosts"
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    name = known.read_text().split()[0]
    known.write_text(f"{name} {' '.join(other.with_suffix('.pub').read_text().split()[:2])}\n")
    done = audit(pbx_lab, sshd, tmp_path / "r.xml")
    assert done.returncode == 3
    assert "Host key verification failed" in " ".join(done.stdout.replace("|", "").split())
    assert sshd.logins() == 0


def test_no_master_stays_behind(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    audit(pbx_lab, sshd, tmp_path / "r.xml")
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, encoding="utf-8", check=True).stdout
    assert not [line for line in listed.splitlines() if line.startswith("ssh:") and str(pbx_lab.directory) in line]


def test_plain_pytest_run_of_the_checks_gives_the_same_verdicts(pbx_lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "checks/", f"--hosts=ssh://{sshd.alias}", "-q", "-p", "no:cacheprovider"]
    command += [f"--ssh-config={sshd.ssh_config}", f"--site={write_site(pbx_lab)}", f"--audit-junit={tmp_path}/r.xml"]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", timeout=90)
    assert done.returncode == 1, done.stdout
    assert "9 failed, 27 passed, 26 skipped" in done.stdout
    assert outcomes(tmp_path / "r.xml")["failures"] == 9
    assert sshd.logins() == 1
