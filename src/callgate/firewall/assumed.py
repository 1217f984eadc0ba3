"""A host for rules that come alone: what a ruleset itself tells of the machine it is meant for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from callgate.firewall.host import LAST, Host, LinkAddress
from callgate.firewall.rule import (
    ACTIONS,
    FAMILIES,
    Choose,
    Condition,
    Every,
    Family,
    Interface,
    Not,
    Ruleset,
    Some,
    Step,
    Tuples,
    Within,
)
from callgate.firewall.trace import read_address

ANY_OTHER: Final = "(any other)"
"""Stands for every interface that no rule names."""
_SOME_ADDRESS: Final[dict[Family, int]] = {4: read_address("192.0.2.1")[1], 6: read_address("2001:db8::1")[1]}
_CAP: Final = 256


def assumed_host(ruleset: Ruleset) -> Host:
    """A host that has every interface and, up to a bound, every address the rules look for, and one of each besides.

    It filters no sources and its routes are not known: what rests on them is left in doubt.
    """
    names: dict[str, None] = {}
    addresses: dict[tuple[Family, int], None] = {(family, _SOME_ADDRESS[family]): None for family in FAMILIES}
    for condition in _conditions(ruleset):
        if isinstance(condition, Interface):
            for one in condition.names:
                names[one.name + "0" if one.prefix else one.name] = None
        else:
            for family, number in _looked_for(condition):
                if len(addresses) < _CAP:
                    addresses[family, number] = None
    names.pop("0", None)
    names.pop("lo", None)
    interfaces = ("lo", *names, ANY_OTHER)
    return Host(
        addresses=tuple(
            LinkAddress(ANY_OTHER, family, number, 32 if family == 4 else 128) for family, number in addresses
        ),
        interfaces=interfaces,
    )


def _conditions(ruleset: Ruleset) -> Iterator[Condition]:
    seen: set[int] = set()
    for chain in ruleset.chains.values():
        stack: list[Step] = [step for rule in chain.rules for step in rule.steps]
        while stack:
            one = stack.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if isinstance(one, Choose):
                stack += (condition for condition, _ in one.branches)
            elif isinstance(one, (Every, Some)):
                stack += one.conditions
            elif isinstance(one, Not):
                stack.append(one.condition)
            elif not isinstance(one, ACTIONS):
                yield one


def _looked_for(condition: Condition) -> Iterator[tuple[Family, int]]:
    """An address inside each network that destinations are compared with."""
    found: list[tuple[str, int, int]] = []
    if isinstance(condition, Within) and condition.mask is None:
        found = [(condition.field, first, last) for first, last in condition.values]
    elif isinstance(condition, Tuples):
        found = [
            (field, *box[at])
            for at, field in enumerate(condition.fields)
            if "daddr" in field
            for box in condition.boxes
        ]
    for field, first, last in found:
        if "daddr" in field:
            family: Family = 4 if field.endswith("4") else 6
            if last - first < LAST[family] and first:
                yield family, first if first == last else first + 1
