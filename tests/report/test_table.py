from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from callgate.report.outcome import AuditReport, HostSummary, Verdict
from callgate.report.table import print_report
from callgate.report.visible import visible

GOLDEN = Path(__file__).parent / "golden"


def printed(
    report: AuditReport, *, width: int = 80, terminal: bool = False, quiet: bool = False, verbose: bool = False
) -> str:
    page = io.StringIO()
    console = Console(file=page, width=width, no_color=True, force_terminal=terminal, legacy_windows=False)
    print_report(report, console, quiet=quiet, verbose=verbose)
    return page.getvalue()


@pytest.mark.parametrize("name", ["normal", "quiet", "verbose"])
def test_the_small_report_is_the_golden_page(small_report: AuditReport, name: str) -> None:
    page = printed(small_report, quiet=name == "quiet", verbose=name == "verbose")
    assert page == (GOLDEN / f"small.{name}.txt").read_text()


@settings(deadline=None)
@given(report=..., terminal=..., quiet=..., verbose=...)
def test_nothing_hidden_is_printed_and_no_line_is_too_long(
    report: AuditReport, terminal: bool, quiet: bool, verbose: bool
) -> None:
    page = printed(report, terminal=terminal, quiet=quiet, verbose=verbose)
    assert page == visible(page)
    assert max(map(cell_len, page.split("\n"))) <= 80
    count = report.count()
    assert page.endswith(", ".join(f"{count[verdict]} {verdict.value}" for verdict in Verdict) + "\n")
    rows = [row.split(maxsplit=1)[0] for row in page.split("\n") if row.startswith("  ") and row.strip()]
    for verdict in (Verdict.FAIL, Verdict.ERROR):
        alike = {(o.host, o.control, o.message, o.detail) for o in report.outcomes if o.verdict is verdict}
        assert rows.count(verdict.value) >= (count[verdict] if verbose else len(alike))


@settings(deadline=None)
@given(report=..., width=st.integers(1, 200))
def test_any_width_ends_with_the_same_counts(report: AuditReport, width: int) -> None:
    assert " ".join(printed(report, width=width).split()).endswith(f"{report.count()[Verdict.WAIVED]} waived")


def test_each_verdict_is_a_word_without_colour(small_report: AuditReport) -> None:
    words = [line.split()[0] for line in printed(small_report).splitlines() if line[:3].strip() and line[:2] == "  "]
    assert {"fail", "error", "skip", "waived"} <= set(words)
    page = printed(small_report, terminal=True)
    assert "\x1b" not in page
    assert page == printed(small_report)


def test_colours_come_on_a_terminal_only(small_report: AuditReport) -> None:
    page = io.StringIO()
    print_report(small_report, Console(file=page, width=80, force_terminal=True, color_system="standard"))
    assert "\x1b[31mfail" in page.getvalue()


HOSTILE = "[red]x[/red] [/] [link=http://x]y[/link] :smile: \x1b[2J\x1b]0;title\x07 http://x"


def test_markup_and_escape_codes_are_printed_as_text(small_report: AuditReport) -> None:
    control = small_report.controls["EXP-01"].model_copy(update={"title": HOSTILE, "remedy": HOSTILE})
    changed = replace(small_report.outcomes[0], host=HOSTILE, message=HOSTILE, detail=HOSTILE, case=HOSTILE)
    host = HostSummary(uri=HOSTILE, name=f"x{HOSTILE}", assumptions=(HOSTILE,))
    report = replace(small_report, outcomes=(changed,), hosts=(host,), notes=(HOSTILE,), controls={"EXP-01": control})
    page = io.StringIO()
    console = Console(file=page, width=400, force_terminal=True, color_system="truecolor")
    print_report(report, console, verbose=True)
    assert page.getvalue().count(visible(HOSTILE)) == 9
    codes = {rest.partition("m")[0] for rest in page.getvalue().split("\x1b[")[1:]}
    assert codes == {"0", "31"}
    assert "\x1b]" not in page.getvalue()


def test_no_line_of_hostile_text_starts_a_pipeline_command(small_report: AuditReport) -> None:
    text = "\n".join(["::add-mask::x", f"{'w' * 68} ::add-mask::y", f"{'w' * 70}::stop-commands::z"])
    changed = replace(small_report.outcomes[0], message=text, detail=text)
    page = printed(replace(small_report, outcomes=(changed,)))
    assert page.count("::add-mask::") == 4
    assert not any(line.lstrip().startswith("::") for line in page.splitlines())


def test_evidence_is_bounded_and_verbose_shows_more(small_report: AuditReport) -> None:
    detail = "\n".join(f"row {n}" for n in range(100))
    report = replace(small_report, outcomes=(replace(small_report.outcomes[0], detail=detail),))
    page = printed(report)
    assert "| row 19\n" in page
    assert "| row 20\n" not in page
    assert "... [80 lines cut]" in page
    assert "| row 99\n" in printed(report, verbose=True)
    long = replace(small_report.outcomes[0], message="m" * 1_000_000, detail="d" * 1_000_000)
    assert len(printed(replace(small_report, outcomes=(long,)))) < 10_000


def test_a_host_where_all_passes_is_one_line(small_report: AuditReport) -> None:
    passes = tuple(o for o in small_report.outcomes if o.verdict is Verdict.PASS)
    report = replace(small_report, outcomes=passes, notes=(), hosts=small_report.hosts[1:])
    assert printed(replace(report, outcomes=passes[1:])) == (
        "ssh://root@pbx2.example (pbx2): 1 pass, 0 fail, 0 error, 0 skip, 0 waived\n"
        "1 host: 1 pass, 0 fail, 0 error, 0 skip, 0 waived\n"
    )


@pytest.mark.parametrize("quiet", [False, True])
def test_where_nothing_was_assessed_the_page_says_so(small_report: AuditReport, quiet: bool) -> None:
    skips = tuple(o for o in small_report.outcomes if o.verdict is Verdict.SKIP)
    for outcomes in (skips, ()):
        page = printed(replace(small_report, outcomes=outcomes), quiet=quiet)
        assert "\nnothing was assessed on 2 of 2 hosts\n2 hosts: 0 pass" in f"\n{page}"


def test_services_of_which_the_same_is_said_share_a_line_and_a_remedy_comes_once(small_report: AuditReport) -> None:
    first = small_report.outcomes[0]
    fails = [replace(first, case=f"t[{name}]", service=name) for name in ("sccp", "sip")]
    other = replace(first, case="t[h323]", service="h323", message="another")
    page = printed(replace(small_report, outcomes=(*fails, other), hosts=small_report.hosts[:1]))
    assert "fail    EXP-01  Strangers cannot reach SCCP (sccp, sip)\n" in page
    assert "fail    EXP-01  Strangers cannot reach SCCP (h323)\n" in page
    assert page.count("remedy:") == 1
    assert printed(replace(small_report, outcomes=tuple(fails)), verbose=True).count("fail    ") == 2


def test_a_host_without_outcomes_is_not_passed_over(small_report: AuditReport) -> None:
    silent = HostSummary(uri="ssh://pbx3", name="pbx3")
    page = printed(replace(small_report, hosts=(*small_report.hosts, silent)))
    assert "ssh://pbx3 (pbx3): 0 pass, 0 fail, 0 error, 0 skip, 0 waived\n  no check ran on this host\n" in page
    assert "\n3 hosts: " in page


def test_a_quiet_page_of_a_sound_audit_is_the_counts(small_report: AuditReport) -> None:
    sound = tuple(o for o in small_report.outcomes if o.verdict not in (Verdict.FAIL, Verdict.ERROR))
    page = printed(replace(small_report, outcomes=sound), quiet=True)
    assert page == "2 hosts: 2 pass, 0 fail, 0 error, 1 skip, 1 waived\n"


def test_only_the_table_imports_rich() -> None:
    code = (
        "import sys, callgate.report.junit, callgate.report.json_report, callgate.report.outcome\n"
        "sys.exit('rich' in sys.modules)"
    )
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, timeout=60, check=False)
    assert done.returncode == 0
