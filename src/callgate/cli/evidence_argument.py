"""The EVIDENCE argument of commands that work on a bundle alone."""

from __future__ import annotations

from pathlib import Path

from callgate.audit.saved_rules import with_rules_loaded
from callgate.errors import UsageMistake
from callgate.evidence.bundle import read_bundle
from callgate.evidence.evidence import Evidence


def evidence_of(argument: str) -> Evidence:
    """The evidence in a folder or archive, also when it is written as `bundle://DIR`.

    Saved rules without a host are loaded, see `with_rules_loaded`. Raises UsageMistake when there is none,
    EvidenceError when it is damaged.
    """
    path = Path(argument.removeprefix("bundle://"))
    if "://" in str(argument) and not argument.startswith("bundle://"):
        raise UsageMistake(f"{argument} is a host: collect its evidence first, with `callgate collect`")
    if not path.exists():
        raise UsageMistake(f"{path}: there is no such bundle")
    return Evidence(with_rules_loaded(read_bundle(path)))
