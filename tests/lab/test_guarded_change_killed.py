"""A controller that dies at any step leaves the host as it was, or with the change that was verified."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.change.guarded.host_by_script import JUDGED_BY
from tests.lab.guarded_host import CLOSED, OPENED, at_once, firewall, leftovers, lone_hosts

from callgate.change.guarded.connection import Connection
from callgate.change.guarded.journal import Journal, read_journal
from callgate.change.guarded.resume import read_record, resume, status
from callgate.lab.availability import lab_unavailable
from callgate.lab.host import LabHost
from callgate.lab.pytest_fixtures import require
from callgate.lab.sccp import start_sccp

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
ROLLBACK = "nft flush table inet lab; nft -f /run/old"
LIVES = -1
WITHIN = 8
STEPS = [
    ("plan", "done"),
    ("snapshot before", "begun"),
    ("snapshot before", "done"),
    ("audit before", "begun"),
    ("audit before", "done"),
    ("arm", "begun"),
    ("arm", "done"),
    ("apply", "begun"),
    ("apply", "done"),
    ("snapshot after", "begun"),
    ("snapshot after", "done"),
    ("compare", "begun"),
    ("compare", "done"),
]
GOOD = [
    *STEPS,
    ("audit after", "begun"),
    ("audit after", "done"),
    ("judge", "done"),
    ("confirm", "begun"),
    ("confirm", "done"),
    ("clear", "begun"),
    ("clear", "done"),
    ("end", "done"),
]
BAD = [
    *STEPS,
    ("roll back", "begun"),
    ("roll back", "done"),
    ("prove", "begun"),
    ("prove", "done"),
    ("clear", "begun"),
    ("clear", "done"),
    ("end", "done"),
]


def conducted(
    built: list[LabHost], folder: Path, apply: str, dies_at: list[int], snapshots: tuple[str, ...] = ()
) -> list[int]:
    """Conduct a change of each host by a controller that dies at a step; how each controller ended."""
    hosts = [[host.uri, str(folder / str(at)), at] for host, at in zip(built, dies_at, strict=True)]
    asked = {"apply": apply, "rollback": ROLLBACK, "confirm_within": WITHIN, "hosts": hosts}
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.controller"],
        input=json.dumps({**asked, "snapshots": [str(folder / str(LIVES) / name) for name in snapshots]}),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
    )
    assert done.returncode == 0, done.stderr
    codes: list[int] = json.loads(done.stdout)
    return codes


def check(host: LabHost, folder: Path, at: int, before: str, after: str, steps: list[tuple[str, str]]) -> None:
    """The host of a controller that died at this step: now, and when a later run has looked after it."""
    assert [(entry.step, entry.state) for entry in read_journal(folder)] == steps[: at + 1]
    stays = ("confirm", "done") in steps[: at + 1]
    assert firewall(host) == (after if stays else before), steps[at]
    record = read_record(folder)
    with Connection(host.uri) as connection:
        told = status(record, connection)
        assert told.code == (0 if stays else 1 if at < steps.index(("arm", "begun")) or at == len(steps) - 1 else 3)
        with closing(Journal(folder, resume=True)) as journal:
            ending = resume(record, connection, JUDGED_BY, journal)
            assert (ending.code, ending.proven) == (0 if stays else 1, True), (steps[at], ending)
            assert resume(read_record(folder), connection, JUDGED_BY, journal).code == ending.code
    assert firewall(host) == (after if stays else before), steps[at]
    assert leftovers(host) == [], steps[at]


@pytest.mark.parametrize(("apply", "steps"), [(CLOSED, GOOD), (OPENED, BAD)], ids=["verified", "regression"])
def test_a_controller_killed_at_each_step_leaves_the_host_safe(
    tmp_path: Path, apply: str, steps: list[tuple[str, str]]
) -> None:
    require(lab_unavailable())
    # Until the comparison both ways are the same.
    dies_at = list(range(0 if steps is GOOD else steps.index(("compare", "done")), len(steps)))
    with lone_hosts(1 + len(dies_at)) as (first, *others):
        for host in (first, *others):
            host.run(["sh", "-c", "nft list ruleset >/run/old"])
            if steps is BAD:
                start_sccp(host)
        before = firewall(first)
        # The controller that lives is the measure of the others, whose hosts are like its own.
        assert conducted([first], tmp_path, apply, [LIVES]) == [0 if steps is GOOD else 1]
        assert [(entry.step, entry.state) for entry in read_journal(tmp_path / str(LIVES))] == steps
        after = firewall(first)
        assert (after == before) is (steps is BAD)
        snapshots = ("before", "after") if steps is GOOD else ("before", "after", "restored")
        assert set(conducted(others, tmp_path, apply, dies_at, snapshots)) == {-signal.SIGKILL}
        time.sleep(WITHIN + 2)  # the timer begins when the change is applied
        jobs = [
            partial(check, host, tmp_path / str(at), at, before, after, steps)
            for host, at in zip(others, dies_at, strict=True)
        ]
        for few in (jobs[start : start + 4] for start in range(0, len(jobs), 4)):
            at_once(*few)
