"""Reads a .tar.gz of plain files, strictly: bounded in size, number and time; what is not understood is an error.

Python's tarfile will not do for archives from strangers: a damaged header in the middle reads as the end of the
archive, chained headers exhaust the stack, and before 3.11.10 a header of 40 kB takes seconds (CVE-2024-6232).
The format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU's long names.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from callgate.errors import EvidenceError
from callgate.evidence.stream import FILE_LIMIT

UNPACKED_LIMIT = 256 * 1024 * 1024
"""Bytes a bundle may hold in all."""
MEMBER_LIMIT = 2000
"""Files a bundle may hold."""

_BLOCK = 512
_PLAIN = (b"0", b"\0", b"7")
_FOLDER = b"5"
_PAX, _PAX_OF_ALL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_HEADER_LIMIT = 64 * 1024  # a name has at most 4096 bytes (PATH_MAX)


class _DamageError(Exception):
    """Why the archive is not sound."""


def read_archive(path: Path) -> dict[str, bytes]:
    """Read every file of the archive, by name. Raises EvidenceError; and OSError when the file cannot be read."""
    files: dict[str, bytes] = {}
    try:
        data = _unpacked(path)
        for name, kind, start, size in _members(data):
            if kind == _FOLDER:
                continue
            check_name(name)
            if kind not in _PLAIN:
                raise EvidenceError(name, "is not a plain file: links and devices are refused")
            if size > FILE_LIMIT or len(files) >= MEMBER_LIMIT:
                raise EvidenceError(name, "is too large, or one file too many, for a bundle")
            if name in files:
                raise EvidenceError(name, "is in the archive twice")
            files[name] = data[start : start + size]
    except _DamageError as damage:
        raise EvidenceError(path.name, f"is no sound .tar.gz: {damage}") from None
    return files


def check_name(name: str) -> None:
    """Raise EvidenceError for a name that is no path below a bundle's folder, in its one plain spelling."""
    path = PurePosixPath(name)
    below = path.parts and not path.is_absolute() and ".." not in path.parts
    if not below or str(path) != name or "\0" in name or len(name) > 255:
        raise EvidenceError(name[:80], "is no name for a file of a bundle")


def _unpacked(path: Path) -> bytes:
    """The tar inside. gzip's own checksum shows damage; the limit holds before anything is looked at."""
    with path.open("rb") as file:
        packed = file.read(UNPACKED_LIMIT + 1)
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(packed, UNPACKED_LIMIT + 1)
    except zlib.error as error:
        raise _DamageError(str(error)) from None
    if len(packed) > UNPACKED_LIMIT or len(data) > UNPACKED_LIMIT:
        raise _DamageError(f"it unpacks to more than {UNPACKED_LIMIT} bytes")
    if not unpacker.eof:
        raise _DamageError("it is cut short")
    if unpacker.unused_data.strip(b"\0"):
        raise _DamageError("something follows its end")
    return data


def _members(data: bytes) -> Iterator[tuple[str, bytes, int, int]]:
    """Each member's name, type flag, and where its content is: offset and size in bytes."""
    offset = 0
    extended: dict[str, str] = {}
    while any(header := data[offset : offset + _BLOCK]):
        name, kind, size = _header(header)
        special = kind in (_PAX, _PAX_OF_ALL, _LONG_NAME, _LONG_LINK)
        if not special:
            name, size = extended.get("path", name), _decimal(extended.get("size", str(size)))
        if kind == _FOLDER or (kind in _PLAIN and name.endswith("/")):  # the older way to write a folder
            kind, size = _FOLDER, 0
        start = offset + _BLOCK
        offset = start + -(-size // _BLOCK) * _BLOCK
        if offset > len(data):
            raise _DamageError("it is cut short")
        if not special:
            extended = {}
            yield str(PurePosixPath(name)), kind, start, size
            continue
        if size > _HEADER_LIMIT:
            raise _DamageError("a header is too long")
        content = data[start : start + size]
        if kind == _LONG_NAME:
            extended["path"] = _text(content)
        elif kind == _PAX:
            extended |= _pax_records(content)
        elif kind == _PAX_OF_ALL and _pax_records(content).keys() & {"path", "size"}:
            raise _DamageError("a header for all members names one")
    # Two blocks of zeros end a tar, and nothing but zeros follows.
    if len(data) - offset < 2 * _BLOCK or data.count(b"\0", offset) < len(data) - offset:
        raise _DamageError("it has no end: cut short or damaged")
    if extended:
        raise _DamageError("a header lacks its member")


def _header(block: bytes) -> tuple[str, bytes, int]:
    if len(block) < _BLOCK:
        raise _DamageError("it is cut short")
    if _octal(block[148:156]) != sum(block[:148]) + sum(block[156:]) + 8 * ord(" "):
        raise _DamageError("a header is damaged")
    name = _text(block[:100])
    # GNU's older form has other things where POSIX has the beginning of the name.
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = f"{prefix}/{name}"
    size = block[124:136]
    # GNU: a set highest bit announces a binary number.
    return name, block[156:157], int.from_bytes(size[1:]) if size[0] == 0x80 else _octal(size)


def _pax_records(content: bytes) -> dict[str, str]:
    """Records of the form `LENGTH KEY=VALUE` and a newline; the length counts the whole record."""
    records = {}
    position = 0
    while position < len(content):
        space = content.find(b" ", position, position + 8)
        end = position + _decimal(content[position : max(position, space)].decode("ascii", "replace"))
        key, equals, value = content[space + 1 : end].partition(b"=")
        if end > len(content) or not equals or not value.endswith(b"\n"):
            raise _DamageError("a pax header is not understood")
        if key.startswith(b"GNU.sparse"):
            raise _DamageError("it has sparse files")
        records[key.decode("utf-8", "backslashreplace")] = value[:-1].decode("utf-8", "backslashreplace")
        position = end
    return records


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def _octal(field: bytes) -> int:
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise _DamageError("a header holds no number where one belongs")
    return int(digits or b"0", 8)


def _decimal(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 13):
        raise _DamageError("a header holds no number where one belongs")
    return int(digits)
