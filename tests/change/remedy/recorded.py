"""Recorded hosts as their audit sees them, and made-up ones, for tests of remedies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from callgate.audit.plan import AuditPlan
from callgate.audit.target import Target
from callgate.baseline.library import load_baseline
from callgate.baseline.site import Site
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import Bundle, read_bundle
from callgate.firewall.rule import Ruleset

HOSTS = Path(__file__).parents[2] / "data" / "hosts"
NAMES = sorted(path.name for path in HOSTS.iterdir())
SITE = {"trusted": ["192.168.1.0/24", "fd00:1::/64"]}


def plan(**site: object) -> AuditPlan:
    """The core baseline, and a site with the recorded hosts' trusted networks."""
    return AuditPlan(load_baseline("voip-core"), Site.model_validate({**SITE, **site}), None, ())


@cache
def recorded(name: str) -> Target:
    """A recorded host, with evidence of its boot left out: what runs is what counts here."""
    return changed(name)


def changed(name: str, files: Mapping[str, str | None] | None = None, **site: object) -> Target:
    """A recorded host with some files changed (None takes one away)."""
    bundle = read_bundle(HOSTS / name)
    held = {file: bundle.read(file) for file in bundle.names() if not file.startswith("etc/")}
    for file, text in (files or {}).items():
        if text is None:
            held.pop(file, None)
        else:
            held[file] = text.encode()
    return target_of(Bundle(name, held), plan(**site))


def texts_of(ruleset: Ruleset) -> dict[str, tuple[str, ...]]:
    """The rules of each chain that has some."""
    return {
        str(name): tuple(rule.text for rule in chain.rules) for name, chain in ruleset.chains.items() if chain.rules
    }
