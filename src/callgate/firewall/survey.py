"""What a ruleset says as a whole, before any packet: jumps that cannot be, marks that matter, values told apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from callgate.errors import EvidenceError
from callgate.firewall.rule import (
    ACTIONS,
    Action,
    AddressType,
    BaseChain,
    Chain,
    ChainName,
    Choose,
    Condition,
    Every,
    FieldName,
    Goto,
    Interface,
    InterfaceName,
    Jump,
    Not,
    NoTrack,
    Opaque,
    Queue,
    ReversePath,
    Rule,
    Ruleset,
    SetMark,
    Some,
    Step,
    Translate,
    Tuples,
    Unknown,
    Verdict,
    Within,
)

DEPTH: Final = 128
"""How deep chains may nest. Linux allows 16 levels in nf_tables; legacy tables go deeper, but nobody does."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What holds of the whole ruleset."""

    marks_read: frozenset[str]
    """The marks some rule looks at, or copies into one that is looked at."""
    bounds: dict[FieldName, tuple[int, ...]]
    """For each field, the numbers at which some rule's answer may change, in order."""
    early_bounds: dict[FieldName, tuple[int, ...]]
    """The same of the chains before routing alone, and of what is asked about a flow's first packet."""
    masked: frozenset[FieldName]
    """The fields some rule looks at through a mask: no two values are then known to be alike."""
    flag_bits: int
    """The TCP flags some rule looks at."""
    interfaces: frozenset[InterfaceName]
    """The interface names some rule looks for."""
    asks_routes: bool
    """Whether some rule asks what the routes or addresses of the packet's own interface say."""
    lucky: bool
    """Whether some rule depends on rate or chance, of which a sender can have the best by trying again."""
    translates: bool
    """Whether some rule sends packets to another address or port than they were sent to."""
    writers: frozenset[ChainName]
    """Base chains that change what later chains see (marks, tracking, addresses): their order matters."""
    refusals: dict[ChainName, frozenset[str]]
    """How each base chain can refuse: drop, reject."""


def survey(ruleset: Ruleset) -> Survey:
    """Look over every rule once.

    Raises EvidenceError where a jump leads to a chain that is not there, in a circle, or too deep.
    """
    if fault := faulty_jump(ruleset.chains):
        raise EvidenceError(fault[0].chain.table, f"{_short(fault[0])} {fault[1]}")
    read: set[str] = set()
    taken: set[str] = set()
    bounds: dict[FieldName, set[int]] = {}
    masked: set[FieldName] = set()
    early: dict[FieldName, set[int]] = {}
    first = _before_routing(ruleset)
    seen: set[int] = set()
    seen_early: set[int] = set()
    flag_bits = 0
    lucky = translates = asks_routes = False
    interfaces: set[InterfaceName] = set()
    for chain in ruleset.chains.values():
        for rule in chain.rules:
            for step in rule.steps:
                if chain.name in first:
                    for condition in _conditions(step, seen_early):
                        _note(condition, set(), early, set())
                for condition in _conditions(step, seen):
                    _note(condition, read, bounds, masked)
                    if isinstance(condition, Interface):
                        interfaces.update(condition.names)
                    asks_routes |= isinstance(condition, ReversePath) or (
                        isinstance(condition, AddressType) and condition.interface is not None
                    )
                    lucky |= isinstance(condition, Unknown) and condition.at_first is not None
                    if isinstance(condition, Within) and condition.field == "tcp_flags":
                        flag_bits |= 0xFF if condition.mask is None else condition.mask
                for action in _actions(step):
                    translates |= isinstance(action, Opaque) or (
                        isinstance(action, Translate) and action.side == "destination"
                    )
                    if isinstance(action, SetMark) and action.take:
                        taken.add("ctmark" if action.target == "mark" else "mark")
    if read:
        read |= taken
    effects = {name: _effects(chain) for name, chain in ruleset.chains.items()}
    writers: set[ChainName] = set()
    refusals: dict[ChainName, frozenset[str]] = {}
    for base in ruleset.base_chains:
        reached = [effects[name] for name in _reachable(ruleset, base.chain)]
        total = frozenset().union(*reached)
        if "write" in total or (total & {"mark", "ctmark"} & read):
            writers.add(base.chain.name)
        refusals[base.chain.name] = (total & {"drop", "reject"}) | ({base.policy} - {"accept"})
    return Survey(
        frozenset(read),
        {field: tuple(sorted(found)) for field, found in bounds.items()},
        {
            field: tuple(sorted(early.get(field, set()) | (bounds[field] if field.startswith("orig_") else set())))
            for field in bounds
        },
        frozenset(masked),
        flag_bits,
        frozenset(interfaces),
        asks_routes,
        lucky,
        translates,
        frozenset(writers),
        refusals,
    )


def _before_routing(ruleset: Ruleset) -> frozenset[ChainName]:
    """The chains that packets cross before routing decides."""
    starts = [base.chain for base in ruleset.base_chains if base.hook in ("ingress", "prerouting", "output")]
    return frozenset().union(*(_reachable(ruleset, chain) for chain in starts))


def _conditions(step: Step, seen: set[int]) -> Iterator[Condition]:
    """The plain conditions of a step; shared ones once."""
    stack: list[Step] = [step]
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        if isinstance(one, ACTIONS):
            if isinstance(one, Choose):
                for condition, action in one.branches:
                    stack += (condition, action)
            continue
        seen.add(id(one))
        if isinstance(one, (Every, Some)):
            stack += one.conditions
        elif isinstance(one, Not):
            stack.append(one.condition)
        else:
            yield one


def _actions(step: Step) -> Iterator[Action]:
    if isinstance(step, Choose):
        for _, action in step.branches:
            yield from _actions(action)
    elif isinstance(step, ACTIONS):
        yield step


def _note(condition: Condition, read: set[str], bounds: dict[FieldName, set[int]], masked: set[FieldName]) -> None:
    if isinstance(condition, Within):
        if condition.field in ("mark", "ctmark"):
            read.add(condition.field)
        if condition.mask is not None:
            masked.add(condition.field)
        elif "saddr" not in condition.field:
            bounds.setdefault(condition.field, set()).update(condition.values.bounds)
    elif isinstance(condition, Tuples):
        for at, field in enumerate(condition.fields):
            if field in ("mark", "ctmark"):
                read.add(field)
            if "saddr" not in field:
                found = bounds.setdefault(field, set())
                for box in condition.boxes:
                    found.update((box[at][0], box[at][1] + 1))


def _effects(chain: Chain) -> frozenset[str]:
    found: set[str] = set()
    for rule in chain.rules:
        for step in rule.steps:
            for action in _actions(step):
                match action:
                    case SetMark(target=target):
                        found.add(target)
                    case NoTrack() | Translate() | Opaque() | Queue():
                        found.add("write")
                    case Verdict(kind=kind):
                        found.add(kind)
    return frozenset(found)


def _targets(rule: Rule) -> Iterator[str]:
    for step in rule.steps:
        for action in _actions(step):
            if isinstance(action, (Jump, Goto)):
                yield action.chain


def _reachable(ruleset: Ruleset, chain: Chain) -> frozenset[ChainName]:
    found = {chain.name}
    stack = [chain]
    while stack:
        for rule in stack.pop().rules:
            for target in _targets(rule):
                name = chain.name._replace(chain=target)
                if name not in found:
                    found.add(name)
                    stack.append(ruleset.chains[name])
    return frozenset(found)


def faulty_jump(chains: Mapping[ChainName, Chain]) -> tuple[Rule, str] | None:
    """A jump that leads nowhere, in a circle, or deeper than any kernel goes, with what is wrong; None without one."""
    jumps: dict[ChainName, dict[ChainName, Rule]] = {}
    for name, chain in chains.items():
        found = jumps[name] = {}
        for rule in chain.rules:
            for target in _targets(rule):
                goal = name._replace(chain=target)
                if goal not in chains:
                    return rule, f"leads to a chain that is not there: {target[:60]}"
                found.setdefault(goal, rule)
    depth: dict[ChainName, int] = {}
    for start in jumps:
        path: list[tuple[ChainName, Iterator[ChainName]]] = [(start, iter(jumps[start]))]
        on_path = {start}
        while path:
            name, targets = path[-1]
            following = next((target for target in targets if target not in depth), None)
            if following is None:
                deepest = max(jumps[name], key=lambda target: depth[target], default=None)
                depth[name] = 1 + (depth[deepest] if deepest is not None else 0)
                if deepest is not None and depth[name] > DEPTH:
                    return jumps[name][deepest], f"begins jumps more than {DEPTH} deep"
                on_path.discard(name)
                path.pop()
            elif following in on_path:
                return jumps[name][following], "closes a circle of jumps"
            else:
                path.append((following, iter(jumps[following])))
                on_path.add(following)
    return None


def _short(rule: Rule) -> str:
    return str(rule)[:200]


def order_matters(chains: tuple[BaseChain, ...], found: Survey) -> bool:
    """Whether chains at one hook and priority could answer differently in another order."""
    names = [base.chain.name for base in chains]
    if len(names) < 2:
        return False
    kinds = frozenset().union(*(found.refusals[name] for name in names))
    return any(name in found.writers for name in names) or len(kinds) > 1
