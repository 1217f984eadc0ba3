"""`callgate diff`: two snapshots of a host compared by meaning."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from callgate.audit.plan import AuditPlan
    from callgate.change.flips import Flip
    from callgate.evidence.bundle import Bundle

_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
_SIDES = ("before", "after")


@click.command(
    epilog="""\b
Examples:
  callgate diff before/ after/ --site site.yaml
  callgate diff base.tar.gz head.tar.gz --json
  callgate diff before/ ssh://root@pbx1           a bundle of yesterday, and the host as it is
  callgate diff ssh://root@pbx1 ssh://root@pbx2   two hosts that should be alike

\b
Exit codes:
  0  no regression: no stranger gained access, no phone lost it, no control that passed fails
  1  a regression
  2  usage, baseline or site file is wrong
  3  whether it is a regression could not be determined"""
)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--site", type=_EXISTING, help="Site file: trusted networks, services, waivers. One for both.")
@click.option(
    "--baseline", metavar="NAME|FILE", default="voip-core", show_default=True, help="Baseline whose controls count."
)
@click.option("--no-controls", is_flag=True, help="Compare no verdicts of controls.")
@click.option("--ssh-config", type=click.Path(exists=True, dir_okay=False), help="ssh_config file to use.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
def diff(
    before: str,
    after: str,
    as_json: bool,
    site: Path | None,
    baseline: str,
    no_controls: bool,
    ssh_config: str | None,
    quiet: bool,
) -> int:
    """Compare BEFORE with AFTER by meaning: who gained access to each service, who lost it, and what else changed.

    Each is a bundle (a folder or .tar.gz, as `callgate collect` makes it) or a host (ssh://root@pbx1, docker://name
    ...), whose evidence is collected now. The order and the form of rules do not count. A service that nothing
    offers is compared by the rules alone, and is no regression.
    """
    from callgate.audit.plan import make_plan
    from callgate.change.comparison import compare
    from callgate.change.snapshot import target_of
    from callgate.cli.diff_lines import Outcome, as_text, verdict

    plan = make_plan(baseline, site, [])
    named = dict(zip(_SIDES, (before, after), strict=True))
    bundles = _bundles(named, ssh_config, quiet)
    found = compare(*(target_of(bundles[side], plan) for side in _SIDES))
    undetermined: list[str] = []
    flipped: tuple[Flip, ...] | None = None
    if not no_controls:
        flipped = _flipped(plan, named, bundles, undetermined)
    outcome = Outcome(before, after, found, flipped, tuple(undetermined))
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=1))
    else:
        click.echo(verdict(outcome) if quiet else as_text(outcome))
    return {True: 1, False: 0, None: 3}[outcome.regression]


def _bundles(named: Mapping[str, str], ssh_config: str | None, quiet: bool) -> dict[str, Bundle]:
    """Both bundles; those of hosts are collected at once.

    Raises UsageMistake for what is neither, CollectionError for a host that gives no evidence.
    """
    import testinfra

    from callgate.cli.evidence_argument import evidence_of
    from callgate.errors import CollectionError
    from callgate.evidence.backends import host_uri
    from callgate.evidence.collector import collect_all
    from callgate.evidence.logins import SharedLogins

    uris = {side: host_uri(text) for side, text in named.items() if _is_host(text)}
    found = {side: evidence_of(text).bundle for side, text in named.items() if side not in uris}
    if not uris:
        return found
    with ExitStack() as stack:
        logins = stack.enter_context(SharedLogins())
        config = str(logins.config(ssh_config))
        # A host against itself is collected once: two collections of one moment would differ by chance.
        hosts = {uri: testinfra.get_host(logins.shared(uri), ssh_config=config) for uri in dict.fromkeys(uris.values())}
        progress = None
        if sys.stderr and sys.stderr.isatty() and not quiet:
            from callgate.cli.progress import collecting

            progress = stack.enter_context(collecting(len(hosts)))
        collected = collect_all(hosts, progress)
    for side, uri in uris.items():
        got = collected[uri]
        if isinstance(got, CollectionError):
            raise got
        found[side] = got
    return found


def _is_host(text: str) -> bool:
    return "://" in text and not text.startswith("bundle://")


def _flipped(
    plan: AuditPlan, named: Mapping[str, str], bundles: Mapping[str, Bundle], undetermined: list[str]
) -> tuple[Flip, ...] | None:
    """The verdicts that differ; None, and the reason in `undetermined`, where the checks could not be run."""
    from dataclasses import replace
    from urllib.parse import quote

    from callgate.change.flips import flips
    from callgate.cli.running import run_checks
    from callgate.errors import NotDetermined
    from callgate.evidence.backends import host_uri
    from callgate.evidence.bundle import write_bundle

    if named["before"] == named["after"]:
        return ()
    with tempfile.TemporaryDirectory(prefix="callgate-diff-") as folder:
        paths = {}
        for side in _SIDES:
            paths[side] = Path(named[side].removeprefix("bundle://")).absolute()
            if _is_host(named[side]):
                # The site file may know the host by its name.
                paths[side] = Path(folder, side, _folder_name(named[side]))
                write_bundle(bundles[side], paths[side])
        try:
            # A percent sign in a path is no quoting.
            report = run_checks(plan, [host_uri(f"bundle://{quote(str(paths[side]))}") for side in _SIDES])
        except NotDetermined as error:
            undetermined.append(str(error))
            return None
    reports = [
        replace(
            report,
            hosts=tuple(host for host in report.hosts if host.uri == f"bundle://{paths[side]}"),
            outcomes=tuple(one for one in report.outcomes if one.host == f"bundle://{paths[side]}"),
        )
        for side in _SIDES
    ]
    if not all(one.outcomes for one in reports):
        undetermined.append("the controls were not run on both")
        return None
    return flips(reports[0], reports[1])


def _folder_name(uri: str) -> str:
    """The short name of a host, fit for a folder."""
    name = uri.partition("://")[2].partition("?")[0].rpartition("@")[2]
    return re.sub(r"[^A-Za-z0-9._-]|^\.+", "_", name) or "localhost"
