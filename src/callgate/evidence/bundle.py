"""The evidence bundle: a folder or .tar.gz of plain tool output, with a manifest or made by hand.

With a manifest, a file counts only if the manifest says it was collected and its sha256 agrees.
A bundle without one was made by hand; what it lacks is for the reader of the file to judge.
Bundles come from strangers: links are refused, sizes are bounded, nothing is unpacked to disk.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from callgate.errors import EvidenceError, UsageMistake
from callgate.evidence.archive import MEMBER_LIMIT, UNPACKED_LIMIT, check_name, read_archive
from callgate.evidence.stream import FILE_LIMIT, FileState, Taken

MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 2 * 1024 * 1024  # each mistake in it costs a thousand bytes of memory


class FileRecord(BaseModel):
    """What the manifest says of one file. `sha256` is None when the command gave no usable output."""

    model_config = ConfigDict(frozen=True)

    command: str = ""
    exit_code: int | None = None
    sha256: str | None = None
    stderr: str = ""
    state: FileState | None = None
    utf8: bool = True

    def obstacle(self) -> str | None:
        """Why this file is no evidence, or None when it is."""
        state = self.state
        if state is None:
            state = FileState.COLLECTED if not self.exit_code else FileState.FAILED
        if state is FileState.COLLECTED:
            return None
        said = f": {self.stderr.strip().splitlines()[0][:200]}" if self.stderr.strip() else ""
        match state:
            case FileState.TOOL_MISSING:
                return f"the host has no {self.command.split(' ')[0]}"
            case FileState.ABSENT:
                return "the host has nothing of the kind"
            case FileState.TIMED_OUT:
                return f"`{self.command}` did not end in time{said}"
            case FileState.TOO_LARGE:
                return f"`{self.command}` printed more than {FILE_LIMIT} bytes"
            case FileState.DAMAGED:
                return f"the output of `{self.command}` was damaged on its way"
            case _:
                return f"`{self.command}` ended with exit code {self.exit_code}{said}"


class Manifest(BaseModel):
    """Who was looked at, when, by what, and how each file came about."""

    model_config = ConfigDict(frozen=True)

    host: str
    time: AwareDatetime
    collector_version: str = ""
    user_id: int | None = None
    files: Mapping[str, FileRecord]


class Bundle:
    """A bundle held in memory: its files and, unless made by hand, its manifest.

    Raises EvidenceError where a file cannot serve as evidence.
    """

    def __init__(self, source: str, files: Mapping[str, bytes]) -> None:
        self.source = source
        self._files = dict(files)
        self._manifest_fault: EvidenceError | None = None
        self.manifest: Manifest | None = None
        if len(self._files.get(MANIFEST, b"")) > _MANIFEST_LIMIT:
            self._manifest_fault = EvidenceError(MANIFEST, f"has more than {_MANIFEST_LIMIT} bytes")
        elif MANIFEST in self._files:
            try:
                self.manifest = Manifest.model_validate_json(self._files[MANIFEST])
            except ValidationError as error:
                first = error.errors(include_url=False, include_context=False, include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"])
                self._manifest_fault = EvidenceError(MANIFEST, f"{where[:80]}: {first['msg'][:200]}".removeprefix(": "))

    @property
    def by_hand(self) -> bool:
        """Whether nothing vouches for the completeness of the bundle."""
        return MANIFEST not in self._files

    def __contains__(self, file: str) -> bool:
        """Whether the bundle holds the file, sound or not, or should: then reading it tells what became of it."""
        if file in self._files or self._manifest_fault:
            return True
        record = self.manifest.files.get(file) if self.manifest else None
        return record is not None and record.obstacle() is None

    def names(self) -> tuple[str, ...]:
        """The files that are there, in order."""
        return tuple(sorted(self._files))

    def absent(self, file: str) -> bool:
        """Whether the collector looked and the host has nothing of the kind: then empty is the truth."""
        record = self.manifest.files.get(file) if self.manifest else None
        return record is not None and record.state is FileState.ABSENT and file not in self._files

    def read(self, file: str) -> bytes:
        """The bytes of a file that is sound evidence."""
        if self._manifest_fault:
            raise self._manifest_fault
        if self.manifest is None:
            if file not in self._files:
                raise EvidenceError(file, "is not in the bundle")
            return self._files[file]
        record = self.manifest.files.get(file)
        if record is None:
            extra = " but in the bundle" if file in self._files else ""
            raise EvidenceError(file, f"is not in the manifest{extra}")
        if obstacle := record.obstacle():
            raise EvidenceError(file, obstacle)
        if file not in self._files:
            raise EvidenceError(file, "is in the manifest but not in the bundle")
        if record.sha256 is None or hashlib.sha256(self._files[file]).hexdigest() != record.sha256.lower():
            raise EvidenceError(file, "does not match its sha256 in the manifest: changed after it was collected")
        return self._files[file]

    def text(self, file: str) -> str:
        r"""The text of a file that is sound evidence; bytes that are not UTF-8 are shown as ``\xNN``.

        Tools end their output with a newline: a file that does not was cut short.
        """
        data = self.read(file)
        if b"\0" in data:
            raise EvidenceError(file, "holds NUL bytes: not the output of a command")
        if data and not data.endswith(b"\n"):
            raise EvidenceError(file, "ends in the middle of a line: cut short")
        return data.decode("utf-8", "backslashreplace")


def bundle_of(host: str, time: datetime, collector_version: str, taken: Iterable[Taken]) -> Bundle:
    """Make a bundle of what the collector took. Output that is no evidence is recorded and left out."""
    files: dict[str, bytes] = {}
    records: dict[str, FileRecord] = {}
    user_id: int | None = None
    for one in taken:
        check_name(one.file)
        if one.file == MANIFEST:
            raise EvidenceError(MANIFEST, "is not the host's to write")
        sound = one.state is FileState.COLLECTED
        records[one.file] = FileRecord(
            command=one.command,
            exit_code=one.exit_code,
            sha256=hashlib.sha256(one.output).hexdigest() if sound else None,
            stderr=one.stderr,
            state=one.state,
            utf8=_is_utf8(one.output),
        )
        if sound:
            files[one.file] = one.output
        if one.file == "identity.txt" and sound:
            first = one.output.split(b"\n")[0]
            user_id = int(first) if first.isdigit() and len(first) < 12 else None
    manifest = Manifest(host=host, time=time, collector_version=collector_version, user_id=user_id, files=records)
    files[MANIFEST] = manifest.model_dump_json(indent=1).encode() + b"\n"
    return Bundle(host, files)


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the bundle into a folder that is new or empty, readable by its owner only.

    Raises UsageMistake when the folder holds something already or cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageMistake(f"{folder} is not empty: a bundle needs a folder of its own")
        for name in bundle.names():
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(bundle._files[name])
    except OSError as error:
        raise UsageMistake(f"{folder}: the bundle cannot be written: {error.strerror}") from None


def read_bundle(path: Path) -> Bundle:
    """Read a bundle folder or a .tar.gz of one.

    Raises UsageMistake when there is nothing of the kind, EvidenceError when it is hostile or damaged.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return Bundle(str(path), _read_folder(path))
        if stat.S_ISREG(mode):
            return Bundle(str(path), _without_common_folder(read_archive(path)))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise UsageMistake(f"{path}: no evidence bundle can be read there: {reason}") from None
    raise UsageMistake(f"{path}: an evidence bundle is a folder or a .tar.gz")


def _read_folder(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for directory, folders, names in os.walk(folder, onerror=_refuse):
        for name in sorted([*names, *folders]):
            path = Path(directory, name)
            file = os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
            details = path.lstat()
            if stat.S_ISDIR(details.st_mode):
                continue
            if not stat.S_ISREG(details.st_mode):
                raise EvidenceError(file, "is not a plain file: links and devices are refused")
            total += details.st_size
            if details.st_size > FILE_LIMIT or total > UNPACKED_LIMIT or len(files) >= MEMBER_LIMIT:
                raise EvidenceError(file, "is too large, or one file too many, for a bundle")
            files[file] = path.read_bytes()
    return files


def _refuse(error: OSError) -> None:
    """For os.walk, which else passes over a folder that may not be read."""
    raise error


def _without_common_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    """`tar czf pbx1.tar.gz pbx1/` puts all below one folder: the bundle is that folder."""
    tops = {name.split("/", 1)[0] for name in files}
    if len(tops) == 1 and all("/" in name for name in files) and tops != {"etc"}:
        return {name.split("/", 1)[1]: data for name, data in files.items()}
    return files


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
