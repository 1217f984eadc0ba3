"""The errors Callgate raises. Every one is a `CallgateError`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class CallgateError(Exception):
    """Root of the tree; its text is one line a user can act on."""


class UsageMistake(CallgateError):
    """The command line asks for something that cannot be (exit code 2)."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file a user wrote: where it is and what was expected there."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class FileMistakes(CallgateError):
    """A baseline, site or waiver file is wrong (exit code 2); holds every mistake found, in file order."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        if not mistakes:
            raise ValueError("FileMistakes needs at least one mistake")
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class NotDetermined(CallgateError):
    """A question could not be answered; the text says what was missing. Becomes the verdict `error`, never a pass."""


class CollectionError(NotDetermined):
    """A host could not be reached, or gave no usable evidence."""

    def __init__(self, host: str, reason: str) -> None:
        self.host = host
        self.reason = reason
        super().__init__(f"{host}: {reason}")


class EvidenceError(NotDetermined):
    """A file of the evidence bundle is missing, damaged or not what its name says."""

    def __init__(self, file: str, reason: str, line: int | None = None) -> None:
        self.file = file
        self.reason = reason
        self.line = line
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {reason}")


class CaptureError(NotDetermined):
    """A capture cannot be read, or not to its end; `offset` counts bytes of the (decompressed) capture."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        self.reason = reason
        self.offset = offset
        super().__init__(reason if offset is None else f"{reason} (at byte {offset})")


class ProtocolError(CallgateError):
    """Bytes break the rules of the protocol they should follow."""


class LabError(CallgateError):
    """A lab host could not be built or ended on its own."""
