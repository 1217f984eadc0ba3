"""A process that is talked to over pipes, and its end with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

_STEP: Final = 0.01


def start_process(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, with pipes that do not block. Raises OSError."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
    return process


async def end_process(process: subprocess.Popen[bytes], *, gently: float, firmly: float = 2.0) -> bool:
    """Close its stdin, wait `gently` seconds, then kill its process group; returns whether all is gone.

    The group's leader is killed last, and only when it does not end by itself: nsenter(1) reaps what it started, and
    killed first it would leave that to the machine's init. When cancelled, it kills at once.
    """
    assert process.stdin is not None
    process.stdin.close()
    try:
        if not await _gone(process, gently) and _kill_members(process.pid):
            await _gone(process, firmly / 2)
    finally:
        if _kill_members(process.pid):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        if process.poll() is None:
            _kill(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(firmly / 2)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
    return process.returncode is not None and not any(_members(process.pid))


async def _gone(process: subprocess.Popen[bytes], within: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while process.poll() is None:
        if loop.time() > deadline:
            return False
        await asyncio.sleep(_STEP)
    return True


def _members(group: int) -> Iterator[int]:
    """The living processes of a group, but for its leader."""
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal() and int(name) != group:
                with suppress(OSError, ValueError):
                    with open(f"/proc/{name}/stat", "rb") as stat:
                        state, _parent, its_group = stat.read().rpartition(b")")[2].split()[:3]
                    if int(its_group) == group and state not in b"ZX":
                        yield int(name)


def _kill_members(group: int) -> bool:
    """Whether there were any."""
    members = list(_members(group))
    for pid in members:
        _kill(pid)
    return bool(members)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
