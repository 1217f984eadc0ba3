"""`nft -j list ruleset` read into the rule model, with the help of the plain listing and of iptables-save.

The JSON of nft 1.0.6 leaves out the interfaces of ingress chains, says oddly that a table is dormant, and hides the
parameters of most xtables matches: the first two stand in the plain listing, the last in iptables-save.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from callgate.errors import EvidenceError
from callgate.firewall.nftables.dump import Table, broken_strings, read_dump
from callgate.firewall.nftables.listing import ListedChain, read_listing
from callgate.firewall.nftables.match import Scope
from callgate.firewall.nftables.set_elements import NamedSet
from callgate.firewall.nftables.statement import read_statement
from callgate.firewall.nftables.steps import Rewrite, Steps
from callgate.firewall.nftables.tracking import QUIET, tracks
from callgate.firewall.nftables.value import Json, MalformedJsonError, shorten
from callgate.firewall.rule import (
    BaseChain,
    Chain,
    ChainName,
    Choose,
    Condition,
    Every,
    Family,
    FieldName,
    Goto,
    Jump,
    Not,
    Return,
    Rule,
    Ruleset,
    Some,
    Step,
    Tuples,
    Verdict,
    Within,
)
from callgate.firewall.survey import faulty_jump

_MAX_TEXT: Final = 200
_MAX_BROKEN: Final = 100
_COUNTED: Final = re.compile(r"\bcounter packets \d+ bytes \d+ ?")
"""What a rule has counted is no part of what it says; iptables-save's text comes without it, too."""
_HOOKS: Final = ("ingress", "prerouting", "input", "forward", "output", "postrouting", "egress")
_BOTH: Final[frozenset[Family]] = frozenset((4, 6))
_FAMILIES: Final[dict[str, frozenset[Family]]] = {
    "ip": frozenset((4,)), "ip6": frozenset((6,)), "inet": _BOTH, "bridge": _BOTH, "netdev": frozenset(),
}  # fmt: skip
_FLAGS: Final = frozenset(("dormant", "owner", "persist"))


def read_nft(text: str, file: str, *, listing: str | None, filled: Mapping[ChainName, Chain]) -> Ruleset:
    """Read `nft -j list ruleset`; `listing` is what `nft list ruleset` printed at the same time.

    `filled` are the chains that iptables-save (nf_tables) shows: a rule with xtables parts is taken from the same
    place of its chain there. Raises EvidenceError when the text is not what nft prints.
    """
    try:
        tables = read_dump(text, file)
        reader = _Reader(file, filled)
        notes: list[str] = []
        if listing is None:
            if tables:
                notes.append(f"{file}: there is no plain listing beside it: tables count as active unless it says more")
        elif len(broken := broken_strings(text)) > _MAX_BROKEN:
            notes.append(f"{file}: the plain listing is passed over, for too many comments in it span lines")
        else:
            listed = read_listing(listing, broken)
            for table in tables.values():
                found = listed.get((table.family, table.name))
                if found is not None:
                    table.listed, table.in_listing = found, True
        for table in tables.values():
            reader.read(table)
        return reader.ruleset(tuple(notes))
    except RecursionError:
        raise EvidenceError(file, "is nested deeper than anything nft prints") from None


@dataclass(slots=True, eq=False)
class _Reader:
    file: str
    filled: Mapping[ChainName, Chain]
    shared: dict[Condition, Condition] = field(default_factory=dict)
    fields: set[FieldName] = field(default_factory=set)
    tracked: set[Family] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    rules: dict[ChainName, list[Rule]] = field(default_factory=dict)
    waiting: list[tuple[ChainName, int, Steps]] = field(default_factory=list)
    """Rules whose steps depend on what other rules look at."""
    bases: list[tuple[ChainName, dict[str, Json], ListedChain]] = field(default_factory=list)

    def read(self, table: Table) -> None:
        if table.family == "arp":
            return
        for chain in table.rules:
            if chain not in table.chains:
                raise EvidenceError(self.file, f"{table} has a rule in chain {shorten(chain)}, which is not there")
        for expressions in (one for rules in table.rules.values() for one in rules):
            self._mark_changing(table, expressions)
        frames = table.family == "netdev" or any(one.get("hook") == "ingress" for one in table.chains.values())
        scope = Scope(table.family, table.sets, frozenset(table.chains), frames, self.shared, self.fields)
        dormant = self._dormant(table)
        for chain, content in table.chains.items():
            name = ChainName("nft", table.family, table.name, chain)
            rules = table.rules.get(chain, [])
            listed = table.listed.chains.get(chain, ListedChain())
            self.rules[name] = self._chain(name, rules, listed.rules, scope)
            if self._is_base(name, content) and content["hook"] != "egress" and not dormant:
                self.bases.append((name, content, listed))
        if table.tracks or scope.tracks:
            self.tracked |= _FAMILIES[table.family]

    def _mark_changing(self, table: Table, expressions: list[Json]) -> None:
        for one in expressions:
            for kind in ("set", "map"):
                if kind in one and type(one[kind]) is dict:
                    reference = one[kind].get(kind)
                    changed = table.sets.get(reference[1:]) if type(reference) is str else None
                    if changed is None:
                        raise EvidenceError(self.file, f"{table}: a rule changes {shorten(reference)}, which is no set")
                    changed.changes = True
            if "meter" in one and type(one["meter"]) is dict and type(name := one["meter"].get("name")) is str:
                table.sets.setdefault(name, NamedSet(name, [], maps=False, changes=True))

    def _dormant(self, table: Table) -> bool:
        """Whether the table does nothing. nft 1.0.6 prints a table's name in place of its flags."""
        flags = table.flags if type(table.flags) is list else [] if table.flags is None else [table.flags]
        if all(type(flag) is str and flag in _FLAGS for flag in flags) and table.flags != table.name:
            if table.in_listing and "dormant" in flags and not table.listed.dormant:
                raise EvidenceError(self.file, f"{table} is dormant, and the plain listing says it is not")
            return table.listed.dormant or "dormant" in flags
        if table.in_listing:
            return table.listed.dormant
        raise EvidenceError(self.file, f"{table} may be dormant or not: the plain listing beside it would tell")

    def _is_base(self, name: ChainName, content: dict[str, Json]) -> bool:
        if not content.keys() & {"hook", "type", "prio", "policy"}:
            return False
        hook, kind, priority = content.get("hook"), content.get("type"), content.get("prio")
        if hook not in _HOOKS or kind not in ("filter", "nat", "route") or type(priority) is not int:
            told = f"hook {shorten(hook)}, type {shorten(kind)}, prio {shorten(priority)}"
            raise EvidenceError(self.file, f"{shorten(str(name))} is not a base chain: {told}")
        if content.get("policy", "accept") not in ("accept", "drop"):
            raise EvidenceError(self.file, f"{shorten(str(name))}: policy {shorten(content['policy'])}")
        return True

    def _chain(self, name: ChainName, rules: list[list[Json]], lines: list[str], scope: Scope) -> list[Rule]:
        read: list[Rule] = []
        known = self.filled.get(name)
        use = known.rules if known is not None and len(known.rules) == len(rules) else None
        texts = lines if len(lines) == len(rules) else None
        for at, expressions in enumerate(rules):
            if use is not None and any("xt" in one for one in expressions) and _alike(expressions, use[at].steps):
                self.fields.update(_fields(use[at].steps))
                scope.tracks = scope.tracks or tracks(expressions)
                read.append(Rule(use[at].steps, use[at].text, name, at + 1))
                continue
            steps = Steps(scope)
            try:
                for one in expressions:
                    for kind, content in one.items():
                        if kind == "match":
                            steps.demand(scope.match(content))
                        else:
                            read_statement(steps, kind, content)
                            if kind not in QUIET:
                                scope.tracks = scope.tracks or tracks(one)
            except MalformedJsonError as problem:
                raise EvidenceError(self.file, f"{shorten(str(name))} rule {at + 1}: {problem}") from None
            text = (_COUNTED.sub("", texts[at]).strip() or "counter") if texts is not None else _compact(expressions)
            read.append(Rule(() if steps.rewrites else steps.finished(), text, name, at + 1))
            if steps.rewrites:
                self.waiting.append((name, at, steps))
        return read

    def ruleset(self, notes: tuple[str, ...]) -> Ruleset:
        """Everything read so far, put together."""
        looked_at = frozenset(self.fields)
        for name, at, steps in self.waiting:
            rule = self.rules[name][at]
            self.rules[name][at] = replace(rule, steps=steps.finished(looked_at))
            self._note_rewrites(rule, steps, looked_at)
        chains = {name: Chain(name, tuple(rules)) for name, rules in self.rules.items()}
        if fault := faulty_jump(chains):
            raise EvidenceError(self.file, f"{str(fault[0])[:160]} {fault[1]}")
        bases = tuple(
            BaseChain(
                chains[name], content["hook"], content["prio"], content["type"], content.get("policy", "accept"),
                _devices(self.file, name, content, listed),
            )
            for name, content, listed in self.bases
        )  # fmt: skip
        return Ruleset(bases, chains, frozenset(self.tracked), (*notes, *self.notes))

    def _note_rewrites(self, rule: Rule, steps: Steps, looked_at: frozenset[FieldName]) -> None:
        self.notes.extend(
            f"{shorten(str(rule.chain))} rule {rule.position}: {step.why} left out, no nftables rule reads {step.field}"
            for step in steps.steps
            if isinstance(step, Rewrite) and step.field not in looked_at
        )


def _devices(file: str, name: ChainName, content: dict[str, Json], listed: ListedChain) -> tuple[str, ...] | None:
    """The interfaces of an ingress chain; None where neither dump names them."""
    if content["hook"] != "ingress":
        return ()
    devices = content.get("dev", content.get("devs"))
    if type(devices) is str:
        devices = [devices]
    if devices is None:
        return listed.devices or None
    if type(devices) is not list or not devices or not all(type(device) is str and device for device in devices):
        raise EvidenceError(file, f"{shorten(str(name))}: devices {shorten(devices)}")
    return tuple(devices)


def _compact(expressions: list[Json]) -> str:
    return shorten(json.dumps(expressions, separators=(",", ":"), ensure_ascii=False), _MAX_TEXT)


def _alike(expressions: list[Json], steps: tuple[Step, ...]) -> bool:
    """Whether the native verdict of a rule is that of the rule iptables-save has in its place."""
    last = steps[-1] if steps else None
    for one in expressions:
        for kind in ("jump", "goto"):
            if kind in one and type(one[kind]) is dict:
                wanted = Jump if kind == "jump" else Goto
                return isinstance(last, wanted) and last.chain == one[kind].get("target")
        if "accept" in one or "drop" in one:
            return last == Verdict("accept" if "accept" in one else "drop")
        if "return" in one:
            return isinstance(last, Return)
    return True


def _fields(steps: tuple[Step, ...]) -> Iterator[FieldName]:
    stack: list[Step] = list(steps)
    while stack:
        step = stack.pop()
        if isinstance(step, Within):
            yield step.field
        elif isinstance(step, Tuples):
            yield from step.fields
        elif isinstance(step, Every | Some):
            stack += step.conditions
        elif isinstance(step, Not):
            stack.append(step.condition)
        elif isinstance(step, Choose):
            for condition, action in step.branches:
                stack += (condition, action)
