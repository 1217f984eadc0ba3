"""The set match: membership in an ipset."""

from __future__ import annotations

from typing import Final

from callgate.firewall.iptables.ipset import Direction, may_have_changed
from callgate.firewall.iptables.option import Match, Option, Use, options
from callgate.firewall.iptables.words import shown
from callgate.firewall.rule import Condition, Not

_UNDERSTOOD: Final = ("match-set", "return-nomatch", "update-counters", "update-subcounters")


def directions(text: str) -> tuple[Direction, ...]:
    """`src,dst`: which side of the packet each part of a set's elements is compared with."""
    sides: list[Direction] = []
    for word in text.split(","):
        if word == "src":
            sides.append("src")
        elif word == "dst":
            sides.append("dst")
        else:
            raise ValueError(f"{shown(word)} is neither src nor dst")
    if len(sides) > 6:
        raise ValueError("more than 6 directions")
    return tuple(sides)


def _set(use: Use) -> Condition:
    given = use.get("match-set")
    if given is None:
        return use.unknown("no set")
    if any(option.name not in _UNDERSTOOD for option in use.options):
        return use.unknown()  # counters
    condition = _membership(given, use)
    return Not(condition) if given.negated else condition


def _membership(given: Option, use: Use) -> Condition:
    name, sides = given.values[0], directions(given.values[1])
    if use.around.sets is None:
        return use.unknown("no dump of the sets")
    found = use.around.sets.get(name)
    if found is None:
        return use.unknown("the set is not in the dump")
    if may_have_changed(name, use.around.sets, use.around.changed_sets):
        return use.unknown("rules change the set")
    return found.condition(sides, use.family, return_nomatch=use.get("return-nomatch") is not None)


MATCHES: Final = {
    "set": Match(
        options(
            one="packets-eq packets-lt packets-gt bytes-eq bytes-lt bytes-gt",
            flags="return-nomatch update-counters update-subcounters",
            two="match-set|set",
        ),
        _set,
    ),
}
