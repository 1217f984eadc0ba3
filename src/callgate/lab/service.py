"""A server that runs on a lab host."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from callgate.errors import LabError
from callgate.lab.group import end_group

LOG_TAIL: Final = 1 << 20
"""Bytes of a log that are read at most, from its end."""
_STEP: Final = 0.01


class Service:
    """A started server: its process group, and the file its output goes to."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        """For messages, like `pbx: kamailio`."""
        self.log = log
        self._process = process  # nsenter(1), leader of the group the server is in

    @property
    def running(self) -> bool:
        """Whether the server has not ended."""
        return self._process.poll() is None

    def log_text(self) -> str:
        """What the server has written, `LOG_TAIL` bytes at most."""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
            return log.read(LOG_TAIL).decode(errors="backslashreplace")

    def wait_ready(self, ready: Callable[[], bool], within: float) -> None:
        """Ask `ready` again and again until it holds; raises LabError, and stops the server, when it does not."""
        deadline = time.monotonic() + within
        while self.running:
            if ready():
                return
            if time.monotonic() > deadline:
                self.stop()
                raise LabError(f"{self.name} was not ready within {within:g} s; {self._last_words()}")
            time.sleep(_STEP)
        raise LabError(f"{self.name} ended with {self._process.returncode}; {self._last_words()}")

    def stop(self, within: float = 5.0) -> None:
        """End the server, gently and then by force after `within` seconds; safe to repeat."""
        if not end_group(self._process, gently=within):
            raise LabError(f"{self.name} cannot be ended")

    def _last_words(self) -> str:
        lines = self.log_text().strip().splitlines()
        return f"its log ends: {lines[-1]}" if lines else "its log is empty"
