"""`callgate diff` on a live host: a bundle from before a change, and the host as it is after it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from callgate.lab.pytest_fixtures import require_tool
from callgate.lab.rulesets import RIGHT_REMEDY_NFT
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab
SITE = 'trusted: [192.168.1.0/24, "fd00:1::/64"]\nauditor: none\n'


def callgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "callgate", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_live_host_is_compared_with_a_bundle_and_what_clients_see_agrees(lab: Lab, tmp_path: Path) -> None:
    require_tool("nft")
    (tmp_path / "site.yaml").write_text(SITE)
    start_sccp(lab.pbx)
    rules = tmp_path / "right.nft"
    rules.write_text(RIGHT_REMEDY_NFT)
    lab.pbx.run(["nft", "-f", str(rules)])
    callgate(tmp_path, "collect", lab.pbx.uri, "--out", "before")
    options = ("--site", "site.yaml", "--json", "--no-controls")

    same = callgate(tmp_path, "diff", "before", lab.pbx.uri, *options)
    assert same.returncode == 0, same.stdout
    assert told(same)["same_rules"] is True
    assert not told(same)["gained"]

    lab.pbx.run(["nft", "insert", "rule", "inet", "lab", "input", "tcp", "dport", "2000", "accept"])
    assert lab.stranger.dial("connect", "203.0.113.10", 2000, timeout=3).result == "connected"
    opened = callgate(tmp_path, "diff", "before", lab.pbx.uri, "--site", "site.yaml", "--json")
    found = told(opened)
    assert opened.returncode == 1
    entrances = {(row["family"], row["interface"]) for row in found["gained"] if row["service"] == "sccp"}
    assert {(4, "eth1"), (6, "eth1")} <= entrances
    assert "tcp dport 2000 accept" in found["gained"][0]["rules"][0]
    flips = {(flip["control"], flip["service"]): (flip["before"], flip["after"]) for flip in found["controls"]}
    assert flips["EXP-01", "sccp"] == ("pass", "fail")
    assert lab.pbx.uri not in json.dumps(found["controls"])
