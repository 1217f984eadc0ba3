"""Who has access to the services of one snapshot: who reaches them in any way, and whom they serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from callgate.audit.exposure import sockets_of
from callgate.audit.reaching import offers
from callgate.audit.standing import standings
from callgate.audit.target import Target
from callgate.audit.ways_in import around, behind, reaching_sockets, served, straight
from callgate.baseline.service import Service
from callgate.errors import EvidenceError
from callgate.evidence.interfaces import Network
from callgate.evidence.listener import Listener, Transport
from callgate.firewall.difference import apart
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Sources

Networks = tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """Who has access to one service."""

    reached: Sources
    """Who opens a flow to it in any way: straight, translated, forwarded."""
    served: Sources
    """Whom it serves on its own port, whatever port they call from, with replies."""

    @property
    def empty(self) -> bool:
        """Whether nobody has, not even perhaps."""
        return self.reached.empty and self.served.empty


def gain(now: Access, then: Access) -> Sources:
    """Who reaches it now and did not then, or is served now and was not then."""
    return apart(now.reached, then.reached) | apart(now.served, then.served)


class Snapped:
    """One snapshot, and the answers it gave so far. Every method raises NotDetermined where the evidence does not tell.

    Answers are kept: comparing one snapshot with many asks each question once.
    """

    def __init__(self, target: Target, families: Iterable[Family] = FAMILIES) -> None:
        """Only sources of these families are told of."""
        self.target = target
        self._families = frozenset(families)
        self._answers: dict[tuple[object, ...], Access] = {}
        self._sockets: dict[str, Sequence[Listener] | None] = {}

    def sockets(self, service: Service) -> Sequence[Listener] | None:
        """The service's sockets; None for a ruleset alone."""
        if service.name not in self._sockets:
            self._sockets[service.name] = sockets_of(self.target, service)
        return self._sockets[service.name]

    def named_behind(self) -> Networks:
        """The networks behind the host that the site names."""
        return self.target.plan.site.behind_of(self.target.uri, self.target.name)

    @property
    def _into_trusted(self) -> bool:
        control = self.target.plan.baseline.controls.get("EXP-03")
        return bool(control is not None and control.parameters.get("into_trusted"))

    @cached_property
    def _known_behind(self) -> Networks:
        return tuple({*behind(self.target, into_trusted=True), *self.named_behind()})

    def judged_behind(self, service: Service) -> Networks:
        """The networks behind the host in which the service is looked for, as EXP-03 does."""
        try:
            found = self.sockets(service)
        except EvidenceError:
            return behind(self.target, into_trusted=self._into_trusted)
        if self._into_trusted or found is None or any(not listener.loopback for listener in found):
            return behind(self.target, into_trusted=self._into_trusted)
        # A host that offers other services hides none of this one behind it, unless the site says so.
        if (
            not offers(self.target.evidence, self.target.plan.services)
            or not around(self.target, service, found, ()).empty
        ):
            return behind(self.target)
        return self.named_behind()

    def within_reach(self, networks: Iterable[Network]) -> Networks:
        """The parts of these networks that this host knows to lie behind it."""
        found = {
            one if one.prefixlen >= known.prefixlen else known
            for one in networks
            for known in self._known_behind
            if one.version == known.version and one.overlaps(known)
        }
        return tuple(sorted(found, key=lambda one: (one.version, int(one.network_address), one.prefixlen)))

    def access(self, service: Service, into: Networks, named: Networks) -> Access:
        """Who has access to the sockets there are, and to where the service stands behind the host."""
        return self._access(service, self.sockets(service), into, named)

    def by_rules(self, service: Service, into: Networks, named: Networks) -> Access:
        """Who would have access if the service ran."""
        return self._access(service, None, into, named)

    def elsewhere(self, service: Service, into: Networks) -> Access:
        """Who is led to the service behind this host: what needs no socket here can be told without any."""
        return self._access(service, (), into, ())

    def offers(self, service: Service, access: Access) -> bool:
        """Whether something provides the service to anybody but this host; rules alone are judged as if it did."""
        found = self.sockets(service)
        return found is None or any(not listener.loopback for listener in found) or not access.empty

    def _access(self, service: Service, found: Sequence[Listener] | None, into: Networks, named: Networks) -> Access:
        key = (service.name, found if found is None else tuple(found), into, named)
        if key not in self._answers:
            target = self.target
            reached = straight(target, service, found) | around(target, service, found, into)
            self._answers[key] = Access(
                self._of_families(reached), self._of_families(served(target, service, found, named))
            )
        return self._answers[key]

    def _of_families(self, sources: Sources) -> Sources:
        kept = {at: door for at, door in sources if at.family in self._families}
        return Sources(kept, sources.what)

    @cached_property
    def other_access(self) -> Mapping[tuple[Transport, int], Sources]:
        """Who reaches the listeners that are none of the judged services, by transport and port."""
        found: dict[tuple[Transport, int], Sources] = {}
        if self.target.evidence.rules_alone:
            return found
        services = self.target.plan.services
        others = [
            listener
            for listener in self.target.evidence.listeners
            if not any(service.claims(listener) for service in services)
        ]
        for standing in standings(self.target, others):
            sources = reaching_sockets(self.target, standing)
            for key in {(listener.transport, listener.port) for listener in standing.listeners}:
                found[key] = found[key] | sources if key in found else sources
        return found
