"""The words of a rule line, as iptables-restore parts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.firewall.iptables.words import Quoted, number, split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []), ("  a \t b  ", ["a", "b"]), ("a 'b c'", ["a", "'b", "c'"]), ('"b c" d', ["b c", "d"]),
        ('a"b c"d e', ["ab c", "d", "e"]), (r'"\"\\x" \y', ['"\\x', r"\y"]), ('""', [""]),
        ("a\u2003b\x1cc", ["a\u2003b\x1cc"]),
    ],
)  # fmt: skip
def test_lines_part_into_these_words(line: str, words: list[str]) -> None:
    assert split_words(line) == words


def test_a_quoted_word_is_known_as_such() -> None:
    assert [isinstance(word, Quoted) for word in split_words('a "b" "c d" e')] == [False, True, True, False]


@pytest.mark.parametrize("line", ['"', 'a "b', '"a\\"', '"a" "'])
def test_an_open_quote_is_told(line: str) -> None:
    with pytest.raises(ValueError, match="not closed"):
        split_words(line)


@given(st.lists(st.text()))
def test_every_text_survives_quoting(texts: list[str]) -> None:
    line = " ".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    assert split_words(line) == texts


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("255", 255), ("0xff", 255), ("0XFF", 255), ("010", 8)])
def test_numbers_have_three_bases(text: str, value: int) -> None:
    assert number(text, 255, "number") == value


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", " 1", "0x", "09", "1e2", "256", "0x100", "٣", "9" * 5000])
def test_other_texts_are_no_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        number(text, 255, "number")
