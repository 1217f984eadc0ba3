"""The fields that end a body: what they take of what is left, and what is remembered of it."""

from __future__ import annotations

from typing import Any

import pytest

from callgate.sccp.ending import (
    read_data,
    read_entries,
    read_free_text,
    read_last_text,
    read_strings,
    rounded_up,
    write_data,
    write_entries,
    write_free_text,
    write_last_text,
    write_strings,
)
from callgate.sccp.generate import structure_code
from callgate.sccp.messages.templates import ButtonDefinition
from callgate.sccp.values import Entries, FieldError, Junk


@pytest.mark.parametrize(
    ("before", "used", "rest", "answer"),
    [
        (0, 4, b"abcd", True),
        (0, 3, b"abc\0", True),
        (0, 1, b"a\0\0\0", True),
        (0, 0, b"", True),
        (1, 2, b"ab\0", True),
        (1, 3, b"abc", True),
        (2, 3, b"abc\0\0\0", True),
        (0, 3, b"abc", False),
        (0, 3, b"abcj", False),
        (0, 3, b"abc\0\0", False),
        (0, 4, b"abcd\0\0\0\0", False),
        (1, 3, b"abc\0", False),
    ],
)
def test_zeros_that_round_up_are_as_many_as_needed(before: int, used: int, rest: bytes, answer: bool) -> None:
    assert rounded_up(before, used, rest) is answer


@pytest.mark.parametrize(
    ("rest", "text", "used", "room", "junk"),
    [
        (b"abc" + bytes(5), b"abc", 8, None, None),
        (b"abcdefgh", b"abcdefgh", 8, None, None),
        (b"abc\0jjjj", b"abc", 8, None, b"jjjj"),
        (b"abc\0", b"abc", 4, 4, None),
        (b"abc", b"abc", 3, 3, None),
        (b"", b"", 0, 0, None),
        (b"abc" + bytes(7), b"abc", 10, 10, None),
        (b"abcdefghij", b"abcdefghij", 10, 10, None),
        (b"abcdefghijkl", b"abcdefghij", 10, 10, None),
        (b"abc" + bytes(8) + b"j", b"abc", 10, 10, None),
    ],
)
def test_a_string_in_room_that_senders_usually_fill(
    rest: bytes, text: bytes, used: int, room: int | None, junk: bytes | None
) -> None:
    found: Junk = []
    assert read_last_text(found, "here", rest, 8, 10) == (text, used, room)
    assert found == ([] if junk is None else [("here", junk)])
    assert write_last_text("here", dict(found), text, 8, room) == rest[:used]


def test_a_string_is_no_longer_than_its_room() -> None:
    assert write_last_text("here", {}, b"abcdefgh", 8, None) == b"abcdefgh"
    assert write_last_text("here", {}, b"abcdefghi", 8, 9) == b"abcdefghi"
    for room, size in ((None, 8), (4, 4)):
        with pytest.raises(FieldError) as raised:
            write_last_text("here", {}, b"abcdefghi", 8, room)
        assert str(raised.value) == f"SCCP here: 9 bytes do not fit in {size}"


@pytest.mark.parametrize(
    ("rest", "count", "before", "data", "used", "room", "junk"),
    [
        (b"abcd", 4, 0, b"abcd", 4, None, None),
        (b"abc\0", 3, 0, b"abc", 3, None, None),
        (b"abc\0\0\0", 3, 2, b"abc", 3, None, None),
        (b"abc\0\0\0\0\0", 3, 0, b"abc", 8, 8, None),
        (b"abcj", 3, 0, b"abc", 4, 4, b"j"),
        (b"abcjjjjjjjjjjj", 3, 0, b"abc", 10, 10, b"jjjjjjj"),
        (b"abc\0\0\0\0\0\0\0\0j", 3, 0, b"abc", 10, 10, None),
        (b"abcdefghijkl", 12, 0, b"abcdefghijkl", 12, None, None),
        (b"abcdefghijklm", 12, 0, b"abcdefghijkl", 12, 12, None),
        (b"abcd", 99, 0, b"abcd", 4, None, None),
        (b"abc", 99, 0, b"abc", 3, 3, None),
        (b"", 0, 0, b"", 0, None, None),
        (b"\0\0\0\0", 0, 0, b"", 4, 4, None),
    ],
)
def test_data_is_as_long_as_counted(
    rest: bytes, count: int, before: int, data: bytes, used: int, room: int | None, junk: bytes | None
) -> None:
    found: Junk = []
    assert read_data(found, "here", rest, count, 10, before) == (data, used, room)
    assert found == ([] if junk is None else [("here", junk)])
    assert write_data("here", dict(found), data, count, room) == rest[:used]


@pytest.mark.parametrize(
    ("data", "count", "room", "kept"),
    [(b"abc", 3, None, True), (b"abc", 2, None, False), (b"abc", 4, 3, True), (b"abc", 3, 2, False), (b"", 0, 0, True)],
)
def test_data_is_no_longer_than_counted_or_than_its_room(data: bytes, count: int, room: int | None, kept: bool) -> None:
    if kept:
        assert write_data("here", {}, data, count, room) == data
        return
    with pytest.raises(FieldError) as raised:
        write_data("here", {}, data, count, room)
    assert (raised.value.field, raised.value.offset) == ("here", None)
    assert raised.value.rule == f"3 bytes, where the count says {count}"


@pytest.mark.parametrize(
    ("rest", "before", "text", "used", "room", "junk"),
    [
        (b"abcd", 0, b"abcd", 4, None, None),
        (b"abc\0", 0, b"abc", 3, None, None),
        (b"abc\0\0\0", 2, b"abc", 3, None, None),
        (b"", 0, b"", 0, None, None),
        (b"abc", 0, b"abc", 3, 3, None),
        (b"abcdefgh", 0, b"abcdefgh", 8, None, None),
        (b"abc\0\0\0\0\0", 0, b"abc", 8, 8, None),
        (b"abc\0jjjj", 0, b"abc", 8, 8, b"jjjj"),
        (b"abcdefghjjjj", 0, b"abcdefgh", 8, 8, None),
    ],
)
def test_a_string_that_takes_its_own_bytes(
    rest: bytes, before: int, text: bytes, used: int, room: int | None, junk: bytes | None
) -> None:
    found: Junk = []
    assert read_free_text(found, "here", rest, 8, before) == (text, used, room)
    assert found == ([] if junk is None else [("here", junk)])
    assert write_free_text("here", dict(found), text, 8, room) == rest[:used]


def test_a_free_string_is_no_longer_than_the_senders_buffer() -> None:
    assert write_free_text("here", {}, b"abcdefgh", 8, None) == b"abcdefgh"
    for room, size in ((None, 8), (4, 4)):
        with pytest.raises(FieldError) as raised:
            write_free_text("here", {}, b"abcdefghi", 8, room)
        assert str(raised.value) == f"SCCP here: 9 bytes do not fit in {size}"


def buttons() -> Entries:
    return structure_code(ButtonDefinition, ())


PAIRS = tuple(ButtonDefinition(number, 9) for number in range(1, 6))
BYTES = b"".join(bytes([number, 9]) for number in range(1, 6))


@pytest.mark.parametrize(
    ("rest", "count", "entries", "used", "room", "junk"),
    [
        (BYTES[:4] + bytes(2), 2, 2, 6, None, None),
        (BYTES[:6], 3, 3, 6, None, None),
        (BYTES[:6], 2, 2, 6, None, BYTES[4:6]),
        (BYTES[:4], 2, 2, 4, 4, None),
        (BYTES[:4], 3, 2, 4, 4, None),
        (BYTES[:5], 3, 2, 4, 4, None),
        (BYTES[:8] + bytes(2), 4, 4, 10, 10, None),
        (BYTES, 5, 5, 10, None, None),
        (b"", 0, 0, 0, 0, None),
    ],
)
def test_an_array_has_as_much_room_as_the_body_left(
    rest: bytes, count: int, entries: int, used: int, room: int | None, junk: bytes | None
) -> None:
    found: Junk = []
    expected: tuple[Any, ...] = PAIRS[:entries]
    assert read_entries(found, "here", rest, buttons(), count, 3) == (expected, used, room)
    assert found == ([] if junk is None else [("here", junk)])
    assert write_entries("here", dict(found), buttons(), expected, count, 3, room) == rest[:used]


def test_an_array_holds_as_many_entries_as_counted() -> None:
    for entries, count, says in ((2, 3, 3), (3, 2, 2), (4, 5, 5), (5, 9, None)):
        if says is None:
            assert write_entries("here", {}, buttons(), PAIRS[:entries], count, 3, None) == BYTES
            continue
        with pytest.raises(FieldError) as raised:
            write_entries("here", {}, buttons(), PAIRS[:entries], count, 5, None)
        assert str(raised.value) == f"SCCP here: {entries} entries, where the count says {says}"


@pytest.mark.parametrize(
    ("rest", "strings", "used", "open_end"),
    [
        (b"a\0b\0c\0", [b"a", b"b", b"c", None, None], 6, False),
        (b"a\0b\0c\0\0\0", [b"a", b"b", b"c", None, None], 6, False),
        (b"a\0b\0c\0d\0e\0\0\0", [b"a", b"b", b"c", b"d", b"e"], 10, False),
        (b"a\0b\0c\0d\0\0\0", [b"a", b"b", b"c", b"d", b""], 9, False),
        (b"a\0b\0c\0d\0", [b"a", b"b", b"c", b"d", None], 8, False),
        (b"a\0b\0c\0d", [b"a", b"b", b"c", b"d", None], 7, True),
        (b"a\0b\0", [b"a", b"b", None, None, None], 4, False),
        (b"a\0b", [b"a", b"b", None, None, None], 3, True),
        (b"a\0\0\0", [b"a", b"", b"", None, None], 4, False),
        (b"", [None] * 5, 0, False),
        (b"\0", [b"", None, None, None, None], 1, False),
        (b"\0\0\0\0\0\0", [b"", b"", b"", None, None], 3, False),
        (b"a\0b\0c\0d\0e\0junk", [b"a", b"b", b"c", b"d", b"e"], 10, False),
    ],
)
def test_strings_follow_each_other(rest: bytes, strings: list[bytes | None], used: int, open_end: bool) -> None:
    assert read_strings(rest, 3, 5) == (strings, used, open_end)
    there = [string for string in strings if string is not None]
    assert write_strings([""] * len(there), there, open_end) == rest[:used]


def test_all_strings_that_there_may_be_are_read_where_all_are_usual() -> None:
    assert read_strings(b"a\0b\0c\0", 2, 2) == ([b"a", b"b"], 4, False)
    assert read_strings(b"a\0\0\0", 2, 2) == ([b"a", b""], 3, False)
    assert read_strings(b"a", 2, 2) == ([b"a", None], 1, True)


def test_a_string_holds_no_nul() -> None:
    assert write_strings((), (), False) == b""
    with pytest.raises(FieldError) as raised:
        write_strings(("one", "two"), (b"a", b"b\0"), False)
    assert (raised.value.field, raised.value.offset, raised.value.rule) == ("two", None, "a string holds no NUL")
