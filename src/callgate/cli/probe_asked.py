"""What the words of `callgate probe` ask for: targets, services, ports."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TextIO

import click

from callgate.baseline.service import CATALOGUE, JUDGED_BY_DEFAULT
from callgate.endpoint.exchange import Transport
from callgate.endpoint.probe.question import ProbedService
from callgate.endpoint.probe.resolving import resolve
from callgate.endpoint.probe.target import MAXIMUM_LINE, Address, Target, parse_target, read_targets
from callgate.errors import UsageMistake

_SPAN = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


def targets_of(words: Sequence[str], file: str | None, families: frozenset[int]) -> list[Target]:
    """The targets named on the command line and in a file. Addresses of another family are left out, and counted.

    Raises UsageMistake, and FileMistakes for lines of the file.
    """
    found = [parse_target(word) for word in words]
    if file is not None:
        path = Path("<stdin>" if file == "-" else file)
        try:
            source = nullcontext(sys.stdin) if file == "-" else open(file, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        except OSError as error:
            raise UsageMistake(f"{file}: {error.strerror}") from None
        with source as stream:
            try:
                found += read_targets(_lines(stream), path)
            except OSError as error:
                raise UsageMistake(f"{file}: {error.strerror}") from None
    if not found:
        raise UsageMistake("no target: name hosts or networks, or give --targets FILE")
    kept = [target for target in found if _family(target) in families | {None}]
    if not kept:
        raise UsageMistake(f"no target is left: none is IPv{min(families)}")
    if len(kept) < len(found):
        click.echo(f"callgate: {len(found) - len(kept)} targets left out: not IPv{min(families)}", err=True)
    return kept


def services_of(names: Sequence[str]) -> list[ProbedService]:
    """Services by their name in the catalogue, or all of a protocol like `sip`; by default those judged by default."""
    chosen: dict[str, ProbedService] = {}
    for name in names or JUDGED_BY_DEFAULT:
        found = (
            [CATALOGUE[name]] if name in CATALOGUE else [one for one in CATALOGUE.values() if one.application == name]
        )
        if not found:
            shown = ascii(name)[1:-1][:40]
            raise UsageMistake(f"--service {shown}: no such service; there are {', '.join(CATALOGUE)}")
        for one in found:
            way = Transport.TLS if one.tls else Transport(one.transport)
            chosen[one.name] = ProbedService(one.name, one.application, way, one.port)
    return list(chosen.values())


def ports_of(words: Sequence[str]) -> list[range]:
    """Ports like `2000`, `2000-2010` or `2000,2443`."""
    spans = []
    for word in (part for words_ in words for part in words_.split(",")):
        found = _SPAN.fullmatch(word)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= 65535:
            shown = ascii(word)[1:-1][:40]
            raise UsageMistake(f"--port {shown}: a port between 1 and 65535 is expected, or a range like 2000-2010")
        spans.append(range(first, last + 1))
    return spans


def resolved_names(
    targets: Sequence[Target], families: frozenset[int]
) -> tuple[Mapping[str, tuple[Address, ...] | str], list[tuple[Target, str]]]:
    """The addresses of the names among the targets, and the targets that have none, with the reason."""
    found = resolve(target.where for target in targets if isinstance(target.where, str))
    failures = []
    for target in dict.fromkeys(targets):
        if not isinstance(target.where, str):
            continue
        addresses = found[target.where]
        if isinstance(addresses, str):
            failures.append((target, addresses))
        elif not any(address.version in families for address in addresses):
            failures.append((target, f"the name has no IPv{min(families)} address"))
    return found, failures


def _lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(MAXIMUM_LINE + 2):
        yield line.rstrip("\n")


def _family(target: Target) -> int | None:
    """None: a name, whose addresses are still to be found."""
    where = target.where
    known = isinstance(where, IPv4Address | IPv6Address | IPv4Network | IPv6Network)
    return where.version if known and not isinstance(where, str) else None
