"""Jumps between chains: each must lead somewhere, none in a circle, and no deeper than the kernel allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from callgate.errors import EvidenceError
from callgate.firewall.rule import Action, Chain, ChainName, Choose, Goto, Jump, Step

_DEEPEST: Final = 16  # NFT_JUMP_STACK_SIZE


def check_jumps(file: str, chains: Mapping[ChainName, Chain], bases: Iterable[ChainName]) -> None:
    """Raise EvidenceError for what no kernel would have loaded: a loop, a jump to nowhere, too deep a nesting."""
    targets: dict[ChainName, tuple[ChainName, ...]] = {}
    for name, chain in chains.items():
        found = dict.fromkeys(name._replace(chain=one) for rule in chain.rules for one in _targets(rule.steps))
        for target in found:
            if target not in chains:
                raise EvidenceError(file, f"{name} jumps to {target.chain[:80]}, a chain that is not there")
        targets[name] = tuple(found)
    heights: dict[ChainName, int] = {}
    for name in chains:
        _measure(file, name, targets, heights)
    for name in bases:
        if heights[name] > _DEEPEST:
            raise EvidenceError(file, f"{name}: jumps nest deeper than {_DEEPEST}")


def _measure(
    file: str, start: ChainName, targets: dict[ChainName, tuple[ChainName, ...]], heights: dict[ChainName, int]
) -> None:
    """Set how many jumps in a row lead on from a chain and from all below it."""
    path: dict[ChainName, None] = {}
    stack = [(start, False)]
    while stack:
        name, done = stack.pop()
        if done:
            del path[name]
            heights[name] = max((heights[target] + 1 for target in targets[name]), default=0)
        elif name not in heights:
            if name in path:
                raise EvidenceError(file, f"{name}: jumps lead in a circle")
            path[name] = None
            stack.append((name, True))
            stack += ((target, False) for target in targets[name])


def _targets(steps: Iterable[Step]) -> Iterable[str]:
    for step in steps:
        if isinstance(step, Jump | Goto):
            yield step.chain
        elif isinstance(step, Choose):
            actions: list[Action] = [action for _, action in step.branches]
            yield from _targets(actions)
