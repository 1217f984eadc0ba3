"""`callgate remedy`: the smallest change that closes what is open, proven before it is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from callgate.evidence.bundle import Bundle

_FORMATS = ("nft", "iptables", "firewalld", "ufw", "ansible")


@click.command(
    epilog="""\b
Examples:
  callgate remedy pbx1/ --format nft --site site.yaml --out remedy.sh
  callgate remedy pbx1/ --format nft --site site.yaml | ssh root@pbx1 sh
  callgate remedy ssh://root@pbx1 --format firewalld --site site.yaml
  callgate remedy pbx1/ --format iptables --site site.yaml --rollback | ssh root@pbx1 sh

\b
Exit codes:
  0  a remedy is printed, or there is nothing to remedy
  1  this format has no remedy that is proven to be effective
  2  usage or site file is wrong
  3  the evidence does not tell"""
)
@click.argument("evidence")
@click.option("--format", "form", type=click.Choice(_FORMATS), required=True, help="What the host's rules are kept in.")
@click.option("--site", type=click.Path(path_type=Path, dir_okay=False), help="Site file: trusted networks, services.")
@click.option("--service", "names", multiple=True, metavar="NAME", help="Only this service (repeatable).")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@click.option("--rollback", "back", is_flag=True, help="Print what takes the remedy out again.")
@click.option("--ssh-config", type=click.Path(exists=True, dir_okay=False), help="ssh_config file to use.")
def remedy(
    evidence: str,
    form: Literal["nft", "iptables", "firewalld", "ufw", "ansible"],
    site: Path | None,
    names: tuple[str, ...],
    out: Path | None,
    back: bool,
    ssh_config: str | None,
) -> int:
    """Print the smallest change that closes to strangers what EVIDENCE shows open, and lets trusted networks in.

    EVIDENCE is a bundle (a folder or .tar.gz) or a host (ssh://root@pbx1), whose evidence is collected now. What is
    printed is a script for the host's root (`sh remedy.sh`, `sh remedy.sh rollback`, `sh remedy.sh status`) or, as
    ansible, a playbook. It is proven by the firewall engine on this very host, now and after a boot, or not printed.
    Nothing is changed by this command itself.
    """
    from callgate.audit.plan import make_plan
    from callgate.change.remedy.recipe import Refused
    from callgate.change.remedy.remedy import remedy as write
    from callgate.change.remedy.remedy import rollback
    from callgate.change.snapshot import target_of
    from callgate.errors import UsageMistake
    from callgate.report.visible import visible

    plan = make_plan("voip-core", site, [])
    known = {service.name: service for service in plan.services}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageMistake(f"no service {unknown[0]!r} here; there are {', '.join(known)}")
    target = target_of(_bundle(evidence, ssh_config), plan)
    notes: tuple[str, ...] = ()
    try:
        if back:
            recipe = rollback(target, form)
        else:
            found = write(target, form, [known[name] for name in names] if names else None)
            recipe, notes = (found.recipe, found.notes) if found else (None, ())
    except Refused as error:
        click.echo(f"callgate: refused: {visible(str(error))}", err=True)
        return 1
    for note in notes:
        click.echo(f"callgate: note: {visible(note)}", err=True)
    if recipe is None:
        click.echo("callgate: there is nothing to remedy", err=True)
    text = recipe.script if recipe else ""
    if out is None:
        click.echo(text, nl=False)
    else:
        _write(out, text)
    return 0


def _write(out: Path, text: str) -> None:
    from callgate.errors import UsageMistake

    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageMistake(f"{out}: cannot be written: {error.strerror}") from None


def _bundle(evidence: str, ssh_config: str | None) -> Bundle:
    """The bundle that is named, or one collected from the host that is.

    Raises UsageMistake for what is neither, CollectionError for a host that gives no evidence.
    """
    from callgate.cli.evidence_argument import evidence_of

    if "://" not in evidence or evidence.startswith("bundle://"):
        return evidence_of(evidence).bundle
    import testinfra

    from callgate.evidence.backends import host_uri
    from callgate.evidence.collector import collect
    from callgate.evidence.logins import SharedLogins

    with SharedLogins() as logins:
        config = str(logins.config(ssh_config))
        return collect(testinfra.get_host(logins.shared(host_uri(evidence)), ssh_config=config))
