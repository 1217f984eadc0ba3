"""The fields that end a body and take what is left of it: strings, data, arrays that grow.

Reading returns the value, the bytes the field takes, and those bytes again if they are not what Callgate would send.
`before` is the size of the fields before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callgate.sccp.values import Entries, FieldError, Junk, Left, Numbers, Z, read_text, refill_text, write_text


def rounded_up(before: int, used: int, rest: bytes) -> bool:
    """Whether what follows the used bytes are the zeros that round the body up to 4, and no more."""
    return len(rest) - used == -(before + used) % 4 and not rest[used:].strip(Z)


def read_last_text(junk: Junk, path: str, rest: bytes, usual: int, most: int) -> tuple[bytes, int, int | None]:
    """A string in a field that senders usually fill to `usual` bytes."""
    room = min(len(rest), most)
    text = read_text(junk, path, rest[:room], room)
    return text, room, None if room == usual else room


def write_last_text(path: str, left: Left, text: bytes, usual: int, room: int | None) -> bytes:
    """The string, and zeros to the end of its field."""
    size = usual if room is None else room
    return refill_text(path, text, size, left).ljust(size, Z)


def read_data(junk: Junk, path: str, rest: bytes, count: int, most: int, before: int) -> tuple[bytes, int, int | None]:
    """As many bytes as were counted; what follows is a reservoir that the sender did not fill."""
    data = rest[:count]
    if rounded_up(before, len(data), rest):
        return data, len(data), None
    room = min(len(rest), max(most, len(data)))
    if rest[len(data) : room].strip(Z):
        junk.append((path, rest[len(data) : room]))
    return data, room, room


def write_data(path: str, left: Left, data: bytes, count: int, room: int | None) -> bytes:
    """The data, and what the reservoir held."""
    if len(data) > count or (room is not None and len(data) > room):
        raise FieldError(path, None, f"{len(data)} bytes, where the count says {count}")
    return (data + left.get(path, b"")).ljust(room or 0, Z)


def read_free_text(junk: Junk, path: str, rest: bytes, most: int, before: int) -> tuple[bytes, int, int | None]:
    """A string that takes its own bytes alone."""
    text = rest[:most].partition(Z)[0]
    if rounded_up(before, len(text), rest):
        return text, len(text), None
    room = min(len(rest), most)
    return read_text(junk, path, rest[:room], room), room, room


def write_free_text(path: str, left: Left, text: bytes, most: int, room: int | None) -> bytes:
    """The string, and what its room held."""
    if room is None:
        return write_text(path, text, most)
    return refill_text(path, text, room, left).ljust(room, Z)


def read_entries(
    junk: Junk, path: str, rest: bytes, entries: Entries | Numbers, count: int, usual: int
) -> tuple[tuple[Any, ...], int, int | None]:
    """The counted entries of an array that has as much room as the body left it."""
    size = entries.one.size
    capacity = len(rest) // size
    found = entries.read(junk, path, rest[: capacity * size], min(count, capacity))
    room = capacity * size
    return found, room, None if capacity == max(usual, len(found)) else room


def write_entries(
    path: str,
    left: Left,
    entries: Entries | Numbers,
    found: Sequence[Any],
    count: int,
    usual: int,
    room: int | None,
) -> bytes:
    """The entries, and what the array's room held."""
    size = entries.one.size
    capacity = max(usual, len(found)) if room is None else room // size
    return entries.write(path, left, found, min(count, capacity)).ljust(capacity * size, Z)


def read_strings(rest: bytes, usual: int, most: int) -> tuple[list[bytes | None], int, bool]:
    """Strings that end with NUL, the last ones may be missing: the strings (None: missing), the bytes they take, and
    whether the last one lacks its NUL. More than `usual` are read only where more than zeros follow."""
    parts = rest.split(Z, usual)
    if usual < most and (len(parts) <= usual or parts[usual].strip(Z)):
        parts = rest.split(Z, most)
        usual = most
    if len(parts) > usual:
        strings, used, open_end = parts[:usual], len(rest) - len(parts[usual]), False
    else:
        open_end = parts[-1] != b""
        strings, used = parts if open_end else parts[:-1], len(rest)
    return [*strings, *[None] * (most - len(strings))], used, open_end


def write_strings(paths: Sequence[str], strings: Sequence[bytes], unterminated: bool) -> bytes:
    """Strings, each with its NUL."""
    for path, string in zip(paths, strings, strict=True):
        if Z in string:
            raise FieldError(path, None, "a string holds no NUL")
    joined = Z.join([*strings, b""])
    return joined[:-1] if unterminated else joined
