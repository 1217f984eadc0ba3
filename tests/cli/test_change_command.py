"""`callgate change`: what it refuses, explains and tells without touching a host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from callgate.change.guarded.journal import Journal

Callgate = Callable[..., subprocess.CompletedProcess[str]]

COMMANDS = ("--apply", "nft -f new", "--rollback", "nft -f old")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "HOST, --apply and --rollback are needed"),
        (("ssh://pbx1", "--apply", "true"), "HOST, --apply and --rollback are needed"),
        (("ssh://pbx1", "--apply", "true", "--rollback", " "), "the rollback command is empty"),
        (("bundle://here", *COMMANDS), "there is nothing to change"),
        (("ssh://root:secret@pbx1", *COMMANDS), "must not hold a password"),
        (("ssh://pbx1", *COMMANDS, "--confirm-within", "0"), "--confirm-within"),
        (("ssh://pbx1", "--apply", "@none.sh", "--rollback", "true"), "none.sh: cannot be read"),
        (("ssh://pbx1", *COMMANDS, "--baseline", "none-such"), "none-such"),
        (("ssh://pbx1", *COMMANDS, "--resume", "here"), "--resume and --status stand alone"),
        (("--resume", "here"), "there is no journal of a change"),
        (("--status", "here"), "there is no journal of a change"),
    ],
)
def test_a_mistake_is_said_and_nothing_begun(
    run_callgate: Callgate, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run_callgate("change", *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
    assert "secret" not in done.stdout + done.stderr


def test_a_dry_run_tells_the_commands_and_the_limits_and_reaches_for_nothing(
    run_callgate: Callgate, tmp_path: Path
) -> None:
    (tmp_path / "new.sh").write_text("set -e\nnft -f new \x1b[2J\n")
    done = run_callgate(
        "change", "pbx.invalid", "--apply", "@new.sh", "--rollback", "undo", "--confirm-within", "45", "--dry-run"
    )
    assert done.returncode == 0, done.stderr
    assert "On ssh://pbx.invalid, journal in callgate-change-pbx.invalid-" in done.stdout
    assert "rolls back after 45 s unless confirmed" in done.stdout
    assert "     set -e\n     nft -f new \\x1b[2J\n" in done.stdout
    assert done.stdout.endswith("     undo\n")
    assert [path.name for path in tmp_path.iterdir()] == ["new.sh"]


def test_a_host_that_cannot_be_reached_is_unknown_and_unchanged(run_callgate: Callgate, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host pbx1\n  HostName 127.0.0.1\n  Port 1\n  ProxyCommand false\n")
    done = run_callgate("change", "ssh://pbx1", *COMMANDS, "--ssh-config", "config", "--journal", "j")
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[-1] == "ssh://pbx1: nothing was changed"
    entries = [json.loads(line) for line in (tmp_path / "j" / "journal.jsonl").read_text().splitlines()]
    assert [(entry["step"], entry["state"]) for entry in entries] == [
        ("plan", "done"),
        ("snapshot before", "begun"),
        ("snapshot before", "failed"),
        ("end", "done"),
    ]
    assert entries[0]["details"]["apply"] == "nft -f new"
    for option in ("--status", "--resume"):
        again = run_callgate("change", option, "j")
        assert (again.returncode, again.stdout.splitlines()[-1]) == (3, "ssh://pbx1: nothing was changed")


def test_a_journal_folder_that_holds_something_is_left_alone(run_callgate: Callgate, tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "other").write_text("mine")
    done = run_callgate("change", "ssh://pbx.invalid", *COMMANDS, "--journal", "j")
    assert (done.returncode, "is not empty" in done.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "j").iterdir()] == ["other"]


@pytest.mark.parametrize("option", ["--status", "--resume"])
def test_a_change_that_ended_before_its_timer_changed_nothing(
    run_callgate: Callgate, tmp_path: Path, option: str
) -> None:
    journal = Journal(tmp_path / "j")
    planned = {"id": "0" * 8, "host": "ssh://pbx1", "apply": "a", "rollback": "b", "baseline": "voip-core"}
    journal.write("plan", "done", **planned, confirm_within=1, apply_within=1)
    journal.write("audit before", "begun")
    journal.close()
    done = run_callgate("change", option, "j")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("ssh://pbx1: nothing was changed: it ended before that (audit before begun at ")
