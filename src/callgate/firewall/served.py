"""Whom a service serves: the other half of the verdict, in which nothing is chosen for the caller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from callgate.firewall.aims import CLASSES, Aim, direct_aims, spans
from callgate.firewall.host import EVERYONE, LAST
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.reach import arrivals, plain
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Door, Entrance, Sources
from callgate.firewall.view import View

EPHEMERAL: Final = (1024, 0xFFFF)
"""The source ports phones call from (RFC 6056 section 3.2)."""
_TTL: Final = 64


def sources_served(policy: Policy, question: Question, families: Iterable[Family] = FAMILIES) -> Sources:
    """Everybody whom the service serves on its own port, by some address, from every ephemeral port, with replies.

    A source that only some source ports of phones let in is not served, nor is one that has to call another port.
    """
    doors: dict[Entrance, Door] = {}
    for family in families:
        aims = tuple(direct_aims(policy, question, family))
        for interface in policy.host.entrances:
            surely = perhaps = NOTHING
            for aim in aims:
                sure, maybe = _served(policy, question, interface, aim)
                surely, perhaps = surely | sure, perhaps | maybe
            doors[Entrance(family, interface)] = Door(surely, perhaps - surely)
    return Sources(doors, question.what)


def _served(policy: Policy, question: Question, interface: str, aim: Aim) -> tuple[Intervals, Intervals]:
    surely = perhaps = EVERYONE[aim.family]
    for view in _views(policy, question, interface, aim):
        sure, maybe = arrivals(question, aim, policy.outcomes(view))
        answered, hoped = _answered(policy, aim, view)
        surely, perhaps = surely & sure & answered, perhaps & maybe & hoped
        if not perhaps:
            break
    return surely, perhaps


def _views(policy: Policy, question: Question, interface: str, aim: Aim) -> list[View]:
    """One view if source port and TTL do not matter, else one for each class of source ports."""
    first = plain(question, interface, aim)
    sure, maybe = arrivals(question, aim, policy.outcomes(first))
    answered, hoped = _answered(policy, aim, first)
    if sure == maybe and answered == hoped:
        return [first]
    sports = spans(policy.survey.bounds, ("sport", "orig_sport", "dport", "orig_dport"), *EPHEMERAL)
    if len(sports) > CLASSES:
        return [first]
    ttl = policy.span("ttl", _TTL, 255)
    return [replace(first, sport=sport, ttl=ttl) for sport in sports]


def _answered(policy: Policy, aim: Aim, view: View) -> tuple[Intervals, Intervals]:
    """The sources that a reply from the host itself reaches, surely and perhaps."""
    last = LAST[aim.family]
    replies = policy.replies(view)
    surely = replies.where_all(lambda fate, _: fate == "accept", last)
    perhaps = replies.where_any(lambda fate, _: fate in ("accept", "unknown"), last)
    return surely, perhaps
