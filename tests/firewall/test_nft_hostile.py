"""Whatever the JSON is, reading it gives a ruleset or an EvidenceError, and never anything else."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.firewall.nftables.ruleset import read_nft
from callgate.firewall.rule import Ruleset

DATA = Path(__file__).parents[1] / "data" / "firewall"
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2, 1e308, 2**70, -(2**70), "", "@", "@v4", "*", "x", "eth\\*", "a" * 5000, [], {}, [[]],
    [None], {"": None}, {"elem": {}}, {"elem": {"val": []}}, {"range": [1]}, {"range": [9, 1]}, {"range": None},
    {"prefix": {}}, {"prefix": {"addr": "::", "len": 999}}, {"|": [1, []]}, {"&": []},
    {"&": [{"ct": {"key": "mark"}}, 3]},
    {"concat": []}, {"concat": [1, 2]}, {"set": []}, {"set": "@v4"}, {"map": {"key": {}, "data": "@dm"}},
    {"payload": {"protocol": [], "field": {}}}, {"payload": {"base": "th", "offset": {}, "len": []}},
    {"meta": {"key": []}}, {"ct": {"key": "saddr", "family": [], "dir": {}}}, {"fib": {"flags": [[]], "result": 5}},
    {"jhash": {"expr": {"concat": [{"symhash": {}}]}}}, {"jump": {"target": []}}, {"goto": {"target": "c1"}},
)  # fmt: skip


@cache
def dumps() -> tuple[Any, ...]:
    return tuple(json.loads((DATA / f"{name}.json").read_text()) for name in ("nft-matches", "nft-families"))


@cache
def listings() -> tuple[str, ...]:
    return tuple((DATA / f"{name}.txt").read_text() for name in ("nft-matches", "nft-families"))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        found += places(one, (*path, key))
    return found


@cache
def all_places() -> tuple[tuple[tuple[Any, ...], ...], ...]:
    return tuple(tuple(places(one)) for one in dumps())


def outcome(text: str, listing: str | None) -> Ruleset | EvidenceError:
    try:
        return read_nft(text, "nft.json", listing=listing, filled={})
    except EvidenceError as problem:
        return problem


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_dump_gives_a_ruleset_or_an_evidence_error(data: st.DataObject) -> None:
    which = data.draw(st.integers(0, 1))
    broken = copy.deepcopy(dumps()[which])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(all_places()[which]))
        inner = broken
        try:
            for key in path[:-1]:
                inner = inner[key]
            if data.draw(st.booleans()):
                inner[path[-1]] = data.draw(st.sampled_from(ODD))
            else:
                del inner[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    listing = data.draw(st.sampled_from((None, listings()[which])))
    assert isinstance(outcome(json.dumps(broken), listing), (Ruleset, EvidenceError))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["ip", "t", "c", "@s", "accept"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["family", "table", "name", "chain", "expr", "match", "op", "left", "right", "elem", "set"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ENTRY = st.dictionaries(st.sampled_from(["table", "chain", "rule", "set", "map", "odd"]), JSON, max_size=2)


@given(st.lists(ENTRY, max_size=4))
def test_entries_of_any_form_give_a_ruleset_or_an_evidence_error(entries: list[Any]) -> None:
    text = json.dumps({"nftables": [{"metainfo": {}}, *entries]})
    assert isinstance(outcome(text, None), (Ruleset, EvidenceError))


@given(st.text(max_size=60))
@example("\x00")
@example('{"nftables": [{"metainfo": NaN}]}')
def test_any_text_gives_a_ruleset_or_an_evidence_error(text: str) -> None:
    assert isinstance(outcome(text, text), (Ruleset, EvidenceError))


def with_left(left: str) -> str:
    of = '"family": "inet", "table": "t"'
    return (
        '{"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "t"}}, '
        '{"chain": {' + of + ', "name": "c"}}, '
        '{"rule": {' + of + ', "chain": "c", "expr": [{"match": {"op": "==", "left": ' + left + ', "right": 1}}, '
        '{"accept": null}]}}]}'
    )  # fmt: skip


@pytest.mark.parametrize("depth", [50, 400, 900, 5000, 100_000])
@pytest.mark.parametrize("kind", ["&", "jhash", "concat", "mangle"])
def test_nesting_is_bounded(depth: int, kind: str) -> None:
    mark = '{"meta": {"key": "mark"}}'
    if kind == "jhash":
        text = with_left('{"jhash": {"expr": ' * depth + mark + "}}" * depth)
    elif kind == "mangle":
        value = '{"^": [1, ' * depth + mark + "]}" * depth
        text = with_left(mark).replace('{"accept": null}', '{"mangle": {"key": ' + mark + ', "value": ' + value + "}}")
    else:
        text = with_left(f'{{"{kind}": [' * depth + mark + ", 1]}" * depth)
    assert isinstance(outcome(text, None), (Ruleset, EvidenceError))


def test_a_wide_concatenation_does_not_multiply_without_end() -> None:
    part = '{"meta": {"key": "nfproto"}}'
    element = '{"concat": [' + ", ".join(['{"range": [0, 255]}'] * 16) + "]}"
    text = with_left('{"concat": [' + ", ".join([part] * 16) + "]}").replace(
        '"right": 1', '"right": {"set": [' + ", ".join([element] * 100) + "]}"
    )
    assert isinstance(outcome(text, None), Ruleset)
