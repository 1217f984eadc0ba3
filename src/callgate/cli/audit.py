"""`callgate audit`: runs the checks through pytest, and shows and writes what they found."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callgate.cli import EXIT_CODES

if TYPE_CHECKING:
    from callgate.report.outcome import AuditReport

_FILE = click.Path(path_type=Path, dir_okay=False)
_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(
    epilog=f"""\b
Examples:
  callgate audit                                      this machine, baseline voip-core
  callgate audit ssh://root@pbx1 ssh://root@pbx2 --site site.yaml
  callgate audit 'ssh://admin@pbx1?sudo=true' --baseline sccp-call-manager --junit report.xml
  callgate audit bundle://pbx1/ --json -              a collected bundle, results on stdout
  callgate audit bundle://firewall/ --site site.yaml  firewall dumps alone: rules in a pull request
  callgate audit ssh://pbx1 --baseline ./ours.yaml --checks ./our-checks

{EXIT_CODES}"""
)
@click.argument("hosts", nargs=-1, metavar="[HOST...]")
@click.option(
    "--baseline", metavar="NAME|FILE", default="voip-core", show_default=True, help="Baseline to hold them to."
)
@click.option("--site", type=_EXISTING, help="Site file: trusted networks, services, vantages, waivers.")
@click.option("--waivers", type=_EXISTING, multiple=True, help="File with waivers; may be repeated.")
@click.option(
    "--checks",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="Folder (or file) with checks of your own, beside the shipped ones; may be repeated.",
)
@click.option("--junit", type=_FILE, help="Write JUnit XML.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, allow_dash=True), help="Write JSON; - is stdout.")
@click.option("--ssh-config", type=click.Path(exists=True, dir_okay=False), help="ssh_config file to use.")
@click.option("--ansible-inventory", type=click.Path(exists=True), help="Inventory for ansible:// hosts.")
@click.option("-q", "--quiet", is_flag=True, help="Show only what fails or is not determined.")
@click.option("-v", "--verbose", is_flag=True, help="Show the evidence of every verdict.")
def audit(
    hosts: tuple[str, ...],
    baseline: str,
    site: Path | None,
    waivers: tuple[Path, ...],
    checks: tuple[Path, ...],
    junit: Path | None,
    json_file: Path | None,
    ssh_config: str | None,
    ansible_inventory: str | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Audit each HOST (default: this machine) against a baseline.

    HOST is a testinfra URI (local://, ssh://user@host:port, docker://name, ansible://group ...), a bare name for
    ssh, or bundle://DIR for evidence collected earlier. With ?sudo=true the evidence is collected through sudo.
    """
    from callgate.audit.plan import make_plan
    from callgate.evidence.backends import host_uri

    plan = make_plan(baseline, site, waivers)
    uris = list(dict.fromkeys(host_uri(host) for host in hosts or ("local://",)))
    from callgate.cli.progress import collecting
    from callgate.cli.running import run_checks

    with ExitStack() as stack:
        progress = (
            stack.enter_context(collecting(len(uris))) if sys.stderr and sys.stderr.isatty() and not quiet else None
        )
        report = run_checks(
            plan, uris, checks, ssh_config=ssh_config, ansible_inventory=ansible_inventory, progress=progress
        )
    _write(report, junit, json_file)
    if str(json_file) != "-":
        _show(report, quiet, verbose)
    return report.exit_code


def _write(report: AuditReport, junit: Path | None, json_file: Path | None) -> None:
    if junit:
        from callgate.report.junit import write_junit

        write_junit(report, junit)
    if json_file:
        from callgate.report.json_report import json_bytes

        if str(json_file) == "-":
            sys.stdout.buffer.write(json_bytes(report))
            sys.stdout.buffer.flush()
        else:
            from callgate.report.atomic import write_atomically

            write_atomically(json_file, json_bytes(report))


def _show(report: AuditReport, quiet: bool, verbose: bool) -> None:
    from rich.console import Console

    from callgate.report.table import print_report

    # rich heeds NO_COLOR and TERM itself, and writes no colour into a pipe.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 100
    print_report(report, Console(width=width, highlight=False), quiet=quiet, verbose=verbose)
