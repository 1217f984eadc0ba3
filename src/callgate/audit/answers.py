"""Who was answered, from where: the probes of one host's services from every vantage, and what they prove.

One probe speaks for one source. Silence speaks for nothing by itself: it counts as "turned away" only where the
same service answered somebody else in the same audit, or where nothing of the kind listens at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import testinfra

from callgate.audit.auditor import AUDITOR, Side, auditors_side, reached_from_here
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.endpoint.answer import Answer, Finding, exchange_for, judge
from callgate.endpoint.exchange import Exchange, Observation
from callgate.endpoint.vantage import run_here, run_through
from callgate.errors import CallgateError, NotDetermined
from callgate.evidence.backends import host_uri
from callgate.evidence.deadline import each_within
from callgate.evidence.listener import Address
from callgate.evidence.logins import SharedLogins

VANTAGE_SECONDS = 120
"""How long a vantage may take for all its probes of a host; they take 12 s at most where none is answered."""
VANTAGES_AT_ONCE = 8
PORTS_OF_A_RANGE = 4
"""Of a service with a range of ports, so many from its start are probed."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One probe: a service at an address, asked from a vantage."""

    vantage: str
    side: Side
    service: str
    address: Address
    port: int
    source: Address | None
    finding: Finding

    def __str__(self) -> str:
        by = f" (as {self.source})" if self.source else ""
        return f"{self.vantage}{by} at {self.address} port {self.port}: {self.finding.answer}, {self.finding.text}"


class Answers:
    """What the vantages got of one host. A vantage that could not be used is a doubt, not an answer."""

    def __init__(
        self,
        target: Target,
        measurements: Iterable[Measurement],
        sides: Iterable[tuple[str, Side]],
        failures: dict[str, str],
    ) -> None:
        self._target = target
        self._measurements = tuple(measurements)
        self._sides = tuple(sides)
        self._failures = failures
        self._named: dict[Address, bool] = {}

    def vantages(self, side: Side) -> tuple[str, ...]:
        """The vantages of a side, usable or not."""
        return tuple(name for name, its_side in self._sides if its_side == side)

    def of(self, service: Service, side: Side) -> tuple[Measurement, ...]:
        """The probes of a service from a side's vantages."""
        return tuple(one for one in self._measurements if one.service == service.name and one.side == side)

    def answered(self, service: Service, side: Side) -> tuple[Measurement, ...]:
        """The probes that found the port open, with or without an answer."""
        return tuple(one for one in self.of(service, side) if one.finding.answer.is_open)

    def doubts(self, side: Side) -> list[str]:
        """Why the vantages of a side may not be relied on."""
        return [
            f"{name}: {self._failures[name]}"
            for name, its_side in self._sides
            if its_side == side and name in self._failures
        ]

    def turned_away(self, service: Service) -> str:
        """How strangers were kept from a service, on every address of the host. Raises NotDetermined otherwise.

        Never call it a pass when `answered(service, "stranger")` holds anything.
        """
        if doubts := self.doubts("stranger"):
            raise NotDetermined("; ".join(doubts))
        if len(service.port) > PORTS_OF_A_RANGE:
            raise NotDetermined(f"{service.ports}: of so many ports only {PORTS_OF_A_RANGE} are probed")
        seen = self.of(service, "stranger")
        if opened := self.answered(service, "stranger"):
            raise NotDetermined(f"strangers were let in: {opened[0]}")
        for family in sorted({one.address.version for one in seen}):
            self._kept_out(service, [one for one in seen if one.address.version == family])
        if not seen:
            raise NotDetermined(f"no stranger's vantage could probe {service.ports}")
        if unseen := self._families_owed(service) - {one.address.version for one in seen}:
            raise NotDetermined(f"the host has IPv{min(unseen)} addresses, but no stranger's vantage probed one")
        first = seen[0]
        return f"strangers were turned away: {first}" + (f"; and {len(seen) - 1} more probes" if len(seen) > 1 else "")

    def _kept_out(self, service: Service, seen: Sequence[Measurement]) -> None:
        """Check that every probe of one family shows that strangers were kept out, and that some probe arrived."""
        way = [one for one in seen if one.finding.answer is not Answer.NO_ROUTE]
        if not way:
            raise NotDetermined(f"no stranger's vantage has a way to the host: {seen[0]}")
        told = [one for one in way if self._target.surely_meant(one.address, one.source)]
        if not told:
            raise NotDetermined(
                f"at the vantage this address may be another host's, or lead nowhere: {way[0]}; name the addresses "
                f"strangers use in the site file (`hosts:`, `addresses:`)"
            )
        for one in told:
            if one.finding.answer is Answer.INCONCLUSIVE:
                raise NotDetermined(f"the probe failed: {one}")
            if one.source is not None and self._named_in_rules(one.source):
                raise NotDetermined(f"the firewall has a rule about this very source, so it speaks for no other: {one}")
            if one.finding.answer is not Answer.REFUSED and not self._would_be_heard(service, one):
                raise NotDetermined(f"silence that proves nothing, as nobody else was answered either: {one}")

    def _would_be_heard(self, service: Service, silent: Measurement) -> bool:
        """Whether this probe would have been answered had it got through.

        That is so when a trusted vantage was answered by the service in the same family; and where nothing
        listens nor is translated, there is nothing to be silent about.
        """
        family = silent.address.version
        if any(
            one.finding.answer is Answer.ANSWERS and one.address.version == family
            for one in self.of(service, "trusted")
        ):
            return True
        return not self._target.from_outside and self._nothing_there(service, family)

    def _nothing_there(self, service: Service, family: int) -> bool:
        evidence = self._target.evidence
        here = [one for one in evidence.listeners if service.claims(one) and family in one.families]
        return not here and not evidence.forwards() and not evidence.translates()

    def _families_owed(self, service: Service) -> set[int]:
        """The families in which a stranger must have been seen turned away."""
        if self._target.from_outside:
            return set()
        return {family for family in self._target.families() if not self._nothing_there(service, family)}

    def _named_in_rules(self, source: Address) -> bool:
        if self._target.from_outside:
            return False
        if source not in self._named:
            self._named[source] = self._target.evidence.rules_name(source)
        return self._named[source]


def measure(target: Target, logins: SharedLogins) -> Answers:
    """Probe the judged services of a host from every vantage of the site, and from here where that tells anything.

    From here: only the address the host is reached by, and only for back ends that reach it over the network.
    Raises NotDetermined (CollectionError) when the addresses of the host are not known.
    """
    site = target.plan.site
    if not target.live:
        return Answers(target, (), (), {})
    failures: dict[str, str] = {}
    measurements: list[Measurement] = []
    sides: list[tuple[str, Side]] = [(vantage.name, vantage.side) for vantage in site.vantages]
    wanted = _exchanges(target, target.probed_addresses()) if site.vantages else []

    def look(host: str) -> list[Observation]:
        connection = testinfra.get_host(logins.shared(host_uri(host)), ssh_config=str(logins.config()))
        return run_through(connection, [one for _, one in wanted])

    jobs = {vantage.name: partial(look, vantage.host) for vantage in site.vantages}
    results = dict(each_within(VANTAGE_SECONDS, jobs, VANTAGES_AT_ONCE))
    for vantage in site.vantages:
        result = results[vantage.name]
        if isinstance(result, Exception):
            failures[vantage.name] = _failure(result)
            continue
        seen = _measured(vantage.name, vantage.side, wanted, result)
        if misplaced := _misplaced(target, vantage.side, seen):
            failures[vantage.name] = misplaced
        else:
            measurements += seen
    if here := reached_from_here(target):
        own = _exchanges(target, here)
        observations = run_here([one for _, one in own])
        side = auditors_side(target, [one.source for one in observations if one.source is not None])
        sides.append((AUDITOR, side))
        measurements += _measured(AUDITOR, side, own, observations)
    return Answers(target, measurements, sides, failures)


def _failure(error: Exception) -> str:
    """Why a vantage could not be used; back ends raise RuntimeError, OSError, their libraries' own."""
    if isinstance(error, CallgateError | TimeoutError):
        return str(error)
    return f"cannot be reached: {' '.join(str(error).split())[:200] or type(error).__name__}"


def _exchanges(target: Target, addresses: Sequence[Address]) -> list[tuple[Service, Exchange]]:
    """What to ask: each service, at each address, on its first ports."""
    found = []
    for service in target.plan.services:
        transport = "tls" if service.tls else service.transport
        for address in addresses:
            for port in service.port[:PORTS_OF_A_RANGE]:
                key = f"{service.name} {address} {port}"
                found.append((service, exchange_for(service.application, transport, address, port, key=key)))
    return found


def _measured(
    vantage: str, side: Side, wanted: Sequence[tuple[Service, Exchange]], observations: Sequence[Observation]
) -> list[Measurement]:
    return [
        Measurement(
            vantage=vantage,
            side=side,
            service=service.name,
            address=exchange.address,
            port=exchange.port,
            source=observation.source,
            finding=judge(exchange, observation),
        )
        for (service, exchange), observation in zip(wanted, observations, strict=True)
    ]


def _misplaced(target: Target, side: Side, seen: Sequence[Measurement]) -> str | None:
    """A vantage whose own address belongs to the other side proves nothing for its own."""
    for one in seen:
        if one.source is None or one.finding.answer is Answer.NO_ROUTE:
            continue
        trusted = target.plan.site.trusts(one.source)
        if trusted != (side == "trusted"):
            actual = "in a trusted network" if trusted else "in no trusted network"
            return f"is said to be {side}, but sends from {one.source}, which is {actual}"
    return None
