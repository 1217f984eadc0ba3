"""Where the phones of an audit stand, one place after another, and why some of these may not be relied on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from typing import Final, TypeVar

from callgate.audit.auditor import Side
from callgate.audit.target import Target
from callgate.audit.trials.places import Place
from callgate.audit.trials.placing import misplaced, source_toward
from callgate.audit.trials.trial import server_at
from callgate.baseline.service import Service
from callgate.endpoint.attempt import printable
from callgate.endpoint.network import Network
from callgate.errors import CallgateError
from callgate.evidence.listener import Address

PLACE_SECONDS: Final = 300.0
"""What one place may take for all attempts of one kind."""

Result = TypeVar("Result")
Job = Callable[[Network, Place], Awaitable[list[Result]]]


class Standing:
    """The places of both sides toward one host."""

    def __init__(self, target: Target, places: Sequence[Place]) -> None:
        self.target = target
        self.places = tuple(places)
        self._failures: dict[str, str] = {}

    def at(self, side: Side) -> tuple[Place, ...]:
        """The places of a side."""
        return tuple(place for place in self.places if place.side == side)

    def doubts(self, side: Side) -> list[str]:
        """Why places of a side may not be relied on, after what was tried so far."""
        return [
            f"{place.name}: {self._failures[place.name]}" for place in self.at(side) if place.name in self._failures
        ]

    def at_each(self, side: Side, job: Job[Result], names: Container[str] | None = None) -> list[Result]:
        """Do a job at each place of a side, or the named ones, one after another.

        A place that cannot be used becomes a doubt.
        """
        found: list[Result] = []
        for place in self.at(side):
            if names is not None and place.name not in names:
                continue
            try:
                found += asyncio.run(_at(place, job))
            except TimeoutError:
                self._failures[place.name] = f"did not end within {PLACE_SECONDS:g} s"
            except CallgateError as error:
                self._failures[place.name] = printable(str(error))
            except OSError as error:
                self._failures[place.name] = printable(error.strerror or type(error).__name__)
        return found

    async def _stood(
        self, network: Network, place: Place, service: Service, addresses: Iterable[Address]
    ) -> tuple[Address, ...]:
        """The addresses toward which a place stands on its side: to the others no phone and no password is sent."""
        stood = []
        for address in addresses:
            source = await source_toward(network, server_at(service, address))
            reason = None if source is None else misplaced(self.target, place.side, source.address, address)
            if reason is None:
                stood.append(address)
            else:
                self._failures[place.name] = reason
        return tuple(stood)


async def _at(place: Place, job: Job[Result]) -> list[Result]:
    async with asyncio.timeout(PLACE_SECONDS), place.network() as network:
        return list(await job(network, place))
