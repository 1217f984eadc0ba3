"""Where the audit's phones stand: the site's vantages, and the auditor's machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import testinfra
from testinfra.host import Host

from callgate.audit.auditor import AUDITOR, Side, auditors_side, reached_from_here, sources_toward
from callgate.audit.target import Target
from callgate.endpoint.network import Network
from callgate.endpoint.sockets import LocalNetwork
from callgate.evidence.backends import host_uri
from callgate.evidence.listener import Address
from callgate.evidence.logins import SharedLogins


@dataclass(frozen=True, slots=True)
class Place:
    """A host that phones speak from, and on which side of the firewall it stands."""

    name: str
    side: Side
    host: Host | None
    """None: this machine."""
    addresses: tuple[Address, ...]
    """Of the audited host, to be tried from there."""

    @asynccontextmanager
    async def network(self) -> AsyncIterator[Network]:
        """Sockets that are opened there.

        Raises NotDetermined, or what the back end raises, when it cannot be used; AttemptFailed when it was lost.
        """
        if self.host is None:
            yield LocalNetwork()
            return
        from callgate.endpoint.relay.interactive import relay_from

        async with relay_from(self.host, self.name) as network:
            yield network
            await network.confirm()  # a vantage that went away is silent too


def places_of(target: Target, logins: SharedLogins) -> tuple[Place, ...]:
    """Every place that phones can speak to the host from. Raises NotDetermined when its addresses are not known."""
    site = target.plan.site
    places = []
    if site.vantages:
        addresses = target.probed_addresses()
        for vantage in site.vantages:
            host = testinfra.get_host(logins.shared(host_uri(vantage.host)), ssh_config=str(logins.config()))
            places.append(Place(vantage.name, vantage.side, host, addresses))
    places += _here(target)
    return tuple(places)


def _here(target: Target) -> list[Place]:
    """This machine, twice where it is a stranger in one family alone; not where it is the audited host itself."""
    sides: dict[Side, list[Address]] = {}
    for family in (4, 6):
        mine = [address for address in reached_from_here(target) if address.version == family]
        mine = [address for address in mine if address not in sources_toward([address])]
        if mine:
            sides.setdefault(auditors_side(target, sources_toward(mine)), []).extend(mine)
    return [
        Place(AUDITOR if len(sides) == 1 else f"{AUDITOR} (IPv{found[0].version})", side, None, tuple(found))
        for side, found in sides.items()
    ]
