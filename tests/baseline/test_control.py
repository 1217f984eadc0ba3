from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from callgate.baseline.control import Control, ControlId, Severity

ID: TypeAdapter[ControlId] = TypeAdapter(ControlId)


@pytest.mark.parametrize("id_", ["EXP-01", "A-1", "EXP-01-B", "TLS12-3", "A1-B2-C3"])
def test_a_control_id_is_capitals_digits_and_dashes(id_: str) -> None:
    assert ID.validate_python(id_) == id_


@pytest.mark.parametrize(
    "id_",
    ["", "LSN", "LSN01", "lsn-01", "LSN-", "-01", "LSN--01", "1SN-01", "EXP-01 ", "LSN_01", "EXP-01\n", "LSN-é1", 1],
)
def test_another_form_of_control_id_is_refused(id_: object) -> None:
    with pytest.raises(ValidationError):
        ID.validate_python(id_)


@given(st.from_regex(r"[A-Z][A-Z0-9]{0,10}(-[A-Z0-9]{1,10}){1,4}", fullmatch=True))
def test_a_control_id_ends_at_forty_characters(id_: str) -> None:
    if len(id_) <= 40:
        assert ID.validate_python(id_) == id_
    else:
        with pytest.raises(ValidationError, match="at most 40 characters are expected"):
            ID.validate_python(id_)


def test_severities_run_from_worst_to_least() -> None:
    assert [severity.value for severity in Severity] == ["critical", "high", "medium", "low"]


def test_a_severity_is_written_in_small_letters() -> None:
    assert TypeAdapter(Severity).validate_python("high") is Severity.HIGH
    with pytest.raises(ValidationError):
        TypeAdapter(Severity).validate_python("High")


WHOLE = {"id": "EXP-01", "title": "Title", "severity": "high", "rationale": "Because.", "remedy": "Do."}


def test_a_control_needs_no_references_and_no_parameters() -> None:
    control = Control.model_validate(WHOLE)
    assert (control.references, control.parameters) == ({}, {})


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_a_control_needs_all_the_rest(key: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Control.model_validate({name: value for name, value in WHOLE.items() if name != key})
    assert [(error["loc"], error["type"]) for error in raised.value.errors()] == [((key,), "missing")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", ""),
        ("title", "two\nlines"),
        ("title", "x" * 201),
        ("rationale", ""),
        ("rationale", " \n"),
        ("remedy", ""),
        ("severity", "urgent"),
        ("references", ["SC-7"]),
        ("references", {"nist-800-53r5": "SC-7"}),
        ("parameters", []),
        ("owner", "somebody"),
    ],
)
def test_a_control_takes_nothing_else(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        Control.model_validate({**WHOLE, key: value})
    assert {error["loc"][0] for error in raised.value.errors()} == {key}


def test_a_control_does_not_change() -> None:
    control = Control.model_validate(WHOLE)
    with pytest.raises(ValidationError, match="frozen"):
        control.severity = Severity.LOW
