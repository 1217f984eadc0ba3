from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from callgate.baseline.text import Form, Line, Paragraph, Switch, Title

LINE: TypeAdapter[Line] = TypeAdapter(Line)
TITLE: TypeAdapter[Title] = TypeAdapter(Title)
PARAGRAPH: TypeAdapter[Paragraph] = TypeAdapter(Paragraph)
SWITCH: TypeAdapter[Switch] = TypeAdapter(Switch)


@given(st.text(max_size=320))
def test_a_line_is_one_line_without_space_around_it(text: str) -> None:
    if text.strip() and len(text.strip().splitlines()) == 1 and len(text) <= 300:
        assert LINE.validate_python(text) == text.strip()
    else:
        with pytest.raises(ValidationError):
            LINE.validate_python(text)


@pytest.mark.parametrize(("adapter", "limit"), [(LINE, 300), (TITLE, 200)])
def test_a_line_has_a_limit(adapter: TypeAdapter[str], limit: int) -> None:
    assert adapter.validate_python("x" * limit) == "x" * limit
    with pytest.raises(ValidationError):
        adapter.validate_python("x" * (limit + 1))


def test_a_folded_block_is_a_line_and_a_kept_one_is_not() -> None:
    assert LINE.validate_python("folded to one line\n") == "folded to one line"
    with pytest.raises(ValidationError, match="one line of text is expected"):
        LINE.validate_python("kept\nas written\n")


def test_a_paragraph_is_any_text_that_says_something() -> None:
    assert PARAGRAPH.validate_python("One.\n\nTwo.\n") == "One.\n\nTwo.\n"
    for nothing in ("", " \n\t"):
        with pytest.raises(ValidationError):
            PARAGRAPH.validate_python(nothing)


@pytest.mark.parametrize("value", [0, 1, "true", "yes", None, [], 1.0])
def test_a_switch_is_true_or_false_alone(value: object) -> None:
    assert SWITCH.validate_python(True) is True
    with pytest.raises(ValidationError):
        SWITCH.validate_python(value)


def test_a_form_says_what_it_looks_like() -> None:
    form = Form(r"[a-z]+", "a word like this", 5)
    assert form("abc") == "abc"
    with pytest.raises(ValueError, match=r"^a word like this is expected$"):
        form("ABC")
    with pytest.raises(ValueError, match=r"^at most 5 characters are expected$"):
        form("abcdef")
    with pytest.raises(ValueError, match="is expected"):
        form("abc\n")
