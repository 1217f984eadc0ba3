"""The jobs shown in .github/examples: valid for GitHub, and their steps do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from callgate.lab.boot import boot_unavailable
from callgate.lab.pytest_fixtures import require, require_tool

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".github" / "examples" / "firewall-gate.yml"
WORKFLOWS = sorted((ROOT / ".github").glob("*/*.yml"))

RIGHT = """\
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    ip saddr 192.168.1.0/24 meta l4proto { tcp, udp } th dport { 2000, 2443, 5060, 5061 } accept
    ip6 saddr fd00:1::/64 meta l4proto { tcp, udp } th dport { 2000, 2443, 5060, 5061 } accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
}
"""
REORDERED = RIGHT.replace("2000, 2443, 5060, 5061", "5060-5061, 2443, 2000").replace("table inet", "# SCCP\ntable inet")
WIDENED = RIGHT.replace("policy drop;", "policy drop; tcp dport 2000 accept")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_is_what_github_takes(path: Path) -> None:
    tool = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [tool, "--builtin-schema", "vendor.github-workflows", path], capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout of rules for two hosts, with `sudo` and `callgate` on its path."""
    require(boot_unavailable())
    require_tool("git")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (programs / "callgate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m callgate "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    checkout = tmp_path / "checkout"
    for host in ("pbx1", "pbx2"):
        (checkout / "firewall" / host / "etc").mkdir(parents=True)
        (checkout / "firewall" / host / "etc" / "nftables.conf").write_text(RIGHT)
    (checkout / "site.yaml").write_text('trusted: [192.168.1.0/24, "fd00:1::/64"]\n')
    git(checkout, "init", "-q", "-b", "main")
    git(checkout, "add", ".")
    commit(checkout)
    return checkout


def git(checkout: Path, *words: str) -> str:
    ours = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *ours, *words], cwd=checkout, check=True, capture_output=True, encoding="utf-8", timeout=30
    ).stdout.strip()


def commit(checkout: Path) -> str:
    git(checkout, "commit", "-q", "--allow-empty", "-a", "-m", "rules")
    return git(checkout, "rev-parse", "HEAD")


def run_step(checkout: Path, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    workflow: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    [step] = [step for step in workflow["jobs"]["rulesets"]["steps"] if step.get("name") == name]
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    # As GitHub runs a step: https://docs.github.com/actions/reference/workflow-syntax (jobs.<id>.steps[*].shell)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=checkout,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.mark.lab
def test_rulesets_that_hold_pass_and_a_change_without_effect_is_none(repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    (repository / "firewall/pbx1/etc/nftables.conf").write_text(REORDERED)
    commit(repository)
    judged = run_step(repository, "Judge each ruleset")
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert sorted(path.name for path in (repository / "reports").iterdir()) == ["pbx1.xml", "pbx2.xml"]
    compared = run_step(repository, "Compare each with the base of this pull request", BASE=base)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert "== firewall/pbx2/" in compared.stdout


@pytest.mark.lab
def test_pull_request_that_opens_sccp_is_stopped_by_both_steps(repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    (repository / "firewall/pbx2/etc/nftables.conf").write_text(WIDENED)
    commit(repository)
    judged = run_step(repository, "Judge each ruleset")
    assert judged.returncode == 1
    assert "strangers reach SCCP (Skinny)" in judged.stdout
    compared = run_step(repository, "Compare each with the base of this pull request", BASE=base)
    assert compared.returncode == 1, compared.stdout + compared.stderr
    assert "tcp dport 2000 accept" in compared.stdout.split("== firewall/pbx2/")[1]
