"""A program: conducts guarded changes of many hosts side by side, each in a process of its own that dies at a step.

Reads {"apply", "rollback", "confirm_within", "snapshots", "hosts": [[URI, FOLDER, DIES-AT], ...]} on stdin. DIES-AT
counts the entries of the journal; the controller is ended by SIGKILL as soon as that one is on the disk. A negative
one lives. `snapshots` are folders of bundles that were taken of a host like these; without them each is collected.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.change.guarded.host_by_script import JUDGED_BY, audited, described

from callgate.change.guarded.conduct import GuardedChange
from callgate.change.guarded.connection import Connection
from callgate.change.guarded.journal import Entry, Journal
from callgate.change.guarded.plan import ChangePlan
from callgate.evidence.bundle import Bundle, read_bundle


class Alike(Connection):
    """To a host whose snapshots were taken from another one."""

    snapshots: Sequence[str] = ()

    def collect(self, seconds: float = 0) -> Bundle:
        """The next snapshot."""
        if not self.snapshots:
            return super().collect()
        first, *self.snapshots = self.snapshots
        return read_bundle(Path(first))


def conduct(uri: str, folder: Path, dies_at: int, asked: Mapping[str, Any]) -> int:
    """Conduct one change, or die on the way."""
    written = 0

    def observe(entry: Entry) -> None:
        nonlocal written
        written += 1
        if written == dies_at + 1:
            os.kill(os.getpid(), signal.SIGKILL)

    plan = ChangePlan(
        host=uri,
        apply=asked["apply"],
        rollback=asked["rollback"],
        confirm_within=int(asked["confirm_within"]),
        apply_within=10,
    )
    with Alike(uri) as connection:
        connection.snapshots = asked["snapshots"]
        journal = Journal(folder, observe)
        # Its shell is at the host; what clients see is told elsewhere.
        change = GuardedChange(plan, connection, JUDGED_BY, journal, lambda _: audited(), described)
        return change.run().code


def main() -> None:
    """Conduct them all, few at a time; prints the exit codes, or the negative signal numbers."""
    asked = json.load(sys.stdin)
    codes: dict[int, int] = {}
    running: list[tuple[int, int]] = []

    def reap() -> None:
        number, child = running.pop(0)
        codes[number] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    for number, (uri, folder, dies_at) in enumerate(asked["hosts"]):
        if len(running) >= 4:
            reap()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = conduct(uri, Path(folder), dies_at, asked)
            finally:
                os._exit(code)
        running.append((number, child))
    while running:
        reap()
    print(json.dumps([codes[number] for number in sorted(codes)]))


if __name__ == "__main__":
    main()
