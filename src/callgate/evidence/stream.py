"""What the collector script prints: its frame, read back.

Pure: bytes in, records out. A host is not trusted: a broken frame is a `ProtocolError`, and a command that
failed, hung or printed too much is told apart from one that printed nothing.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import StrEnum

from callgate.errors import ProtocolError

FILE_LIMIT = 32 * 1024 * 1024
"""Bytes of one command's output that are taken; the script's own default (`CALLGATE_BYTES`)."""

_TIMED_OUT = frozenset({124, 137, 143})  # timeout(1): 124, or 128 + TERM or KILL


class FileState(StrEnum):
    """How a file of the bundle came about. Only COLLECTED files are evidence."""

    COLLECTED = "collected"
    FAILED = "failed"
    TOOL_MISSING = "tool missing"
    ABSENT = "absent"
    TIMED_OUT = "timed out"
    TOO_LARGE = "too large"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Taken:
    """One command's output as it arrived; `output` is complete only when `state` is COLLECTED."""

    file: str
    command: str
    state: FileState
    exit_code: int | None
    output: bytes
    stderr: str


def read_stream(stream: bytes, limit: int = FILE_LIMIT) -> tuple[Taken, ...]:
    """Read the collector's output.

    Lines before the first `@callgate` (login banners) are passed over.
    Raises ProtocolError where the frame is missing, cut short or not understood.
    """
    lines = iter(stream.split(b"\n"))
    for line in lines:
        if line.startswith(b"@callgate "):
            break
    else:
        raise ProtocolError("the collector printed nothing it should have")
    words = line.split()
    if len(words) != 3 or words[1] != b"1":
        raise ProtocolError(f"the collector speaks an unknown form: {line[:60]!r}")
    if words[2] == b"none":
        raise ProtocolError("the host has neither base64 nor od, so nothing can be carried over intact")
    if words[2] not in (b"base64", b"hex"):
        raise ProtocolError(f"the collector's encoding is unknown: {line[:60]!r}")
    sections: list[list[bytes]] = []
    for line in lines:
        if line == b"@done":
            taken = tuple(_read_section(section, words[2], limit) for section in sections)
            if len({one.file for one in taken}) < len(taken):
                raise ProtocolError("the collector names a file twice")
            return taken
        if line.startswith(b"@file "):
            sections.append([line])
        elif sections:
            sections[-1].append(line)
        elif line:
            raise ProtocolError(f"the collector's first section has no name: {line[:60]!r}")
    raise ProtocolError("the collector's output is cut short")


def _read_section(lines: list[bytes], coding: bytes, limit: int) -> Taken:
    file = lines[0][6:].decode("utf-8", "backslashreplace")
    command = ""
    output: list[bytes] = []
    stderr: list[bytes] = []
    codes: list[str] | None = None
    state: FileState | None = None
    into: list[bytes] | None = None
    for line in lines[1:]:
        if line.startswith(b"@command "):
            command = " ".join(line[9:].decode("utf-8", "backslashreplace").split())
            into = output
        elif line.startswith(b"@exit"):
            codes = line[5:].decode("ascii", "replace").split()
            into = None
        elif line == b"@stderr":
            into = stderr
        elif line == b"@missing":
            state = FileState.TOOL_MISSING
        elif line == b"@absent":
            state = FileState.ABSENT
        elif into is not None:
            into.append(line)
        elif line.strip():
            raise ProtocolError(f"{file}: a line the collector cannot have printed: {line[:60]!r}")
    said = _decode(file, stderr, coding).decode("utf-8", "backslashreplace").strip()
    if state is not None:
        if any(output) or codes is not None:
            raise ProtocolError(f"{file}: the collector says {state}, and shows output")
        return Taken(file, command, state, None, b"", said)
    if codes is None:
        raise ProtocolError(f"{file}: the collector did not say how its command ended")
    body = _decode(file, output, coding)
    exit_code, bound, encode = _exit(file, codes)
    if len(body) > limit:
        state = FileState.TOO_LARGE
    elif exit_code in _TIMED_OUT or bound in _TIMED_OUT:  # a child of the command can hold its output open
        state = FileState.TIMED_OUT
    elif exit_code:
        state = FileState.FAILED
    else:
        state = FileState.DAMAGED if bound or encode else FileState.COLLECTED
    return Taken(file, command, state, exit_code, body, said)


def _exit(file: str, codes: list[str]) -> tuple[int, int, int]:
    """The exit codes of the command itself, of what bounds its output and of what encodes it."""
    try:
        if len(codes) != 3 or any(len(code) > 12 for code in codes):
            raise ValueError
        named = dict(code.split("=") for code in codes if "=" in code)
        (command,) = (int(code) for code in codes if "=" not in code)
        return command, int(named["bound"]), int(named["encode"])
    except (KeyError, ValueError):
        raise ProtocolError(f"{file}: the collector's exit line is not understood: {codes}") from None


def _decode(file: str, lines: list[bytes], coding: bytes) -> bytes:
    try:
        if coding == b"base64":
            return base64.b64decode(b"".join(lines), validate=True)
        return bytes.fromhex(b"".join(lines).decode("ascii"))
    except (binascii.Error, ValueError):
        raise ProtocolError(f"{file}: the collector's encoding is broken") from None
