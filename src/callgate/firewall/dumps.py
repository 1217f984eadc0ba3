"""All firewall dumps of a host, read together: which one tells the truth about which table.

`iptables-save` of the nf_tables back end misprints native rules; `nft -j` hides the parameters of iptables' own
matches. So nf_tables' tables are read from `nft -j`, and rules with hidden parameters are filled in from the save
text of the same chain. Legacy tables stand in dumps of their own. (Observed with iptables 1.8.9 and nftables 1.0.6.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal

from callgate.errors import EvidenceError
from callgate.firewall.iptables.ipset import read_ipset
from callgate.firewall.iptables.save import SaveDump, read_save, written_by
from callgate.firewall.nftables.ruleset import read_nft
from callgate.firewall.rule import BaseChain, Chain, ChainName, Family, Ruleset
from callgate.firewall.survey import faulty_jump

SAVES: Final[tuple[tuple[str, Literal["ip", "ip6"]], ...]] = (
    ("iptables-save.txt", "ip"),
    ("ip6tables-save.txt", "ip6"),
)
LEGACY: Final[tuple[tuple[str, Literal["ip", "ip6"]], ...]] = (
    ("iptables-legacy-save.txt", "ip"),
    ("ip6tables-legacy-save.txt", "ip6"),
)
BUILT_IN: Final = ("raw", "mangle", "nat", "filter", "security")
DUMPS: Final = (*(file for file, _ in SAVES), *(file for file, _ in LEGACY), "nft.json", "nft.txt", "ipset-save.txt")


def read_ruleset(texts: Mapping[str, str]) -> Ruleset:
    """Read the dumps there are, by the names of the bundle; one that is not there counts as empty.

    Raises EvidenceError, with the line where there is one, for a dump that is not what its name says or cut short.
    """
    sets = read_ipset(texts["ipset-save.txt"], "ipset-save.txt") if "ipset-save.txt" in texts else None
    nft_text = texts.get("nft.json")
    # A SET, TTL or DSCP target in one dump changes what the rules of all others see.
    beside = [texts[file] for file, _ in (*SAVES, *LEGACY) if file in texts]
    saves: list[tuple[str, SaveDump]] = []
    legacy: list[tuple[str, SaveDump]] = []
    for file, family in SAVES:
        if file in texts:
            alone = nft_text is None or _has_tables(nft_text, family)
            writer = written_by(texts[file]) or ("nft" if alone else "legacy")
            found = read_save(texts[file], file, family=family, backend=writer, sets=sets, beside=beside)
            (saves if writer == "nft" else legacy).append((file, found))
    for file, family in LEGACY:
        if file in texts:
            found = read_save(texts[file], file, family=family, backend="legacy", sets=sets, beside=beside)
            legacy.append((file, found))
    base: dict[ChainName, BaseChain] = {}
    chains: dict[ChainName, Chain] = {}
    tracked: set[Family] = set()
    for _, dump in legacy:
        # The same legacy table may stand in two dumps; the later one is the legacy tool's own.
        base |= {one.chain.name: one for one in dump.base_chains}
        chains |= dump.chains
        tracked |= dump.tracked
    for file, dump in (*legacy, *saves):
        _check_jumps(file, texts[file], dump)
    if nft_text is None:
        for _, dump in saves:
            base |= {one.chain.name: one for one in dump.base_chains}
            chains |= dump.chains
            tracked |= dump.tracked
        return Ruleset(tuple(base.values()), chains, frozenset(tracked))
    filled = {name: chain for _, dump in saves for name, chain in dump.chains.items()}
    native = read_nft(nft_text, "nft.json", listing=texts.get("nft.txt"), filled=filled)
    for file, dump in saves:
        tracked |= dump.tracked
        _agree(file, dump, native)
    return Ruleset(
        (*base.values(), *native.base_chains),
        chains | dict(native.chains),
        frozenset(tracked | native.tracked),
        native.notes,
    )


def _check_jumps(file: str, text: str, dump: SaveDump) -> None:
    """Raise EvidenceError with the line of a jump that leads nowhere, in a circle or too deep."""
    fault = faulty_jump(dump.chains)
    if fault is None:
        return
    rule, problem = fault
    table = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("*"):
            table = line[1:].strip()
        if table == rule.chain.table and line.strip().endswith(rule.text):
            raise EvidenceError(file, f"{problem}: {rule.text[:80]!r}", number)
    raise EvidenceError(file, f"{str(rule)[:160]} {problem}")


def _has_tables(nft_text: str | None, family: str) -> bool:
    """Whether nf_tables has a table of iptables: then a dump that does not say who wrote it shows that one."""
    try:
        entries = json.loads(nft_text or "{}").get("nftables", ())
        tables = [entry["table"] for entry in entries if "table" in entry]
        return any(table["family"] == family and table["name"] in BUILT_IN for table in tables)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return False  # read_nft says what is wrong with it


def _agree(file: str, dump: SaveDump, native: Ruleset) -> None:
    """Raise EvidenceError when a save dump shows rules in a table that `nft -j` does not have."""
    there = {(name.family, name.table) for name in native.chains}
    for name, chain in dump.chains.items():
        if chain.rules and (name.family, name.table) not in there:
            raise EvidenceError(
                "nft.json", f"has no table {name.family} {name.table[:40]}, but {file} shows rules in it"
            )
