"""What generated code calls for the fields that `struct` does not know: addresses, strings with room, arrays, unions.

Reading collects what unused room holds as `(path, bytes)`; writing puts it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from struct import Struct, pack, unpack_from
from typing import Any, Final, NamedTuple

from callgate.errors import ProtocolError
from callgate.sccp.fields import RawAddress

Junk = list[tuple[str, bytes]]
Left = Mapping[str, bytes]

Z = b"\0"
ZEROS = bytes(8192)

ipv4 = lru_cache(maxsize=4096)(IPv4Address)
ipv6 = lru_cache(maxsize=4096)(IPv6Address)


class FieldError(ProtocolError):
    """A field breaks a rule: which field, at which offset of the body, and which rule."""

    def __init__(self, field: str, offset: int | None, rule: str) -> None:
        self.field = field
        self.offset = offset
        self.rule = rule
        where = "" if offset is None else f" (body offset {offset})"
        super().__init__(f"SCCP {field}{where}: {rule}")


def read_text(junk: Junk, path: str, raw: bytes, size: int) -> bytes:
    """The string in a field of `size` bytes and what follows it."""
    text = raw.partition(Z)[0]
    if len(text) >= size:
        text = raw[:size]
        rest = raw[size:]
    else:
        rest = raw[len(text) + 1 :]
    if rest.strip(Z):
        junk.append((path, rest))
    return text


def read_octets(junk: Junk, path: str, raw: bytes, size: int) -> bytes:
    """The first `size` bytes; the rest is room."""
    if raw[size:].strip(Z):
        junk.append((path, raw[size:]))
    return raw[:size]


def read_family(junk: Junk, path: str, family: int, octets: bytes) -> IPv4Address | IPv6Address | RawAddress:
    """An address with its family."""
    if family == 0:
        if octets[4:].strip(Z):
            junk.append((path, octets[4:]))
        return ipv4(octets[:4])
    if family == 1:
        return ipv6(octets)
    return RawAddress(family, octets)


def write_text(path: str, text: bytes, size: int) -> bytes:
    """A string that fits its field; FieldError if it does not."""
    if len(text) > size:
        raise FieldError(path, None, f"{len(text)} bytes do not fit in {size}")
    if Z in text:
        raise FieldError(path, None, "a string holds no NUL")
    return text


def refill_text(path: str, text: bytes, size: int, left: Left) -> bytes:
    """A string, and behind it what the room held."""
    write_text(path, text, size)
    rest = left.get(path)
    if rest is None:
        return text
    return text + rest if len(text) == size else text + Z + rest


def write_counted(path: str, octets: bytes, count: int, size: int) -> bytes:
    """As many bytes as were counted, up to the size of their room."""
    return write_exactly(path, octets, min(count, size))


def write_exactly(path: str, octets: bytes, size: int) -> bytes:
    """Bytes that fill their room."""
    if len(octets) != size:
        raise FieldError(path, None, f"takes {size} bytes, not {len(octets)}")
    return octets


def write_v4(path: str, address: object) -> bytes:
    """Four bytes of an IPv4 address."""
    if isinstance(address, IPv4Address):
        return address.packed
    raise FieldError(path, None, f"{address} is no IPv4 address, and this form of the message has room for no other")


def write_v6(path: str, address: object) -> bytes:
    """Sixteen bytes of an IPv6 address."""
    if isinstance(address, IPv6Address):
        return address.packed
    raise FieldError(path, None, f"{address} is no IPv6 address")


def write_family(path: str, address: object, left: Left) -> tuple[int, bytes]:
    """An address's family and sixteen bytes."""
    if isinstance(address, IPv4Address):
        return 0, address.packed + left.get(path, b"")
    if isinstance(address, IPv6Address):
        return 1, address.packed
    if isinstance(address, RawAddress) and 1 < address.family < 1 << 32:
        return address.family, write_exactly(path, address.octets, 16)
    raise FieldError(path, None, f"{address} is no IP address")


_INTERNED: Final = 4096
_ARRAYS: Final = 512
_NOTHING: Final[tuple[Any, bytes]] = (None, b"")


class Entries:
    """The entries of an array, or a structure on its own: how one is read and written.

    The phones of a site have the same buttons, soft keys and codecs: equal entries are one object.
    """

    def __init__(
        self,
        one: Struct,
        read: Callable[..., Any],
        write: Callable[..., Any],
    ) -> None:
        self.one = one
        self._read = read
        self._write = write
        self._interned: dict[bytes, Any] = {}
        self._arrays: dict[bytes, tuple[int, tuple[Any, ...]]] = {}
        """Whole arrays without junk: their count and entries by their bytes."""
        self._written: dict[int, tuple[Any, bytes]] = {}
        """The bytes of entries by identity; the entry is kept, so that its identity stays its own."""

    def read(self, junk: Junk, path: str, chunk: bytes, count: int) -> tuple[Any, ...]:
        """The first `count` entries; what stands behind them is junk."""
        known = self._arrays.get(chunk)
        if known is not None and known[0] == count:
            return known[1]
        before = len(junk)
        size = self.one.size
        valid = count * size
        interned = self._interned
        entries = []
        for start in range(0, valid, size):
            raw = chunk[start : start + size]
            entry = interned.get(raw)
            if entry is None:
                inside = len(junk)
                entry = self._read(junk, f"{path}[{start // size}]", (), *self.one.unpack(raw))
                if inside == len(junk):
                    if len(interned) >= _INTERNED:
                        interned.clear()
                    interned[raw] = entry
            entries.append(entry)
        if chunk[valid:].strip(Z):
            junk.append((path, chunk[valid:]))
        found = tuple(entries)
        if before == len(junk):
            if len(self._arrays) >= _ARRAYS:
                self._arrays.clear()
            self._arrays[chunk] = count, found
        return found

    def read_one(self, junk: Junk, path: str, chunk: bytes, free: tuple[Any, ...]) -> Any:
        """The structure at the start of the chunk."""
        return self._read(junk, path, free, *self.one.unpack_from(chunk))

    def write(self, path: str, left: Left, entries: Sequence[Any], count: int) -> bytes:
        """The bytes of as many entries as were counted, and behind them what the room held."""
        if len(entries) != count:
            raise FieldError(path, None, f"{len(entries)} entries, where the count says {count}")
        if left:
            packed = [self.write_one(f"{path}[{n}]", left, entry, ()) for n, entry in enumerate(entries)]
            return b"".join([*packed, left.get(path, b"")])
        written = self._written
        packed = []
        for n, entry in enumerate(entries):
            known, chunk = written.get(id(entry), _NOTHING)
            if known is not entry:
                chunk = self.write_one(f"{path}[{n}]", left, entry, ())
                if len(written) >= _INTERNED:
                    written.clear()
                written[id(entry)] = entry, chunk
            packed.append(chunk)
        return b"".join(packed)

    def write_one(self, path: str, left: Left, value: Any, free: tuple[Any, ...]) -> bytes:
        """The bytes of one structure."""
        return self.one.pack(*self._write(path, left, free, value))


class Numbers:
    """The entries of an array of integers: how they are read and written."""

    def __init__(self, code: str, enum: type[IntEnum] | None) -> None:
        self.one = Struct(f"<{code}")
        self._code = code
        self._named = enum._value2member_map_.get if enum else None

    def read(self, junk: Junk, path: str, chunk: bytes, count: int) -> tuple[Any, ...]:
        """The first `count` numbers; what stands behind them is junk."""
        valid = count * self.one.size
        found = unpack_from(f"<{count}{self._code}", chunk)
        if chunk[valid:].strip(Z):
            junk.append((path, chunk[valid:]))
        return tuple(map(self._named, found, found)) if self._named else found

    def write(self, path: str, left: Left, entries: Sequence[int], count: int) -> bytes:
        """The bytes of as many numbers as were counted, and behind them what the room held."""
        if len(entries) != count:
            raise FieldError(path, None, f"{len(entries)} entries, where the count says {count}")
        return pack(f"<{count}{self._code}", *entries) + left.get(path, b"")


class UnionCase(NamedTuple):
    """One member of a union, and the code of its structure; None for a number."""

    name: str
    when: range
    kind: type
    code: Entries | None
    own: tuple[int, ...]
    """Which of the union's outer selectors the structure's unions ask for."""


_WORD = Struct("<I")


class Union:
    """Bytes that another field gives a meaning."""

    def __init__(self, room: int, cases: Sequence[UnionCase]) -> None:
        self.room = room
        self._of_value = {case.when.start: case for case in reversed(cases) if len(case.when) == 1}
        self._of_range = [case for case in cases if len(case.when) > 1]

    def case(self, selector: int) -> UnionCase | None:
        """The member that a value of the selecting field chooses."""
        case = self._of_value.get(selector)
        if case is None:
            for case in self._of_range:
                if case.when.start <= selector < case.when.stop:  # `in` would count up to an IntEnum
                    return case
            return None
        return case

    def read(self, junk: Junk, path: str, chunk: bytes, selector: int, free: tuple[Any, ...]) -> Any:
        """The member's value; the bytes themselves if no member is chosen."""
        case = self.case(selector)
        if case is None:
            return chunk
        if case.code is None:
            used = _WORD.size
            (value,) = _WORD.unpack_from(chunk)
            if issubclass(case.kind, IntEnum):
                value = case.kind._value2member_map_.get(value, value)
        else:
            used = case.code.one.size
            value = case.code.read_one(junk, path, chunk, tuple([free[n] for n in case.own]))
        if chunk[used:].strip(Z):
            junk.append((path, chunk[used:]))
        return value

    def write(self, path: str, left: Left, value: Any, selector: int, free: tuple[Any, ...]) -> bytes:
        """The member's bytes, and behind them what the room held."""
        case = self.case(selector)
        if case is None:
            if not isinstance(value, bytes):
                raise FieldError(path, None, f"no member is chosen by {selector}: takes {self.room} bytes as they are")
            return write_exactly(path, value, self.room)
        if case.code is None:
            if not isinstance(value, int):
                raise FieldError(path, None, f"{selector} chooses {case.name}, a number")
            chunk = _WORD.pack(value)
        else:
            if not isinstance(value, case.kind):
                raise FieldError(path, None, f"{selector} chooses {case.name}, a {case.kind.__name__}")
            chunk = case.code.write_one(path, left, value, tuple([free[n] for n in case.own]))
        return chunk + left.get(path, b"")
