"""README shows what is really printed, and its examples work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from callgate.baseline.library import load_baseline
from callgate.baseline.site import load_site
from callgate.lab.availability import lab_unavailable
from callgate.lab.pytest_fixtures import require, require_tool

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OUTPUTS = dict(re.findall(r"<!-- output of: callgate (.*?) -->\n```text\n(.*?)\n```", README, re.DOTALL))
YAML = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def _block(beginning: str) -> str:
    return str(next(text for text in PYTHON if text.startswith(beginning)))


def printed(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "callgate", *command.split()],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    return done.stdout.strip("\n")


@pytest.mark.parametrize("command", [command for command in OUTPUTS if not command.startswith("lab")])
def test_output_in_the_readme_is_what_is_printed(command: str) -> None:
    assert printed(command) == OUTPUTS[command]


@pytest.mark.lab
def test_demo_in_the_readme_is_what_is_printed() -> None:
    require(lab_unavailable())
    require_tool("kamailio")
    require_tool("iptables")
    assert printed("lab demo") == OUTPUTS["lab demo"]


def test_site_files_of_the_readme_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    sites = []
    for text in YAML:
        if "\ntrusted:" in f"\n{text}":
            path.write_text(text)
            sites.append(load_site(path))
    phones, whole = sites
    assert [phone.name for phone in phones.test_phones] == ["desk", "soft", "door"]
    assert whole.waivers[0].ticket == "VOIP-112"


def test_own_baseline_and_check_of_the_readme_work(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(next(text for text in YAML if text.startswith("# ours.yaml")))
    assert load_baseline(str(path)).controls["OWN-01"].parameters == {"ports": [80, 443]}
    (tmp_path / "test_web.py").write_text(_block("# our-checks/test_web.py"))
    host = "bundle://tests/data/bundles/nft01-compliant"
    text = printed(f"audit {host} --baseline {path} --checks {tmp_path}/test_web.py -v")
    assert "pass    OWN-01  The PBX host runs no web server" in text
    assert "no web server listens" in text


@pytest.mark.parametrize(("host", "verdict"), [("ipt17-compliant", "pass"), ("ipt01-given", "fail")])
def test_own_check_of_the_rules_in_the_readme_works(tmp_path: Path, host: str, verdict: str) -> None:
    (tmp_path / "ours.yaml").write_text(
        "id: ours\ntitle: Ours\nextends: [voip-core]\ncontrols:\n"
        "  - {id: OWN-02, title: Ours, severity: low, rationale: because, remedy: do it}\n"
    )
    (tmp_path / "test_voice.py").write_text(_block("# our-checks/test_voice.py"))
    options = f"--baseline {tmp_path}/ours.yaml --checks {tmp_path}/test_voice.py --json -"
    report = json.loads(printed(f"audit bundle://tests/data/hosts/{host} {options}"))
    own = {one["service"]: one for one in report["hosts"][0]["outcomes"] if one["control"] == "OWN-02"}
    assert len(own) == 5
    assert own["sccp"]["verdict"] == verdict
    assert ("reach SCCP (Skinny) (2000/tcp)" in own["sccp"]["message"]) == (verdict == "fail")


def test_ruleset_of_a_pull_request_in_the_readme_is_gated(tmp_path: Path) -> None:
    (tmp_path / "firewall").mkdir()
    host, site = f"bundle://{tmp_path}/firewall/", f"{tmp_path}/site.yaml"
    (tmp_path / "site.yaml").write_text("trusted: [192.168.1.0/24]\n")
    assert any("callgate audit bundle://firewall/ --site site.yaml" in text for text in YAML)
    rules = ROOT / "tests" / "data" / "rulesets" / "usual-advice" / "iptables-save.txt"
    (tmp_path / "firewall" / "iptables-save.txt").write_text(rules.read_text())
    assert "4 fail" in printed(f"audit {host} --site {site} -q").splitlines()[-1]
    sound = rules.read_text().replace(":INPUT ACCEPT", ":INPUT DROP")
    sound = sound.replace("-p udp -m udp --dport 5060 -j ACCEPT", "-j ACCEPT")
    (tmp_path / "firewall" / "iptables-save.txt").write_text(sound)
    last = printed(f"audit {host} --site {site} -q").splitlines()[-1]
    assert "0 fail, 0 error" in last


def test_codec_example_of_the_readme_works(tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(_block("from callgate.sccp import"))
    subprocess.run([sys.executable, path], cwd=ROOT, env={**os.environ, "PYTHONPATH": "src"}, timeout=60, check=True)
