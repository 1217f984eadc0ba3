"""What the attempts of test phones prove: who gets service, who is turned away, and what stays open.

Each judgement holds what fails, what could not be determined, and the attempts it rests on. Being turned away counts
only where the same phone gets service in the same audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callgate.audit.handshake import Handshake
from callgate.audit.trial import Trial
from callgate.audit.trials import Trials
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.attempt import Ending
from callgate.evidence.interfaces import Network


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
                if tried and not any(one.done for one in here):
                    result.failed.append(f"does not register: {tried[0]}")
        missing = _not_reached(trials, phone) if every_network or not trials.registered(phone) else []
        result.doubtful += [f"{phone.name}: no vantage registers from {network}" for network in missing]
        if not mine and not trials.doubts("trusted"):
            result.doubtful.append(f"{phone.name}: no address of the host is of a family that phones are in")
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def calling(trials: Trials) -> Judgement:
    """Whether calls complete with audio both ways, wherever the phone registers."""
    result = Judgement(seen=_lines(trials.calls))
    result.failed = [f"the call does not complete: {one}" for one in trials.calls if _failed(one)]
    result.doubtful = [str(one) for one in trials.calls if one.learnt_nothing]
    result.doubtful += _unregistered(trials, [phone for phone, _ in trials.phones if phone.dials is not None])
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def strangers_turned_away(trials: Trials) -> Judgement:
    """Whether a phone that registers from inside gets nothing from outside, at any address of the host."""
    result = Judgement(seen=_lines((*trials.registrations, *trials.strangers)))
    result.failed = [f"a stranger is served: {one}" for one in trials.strangers if one.attempt.ending.let_in]
    for phone, _service in trials.phones:
        inside = {one.family for one in trials.registered(phone)}
        for family in sorted(inside):
            outside = [one for one in trials.strangers if one.phone == phone and one.family == family]
            told = [one for one in outside if one.attempt.ending.kept_out and _meant(trials, one)]
            if named := [one for one in told if _named(trials, one)]:
                result.doubtful.append(f"the firewall has a rule about this very source: {named[0]}")
            elif not told:
                why = str(outside[0]) if outside else "no stranger's vantage tried"
                result.doubtful.append(f"{phone.name}: nothing is learnt over IPv{family}: {why}")
    result.doubtful += _unregistered(trials, [phone for phone, _ in trials.phones])
    result.doubtful[:0] = trials.doubts("stranger") + trials.doubts("trusted")
    return result


def unknown_refused(trials: Trials) -> Judgement:
    """Whether a device that nobody has is refused where a known one registers."""
    tried = trials.unknown_devices
    result = Judgement(seen=_lines(tried))
    result.failed = [f"a device that nobody has registers: {one}" for one in tried if one.done]
    refused = (Ending.REJECTED, Ending.CLOSED, Ending.RESET)
    result.doubtful = [
        f"not refused in words: {one}" for one in tried if not one.done and one.attempt.ending not in refused
    ]
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
            elif refusal.ending is not Ending.REJECTED:
                result.doubtful.append(f"{at}, as {who}: {refusal.text}")
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
    result.doubtful += _unregistered(trials, _with_password(trials))
    result.doubtful[:0] = trials.doubts("trusted")
    return result


def tls_offered(trials: Trials, *, now: datetime, days: int) -> Judgement:
    """Whether TLS is offered where the site demands it, with a certificate that is valid and stays so for a while."""
    result = Judgement(seen=[str(one) for one in trials.handshakes])
    keys = dict.fromkeys((one.service.name, one.place, one.family) for one in trials.handshakes)
    for name, place, family in keys:
        here = [one for one in trials.handshakes if (one.service.name, one.place, one.family) == (name, place, family)]
        tried = [one for one in here if not one.learnt_nothing]
        done = [one for one in here if one.ending is Ending.DONE]
        if not done and tried:
            result.failed.append(f"no TLS as the site demands it: {tried[-1]}")
        elif not done:
            result.doubtful.append(str(here[0]))
        result.failed += [
            f"its certificate ends within {days} days: {one}" for one in done if _ends_soon(one, now, days)
        ]
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


def _failed(trial: Trial) -> bool:
    return not trial.done and not trial.learnt_nothing


def _lines(trials: Iterable[Trial]) -> list[str]:
    return [str(one) for one in trials]


def _unregistered(trials: Trials, phones: Iterable[TrialPhone]) -> list[str]:
    """Phones that get no service at all, so that being refused proves nothing."""
    return [
        f"{phone.name} registers from no trusted place, so nothing follows from it"
        for phone in phones
        if not trials.registered(phone)
    ]


def _with_password(trials: Trials) -> list[TrialPhone]:
    return [phone for phone, _ in trials.phones if phone.application == "sip"]


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
