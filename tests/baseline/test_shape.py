from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter

from callgate.baseline.shape import (
    check,
    differences,
    in_line_order,
    names_under,
    nearest,
    sound_entries,
    suggestion,
    validate,
)
from callgate.baseline.source import Source, read_source
from callgate.errors import FileMistakes, Mistake

Write = Callable[..., Path]


class Lamp(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    on: bool = False


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lamps: tuple[Lamp, ...] = ()
    drawers: dict[str, dict[str, Lamp]] = {}


@pytest.fixture
def source(write: Write) -> Callable[[str], Source]:
    return lambda text: read_source(write(text))


def test_right_data_become_the_model(source: Callable[[str], Source]) -> None:
    assert validate(source("lamps: [{name: a, on: yes}]"), Room) == Room(lamps=(Lamp(name="a", on=True),))


def test_mistakes_of_reading_and_of_shape_come_together(source: Callable[[str], Source]) -> None:
    room, mistakes = check(source("lamps:\n  - {name: a, nme: b}\n  - {on: 3}\nlamps: []\n"), Room)
    assert room is None
    assert [f"{one.line}: {one.text}" for one in mistakes] == [
        "2: lamps.0.nme: unknown key; did you mean name?",
        "3: lamps.1.name: is missing",
        "3: lamps.1.on: 3: true or false is expected",
        "4: lamps: stands here a second time; first in line 1",
    ]


def test_right_data_with_a_key_twice_are_still_refused(source: Callable[[str], Source]) -> None:
    with pytest.raises(FileMistakes, match="lamps: stands here a second time"):
        validate(source("lamps: []\nlamps: []\n"), Room)


def test_known_keys_are_found_through_mappings_of_mappings(source: Callable[[str], Source]) -> None:
    _, (mistake,) = check(source("drawers:\n  top:\n    left: {name: a, nam: b}\n"), Room)
    assert mistake.text == "drawers.top.left.nam: unknown key; did you mean name?"
    assert mistake.line == 3


def test_sound_entries_are_those_right_by_themselves(source: Callable[[str], Source]) -> None:
    made = source("lamps: [{name: a}, {nme: b}, 3, {name: c}]\ndrawers: {x: {name: d}, y: {}}\n")
    assert [(place, lamp.name) for place, lamp in sound_entries(made, "lamps", Lamp)] == [(0, "a"), (3, "c")]
    assert [(place, lamp.name) for place, lamp in sound_entries(made, "drawers", Lamp)] == [("x", "d")]
    assert list(sound_entries(made, "none", Lamp)) == []
    assert list(sound_entries(source("- a"), "lamps", Lamp)) == []
    assert list(sound_entries(source("lamps: text"), "lamps", Lamp)) == []


def test_names_are_the_texts_of_a_list(source: Callable[[str], Source]) -> None:
    made = source("a: [x, 1, y, [z]]\nb: {c: [d]}\ne: text\n")
    assert names_under(made, ("a",)) == [(0, "x"), (2, "y")]
    assert names_under(made, ("b", "c")) == [(0, "d")]
    assert names_under(made, ("e",)) == names_under(made, ("e", "f")) == names_under(made, ("none",)) == []


def test_differences_are_told_where_the_value_stands(source: Callable[[str], Source]) -> None:
    made = source("a:\n  b:\n    - {name: x}\n    - {name: y,\n       nam: b}\n")
    found = list(differences(made, ("a", "b"), TypeAdapter(tuple[Lamp, ...])))
    assert [f"{one.line}: {one.text}" for one in found] == ["5: a.b.1.nam: unknown key; did you mean name?"]
    assert list(differences(made, ("a", "b", 0), TypeAdapter(Lamp))) == []


def test_mistakes_of_one_line_keep_their_order_and_stand_once() -> None:
    path = Path("x.yaml")
    first, second, third = Mistake(path, 2, "b"), Mistake(path, 2, "a"), Mistake(path, 1, "c")
    assert in_line_order([first, second, third, first]) == [third, first, second]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("prt", "port"),
        ("PORT", "port"),
        ("ports", "port"),
        ("sip", "sip-tcp, sip-tls or sip-udp"),
        ("sip-upd", "sip-udp"),
        ("sccpp", "sccp"),
        ("", ""),
        ("zzz", ""),
    ],
)
def test_the_nearest_names_are_those_equally_near(word: str, meant: str) -> None:
    assert nearest(word, ["port", "transport", "sip-tcp", "sip-tls", "sip-udp", "sccp", "sccp-tls"]) == meant


def test_without_a_near_name_all_are_told() -> None:
    assert suggestion("zzz", ["b", "a"]) == "known: a, b"
    assert suggestion("zzz", []) == "none is known"


@given(st.text(), st.lists(st.text(min_size=1), max_size=5))
def test_a_suggestion_is_made_of_known_names(word: str, known: list[str]) -> None:
    told = suggestion(word, known)
    assert told.startswith(("did you mean ", "known: ")) if known else told == "none is known"
    assert not known or any(name in told for name in known)
    assert all(name in told for name in known) or told.startswith("did you mean ")
