"""From declared fields to places: sizes, offsets, names, and where a body may stop."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import pytest

from callgate.sccp.enums.keys import KeyPadButton
from callgate.sccp.fields import (
    ADDRESS,
    ANY,
    NUMBER,
    RATE,
    U8,
    U32,
    V4,
    V6,
    Address,
    Array,
    Blob,
    ByForm,
    Case,
    Choice,
    CountedOctets,
    CString,
    DirectoryNumber,
    Enum32,
    FamilyAddress,
    Integer,
    LastText,
    LeadingCString,
    Named,
    Octets,
    Since,
    Text,
    Text16,
    only,
)
from callgate.sccp.layout import Layout, Leaf, form_keys, layout, padded, wire_name
from callgate.sccp.message import Message, Structure
from callgate.sccp.messages.calls import CallInfoV2Message, ConnectionStatisticsResMessage
from callgate.sccp.messages.devices import ConfigStatV2ResMessage
from callgate.sccp.messages.keys import EnblocCallMessage, KeypadButtonMessage
from callgate.sccp.messages.media import OpenReceiveChannelMessage, StartMediaTransmissionAckMessage
from callgate.sccp.messages.registration import KeepAliveReqMessage, RegisterReqMessage, ServerResMessage
from callgate.sccp.messages.templates import ButtonTemplateResMessage


class Colour(IntEnum):
    RED = 1


class Pair(Structure, frozen=True):
    one: U8 = None
    two: Annotated[Enum32[Colour], Named("SECOND")] = None


class Wide(Structure, frozen=True):
    where: Address = None


class Sample(Message, frozen=True):
    """One field of every kind that has a size of its own."""

    number: U32 = None
    colour_of_it: Enum32[Colour] = None
    text: Text16 = None
    padded_text: Annotated[bytes | None, Text(25, pad=3)] = None
    octets: Annotated[bytes | None, Octets(6, room=5)] = None
    counted: Annotated[bytes | None, CountedOctets(16, "number")] = None
    v4: Annotated[object | None, V4()] = None
    v6: Annotated[object | None, V6()] = None
    family: Annotated[object | None, FamilyAddress()] = None
    pair: Pair | None = None
    pairs: Annotated[tuple[Pair, ...] | None, Array(3, "number")] = None
    colours: Annotated[tuple[Colour | int, ...] | None, Array(4, of=Integer(2))] = None
    choice: Annotated[
        Pair | int | bytes | None, Choice("number", 7, (Case("pair", Pair, only(1)), Case("int", int, ANY)))
    ] = None


Sample.spare = 0
SIZES = {
    "number": 4,
    "colourOfIt": 4,
    "text": 16,
    "paddedText": 28,
    "octets": 11,
    "counted": 16,
    "v4": 4,
    "v6": 16,
    "family": 20,
    "pair": 5,
    "pairs": 15,
    "colours": 8,
    "choice": 7,
}


def test_each_kind_of_field_has_its_size_and_name() -> None:
    found = layout(Sample)
    assert {node.name: node.size for node in found.nodes} == SIZES
    assert found.size == sum(SIZES.values())
    assert found.absent == ()
    assert found.cls is Sample
    assert [node.attribute for node in found.nodes] == [
        name for name in Sample.__struct_fields__ if name in WITHOUT_OWN
    ]


WITHOUT_OWN = set(Sample.__struct_fields__) - {"header_version", "as_sent"}


def test_leaves_stand_one_behind_the_other_through_structures() -> None:
    leaves = layout(Sample).leaves
    assert [leaf.start for leaf in leaves] == [0, *[leaf.end for leaf in leaves[:-1]]]
    assert leaves[-1].end == layout(Sample).size
    names = [leaf.name for leaf in leaves]
    assert names[9:12] == ["pair.one", "pair.SECOND", "pairs"]
    assert leaves[10].path[0].name == "pair"
    assert (leaves[10].start, leaves[10].end) == (120, 124)


def test_enums_and_structures_are_those_of_the_annotation() -> None:
    nodes = {node.attribute: node for node in layout(Sample).nodes}
    assert (nodes["colour_of_it"].enum, nodes["number"].enum, nodes["colours"].enum) == (Colour, None, Colour)
    assert (nodes["pair"].structure, nodes["pairs"].structure, nodes["colours"].structure) == (Pair, Pair, None)
    assert (nodes["choice"].enum, nodes["choice"].structure) == (None, None)
    assert (nodes["pairs"].entry_size, nodes["colours"].entry_size, nodes["pair"].entry_size) == (5, 2, 0)
    assert [child.name for child in nodes["pair"].children] == ["one", "SECOND"]
    assert nodes["pairs"].children == ()
    assert layout(KeypadButtonMessage).nodes[0].enum is KeyPadButton


def test_names_on_the_wire_are_in_camel_case_or_as_given() -> None:
    assert wire_name(Sample, "colour_of_it") == "colourOfIt"
    assert wire_name(Pair, "two") == "SECOND"
    assert wire_name(RegisterReqMessage, "ip_v4_address_scope") == "ipV4AddressScope"
    assert wire_name(KeypadButtonMessage, "unknown_1") == "unknown1"


def test_a_field_without_a_kind_and_without_a_structure_is_refused() -> None:
    class Broken(Structure, frozen=True):
        field: int | None = None

    with pytest.raises(TypeError) as raised:
        layout(Broken)
    assert str(raised.value) == "a field is neither of a wire type nor a structure"


@pytest.mark.parametrize(("length", "whole"), [(0, 0), (1, 4), (2, 4), (3, 4), (4, 4), (5, 8), (33, 36)])
def test_lengths_are_rounded_up_to_four(length: int, whole: int) -> None:
    assert padded(length) == whole


def test_the_last_field_of_a_body_has_no_size_of_its_own() -> None:
    class Ends(Structure, frozen=True):
        strings: Annotated[bytes | None, CString(25)] = None
        text: Annotated[bytes | None, LastText(25)] = None
        blob: Annotated[bytes | None, Blob("size", 600)] = None
        array: Annotated[tuple[Pair, ...] | None, Array(3, last=True)] = None
        lead: Annotated[bytes | None, LeadingCString(16)] = None
        fixed: Annotated[tuple[Pair, ...] | None, Array(3)] = None
        number: U32 = None

    nodes = layout(Ends).nodes
    assert [node.is_last for node in nodes] == [True, True, True, True, False, False, False]
    assert [node.size for node in nodes] == [0, 0, 0, 0, 0, 15, 4]
    assert nodes[3].entry_size == 5


def test_a_body_that_a_string_begins_says_so() -> None:
    assert layout(ConfigStatV2ResMessage).lead is True
    assert layout(KeypadButtonMessage).lead is False
    assert layout(KeepAliveReqMessage).lead is False


def test_forms_choose_kinds_and_leave_fields_out() -> None:
    narrow, wide = layout(Wide, ((ADDRESS, 4),)), layout(Wide, ((ADDRESS, 20),))
    assert (narrow.size, wide.size) == (4, 20)
    assert (narrow.form, wide.form) == (((ADDRESS, 4),), ((ADDRESS, 20),))
    assert layout(CallInfoV2Message, (("parties", 12),)).absent == ("alternate_calling_party",)
    assert layout(CallInfoV2Message, (("parties", 13),)).absent == ()
    assert layout(ServerResMessage, ((ADDRESS, 4),)).size == 280
    assert layout(ServerResMessage, ((ADDRESS, 20),)).size == 360


def test_what_the_forms_of_a_class_differ_in() -> None:
    class Nested(Structure, frozen=True):
        wide: Wide | None = None
        number: DirectoryNumber = None
        choice: Annotated[
            Wide | int | bytes | None,
            ByForm(RATE, {10: Choice("number", 20, (Case("wide", Wide, ANY),)), 11: Text(20)}),
        ] = None

    class Hidden(Structure, frozen=True):
        choice: Annotated[Wide | bytes | None, Choice("x", 20, (Case("n", int, only(1)), Case("w", Wide, ANY)))] = None

    assert form_keys(KeypadButtonMessage) == {}
    assert form_keys(Wide) == {ADDRESS: (4, 20)}
    assert form_keys(Nested) == {ADDRESS: (4, 20), NUMBER: (24, 25, 28), RATE: (10, 11)}
    assert form_keys(Hidden) == {ADDRESS: (4, 20)}
    assert form_keys(ServerResMessage) == {ADDRESS: (4, 20)}
    assert form_keys(OpenReceiveChannelMessage) == {ADDRESS: (4, 20), RATE: (10, 11)}
    assert form_keys(ConnectionStatisticsResMessage) == {"statistics": (1, 2, 3)}


class Grown(Message, frozen=True):
    first: U32 = None
    second: U8 = None
    third: Annotated[U32, Since(11)] = None
    fourth: Annotated[U32, Since(17)] = None


Grown.spare = 6


def test_whole_lengths_are_those_at_which_a_version_stops() -> None:
    assert layout(Grown).whole_lengths == {5, 8, 9, 12, 13, 16}
    assert [node.since for node in layout(Grown).nodes] == [0, 0, 11, 17]

    class Late(Message, frozen=True):
        first: Annotated[U32, Since(11)] = None

    Late.spare = 0
    assert layout(Late).whole_lengths == {4}
    assert layout(EnblocCallMessage, ((NUMBER, 25),)).whole_lengths == {29, 32}


def test_a_body_may_stop_behind_any_field() -> None:
    assert layout(Grown).stops == {0, 4, 5, 8, 9, 12, 13, 16}
    assert layout(Sample).stops >= {0, 4, 8, 24, 52, 63, 64, 79, 80}


def test_known_spare_bytes_fit_behind_the_last_field() -> None:
    grown = layout(Grown)
    assert grown.spare == 6
    assert [length for length in range(24) if grown.fits(length)] == [0, 4, 5, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19]
    ack = layout(StartMediaTransmissionAckMessage, ((ADDRESS, 4),))
    assert [length for length in range(20, 40) if ack.fits(length)] == [20, 24, 25, 26, 27, 28, 29, 30, 31, 32]
    assert layout(Pair).spare == 0


@pytest.mark.parametrize(
    ("length", "count"), [(0, 0), (3, 0), (4, 1), (5, 2), (8, 2), (9, 3), (12, 3), (13, 4), (99, 4)]
)
def test_a_length_holds_as_many_fields_as_end_in_it(length: int, count: int) -> None:
    assert layout(Grown).extent(length) == count


def test_a_last_field_is_held_by_what_is_left_be_it_nothing() -> None:
    buttons = layout(ButtonTemplateResMessage)
    assert [buttons.extent(length) for length in (0, 4, 11, 12, 96)] == [0, 1, 2, 4, 4]


def leaf_of(found: Layout, name: str) -> Leaf:
    return next(leaf for leaf in found.leaves if leaf.name == name)


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("server", True),
        ("server[3].ServerName", True),
        ("server.x", True),
        ("serverIpAddr", False),
        ("serverIpAddr[0].stationIpAddr", False),
        ("serve", False),
        ("", False),
    ],
)
def test_a_path_leads_to_a_field_or_into_it(path: str, held: bool) -> None:
    assert leaf_of(layout(ServerResMessage, ((ADDRESS, 4),)), "server").holds(path) is held
