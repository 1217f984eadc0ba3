"""The journal: on the disk before the next step begins, and read back after whatever ended its writer."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.change.guarded.journal import FILE, Entry, Journal, read_journal
from callgate.errors import UsageMistake

DETAILS = st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.none() | st.lists(st.text(), max_size=2))


@given(st.lists(st.tuples(st.text(), st.sampled_from(["begun", "done", "failed"]), DETAILS), max_size=4))
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str, dict[str, object]]]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder)
    for step, state, details in entries:
        journal.write(step, state, **{f"d{key}": value for key, value in details.items()})  # type: ignore[arg-type]
    journal.close()
    found = [(entry.step, entry.state, dict(entry.details)) for entry in read_journal(folder)]
    assert found == [
        (step, state, {f"d{key}": value for key, value in details.items()}) for step, state, details in entries
    ]


def test_an_entry_is_on_the_disk_before_anybody_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    def observe(entry: Entry) -> None:
        assert read_journal(tmp_path / "j")[-1] == entry
        heard.append(f"observed {entry.step}")

    journal = Journal(tmp_path / "j", observe)
    monkeypatch.setattr(os, "fsync", lambda _: heard.append("flushed"))
    journal.write("arm", "begun")
    journal.write("arm", "done")
    assert heard == ["flushed", "observed arm", "flushed", "observed arm"]


def test_the_folder_and_the_journal_are_the_owners_alone(tmp_path: Path) -> None:
    Journal(tmp_path / "j").write("plan", "done", apply="secret")
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "j" / FILE).stat().st_mode) == 0o600


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    with pytest.raises(UsageMistake, match="is not empty"):
        Journal(tmp_path)


@given(st.integers(1, 60))
def test_a_line_cut_off_by_the_writers_death_is_left_out_and_written_over(
    tmp_path_factory: pytest.TempPathFactory, kept: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    first = Journal(folder)
    first.write("plan", "done")
    first.write("arm", "begun")
    whole = (folder / FILE).read_bytes()
    second = whole.index(b"\n") + 1
    (folder / FILE).write_bytes(whole[: second + min(kept, len(whole) - second - 1)])
    assert [entry.step for entry in read_journal(folder)] == ["plan"]
    first.close()
    Journal(folder, resume=True).write("resume", "begun")
    assert [entry.step for entry in read_journal(folder)] == ["plan", "resume"]


@pytest.mark.parametrize(
    "line", ["", "[]", "{", '{"time": "t", "step": 1, "state": "done", "details": {}}', "[" * 9000]
)
def test_a_journal_damaged_elsewhere_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    Journal(tmp_path / "j").write("plan", "done")
    with (tmp_path / "j" / FILE).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageMistake, match=r"journal\.jsonl:2: is no line of a journal"):
        read_journal(tmp_path / "j")


def test_where_there_is_no_journal_that_is_said(tmp_path: Path) -> None:
    for read in (read_journal, lambda folder: Journal(folder, resume=True)):
        with pytest.raises(UsageMistake, match="journal"):
            read(tmp_path)


def test_a_line_that_found_no_room_does_not_spoil_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j")
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 40:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:40])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.write("arm", "begun")
    monkeypatch.undo()
    journal.write("arm", "failed")
    assert [(entry.step, entry.state) for entry in read_journal(tmp_path / "j")] == [("arm", "failed")]
