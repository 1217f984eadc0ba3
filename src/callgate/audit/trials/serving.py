"""What the attempts of test phones prove: who gets service, who is turned away, and what stays open.

Each judgement holds what fails, what could not be determined, and the attempts it rests on. Being turned away counts
only where the same phone gets service in the same audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from callgate.audit.trials.handshake import Handshake, server_name
from callgate.audit.trials.trial import Trial
from callgate.audit.trials.trials import Trials
from callgate.baseline.service import Service
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.attempt import Ending
from callgate.endpoint.sip_phone import Refusal
from callgate.evidence.interfaces import Network
from callgate.evidence.listener import Address, Family

_ASKS: Final = (401, 407)
_NO_REFUSAL: Final = (400, 408, 420, 421, 423, 429, 480, 483)
"""Answers that are about the request, or about how busy the server is."""


@dataclass(slots=True)
class Judgement:
    """What a control found. It passes when nothing failed and nothing is in doubt, and something was seen.

    Places that could not be used come first among the doubts: the others follow from them.
    """

    failed: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)


def registering(trials: Trials, *, every_network: bool) -> Judgement:
    """Whether each phone registers from each trusted place; with `every_network`, from each trusted network."""
    result = Judgement(seen=_lines(trials.registrations))
    for phone, service in trials.phones:
        mine = [one for one in trials.registrations if one.phone == phone]
        for place in trials.at("trusted"):
            for family in sorted(trials.families(service)):
                here = [one for one in mine if (one.place, one.family) == (place.name, family)]
                tried = [one for one in here if not one.learnt_nothing]
                if any(one.done for one in here):
                    continue
                if tried:
                    result.failed.append(f"does not register: {tried[0]}")
                result.doubtful += [str(one) for one in here if one.attempt.ending is Ending.FAILED_HERE]
        missing = _not_reached(trials, phone) if every_network or not trials.registered(phone) else []
        result.doubtful += [f"{phone.name}: no vantage registers from {network}" for network in missing]
        if not mine and not trials.doubts("trusted"):
            result.doubtful.append(f"{phone.name}: no address of the host is of a family that phones are in")
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def calling(trials: Trials) -> Judgement:
    """Whether calls complete with audio both ways, wherever the phone registers.

    Both ways: audio came, and what was sent arrived. That shows where it comes back, or where the phone that is called
    counts it, and nowhere else.
    """
    result = Judgement(seen=_lines(trials.calls))
    tried = [one for one in trials.calls if not one.learnt_nothing]
    result.failed = [f"the call does not complete: {one}" for one in tried if not one.done]
    result.doubtful = [str(one) for one in trials.calls if one.learnt_nothing]
    for one in trials.calls:
        if one.done and (straight := _straight(trials, one)) is not None:
            result.seen.append(f"{one.phone.name}: its audio went straight to {straight}; the host had no part in it")
        if one.done and one.itself:
            result.failed.append(f"the server has the phone send its audio to itself: {one}")
        elif one.done and not one.arrived and one.heard is not None:
            result.failed.append(f"the phone that is called hears nothing: {one}")
        elif one.done and not one.arrived:
            result.doubtful.append(f"whether what was sent arrived is not known, as nothing of it comes back: {one}")
    result.doubtful += _unregistered(trials, [phone for phone, _ in trials.phones if phone.dials is not None])
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def strangers_turned_away(trials: Trials) -> Judgement:
    """Whether a phone that registers from inside gets nothing from outside, at any address of the host."""
    result = Judgement(seen=_lines((*trials.registrations, *trials.strangers)))
    result.failed = [f"a stranger is served: {one}" for one in trials.strangers if one.attempt.ending.let_in]
    for phone, service in trials.phones:
        inside = {one.family for one in trials.registered(phone)}
        outside = [one for one in trials.strangers if one.phone == phone]
        for family in sorted(inside | _open(trials, service, outside)):
            here = [one for one in outside if one.family == family]
            told = [one for one in here if one.attempt.ending is not Ending.NO_ROUTE and _meant(trials, one)]
            kept_out = [one for one in told if one.attempt.ending.kept_out]
            if failed := [one for one in told if one.attempt.ending is Ending.FAILED_HERE]:
                result.doubtful.append(f"nothing is learnt: {failed[0]}")
            if named := [one for one in kept_out if _named(trials, one)]:
                result.doubtful.append(f"the firewall has a rule about this very source: {named[0]}")
            elif not kept_out:
                why = str(here[0]) if here else "no stranger's vantage tried"
                result.doubtful.append(f"{phone.name}: nothing is learnt over IPv{family}: {why}")
    result.doubtful += _no_longer(trials.after_strangers)
    result.doubtful += _unregistered(trials, [phone for phone, _ in trials.phones])
    result.doubtful[:0] = trials.doubts("stranger") + trials.doubts("trusted")
    return result


def unknown_refused(trials: Trials) -> Judgement:
    """Whether a device that nobody has is refused where a known one registers."""
    tried = trials.unknown_devices
    result = Judgement(seen=_lines(tried))
    # A server that registers it and then has it start again (auto-registration of Unified CM) took it all the same.
    result.failed = [f"a device that nobody has registers: {one}" for one in tried if one.taken]
    refused = (Ending.REJECTED, Ending.CLOSED, Ending.RESET)
    result.doubtful = [
        f"not refused in words: {one}" for one in tried if not one.taken and one.attempt.ending not in refused
    ]
    result.doubtful += _no_longer(trials.after_unknown)
    named = [phone for phone, _ in trials.phones if phone.application == "sccp" and phone.unknown is not None]
    result.doubtful += _unregistered(trials, named)
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def credentials_demanded(trials: Trials) -> Judgement:
    """Whether a registrar refuses a known user without a password and with a wrong one."""
    result = Judgement()
    for before, got in trials.guarded:
        at = f"{before.phone.name} from {before.place} at {before.address}"
        for who, refusal in (("its user", got.known), ("a user that nobody has", got.unknown)):
            result.seen.append(f"{at}, as {who}: {refusal.text}")
            if refusal.accepted:
                result.failed.append(f"{at} registers as {who} without the password: {refusal.text}")
            elif refusal.ending is not Ending.REJECTED or not _refuses(refusal):
                result.doubtful.append(f"{at}, as {who}: {refusal.text}")
        if not got.known.accepted and not _challenged(got.known):
            result.doubtful.append(f"{at}, as its user: refused, but not for want of a password: {got.known.text}")
    result.doubtful += _not_guessed(trials)
    result.doubtful += _no_longer(trials.after_guarded)
    result.doubtful += _unregistered(trials, _with_password(trials))
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def users_hidden(trials: Trials) -> Judgement:
    """Whether a registrar answers for a user it knows as it does for one it does not."""
    result = Judgement()
    for before, got in trials.guarded:
        at = f"{before.phone.name} from {before.place} at {before.address}"
        result.seen += [f"{at}, its user: {got.known.text}", f"{at}, a user that nobody has: {got.unknown.text}"]
        if not got.known.ending is got.unknown.ending is Ending.REJECTED:
            result.doubtful.append(f"{at}: not both were refused")
        elif told := got.known.difference(got.unknown):
            result.failed.append(f"{at}: who is known shows in {told}")
        elif not _challenged(got.known):
            result.doubtful.append(f"{at}: both are refused alike, but not for want of a password: {got.known.text}")
    result.doubtful += _not_guessed(trials)
    result.doubtful += _no_longer(trials.after_guarded)
    result.doubtful += _unregistered(trials, _with_password(trials))
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def tls_offered(trials: Trials, *, now: datetime, days: int) -> Judgement:
    """Whether TLS is offered where the site demands it, with a certificate that is valid and stays so for a while."""
    result = Judgement(seen=[str(one) for one in trials.handshakes])
    one_name = server_name(trials.target) is not None
    for name, family in dict.fromkeys((one.service.name, one.family) for one in trials.handshakes):
        here = [one for one in trials.handshakes if (one.service.name, one.family) == (name, family)]
        done = [one for one in here if one.ending is Ending.DONE]
        for place in dict.fromkeys(one.place for one in here):
            tried = [one for one in here if one.place == place and not one.learnt_nothing]
            if tried and not any(one.place == place for one in done):
                result.failed.append(f"no TLS as the site demands it: {tried[-1]}")
            elif one_name:
                # Where the name is one for all addresses, each must have a certificate that is valid for it.
                wrong = [one for one in tried if one.ending is Ending.TLS_FAILED]
                result.failed += [f"no TLS as the site demands it: {one}" for one in wrong]
        if not done and not result.failed:
            result.doubtful.append(str(here[0]))
        result.doubtful += [str(one) for one in here if one.ending is Ending.FAILED_HERE]
        result.doubtful += [f"when its certificate ends cannot be read: {one}" for one in done if not one.not_after]
        result.failed += [
            f"its certificate ends within {days} days: {one}" for one in done if _ends_soon(one, now, days)
        ]
    for service in trials.tls_services():
        if not any(one.service.name == service.name for one in trials.handshakes):
            result.doubtful.append(f"{service.title}: no handshake was tried")
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def intervals(trials: Trials, sccp: tuple[int, int], sip: tuple[int, int]) -> Judgement:
    """Whether phones are told to come again within bounds (seconds, both included)."""
    result = Judgement()
    for one in trials.registrations:
        terms = one.attempt.registration
        if not one.done or terms is None:
            continue
        least, most = sccp if one.phone.application == "sccp" else sip
        what = "a keepalive" if one.phone.application == "sccp" else "a new registration"
        line = f"{one.phone.name} from {one.place} at {one.address}: {what} every {terms.interval_seconds} s"
        result.seen.append(line)
        if not least <= terms.interval_seconds <= most:
            result.failed.append(f"{line}, which is not {least} to {most} s")
    result.doubtful += _unregistered(trials, [phone for phone, _ in trials.phones])
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def _lines(trials: Iterable[Trial]) -> list[str]:
    return [str(one) for one in trials]


def _unregistered(trials: Trials, phones: Iterable[TrialPhone]) -> list[str]:
    """Phones that get no service at all, so that being refused proves nothing."""
    return [
        f"{phone.name} registers from no trusted place, so nothing follows from it"
        for phone in phones
        if not trials.registered(phone)
    ]


def _no_longer(again: Iterable[Trial]) -> list[str]:
    """Phones that got service before, and no more: what was refused meanwhile proves nothing."""
    return [
        f"no longer registers, so nothing follows from who was refused before: {one}" for one in again if not one.done
    ]


def _open(trials: Trials, service: Service, outside: Iterable[Trial]) -> set[Family]:
    """The families in which strangers may find the service, whether or not phones are in them."""
    target = trials.target
    if target.from_outside:
        return {one.family for one in outside}
    found: set[Family] = set()
    for listener in target.evidence.listeners:
        if service.claims(listener) and not listener.loopback:
            found |= listener.families
    return found & target.families()


def _challenged(refusal: Refusal) -> bool:
    """Whether it was refused for want of a password: asked for one, and not content with the one that it got."""
    statuses = [reply.status for reply in refusal.replies]
    return bool(statuses) and statuses[0] in _ASKS and all(status in (*_ASKS, 403) for status in statuses[1:])


def _refuses(refusal: Refusal) -> bool:
    """Whether the answers are about the account. A server in trouble, or one that is asked too much, says no to all."""
    return all(400 <= reply.status < 500 and reply.status not in _NO_REFUSAL for reply in refusal.replies)


def _not_guessed(trials: Trials) -> list[str]:
    """Phones for which no wrong password was tried."""
    guessed = {before.phone.name for before, got in trials.guarded if len(got.known.replies) > 1 or got.known.accepted}
    asked = dict.fromkeys(before.phone.name for before, _ in trials.guarded)
    return [f"{name}: no wrong password could be tried" for name in asked if name not in guessed]


def _with_password(trials: Trials) -> list[TrialPhone]:
    return [phone for phone, _ in trials.phones if phone.application == "sip"]


def _straight(trials: Trials, call: Trial) -> Address | None:
    """Where a call's audio went, if that is none of the host's own addresses."""
    far_end = None if call.attempt.call is None else call.attempt.call.far_end
    if far_end is None or far_end.address == call.address or far_end.address in trials.target.probed_addresses():
        return None
    return far_end.address


def _not_reached(trials: Trials, phone: TrialPhone) -> list[Network]:
    """Trusted networks that owe the phone service and that it did not register from."""
    service = next(its for one, its in trials.phones if one == phone)
    families = trials.families(service)
    sources = [one.attempt.source.address for one in trials.registered(phone) if one.attempt.source]
    owed = [network for network in trials.target.plan.site.trusted if network.version in families]
    return [network for network in owed if not any(source in network for source in sources)]


def _meant(trials: Trials, trial: Trial) -> bool:
    source = trial.attempt.source.address if trial.attempt.source else None
    return trials.target.surely_meant(trial.address, source)


def _named(trials: Trials, trial: Trial) -> bool:
    """Whether the rules name the very source, so that it speaks for no other."""
    source = trial.attempt.source
    if trials.target.from_outside or source is None:
        return False
    return trials.target.evidence.rules_name(source.address)


def _ends_soon(handshake: Handshake, now: datetime, days: int) -> bool:
    return handshake.not_after is not None and handshake.not_after - now < timedelta(days=days)
