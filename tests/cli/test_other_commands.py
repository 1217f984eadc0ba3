"""Help, completion, `callgate baseline`, and how fast the command line starts."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NO_SPACE = f"what was found could not be written: {os.strerror(errno.ENOSPC)}"
Callgate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["audit"],
        ["collect"],
        ["lab"],
        ["lab", "up"],
        ["lab", "demo"],
        ["lab", "down"],
        ["completion"],
        ["decode"],
        ["phone"],
        ["phone", "register"],
        ["phone", "call"],
        ["phone", "answer"],
        ["probe"],
        ["baseline"],
        ["baseline", "show"],
        ["baseline", "validate"],
        ["baseline", "schema"],
    ],
)
def test_help_tells_each_command(run_callgate: Callgate, command: list[str]) -> None:
    done = run_callgate(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: callgate")


def test_help_shows_examples_and_exit_codes(run_callgate: Callgate) -> None:
    for command in ([], ["audit"]):
        text = run_callgate(*command, "--help").stdout
        assert "Examples:" in text
        assert "3  nothing fails, but something could not be determined" in text


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["baseline", "list"], ["audit", "--help"]])
def test_command_without_checks_imports_neither_pytest_nor_testinfra(command: list[str]) -> None:
    program = (
        "import sys, atexit\n"
        "heavy = {'pytest', '_pytest', 'testinfra', 'rich', 'junit_xml'}\n"
        "atexit.register(lambda: print('heavy:', sorted(heavy & set(sys.modules))))\n"
        f"sys.argv = ['callgate', *{command!r}]\n"
        "from callgate.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=30)
    assert done.stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_for_callgate(run_callgate: Callgate, shell: str) -> None:
    text = run_callgate("completion", shell).stdout
    assert "_CALLGATE_COMPLETE" in text
    assert "%(" not in text


def test_completion_completes_commands(run_callgate: Callgate) -> None:
    done = run_callgate(env={"_CALLGATE_COMPLETE": "bash_complete", "COMP_WORDS": "callgate au", "COMP_CWORD": "1"})
    assert done.stdout.strip() == "plain,audit"


def test_baselines_are_listed_and_shown(run_callgate: Callgate) -> None:
    listed = run_callgate("baseline", "list").stdout
    names = [line.split()[0] for line in listed.splitlines()]
    assert names == ["cisco-call-manager", "sccp-call-manager", "sip-registrar", "voip-core", "voip-strict"]
    for name in names:
        shown = json.loads(run_callgate("baseline", "show", name, "--json").stdout)
        assert shown["id"] == name
        assert shown["controls"]


def test_validate_tells_sound_files_from_wrong_ones(run_callgate: Callgate, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("trusted: [10.0.0.0/8]\n")
    (tmp_path / "wrong.yaml").write_text("trusted: [10.0.0.0/8]\nexpected: [sccpp]\n")
    done = run_callgate("baseline", "validate", "site.yaml")
    assert (done.returncode, done.stdout) == (0, "site.yaml: the site file is sound\n")
    done = run_callgate("baseline", "validate", "site.yaml", "wrong.yaml", "missing.yaml")
    assert done.returncode == 2
    assert "wrong.yaml:2: expected.0" in done.stderr
    assert "missing.yaml:1: cannot be read" in done.stderr


@pytest.mark.parametrize("kind", ["baseline", "site", "waivers"])
def test_schema_is_printed(run_callgate: Callgate, kind: str) -> None:
    schema = json.loads(run_callgate("baseline", "schema", kind).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["type"] == "object"


@pytest.mark.parametrize("output", ["/dev/full", "closed pipe"])
def test_output_that_cannot_be_written_is_neither_success_nor_failure(output: str) -> None:
    command = [sys.executable, "-m", "callgate", "baseline", "show", "voip-core"]
    if output == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(output, os.O_WRONLY)
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
    finally:
        os.close(writing)
    assert done.returncode == 3
    assert done.stderr == ("" if output == "closed pipe" else f"callgate: {NO_SPACE}\n")
