"""What is asked of which port: targets times services, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from callgate.endpoint.answer import exchange_for
from callgate.endpoint.exchange import Exchange, Transport
from callgate.endpoint.probe.target import Address, Target, addresses_in, count_in
from callgate.errors import UsageMistake

MAXIMUM_QUESTIONS: Final = 400_000
"""A /16 and five services are 327,670."""


@dataclass(frozen=True, slots=True)
class ProbedService:
    """A service as a probe speaks to it."""

    name: str
    application: str
    """`sccp`, `sip`, or another that is only connected to."""
    transport: Transport
    ports: range
    """Where it is asked unless a target or the user names other ports."""


@dataclass(frozen=True, slots=True)
class Question:
    """One service of one port of one address."""

    target: Target
    address: Address
    port: int
    service: ProbedService

    def exchange(self, *, seconds: float | None = None) -> Exchange:
        """What to send. `seconds` replaces how long a connection, and then an answer, is waited for."""
        made = exchange_for(
            self.service.application,
            self.service.transport,
            self.address,
            self.port,
            server_name=self._server_name(),
        )
        return made if seconds is None else replace(made, connect_seconds=seconds, wait_seconds=seconds)

    def _server_name(self) -> str | None:
        """The name for TLS; none where a host name has characters that a server's name must not have (RFC 6066)."""
        name = self.target.where
        return name if isinstance(name, str) and "_" not in name and name.strip("-.") == name else None


def questions(
    targets: Iterable[Target],
    resolved: Mapping[str, tuple[Address, ...] | str],
    services: Sequence[ProbedService],
    *,
    ports: Sequence[range] = (),
    every_service: bool = False,
    families: frozenset[int] = frozenset({4, 6}),
) -> list[Question]:
    """Every question, address by address, in the order of the targets; one that repeats is left out.

    A port that a target or `ports` names is asked for the services that have their place there, and if none has, for
    all of them; with `every_service` always for all. Without any, each service is asked at its own ports. Raises
    UsageMistake when there are more than MAXIMUM_QUESTIONS.
    """
    chosen = [port for span in ports for port in span]
    asked: dict[tuple[Address, int, str], Question] = {}
    plans: dict[int | None, list[tuple[int, ProbedService]]] = {}
    for target in targets:
        if target.port not in plans:
            named = [target.port] if target.port is not None else chosen
            plans[target.port] = list(_places(named, services, every_service=every_service))
        plan = plans[target.port]
        if isinstance(target.where, str):
            found = resolved[target.where]
            addresses: Iterable[Address] = () if isinstance(found, str) else found
            count = 0 if isinstance(found, str) else len(found)
        elif isinstance(target.where, IPv4Network | IPv6Network):
            addresses, count = addresses_in(target.where), count_in(target.where)
        else:
            addresses, count = (target.where,), 1
        if len(asked) + count * len(plan) > MAXIMUM_QUESTIONS:
            _refuse_too_many()
        for address in addresses:
            if address.version in families:
                for port, service in plan:
                    asked.setdefault((address, port, service.name), Question(target, address, port, service))
    return list(asked.values())


def _places(
    named: Sequence[int], services: Sequence[ProbedService], *, every_service: bool
) -> Iterable[tuple[int, ProbedService]]:
    if not named:
        if sum(len(service.ports) for service in services) > MAXIMUM_QUESTIONS:
            _refuse_too_many()
        return [(port, service) for service in services for port in service.ports]
    if len(named) * len(services) > MAXIMUM_QUESTIONS:
        _refuse_too_many()
    places = []
    for port in named:
        at_home = [service for service in services if port in service.ports]
        places += [(port, service) for service in (services if every_service or not at_home else at_home)]
    return places


def _refuse_too_many() -> None:
    raise UsageMistake(f"too much for one run: at most {MAXIMUM_QUESTIONS:,} questions, an address times a service")
