"""`callgate change`: a change under guard, verified and confirmed, or rolled back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from callgate.audit.plan import AuditPlan
    from callgate.change.comparison import Comparison
    from callgate.change.flips import Flip
    from callgate.change.guarded.connection import Connection
    from callgate.change.guarded.ending import Ending
    from callgate.change.guarded.journal import Entry
    from callgate.change.guarded.plan import ChangePlan
    from callgate.change.guarded.resume import Record
    from callgate.report.outcome import AuditReport

_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_SECONDS = click.IntRange(1, 86400)


@click.command(
    epilog="""\b
Examples:
  callgate change ssh://root@pbx1 --apply 'nft -f /root/new.nft' --rollback 'nft -f /etc/nftables.conf'
  callgate change 'ssh://admin@pbx1?sudo=true' --apply @change.sh --rollback @undo.sh --site site.yaml
  callgate change pbx1 --apply @change.sh --rollback @undo.sh --dry-run
  callgate change --status callgate-change-pbx1-20250101T120000Z/
  callgate change --resume callgate-change-pbx1-20250101T120000Z/

\b
Exit codes:
  0  applied, verified and confirmed
  1  it was a regression, or it failed: rolled back, and the host is proven to be as it was
  2  usage, baseline or site file is wrong
  3  something could not be determined: the last line says what state the host is in"""
)
@click.argument("host", required=False)
@click.option("--apply", "apply_command", metavar="CMD|@FILE", help="Shell command that makes the change.")
@click.option("--rollback", "rollback_command", metavar="CMD|@FILE", help="Shell command that undoes it.")
@click.option(
    "--confirm-within",
    type=_SECONDS,
    default=120,
    show_default=True,
    help="Seconds after the change until the host rolls back by itself what was not confirmed.",
)
@click.option(
    "--apply-within", type=_SECONDS, default=60, show_default=True, help="Seconds that each of the commands may take."
)
@click.option("--baseline", metavar="NAME|FILE", help="Baseline to judge by.  [default: voip-core]")
@click.option("--site", type=_EXISTING, help="Site file: trusted networks, services, vantages, test phones.")
@click.option("--journal", type=_FOLDER, help="New folder for journal and snapshots.  [default: in the current one]")
@click.option("--ssh-config", type=click.Path(exists=True, dir_okay=False), help="ssh_config file to use.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; nothing is connected to.")
@click.option("--resume", type=_FOLDER, metavar="JOURNAL", help="End a change whose controller did not.")
@click.option("--status", "status_of", type=_FOLDER, metavar="JOURNAL", help="Say where a change stands.")
def change(
    host: str | None,
    apply_command: str | None,
    rollback_command: str | None,
    confirm_within: int,
    apply_within: int,
    baseline: str | None,
    site: Path | None,
    journal: Path | None,
    ssh_config: str | None,
    dry_run: bool,
    resume: Path | None,
    status_of: Path | None,
) -> int:
    """Change HOST under guard: it heals itself unless the change is verified and confirmed.

    HOST is snapshot and audited; a timer is started on it that will run the rollback command; the apply command is
    run; HOST is snapshot and audited again, over fresh connections. Where strangers gained access, phones lost it, a
    control fails that passed, or anything could not be determined, the change is rolled back and a further snapshot
    proves that HOST is as it was. Where the rollback command does not bring the firewall back, what it held is
    restored from a copy made beforehand. Commands are run by sh on HOST, as the user who is logged in there.
    """
    if resume is not None or status_of is not None:
        if host or apply_command or rollback_command or (resume and status_of):
            raise click.UsageError("--resume and --status stand alone: the journal tells the rest")
        return _look_after(resume or status_of or Path(), baseline, site, ssh_config, end=resume is not None)
    if not (host and apply_command and rollback_command):
        raise click.UsageError("HOST, --apply and --rollback are needed")
    from callgate.audit.plan import make_plan
    from callgate.change.guarded.connection import Connection
    from callgate.change.guarded.plan import ChangePlan

    judged_by = make_plan(baseline, site, [])
    plan = ChangePlan(
        host=host,
        apply=_command(apply_command),
        rollback=_command(rollback_command),
        confirm_within=confirm_within,
        apply_within=apply_within,
    )
    with Connection(host, ssh_config) as connection:
        folder = journal or _default_folder(connection)
        if dry_run:
            _explain(plan, connection, judged_by, folder)
            return 0
        return _conduct(plan, connection, judged_by, folder, ssh_config)


def _conduct(
    plan: ChangePlan, connection: Connection, judged_by: AuditPlan, folder: Path, ssh_config: str | None
) -> int:
    from callgate.change.guarded.conduct import GuardedChange
    from callgate.change.guarded.interruption import one_interruption
    from callgate.change.guarded.journal import Journal

    journal = Journal(folder, _show)
    click.echo(f"journal: {folder}", err=True)
    with one_interruption():
        config = str(Path(ssh_config).absolute()) if ssh_config else None
        ending = GuardedChange(plan, connection, judged_by, journal, _audit(judged_by), _describe, config).run()
    return _tell(ending)


def _look_after(folder: Path, baseline: str | None, site: Path | None, ssh_config: str | None, *, end: bool) -> int:
    from callgate.audit.plan import make_plan
    from callgate.change.guarded.connection import Connection
    from callgate.change.guarded.interruption import one_interruption
    from callgate.change.guarded.journal import Journal
    from callgate.change.guarded.resume import read_record, status
    from callgate.change.guarded.resume import resume as go_on

    record = read_record(folder)
    with Connection(record.plan.host, ssh_config or _planned(record, "ssh_config")) as connection:
        if not end:
            return _tell(status(record, connection))
        named = _planned(record, "site")
        judged_by = make_plan(baseline or _planned(record, "baseline"), site or (Path(named) if named else None), [])
        with one_interruption():
            return _tell(go_on(record, connection, judged_by, Journal(folder, _show, resume=True)))


def _planned(record: Record, key: str) -> str | None:
    value = record.planned.get(key)
    return value if isinstance(value, str) else None


def _audit(judged_by: AuditPlan) -> Any:
    from callgate.cli.running import run_checks

    def audit(connection: Connection) -> AuditReport:
        return run_checks(judged_by, [connection.uri], ssh_config=connection.ssh_config)

    return audit


def _describe(comparison: Comparison, flipped: tuple[Flip, ...] | None) -> dict[str, Any]:
    from callgate.cli.diff_lines import Outcome

    return Outcome("before", "after", comparison, flipped).as_json()


def _command(text: str) -> str:
    """The command itself, or what the file holds that it names."""
    if not text.startswith("@"):
        return text
    from callgate.change.guarded.plan import COMMAND_LIMIT
    from callgate.errors import UsageMistake

    path = Path(text[1:])
    try:
        with path.open("rb") as file:
            return file.read(COMMAND_LIMIT + 1).decode()
    except OSError as error:
        raise UsageMistake(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageMistake(f"{path}: is not UTF-8 text") from None


def _default_folder(connection: Connection) -> Path:
    import re
    from datetime import UTC, datetime

    name = re.sub(r"[^A-Za-z0-9.-]+", "-", connection.key.partition("://")[2]).strip("-.")[:60] or "local"
    return Path(f"callgate-change-{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")


def _explain(plan: ChangePlan, connection: Connection, judged_by: AuditPlan, folder: Path) -> None:
    lines = [
        f"On {connection.key}, journal in {folder}:",
        f"1. snapshot, and audit by {judged_by.baseline.id}",
        f"2. arm: the host saves its firewall, and rolls back after {plan.confirm_within} s unless confirmed",
        f"3. apply, {plan.apply_within} s at most:",
        *(f"     {line}" for line in plan.apply.splitlines()),
        "4. snapshot and audit again, over fresh connections",
        "5. confirm when nothing got worse and nothing is unknown; else roll back, and prove it by a snapshot:",
        *(f"     {line}" for line in plan.rollback.splitlines()),
    ]
    click.echo("\n".join(_safe(line) for line in lines))


_WORDS = {"done": "", "begun": " ...", "failed": ": failed"}
_SHOWN = ("reason", "reasons", "unknown", "notes", "waiting", "changed", "regression", "guard")


def _show(entry: Entry) -> None:
    """A line of progress on stderr, for what took place and what is waited for."""
    from contextlib import suppress

    if entry.step in ("plan", "end") or (entry.state == "begun" and "waiting" not in entry.details):
        return
    said = []
    for key in _SHOWN:
        value = entry.details.get(key)
        if value not in (None, "", []):
            said.append(f"{key}: {'; '.join(map(str, value)) if isinstance(value, list) else value}")
    words = f"{entry.step}{_WORDS[entry.state]}"
    with suppress(OSError):  # nobody reads it any more: the change goes on
        click.echo(_safe(f"{entry.time[11:19]} {words}{' (' + ', '.join(said) + ')' if said else ''}", 600), err=True)


def _tell(ending: Ending) -> int:
    for reason in ending.reasons:
        click.echo(f"  {_safe(reason, 1000)}")
    if not ending.proven:
        click.echo("ATTENTION: somebody has to look at this host.")
    click.echo(_safe(ending.host, 1000))
    return ending.code


def _safe(text: str, limit: int = 2000) -> str:
    from callgate.report.visible import one_line, visible

    return visible(text, limit) if text.startswith(" ") else one_line(text, limit)
