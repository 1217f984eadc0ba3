"""The process that holds a lab host's namespaces, and their end.

Nothing of a host has a name outside it: no entry in /run/netns, no interface in the builder's namespace. A host lives
as long as the pipe to its first process (see `callgate.lab.init`) stays open, and that pipe has one writer: us. The
kernel closes it when we end in any way, SIGKILL too.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from callgate.errors import LabError
from callgate.lab.availability import NAMESPACES, search_path

READY_WITHIN: Final = 10.0
"""Seconds a holder may take until its namespaces stand (usually 0.05)."""
GONE_WITHIN: Final = 5.0
"""Seconds a holder may take to end before it is killed (usually 0.03)."""

_PROGRAM: Final = str(Path(__file__).with_name("init.py"))


def isolated_python(program: str | Path, *arguments: str) -> list[str]:
    """The command that runs a lab program of the standard library only: nothing is imported from elsewhere."""
    return [sys.executable, "-I", "-S", str(program), *arguments]


class Holder:
    """One set of namespaces. `directory` must exist; it is removed, and its parent when empty, at the end.

    `settings` are paths below /proc/sys and their values. Start several, then `wait_ready` for each: they come up
    side by side.
    """

    def __init__(self, name: str, directory: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.pid = 0
        """The first process of the host as this process sees it; 0 until ready."""
        self._complaints = directory / "holder.log"
        init = isolated_python(_PROGRAM, name, str(directory), json.dumps(dict(settings)))
        with self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(
                ["unshare", *NAMESPACES, "--fork", "--kill-child", "--", *init],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={**os.environ, "PATH": search_path()},
                start_new_session=True,  # Ctrl-C is for us; we end the holder
            )

    def wait_ready(self) -> None:
        """Wait until the namespaces stand; raises LabError when they do not within `READY_WITHIN`."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + READY_WITHIN
        said = b""
        with self._process.stdout as stdout:
            while not said.endswith(b"\n"):
                if not select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise LabError(f"{self.name}: its namespaces did not stand within {READY_WITHIN:g} s")
                if not (more := os.read(stdout.fileno(), 4096)):
                    raise LabError(f"{self.name}: {self._last_words()}")
                said += more
        self.pid = int(json.loads(said)["pid"])

    def close(self) -> None:
        """End the host and all that runs in it; safe to repeat."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(GONE_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()  # --kill-child takes the first process along, and the kernel the rest
            self._process.wait(GONE_WITHIN)

    @property
    def closed(self) -> bool:
        """Whether the host has ended."""
        return self._process.poll() is not None

    def _last_words(self) -> str:
        lines = self._complaints.read_text(encoding="utf-8", errors="backslashreplace").strip().splitlines()
        return lines[-1] if lines else "its first process ended without a word"
