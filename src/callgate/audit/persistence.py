"""Whether the host is after its next boot what it is now: protected, open to its phones, by rules that are saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from callgate.audit.boot import NOTHING_TOLD, RULES_ALONE, Booted, after_boot, booted_target, told_plan, zones_differ
from callgate.audit.exposure import Exposure, exposure, roundabout, sockets_of
from callgate.audit.target import Target
from callgate.audit.told import who_gets_in
from callgate.audit.ways_in import around, behind, straight
from callgate.baseline.service import Service
from callgate.errors import NotDetermined
from callgate.evidence.boot import BootLoader, boot_plan
from callgate.firewall.difference import apart
from callgate.firewall.rule import Rule, Ruleset
from callgate.firewall.sources import Sources
from callgate.firewall.trace import FLAGS, PROTOCOLS, Packet

RULES_TOLD: Final = 4
_RULE_TOLD: Final = 200


def untold(target: Target) -> str | None:
    """Why nothing can be said about the host's boot where nobody need have collected it; else None."""
    if target.evidence.rules_alone:
        return RULES_ALONE
    return None if boot_plan(target.evidence).told else NOTHING_TOLD


def judged_from(target: Target) -> str:
    """What loads at boot, for the report."""
    booted = after_boot(target)
    said = [loaded_by(booted)]
    said += [f"taken for granted: {note}" for note in booted.notes]
    said += [f"does not load: {failure}" for failure in booted.failures]
    return "\n".join(said)


def loaded_by(booted: Booted) -> str:
    """Who loads what, in a line."""
    if not booted.loaders:
        return "nothing loads rules at boot"
    return "loaded at boot: " + "; ".join(f"{loader.name} ({files_of(loader)})" for loader in booted.loaders)


def exposed_after_boot(target: Target, service: Service) -> tuple[Exposure, Exposure]:
    """The strangers that get straight to the service after a boot, and those that are led around to it."""
    booted = booted_target(target)
    return exposure(booted, service, demanded=False), roundabout(booted, service, into_trusted=False)


@dataclass(frozen=True, slots=True)
class Drift:
    """Who reaches a service now and not after a boot, and the other way round."""

    service: Service
    target: Target
    booted: Target
    gone: Sources
    """Those who get in now and not after a boot."""
    come: Sources
    """Those who get in after a boot and not now."""

    def __bool__(self) -> bool:
        """Whether anybody surely is. Raises NotDetermined where somebody perhaps is."""
        if not (self.gone.surely.empty and self.come.surely.empty):
            return True
        if not (self.gone.empty and self.come.empty):
            raise NotDetermined(f"whether a boot changes who gets in is not certain:\n{self.explain()}")
        return False

    def explain(self) -> str:
        """Who they are, and by which rules; those that run now and that nothing loads at boot are marked."""
        now, then = who_gets_in(self.target, self.gone, None), who_gets_in(self.booted, self.come, None)
        said = [f"gets in now, and not after a boot: {line}" for line in now.splitlines()]
        said += [f"gets in after a boot, and not now: {line}" for line in then.splitlines()]
        loose = unsaved(self.target.evidence.policy.ruleset, self.booted.evidence.policy.ruleset)
        answering = {*_letting_in(self.gone), *_refusing(self.target, self.service, self.come)}
        if named := [_short(rule) for rule in loose if str(rule) in answering]:
            more = f" and {len(named) - RULES_TOLD} more" if len(named) > RULES_TOLD else ""
            said.append(f"nothing loads at boot: {'; '.join(named[:RULES_TOLD])}{more}")
        return "\n".join(said)


def _letting_in(sources: Sources) -> Iterator[str]:
    for _, door in sources:
        for way in door.ways:
            if way.sources & door.any:
                yield from way.rules


def _refusing(target: Target, service: Service, sources: Sources) -> Iterator[str]:
    """The rules that now refuse an example of each of those who get in after a boot."""
    policy = target.evidence.policy
    for (family, interface), door in sources:
        own = [entry for entry in policy.host.addresses if entry.family == family]
        if door.any and own:
            own.sort(key=lambda entry: entry.interface != interface)
            asked = (door.surely or door.perhaps).bounds[0], own[0].address
            protocol = PROTOCOLS[service.transport]
            packet = Packet(interface, family, *asked, protocol, 40000, service.port[0], FLAGS["syn"])
            yield from policy.trace(packet).rules


def drift(target: Target, service: Service) -> Drift:
    """How a boot changes who reaches the service, by whatever way. Raises NotDetermined where that is not told."""
    booted = booted_target(target)
    if booted is target:
        return Drift(service, target, booted, Sources({}, service.title), Sources({}, service.title))
    now, then = _reaching(target, service), _reaching(booted, service)
    return Drift(service, target, booted, apart(now, then), apart(then, now))


def _reaching(target: Target, service: Service) -> Sources:
    found = sockets_of(target, service)
    return straight(target, service, found) | around(target, service, found, behind(target))


def unsaved(running: Ruleset, booted: Ruleset) -> list[Rule]:
    """The rules that run now and that nothing puts in at boot, as often as they stand there."""
    left: dict[tuple[object, str], int] = {}
    for name, chain in booted.chains.items():
        for rule in chain.rules:
            left[name, rule.text] = left.get((name, rule.text), 0) + 1
    loose = []
    for name, chain in running.chains.items():
        for rule in chain.rules:
            if left.get((name, rule.text), 0):
                left[name, rule.text] -= 1
            else:
                loose.append(rule)
    return loose


def files_of(loader: BootLoader) -> str:
    """Its files, the first of them by name."""
    names = sorted(loader.files)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(f"/{name}" for name in names[:3]) + more) or "no files"


def advice(target: Target) -> str:
    """How the rules that run now become those of the next boot, on lines of their own; empty where they are that."""
    if booted_target(target) is target:
        return ""
    plan = told_plan(target.evidence)
    said = list(zones_differ(target.evidence, plan)[:RULES_TOLD])
    ways = {
        "firewalld": "put the permanent settings right (`firewall-cmd --permanent`), and make no rule beside firewalld",
        "ufw": "make the rule with `ufw`, not with iptables",
        "nftables": "write it into /etc/nftables.conf",
        "iptables-persistent": "`netfilter-persistent save`",
        "iptables-services": "`service iptables save` and `service ip6tables save`",
        "csf": "write it into csf.allow, csf.deny or csf.conf",
    }
    does = [ways[loader.name] for loader in plan.loading if loader.name in ways]
    if not does:
        does = ["save the rules (nftables.conf or rules.v4 and rules.v6) and enable the unit that loads them"]
    return "".join(f"\n{line}" for line in (*said, f"to do: {'; or '.join(does)}"))


def _short(rule: Rule) -> str:
    text = str(rule)
    return text if len(text) <= _RULE_TOLD else f"{text[:_RULE_TOLD]} ..."
