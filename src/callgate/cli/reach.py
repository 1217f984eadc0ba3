"""`callgate reach`: who can reach each service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from callgate.audit.reaching import Reaching
    from callgate.firewall.sources import Door


@click.command(
    epilog="""\b
Examples:
  callgate reach pbx1/
  callgate reach pbx1.tar.gz --site site.yaml --json
  callgate reach pbx1/ --service sccp --service sip-udp"""
)
@click.argument("evidence")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--site", type=click.Path(path_type=Path, dir_okay=False), help="Site file: its services and ports.")
@click.option("--service", "names", multiple=True, metavar="NAME", help="Only this service (repeatable).")
def reach(evidence: str, as_json: bool, site: Path | None, names: tuple[str, ...]) -> int:
    """Print which sources can open a new flow to each service of the host that EVIDENCE describes.

    EVIDENCE is a bundle: a folder or .tar.gz. Every source, source port, address of the host and translation is
    weighed. `sources` surely get in; for those `doubtful` it rests on something the evidence does not tell. Whether
    anything listens is not asked: this is what the rules and the routing let through.
    """
    from callgate.audit.plan import make_plan
    from callgate.audit.reaching import reaching_of
    from callgate.cli.evidence_argument import evidence_of
    from callgate.errors import UsageMistake

    plan = make_plan("voip-core", site, [])
    known = {service.name: service for service in plan.services}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageMistake(f"no service {unknown[0]!r} here; there are {', '.join(known)}")
    found = reaching_of(evidence_of(evidence), plan.site, [known[name] for name in names or known])
    if as_json:
        click.echo(json.dumps([_row(one) for one in found], indent=1, ensure_ascii=False))
    else:
        for one in found:
            click.echo(_line(one))
    return 0


def _row(one: Reaching) -> dict[str, Any]:
    from callgate.firewall.sources import cidrs

    family, door = one.entrance.family, one.door
    return {
        "service": one.service,
        "family": family,
        "interface": one.entrance.interface,
        "sources": [text for text, _ in cidrs(family, door.surely)],
        "doubtful": [text for text, _ in cidrs(family, door.perhaps)],
        "rules": _rules(door),
    }


def _rules(door: Door) -> list[str]:
    return list(dict.fromkeys(rule for way in door.ways for rule in way.rules))


def _line(one: Reaching) -> str:
    from callgate.firewall.sources import in_words

    family, door = one.entrance.family, one.door
    said = in_words(family, door.surely) if door.surely else "nobody"
    doubt = f"; perhaps {in_words(family, door.perhaps)}" if door.perhaps else ""
    rules = "".join(f"\n    {rule}" for rule in _rules(door))
    return f"{one.service} IPv{family} {one.entrance.interface}: {said}{doubt}{rules}"
