"""Hosts, shells, journals and readers that are not what they should be."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.change.guarded.host_by_script import (
    APPLIED,
    JUDGED_BY,
    KEY,
    OPEN,
    PROTECTED,
    HostByScript,
    guarded,
    says,
)

from callgate.change.guarded.guard import _START, script
from callgate.change.guarded.journal import FILE, Journal, read_journal
from callgate.change.guarded.report import State, read_report
from callgate.change.guarded.resume import read_record, resume, status
from callgate.errors import CallgateError, UsageMistake
from callgate.evidence.bundle import write_bundle

PLANNED = {"id": "0" * 8, "host": KEY, "apply": "a", "rollback": "b", "confirm_within": 1, "apply_within": 1}
HERE = ("boot b1", "machine aa")


def broken_off(folder: Path) -> Journal:
    """The journal of a change whose controller died as it was applied."""
    journal = Journal(folder)
    journal.write("plan", "done", **PLANNED)
    write_bundle(PROTECTED, folder / "before")
    journal.write("arm", "begun")
    journal.write("arm", "done", boot="b1", machine="aa")
    journal.write("apply", "begun")
    return journal


@pytest.mark.parametrize("snapshot", [OPEN, PROTECTED], ids=["differs", "looks alike"])
def test_another_machine_of_the_same_name_is_neither_changed_nor_taken_for_proof(tmp_path: Path, snapshot: Any) -> None:
    gone = says("gone", "boot b9", "machine bb")
    host = HostByScript([snapshot], wait=gone, fire=gone, run="")
    ending = resume_of(tmp_path, host)
    assert (ending.code, ending.proven) == (3, False)
    assert "another machine answers by this name" in ending.host
    assert "run" not in host.asked
    told = status(read_record(tmp_path / "j"), host.connection)
    assert (told.code, told.proven) == (3, False)
    assert "another machine" in told.host


def resume_of(tmp_path: Path, host: HostByScript) -> Any:
    with contextlib.closing(broken_off(tmp_path / "j")) as journal:
        return resume(read_record(tmp_path / "j"), host.connection, JUDGED_BY, journal)


def test_a_name_that_moves_to_another_machine_during_the_change_is_noticed(tmp_path: Path) -> None:
    armed, gone = says("armed", *HERE), says("gone", "boot b1", "machine bb")
    host = HostByScript([PROTECTED, OPEN, OPEN], arm=armed, wait=[armed, APPLIED], fire=gone, run="")
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven, "run" in host.asked) == (3, False, False)
    assert "another machine" in ending.host


@pytest.mark.parametrize(
    ("boot", "said"),
    [
        ("b1", "the guard is gone, though the host was not restarted"),
        ("b2", "the host was restarted, and the guard is gone"),
    ],
)
def test_why_the_guard_is_gone_is_told_as_it_is(tmp_path: Path, boot: str, said: str) -> None:
    gone = says("gone", f"boot {boot}", "machine aa")
    ending = resume_of(tmp_path, HostByScript([OPEN, PROTECTED], wait=gone, fire=gone, run=""))
    assert (ending.code, ending.proven) == (1, True)
    assert ending.host.startswith(f"{KEY}: {said}; the rollback command was run anew")


@pytest.mark.parametrize("mode", [0o720, 0o702])
@pytest.mark.parametrize("where", ["", FILE])
def test_a_journal_that_others_can_write_is_not_acted_on(tmp_path: Path, mode: int, where: str) -> None:
    broken_off(tmp_path / "j").close()
    (tmp_path / "j" / where).chmod(mode)
    with pytest.raises(UsageMistake, match="is not yours alone to write"):
        read_record(tmp_path / "j")


def test_a_journal_of_another_user_is_not_acted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_off(tmp_path / "j").close()
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(UsageMistake, match="is not yours alone to write"):
        read_record(tmp_path / "j")


def test_a_change_that_is_still_conducted_is_not_resumed_by_another(tmp_path: Path) -> None:
    journal = broken_off(tmp_path / "j")
    with pytest.raises(UsageMistake, match="still being conducted by another process"):
        Journal(tmp_path / "j", resume=True)
    journal.write("apply", "done")
    assert read_journal(tmp_path / "j")[-1].state == "done"
    journal.close()
    Journal(tmp_path / "j", resume=True).close()


def test_a_folder_that_was_there_is_closed_to_others_before_anything_is_kept_in_it(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir(mode=0o755)
    Journal(tmp_path / "j").close()
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())
DETAILS = st.dictionaries(st.sampled_from([*PLANNED, "code", "reasons", "proven", "boot", "machine"]), VALUES)


@given(DETAILS, DETAILS)
def test_a_hostile_journal_is_refused_or_read_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, planned: dict[str, Any], end: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    lines = [("plan", PLANNED | planned), ("arm", end), ("end", end)]
    (folder / FILE).write_text(
        "".join(
            json.dumps({"time": "t", "step": step, "state": "done", "details": details}) + "\n"
            for step, details in lines
        )
    )
    try:
        record = read_record(folder)
    except CallgateError:
        return
    finally:
        shutil.rmtree(folder)
    assert isinstance(record.armed.boot, str)
    if record.ending is not None:
        assert type(record.ending.code) is int
        assert record.ending.code in (0, 1, 3)


def asked(shell: str, banner: str) -> bytes:
    """What a guard says of a change that nobody began: that verb only reads."""
    words = [*shell.split(), "-c", f"printf %s '{banner}'; {_START}", "guard", script(), "wait", "0" * 31 + "e", "0"]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=True).stdout


SHELLS = [name for name in ("dash", "bash", "busybox sh") if shutil.which(name.split()[0])]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_profile_prints_without_ending_its_line_does_not_hide_the_answer(shell: str) -> None:
    assert read_report(asked(shell, "Welcome!")).state is State.GONE


def test_progress_that_nobody_reads_any_more_does_not_end_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    from callgate.change.guarded.journal import Entry
    from callgate.cli.change import _show

    said: list[str] = []

    def broken(message: str, **_: Any) -> None:
        said.append(message)
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("callgate.cli.change.click.echo", broken)
    _show(Entry("2025-01-01T00:00:00+00:00", "arm", "done", {}))
    assert said == ["00:00:00 arm"]
