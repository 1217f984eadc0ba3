"""What generated code calls for strings with room, addresses, arrays and unions."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Annotated, Any

import pytest

from callgate.sccp.fields import ANY, U32, Array, Case, Choice, RawAddress, only
from callgate.sccp.generate import structure_code, union_of
from callgate.sccp.message import Structure
from callgate.sccp.messages.capabilities import MediaCapability
from callgate.sccp.messages.registration import ServerIdentifier
from callgate.sccp.messages.structures import CodecParameters, MediaQualifierIncoming, SseCapability
from callgate.sccp.messages.templates import ButtonDefinition, SoftKeyDefinition
from callgate.sccp.values import (
    FieldError,
    Junk,
    Numbers,
    Union,
    UnionCase,
    read_family,
    read_octets,
    read_text,
    refill_text,
    write_counted,
    write_exactly,
    write_family,
    write_text,
    write_v4,
    write_v6,
)

RATE_11 = (("rate", 11),)


@pytest.mark.parametrize(
    ("raw", "size", "text", "rest"),
    [
        (b"abc\0\0", 5, b"abc", None),
        (b"abcde", 5, b"abcde", None),
        (b"abc\0d", 5, b"abc", b"d"),
        (b"abc\0\0d\0", 7, b"abc", b"\0d\0"),
        (b"\0", 1, b"", None),
        (b"abcde\0\0\0", 5, b"abcde", None),
        (b"abcde\0j\0", 5, b"abcde", b"\0j\0"),
        (b"abcdefgh", 5, b"abcde", b"fgh"),
        (b"abcd\0j\0\0", 5, b"abcd", b"j\0\0"),
        (b"abcd\0\0\0\0", 5, b"abcd", None),
    ],
)
def test_a_string_ends_at_its_nul_or_with_its_field(raw: bytes, size: int, text: bytes, rest: bytes | None) -> None:
    junk: Junk = []
    assert read_text(junk, "here", raw, size) == text
    assert junk == ([] if rest is None else [("here", rest)])
    left = {} if rest is None else {"here": rest}
    assert refill_text("here", text, size, left).ljust(len(raw), b"\0") == raw


@pytest.mark.parametrize(
    ("raw", "size", "rest"), [(b"abc\0", 3, None), (b"abcd", 3, b"d"), (b"abcd", 4, None), (b"abcd", 0, b"abcd")]
)
def test_octets_end_with_their_size(raw: bytes, size: int, rest: bytes | None) -> None:
    junk: Junk = []
    assert read_octets(junk, "here", raw, size) == raw[:size]
    assert junk == ([] if rest is None else [("here", rest)])


V4 = bytes([192, 0, 2, 7])
ADDRESSES: list[tuple[int, bytes, Any, bytes | None]] = [
    (0, V4 + bytes(12), IPv4Address("192.0.2.7"), None),
    (0, V4 + bytes(11) + b"j", IPv4Address("192.0.2.7"), bytes(11) + b"j"),
    (0, V4 + b"j" + bytes(11), IPv4Address("192.0.2.7"), b"j" + bytes(11)),
    (1, bytes(15) + b"\1", IPv6Address("::1"), None),
    (2, V4 * 4, RawAddress(2, V4 * 4), None),
    (0xFFFFFFFF, bytes(16), RawAddress(0xFFFFFFFF, bytes(16)), None),
]


@pytest.mark.parametrize(("family", "octets", "address", "rest"), ADDRESSES)
def test_an_address_is_of_its_family(family: int, octets: bytes, address: Any, rest: bytes | None) -> None:
    junk: Junk = []
    assert read_family(junk, "here", family, octets) == address
    assert junk == ([] if rest is None else [("here", rest)])
    written = write_family("here", address, dict(junk))
    assert written[0] == family
    assert written[1].ljust(16, b"\0") == octets


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        (RawAddress(0, bytes(16)), f"{RawAddress(0, bytes(16))} is no IP address"),
        (RawAddress(1, bytes(16)), f"{RawAddress(1, bytes(16))} is no IP address"),
        (RawAddress(1 << 32, bytes(16)), f"{RawAddress(1 << 32, bytes(16))} is no IP address"),
        (RawAddress(2, bytes(17)), "takes 16 bytes, not 17"),
        (None, "None is no IP address"),
    ],
)
def test_an_address_of_no_family_is_refused(address: Any, rule: str) -> None:
    with pytest.raises(FieldError) as raised:
        write_family("here", address, {})
    assert (raised.value.field, raised.value.offset, raised.value.rule) == ("here", None, rule)


def test_addresses_without_a_family() -> None:
    assert write_v4("here", IPv4Address("192.0.2.7")) == V4
    assert write_v6("here", IPv6Address("::1")) == bytes(15) + b"\1"
    with pytest.raises(FieldError) as raised:
        write_v4("here", IPv6Address("::1"))
    assert raised.value.field == "here"
    assert raised.value.rule == "::1 is no IPv4 address, and this form of the message has room for no other"
    with pytest.raises(FieldError) as raised:
        write_v6("here", IPv4Address("192.0.2.7"))
    assert (raised.value.field, raised.value.rule) == ("here", "192.0.2.7 is no IPv6 address")


@pytest.mark.parametrize(
    ("text", "rule"), [(b"abcdef", "6 bytes do not fit in 5"), (b"a\0b", "a string holds no NUL"), (b"abcde", None)]
)
def test_a_string_fits_its_field(text: bytes, rule: str | None) -> None:
    if rule is None:
        assert write_text("here", text, 5) == refill_text("here", text, 5, {}) == text
        return
    with pytest.raises(FieldError) as raised:
        write_text("here", text, 5)
    assert (raised.value.field, raised.value.offset, raised.value.rule) == ("here", None, rule)
    with pytest.raises(FieldError) as raised:
        refill_text("here", text, 5, {})
    assert (raised.value.field, raised.value.offset, raised.value.rule) == ("here", None, rule)


def test_counted_bytes_are_as_many_as_counted_and_there_is_room_for() -> None:
    assert write_counted("here", b"abc", 3, 16) == b"abc"
    assert write_counted("here", b"x" * 16, 99, 16) == b"x" * 16
    for octets, count in ((b"ab", 3), (b"abcd", 3), (b"x" * 17, 17)):
        with pytest.raises(FieldError) as raised:
            write_counted("here", octets, count, 16)
        assert str(raised.value) == f"SCCP here: takes {min(count, 16)} bytes, not {len(octets)}"
    assert write_exactly("here", b"ab", 2) == b"ab"


def test_an_error_names_its_offset_if_it_has_one() -> None:
    assert str(FieldError("there", 0, "is missing")) == "SCCP there (body offset 0): is missing"
    assert str(FieldError("there", None, "is missing")) == "SCCP there: is missing"


class Colour(IntEnum):
    RED = 1


def test_an_array_of_numbers() -> None:
    numbers = Numbers("H", None)
    assert numbers.one.size == 2
    junk: Junk = []
    assert numbers.read(junk, "here", b"\1\0\2\0\0\0", 2) == (1, 2)
    assert junk == []
    assert numbers.read(junk, "here", b"\1\0\2\0\3\0", 1) == (1,)
    assert junk == [("here", b"\2\0\3\0")]
    assert numbers.write("here", {}, (1, 2), 2) == b"\1\0\2\0"
    assert numbers.write("here", {"here": b"left"}, (1,), 1) == b"\1\0left"
    with pytest.raises(FieldError) as raised:
        numbers.write("here", {}, (1,), 2)
    assert str(raised.value) == "SCCP here: 1 entries, where the count says 2"


def test_an_array_of_enumerated_numbers() -> None:
    found = Numbers("I", Colour).read([], "here", b"\1\0\0\0\2\0\0\0", 2)
    assert found == (1, 2)
    assert [type(number) for number in found] == [Colour, int]


KEY = b"Redial\0\0\0\0\0\0\0\0\0\0\1\0\0\0"
JUNKY = b"Redial\0jjj\0\0\0\0\0\0\1\0\0\0"


def test_equal_entries_without_junk_are_one_object() -> None:
    code = structure_code(SoftKeyDefinition, ())
    junk: Junk = []
    first, second = code.read(junk, "keys", KEY * 2, 2)
    assert first is second
    assert code.read(junk, "keys", KEY * 3, 1) == (first,)
    assert junk.pop() == ("keys", KEY * 2)
    one, two = code.read(junk, "keys", JUNKY * 2, 2)
    assert one == two == first
    assert one is not two
    assert junk == [("keys[0].softKeyLabel", b"jjj\0\0\0\0\0\0"), ("keys[1].softKeyLabel", b"jjj\0\0\0\0\0\0")]


def test_an_array_read_again_says_again_what_its_room_holds() -> None:
    code = structure_code(ServerIdentifier, ())
    chunk = b"cm".ljust(48, b"\0") * 2
    for _ in range(2):
        junk: Junk = []
        assert code.read(junk, "servers", chunk, 1) == (ServerIdentifier(b"cm"),)
        assert junk == [("servers", chunk[48:])]
    assert code.read([], "servers", chunk, 2) is code.read([], "servers", chunk, 2)
    assert len(code.read([], "servers", chunk, 1)) == 1


def test_entries_are_written_with_what_was_left() -> None:
    code = structure_code(SoftKeyDefinition, ())
    key = SoftKeyDefinition(b"Redial", 1)
    assert code.write("keys", {}, (key, key), 2) == KEY * 2
    assert code.write("keys", {}, [key], 1) == KEY
    left = {"keys[1].softKeyLabel": b"jjj", "keys": b"behind"}
    assert code.write("keys", left, (key, key), 2) == KEY + JUNKY + b"behind"
    assert code.write("keys", {"other": b"x"}, (key,), 1) == KEY
    assert code.write("keys", {}, (key,), 1) == KEY
    with pytest.raises(FieldError) as raised:
        code.write("keys", {}, (key,), 2)
    assert str(raised.value) == "SCCP keys: 1 entries, where the count says 2"


def test_more_entries_than_are_remembered_are_read_and_written_all_the_same() -> None:
    code = structure_code(ButtonDefinition, ())
    chunks = [number.to_bytes(2, "little") for number in range(65536)]
    code._interned.clear()
    code._written.clear()
    found = code.read([], "buttons", b"".join(chunks), 65536)
    assert code.write("buttons", {}, found, 65536) == b"".join(chunks)
    assert len(code._interned) == 4096
    assert len(code._written) == 4096
    code._arrays.clear()
    for number, chunk in enumerate(chunks[:513]):
        code.read([], "buttons", chunk, 1)
        assert len(code._arrays) == number % 512 + 1


def test_an_entry_that_was_written_is_not_made_again() -> None:
    code = structure_code(SoftKeyDefinition, ())
    key, twin = SoftKeyDefinition(b"Hold", 3), SoftKeyDefinition(b"Hold", 3)
    chunk = code.write("keys", {}, (key,), 1)
    assert code._written[id(key)] == (key, chunk)
    assert id(twin) not in code._written
    code._written[id(key)] = key, b"remembered"
    assert code.write("keys", {}, (key, twin, key), 3) == b"remembered" + chunk + b"remembered"
    # A number that another entry had before says nothing.
    code._written[id(twin)] = key, b"remembered"
    assert code.write("keys", {}, (twin,), 1) == chunk
    del code._written[id(key)]


def test_what_selects_a_union_of_an_entry_stands_in_the_entry() -> None:
    class Qualifiers(Structure, frozen=True):
        compression_type: U32 = None
        qualifiers: Annotated[tuple[MediaQualifierIncoming, ...] | None, Array(2)] = None

    with pytest.raises(TypeError) as raised:
        structure_code(Qualifiers, RATE_11)
    assert str(raised.value) == "qualifiers: what selects a union of an entry stands in the entry"


def choice(*cases: Case, room: int = 12) -> Union:
    return union_of(Choice("selector", room, cases), ())


def members() -> Union:
    return choice(
        Case("colour", Colour, only(5)),
        Case("sse", SseCapability, only(6)),
        Case("number", int, range(10, 20)),
        Case("others", int, range(15, 30)),
        Case("two", int, range(40, 42)),
    )


def test_one_value_counts_more_than_a_range_and_the_first_range_more_than_others() -> None:
    def name(selector: int) -> str | None:
        case = members().case(selector)
        return case.name if case else None

    found = [name(selector) for selector in (4, 5, 6, 9, 10, 19, 20, 29, 30, 39, 40, 41, 42)]
    assert found[:9] == [None, "colour", "sse", None, "number", "number", "others", "others", None]
    assert found[9:] == [None, "two", "two", None]
    both = choice(Case("all", int, ANY), Case("six", int, only(6)), Case("six again", int, only(6)))
    chosen = [both.case(selector) for selector in (5, 6, 0, 0xFFFFFFFF)]
    assert [case and case.name for case in chosen] == ["all", "six", "all", "all"]


@pytest.mark.parametrize(
    ("selector", "chunk", "value", "rest"),
    [
        (5, b"\1\0\0\0" + bytes(8), Colour.RED, None),
        (5, b"\2\0\0\0" + bytes(8), 2, None),
        (5, b"\1\0\0\0" + b"junk" + bytes(4), Colour.RED, b"junk" + bytes(4)),
        (6, b"\1\0\0\0\2\0\0\0" + bytes(4), SseCapability(1, 2), None),
        (6, b"\1\0\0\0\2\0\0\0" + b"junk", SseCapability(1, 2), b"junk"),
        (10, b"\xff\xff\xff\xff" + bytes(8), 0xFFFFFFFF, None),
        (99, b"twelve bytes", b"twelve bytes", None),
    ],
)
def test_a_union_holds_the_chosen_member(selector: int, chunk: bytes, value: Any, rest: bytes | None) -> None:
    junk: Junk = []
    found = members().read(junk, "u", chunk, selector, ())
    assert found == value
    assert type(found) is type(value)
    assert junk == ([] if rest is None else [("u", rest)])
    assert members().write("u", dict(junk), value, selector, ()).ljust(12, b"\0") == chunk


@pytest.mark.parametrize(
    ("selector", "value", "rule"),
    [
        (99, 7, "no member is chosen by 99: takes 12 bytes as they are"),
        (99, b"short", "takes 12 bytes, not 5"),
        (10, b"bytes", "10 chooses number, a number"),
        (6, 7, "6 chooses sse, a SseCapability"),
        (6, CodecParameters(), "6 chooses sse, a SseCapability"),
    ],
)
def test_a_union_takes_no_other_member(selector: int, value: Any, rule: str) -> None:
    with pytest.raises(FieldError) as raised:
        members().write("u", {}, value, selector, ())
    assert (raised.value.field, raised.value.offset, raised.value.rule) == ("u", None, rule)


def test_each_member_gets_its_own_of_the_selectors_from_outside() -> None:
    inner = structure_code(MediaQualifierIncoming, RATE_11)
    union = Union(8, [UnionCase("qualifier", only(1), MediaQualifierIncoming, inner, (1,))])
    raw = b"\1\0\0\0\1\2\3\4"
    assert union.read([], "u", raw, 1, (9, 4)).codec_params_union == CodecParameters(1, 2, 3, 4)
    assert union.read([], "u", raw, 1, (4, 9)).codec_params_union == 0x04030201
    value = MediaQualifierIncoming(1, CodecParameters(1, 2, 3, 4))
    assert union.write("u", {}, value, 1, (9, 4)) == raw


def test_a_structure_on_its_own() -> None:
    code = structure_code(MediaCapability, ())
    assert isinstance(code.one, Struct)
    assert code.one.size == 16
    raw = b"\4\0\0\0\x14\0\0\0\1\2\3\4" + b"junk"
    junk: Junk = []
    found = code.read_one(junk, "cap", raw + b"more", ())
    assert found == MediaCapability(4, 20, CodecParameters(1, 2, 3, 4))
    assert junk == [("cap.PAYLOADS", b"junk")]
    assert code.write_one("cap", dict(junk), found, ()) == raw
