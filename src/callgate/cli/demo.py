"""The story `callgate lab demo` tells, with a real audit at each step."""

from __future__ import annotations

import sys

import click

from callgate.audit.plan import AuditPlan, make_plan
from callgate.cli.running import run_checks
from callgate.lab.call_control import apply_firewall, start_servers, write_site
from callgate.lab.rulesets import USUAL_REMEDY
from callgate.lab.topology import Lab
from callgate.report.outcome import AuditReport, Verdict


def tell(verbose: bool) -> int:
    """Tell it; 0 when each step ended as it should, else 3."""
    with Lab() as lab:
        started = start_servers(lab.pbx)
        plan = make_plan("voip-core", write_site(lab, started))
        _say(f"A PBX with {' and '.join(started.running)}, a phone network on eth0, the rest of the world on eth1.")
        _say("1. No firewall. Who gets in?")
        exposed = _audit(plan, lab, verbose)
        _say("2. The usual remedy, which takes 5060/udp for Skinny's port:")
        for command in USUAL_REMEDY:
            click.echo(f"     {command}")
        apply_firewall(lab.pbx, "usual")
        still = _audit(plan, lab, verbose)
        _say("   SCCP is 2000/tcp: still open, and so are SIP over TCP and all of IPv6.")
        _say("3. The right remedy: every VoIP port, both families, trusted networks only, the rest dropped; saved too.")
        lab.pbx.run(["iptables", "-F", "INPUT"])
        apply_firewall(lab.pbx, "right")
        closed = _audit(plan, lab, verbose)
    as_told = _fails_for(exposed, "sccp") and _fails_for(still, "sccp") and closed.exit_code == 0
    _say("Closed to strangers, open to the phones." if as_told else "The story did not go as it should: see above.")
    return 0 if as_told else 3


def _audit(plan: AuditPlan, lab: Lab, verbose: bool) -> AuditReport:
    report = run_checks(plan, [lab.pbx.uri])
    if verbose:
        from rich.console import Console

        from callgate.report.table import print_report

        print_report(report, Console(width=None if sys.stdout.isatty() else 100, highlight=False))
        return report
    said: dict[tuple[Verdict, str], list[str]] = {}
    for outcome in report.outcomes:
        if outcome.verdict in (Verdict.FAIL, Verdict.ERROR):
            said.setdefault((outcome.verdict, outcome.control), []).append(outcome.service or "")
    for (verdict, control), services in said.items():
        names = ", ".join(filter(None, services))
        click.echo(f"   {verdict:5}  {control}  {report.controls[control].title}" + (f": {names}" if names else ""))
    count = report.count()
    click.echo("   " + ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict))
    return report


def _fails_for(report: AuditReport, service: str) -> bool:
    return any(one.verdict is Verdict.FAIL and one.service == service for one in report.outcomes)


def _say(text: str) -> None:
    click.echo(f"\n{text}" if not text.startswith(" ") else text)
