"""The code that is made of declarations: of made-up messages that have what no real one has, and what it is called."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address
from typing import Annotated, Any

import pytest
from tests.sccp.wire import address, family_v4, text, words

from callgate.sccp import AsSent, FieldError, encode
from callgate.sccp import codec as codec_module
from callgate.sccp.compiled import body_writer, extent, frame_writer, leaves_in, leaves_of, reader
from callgate.sccp.fields import (
    ADDRESS,
    ANY,
    RATE,
    U8,
    U16,
    U32,
    Address,
    Array,
    Case,
    Choice,
    CString,
    Octets,
    Since,
    Text16,
    only,
)
from callgate.sccp.forms import layout_of
from callgate.sccp.framing import HEADER, frame
from callgate.sccp.generate import Reader, Writer, entries_of, structure_code, union_of
from callgate.sccp.layout import layout
from callgate.sccp.message import Message, Structure
from callgate.sccp.messages.devices import ConfigStatV2ResMessage
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.lines import LineStatV2ResMessage
from callgate.sccp.messages.multimedia import OpenMultiMediaReceiveChannelMessage
from callgate.sccp.messages.registration import RegisterReqMessage
from callgate.sccp.messages.structures import MediaQualifierIncoming, MediaQualifierOutgoing
from callgate.sccp.messages.templates import ButtonTemplateResMessage, SoftKeyDefinition
from callgate.sccp.messages.user_data import UserToDeviceDataMessage
from callgate.sccp.selectors import as_tuple, case_selectors, free_selectors
from callgate.sccp.source import Source

WIDE = ((ADDRESS, 20), (RATE, 11))
NARROW = ((ADDRESS, 4), (RATE, 11))


class Inner(Structure, frozen=True):
    where: Address = None
    label: Text16 = None


class Chosen(Structure, frozen=True):
    qualifier: MediaQualifierIncoming | None = None
    inner: Annotated[Inner | int | bytes | None, Choice("kind", 36, (Case("inner", Inner, only(1)),))] = None


class Deep(Structure, frozen=True):
    """Its unions are selected by a field of its own, by one of a structure in it, and by two outside."""

    own: U8 = None
    head: MediaQualifierOutgoing | None = None
    by_own: Annotated[int | bytes | None, Choice("own", 4, (Case("n", int, only(1)),))] = None
    by_head: Annotated[int | bytes | None, Choice("head.ss_value", 4, (Case("n", int, only(1)),))] = None
    chosen: Chosen | None = None


def test_selectors_from_outside_are_those_that_stand_nowhere_inside() -> None:
    assert free_selectors(Inner, NARROW) == ()
    assert free_selectors(MediaQualifierIncoming, NARROW) == ("compression_type",)
    assert free_selectors(Chosen, NARROW) == ("compression_type", "kind")
    assert free_selectors(Deep, NARROW) == ("compression_type", "kind")


def test_a_union_asks_for_the_selectors_of_all_its_members() -> None:
    both = Choice("x", 8, (Case("q", MediaQualifierIncoming, only(1)), Case("c", Chosen, only(2)), Case("n", int, ANY)))
    assert case_selectors(both, NARROW) == ("compression_type", "kind")
    turned = Choice("x", 8, (Case("c", Chosen, only(2)), Case("q", MediaQualifierIncoming, only(1))))
    assert case_selectors(turned, NARROW) == ("compression_type", "kind")
    assert case_selectors(Choice("x", 4, (Case("n", int, ANY),)), NARROW) == ()

    class Holder(Structure, frozen=True):
        union: Annotated[Chosen | bytes | None, Choice("x", 44, (Case("c", Chosen, only(2)),))] = None

    assert free_selectors(Holder, NARROW) == ("compression_type", "kind", "x")

    class Two(Structure, frozen=True):
        by_x: Annotated[int | bytes | None, Choice("x", 4, (Case("n", int, only(1)),))] = None
        chosen: Chosen | None = None

    assert free_selectors(Two, NARROW) == ("compression_type", "kind", "x")
    assert [case.own for case in union_of(both, NARROW)._of_value.values()] == [(0, 1), (0,)]


def test_the_variables_of_selectors_are_a_tuple() -> None:
    scope = {"a": "v1", "b": "v2"}
    assert as_tuple(scope, ()) == "()"
    assert as_tuple(scope, ("a",)) == "(v1, )"
    assert as_tuple(scope, ("a", "b")) == "(v1, v2, )"


def test_a_function_knows_its_objects_and_its_name() -> None:
    source = Source()
    names = [source.bind(thing) for thing in (3, 4, 3)]
    assert len(set(names)) == 3
    source.lines += [f"here = {names[0]} + other", f"return here * {names[1]}, Z"]
    function = source.compiled("sum", "other")
    assert function(other=2) == (20, b"\0")
    assert function.__name__ == "sum"
    assert function.__code__.co_filename == "<callgate.sccp sum>"


def test_functions_are_called_by_what_they_do() -> None:
    assert reader(KeypadButtonMessage, 0, 1).__name__ == "read"
    assert frame_writer(KeypadButtonMessage, 0, 1).__name__ == "write"
    assert body_writer(KeypadButtonMessage, 0, 1).__name__ == "write"
    assert extent(KeypadButtonMessage, 0).__name__ == "extent"
    code = structure_code(SoftKeyDefinition, ())
    assert (code._read.__name__, code._write.__name__) == ("read", "write")


class Outer(Message, frozen=True):
    """The unions in a nested structure are selected by the fields in front of it."""

    kind: U8 = None
    compression_type: U16 = None
    chosen: Chosen | None = None
    label: Text16 = None
    first: Annotated[bytes | None, CString(25)] = None
    second: Annotated[bytes | None, CString(25), Since(17)] = None


Outer.id, Outer.name, Outer.spare, Outer.lengths = 0x7778, "Outer", 0, (0, 999)


@pytest.mark.parametrize(
    ("version", "kind", "codec", "qualifier", "inner", "sent"),
    [
        (11, 1, 9, 7, Inner(IPv4Address("192.0.2.7"), b"label"), address("192.0.2.7") + text(b"label", 32)),
        (17, 1, 9, 7, Inner(IPv4Address("192.0.2.7"), b"label"), family_v4("192.0.2.7") + text(b"label", 16)),
        (17, 2, 9, 7, b"j" * 36, b"j" * 36),
    ],
)
def test_a_nested_structure_sees_the_fields_in_front_of_it(
    version: int, kind: int, codec: int, qualifier: int, inner: Any, sent: bytes
) -> None:
    message = Outer(
        kind=kind,
        compression_type=codec,
        chosen=Chosen(MediaQualifierIncoming(5, qualifier), inner),
        label=b"outer",
        first=b"one",
        second=b"two" if version >= 17 else None,
        header_version=version,
    )
    body = bytes([kind]) + codec.to_bytes(2, "little") + words(5, qualifier) + sent + text(b"outer", 16) + b"one\0"
    body += b"two\0" if version >= 17 else b""
    body += bytes(-len(body) % 4)
    assert encode(message).hex() == frame(0x7778, body, version).hex()
    form = 3 if version >= 17 else 1
    whole = layout_of(Outer, form)
    read = reader(Outer, form, leaves_in(whole, len(body)))
    assert read(b"shift" + body + b"behind", 5, len(body), version, None) == message


def test_junk_in_front_of_strings_is_kept() -> None:
    body = b"\1" + bytes(2) + words(5, 7) + address("192.0.2.7") + text(b"x", 32) + text(b"outer\0jjj", 16) + b"one\0"
    found = reader(Outer, 1, 7)(body, 0, len(body), 11, None)
    assert isinstance(found, Outer)
    assert (found.label, found.first, found.second) == (b"outer", b"one", None)
    assert found.as_sent == AsSent(junk=(("label", b"jjj" + bytes(7)),), tail=None if len(body) % 4 == 0 else b"")
    assert encode(found)[12:] == body


class Ending(Message, frozen=True):
    number: U32 = None
    ends: Annotated[tuple[Inner, ...] | None, Array(2, last=True)] = None


Ending.id, Ending.name, Ending.spare, Ending.lengths = 0x7779, "Ending", 0, (0, 999)
ENTRY = Inner(IPv4Address("192.0.2.7"), b"label")


def test_an_array_at_the_end_without_a_count_has_its_usual_entries() -> None:
    message = Ending(number=1, ends=(ENTRY, ENTRY), header_version=17)
    body = words(1) + (family_v4("192.0.2.7") + text(b"label", 16)) * 2
    assert encode(message) == frame(0x7779, body, 17)
    assert reader(Ending, 1, 2)(body, 0, len(body), 17, None) == message
    with pytest.raises(FieldError) as raised:
        encode(Ending(number=1, ends=(ENTRY,), header_version=17))
    assert str(raised.value) == "SCCP Ending ends (body offset 4): 1 entries, where the count says 2"


def test_a_kind_that_cannot_stand_in_its_place_is_refused() -> None:
    class Odd(Structure, frozen=True):
        odd: Annotated[int | None, "no kind at all"] = None

    with pytest.raises(TypeError) as raised:
        structure_code(Odd, ())
    assert str(raised.value) == "odd has no kind that can be read in its place"
    node = layout(KeypadButtonMessage).nodes[0]
    with pytest.raises(TypeError) as raised:
        entries_of(node, ())
    assert str(raised.value) == "kp_button is no array"


def test_a_field_that_ends_no_body_or_no_message_is_refused() -> None:
    node = layout(KeypadButtonMessage).nodes[0]
    with pytest.raises(TypeError) as raised:
        Reader((), "", 1)._last(node, "'here'", {})
    assert str(raised.value) == "kp_button does not end a body"
    with pytest.raises(TypeError) as raised:
        Writer((), "", 1)._last(node, "m.here", "'here'", {})
    assert str(raised.value) == "kp_button does not end a body"
    odd = dataclasses.replace(node, kind="no kind")  # type: ignore[arg-type]
    with pytest.raises(TypeError) as raised:
        Writer((), "", 1).fields("m", (odd,), (), {})
    assert str(raised.value) == "kp_button has no kind that can be written in its place"


def test_octets_without_room_need_no_look_at_it() -> None:
    class Plain(Structure, frozen=True):
        octets: Annotated[bytes | None, Octets(3)] = None
        number: U8 = None

    code = structure_code(Plain, ())
    assert code.read_one([], "p", b"abc\7", ()) == Plain(b"abc", 7)
    assert code.write_one("p", {}, Plain(b"abc", 7), ()) == b"abc\7"


@pytest.mark.parametrize(
    ("cls", "length", "count"),
    [
        (KeypadButtonMessage, 0, 0),
        (KeypadButtonMessage, 3, 0),
        (KeypadButtonMessage, 12, 3),
        (KeypadButtonMessage, 99, 5),
        (ButtonTemplateResMessage, 12, 3),
        (ButtonTemplateResMessage, 13, 4),
        (LineStatV2ResMessage, 8, 2),
        (LineStatV2ResMessage, 9, 5),
        (UserToDeviceDataMessage, 20, 6),
        (UserToDeviceDataMessage, 19, 4),
    ],
)
def test_how_many_fields_a_body_holds(cls: type[Message], length: int, count: int) -> None:
    assert leaves_in(layout_of(cls, 0), length) == count
    assert leaves_of(layout_of(cls, 0), bytes(length)) == count


@pytest.mark.parametrize(
    ("body", "count"), [(b"", 0), (b"SEP", 0), (b"SEP\0", 1), (b"SEP\0" + bytes(4), 2), (b"\0" + bytes(17), 7)]
)
def test_behind_a_leading_string_fields_are_counted_from_its_end(body: bytes, count: int) -> None:
    assert leaves_of(layout_of(ConfigStatV2ResMessage, 0), body) == count


def test_what_is_made_for_a_version_in_use_is_kept_and_for_another_is_not() -> None:
    plans = codec_module._plans
    for version, kept in ((21, True), (22, True), (23, False), (99, False)):
        plans.pop((OpenMultiMediaReceiveChannelMessage, version), None)
        first = encode(OpenMultiMediaReceiveChannelMessage(header_version=version))
        assert first == HEADER.pack(4, version, 0x131)
        assert ((OpenMultiMediaReceiveChannelMessage, version) in plans) is kept
        if kept:
            plan = plans[OpenMultiMediaReceiveChannelMessage, version]
            assert encode(OpenMultiMediaReceiveChannelMessage(header_version=version)) == first
            assert plans[OpenMultiMediaReceiveChannelMessage, version] is plan
            assert list(plan[1]) == [0]


def test_a_message_has_as_many_fields_as_reach_to_its_last() -> None:
    count = extent(RegisterReqMessage, 0)
    assert count(RegisterReqMessage()) == 0
    assert count(RegisterReqMessage(protocol_ver=0)) == 8
    assert count(RegisterReqMessage(config_version_stamp=b"")) == 19
