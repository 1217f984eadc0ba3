from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.report.json_report import by_host, json_bytes, report_from_json
from callgate.report.outcome import AuditReport, HostSummary, Verdict
from callgate.report.visible import visible

GOLDEN = Path(__file__).parent / "golden"


def test_the_small_report_is_the_golden_file(small_report: AuditReport) -> None:
    assert json_bytes(small_report).decode() == (GOLDEN / "small.json").read_text()


def test_a_report_of_plain_text_comes_back_the_same(small_report: AuditReport) -> None:
    assert report_from_json(json_bytes(small_report)) == small_report


@settings(deadline=None)
@given(report=...)
def test_any_report_comes_back_as_it_was_shown(report: AuditReport) -> None:
    keys = {(visible(o.host), visible(o.control), visible(o.case)) for o in report.outcomes}
    uris = {host.uri for host, _ in by_host(report)}
    if len(keys) < len(report.outcomes) or len({visible(uri) for uri in uris}) < len(uris):
        # Two names that differ only in how a hidden character is spelt.
        try:
            json_bytes(report)
        except ValueError as error:
            assert "the report" in str(error)  # noqa: PT017 - it may also be one host of which one is unlisted
        return
    data = json_bytes(report)
    back = report_from_json(data)
    assert json_bytes(back) == data
    assert back.exit_code == report.exit_code
    assert back.count() == report.count()
    assert {(o.host, o.control, o.case): o.verdict for o in back.outcomes} == {
        (visible(o.host), visible(o.control), visible(o.case)): o.verdict for o in report.outcomes
    }
    assert back.notes == tuple(map(visible, report.notes))
    assert (back.started, back.finished) == (report.started, report.finished)
    assert back.controls.keys() == report.controls.keys()


def test_the_order_of_hosts_and_outcomes_does_not_change_the_bytes(small_report: AuditReport) -> None:
    turned = replace(small_report, hosts=small_report.hosts[::-1], outcomes=small_report.outcomes[::-1])
    assert json_bytes(turned) == json_bytes(small_report)


def test_the_shape_is_the_documented_one(small_report: AuditReport) -> None:
    read = json.loads(json_bytes(small_report))
    assert list(read) == sorted(
        [
            "callgate",
            "format",
            "baseline",
            "site",
            "started",
            "finished",
            "exit_code",
            "summary",
            "notes",
            "controls",
            "hosts",
        ]
    )
    assert read["summary"] == {"pass": 2, "fail": 1, "error": 1, "skip": 1, "waived": 1}
    assert read["started"] == "2026-03-01T22:30:00.400000+00:00"
    assert set(read["controls"]["EXP-01"]) == {"title", "severity", "rationale", "remedy", "references"}
    assert set(read["hosts"][0]) == {"host", "name", "assumptions", "summary", "outcomes"}
    assert set(read["hosts"][0]["outcomes"][0]) == {
        *("control", "case", "service", "verdict", "message", "detail", "seconds")
    }
    assert read["hosts"][1]["summary"] == {"pass": 1, "fail": 0, "error": 0, "skip": 1, "waived": 1}


def test_a_host_without_outcomes_and_an_unlisted_host_are_there(small_report: AuditReport) -> None:
    report = replace(small_report, hosts=(HostSummary(uri="ssh://silent", name="silent"),))
    read = json.loads(json_bytes(report))
    assert [(host["host"], len(host["outcomes"])) for host in read["hosts"]] == [
        ("ssh://root@pbx1.example:2222", 3),
        ("ssh://root@pbx2.example", 3),
        ("ssh://silent", 0),
    ]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf"), -1.0])
def test_a_nonsense_duration_is_written_as_zero(small_report: AuditReport, seconds: float) -> None:
    outcome = replace(small_report.outcomes[0], seconds=seconds)
    back = report_from_json(json_bytes(replace(small_report, outcomes=(outcome,))))
    assert [outcome.seconds for outcome in back.outcomes] == [0.0]


def test_a_title_that_grows_by_escapes_can_still_be_read(small_report: AuditReport) -> None:
    control = small_report.controls["EXP-01"].model_copy(update={"title": "\u202e" * 200})
    back = report_from_json(json_bytes(replace(small_report, controls={"EXP-01": control})))
    assert back.controls["EXP-01"].title == ("\\u202e" * 200)[:200]


def test_hosts_stand_as_listed_and_outcomes_by_control_and_case(small_report: AuditReport) -> None:
    turned = replace(small_report, hosts=small_report.hosts[::-1], outcomes=small_report.outcomes[::-1])
    assert [host.name for host, _ in by_host(turned)] == ["pbx2", "pbx1"]
    assert [(o.control, o.case) for o in by_host(turned)[1][1]] == [
        ("EXP-01", "test_strangers[sccp]"),
        ("EXP-01", "test_strangers[sip]"),
        ("LSN-01", "test_listeners"),
    ]


def change(*path: str | int, to: object) -> Callable[[Any], None]:
    def apply(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return apply


def drop(*path: str | int) -> Callable[[Any], None]:
    def apply(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return apply


def same_case_twice(document: Any) -> None:
    outcomes = document["hosts"][0]["outcomes"]
    outcomes[1]["case"] = outcomes[0]["case"]


def same_host_twice(document: Any) -> None:
    document["hosts"][1]["host"] = document["hosts"][0]["host"]


FIRST = ("hosts", 0, "outcomes", 0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (change("format", to=2), "format: Input should be 1"),
        (change("exit_code", to=0), "exit_code: 0, but the outcomes give 1"),
        (change("summary", "fail", to=0), "summary: not the count of the outcomes"),
        (drop("summary", "waived"), "summary: not the count of the outcomes"),
        (change("hosts", 0, "summary", "pass", to=3), "the summary of ssh://root@pbx1.example:2222"),
        (change(*FIRST, "verdict", to="passed"), "hosts.0.outcomes.0.verdict: Input should be"),
        (change(*FIRST, "verdict", to="pass"), "summary: not the count"),
        (change(*FIRST, "message", to="  "), "an outcome needs a message"),
        (change(*FIRST, "seconds", to=-1), "greater than or equal to 0"),
        (change(*FIRST, "seconds", to="1"), "hosts.0.outcomes.0.seconds: Input should be a valid number"),
        (change(*FIRST, "extra", to=1), "hosts.0.outcomes.0.extra: Extra inputs are not permitted"),
        (drop(*FIRST, "service"), "hosts.0.outcomes.0.service: Field required"),
        (change("started", to="2026-03-01T22:30:00"), "started: Input should have timezone info"),
        (change("started", to="0001-01-01T00:00:00+23:00"), "out of range"),
        (change("controls", "bad id", to={}), "controls.bad id.title: Field required"),
        (change("controls", "EXP-01", "severity", to="none"), "controls.EXP-01.severity: Input should be"),
        (change("hosts", to={}), "hosts: Input should be a valid"),
        (change("bad\nkey\x1b", to=1), "bad key\\x1b: Extra inputs are not permitted"),
        (same_case_twice, "two outcomes of one case"),
        (same_host_twice, "lists a host twice"),
    ],
)
def test_a_malformed_report_is_refused_in_one_line(
    small_report: AuditReport, spoil: Callable[[Any], None], reason: str
) -> None:
    document = json.loads(json_bytes(small_report))
    spoil(document)
    with pytest.raises(EvidenceError) as caught:
        report_from_json(json.dumps(document).encode(), "old.json")
    assert str(caught.value).startswith("old.json: ")
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"null", b"[]", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000, b'"\\ud800"', b"NaN"],
)
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"^report\.json: "):
        report_from_json(data)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_report_is_refused_or_another_report(data: st.DataObject) -> None:
    whole = bytearray(json_bytes(data.draw(st.from_type(AuditReport).filter(writable))))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        report = report_from_json(bytes(whole))
    except EvidenceError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - a change inside a text is no damage
    else:
        assert report.count().keys() <= set(Verdict)


def writable(report: AuditReport) -> bool:
    try:
        json_bytes(report)
    except ValueError:
        return False
    return True
