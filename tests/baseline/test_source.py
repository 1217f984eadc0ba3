from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callgate.baseline import source as source_module
from callgate.baseline.source import DEPTH_LIMIT, NODE_LIMIT, SIZE_LIMIT, read_source
from callgate.errors import FileMistakes

Write = Callable[..., Path]


@pytest.fixture(params=["libyaml", "pure Python"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either of PyYAML's readers: a build without libyaml must refuse the same files."""
    if request.param == "pure Python":
        monkeypatch.setattr(source_module, "_Loader", yaml.SafeLoader)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")


def refused(path: Path) -> str:
    """The one mistake for which a file cannot be read at all, as `LINE: text`."""
    with pytest.raises(FileMistakes) as raised:
        read_source(path)
    (mistake,) = raised.value.mistakes
    assert mistake.path == path
    return f"{mistake.line}: {mistake.text}"


def test_every_value_knows_its_line(write: Write) -> None:
    source = read_source(
        write("# note\na: 1\n\nb:\n  - x\n  - c: |\n      long\n      text\n    d: [1,\n        2]\ne: f\n")
    )
    assert source.data == {"a": 1, "b": ["x", {"c": "long\ntext\n", "d": [1, 2]}], "e": "f"}
    places: dict[tuple[str | int, ...], int] = {
        ("a",): 2,
        ("b",): 4,
        ("b", 0): 5,
        ("b", 1): 6,
        ("b", 1, "c"): 6,
        ("b", 1, "d"): 9,
        ("b", 1, "d", 1): 10,
        ("e",): 11,
    }
    assert {place: source.line(place) for place in places} == places


def test_a_place_that_is_not_there_has_the_line_of_what_is_around_it(write: Write) -> None:
    source = read_source(write("a: 1\nb:\n  - c: 2\n    d: 3\n"))
    assert source.line(("b", 0, "missing", "deeper")) == 3
    assert source.line(("missing",)) == 1


def test_a_value_is_led_by_its_key_even_when_it_begins_below(write: Write) -> None:
    source = read_source(write("a:\n\n  text\nb:\n  c: 1\n"))
    assert source.line(("a",)) == 1
    assert source.line(("b",)) == 4


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_count_alike_whatever_ends_them(write: Write, end: str) -> None:
    source = read_source(write(f"a: 1{end}b: 2{end}c:{end}  - d{end}"))
    assert source.data == {"a": 1, "b": 2, "c": ["d"]}
    assert [source.line(place) for place in (("a",), ("b",), ("c", 0))] == [1, 2, 4]


def test_a_byte_order_mark_is_passed_over(write: Write) -> None:
    source = read_source(write(b"\xef\xbb\xbfa: 1\nb: 2\n"))
    assert source.data == {"a": 1, "b": 2}
    assert source.line(("b",)) == 2


@pytest.mark.parametrize("content", ["", "\n", "# nothing yet\n", "---\n", "---\n...\n"])
def test_an_empty_document_is_nothing(write: Write, content: str) -> None:
    assert read_source(write(content)).data is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("4711", 4711),
        ("-3", -3),
        ("0.5", 0.5),
        ("4.4", 4.4),
        ("0123", "0123"),
        ("4.10", "4.10"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0x7d0", "0x7d0"),
        ("+7", "+7"),
        ("-0", "-0"),
        ("1.0e+3", "1.0e+3"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("9" * 30, "9" * 30),
        ("0x" + "f" * 5000, "0x" + "f" * 5000),
        ("2026-12-31", "2026-12-31"),
        ("2026-12-31T18:00:00Z", "2026-12-31T18:00:00Z"),
        ("~", None),
        ("null", None),
        ("", None),
        ("true", True),
        ("Off", False),
        ("'true'", "true"),
        ("=", "="),
        ("text", "text"),
        ("fd00:1::/64", "fd00:1::/64"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        # Each of these raises something else than YAMLError in PyYAML's own constructor.
        ("!!int ''", ""),
        ("!!int '-'", "-"),
        ("!!float ''", ""),
        ("!!bool maybe", "maybe"),
        ("!!null x", "x"),
        ("!!timestamp x", "x"),
    ],
)
def test_a_word_is_what_it_plainly_says_and_text_otherwise(write: Write, written: str, value: object) -> None:
    data = read_source(write(f"a: {written}\n")).data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_the_digits_it_was_written_with(tmp_path_factory: pytest.TempPathFactory, number: float) -> None:
    path = tmp_path_factory.getbasetemp() / "number.yaml"
    path.write_text(f"a: {number}\n")
    assert str(read_source(path).data["a"]) == str(number)


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        pytest.param(b"a: 1\nb: \xe9\n", "2: is not UTF-8 text", id="latin-1"),
        pytest.param("a: 1\n".encode("utf-16"), "1: is not UTF-8 text", id="utf-16"),
        pytest.param(b"\xed\xa0\x80", "1: is not UTF-8 text", id="surrogate"),
        pytest.param(b"a: 1\r\nb: \x00\n", "2: the hidden character U+0000 stands here; remove it", id="nul"),
        pytest.param(b"a: 1\rb: \x1b[31m\n", "2: the hidden character U+001B stands here; remove it", id="escape"),
        pytest.param(b"a: \xc2\x85b: 1", "1: the hidden character U+0085 stands here; remove it", id="next line"),
        pytest.param("a:\n# \u2028b: 1\n", "2: the hidden character U+2028 stands here; remove it", id="separator"),
        pytest.param("a: \ufeffb\n", "1: the hidden character U+FEFF stands here; remove it", id="mark inside"),
        pytest.param("a:\n\tb: 1\n", "2: is not YAML: a tab stands where only spaces may indent", id="tab"),
        pytest.param("a: 1\n---\nb: 1\n", "2: a second document begins here; one file holds one", id="two documents"),
        pytest.param("a: 1\n---\n", "2: a second document begins here; one file holds one", id="empty second"),
        pytest.param("a: &a [*a]\n", "1: *a stands inside the very value it repeats", id="alias in itself"),
        pytest.param("a: &a\n  b:\n    - *a\n", "3: *a stands inside the very value it repeats", id="deeper"),
        pytest.param("a: *b\n", "1: *b repeats nothing: no &b stands above", id="alias of nothing"),
        pytest.param("a: &x 1\nb: &x 2\n", "2: &x marks a second value; first in line 1", id="anchor twice"),
        pytest.param("[" * 100_000, f"1: is nested more than {DEPTH_LIMIT} levels deep here", id="deep lists"),
        pytest.param("{a: " * 100_000, f"1: is nested more than {DEPTH_LIMIT} levels deep here", id="deep mappings"),
        pytest.param("- " * 100_000, f"1: is nested more than {DEPTH_LIMIT} levels deep here", id="deep block"),
        pytest.param("a: b\n" * 30_000, f"25000: holds more than {NODE_LIMIT} values", id="many values"),
        pytest.param(b"#" * (SIZE_LIMIT + 1), "1: is larger than 1024 KiB", id="large"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused_where_it_goes_wrong(
    write: Write, content: str | bytes, mistake: str
) -> None:
    assert refused(write(content)) == mistake


def test_a_value_as_deep_as_may_be_is_read(write: Write) -> None:
    deep = read_source(write("[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT)).data
    for _ in range(DEPTH_LIMIT - 1):
        (deep,) = deep
    assert deep == []
    assert "nested more than" in refused(write("[" * (DEPTH_LIMIT + 1) + "]" * (DEPTH_LIMIT + 1)))


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("content", "line", "begins"),
    [
        ("a: [\n1,\n2", 3, "a flow sequence that begins in line 1"),
        ("a: 1\nb: 'x\nc: 1\n", 3, "that begins in line 2"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("- a\nb: c\n", 2, "that begins in line 1"),
        ("a: @x\n", 1, "cannot start any token"),
        ("%YAML 9.9\n---\na: 1\n", 1, "document"),
        ("!<\n", 1, "URI"),
    ],
)
def test_broken_yaml_is_one_line_that_says_where_it_began(write: Write, content: str, line: int, begins: str) -> None:
    told = refused(write(content))
    assert told.startswith(f"{line}: is not YAML: ")
    assert begins in told
    assert told.isprintable()


def test_what_cannot_be_opened_is_a_mistake_in_its_first_line(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == "1: cannot be read: No such file or directory"
    assert refused(tmp_path) == "1: cannot be read: Is a directory"


def test_an_alias_repeats_a_value_and_its_mistakes_stand_where_it_is_written(write: Write) -> None:
    source = read_source(write("a: &x\n  - one\n  - two\nb: *x\nc: [*x]\n"))
    assert source.data == {"a": ["one", "two"], "b": ["one", "two"], "c": [["one", "two"]]}
    assert source.line(("b",)) == 4
    assert source.line(("b", 1)) == 3


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory(write: Write) -> None:
    levels = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 30))
    path = write(f"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{levels}")
    start = time.process_time()
    told = refused(path)
    assert time.process_time() - start < 2
    assert told.endswith(
        f"holds more than {NODE_LIMIT} values or {DEPTH_LIMIT} levels, once its aliases are written out"
    )


@pytest.mark.parametrize(
    ("content", "mistakes"),
    [
        ("a: 1\nb: 2\na: 3\n", ["3: a: stands here a second time; first in line 1"]),
        ("a:\n  b: 1\n  'b': 2\n", ["3: a.b: stands here a second time; first in line 2"]),
        ("- a: 1\n  a: 2\n", ["2: 0.a: stands here a second time; first in line 1"]),
        ("? [a]\n: 1\n", ["1: a plain word is expected as key"]),
        ("a:\n  ~: 1\n  '': 2\n", ["3: a: a plain word is expected as key"]),
        ("x: &x {a: 1}\ny:\n  <<: *x\n", ["3: y: << is not taken here; write the keys out"]),
        ("'<<': 1\n", []),
        ("a: !!binary aGVsbG8=\n", ["1: a: the tag !!binary means nothing here; write the value alone"]),
        ("a: !!set {b, c}\n", ["1: a: the tag !!set means nothing here; write the value alone"]),
        ("a: !!omap [b: 1]\n", ["1: a: the tag !!omap means nothing here; write the value alone"]),
        ("a:\n- !vault x\n", ["2: a.0: the tag !vault means nothing here; write the value alone"]),
        ("a: !!str [b]\n", ["1: a: the tag !!str means nothing here; write the value alone"]),
        (
            "a: !!python/object/apply:os.system [echo]\n",
            ["1: a: the tag !!python/object/apply:os.system means nothing here; write the value alone"],
        ),
        ('"\\e[31m\\n": 1\n"\\e[31m\\n": 2\n', ["2: \\x1b[31m\\n: stands here a second time; first in line 1"]),
    ],
)
def test_keys_and_tags_that_mean_nothing_are_told_with_their_line(
    write: Write, content: str, mistakes: list[str]
) -> None:
    source = read_source(write(content))
    assert [f"{one.line}: {one.text}" for one in source.mistakes] == mistakes


def _plain_data() -> st.SearchStrategy[Any]:
    words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8)
    words = words.filter(lambda word: "\ufeff" not in word and "\ufffe" not in word and "\uffff" not in word)
    keys = words.filter(bool)
    leaves = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | words
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


@given(_plain_data(), st.booleans())
def test_what_is_written_down_comes_back(tmp_path_factory: pytest.TempPathFactory, data: object, flow: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.yaml"
    text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow)
    path.write_text(text, encoding="utf-8")
    source = read_source(path)
    assert source.data == data
    assert source.mistakes == []
    assert all(1 <= line <= len(text.splitlines()) for line in (*source.lines.values(), *source.key_lines.values()))
