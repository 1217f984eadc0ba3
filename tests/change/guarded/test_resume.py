"""What a later run makes of a journal that breaks off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.change.guarded.host_by_script import (
    ARMED,
    CONFIRMED,
    GONE,
    JUDGED_BY,
    KEY,
    OPEN,
    PROTECTED,
    ROLLED_BACK,
    UNREACHABLE,
    HostByScript,
    says,
)

from callgate.change.guarded.journal import Journal
from callgate.change.guarded.resume import read_record, resume, status
from callgate.errors import CollectionError, UsageMistake
from callgate.evidence.bundle import write_bundle

PLANNED = {"id": "0" * 8, "host": KEY, "apply": "a", "rollback": "b", "confirm_within": 1, "apply_within": 1}
ARMING = (("arm", "begun"),)
APPLYING = (*ARMING, ("arm", "done"), ("apply", "begun"))
CONFIRMING = (*APPLYING, ("apply", "done"), ("confirm", "begun"))


def broken_off(folder: Path, *entries: tuple[str, Any]) -> Journal:
    """The journal of a change that ended after these entries."""
    journal = Journal(folder)
    journal.write("plan", "done", **PLANNED)
    write_bundle(PROTECTED, folder / "before")
    for step, state in entries:
        journal.write(step, state)
    return journal


@pytest.mark.parametrize(
    ("entries", "host", "code", "proven", "said"),
    [
        (ARMING, HostByScript([PROTECTED], wait=GONE, fire=GONE), 1, True, "nothing was changed"),
        (ARMING, HostByScript([PROTECTED], fire=says("not-applied")), 1, True, "never applied"),
        (APPLYING, HostByScript([PROTECTED]), 1, True, "a new snapshot proves"),
        (APPLYING, HostByScript([OPEN]), 3, False, "NOT PROVEN"),
        (APPLYING, HostByScript([PROTECTED], wait=GONE, fire=GONE), 1, True, "somebody removed it"),
        (APPLYING, HostByScript([OPEN, PROTECTED], wait=GONE, fire=GONE, run=""), 1, True, "the host was restarted"),
        (CONFIRMING, HostByScript([PROTECTED], wait=ROLLED_BACK), 1, True, "rolled back by the rollback command"),
        (CONFIRMING, HostByScript([OPEN], wait=CONFIRMED), 0, True, "verified and confirmed"),
        ((*CONFIRMING, ("confirm", "done")), HostByScript([OPEN], wait=CONFIRMED), 0, True, "verified and confirmed"),
        ((*CONFIRMING, ("confirm", "done")), HostByScript([OPEN], wait=GONE), 0, True, "verified and confirmed"),
    ],
)
def test_a_later_run_ends_what_was_begun(
    tmp_path: Path, entries: tuple[tuple[str, str], ...], host: HostByScript, code: int, proven: bool, said: str
) -> None:
    journal = broken_off(tmp_path / "j", *entries)
    ending = resume(read_record(tmp_path / "j"), host.connection, JUDGED_BY, journal)
    assert (ending.code, ending.proven) == (code, proven)
    assert said in ending.host
    told = read_record(tmp_path / "j").ending
    assert told is not None
    assert (told.code, told.host, told.proven) == (ending.code, ending.host, ending.proven)


def test_what_was_not_proven_is_looked_at_again(tmp_path: Path) -> None:
    journal = broken_off(tmp_path / "j", *APPLYING)
    host = HostByScript([OPEN, PROTECTED])
    assert resume(read_record(tmp_path / "j"), host.connection, JUDGED_BY, journal).code == 3
    assert resume(read_record(tmp_path / "j"), host.connection, JUDGED_BY, journal).code == 1
    asked = len(host.asked)
    assert resume(read_record(tmp_path / "j"), host.connection, JUDGED_BY, journal).code == 1
    assert len(host.asked) == asked, "what is proven is told from the journal"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (ARMED.replace("@guard end", "@guard remaining 17\n@guard end"), 3, "rolls it back in 17 s"),
        (ARMED.replace("alive", "dead"), 3, "its timer is DEAD"),
        (says("rolling-back"), 3, "is being rolled back"),
        (ROLLED_BACK, 3, "--resume proves it"),
        (CONFIRMED, 0, "verified and confirmed"),
        (GONE, 3, "the guard is gone"),
    ],
)
def test_the_status_is_told_and_nothing_touched(tmp_path: Path, answer: str, code: int, said: str) -> None:
    broken_off(tmp_path / "j", *APPLYING)
    host = HostByScript([PROTECTED], wait=answer)
    ending = status(read_record(tmp_path / "j"), host.connection)
    assert ending.code == code
    assert said in ending.host
    assert host.asked == ["wait"]


def test_a_host_that_cannot_be_reached_is_said_to_be(tmp_path: Path) -> None:
    journal = broken_off(tmp_path / "j", *APPLYING)
    record, host = read_record(tmp_path / "j"), HostByScript([PROTECTED], wait=UNREACHABLE)
    with pytest.raises(CollectionError, match="timed out"):
        resume(record, host.connection, JUDGED_BY, journal)


@pytest.mark.parametrize("missing", ["id", "apply", "confirm_within"])
def test_a_journal_that_tells_no_plan_is_refused(tmp_path: Path, missing: str) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(UsageMistake, match="nothing was begun"):
        read_record(tmp_path / "j")
    journal.write("plan", "done", **{key: value for key, value in PLANNED.items() if key != missing})
    with pytest.raises(UsageMistake, match="does not tell what was planned"):
        read_record(tmp_path / "j")
