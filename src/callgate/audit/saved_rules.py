"""Saved rules without their host, like those of a pull request: loaded here, and judged as a ruleset alone."""

from __future__ import annotations

import re
from typing import Final

from callgate.audit.boot_saved import load_saved
from callgate.errors import EvidenceError, LabError, NotDetermined
from callgate.evidence.boot import boot_plan
from callgate.evidence.bundle import Bundle
from callgate.evidence.evidence import Evidence
from callgate.firewall.dumps import DUMPS

_NAMED: Final = re.compile(
    r"\b[io]if\s+(?:!=\s*)?\"?(?P<nft>[\w.@-]{1,15})|<interface\s+name=\"(?P<zone>[\w.@-]{1,15})\""
)
"""Interfaces that must be there for the rules to load: nft's `iif` and `oif` look them up, firewalld binds them."""


def with_rules_loaded(bundle: Bundle) -> Bundle:
    """The bundle itself; or, where it tells no rules but holds files below etc/ that load at boot, what they load.

    Both families are then judged: what no file filters is open once the host has started. Raises EvidenceError where
    a file does not load, NotDetermined where it cannot be loaded here.
    """
    if not bundle.by_hand or {*DUMPS, "ip-addr.json"} & set(bundle.names()):
        return bundle
    loading = [loader for loader in boot_plan(Evidence(bundle)).loading if loader.files]
    if not loading:
        return bundle
    files = {path: text for loader in loading for path, text in loader.files.items()}
    named = {found["nft"] or found["zone"] for text in files.values() for found in _NAMED.finditer(text)}
    try:
        saved = load_saved(files, [loader.name for loader in loading], sorted(named - {"lo"}), legacy=False)
    except LabError as error:
        raise NotDetermined(f"the saved rules cannot be loaded here: {error}") from None
    for file, words in saved.complaints.items():
        raise EvidenceError(file, f"does not load: {' / '.join(words.splitlines())}")
    return Bundle(bundle.source, {name: text.encode() for name, text in saved.texts.items() if name in DUMPS})
