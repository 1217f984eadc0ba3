from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from callgate.report.visible import one_line, visible

ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain\n\ttext äöü 漢字 \U0001f600", "plain\n\ttext äöü 漢字 \U0001f600"),
        ("\x00\x1b[31m", "\\x00\\x1b[31m"),
        ("a\r\nb", "a\\x0d\nb"),
        ("\x7f\x85\x9f", "\\x7f\\x85\\x9f"),
        ("\ud800\udcff", "\\ud800\\udcff"),
        ("\ufffe\uffff", "\\ufffe\\uffff"),
        ("ok \u202e drow \u2066x\u2069", "ok \\u202e drow \\u2066x\\u2069"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("C:\\x", "C:\\x"),
    ],
)
def test_hidden_characters_become_escapes(text: str, written: str) -> None:
    assert visible(text) == written


def test_every_code_point_comes_out_legal_and_seen() -> None:
    for code in range(0x110000):
        written = visible(chr(code))
        assert written.encode()
        if written != chr(code):
            assert written in (f"\\x{code:02x}", f"\\u{code:04x}")
        elif code not in (0x09, 0x0A):
            assert unicodedata.category(chr(code)) not in ("Cc", "Cs", "Zl", "Zp"), hex(code)
            assert unicodedata.bidirectional(chr(code)) not in (
                "LRE",
                "RLE",
                "LRO",
                "RLO",
                "PDF",
                "LRI",
                "RLI",
                "FSI",
                "PDI",
            )


@given(ANY_TEXT)
def test_the_result_is_legal_xml_and_comes_back_whole(text: str) -> None:
    element = etree.Element("x")
    element.text = visible(text)  # lxml raises ValueError for what XML cannot hold
    assert (etree.fromstring(etree.tostring(element, encoding="utf-8")).text or "") == visible(text)


@given(ANY_TEXT)
def test_a_visible_text_stays_the_same(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(ANY_TEXT, st.integers(0, 30))
def test_a_limit_cuts_and_says_how_much(text: str, limit: int) -> None:
    if len(text) <= limit:
        assert visible(text, limit) == visible(text)
    else:
        assert visible(text, limit) == f"{visible(text[:limit])} ... [{len(text) - limit} characters cut]"


@given(ANY_TEXT)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1
    assert one_line(text).split() == visible(text).split()
