"""What the JUnit document says, read with the standard library and with junitparser."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import junit_xml
import junitparser
import pytest
from hypothesis import given, settings

from callgate.errors import CallgateError, UsageMistake
from callgate.report.json_report import by_host
from callgate.report.junit import ReportError, junit_xml_bytes, write_junit
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict
from callgate.report.visible import visible

GOLDEN = Path(__file__).parent / "golden"


def read(report: AuditReport) -> ET.Element:
    return ET.fromstring(junit_xml_bytes(report))


def result(case: ET.Element) -> ET.Element | None:
    (child,) = case
    return None if child.tag == "system-out" else child


def green(root: ET.Element) -> bool:
    """As the simplest readers judge: no failure and no error among the cases."""
    return not any(case.find("failure") is not None or case.find("error") is not None for case in root.iter("testcase"))


def only(report: AuditReport, *verdicts: Verdict) -> AuditReport:
    return replace(report, outcomes=tuple(o for o in report.outcomes if o.verdict in verdicts))


def outcome(host: str = "ssh://pbx1", control: str = "EXP-01", case: str = "test_x", **fields: object) -> Outcome:
    given_fields = {"service": None, "verdict": Verdict.FAIL, "message": "open", **fields}
    return Outcome(host=host, control=control, case=case, **given_fields)  # type: ignore[arg-type]


def test_the_small_report_is_the_golden_file(small_report: AuditReport) -> None:
    assert junit_xml_bytes(small_report).decode() == (GOLDEN / "small.xml").read_text()


def test_the_order_of_outcomes_does_not_change_the_document(small_report: AuditReport) -> None:
    turned = replace(small_report, outcomes=small_report.outcomes[::-1])
    assert junit_xml_bytes(turned) == junit_xml_bytes(small_report)


@settings(deadline=None)
@given(report=...)
def test_every_outcome_is_found_with_its_verdict_and_message(report: AuditReport) -> None:
    root = read(report)
    suites = list(root)
    hidden = report.exit_code == 3 and not report.count()[Verdict.ERROR]
    if hidden:
        (case,) = suites.pop(0).findall("testcase")
        error = result(case)
        assert error is not None
        assert (error.tag, error.get("type")) == ("error", "NotAssessed")
    cases = [case for suite in suites for case in suite.findall("testcase")]
    outcomes = [outcome for _, outcomes in by_host(report) for outcome in outcomes]
    for case, told in zip(cases, outcomes, strict=True):
        child = result(case)
        text = case.findtext("system-out") if child is None else child.text
        assert visible(told.message).replace("[[ATTACHMENT|", "[[ATTACHMENT\\x7c") in (text or "")
        if told.verdict is Verdict.PASS:
            assert child is None
            continue
        assert child is not None
        message = child.get("message", "")
        assert child.tag == {"fail": "failure", "error": "error"}.get(told.verdict, "skipped")
        assert message.startswith("waived: ") == (
            told.verdict is Verdict.WAIVED or (child.tag != "skipped" and told.message.startswith("waived: "))
        )
        if child.tag == "failure":
            known = report.controls.get(told.control)
            assert child.get("type") == (known.severity.value if known else "Failure")
        if child.tag == "error":
            assert child.get("type") == "NotDetermined"
    assert green(root) == (report.exit_code == 0)


@settings(deadline=None)
@given(report=...)
def test_no_two_suites_or_cases_share_a_name(report: AuditReport) -> None:
    root = read(report)
    names = [suite.get("name", "") for suite in root]
    keys = [(case.get("classname", ""), case.get("name", "")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys)
    assert all(len(classname) + 1 + len(name) <= 512 for classname, name in keys)  # Azure DevOps' bound
    # A reader that splits on dots groups by baseline, then host.
    assert all(classname.count(".") == (1 if classname.endswith(".NotAssessed") else 2) for classname, _ in keys)
    # XML readers may fold white space in names.
    assert all(" ".join(text.split()) == text and text for key in keys for text in key)


@settings(deadline=None)
@given(report=...)
def test_totals_agree_on_every_level(report: AuditReport) -> None:
    root = read(report)
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(total) == str(len(suite.findall(f"testcase/{tag}")))
        assert milliseconds(suite) == sum(map(milliseconds, cases))
    for total in ("tests", "failures", "errors"):
        assert root.get(total) == str(sum(int(suite.get(total, "")) for suite in root))
    assert milliseconds(root) == sum(map(milliseconds, root))


def milliseconds(element: ET.Element) -> int:
    whole, fraction = element.attrib["time"].split(".")
    assert len(fraction) == 3
    return int(whole) * 1000 + int(fraction)


@settings(deadline=None)
@given(report=...)
def test_junitparser_reads_the_same_counts(report: AuditReport) -> None:
    parsed = junitparser.JUnitXml.fromstring(junit_xml_bytes(report))
    count = report.count()
    extra = int(report.exit_code == 3 and not count[Verdict.ERROR])
    cases = [case for suite in parsed for case in suite]
    kinds = [type(found) for case in cases for found in case.result]
    assert len(cases) == count.total() + extra
    assert kinds.count(junitparser.Failure) == count[Verdict.FAIL]
    assert kinds.count(junitparser.Error) == count[Verdict.ERROR] + extra
    assert kinds.count(junitparser.Skipped) == count[Verdict.SKIP] + count[Verdict.WAIVED]
    assert sum(case.is_passed for case in cases) == count[Verdict.PASS]
    assert (parsed.tests, parsed.failures, parsed.errors) == (
        len(cases),
        count[Verdict.FAIL],
        count[Verdict.ERROR] + extra,
    )


@pytest.mark.parametrize("verdicts", [(), (Verdict.SKIP,)])
def test_where_nothing_was_assessed_no_reader_shows_green(
    small_report: AuditReport, verdicts: tuple[Verdict, ...]
) -> None:
    report = only(small_report, *verdicts)
    root = read(report)
    error = root[0].find("testcase/error")
    assert error is not None
    assert error.get("type") == "NotAssessed"
    assert error.get("message") == "nothing was assessed on 2 of 2 hosts"
    assert "ssh://root@pbx2.example: " in (error.text or "")
    assert not green(root)
    assert len(list(root.iter("testcase"))) == len(report.outcomes) + 1


def test_a_report_without_hosts_is_not_green(small_report: AuditReport) -> None:
    root = read(replace(small_report, hosts=(), outcomes=()))
    assert [error.get("type") for error in root.iter("error")] == ["NotAssessed"]
    assert root[0].get("hostname") == "localhost"


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.WAIVED])
def test_skips_beside_something_assessed_are_green(small_report: AuditReport, verdict: Verdict) -> None:
    report = only(small_report, verdict, Verdict.SKIP)
    kept = tuple(host for host in report.hosts if host.uri not in report.unassessed)
    outcomes = tuple(outcome for outcome in report.outcomes if outcome.host in {host.uri for host in kept})
    root = read(replace(report, hosts=kept, outcomes=outcomes))
    assert green(root)
    assert not list(root.iter("error"))


def test_a_host_of_which_nothing_was_assessed_is_red_beside_one_that_passes(small_report: AuditReport) -> None:
    report = only(small_report, Verdict.WAIVED)
    assert len(report.unassessed) == 1
    root = read(report)
    assert not green(root)
    assert [error.get("message") for error in root.iter("error")] == ["nothing was assessed on 1 of 2 hosts"]
    assert report.unassessed[0] in (root[0].findtext("testcase/error") or "")


def test_hosts_that_differ_in_user_port_or_dots_stay_apart(small_report: AuditReport) -> None:
    uris = ["ssh://pbx1", "ssh://root@pbx1", "ssh://root@pbx1:2222", "ssh://pbx.1", "ssh://pbx_1"]
    report = replace(
        small_report,
        hosts=tuple(HostSummary(uri=uri, name="pbx1") for uri in uris),
        outcomes=tuple(outcome(uri, verdict=Verdict.FAIL if n % 2 else Verdict.PASS) for n, uri in enumerate(uris)),
    )
    root = read(report)
    assert [suite.get("name") for suite in root] == [f"{uri} EXP-01" for uri in uris]
    assert [case.get("classname") for case in root.iter("testcase")] == [
        "voip-core.ssh://pbx1.EXP-01",
        "voip-core.ssh://root@pbx1.EXP-01",
        "voip-core.ssh://root@pbx1:2222.EXP-01",
        f"voip-core.ssh://pbx_1~{sha256(b'ssh://pbx.1').hexdigest()[:8]}.EXP-01",
        f"voip-core.ssh://pbx_1~{sha256(b'ssh://pbx_1').hexdigest()[:8]}.EXP-01",
    ]
    assert {suite.get("hostname") for suite in root} == {"pbx1"}


def test_control_metadata_is_in_the_suite(small_report: AuditReport) -> None:
    suite = read(small_report)[0]
    assert {found.get("name"): found.get("value") for found in suite.iter("property")} == {
        "baseline": "voip-core",
        "callgate": "0.1.0",
        "site": "head-office",
        "host": "ssh://root@pbx1.example:2222",
        "control": "EXP-01",
        "title": "Strangers cannot reach SCCP",
        "severity": "critical",
        "rationale": "Whoever reaches it can place calls.",
        "remedy": "Accept 2000/tcp from the phones' networks only.",
        "reference.cis-8.1": "4.4, 13.4",
        "reference.nist-800-53r5": "SC-7",
    }


def test_notes_come_once_and_assumptions_with_each_suite_of_the_host(small_report: AuditReport) -> None:
    outputs = [suite.findtext("system-out", "") for suite in read(small_report)]
    assumed = "assumed: trusted is private address space (RFC 1918, RFC 4193, link-local)"
    assert outputs == [f"{assumed}\nnote: waiver W-9 matched nothing", assumed, "", ""]


def test_a_host_on_which_no_check_ran_is_named_with_its_assumptions(small_report: AuditReport) -> None:
    silent = HostSummary(uri="ssh://pbx3", name="pbx3", assumptions=("no site file",))
    report = replace(small_report, hosts=(*small_report.hosts, silent))
    output = read(report)[0].findtext("system-out", "")
    assert output.endswith("\nnote: no check ran on ssh://pbx3\nassumed for ssh://pbx3: no site file")


def test_an_outcome_of_an_unlisted_host_and_control_is_written(small_report: AuditReport) -> None:
    report = replace(small_report, hosts=(), outcomes=(outcome("ssh://other", "NEW-01"),))
    suite = read(report)[0]
    failure = suite.find("testcase/failure")
    assert (suite.get("name"), suite.get("hostname")) == ("ssh://other NEW-01", "ssh://other")
    assert failure is not None
    assert failure.get("type") == "Failure"


def test_a_failure_tells_message_evidence_and_remedy(small_report: AuditReport) -> None:
    failure = read(small_report).find("testsuite/testcase/failure")
    assert failure is not None
    message, evidence, remedy = (failure.text or "").split("\n\n")
    assert message == failure.get("message")
    assert evidence.startswith("-A INPUT")
    assert remedy == "remedy: Accept 2000/tcp from the phones' networks only."


def test_long_text_is_cut_with_a_note(small_report: AuditReport) -> None:
    long = outcome(message="m" * 50_000, detail="d" * 50_000, case="c" * 5_000)
    case = next(read(replace(small_report, outcomes=(long,))).iter("testcase"))
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message", "").endswith("m ... [46000 characters cut]")
    assert "d ... [30000 characters cut]" in (failure.text or "")
    assert len(failure.text or "") < 41_000
    assert len(case.get("name", "")) == 220


def test_a_skip_that_reads_like_a_waiver_is_not_one(small_report: AuditReport) -> None:
    report = replace(small_report, outcomes=(outcome(verdict=Verdict.SKIP, message="waived: by whom?"),))
    skipped = read(report).find("testsuite/testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "skip: waived: by whom?"


def test_one_case_twice_is_refused(small_report: AuditReport) -> None:
    report = replace(small_report, outcomes=(outcome(), outcome(verdict=Verdict.PASS)))
    with pytest.raises(ValueError, match="two outcomes of one case: ssh://pbx1 EXP-01 test_x"):
        junit_xml_bytes(report)


def test_a_host_twice_is_refused(small_report: AuditReport) -> None:
    host = small_report.hosts[0]
    with pytest.raises(ValueError, match="lists a host twice: ssh://root@pbx1"):
        junit_xml_bytes(replace(small_report, hosts=(host, replace(host, name="other"))))


def lose_a_failure(suite: ET.Element) -> None:
    for case in suite.iter("testcase"):
        for failure in case.findall("failure"):
            case.remove(failure)


def soften_a_failure(suite: ET.Element) -> None:
    for failure in suite.iter("failure"):
        failure.tag = "skipped"


def add_a_skip(suite: ET.Element) -> None:
    for case in suite.iter("testcase"):
        if case.find("failure") is not None:
            ET.SubElement(case, "skipped", message="and skipped").text = "and skipped"


def empty_the_text(suite: ET.Element) -> None:
    for failure in suite.iter("failure"):
        failure.text = ""


def hide_failures(suite: ET.Element) -> None:
    suite.set("failures", "0")


def miscount(suite: ET.Element) -> None:
    suite.set("skipped", "9")


def name_all_alike(suite: ET.Element) -> None:
    for case in suite.iter("testcase"):
        case.set("name", "same")


def name_one_anew(suite: ET.Element) -> None:
    suite.findall("testcase")[0].set("name", "other")


def spoil_the_text(suite: ET.Element) -> None:
    for failure in suite.iter("failure"):
        failure.text = "\x00"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lose_a_failure, "counts 1 failures where 0 are"),
        (soften_a_failure, "counts 1 failures where 0 are"),
        (add_a_skip, "has no single, told result for test_strangers[sccp]"),
        (empty_the_text, "has no single, told result for test_strangers[sccp]"),
        (hide_failures, "counts 0 failures where 1 are"),
        (miscount, "counts 9 skipped where 0 are"),
        (name_all_alike, "holds a case twice: voip-core.ssh://root@pbx1_example:2222.EXP-01 same"),
        (name_one_anew, "does not hold each case of the report with its verdict"),
        (spoil_the_text, "does not parse: "),
    ],
)
def test_a_document_that_says_something_else_is_never_written(
    small_report: AuditReport,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    spoil: Callable[[ET.Element], None],
    reason: str,
) -> None:
    build = junit_xml.TestSuite.build_xml_doc

    def spoilt(suite: object, encoding: str | None = None) -> ET.Element:
        element: ET.Element = build(suite, encoding=encoding)
        spoil(element)
        return element

    monkeypatch.setattr(junit_xml.TestSuite, "build_xml_doc", spoilt)
    path = tmp_path / "report.xml"
    path.write_bytes(b"old")
    with pytest.raises(ReportError, match=re.escape(f"the JUnit document {reason}")):
        write_junit(small_report, path)
    assert path.read_bytes() == b"old"
    assert issubclass(ReportError, CallgateError)


def test_the_file_holds_the_document(small_report: AuditReport, tmp_path: Path) -> None:
    write_junit(small_report, tmp_path / "report.xml")
    assert (tmp_path / "report.xml").read_bytes() == junit_xml_bytes(small_report)
    with pytest.raises(UsageMistake, match="does not exist"):
        write_junit(small_report, tmp_path / "none" / "report.xml")


def test_many_cases_are_all_there(small_report: AuditReport) -> None:
    verdicts = list(Verdict)
    report = replace(
        small_report,
        outcomes=tuple(
            outcome(f"ssh://pbx{n % 7}", f"EXP-{n % 11}", f"test_x[{n}]", verdict=verdicts[n % 5], seconds=0.1)
            for n in range(5_000)
        ),
    )
    root = read(report)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5000", "1000", "1000")
    assert len(root) == 77
    assert root.get("time") == "500.000"
