"""Files that are either the old one or the new one, never half of each."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

from callgate.errors import UsageMistake
from callgate.report.visible import one_line


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path`: written beside it, flushed to the disk, then renamed over it.

    A link stays a link: what it points to is replaced. What is no regular file (a terminal, a pipe,
    `/dev/null`) and this process's own standard output are written to directly. Raises `UsageMistake`, and
    leaves the old file as it was, where the folder is missing or the system refuses.
    """
    name = one_line(str(path))
    try:
        try:
            there = path.stat()
        except FileNotFoundError:
            there = None
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise UsageMistake(f"{name}: cannot be written: it is a folder")
        target = Path(os.path.realpath(path))
        if there is not None and _is_stream(there, target):
            _write_through(path, there, data)
            return
        if not target.parent.is_dir():
            raise UsageMistake(f"{name}: cannot be written: the folder {one_line(str(target.parent))} does not exist")
        _replace(target, None if there is None else stat.S_IMODE(there.st_mode) & 0o777, data)
    except OSError as error:
        raise UsageMistake(f"{name}: cannot be written: {error.strerror or error}") from error
    except ValueError as error:  # a NUL, or a surrogate that stands for no byte
        raise UsageMistake(f"{name}: cannot be written: not a file name") from error


def _is_stream(there: os.stat_result, target: Path) -> bool:
    if not stat.S_ISREG(there.st_mode) or _own_stream(there) is not None:
        return True
    # A descriptor's link may name a file that has since been removed or renamed.
    return not (target.exists() and os.path.samestat(there, target.stat()))


def _own_stream(there: os.stat_result) -> int | None:
    """The standard stream of this process that is this very file, if one is."""
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(there, os.fstat(descriptor)):
                return descriptor
    return None


def _write_through(path: Path, there: os.stat_result, data: bytes) -> None:
    descriptor = _own_stream(there)
    if descriptor is None:
        with path.open("wb") as device:
            device.write(data)
        return
    # Opening `/dev/stdout` anew would cut off what a redirected output already holds.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with open(descriptor, "wb", closefd=False) as own:
        own.write(data)


def _replace(target: Path, mode: int | None, data: bytes) -> None:
    beside = target.with_name(f".callgate-{secrets.token_hex(8)}.tmp")
    # 0o666 under the caller's umask: other users may read a report, which mkstemp's 0o600 would forbid.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    with suppress(OSError):  # not every file system can flush a folder; the file itself is complete
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
