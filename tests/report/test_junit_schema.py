"""The JUnit document against the two schemas readers declare; both files lie beside the repository."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from lxml import etree

from callgate.report.junit import junit_xml_bytes
from callgate.report.outcome import AuditReport

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "junit"
pytestmark = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason="no JUnit schemas: the folder shared/junit is not beside the repository"
)


@cache
def schema(name: str) -> Any:
    return etree.XMLSchema(etree.parse(SCHEMAS / name))


def without_what_ant_refuses(data: bytes) -> bytes:
    """The document without the two things that the Ant schema has no place for, and nothing else changed."""
    root = etree.fromstring(data)
    for name in list(root.attrib):
        del root.attrib[name]
    for output in root.findall("testsuite/testcase/system-out"):
        output.getparent().remove(output)
    return etree.tostring(root)  # type: ignore[no-any-return]


def assert_valid(data: bytes, name: str) -> None:
    schema(name).assertValid(etree.parse(io.BytesIO(data)))


@settings(deadline=None)
@given(report=...)
def test_any_report_is_valid_for_the_jenkins_schema(report: AuditReport) -> None:
    assert_valid(junit_xml_bytes(report), "junit-10.xsd")


@settings(deadline=None)
@given(report=...)
def test_any_report_is_valid_for_the_ant_schema_but_for_totals_and_passing_output(report: AuditReport) -> None:
    assert_valid(without_what_ant_refuses(junit_xml_bytes(report)), "JUnit-windyroad.xsd")


def test_a_report_of_nothing_is_valid_too(small_report: AuditReport) -> None:
    data = junit_xml_bytes(replace(small_report, hosts=(), outcomes=(), notes=(), controls={}))
    assert_valid(data, "junit-10.xsd")
    assert_valid(without_what_ant_refuses(data), "JUnit-windyroad.xsd")


@pytest.mark.parametrize("name", ["junit-10.xsd", "JUnit-windyroad.xsd"])
def test_the_schemas_do_refuse_something(small_report: AuditReport, name: str) -> None:
    spoilt = junit_xml_bytes(small_report).replace(b"<testcase ", b"<testcase disabled='0' ", 1)
    with pytest.raises(etree.DocumentInvalid, match="disabled"):
        assert_valid(without_what_ant_refuses(spoilt), name)
