"""The catalogue against tables that were made without it, from five implementations and captured frames.

`messages.tsv`, `fields.tsv` and `enums.tsv` hold what Wireshark 4.0.17 says, and chan-sccp 4.3.5 where Wireshark says
nothing; column `captured` of the first holds the body lengths of 1,586 captured frames. Where real frames or other
implementations show a table to be wrong, the difference is named here with its reason.
"""

from __future__ import annotations

import csv
import importlib
import pkgutil
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar

import pytest

from callgate.sccp.fields import (
    V4,
    V6,
    Array,
    Blob,
    Choice,
    CountedOctets,
    CString,
    FamilyAddress,
    Integer,
    LastText,
    LeadingCString,
    Octets,
    Text,
)
from callgate.sccp.forms import forms, layout_of
from callgate.sccp.layout import Form, Node, layout, padded
from callgate.sccp.message import CATALOGUE, LENGTH_VARIANTS, Message, Sender, Structure

Kind = TypeVar("Kind")

DATA = Path(__file__).parents[1] / "data" / "sccp"


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="ascii", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def members_of(package: str, kind: type[Kind]) -> dict[str, type[Kind]]:
    """Every class of a kind that a package's modules define."""
    found: dict[str, type[Kind]] = {}
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        for name, member in vars(module).items():
            if isinstance(member, type) and issubclass(member, kind) and member.__module__ == module.__name__:
                assert name not in found, f"two classes are called {name}"
                found[name] = member
    return found


MESSAGES = {int(row["id"], 16): row for row in table("messages.tsv")}
MESSAGE_CLASSES = members_of("callgate.sccp.messages", Message)
STRUCTURES = members_of("callgate.sccp.messages", Structure)
ENUMS = members_of("callgate.sccp.enums", Enum)

SENDERS: Final = {
    "phone->server": Sender.PHONE,
    "server->phone": Sender.SERVER,
    "both": Sender.BOTH,
    "node<->server": Sender.NODE,
}
UNSUBSCRIBE_REQUEST: Final = 0x012C
"""Wireshark pairs 0x012d and 0x012e with 0x012d itself; chan-sccp with the request."""


DOCUMENTED: dict[str, type] = {**MESSAGE_CLASSES, **STRUCTURES, **ENUMS}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_class_says_in_a_sentence_what_it_is(name: str) -> None:
    doc = DOCUMENTED[name].__doc__ or ""
    sentence = doc.partition("\n\n")[0].strip()
    assert "TODO" not in doc
    assert re.fullmatch(r"[A-Z].*\.", sentence, re.DOTALL), doc
    assert len(sentence.split()) >= 3, doc


@pytest.mark.parametrize("name", MESSAGE_CLASSES)
def test_every_message_says_which_of_its_lengths_are_captured(name: str) -> None:
    doc = " ".join((MESSAGE_CLASSES[name].__doc__ or "").split())
    captured = MESSAGES[MESSAGE_CLASSES[name].id]["captured"].split()
    told = re.search(r"Captured bodies, bytes(.*)|Captured: none|Not captured", doc)
    assert told, doc
    assert set(captured) <= set(re.findall(r"\d+", told[1] or "")), doc


def test_the_catalogue_has_the_175_ids() -> None:
    assert len(MESSAGES) == 175
    assert set(CATALOGUE) == set(MESSAGES)
    assert set(MESSAGE_CLASSES.values()) == {*CATALOGUE.values(), *LENGTH_VARIANTS.values()}


@pytest.mark.parametrize("number", MESSAGES, ids=hex)
def test_name_direction_and_answer_are_those_of_the_table(number: int) -> None:
    row, cls = MESSAGES[number], CATALOGUE[number]
    assert cls.id == number
    assert cls.name == row["name"]
    assert cls.sender is SENDERS[row["direction"]]
    request = int(row["reply_to"], 16) if row["reply_to"] else None
    assert cls.answers == (UNSUBSCRIBE_REQUEST if number in (0x012D, 0x012E) else request)


@pytest.mark.parametrize("number", [n for n, row in MESSAGES.items() if row["captured"]], ids=hex)
def test_every_captured_length_ends_with_a_field_of_some_form(number: int) -> None:
    cls = CATALOGUE[number]
    shortest, longest = cls.lengths
    layouts = [layout_of(cls, form) for form in range(len(forms(cls)))]
    for length in map(int, MESSAGES[number]["captured"].split()):
        assert shortest <= length <= longest
        assert any(one.fits(length) or (is_open(one.nodes) and length >= one.size) for one in layouts), length


def is_open(nodes: tuple[Node, ...]) -> bool:
    """Whether the last field takes whatever the body has left."""
    return bool(nodes) and (is_open(nodes[-1].children) if nodes[-1].children else nodes[-1].is_last)


@pytest.mark.parametrize("number", MESSAGES, ids=hex)
def test_the_lengths_of_all_versions_lie_within_those_of_the_class(number: int) -> None:
    shortest, longest = CATALOGUE[number].lengths
    for version in ("v0", "v11", "v16", "v17", "v18", "v22"):
        told = MESSAGES[number][version]
        if told.startswith(">="):
            assert int(told[2:]) <= longest
        elif told:
            assert shortest <= int(told) <= longest
            assert padded(int(told)) <= longest


PATHS_CORRECTED: Final = {
    (0x0003, "unknown1"): "two words more in chan-sccp",
    (0x0003, "unknown2"): "two words more in chan-sccp",
    (0x000E, "totalButtonCount"): "a word in 28 frames of CallManager 2, and in chan-sccp",
    (0x0029, "unknown"): "a word more in chan-sccp",
    (0x0099, "timeOutValue"): "four bytes more in frames of CallManager 2; chan_skinny has eight",
    (0x0148, "serviceURL"): "Wireshark stops after the index; chan-sccp sends two strings",
    (0x0148, "serviceURLDisplayName"): "Wireshark stops after the index; chan-sccp sends two strings",
}
"""Fields that no table has, and why they are there."""

H264: Final = "h264VideoCapability"
WITH_H264: Final = {
    f"vidCaps[].capability.{H264}{field}"
    for field in ("", ".profile", ".level", ".customMaxMBPS", ".customMaxFS", ".customMaxDPB", ".customMaxBRandCPB")
}
"""Of 0x0030 with 2000 bytes, from version 16 in chan-sccp; the table has the form of 1840 bytes alone."""

TYPES_CORRECTED: Final = {
    (0x0029, "stationIpAddr"): ("u32le", "an address in network order, as in RegisterReqMessage (chan-sccp)"),
    (0x0029, "stationIpV6Addr"): ("ipv4or6", "sixteen plain bytes (chan-sccp); four in Wireshark below version 17"),
    (0x8000, "stationIpAddr"): ("u32le", "an address in network order, as in RegisterTokenReq; unproven"),
}
"""Fields the table gives another type, and why."""


BEFORE_11: Final = re.compile(r"qualifier(In|Out)\.g723BitRate$")
"""The bit rate of versions up to 10: the same word as the union of that name, which the table has beside it."""


def fields_of(nodes: tuple[Node, ...], form: Form, around: str = "") -> Iterator[tuple[str, Node | None]]:
    """Every field of a class by its path on the wire, members of unions and entries of arrays included."""
    for node in nodes:
        path = around + node.name
        yield path, node
        if node.children:
            yield from fields_of(node.children, form, f"{path}.")
        elif isinstance(node.kind, Array) and node.structure:
            yield from fields_of(layout(node.structure, form).nodes, form, f"{path}[].")
        elif isinstance(node.kind, Choice):
            for case in node.kind.cases:
                yield f"{path}.{case.name}", None
                if issubclass(case.kind, Structure):
                    yield from fields_of(layout(case.kind, form).nodes, form, f"{path}.{case.name}.")


FIELDS: dict[int, dict[str, list[dict[str, str]]]] = {number: {} for number in MESSAGES}
for _row in table("fields.tsv"):
    if not BEFORE_11.search(_row["path"]):
        FIELDS[int(_row["message"], 16)].setdefault(_row["path"], []).append(_row)


@pytest.mark.parametrize("number", MESSAGES, ids=hex)
def test_fields_and_their_order_are_those_of_the_table(number: int) -> None:
    extra = {path for message, path in PATHS_CORRECTED if message == number} | (WITH_H264 if number == 0x30 else set())
    cls = CATALOGUE[number]
    seen: set[str] = set()
    for form in forms(cls):
        paths = [path for path, _ in fields_of(layout(cls, form).nodes, form)]
        seen.update(paths)
        assert len(set(paths)) == len(paths)
        assert [path for path in paths if path not in extra] == [path for path in FIELDS[number] if path in paths]
    assert seen == {*FIELDS[number], *extra}


ALTERNATIVES: Final = {
    "string[24|25]": {"string[24]", "string[25]", "string[28]"},
    "string[28]": {"string[25]", "string[28]"},
    "ipv4or6": {"ipv4", "ipv4or6"},
}
"""What a type of the table may be in one form; a number of 25 bytes is followed by three of padding or by none."""


def wire_type(node: Node) -> tuple[str, str]:
    """The type and count of a field in the table's words."""
    match node.kind:
        case None:
            return "struct", ""
        case Choice():
            return "union", ""
        case Array(size=count, of=None):
            return "struct", str(count)
        case Array(size=count, of=Integer(size=size)):
            return _integer(size), str(count)
        case Integer(size=size, signed=signed):
            return _integer(size, signed), ""
        case Text(size=size, pad=pad):
            return f"string[{size + pad}]", ""
        case LastText(size=size):
            return f"string[{size}]", ""
        case CString() | LeadingCString():
            return "cstring", ""
        case Octets(size=size, room=room):
            return f"bytes[{size + room}]", ""
        case CountedOctets(size=size):
            return "u8", str(size)
        case Blob(count=count):
            return f"bytes[{_camel(count)}]", ""
        case V4():
            return "ipv4", ""
        case V6():
            return "ipv6", ""
        case FamilyAddress():
            return "ipv4or6", ""
    raise AssertionError(f"{node.name} is of a kind the table has no word for")


def _integer(size: int, signed: bool = False) -> str:
    return f"{'i' if signed else 'u'}{size * 8}{'le' if size > 1 else ''}"


def _camel(attribute: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), attribute)


@pytest.mark.parametrize("number", MESSAGES, ids=hex)
def test_types_counts_and_enums_are_those_of_the_table(number: int) -> None:
    cls = CATALOGUE[number]
    for form in forms(cls):
        for path, node in fields_of(layout(cls, form).nodes, form):
            rows = FIELDS[number].get(path)
            if node is None or rows is None or (number, path) in TYPES_CORRECTED:
                continue
            kind, count = wire_type(node)
            told = {row["type"].removeprefix("bits:") for row in rows}
            assert kind in told.union(*(ALTERNATIVES.get(one, set()) for one in told)), path
            assert {row["count"] for row in rows} == {count}, path
            enums = {row["enum"].replace("_", "") for row in rows if row["enum"]}
            if isinstance(node.kind, Choice):
                assert not enums, path
            elif not rows[0]["type"].startswith("bits:"):
                assert enums == ({node.enum.__name__} if node.enum else set()), path


@pytest.mark.parametrize(("number", "path"), TYPES_CORRECTED)
def test_a_corrected_type_is_still_another_in_the_table(number: int, path: str) -> None:
    cls = CATALOGUE[number]
    kinds = {
        wire_type(n)[0] for form in forms(cls) for p, n in fields_of(layout(cls, form).nodes, form) if p == path and n
    }
    assert {row["type"] for row in FIELDS[number][path]} == {TYPES_CORRECTED[number, path][0]}
    assert kinds.isdisjoint({TYPES_CORRECTED[number, path][0]})


NAMES_CORRECTED: Final = {
    ("MediaPayloadType", 16): "G729_ANNEX_A_WITH_ANNEX_B",
    ("MediaPayloadType", 85): "G729_ANNEX_B_2",
    ("DeviceTone", 67): "BARGE_IN",
}
"""Names that do not follow from the symbol: AnnexAwAnnexB, a second G729_ANNEX_B, BargIn."""

SYMBOLS: dict[str, dict[int, str]] = {}
for _row in table("enums.tsv"):
    SYMBOLS.setdefault(_row["enum"], {})[int(_row["value"])] = _row["symbol"]


def test_every_enum_of_the_table_is_there() -> None:
    assert set(SYMBOLS) == set(ENUMS)


@pytest.mark.parametrize("name", ENUMS)
def test_values_and_names_of_an_enum_are_those_of_the_table(name: str) -> None:
    members = {member.value: member.name for member in ENUMS[name].__members__.values()}
    assert len(members) == len(ENUMS[name].__members__)
    assert set(members) == set(SYMBOLS[name])
    for value, symbol in SYMBOLS[name].items():
        expected = NAMES_CORRECTED.get((name, value), symbol)
        assert expected.replace("_", "").lower().endswith(members[value].replace("_", "").lower()), value
