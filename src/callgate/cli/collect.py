"""`callgate collect`: evidence of a host into a bundle."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  callgate collect ssh://root@pbx1 --out pbx1/
  callgate collect 'ssh://admin@pbx1?sudo=true' --out pbx1/
  callgate collect docker://asterisk --out asterisk/
  callgate collect --script                     print what is run on the host"""
)
@click.argument("host", default="local://")
@click.option("--out", "out", type=click.Path(path_type=Path, file_okay=False), help="New or empty folder to write to.")
@click.option("--ssh-config", type=click.Path(exists=True, dir_okay=False), help="ssh_config file to use.")
@click.option("--seconds", type=click.IntRange(1, 600), default=20, show_default=True, help="Time limit per command.")
@click.option("--script", "show_script", is_flag=True, help="Print the collector script and end.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def collect(host: str, out: Path | None, ssh_config: str | None, seconds: int, show_script: bool, quiet: bool) -> int:
    """Collect the evidence of HOST (default: this machine) in one round trip, changing nothing there.

    What could not be read, for lack of the tool or of the right, is recorded as such in manifest.json; it never
    counts as empty. Exit code 3 says that some file is missing for a reason other than that the host has none.
    """
    from callgate.evidence import collector

    if show_script:
        click.echo(collector.script(), nl=False)
        return 0
    if out is None:
        raise click.UsageError("--out DIR is needed: the folder for the bundle")
    if out.exists() and any(out.iterdir()):
        raise click.UsageError(f"{out} is not empty: a bundle needs a folder of its own")

    import testinfra

    from callgate.evidence.backends import host_uri
    from callgate.evidence.bundle import write_bundle
    from callgate.evidence.logins import SharedLogins
    from callgate.evidence.stream import FileState

    with SharedLogins() as logins:
        connection = testinfra.get_host(logins.shared(host_uri(host)), ssh_config=str(logins.config(ssh_config)))
        bundle = collector.collect(connection, seconds)
    write_bundle(bundle, out)
    records = bundle.manifest.files if bundle.manifest else {}
    lacking = {name: record for name, record in records.items() if record.obstacle()}
    if not quiet:
        click.echo(f"{host}: {len(records) - len(lacking)} files of evidence in {out}")
        for name, record in lacking.items():
            click.echo(f"  not there: {name}: {record.obstacle()}")
    return 3 if any(record.state is not FileState.ABSENT for record in lacking.values()) else 0
