"""What a host's rules do, asked by service: for checks that users write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callgate.audit.confinement import entrances, from_outside
from callgate.audit.exposure import sockets_of
from callgate.audit.target import Target
from callgate.audit.ways_in import around, behind, served, straight
from callgate.baseline.service import Service
from callgate.firewall.policy import Traced
from callgate.firewall.sources import Sources
from callgate.firewall.trace import read_packet


class HostPolicy:
    """The rules and the routing of one host under audit.

    Answers are sets of sources: `policy.sources_reaching(service) - site.trusted` are the strangers that get in. Such a
    set is true when it surely holds somebody, raises NotDetermined (the verdict `error`) when it holds somebody only
    perhaps, and explains itself (`.explain()`). Methods raise EvidenceError for evidence that is damaged or missing.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    @property
    def entrances(self) -> tuple[str, ...]:
        """The interfaces by which strangers may come in: all but those that lead to trusted networks alone."""
        return entrances(self._target)

    def sources_reaching(self, service: Service) -> Sources:
        """Everybody who reaches the service by one of the `entrances`, straight, translated or forwarded.

        Where the service has no socket and nothing leads elsewhere, that is nobody.
        """
        target = self._target
        found = sockets_of(target, service)
        every_way = straight(target, service, found) if found is None or found else Sources()
        return from_outside(target, every_way | around(target, service, found, behind(target)))

    def sources_served(self, service: Service) -> Sources:
        """Everybody whom the service serves, by any interface and whatever port they call from, with its replies."""
        target = self._target
        return served(target, service, sockets_of(target, service), behind(target))

    def trace(self, packet: Mapping[str, Any]) -> Traced:
        """What becomes of one packet (`verdict` and `rules`), given as `callgate trace` takes it.

        Raises EvidenceError for a packet that is not one.
        """
        return self._target.evidence.policy.trace(read_packet(packet))
