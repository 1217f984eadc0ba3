"""A small report, and a hypothesis strategy for any report (`@given(report=...)` draws from it)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st

from callgate.baseline.control import Control, Severity
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict

EXPOSURE = Control(
    id="EXP-01",
    title="Strangers cannot reach SCCP",
    severity=Severity.CRITICAL,
    rationale="Whoever reaches it can place calls.",
    remedy="Accept 2000/tcp from the phones' networks only.",
    references={"cis-8.1": ("4.4", "13.4"), "nist-800-53r5": ("SC-7",)},
)
LISTENERS = Control(
    id="LSN-01",
    title="SCCP listens on the voice address only",
    severity=Severity.LOW,
    rationale="One address less to guard.",
    remedy="Bind it to the voice address.",
)

HOSTILE = [
    "\x00", "\x1b[31m", "\r\n", "\r", "\n", "\t", " ", "\x7f", "\x85", "\xa0", "\u2028", "\u202e", "\ud800", "\udcff",
    "\ufffe", "\uffff", "\U0001fffe", "]]>", "<failure>", "&#0;", "[[ATTACHMENT|/etc/passwd]]", ".", "a.b", "a_b",
    "waived: ", "[red]x[/red]", "::add-mask::x", "\\x01", "\x01", "w" * 300, "漢" * 60, "e\u0301",
]  # fmt: skip


def texts() -> st.SearchStrategy[str]:
    """Any text: surrogates, controls, and what some reader takes for more than text."""
    return st.one_of(
        st.text(st.characters(), max_size=20),
        st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join),
    )


def messages() -> st.SearchStrategy[str]:
    return texts().filter(lambda text: bool(text.strip()))


@st.composite
def controls(draw: st.DrawFn, control_id: str) -> Control:
    # A control comes from a baseline, whose text holds no surrogates and whose titles are one line.
    words = st.text(max_size=20).map(lambda text: f"-{text}")
    return Control(
        id=control_id,
        title=draw(words.map(lambda text: " ".join(text.split()))),
        severity=draw(st.sampled_from(Severity)),
        rationale=draw(words),
        remedy=draw(words),
        references=draw(st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5)).map(tuple), max_size=3)),
    )


@st.composite
def reports(draw: st.DrawFn) -> AuditReport:
    """Any report; its hosts and controls are few, so that they share outcomes."""
    uris = draw(st.lists(texts(), min_size=1, max_size=3, unique=True))
    ids = ["EXP-01", "LSN-01", *draw(st.lists(texts(), max_size=2))]
    outcomes = st.builds(
        Outcome,
        host=st.sampled_from(uris),
        control=st.sampled_from(ids),
        case=texts(),
        service=st.none() | texts(),
        verdict=st.sampled_from(Verdict),
        message=messages(),
        detail=texts(),
        seconds=st.floats(),
    )
    times = st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC))
    return AuditReport(
        tool_version=draw(texts()),
        baseline=draw(texts()),
        site=draw(st.none() | texts()),
        started=draw(times),
        finished=draw(times),
        controls={key: draw(controls(key)) for key in ("EXP-01", "LSN-01") if draw(st.booleans())},
        hosts=tuple(
            HostSummary(uri=uri, name=draw(texts()), assumptions=tuple(draw(st.lists(texts(), max_size=2))))
            for uri in uris
            if draw(st.integers(0, 9))  # now and then an outcome's host is not listed
        ),
        outcomes=tuple(
            draw(
                st.lists(
                    outcomes,
                    max_size=8,
                    unique_by=lambda outcome: (outcome.host, outcome.control, outcome.case),
                )
            )
        ),
        notes=tuple(draw(st.lists(texts(), max_size=2))),
    )


st.register_type_strategy(AuditReport, reports())


@pytest.fixture
def small_report() -> AuditReport:
    """Two hosts, every verdict, an assumption and a note."""
    first, second = "ssh://root@pbx1.example:2222", "ssh://root@pbx2.example"
    return AuditReport(
        tool_version="0.1.0",
        baseline="voip-core",
        site="head-office",
        started=datetime(2026, 3, 1, 22, 30, 0, 400_000, tzinfo=UTC),
        finished=datetime(2026, 3, 1, 22, 30, 9, tzinfo=UTC),
        controls={control.id: control for control in (EXPOSURE, LISTENERS)},
        hosts=(
            HostSummary(
                uri=first,
                name="pbx1",
                assumptions=("trusted is private address space (RFC 1918, RFC 4193, link-local)",),
            ),
            HostSummary(uri=second, name="pbx2"),
        ),
        outcomes=(
            Outcome(
                host=first,
                control="EXP-01",
                case="test_strangers[sccp]",
                service="sccp",
                verdict=Verdict.FAIL,
                message="0.0.0.0/0 reaches 2000/tcp through rule 3 of INPUT, which asks for no source",
                detail="-A INPUT -p tcp -m tcp --dport 2000 -j ACCEPT\ntcp LISTEN 0 128 *:2000",
                seconds=0.1,
            ),
            Outcome(
                host=first,
                control="EXP-01",
                case="test_strangers[sip]",
                service="sip",
                verdict=Verdict.ERROR,
                message="nft.json: missing",
                seconds=0.2,
            ),
            Outcome(
                host=first,
                control="LSN-01",
                case="test_listeners",
                service=None,
                verdict=Verdict.PASS,
                message="2000/tcp listens on 10.0.0.2 only",
            ),
            Outcome(
                host=second,
                control="EXP-01",
                case="test_strangers[sccp]",
                service="sccp",
                verdict=Verdict.WAIVED,
                message="accepted until 2026-06-30: W-3",
            ),
            Outcome(
                host=second,
                control="EXP-01",
                case="test_strangers[sip]",
                service="sip",
                verdict=Verdict.SKIP,
                message="nothing on the host provides SIP",
            ),
            Outcome(
                host=second,
                control="LSN-01",
                case="test_listeners",
                service=None,
                verdict=Verdict.PASS,
                message="2000/tcp listens on 10.0.0.3 only",
            ),
        ),
        notes=("waiver W-9 matched nothing",),
    )
