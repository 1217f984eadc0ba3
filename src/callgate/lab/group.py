"""The end of a command on a lab host, with all of its process group.

The group's leader is nsenter(1), outside of the host, and it reaps the command it started. So it is left to end by
itself: killed first, it would leave the command's remains to the machine's init.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

_STEP: Final = 0.005


def end_group(leader: subprocess.Popen[Any], *, gently: float, firmly: float = 5.0) -> bool:
    """End the process group that `leader` started: SIGTERM, after `gently` seconds SIGKILL; reaps the leader.

    Returns whether all is gone; False after `firmly` more seconds.
    """
    for pid in _members(leader.pid):
        _send(pid, signal.SIGTERM)
    if _gone(leader, gently):
        return True
    deadline = time.monotonic() + firmly
    while True:
        members = list(_members(leader.pid))
        for pid in members or [leader.pid]:
            _send(pid, signal.SIGKILL)
        if _gone(leader, 0.05):
            return True
        if time.monotonic() > deadline:
            return False


def _gone(leader: subprocess.Popen[Any], within: float) -> bool:
    deadline = time.monotonic() + within
    while leader.poll() is None or any(_members(leader.pid)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP)
    return True


def _members(group: int) -> Iterator[int]:
    """The living processes of a group, but for its leader."""
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != group:
            with suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as stat:
                    state, _parent, its_group = stat.read().rpartition(b")")[2].split()[:3]
                if int(its_group) == group and state not in b"ZX":
                    yield int(name)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
