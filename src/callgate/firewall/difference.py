"""What a change of policy means for one service: who gained access, and who lost it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Sources


@dataclass(frozen=True, slots=True)
class Difference:
    """The sources that one of two policies lets in and the other does not.

    Where either policy leaves a source in doubt, so does the difference.
    """

    gained: Sources
    lost: Sources

    @property
    def nothing(self) -> bool:
        """Whether both policies let in the same sources, with no doubt about any that differ."""
        return self.gained.empty and self.lost.empty


def difference(before: Policy, after: Policy, question: Question, families: Iterable[Family] = FAMILIES) -> Difference:
    """Compare two policies by meaning: the order and the form of their rules do not count."""
    asked = tuple(families)
    then, now = sources_reaching(before, question, asked), sources_reaching(after, question, asked)
    return Difference(gained=apart(now, then), lost=apart(then, now))


def apart(some: Sources, others: Sources) -> Sources:
    """Who is in one set and not in the other; nobody who is in doubt in both.

    Perhaps, where one of the two leaves it open: who surely was in and now perhaps is has perhaps lost, not gained.
    """
    doors = {}
    for entrance, door in some - others:
        known = others.doors.get(entrance)
        perhaps = door.perhaps - known.perhaps if known is not None else door.perhaps
        # In doubt before and sure now is a change; in doubt before and after is none.
        if known is not None:
            perhaps |= some.doors[entrance].surely & known.perhaps
        doors[entrance] = type(door)(door.surely, perhaps - door.surely, door.ways)
    return Sources(doors, some.what)
