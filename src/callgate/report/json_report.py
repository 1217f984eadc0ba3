"""The report as JSON: the form that is kept, compared and read back.

One object, keys sorted, UTF-8:

    {"callgate": version, "format": 1, "baseline": id, "site": name or null,
     "started": time, "finished": time, "exit_code": 0 | 1 | 3, "summary": {verdict: n}, "notes": [text],
     "controls": {id: {"title", "severity", "rationale", "remedy", "references": {catalogue: [id]}}},
     "hosts": [{"host": uri, "name", "assumptions": [text], "summary": {verdict: n},
                "outcomes": [{"control", "case", "service": name or null, "verdict", "message", "detail",
                              "seconds"}]}]}

Times are ISO 8601 in UTC. Each summary names all five verdicts. Hosts are sorted by URI, outcomes by control
and case. Every text went through `visible`. A control's parameters are the baseline's and are not kept.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, ValidationError

from callgate.baseline.control import Control, Severity
from callgate.errors import EvidenceError
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict
from callgate.report.visible import one_line, visible


def by_host(report: AuditReport) -> list[tuple[HostSummary, list[Outcome]]]:
    """Each host with its outcomes by control and case: the order in which every report is written.

    A host without outcomes is there too, and so is one that only an outcome names (last, by URI). Raises
    `ValueError` where a host is listed twice, or two outcomes have the same host, control and case.
    """
    summaries = {host.uri: host for host in report.hosts}
    if len(summaries) < len(report.hosts):
        twice = next(uri for uri, n in Counter(host.uri for host in report.hosts).items() if n > 1)
        raise ValueError(f"the report lists a host twice: {one_line(twice, 200)}")
    outcomes: dict[str, dict[tuple[str, str], Outcome]] = {uri: {} for uri in summaries}
    for outcome in report.outcomes:
        of_host = outcomes.setdefault(outcome.host, {})
        key = (outcome.control, outcome.case)
        if key in of_host:
            where = one_line(f"{outcome.host} {outcome.control} {outcome.case}", 400)
            raise ValueError(f"the report holds two outcomes of one case: {where}")
        of_host[key] = outcome
    uris = [*summaries, *sorted(outcomes.keys() - summaries.keys())]
    return [
        (
            summaries.get(uri, HostSummary(uri=uri, name=uri)),
            [outcome for _, outcome in sorted(outcomes[uri].items(), key=lambda item: item[0])],
        )
        for uri in uris
    ]


def json_bytes(report: AuditReport) -> bytes:
    """The report in the shape this module documents; the same bytes for the same report in whatever order.

    Raises `ValueError` where two hosts, or two cases of one host, would be written the same.
    """
    report = _storable(report)
    document: dict[str, JsonValue] = {
        "callgate": report.tool_version,
        "format": 1,
        "baseline": report.baseline,
        "site": report.site,
        "started": report.started.astimezone(UTC).isoformat(),
        "finished": report.finished.astimezone(UTC).isoformat(),
        "exit_code": report.exit_code,
        "summary": _summary(report.outcomes),
        "notes": list(report.notes),
        "controls": {control.id: _control(control) for control in report.controls.values()},
        "hosts": [
            {
                "host": host.uri,
                "name": host.name,
                "assumptions": list(host.assumptions),
                "summary": _summary(outcomes),
                "outcomes": [_outcome(outcome) for outcome in outcomes],
            }
            for host, outcomes in sorted(by_host(report), key=lambda item: item[0].uri)
        ],
    }
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _storable(report: AuditReport) -> AuditReport:
    return replace(
        report,
        tool_version=visible(report.tool_version),
        baseline=visible(report.baseline),
        site=None if report.site is None else visible(report.site),
        notes=tuple(visible(note) for note in report.notes),
        hosts=tuple(
            HostSummary(
                uri=visible(host.uri),
                name=visible(host.name),
                assumptions=tuple(visible(assumption) for assumption in host.assumptions),
            )
            for host in report.hosts
        ),
        outcomes=tuple(
            replace(
                outcome,
                host=visible(outcome.host),
                control=visible(outcome.control),
                case=visible(outcome.case),
                service=None if outcome.service is None else visible(outcome.service),
                message=visible(outcome.message),
                detail=visible(outcome.detail),
                seconds=outcome.seconds if math.isfinite(outcome.seconds) and outcome.seconds > 0 else 0.0,
            )
            for outcome in report.outcomes
        ),
    )


def _summary(outcomes: Iterable[Outcome]) -> dict[str, JsonValue]:
    count = Counter(outcome.verdict for outcome in outcomes)
    return {verdict.value: count[verdict] for verdict in Verdict}


def _control(control: Control) -> JsonValue:
    return {
        "title": visible(control.title)[:200].strip(),  # with escapes in it, still a title that `Control` takes back
        "severity": control.severity.value,
        "rationale": visible(control.rationale),
        "remedy": visible(control.remedy),
        "references": {
            visible(catalogue): [visible(reference) for reference in references]
            for catalogue, references in control.references.items()
        },
    }


def _outcome(outcome: Outcome) -> JsonValue:
    return {
        "control": outcome.control,
        "case": outcome.case,
        "service": outcome.service,
        "verdict": outcome.verdict.value,
        "message": outcome.message,
        "detail": outcome.detail,
        "seconds": outcome.seconds,
    }


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _OutcomeRead(_Strict):
    control: str
    case: str
    service: str | None
    verdict: Verdict
    message: str
    detail: str
    seconds: Annotated[FiniteFloat, Field(ge=0)]


class _ControlRead(_Strict):
    title: str
    severity: Severity
    rationale: str
    remedy: str
    references: dict[str, tuple[str, ...]]


class _HostRead(_Strict):
    host: str
    name: str
    assumptions: tuple[str, ...]
    summary: dict[str, int]
    outcomes: tuple[_OutcomeRead, ...]


class _ReportRead(_Strict):
    callgate: str
    format: Literal[1]
    baseline: str
    site: str | None
    started: AwareDatetime
    finished: AwareDatetime
    exit_code: int
    summary: dict[str, int]
    notes: tuple[str, ...]
    controls: dict[str, _ControlRead]
    hosts: tuple[_HostRead, ...]


def report_from_json(data: bytes, name: str = "report.json") -> AuditReport:
    """The report that `json_bytes` wrote.

    Raises `EvidenceError` with `name` and one line where `data` has another shape, or contradicts itself:
    counts or an exit code that its outcomes do not give, one case twice.
    """
    try:
        read = _ReportRead.model_validate_json(data)
        report = _report(read)
        if read.summary != _summary(report.outcomes):
            raise ValueError("summary: not the count of the outcomes")
        for host, (_, outcomes) in zip(read.hosts, by_host(report), strict=True):
            if host.summary != _summary(outcomes):
                raise ValueError(f"the summary of {host.host}: not the count of its outcomes")
        if read.exit_code != report.exit_code:
            raise ValueError(f"exit_code: {read.exit_code}, but the outcomes give {report.exit_code}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        raise EvidenceError(name, one_line(reason, 300)) from error
    except (ValueError, OverflowError) as error:
        raise EvidenceError(name, one_line(str(error), 300)) from error
    return report


def _report(read: _ReportRead) -> AuditReport:
    return AuditReport(
        tool_version=read.callgate,
        baseline=read.baseline,
        site=read.site,
        started=read.started.astimezone(UTC),
        finished=read.finished.astimezone(UTC),
        controls={key: Control(id=key, **control.model_dump()) for key, control in read.controls.items()},
        hosts=tuple(HostSummary(uri=host.host, name=host.name, assumptions=host.assumptions) for host in read.hosts),
        outcomes=tuple(
            Outcome(
                host=host.host,
                control=outcome.control,
                case=outcome.case,
                service=outcome.service,
                verdict=outcome.verdict,
                message=outcome.message,
                detail=outcome.detail,
                seconds=outcome.seconds,
            )
            for host in read.hosts
            for outcome in host.outcomes
        ),
        notes=read.notes,
    )
