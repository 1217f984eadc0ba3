"""`callgate audit` as a user and a pipeline meet it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from callgate.baseline.library import load_baseline

Callgate = Callable[..., subprocess.CompletedProcess[str]]
Bundle = Callable[[str], str]


def test_exposed_host_fails_with_1_and_says_who_gets_in_and_what_to_do(run_callgate: Callgate, bundle: Bundle) -> None:
    done = run_callgate("audit", bundle("boot03-missing-ipset"))
    assert done.returncode == 1
    text = " ".join(done.stdout.replace("|", " ").split())
    assert "every IPv4 stranger on eth1, for example 203.0.113.1 to 192.168.1.10:2000/tcp" in text
    assert "and no rule forbids it" in text
    assert (
        "to do: no firewall rule refuses anything: accept 2000/tcp from the trusted networks, and drop the rest" in text
    )
    assert "remedy: Let the firewall accept this port from the trusted networks alone" in text
    assert "no site file: private address space" in text


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ipt01-given", 1),
        ("nft01-compliant", 0),
        ("gw01-forward", 1),
        ("relay01-userland", 1),
        ("ipt25-legacy-drop", 1),
        ("dk01-published", 1),
    ],
)
def test_rules_are_weighed(run_callgate: Callgate, bundle: Bundle, name: str, code: int) -> None:
    done = run_callgate("audit", bundle(name), "--json", "-")
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] == code
    assert (report["summary"]["fail"] > 0) == (code == 1)


def test_two_hosts_are_judged_apart(run_callgate: Callgate, bundle: Bundle) -> None:
    done = run_callgate("audit", bundle("boot03-missing-ipset"), bundle("nft01-compliant"), "--json", "-")
    report = json.loads(done.stdout)
    fails = {host["name"]: host["summary"]["fail"] for host in report["hosts"]}
    assert fails["boot03-missing-ipset"] > 0
    assert fails["nft01-compliant"] == 0


def test_host_that_cannot_be_reached_is_an_error_for_each_control(run_callgate: Callgate, bundle: Bundle) -> None:
    done = run_callgate("audit", "ssh://nobody@127.0.0.1:1", bundle("nft01-compliant"), "--json", "-")
    report = json.loads(done.stdout)
    assert done.returncode == 3
    unreached = next(host for host in report["hosts"] if host["name"] == "127.0.0.1")
    by_control: dict[str, set[str]] = {}
    for outcome in unreached["outcomes"]:
        by_control.setdefault(outcome["control"], set()).add(outcome["verdict"])
    assert set(by_control) == set(report["controls"])
    for control in ("EXP-01", "EXP-02", "EXP-03", "EXP-06", "LSN-02", "LSN-03", "LSN-04"):
        assert by_control[control] == {"error"}, control
    assert not {verdict for verdicts in by_control.values() for verdict in verdicts} & {"pass", "waived"}
    assert "Connection refused" in unreached["outcomes"][0]["message"]


def test_missing_bundle_is_an_error_and_never_empty(run_callgate: Callgate, tmp_path: Path) -> None:
    done = run_callgate("audit", "bundle://nowhere", "--json", "-")
    report = json.loads(done.stdout)
    assert done.returncode == 3
    assert report["summary"]["pass"] == 0
    (tmp_path / "empty").mkdir()
    done = run_callgate("audit", "bundle://empty", "--json", "-")
    assert done.returncode == 3
    assert json.loads(done.stdout)["summary"]["pass"] == 0


def test_reports_are_written_and_agree(run_callgate: Callgate, bundle: Bundle, tmp_path: Path) -> None:
    done = run_callgate("audit", bundle("boot03-missing-ipset"), "--junit", "out.xml", "--json", "out.json", "-q")
    assert done.returncode == 1
    suites = ElementTree.parse(tmp_path / "out.xml").getroot()
    summary = json.loads((tmp_path / "out.json").read_text())["summary"]
    assert int(suites.get("failures", "")) == summary["fail"]
    assert int(suites.get("errors", "")) == summary["error"]
    assert int(suites.get("tests", "")) == sum(summary.values())


def test_nothing_moves_or_colours_in_a_pipe(run_callgate: Callgate, bundle: Bundle) -> None:
    done = run_callgate("audit", bundle("boot03-missing-ipset"))
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_quiet_shows_only_what_fails_or_is_undetermined(run_callgate: Callgate, bundle: Bundle) -> None:
    loud = run_callgate("audit", bundle("boot03-missing-ipset")).stdout
    quiet = run_callgate("audit", bundle("boot03-missing-ipset"), "-q").stdout
    assert "skip    " in loud
    assert "skip    " not in quiet
    assert "fail    EXP-01" in quiet


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gopher://pbx"], "no back end is called 'gopher'"),
        (["ssh://root:secret@pbx"], "must not hold a password"),
        (["--baseline", "voip-cor"], "no baseline is called 'voip-cor'"),
        (["--baseline", "./none.yaml"], "there is no such baseline file"),
        (["--site", "none.yaml"], "does not exist"),
        (["--checks", "nowhere"], "does not exist"),
        (["--wrong"], "No such option"),
        (["ssh://pbx?ssh_config=/none"], "there is no such ssh_config file"),
        (["bundle://x", "--junit", "no/such/folder/r.xml"], "no/such/folder"),
    ],
)
def test_mistake_on_the_command_line_is_one_clear_line_and_2(
    run_callgate: Callgate, arguments: list[str], said: str
) -> None:
    done = run_callgate("audit", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_mistakes_of_all_files_are_shown_at_once_with_their_lines(run_callgate: Callgate, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("trusted:\n  - 192.168.1.5/24\nvantage: []\n")
    (tmp_path / "waivers.yaml").write_text("waivers:\n  - control: EXP-01\n")
    (tmp_path / "ours.yaml").write_text("id: ours\ntitle: Ours\nextends: [voip-cor]\n")
    done = run_callgate("audit", "--site", "site.yaml", "--waivers", "waivers.yaml", "--baseline", "./ours.yaml")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert any(line.startswith("site.yaml:2: ") and "192.168.1.0/24" in line for line in lines)
    assert any(line.startswith("site.yaml:3: ") and "vantages" in line for line in lines)
    assert any(line.startswith("ours.yaml:3: ") for line in lines)
    assert any(line.startswith("waivers.yaml:2: ") for line in lines)


def test_waived_failure_is_shown_and_does_not_fail(run_callgate: Callgate, bundle: Bundle, tmp_path: Path) -> None:
    line = "- {control: %s, host: boot03*, reason: replaced soon, owner: ops, ticket: T-1, expires: %s}\n"
    at_boot = "".join(line % (control, "2999-01-01") for control in ("PER-01", "PER-03"))
    (tmp_path / "waivers.yaml").write_text("waivers:\n" + at_boot + line % ("EXP-01", "2999-01-01"))
    done = run_callgate("audit", bundle("boot03-missing-ipset"), "--waivers", "waivers.yaml", "--json", "-")
    report = json.loads(done.stdout)
    assert report["summary"]["fail"] == 0
    assert report["summary"]["waived"] == 3 + 3 + 1  # the three services now and after a boot, and what does not load
    assert done.returncode == 0
    (tmp_path / "waivers.yaml").write_text("waivers:\n" + at_boot + line % ("EXP-01", "2020-01-01"))
    done = run_callgate("audit", bundle("boot03-missing-ipset"), "--waivers", "waivers.yaml", "--json", "-")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert any(note.startswith("waiver expired: EXP-01") for note in report["notes"])


OWN_CHECK = """
from callgate.plugin import NotDetermined, control

@control("OWN-01")
def test_own(evidence, attest):
    attest("seen")
    assert {condition}, "ours says no"
"""
OWN_BASELINE = """
id: ours
title: Ours
extends: [voip-core]
controls:
  - {id: OWN-01, title: Ours, severity: low, rationale: because, remedy: do it}
"""


@pytest.mark.parametrize(("condition", "verdict"), [("evidence.listeners", "pass"), ("not evidence.listeners", "fail")])
def test_own_checks_and_baseline_stand_beside_the_shipped_ones(
    run_callgate: Callgate, bundle: Bundle, tmp_path: Path, condition: str, verdict: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "test_own.py").write_text(OWN_CHECK.format(condition=condition))
    (tmp_path / "ours.yaml").write_text(OWN_BASELINE)
    host = bundle("nft01-compliant")
    done = run_callgate("audit", host, "--checks", "mine", "--baseline", "./ours.yaml", "--json", "-")
    outcomes = json.loads(done.stdout)["hosts"][0]["outcomes"]
    assert [one["verdict"] for one in outcomes if one["control"] == "OWN-01"] == [verdict]
    assert {one["control"] for one in outcomes} == {*load_baseline("voip-core").controls, "OWN-01"}


def test_own_check_named_like_a_shipped_one_counts_beside_it(
    run_callgate: Callgate, bundle: Bundle, tmp_path: Path
) -> None:
    text = OWN_CHECK.replace("OWN-01", "EXP-06").replace("test_own", "test_no_stranger_has_a_live_flow")
    (tmp_path / "test_own.py").write_text(text.format(condition="True"))
    done = run_callgate("audit", bundle("boot03-missing-ipset"), "--checks", "test_own.py", "--json", "-")
    assert "Traceback" not in done.stderr
    outcomes = json.loads(done.stdout)["hosts"][0]["outcomes"]
    assert sorted(one["verdict"] for one in outcomes if one["control"] == "EXP-06") == ["pass", "skip"]


def test_control_without_a_check_is_an_error(run_callgate: Callgate, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(OWN_BASELINE)
    done = run_callgate("audit", bundle("nft01-compliant"), "--baseline", "./ours.yaml", "--json", "-")
    outcomes = json.loads(done.stdout)["hosts"][0]["outcomes"]
    own = [one for one in outcomes if one["control"] == "OWN-01"]
    assert [one["verdict"] for one in own] == ["error"]
    assert "no check implements OWN-01" in own[0]["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def test_x(:\n", "test_own.py"),
        ("import nothing_of_the_kind\n", "nothing_of_the_kind"),
        ("def test_x(evidence):\n    pass\n", "no @control mark"),
        (
            "from callgate.plugin import control\n@control('OWN-01')\ndef test_x():\n    pass\n",
            "says nothing of a host",
        ),
        ("from callgate.plugin import control\n@control()\ndef test_x(evidence):\n    pass\n", '@control("EXP-01")'),
    ],
)
def test_broken_check_is_named_and_ends_with_2(
    run_callgate: Callgate, bundle: Bundle, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "test_own.py").write_text(text)
    done = run_callgate("audit", bundle("nft01-compliant"), "--checks", "test_own.py")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_check_that_breaks_is_an_error_and_no_failure(run_callgate: Callgate, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(OWN_CHECK.format(condition="1 / 0"))
    (tmp_path / "ours.yaml").write_text(OWN_BASELINE)
    host = bundle("nft01-compliant")
    done = run_callgate("audit", host, "--checks", "test_own.py", "--baseline", "./ours.yaml", "--json", "-")
    own = [one for one in json.loads(done.stdout)["hosts"][0]["outcomes"] if one["control"] == "OWN-01"]
    assert [one["verdict"] for one in own] == ["error"]
    assert "ZeroDivisionError" in own[0]["message"]


def test_pytest_settings_of_the_user_change_nothing(run_callgate: Callgate, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --collect-only -k nothing\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('not asked for')\n")
    plain = run_callgate("audit", bundle("boot03-missing-ipset"), "--json", "-")
    crafted = run_callgate("audit", bundle("boot03-missing-ipset"), "--json", "-", env={"PYTEST_ADDOPTS": "-k nothing"})
    assert plain.returncode == crafted.returncode == 1
    assert json.loads(plain.stdout)["summary"] == json.loads(crafted.stdout)["summary"]


def test_nothing_assessed_is_an_error_and_no_success(run_callgate: Callgate, bundle: Bundle, tmp_path: Path) -> None:
    # Judged from outside, a bundle has nothing to be judged by.
    done = run_callgate(
        "audit", bundle("nft01-compliant"), "--baseline", "cisco-call-manager", "--junit", "r.xml", "--json", "-"
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["summary"]["pass"] == 0
    assert ElementTree.parse(tmp_path / "r.xml").getroot().find(".//error") is not None


def test_site_that_drops_every_service_leaves_only_what_is_about_the_host(
    run_callgate: Callgate, bundle: Bundle, tmp_path: Path
) -> None:
    dropped = ", ".join(f"{name}: false" for name in ("sccp", "sccp-tls", "sip-udp", "sip-tcp", "sip-tls"))
    (tmp_path / "site.yaml").write_text(f"trusted: [10.0.0.0/8]\nservices: {{{dropped}}}\n")
    done = run_callgate("audit", bundle("nft01-compliant"), "--site", "site.yaml", "--json", "-")
    assert done.returncode == 1
    outcomes = json.loads(done.stdout)["hosts"][0]["outcomes"]
    skipped = {one["control"]: one["message"] for one in outcomes if one["verdict"] == "skip"}
    assert skipped.pop("EXP-06").startswith("the bundle was made by hand")
    calls = {skipped.pop(control) for control in list(skipped) if control.startswith("SVC-")}
    assert calls == {"an evidence bundle cannot be called"}
    boots = {skipped.pop(control) for control in ("PER-03", "PER-04")}
    assert boots == {"the bundle holds nothing about booting: no saved rules (etc/) and no unit states"}
    assert set(skipped.values()) == {"the site drops every service"}
    # What listens on their ports is now somebody else's to account for.
    assert [one["verdict"] for one in outcomes if one["control"] == "LSN-04"] == ["fail"]


def test_host_named_twice_is_audited_once(run_callgate: Callgate, bundle: Bundle) -> None:
    host = bundle("nft01-compliant")
    report = json.loads(run_callgate("audit", host, host, "--json", "-").stdout)
    assert len(report["hosts"]) == 1


def test_same_host_with_and_without_sudo_are_two(run_callgate: Callgate) -> None:
    if os.geteuid() != 0:
        pytest.skip("sudo may ask for a password: needs root")
    report = json.loads(run_callgate("audit", "local://", "local://?sudo=true", "--json", "-").stdout)
    assert [host["host"] for host in report["hosts"]] == ["local://", "local://?sudo=true"]
