"""Who reaches a service, by brute force: every packet of a small world is walked through the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final

from tests.firewall.concrete_packet import Concrete
from tests.firewall.oracle import Arrival, arrivals

from callgate.firewall.host import Host
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.question import Question
from callgate.firewall.rule import Family, Ruleset

OPENING: Final = (2, 10, 34, 66, 130, 42, 194)
"""SYN, alone and with the flags a listening socket does not mind."""


@dataclass(frozen=True)
class World:
    """What a sender may choose from."""

    destinations: tuple[int, ...]
    dports: tuple[int, ...]
    sports: tuple[int, ...] = (1024, 40000)
    ttls: tuple[int, ...] = (64,)
    flags: tuple[int, ...] = (2,)


def arrived(question: Question, sent: Concrete, got: Arrival) -> bool:
    """Whether this end of a packet is an arrival at the service, in the words of `Question`."""
    if got.verdict != "accept":
        return False
    end = got.packet
    first, last = question.ports
    at_port = first <= end.dport <= last
    sent_there = first <= sent.dport <= last
    moved = "dnat" in end.translated
    if end.oif is not None:
        if moved:
            return sent_there or at_port
        behind = dict(question.behind).get(sent.family, NOTHING)
        return at_port and end.destination in behind
    if moved and sent_there:
        return True
    listened = None if question.addresses is None else dict(question.addresses).get(sent.family, NOTHING)
    return at_port and (listened is None or end.destination in listened)


def packets(question: Question, world: World, family: Family, interface: str, source: int) -> list[Concrete]:
    """Every packet the sender may send."""
    flags: Iterable[int] = world.flags if question.transport == "tcp" else (2,)
    return [
        Concrete(interface, family, source, where, question.protocol, sport, dport, flag, ttl)
        for where, dport, sport, ttl, flag in product(world.destinations, world.dports, world.sports, world.ttls, flags)
    ]


def reaches(ruleset: Ruleset, host: Host, question: Question, sent: Iterable[Concrete]) -> tuple[bool, bool]:
    """Whether the source surely gets in by some of these packets, and whether it may."""
    surely = perhaps = False
    for packet in sent:
        ends = {arrived(question, packet, end) for end in arrivals(ruleset, host, packet)}
        surely |= ends == {True}
        perhaps |= True in ends
    return surely, perhaps


def everybody_listed(addresses: Iterable[int]) -> Intervals:
    """A set of single addresses."""
    return Intervals.of((address, address) for address in addresses)
