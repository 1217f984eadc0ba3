"""Whether a place stands where the site says, told before anything is sent from there."""

from __future__ import annotations

from callgate.audit.auditor import Side
from callgate.audit.target import Target
from callgate.endpoint.attempt import AttemptFailed
from callgate.endpoint.failure import without_zone
from callgate.endpoint.network import Network, TransportAddress
from callgate.evidence.listener import Address


async def source_toward(network: Network, server: TransportAddress) -> TransportAddress | None:
    """The address that packets to a server leave by; None where there is no way. Nothing is sent."""
    try:
        sock = await network.datagrams(toward=server)
    except AttemptFailed:
        return None
    await sock.close()
    return sock.local


def misplaced(target: Target, side: Side, source: Address, asked: Address) -> str | None:
    """Why what is sent from `source` to `asked` proves nothing for a side; None when it does."""
    if source == asked or without_zone(source) in _own(target):
        return f"is the audited host itself: what it sends from {source} passes no firewall"
    trusted = target.plan.site.trusts(source)
    if trusted != (side == "trusted"):
        actual = "in a trusted network" if trusted else "in no trusted network"
        return f"is said to be {side}, but sends from {source}, which is {actual}"
    return None


def _own(target: Target) -> frozenset[Address]:
    """The host's own addresses; without evidence they are not known."""
    if target.from_outside or not target.live:
        return frozenset()
    return frozenset(entry.address for entry in target.evidence.addresses)
