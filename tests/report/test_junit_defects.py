"""Each defect of junit-xml 1.9 that would spoil a report, and that ours does not have it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from callgate.report.junit import junit_xml_bytes
from callgate.report.outcome import AuditReport, Outcome, Verdict


def with_fields(report: AuditReport, **fields: object) -> AuditReport:
    """The report with its first outcome, a failure, alone and changed."""
    return replace(report, outcomes=(replace(report.outcomes[0], **fields),))  # type: ignore[arg-type]


def root_of(report: AuditReport) -> ET.Element:
    return ET.fromstring(junit_xml_bytes(report))


def failure_of(report: AuditReport) -> ET.Element:
    (failure,) = root_of(report).iter("failure")
    return failure


def test_defect_an_empty_failure_is_dropped_and_the_case_passes(small_report: AuditReport) -> None:
    with pytest.raises(ValueError, match="an outcome needs a message"):
        with_fields(small_report, message=" \n", detail="evidence")
    failure = failure_of(with_fields(small_report, message=".", detail=""))
    assert failure.get("message") == "."
    assert (failure.text or "").startswith(".")


def test_defect_a_lone_surrogate_loses_the_whole_report(small_report: AuditReport) -> None:
    failure = failure_of(with_fields(small_report, message="a\udcffb", detail="c\ud800d"))
    assert failure.get("message") == "a\\udcffb"
    assert "c\\ud800d" in (failure.text or "")


def test_defect_a_non_character_loses_the_whole_report(small_report: AuditReport) -> None:
    assert failure_of(with_fields(small_report, message="a\ufffe\uffffb")).get("message") == "a\\ufffe\\uffffb"


def test_defect_a_carriage_return_is_deleted(small_report: AuditReport) -> None:
    failure = failure_of(with_fields(small_report, message="a\rb", detail="c\r\nd"))
    assert failure.get("message") == "a\\x0db"
    assert "c\\x0d\nd" in (failure.text or "")


@pytest.mark.parametrize("code", [0x00, 0x08, 0x0B, 0x1B, 0x7F, 0x84, 0x9F])
def test_defect_control_characters_are_dropped_silently(small_report: AuditReport, code: int) -> None:
    assert failure_of(with_fields(small_report, message=f"a{chr(code)}b")).get("message") == f"a\\x{code:02x}b"


def test_defect_printable_characters_are_dropped_with_them(small_report: AuditReport) -> None:
    # U+FDD0 and U+1FFFE are no characters, but XML holds them.
    message = "a\ufdd0\U0001fffeb"
    assert failure_of(with_fields(small_report, message=message)).get("message") == message


def test_defect_newlines_in_a_message_become_spaces(small_report: AuditReport) -> None:
    failure = failure_of(with_fields(small_report, message="first\n\tsecond\nthird"))
    assert failure.get("message") == "first\n\tsecond\nthird"


def test_defect_disabled_is_written_which_the_schema_refuses(small_report: AuditReport) -> None:
    attributes = {name for element in root_of(small_report).iter() for name in element.attrib}
    assert attributes == {
        *("name", "tests", "failures", "errors", "skipped", "time"),
        *("hostname", "id", "package", "timestamp", "classname", "message", "type", "value"),
    }


def test_defect_times_have_float_noise(small_report: AuditReport) -> None:
    root = root_of(small_report)
    assert sum(outcome.seconds for outcome in small_report.outcomes) == 0.30000000000000004
    assert root.get("time") == "0.300"
    assert [suite.get("time") for suite in root] == ["0.300", "0.000", "0.000", "0.000"]


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "0.000"),
        (0.0004, "0.000"),
        (1.2345678, "1.235"),
        (-1.0, "0.000"),
        (float("nan"), "0.000"),
        (float("inf"), "0.000"),
        (1e300, "1000000000.000"),
    ],
)
def test_defect_a_time_of_zero_is_omitted(small_report: AuditReport, seconds: float, written: str) -> None:
    case = next(root_of(with_fields(small_report, seconds=seconds)).iter("testcase"))
    assert case.get("time") == written


def test_defect_an_id_of_zero_is_omitted(small_report: AuditReport) -> None:
    assert [suite.get("id") for suite in root_of(small_report)] == ["0", "1", "2", "3"]


def test_defect_the_skipped_are_in_no_total(small_report: AuditReport) -> None:
    root = root_of(small_report)
    assert [suite.get("skipped") for suite in root] == ["0", "0", "2", "0"]
    passed = sum(case.find("system-out") is not None for case in root.iter("testcase"))
    counted = sum(int(suite.get(name, "")) for suite in root for name in ("failures", "errors", "skipped"))
    assert counted + passed == int(root.get("tests", ""))


def test_defect_bytes_are_written_as_their_python_literal(small_report: AuditReport) -> None:
    with pytest.raises(TypeError):
        junit_xml_bytes(with_fields(small_report, message=b"open"))


def test_defect_a_property_of_none_becomes_the_word(small_report: AuditReport) -> None:
    names = {found.get("name") for found in root_of(replace(small_report, site=None)).iter("property")}
    assert "site" not in names
    assert b"None" not in junit_xml_bytes(replace(small_report, site=None))


def test_defect_one_case_can_have_several_results(small_report: AuditReport) -> None:
    for case in root_of(small_report).iter("testcase"):
        assert len(case) == 1


def test_defect_a_case_has_no_properties_so_the_suite_has_them(small_report: AuditReport) -> None:
    for suite in root_of(small_report):
        severities = [found.get("value") for found in suite.iter("property") if found.get("name") == "severity"]
        assert len(severities) == 1
        assert not suite.findall("testcase/properties")


def test_defect_output_comes_before_the_cases(small_report: AuditReport) -> None:
    for suite in root_of(small_report):
        tags = [child.tag for child in suite]
        assert tags == sorted(tags, key=["properties", "testcase", "system-out", "system-err"].index)
        assert tags[-2:] == ["system-out", "system-err"]


def test_defect_skipped_has_a_type_which_the_ant_schema_refuses(small_report: AuditReport) -> None:
    assert [sorted(skipped.attrib) for skipped in root_of(small_report).iter("skipped")] == [["message"]] * 2


def test_an_attachment_mark_in_hostile_text_is_broken(small_report: AuditReport) -> None:
    report = with_fields(small_report, verdict=Verdict.PASS, message="[[ATTACHMENT|/etc/passwd]]")
    outputs = [case.findtext("system-out") for case in root_of(report).iter("testcase")]
    assert "[[ATTACHMENT\\x7c/etc/passwd]]" in outputs


def test_markup_in_hostile_text_stays_text(small_report: AuditReport) -> None:
    text = "</failure></testcase><testcase name='fake'/>]]><![CDATA[&amp;"
    report = with_fields(small_report, message=text, detail=text, case=text, host=text, control=text)
    assert len(list(root_of(report).iter("testcase"))) == 1
    assert failure_of(report).get("message") == text


def test_every_verdict_is_in_the_small_report(small_report: AuditReport) -> None:
    assert set(small_report.count()) == set(Verdict)
    assert all(isinstance(outcome, Outcome) for outcome in small_report.outcomes)
