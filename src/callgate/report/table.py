"""The report for people: a rich console, grouped by host, with words for verdicts.

Whoever prints a table imports this module then, so that nothing else pays for rich.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

from callgate.report.json_report import by_host
from callgate.report.outcome import AuditReport, HostSummary, Outcome, Verdict
from callgate.report.visible import one_line, visible

# Colours without weight: with `no_color` rich then writes no escape codes at all.
_STYLE = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.ERROR: "magenta",
    Verdict.SKIP: "cyan",
    Verdict.WAIVED: "yellow",
}
_WORST = frozenset({Verdict.FAIL, Verdict.ERROR})
_VERDICT_COLUMN = max(len(verdict) for verdict in Verdict)
_MESSAGE = 2_000
_DETAIL, _DETAIL_LINES = 4_000, 20
_VERBOSE_DETAIL, _VERBOSE_DETAIL_LINES = 40_000, 400
_NARROWEST = 20


def print_report(report: AuditReport, console: Console, *, quiet: bool = False, verbose: bool = False) -> None:
    """Print the report by host: each outcome's verdict, control, title and service, and why if it is no pass.

    Services of which a control says the same share a line. Fails come with their remedy, once for a control,
    fails and errors with their evidence. A host without either shows only what
    is no pass. `quiet` leaves fails, errors and the closing counts; `verbose` adds what passes, its message,
    case names and more of the evidence. Text of hosts stands behind a bar and is never read as markup or as a
    command. Raises `ValueError` as `by_host` does.
    """
    hosts = by_host(report)
    page = _Page(report, console, verbose)
    for host, outcomes in hosts:
        page.host(host, outcomes, quiet)
    if not quiet:
        for note in report.notes:
            page.hanging(Text("note: "), visible(note, _MESSAGE))
    count = report.count()
    if report.exit_code == 3 and not count[Verdict.ERROR]:
        some = f" on {len(report.unassessed)} of {len(hosts)} hosts" if hosts else ""
        page.line(Text(f"nothing was assessed{some}", style=_STYLE[Verdict.ERROR]))
    page.line(_counts(count, f"{len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}: "))


class _Page:
    """Lines of one report on one console, each wrapped to its width here."""

    def __init__(self, report: AuditReport, console: Console, verbose: bool) -> None:
        self._controls = report.controls
        self._console = console
        self._width = console.width
        self._verbose = verbose
        ids = [len(one_line(outcome.control, 40)) for outcome in report.outcomes]
        self._id_column = min(max(ids, default=0), 16)

    def host(self, host: HostSummary, outcomes: list[Outcome], quiet: bool) -> None:
        count = Counter(outcome.verdict for outcome in outcomes)
        bad = any(outcome.verdict in _WORST for outcome in outcomes)
        if quiet and not bad:
            return
        title = Text(one_line(host.uri, 200))
        if host.name != host.uri:
            title.append(f" ({one_line(host.name, 200)})")
        self.hanging(Text(), title + Text(": ") + _counts(count, ""))
        if not count.total():
            self.hanging(Text("  "), "no check ran on this host")
        elif not quiet and not (count.keys() - {Verdict.SKIP}):
            self.hanging(Text("  "), "nothing was assessed on this host")
        shown = [
            alike
            for alike in self._alike(outcomes)
            if alike[0].verdict in _WORST
            or (not quiet and (bad or self._verbose or alike[0].verdict is not Verdict.PASS))
        ]
        for alike, after in zip_longest(shown, shown[1:]):
            self._outcome(alike[0], [outcome.service for outcome in alike if outcome.service is not None])
            more_of_it = after is not None and (after[0].control, after[0].verdict) == (
                alike[0].control,
                alike[0].verdict,
            )
            control = self._controls.get(alike[0].control)
            if alike[0].verdict is Verdict.FAIL and control and not more_of_it:
                self.hanging(Text(f"{_INDENT}remedy: "), visible(control.remedy, _MESSAGE))
        if not quiet:
            for assumption in host.assumptions:
                self.hanging(Text("  assumed: "), visible(assumption, _MESSAGE))

    def _alike(self, outcomes: list[Outcome]) -> list[list[Outcome]]:
        """Outcomes of one control that say the same of several services; each for itself when verbose.

        Without its evidence a pass says nothing that differs, so all of a control's passes are alike.
        """
        groups: dict[object, list[Outcome]] = {}
        for number, outcome in enumerate(outcomes):
            said = "" if outcome.verdict is Verdict.PASS else outcome.message
            key = (outcome.control, outcome.verdict, said, outcome.verdict in _WORST and outcome.detail)
            groups.setdefault(number if self._verbose or outcome.service is None else key, []).append(outcome)
        order = [Verdict.FAIL, Verdict.ERROR, Verdict.WAIVED, Verdict.PASS, Verdict.SKIP]
        return sorted(groups.values(), key=lambda alike: (alike[0].control, order.index(alike[0].verdict)))

    def _outcome(self, outcome: Outcome, services: list[str]) -> None:
        control = self._controls.get(outcome.control)
        head = Text("  ")
        head.append(f"{outcome.verdict.value:<{_VERDICT_COLUMN}}", style=_STYLE[outcome.verdict])
        head.append("  ")
        subject = f"{one_line(outcome.control, 40):<{self._id_column}}  "
        subject += one_line(control.title if control else outcome.case, 200)
        if services:
            subject += f" ({', '.join(one_line(service, 60) for service in services)})"
        if self._verbose and control:
            subject += f" {one_line(outcome.case, 200)}"
        self.hanging(head, subject)
        if outcome.verdict is not Verdict.PASS or self._verbose:
            self._barred(visible(outcome.message, _MESSAGE))
        if outcome.verdict in _WORST and outcome.detail.strip():
            self._evidence(outcome.detail)

    def _evidence(self, detail: str) -> None:
        most, limit = (_VERBOSE_DETAIL_LINES, _VERBOSE_DETAIL) if self._verbose else (_DETAIL_LINES, _DETAIL)
        lines = visible(detail, limit).strip("\n").split("\n")
        self.line(Text(f"{_INDENT}evidence:"))
        self._barred("\n".join(lines[:most]))
        if len(lines) > most:
            self.line(Text(f"{_INDENT}... [{len(lines) - most} lines cut]"))

    def _barred(self, text: str) -> None:
        # The bar also keeps a line of hostile text from being one that a pipeline obeys, like `::add-mask::`.
        bar = Text(f"{_INDENT}| ")
        for row in self._wrapped(Text(text), bar.cell_len):
            self.line(bar + row)

    def hanging(self, head: Text, body: str | Text) -> None:
        """Print `head` and `body`; lines after the first stand under the body's start."""
        rows = self._wrapped(Text(body) if isinstance(body, str) else body, head.cell_len)
        indent = Text(" " * max(head.cell_len, 2))
        for number, row in enumerate(rows):
            self.line((indent if number else head) + row)

    def _wrapped(self, text: Text, used: int) -> Iterable[Text]:
        return text.wrap(self._console, max(self._width - max(used, 2), _NARROWEST), overflow="fold")

    def line(self, text: Text) -> None:
        """Print one line as it is: no markup, no links, no wrapping by rich."""
        text.rstrip()
        self._console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)


_INDENT = " " * (2 + _VERDICT_COLUMN + 2)


def _counts(count: Counter[Verdict], start: str) -> Text:
    text = Text(start)
    for number, verdict in enumerate(Verdict):
        text.append(", " if number else "")
        text.append(f"{count[verdict]} {verdict.value}", style=_STYLE[verdict] if count[verdict] else "")
    return text
