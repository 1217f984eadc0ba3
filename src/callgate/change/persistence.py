"""What changed of what loads at boot: units enabled and disabled, saved rules, and by meaning who then gets in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.change.shift import Change, Shift
from callgate.errors import CallgateError
from callgate.evidence.boot import BootLoader, BootPlan, boot_plan
from callgate.evidence.boot.forwarding import SWITCHES
from callgate.firewall.sources import cidrs, in_words

_COUNTERS: Final = re.compile(r"^(\[\d+:\d+\] )|\[\d+:\d+\]$")
_STATES: Final[Mapping[bool | None, str]] = {
    True: "loads its rules at boot",
    False: "loads nothing at boot",
    None: "perhaps loads its rules at boot",
}


class Persistence:
    """What differs between two snapshots in what they load at boot. Building it raises NotDetermined."""

    def __init__(self, before: Target, after: Target, services: Iterable[Service]) -> None:
        self.changes: list[Change] = []
        self.notes: list[str] = []
        self.widened: bool | None = False
        """Whether strangers gain access to a service that is offered, at the next boot; None where not certain."""
        self.locked_out: bool | None = False
        """Whether phones of trusted networks lose theirs."""
        self.reasons: list[str] = []
        self.unknown: list[str] = []
        """Why it cannot be told what the next boot changes, though what loads then differs."""
        self._before, self._after, self._services = before, after, tuple(services)
        then, now = boot_plan(before.evidence), boot_plan(after.evidence)
        if not (then.told or now.told):
            return
        if then.told != now.told:
            which = "before" if now.told else "after"
            self.notes.append(f"what loads at boot is not compared: {which} tells nothing of it")
            return
        self._compare(then, now)

    def _compare(self, then: BootPlan, now: BootPlan) -> None:
        old, new = _by_name(then), _by_name(now)
        for name in dict.fromkeys((*old, *new)):
            was, is_ = _state(old.get(name)), _state(new.get(name))
            if was != is_:
                unit = (new.get(name) or old[name]).unit
                did = "perhaps did" if was is None else "did" if was else "did not"
                text = f"{unit} {_STATES[is_]}, and {did} before"
                data = {"unit": unit, "loader": name, "before": was, "after": is_}
                self.changes.append(Change("persistence", text, data))
        for word, mine, others in (("gone", then, now), ("new", now, then)):
            for one in (*mine.others, *mine.conflicts):
                if one not in (*others.others, *others.conflicts):
                    self.changes.append(Change("persistence", f"{word}: {one}", {"change": word, "text": one}))
        for family, switch in SWITCHES.items():
            was, is_ = then.forwarding.get(family), now.forwarding.get(family)
            if was != is_:
                words = {None: "set by no file", True: "set to 1", False: "set to 0"}
                text = f"{switch} is {words[is_]} at boot, and was {words[was]}"
                self.changes.append(Change("persistence", text, {"key": switch, "before": was, "after": is_}))
        files = _differing(then, now)
        if not (files or self.changes):
            return
        said = [f"{path} {word}" for path, word in files.items()]
        told = self._by_meaning()
        if told is None:
            self.changes += [
                Change("persistence", one, {"file": path, "change": word})
                for one, (path, word) in zip(said, files.items(), strict=True)
            ]
        elif told or self.changes:
            self.changes += told
            self.notes += said
        else:
            self.notes += [f"{one}, but not in what it means" for one in said]

    def _by_meaning(self) -> list[Change] | None:
        """Who gains and loses access at the next boot; None where that cannot be told, and a note why."""
        from callgate.audit.boot import after_boot
        from callgate.change.access import Snapped
        from callgate.change.services import ServiceChange, service_change
        from callgate.change.snapshot import target_of
        from callgate.change.structure import same_structure

        found: list[Change] = []
        told: list[ServiceChange] = []
        try:
            then, now = after_boot(self._before), after_boot(self._after)
            for word, mine, others in (("gone", then, now), ("new", now, then)):
                found += [
                    Change("persistence", f"{word}: {text}", {"change": word, "failure": text})
                    for text in mine.failures
                    if text not in others.failures
                ]
            one_policy, other_policy = then.evidence.policy, now.evidence.policy
            same_rules = same_structure(one_policy.ruleset, other_policy.ruleset)
            if same_rules and one_policy.host.sysctls == other_policy.host.sysctls:
                return found
            one, other = (
                Snapped(target_of(target.evidence.bundle, target.plan, booted.evidence))
                for target, booted in ((self._before, then), (self._after, now))
            )
            for service in self._services:
                change = service_change(one, other, service)
                found += [_at_boot("gains", shift, service) for shift in change.gained]
                found += [_at_boot("loses", shift, service) for shift in change.lost]
                told.append(change)
        except CallgateError as error:
            self.unknown.append(f"what loads at boot is compared by its files alone: {error}")
            return None
        self.unknown += [change.undetermined for change in told if change.undetermined]
        self.widened = worst(change.widened for change in told)
        self.locked_out = worst(change.locked_out for change in told)
        self.reasons += [f"after a boot {reason}" for change in told for reason in change.reasons]
        if not found and not same_rules:
            said = "the rules that load at boot differ, but not in who reaches the services"
            found.append(Change("persistence", said, {"change": "rules"}))
        return found


def worst(told: Iterable[bool | None]) -> bool | None:
    """True where one is, else None where one is not certain."""
    every = set(told)
    return True if True in every else None if None in every else False


def _at_boot(word: str, shift: Shift, service: Service) -> Change:
    family, interface = shift.entrance
    perhaps = "perhaps " if not shift.surely else ""
    who = in_words(family, shift.surely or shift.perhaps)
    data = {
        "change": f"{word} at boot",
        "service": service.name,
        "family": family,
        "interface": interface,
        "sources": [text for text, _ in cidrs(family, shift.surely)],
        "doubtful": [text for text, _ in cidrs(family, shift.perhaps)],
        "rules": list(shift.rules),
    }
    text = f"after a boot {who} on {interface} (IPv{family}) {perhaps}{word} access to {service.title}"
    return Change("persistence", text, data)


def _by_name(plan: BootPlan) -> dict[str, BootLoader]:
    return {loader.name: loader for loader in plan.loaders}


def _state(loader: BootLoader | None) -> bool | None:
    return False if loader is None else loader.enabled


def _differing(then: BootPlan, now: BootPlan) -> dict[str, str]:
    """The files that those which load, or may, read differently: path to `new`, `gone` or `changed`."""
    old, new = _files(then), _files(now)
    found = {}
    for path in sorted({*old, *new}):
        if path not in old or path not in new:
            found[path] = "is gone" if path in old else "is new"
        elif _normal(old[path]) != _normal(new[path]):
            found[path] = "changed"
    return found


def _files(plan: BootPlan) -> dict[str, str]:
    loading = [loader for loader in plan.loaders if loader.enabled is not False]
    return {path: text for loader in loading for path, text in loader.files.items()}


def _normal(text: str) -> list[str]:
    """The lines that say something: no comments, no counters, no indentation."""
    lines = (" ".join(_COUNTERS.sub("", line.strip()).split()) for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
