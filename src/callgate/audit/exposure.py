"""Whether strangers reach a service: straight to its sockets (EXP-01), or by translation and forwarding (EXP-03).

A stranger is every source outside of the site's trusted networks, on every interface but those that lead to trusted
networks alone. The sender chooses its source port, TTL, TCP flags and which address of the host it sends to.
"""

from __future__ import annotations

from collections.abc import Sequence

from callgate.audit.confinement import entrances, from_outside
from callgate.audit.reaching import families_of, offers
from callgate.audit.standing import evidence_lines, listening
from callgate.audit.target import Target
from callgate.audit.told import named, who_gets_in
from callgate.audit.ways_in import around, behind, straight
from callgate.baseline.service import Service
from callgate.errors import EvidenceError, NotDetermined
from callgate.evidence.interfaces import Network
from callgate.evidence.listener import Listener
from callgate.firewall.sources import Sources


class Exposure:
    """Which strangers get to a service in one kind of way, and what that was judged from."""

    def __init__(self, target: Target, service: Service, strangers: Sources, judged_from: str) -> None:
        self.target = target
        self.service = service
        self.strangers = strangers
        self.judged_from = judged_from
        """The sockets, interfaces and rules the verdict rests on, for the report."""

    def __bool__(self) -> bool:
        """Whether somebody surely gets in. Raises NotDetermined when somebody perhaps does."""
        if not self.strangers.surely.empty:
            return True
        if not self.strangers.empty:
            raise NotDetermined(f"whether strangers reach {self.strangers.what} is not certain:\n{self.explain()}")
        return False

    def explain(self) -> str:
        """Who gets in, by which interface and through which rules, and what to change."""
        return who_gets_in(self.target, self.strangers, self.service)


def sockets_of(target: Target, service: Service) -> Sequence[Listener] | None:
    """The service's sockets; None where the evidence is a ruleset alone, which is judged wherever they may stand."""
    return None if target.evidence.rules_alone else listening(target, service)


def exposure(target: Target, service: Service, *, demanded: bool) -> Exposure:
    """The strangers that get straight to the service.

    A service that nothing on the host provides is not exposed; `demanded` asks the rules even then.
    Raises EvidenceError for evidence that is damaged or missing.
    """
    found = sockets_of(target, service)
    absent = found is not None and not found
    anywhere = strangers(target, straight(target, service, None)) if absent else None
    if anywhere is None:
        reached = strangers(target, straight(target, service, found))
    else:
        reached = anywhere if demanded else Sources({}, anywhere.what)
    said = [_stood(service, found), _asked(target)]
    if anywhere is not None and not demanded and not anywhere.empty:
        said.append(f"the firewall would let strangers in if it ran: {who_gets_in(target, anywhere, None)}")
    return Exposure(target, service, reached, "\n".join(said))


def roundabout(target: Target, service: Service, *, into_trusted: bool) -> Exposure:
    """The strangers that translation or forwarding leads to the service, here or on a call manager behind this host.

    Plain forwarding into trusted networks is not judged for a host that offers VoIP itself, as phones stand there,
    nor into any network for a service that such a host does not offer: the site names the networks of call managers
    behind it, and `into_trusted` has all of them judged.
    Raises EvidenceError for evidence that is damaged or missing.
    """
    every_table(target)
    into = behind(target, into_trusted=into_trusted)
    try:
        found = sockets_of(target, service)
        if not into_trusted and not _may_stand_behind(target, service, found):
            into = target.plan.site.behind_of(target.uri, target.name)
    except EvidenceError:
        # What leads elsewhere needs no socket here: that much can be judged without.
        elsewhere = strangers(target, around(target, service, (), into))
        if elsewhere.surely.empty:
            raise
        return Exposure(target, service, elsewhere, f"{_beyond(into)}; {_asked(target)}")
    reached = strangers(target, around(target, service, found, into))
    return Exposure(target, service, reached, f"{_stood(service, found)}\n{_beyond(into)}; {_asked(target)}")


def _may_stand_behind(target: Target, service: Service, found: Sequence[Listener] | None) -> bool:
    """Whether an unnamed network behind the host may be where the service stands.

    So it may where the host offers nothing of its own, or this very service: but not another one beside those it has.
    """
    if found is None or any(not listener.loopback for listener in found):
        return True
    return not offers(target.evidence, target.plan.services) or not around(target, service, found, ()).empty


def _beyond(into: Sequence[Network]) -> str:
    return f"judged behind this host: {named(into)}" if into else "no network behind this host is judged"


def strangers(target: Target, sources: Sources) -> Sources:
    """Those of a set who are strangers."""
    return from_outside(target, sources) - target.plan.site.trusted


def balanced(target: Target) -> None:
    """Raise NotDetermined where virtual services (IPVS) hand packets on with no rule, no socket and no route."""
    if not target.evidence.rules_alone and target.evidence.balances():
        raise NotDetermined("virtual services (IPVS) are set up: where they lead strangers is not weighed")


def every_table(target: Target) -> None:
    """Raise EvidenceError for a bundle made by hand without `nft.json`: it may hide a translation, or a drop."""
    evidence = target.evidence
    if evidence.bundle.by_hand and not evidence.rules_alone and "nft.json" not in evidence.bundle:
        evidence.bundle.read("nft.json")


def _stood(service: Service, found: Sequence[Listener] | None) -> str:
    if found is None:
        return f"no sockets are in the evidence: the rules for {service.ports} are judged as if it ran"
    return evidence_lines(found) or f"nothing listens on {service.ports}"


def _asked(target: Target) -> str:
    """The interfaces and families that were weighed."""
    open_to = entrances(target)
    families = " and ".join(f"IPv{family}" for family in families_of(target.evidence))
    confining = sorted(set(target.evidence.policy.host.entrances) - set(open_to))
    where = f"strangers may come in by {', '.join(open_to)}" if open_to else "strangers have no way in"
    spared = f"; {', '.join(confining)} leads to trusted networks only" if confining else ""
    return f"{where} ({families}){spared}"
