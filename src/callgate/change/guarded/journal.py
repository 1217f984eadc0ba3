"""The journal of a guarded change: one JSON object a line, on the disk before the next step begins."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from callgate.errors import UsageMistake

FILE: Final = "journal.jsonl"
_SIZE_LIMIT: Final = 8 * 1024 * 1024

Progress = Literal["begun", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a step begins, is done, or failed."""

    time: str
    """UTC, RFC 3339."""
    step: str
    state: Progress
    details: Mapping[str, Any] = field(default_factory=dict)


Observer = Callable[[Entry], None]


class Journal:
    """A folder that is new or empty, readable by its owner only, and the journal in it.

    `observe` is called with every entry once it is on the disk. Raises UsageMistake when the folder cannot be used.
    """

    def __init__(self, folder: Path, observe: Observer | None = None, *, resume: bool = False) -> None:
        self.folder = folder
        self._observe = observe
        try:
            if resume:
                self._file = os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
                self._lock()
                _cut_torn_line(self._file)
            else:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if any(folder.iterdir()):
                    raise UsageMistake(f"{folder} is not empty: a change needs a journal folder of its own")
                folder.chmod(0o700)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._file = os.open(folder / FILE, flags, 0o600)
                self._lock()
                _flush_folder(folder)
        except OSError as error:
            raise UsageMistake(f"{folder}: the journal cannot be written: {error.strerror}") from None

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise UsageMistake(f"{self.folder}: the change is still being conducted by another process") from None

    def write(self, step: str, state: Progress, **details: Any) -> None:
        """Add an entry; it is on the disk when this returns. Raises OSError when it cannot be."""
        entry = Entry(datetime.now(UTC).isoformat(timespec="milliseconds"), step, state, details)
        data = json.dumps(asdict(entry), ensure_ascii=True).encode("ascii") + b"\n"
        whole = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):  # half a line would spoil the next
                os.ftruncate(self._file, whole)
            raise
        if self._observe:
            self._observe(entry)

    def close(self) -> None:
        """Close the file; safe to repeat."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read_journal(folder: Path) -> tuple[Entry, ...]:
    """The entries of a journal, in order; a last line that was cut off as the controller died is left out.

    Raises UsageMistake when there is no journal, one that is damaged elsewhere, or one that somebody else can have
    written: it holds commands, and names hosts and an ssh_config to use.
    """
    path = folder / FILE
    try:
        for one in (folder, path):
            _require_own(one)
        with path.open("rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise UsageMistake(f"{folder}: there is no journal of a change: {error.strerror}") from None
    if len(data) > _SIZE_LIMIT:
        raise UsageMistake(f"{path}: is too large for a journal")
    *lines, _ = data.split(b"\n")
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
            entry = Entry(found["time"], found["step"], found["state"], found["details"])
            if not (isinstance(entry.step, str) and isinstance(entry.details, dict)):
                raise TypeError
        except (ValueError, TypeError, KeyError, RecursionError):
            raise UsageMistake(f"{path}:{number}: is no line of a journal") from None
        entries.append(entry)
    return tuple(entries)


def _require_own(path: Path) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise UsageMistake(f"{path}: is not yours alone to write: nothing that it tells is done")


def _cut_torn_line(file: int) -> None:
    data = os.pread(file, _SIZE_LIMIT, 0)
    os.ftruncate(file, data.rfind(b"\n") + 1)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
