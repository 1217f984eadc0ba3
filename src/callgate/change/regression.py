"""Whether a change is a regression for one service: strangers who gained access, phones that lost theirs.

Both are asked of each snapshot as a whole, and not of the sources that moved: an interface by which strangers could
not come in before, and now can, widens what it always let in; a phone whose way back is now another interface loses
nothing where that one serves it.
"""

from __future__ import annotations

from typing import Final

from callgate.audit.exposure import strangers
from callgate.audit.lockout import no_phones, owed_sources, undiscovered
from callgate.audit.target import Target
from callgate.audit.told import networks_in_words, who
from callgate.baseline.site import DEFAULT_SITE
from callgate.change.access import Access, gain
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Door, Entrance, Sources, interval_of

ANYWHERE = "(its way back)"
"""Stands for whichever interface leads back to a phone."""
_FEW: Final = 4
"""Up to how many addresses beside phones, like the host's own and a network's last one, are passed over in words."""


def widening(before: Target, then: Access, after: Target, now: Access) -> Sources:
    """The strangers who have access now and had none before. Raises EvidenceError for damaged evidence.

    An address that the host itself had is nobody's gain where it lies amid strangers who had access all along.
    """
    was = _strangers(before, then)
    gained = gain(_strangers(after, now), was)
    host = before.evidence.policy.host
    return Sources(
        {
            at: _without(door, _amid(host.own(at.family), door, was.reached.doors.get(at, Door())))
            for at, door in gained
        },
        gained.what,
    )


def lost_phones(before: Target, then: Access, after: Target, now: Access) -> Sources:
    """The phones of trusted networks that had access by the way that leads back to them, and have none now.

    Addresses that no phone can have now, like the host's own, are left out. Raises EvidenceError for damaged evidence.
    """
    lost = gain(_at_home(before, then), _at_home(after, now))
    return Sources({at: _without(door, _nobodys(after, at.family)) for at, door in lost}, lost.what)


def locks_out(after: Target, now: Access, lost: Sources) -> bool | None:
    """Whether these lost phones lock anybody out.

    Of a ruleset alone nobody has said, without a site file, in which of the private networks phones stand: as long as
    one is served it is not known.
    """
    if lost.empty:
        return False
    if after.evidence.rules_alone and after.plan.site == DEFAULT_SITE and not _at_home(after, now).served.empty:
        return None
    return True if not lost.surely.empty else None


def strangers_in_words(after: Target, sources: Sources) -> list[str]:
    """Who they are, with the interfaces they come in by."""
    found: dict[str, list[str]] = {}
    for at, door in sorted(sources):
        for members, word in ((door.surely, ""), (door.perhaps, "perhaps ")):
            if members:
                found.setdefault(word + who(after, at, members), []).append(at.interface)
    return [f"{some} on {', '.join(interfaces)}" for some, interfaces in found.items()]


def phones_in_words(after: Target, sources: Sources) -> list[str]:
    """Who they are, as networks: those addresses of them that no phone has are not spared in words."""
    said = []
    for at, door in sorted(sources):
        for members, word in ((door.surely, ""), (door.perhaps, "perhaps ")):
            if members:
                nobodys = [
                    (first, last)
                    for first, last in _nobodys(after, at.family)
                    if last - first < _FEW and (first - 1 in members or last + 1 in members)
                ]
                said.append(word + networks_in_words(at.family, members | Intervals.of(nobodys)))
    return said


def _strangers(target: Target, access: Access) -> Access:
    return Access(strangers(target, access.reached), strangers(target, access.served))


def _at_home(target: Target, access: Access) -> Access:
    return Access(_of_phones(target, access.reached), _of_phones(target, access.served))


def _of_phones(target: Target, sources: Sources) -> Sources:
    """The trusted sources that get in by the interface that leads back to them."""
    doors: dict[Entrance, Door] = {}
    for family in FAMILIES:
        surely = anybody = NOTHING
        for entrance, door in sources.of(family):
            if door.surely or door.perhaps:
                owed = _phones_behind(target, family, entrance.interface)
                surely, anybody = surely | (door.surely & owed), anybody | (door.any & owed)
        doors[Entrance(family, ANYWHERE)] = Door(surely, anybody - surely)
    return Sources(doors, sources.what)


def _phones_behind(target: Target, family: Family, interface: str) -> Intervals:
    if target.evidence.rules_alone:
        # A ruleset tells no routes: a network that some interface lets in counts as served.
        return interval_of(target.plan.site.trusted, family) - no_phones(target, family, interface)
    if family == 6 and undiscovered(target, interface):
        return NOTHING
    return owed_sources(target, family, interface)


def _nobodys(target: Target, family: Family) -> Intervals:
    total = NOTHING
    for interface in target.evidence.policy.host.entrances:
        total |= no_phones(target, family, interface)
    return total


def _amid(own: Intervals, door: Door, known: Door) -> Intervals:
    """Of the members, those among `own` whose neighbours on both sides were known already."""
    amid = [
        (first, last)
        for first, last in door.any
        if own.covers(first, last) and first - 1 in known.any and last + 1 in known.any
    ]
    return Intervals.of(amid)


def _without(door: Door, others: Intervals) -> Door:
    return Door(door.surely - others, door.perhaps - others, door.ways)
