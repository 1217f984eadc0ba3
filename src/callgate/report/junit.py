"""The report as JUnit XML, for every reader that turns it into green and red.

Built with junit-xml's classes, then corrected: attributes and a child order that schemas refuse, sums with
float noise, a missing time. What that package would lose or soften never reaches it: empty messages (it drops
them and the case turns green), characters XML cannot hold, names that readers would merge.

The document follows junit-10.xsd (the Jenkins xunit plugin's). Of the Ant schema (windyroad) it breaks two
rules only, to serve readers: `testsuites` carries totals, and a passing case says why in its `system-out`.

One suite a host and control, named "HOST CONTROL"; classname "<baseline>.<host>.<control>", where a dot
inside a part is an underscore. A failure's type is the control's severity ("Failure" where the control is
unknown), an error's is "NotDetermined". A waived case is skipped with a message that starts "waived: ". When
nothing was assessed on some host, one more suite holds an error of type "NotAssessed": readers show green for
skips alone. What holds for a host is in the `system-out` of its suites, what holds for the whole
audit in the first suite's.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from junit_xml import TestCase, TestSuite

from callgate.baseline.control import Control
from callgate.errors import CallgateError
from callgate.report.atomic import write_atomically
from callgate.report.json_report import by_host
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict
from callgate.report.visible import one_line, visible

_MESSAGE = 4_000
_TEXT = 20_000
_PROPERTY = 4_000
# Azure DevOps takes at most 512 characters, classname and case name together; these and three digests fit.
_BASELINE_WORD, _HOST_WORD, _CONTROL_WORD, _CASE_NAME = 50, 150, 50, 220
_LONGEST = 10**9
"""Seconds; keeps a nonsense duration within what `xs:decimal` readers take."""
_WAIVED = "waived: "

_CASE_ATTRIBUTES = frozenset({"name", "classname", "time"})
_SUITE_ATTRIBUTES = frozenset(
    {"name", "package", "id", "hostname", "timestamp", "tests", "failures", "errors", "skipped", "time"}
)
# The Ant schema fixes this order; junit-xml writes the output before the cases.
_SUITE_ORDER = ("properties", "testcase", "system-out", "system-err")


class ReportError(CallgateError):
    """A finished document, read back, does not say what the report says; it must not be written."""


def write_junit(report: AuditReport, path: Path) -> None:
    """Write `junit_xml_bytes` to `path`. Where either it or `write_atomically` raises, the old file stays."""
    write_atomically(path, junit_xml_bytes(report))


def junit_xml_bytes(report: AuditReport) -> bytes:
    """The report as a JUnit document in UTF-8.

    Raises `ValueError` where the report lists a host or a case twice, and `ReportError` where the finished
    document, read back, does not hold each case with its verdict.
    """
    suites = list(_suites(report))
    root = ET.Element("testsuites", name="callgate")
    stamp = report.started.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
    for number, suite in enumerate(suites):
        root.append(suite.element(number, _word(report.baseline, _BASELINE_WORD), stamp))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(element.get(total, "")) for element in root)))
    root.set("time", _seconds(sum(suite.milliseconds for suite in suites)))
    ET.indent(root, " ")
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
    _read_back(data, suites, report)
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    classname: str
    name: str
    verdict: Verdict
    type: str
    message: str
    text: str
    milliseconds: int = 0

    def built(self) -> TestCase:
        case = TestCase(self.name, self.classname, self.milliseconds / 1000)
        match self.verdict:
            case Verdict.PASS:
                case.stdout = self.text
            case Verdict.FAIL:
                case.add_failure_info(self.message, self.text, self.type)
            case Verdict.ERROR:
                case.add_error_info(self.message, self.text, self.type)
            case Verdict.SKIP | Verdict.WAIVED:
                case.add_skipped_info(self.message, self.text)
        return case


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    name: str
    hostname: str
    properties: dict[str, str]
    remarks: tuple[str, ...]
    cases: tuple[_Case, ...]

    @property
    def milliseconds(self) -> int:
        return sum(case.milliseconds for case in self.cases)

    def element(self, number: int, package: str, stamp: str) -> ET.Element:
        built = TestSuite(
            self.name,
            [case.built() for case in self.cases],
            hostname=self.hostname,
            id=str(number),
            package=package,
            timestamp=stamp,
            properties=self.properties,
            stdout="\n".join(self.remarks),
            stderr="",
        )
        element: ET.Element = built.build_xml_doc(encoding="utf-8")
        element.set("time", _seconds(self.milliseconds))
        for case, child in zip(self.cases, element.findall("testcase"), strict=True):
            child.set("time", _seconds(case.milliseconds))
            _keep(child, _CASE_ATTRIBUTES)
            for skipped in child.findall("skipped"):
                _keep(skipped, frozenset({"message"}))
        _keep(element, _SUITE_ATTRIBUTES)
        for tag in _SUITE_ORDER:
            if tag != "testcase" and element.find(tag) is None:
                ET.SubElement(element, tag)
        element[:] = sorted(element, key=lambda child: _SUITE_ORDER.index(child.tag))
        return element


def _keep(element: ET.Element, names: frozenset[str]) -> None:
    for name in set(element.attrib) - names:
        del element.attrib[name]


def _suites(report: AuditReport) -> Iterator[_Suite]:
    hosts = by_host(report)
    words = _distinct((host.uri for host, _ in hosts), partial(_word, limit=_HOST_WORD))
    parts = _distinct((host.uri for host, _ in hosts), partial(_part, limit=_HOST_WORD))
    controls = _distinct((case.control for case in report.outcomes), partial(_part, limit=_CONTROL_WORD))
    baseline = _part(report.baseline, _BASELINE_WORD)
    audit = {"baseline": report.baseline, "callgate": report.tool_version}
    if report.site is not None:  # junit-xml would write "None"
        audit["site"] = report.site
    remarks = tuple(_audit_remarks(report, hosts))
    if report.exit_code == 3 and not report.count()[Verdict.ERROR]:
        yield _not_assessed(report, hosts, f"{baseline}.NotAssessed", audit, remarks)
        remarks = ()
    for host, outcomes in hosts:
        assumed = tuple(f"assumed: {_prose(assumption)}" for assumption in host.assumptions)
        word = words[host.uri]
        for control, group in groupby(outcomes, key=lambda outcome: outcome.control):
            cases = list(group)
            names = _distinct((outcome.case for outcome in cases), _case_name)
            known = report.controls.get(control)
            classname = f"{baseline}.{parts[host.uri]}.{controls[control]}"
            yield _Suite(
                name=f"{word} {controls[control]}",
                hostname=one_line(host.name, _HOST_WORD) or word,
                properties=_properties(control, known, host, audit),
                remarks=(*assumed, *remarks),
                cases=tuple(_case(outcome, known, classname, names[outcome.case]) for outcome in cases),
            )
            remarks = ()  # the first suite says what holds for the audit; the rest need not repeat it


def _case(outcome: Outcome, control: Control | None, classname: str, name: str) -> _Case:
    message = _prose(outcome.message, _MESSAGE)
    text = [_prose(outcome.message, _TEXT)]
    kind = ""
    if outcome.verdict is not Verdict.PASS and outcome.detail.strip():
        text.append(_prose(outcome.detail, _TEXT))
    match outcome.verdict:
        case Verdict.FAIL:
            kind = control.severity.value if control else "Failure"
            if control:
                text.append(f"remedy: {_prose(control.remedy, _TEXT)}")
        case Verdict.ERROR:
            kind = "NotDetermined"
        case Verdict.WAIVED:
            message = _WAIVED + message
        case Verdict.SKIP if message.startswith(_WAIVED):
            message = f"skip: {message}"  # only a waiver may read as one
    return _Case(
        classname=classname,
        name=name,
        verdict=outcome.verdict,
        type=kind,
        message=message,
        text="\n\n".join(text),
        milliseconds=_milliseconds(outcome.seconds),
    )


def _audit_remarks(report: AuditReport, hosts: list[tuple[HostSummary, list[Outcome]]]) -> Iterator[str]:
    for note in report.notes:
        yield f"note: {_prose(note)}"
    for host, outcomes in hosts:
        if not outcomes:  # no suite of its own would say so
            name = one_line(host.uri, _HOST_WORD)
            yield f"note: no check ran on {name}"
            for assumption in host.assumptions:
                yield f"assumed for {name}: {_prose(assumption)}"


def _not_assessed(
    report: AuditReport,
    hosts: list[tuple[HostSummary, list[Outcome]]],
    classname: str,
    audit: dict[str, str],
    remarks: tuple[str, ...],
) -> _Suite:
    """Its name has more than two words and its classname one dot, so no suite of a host can have them."""
    message = f"nothing was assessed on {len(report.unassessed)} of {len(hosts)} hosts"
    left_out = [entry for entry in hosts if entry[0].uri in report.unassessed]
    lines = [f"{one_line(host.uri, _HOST_WORD)}: {len(outcomes)} skipped" for host, outcomes in left_out]
    return _Suite(
        name="callgate: nothing was assessed",
        hostname=(one_line(hosts[0][0].name, _HOST_WORD) if len(hosts) == 1 else "") or "localhost",
        properties=_legal(audit),
        remarks=remarks,
        cases=(
            _Case(
                classname=classname,
                name="nothing was assessed",
                verdict=Verdict.ERROR,
                type="NotAssessed",
                message=message,
                text=_prose("\n".join([message, *lines]), _TEXT),
            ),
        ),
    )


def _properties(control_id: str, control: Control | None, host: HostSummary, audit: dict[str, str]) -> dict[str, str]:
    properties = {**audit, "host": host.uri, "control": control_id}
    if control is not None:
        properties |= {
            "title": control.title,
            "severity": control.severity.value,
            "rationale": control.rationale,
            "remedy": control.remedy,
        }
        for catalogue, references in sorted(control.references.items()):
            properties[f"reference.{catalogue}"] = ", ".join(references)
    return _legal(properties)


def _legal(properties: dict[str, str]) -> dict[str, str]:
    names = _distinct(properties, partial(_word, limit=_HOST_WORD))
    return {names[name]: visible(value, _PROPERTY) for name, value in properties.items()}


def _prose(text: str, limit: int = _MESSAGE) -> str:
    # GitLab takes this mark in any output for a link to a file of the job.
    return visible(text, limit).replace("[[ATTACHMENT|", "[[ATTACHMENT\\x7c")


def _word(text: str, limit: int) -> str:
    return _fit("_".join(one_line(text).split()) or "_", text, limit)


def _part(text: str, limit: int) -> str:
    return _word(text, limit).replace(".", "_")


def _case_name(case: str) -> str:
    return _fit(one_line(case) or "_", case, _CASE_NAME)


def _fit(label: str, text: str, limit: int) -> str:
    return label if len(label) <= limit else f"{label[: limit - 9]}~{_digest(text)}"


def _distinct(texts: Iterable[str], label: Callable[[str], str]) -> dict[str, str]:
    """The label of each text; those that share one get a digest, so that readers keep them apart."""
    labels = {text: label(text) for text in texts}
    shared = Counter(labels.values())
    return {text: word if shared[word] == 1 else f"{word}~{_digest(text)}" for text, word in labels.items()}


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _milliseconds(seconds: float) -> int:
    return round(min(max(seconds, 0.0), _LONGEST) * 1000) if math.isfinite(seconds) else 0


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"


def _read_back(data: bytes, suites: list[_Suite], report: AuditReport) -> None:
    wanted = {(case.classname, case.name): case.verdict for suite in suites for case in suite.cases}
    count = report.count()
    extra = sum(len(suite.cases) for suite in suites) - len(report.outcomes)
    try:
        root = ET.fromstring(data)  # noqa: S314 - our own bytes, without a document type
    except ET.ParseError as error:
        raise ReportError(f"the JUnit document does not parse: {error}") from error
    found: dict[tuple[str, str], Verdict] = {}
    for suite in root:
        verdicts: Counter[Verdict] = Counter()
        for case in suite.iter("testcase"):
            key = (case.get("classname", ""), case.get("name", ""))
            if key in found:
                raise ReportError(f"the JUnit document holds a case twice: {key[0]} {key[1]}")
            found[key] = _verdict(case)
            verdicts[found[key]] += 1
        _check_totals(suite, verdicts)
    _check_totals(root, Counter(found.values()))
    if found != wanted or Counter(found.values()) != count + Counter({Verdict.ERROR: extra}):
        raise ReportError("the JUnit document does not hold each case of the report with its verdict")


def _verdict(case: ET.Element) -> Verdict:
    """What a reader takes the case for; raises where readers would differ."""
    results = [child for child in case if child.tag in ("failure", "error", "skipped")]
    if not results:
        return Verdict.PASS
    if len(results) > 1 or not results[0].get("message") or not (results[0].text or "").strip():
        raise ReportError(f"the JUnit document has no single, told result for {case.get('name')}")
    match results[0].tag:
        case "failure":
            return Verdict.FAIL
        case "error":
            return Verdict.ERROR
    return Verdict.WAIVED if results[0].get("message", "").startswith(_WAIVED) else Verdict.SKIP


def _check_totals(element: ET.Element, count: Counter[Verdict]) -> None:
    totals = {
        "tests": count.total(),
        "failures": count[Verdict.FAIL],
        "errors": count[Verdict.ERROR],
        "skipped": count[Verdict.SKIP] + count[Verdict.WAIVED],
    }
    for name, total in totals.items():
        if element.tag == "testsuites" and name == "skipped":
            continue  # the schema has no such attribute there
        if element.get(name) != str(total):
            raise ReportError(f"the JUnit document counts {element.get(name)} {name} where {total} are")
