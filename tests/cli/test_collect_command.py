"""`callgate collect`, and auditing what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

Callgate = Callable[..., subprocess.CompletedProcess[str]]


def verdicts(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, str]]:
    outcomes = json.loads(done.stdout)["hosts"][0]["outcomes"]
    return [(one["control"], one["case"], one["verdict"]) for one in outcomes if one["control"].startswith("LSN")]


def test_bundle_and_live_host_get_the_same_verdicts(run_callgate: Callgate, tmp_path: Path) -> None:
    run_callgate("collect", "local://", "--out", "here")
    with tarfile.open(tmp_path / "here.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "here", "here")
    live = verdicts(run_callgate("audit", "--json", "-"))
    assert live
    assert verdicts(run_callgate("audit", "bundle://here", "--json", "-")) == live
    assert verdicts(run_callgate("audit", f"bundle://{tmp_path}/here.tar.gz", "--json", "-")) == live


def test_bundle_tells_what_is_in_it_and_what_is_not(run_callgate: Callgate, tmp_path: Path) -> None:
    done = run_callgate("collect", "--out", "here")
    manifest = json.loads((tmp_path / "here" / "manifest.json").read_text())
    assert done.returncode in (0, 3)
    assert manifest["host"] == "local://"
    assert manifest["user_id"] == os.geteuid()
    assert {"command", "exit_code", "sha256", "stderr"} <= set(manifest["files"]["ip-addr.json"])
    for name, record in manifest["files"].items():
        assert (tmp_path / "here" / name).exists() == (record["state"] == "collected")
        if record["state"] != "collected":
            assert f"not there: {name}" in done.stdout


def test_folder_in_use_is_left_alone(run_callgate: Callgate, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = run_callgate("collect", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "--out DIR is needed"),
        (["ssh://nobody@127.0.0.1:1", "--out", "x"], 3, "Connection refused"),
        (["nowhere://x", "--out", "x"], 2, "no back end"),
        (["bundle://missing", "--out", "x"], 3, "No such file"),
    ],
)
def test_failure_is_one_line(run_callgate: Callgate, arguments: list[str], code: int, said: str) -> None:
    done = run_callgate("collect", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_script_can_be_read_before_it_runs(run_callgate: Callgate) -> None:
    text = run_callgate("collect", "--script").stdout
    assert subprocess.run(["sh", "-n"], input=text, encoding="utf-8", check=False).returncode == 0
    assert "ss -H -tulnp" in text
