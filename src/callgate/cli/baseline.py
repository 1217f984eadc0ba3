"""`callgate baseline`: what the baselines demand, and whether the files a user wrote are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from callgate.baseline.library import Baseline


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def baseline() -> None:
    """List, show and check baselines, sites and waivers."""


@baseline.command("list")
def list_baselines() -> None:
    """List the baselines that come with Callgate."""
    from callgate.baseline.library import load_baseline, shipped_baselines

    for path in shipped_baselines():
        loaded = load_baseline(path.stem)
        click.echo(f"{loaded.id:20} {len(loaded.controls):3} controls  {loaded.title}")


@baseline.command(
    epilog="\b\nExamples:\n  callgate baseline show voip-core\n  callgate baseline show ./ours.yaml --json"
)
@click.argument("name", default="voip-core")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(name: str, as_json: bool) -> None:
    """Show the baseline NAME (or a file), with all it inherits."""
    from callgate.baseline.library import load_baseline

    loaded = load_baseline(name)
    if as_json:
        click.echo(json.dumps(_as_data(loaded), indent=1, ensure_ascii=False))
        return
    click.echo(f"{loaded.id}: {loaded.title}")
    click.echo(f"made of: {', '.join(loaded.chain)}; judged from {loaded.judged_from}")
    click.echo(f"services: {', '.join(loaded.services)}")
    for control in loaded.controls.values():
        click.echo(f"\n{control.id}  {control.title}  [{control.severity}]")
        click.echo(f"  why: {control.rationale}")
        click.echo(f"  remedy: {control.remedy}")
        for key, value in control.parameters.items():
            click.echo(f"  {key}: {json.dumps(value)}")
        for catalogue, ids in control.references.items():
            click.echo(f"  {catalogue}: {', '.join(ids)}")


def _as_data(loaded: Baseline) -> dict[str, Any]:
    return {
        "id": loaded.id,
        "title": loaded.title,
        "chain": loaded.chain,
        "judged_from": loaded.judged_from,
        "services": loaded.services,
        "controls": [control.model_dump(mode="json") for control in loaded.controls.values()],
    }


@baseline.command(epilog="\b\nExample:\n  callgate baseline validate ours.yaml site.yaml waivers.yaml")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> None:
    """Check baseline, site and waiver FILES; every mistake is one line with file, line and what was expected."""
    from callgate.baseline.library import load_baseline
    from callgate.baseline.site import load_site, load_waivers
    from callgate.baseline.source import read_source
    from callgate.errors import FileMistakes, Mistake

    mistakes: list[Mistake] = []
    for path in files:
        try:
            data = read_source(path).data
            keys = set(data) if isinstance(data, dict) else set()
            if keys & {"controls", "extends", "id"}:
                name = str(path) if "/" in str(path) else f"./{path}"
                click.echo(f"{path}: baseline {load_baseline(name).id} is sound")
            elif keys == {"waivers"}:
                click.echo(f"{path}: {len(load_waivers(path))} waivers are sound")
            else:
                load_site(path)
                click.echo(f"{path}: the site file is sound")
        except FileMistakes as error:
            mistakes.extend(error.mistakes)
    if mistakes:
        raise FileMistakes(mistakes)


@baseline.command(epilog="\b\nExample:\n  callgate baseline schema site > site.schema.json")
@click.argument("kind", type=click.Choice(["baseline", "site", "waivers"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a KIND of file, for editors and CI."""
    from callgate.baseline.schema import schema_text

    click.echo(schema_text(kind), nl=False)
