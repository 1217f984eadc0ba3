"""Who gained and who lost access to one service between two snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from callgate.baseline.service import Service
from callgate.change.access import Access, Networks, Snapped, gain
from callgate.change.refusal import what_lets_in, what_refuses
from callgate.change.regression import locks_out, lost_phones, phones_in_words, strangers_in_words, widening
from callgate.change.shift import Shift
from callgate.errors import NotDetermined
from callgate.firewall.sources import Door, Entrance

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """What changed for one service."""

    gained: tuple[Shift, ...] = ()
    lost: tuple[Shift, ...] = ()
    widened: bool | None = False
    locked_out: bool | None = False
    reasons: tuple[str, ...] = ()
    doubtful: tuple[Shift, ...] = ()
    """The sources in doubt in both snapshots, of whom nobody knows whether anything changed."""
    undetermined: str = ""
    """What could not be compared: then only what leads to the service behind the host was."""


def service_change(before: Snapped, after: Snapped, service: Service) -> ServiceChange:
    """Compare the access of both snapshots to one service. Raises NotDetermined where one of them does not tell."""
    into = (
        *_of("before", lambda: before.judged_behind(service)),
        *_of("after", lambda: after.judged_behind(service)),
    )
    named = tuple(dict.fromkeys((*before.named_behind(), *after.named_behind())))

    def asked(ask: Callable[[Snapped, Networks], Access]) -> tuple[Access, Access]:
        return (
            _of("before", lambda: ask(before, before.within_reach(into))),
            _of("after", lambda: ask(after, after.within_reach(into))),
        )

    lacking = ""
    try:
        then, now = asked(lambda one, networks: one.access(service, networks, named))
        offered = before.offers(service, then) or after.offers(service, now)
        if not offered:
            then, now = asked(lambda one, networks: one.by_rules(service, networks, named))
    except NotDetermined as error:
        # What is led elsewhere needs no socket here: that much can be told without.
        lacking = str(error)
        then, now = asked(lambda one, networks: one.elsewhere(service, networks))
        offered = not (then.empty and now.empty)
    gained, lost = gain(now, then), gain(then, now)
    shifts_gained, shifts_lost = [], []
    for at, door in sorted(gained):
        if door.surely or door.perhaps:
            known = _with_ways(door, now, at)
            rules, example = what_lets_in(after.target.evidence.policy.host, at, known, door.surely or door.perhaps)
            shifts_gained.append(Shift(service.name, at, known, rules, offered, example))
    for at, door in sorted(lost):
        if door.surely or door.perhaps:
            known = _with_ways(door, then, at)
            found = None if lacking or not offered else after.sockets(service)
            rules, example = what_refuses(after.target, service, found, at, known, door.surely or door.perhaps)
            shifts_lost.append(Shift(service.name, at, known, rules, offered, example))
    doubtful = tuple(
        Shift(service.name, at, Door(perhaps=both, ways=door.ways), offered=offered)
        for at, door in sorted(now.reached)
        if (both := door.perhaps & then.reached.doors.get(at, Door()).perhaps)
    )
    widened: bool | None = False
    locked_out: bool | None = False
    reasons: tuple[str, ...] = ()
    if offered:
        widened, locked_out, reasons = _judged(before, then, after, now, service)
    return ServiceChange(tuple(shifts_gained), tuple(shifts_lost), widened, locked_out, reasons, doubtful, lacking)


def _judged(
    before: Snapped, then: Access, after: Snapped, now: Access, service: Service
) -> tuple[bool | None, bool | None, tuple[str, ...]]:
    """Whether strangers gained, whether phones lost, and in words who."""
    strangers = widening(before.target, then, after.target, now)
    phones = lost_phones(before.target, then, after.target, now)
    widened = None if strangers.surely.empty and not strangers.empty else not strangers.empty
    locked_out = locks_out(after.target, now, phones)
    reasons = [f"strangers gain {service.title}: {one}" for one in strangers_in_words(after.target, strangers)]
    reasons += [f"phones lose {service.title}: {one}" for one in phones_in_words(after.target, phones)]
    if locked_out is None and not phones.surely.empty:
        reasons.append(
            "no site file says in which private networks phones stand: whether these are phones' is not known"
        )
    return widened, locked_out, tuple(reasons)


def _with_ways(door: Door, access: Access, at: Entrance) -> Door:
    """The door with the ways in that are any of its members'."""
    known = access.reached.doors.get(at, Door())
    return Door(door.surely, door.perhaps, tuple(way for way in known.ways if way.sources & door.any))


def _of(side: str, ask: Callable[[], Part]) -> Part:
    try:
        return ask()
    except NotDetermined as error:
        raise NotDetermined(f"{side}: {error}") from None
