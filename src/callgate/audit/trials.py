"""What the site's test phones got of one host, from every place they can stand at.

Nothing is sent before a check asks for it. A phone is at one place at a time: a call manager that sees a device name
twice may drop both (chan-sccp does).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cached_property
from typing import Final, TypeVar

from callgate.audit import conversation
from callgate.audit.auditor import Side
from callgate.audit.conversation import Guarded
from callgate.audit.handshake import Handshake, handshake
from callgate.audit.phones import must_answer
from callgate.audit.places import Place
from callgate.audit.target import Target
from callgate.audit.trial import Trial, not_here
from callgate.baseline.service import Service
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.attempt import Attempt, Ending, printable
from callgate.endpoint.network import Network
from callgate.errors import CallgateError
from callgate.evidence.listener import Address, Family

PLACE_SECONDS: Final = 300.0
"""What one place may take for all attempts of one kind."""

Result = TypeVar("Result")
Job = Callable[[Network, Place], Awaitable[list[Result]]]


class Trials:
    """The attempts of a host's test phones, made when first asked for and then remembered."""

    def __init__(self, target: Target, places: Sequence[Place]) -> None:
        self.target = target
        self.places = tuple(places)
        self._failures: dict[str, str] = {}

    @cached_property
    def phones(self) -> tuple[tuple[TrialPhone, Service], ...]:
        """The site's test phones that this host knows, with the service each uses.

        Raises NotDetermined when one uses a service that is not judged.
        """
        found = []
        for phone in self.target.plan.site.test_phones:
            if phone.belongs_to(self.target.uri, self.target.name):
                service = next((one for one in self.target.plan.services if phone.uses(one)), None)
                if service is None:
                    raise not_here(phone)
                found.append((phone, service))
        return tuple(found)

    def at(self, side: Side) -> tuple[Place, ...]:
        """The places of a side."""
        return tuple(place for place in self.places if place.side == side)

    def doubts(self, side: Side) -> list[str]:
        """Why places of a side may not be relied on, after what was tried so far."""
        return [
            f"{place.name}: {self._failures[place.name]}" for place in self.at(side) if place.name in self._failures
        ]

    def families(self, service: Service) -> frozenset[Family]:
        """The families in which phones must get the service: those it is offered in, else the host's own."""
        if owed := must_answer(self.target, service):
            return owed
        trusted = {network.version for network in self.target.plan.site.trusted}
        own = {address.version for address in self.target.probed_addresses()}
        both: tuple[Family, ...] = (4, 6)
        return frozenset(family for family in both if family in trusted & own)

    @cached_property
    def registrations(self) -> tuple[Trial, ...]:
        """Each phone registers from each trusted place and leaves; in a family, at the first address that takes it."""

        async def register(network: Network, place: Place) -> list[Trial]:
            found: list[Trial] = []
            for phone, service in self.phones:
                for family in sorted(self.families(service)):
                    for address in _of(place, family):
                        attempt = await conversation.register(self.target, phone, service, network, address)
                        found.append(_trial(phone, service, place, address, attempt))
                        if found[-1].done:
                            break
            return found

        return self._rightly_placed(self.at_each("trusted", register))

    def registered(self, phone: TrialPhone) -> tuple[Trial, ...]:
        """The registrations of a phone that succeeded."""
        return tuple(one for one in self.registrations if one.phone == phone and one.done)

    @cached_property
    def calls(self) -> tuple[Trial, ...]:
        """Each phone that has somebody to call does so, from every place and at every address where it registered."""

        async def call(network: Network, place: Place) -> list[Trial]:
            found = []
            for phone, service in self.phones:
                for before in self.registered(phone):
                    if phone.dials is not None and before.place == place.name:
                        attempt = await conversation.call(self.target, phone, self.phones, network, before.address)
                        found.append(_trial(phone, service, place, before.address, attempt))
            return found

        return tuple(self.at_each("trusted", call))

    @cached_property
    def strangers(self) -> tuple[Trial, ...]:
        """Each phone tries from each stranger's place, at every address; a SIP phone without its password."""

        async def try_in(network: Network, place: Place) -> list[Trial]:
            """Phones side by side: most of what they meet is silence."""
            each = (
                conversation.register_as_stranger(self.target, *one, network, place.addresses) for one in self.phones
            )
            got = await asyncio.gather(*each)
            return [
                _trial(phone, service, place, address, attempt)
                for (phone, service), attempts in zip(self.phones, got, strict=True)
                for address, attempt in zip(place.addresses, attempts, strict=True)
            ]

        return self._rightly_placed(self.at_each("stranger", try_in))

    @cached_property
    def unknown_devices(self) -> tuple[Trial, ...]:
        """Where an SCCP phone registered, the device that nobody has tries as well."""

        async def pretend(network: Network, place: Place) -> list[Trial]:
            found = []
            for phone, service in self.phones:
                for before in self.registered(phone):
                    if phone.application == "sccp" and phone.unknown is not None and before.place == place.name:
                        attempt = await conversation.register_unknown(
                            self.target, phone, service, network, before.address
                        )
                        found.append(_trial(phone, service, place, before.address, attempt))
            return found

        return tuple(self.at_each("trusted", pretend))

    @cached_property
    def guarded(self) -> tuple[tuple[Trial, Guarded], ...]:
        """Where a SIP phone registered: how it, and a user that nobody has, are refused without the password."""

        async def refuse(network: Network, place: Place) -> list[tuple[Trial, Guarded]]:
            found = []
            for phone, service in self.phones:
                for before in self.registered(phone):
                    if phone.application == "sip" and before.place == place.name:
                        got = await conversation.guarded(self.target, phone, service, network, before.address)
                        found.append((before, got))
            return found

        return tuple(self.at_each("trusted", refuse))

    @cached_property
    def handshakes(self) -> tuple[Handshake, ...]:
        """From each trusted place, a TLS handshake with each service that the site demands TLS for."""

        async def shake_hands(network: Network, place: Place) -> list[Handshake]:
            found = []
            for service in self.target.plan.services:
                if service.tls and self.target.plan.site.wants_tls(service):
                    for family in sorted(self.families(service)):
                        for address in _of(place, family):
                            found.append(await handshake(self.target, service, place.name, network, address))
                            if found[-1].ending is Ending.DONE:
                                break
            return found

        return tuple(self.at_each("trusted", shake_hands))

    def at_each(self, side: Side, job: Job[Result]) -> list[Result]:
        """Do a job at each place of a side, one after another. A place that cannot be used becomes a doubt."""
        found: list[Result] = []
        for place in self.at(side):
            try:
                found += asyncio.run(_at(place, job))
            except TimeoutError:
                self._failures[place.name] = f"did not end within {PLACE_SECONDS:g} s"
            except CallgateError as error:
                self._failures[place.name] = printable(str(error))
            except OSError as error:
                self._failures[place.name] = printable(error.strerror or type(error).__name__)
        return found

    def _rightly_placed(self, found: Iterable[Trial]) -> tuple[Trial, ...]:
        """Without those whose place stands on the other side than the site says: they prove nothing for theirs."""
        kept = []
        for one in found:
            source = None if one.learnt_nothing or one.attempt.source is None else one.attempt.source.address
            if source is not None and self.target.plan.site.trusts(source) != (one.side == "trusted"):
                actual = "in no trusted network" if one.side == "trusted" else "in a trusted network"
                self._failures[one.place] = f"is said to be {one.side}, but sends from {source}, which is {actual}"
            else:
                kept.append(one)
        return tuple(kept)


async def _at(place: Place, job: Job[Result]) -> list[Result]:
    async with asyncio.timeout(PLACE_SECONDS), place.network() as network:
        return list(await job(network, place))


def _of(place: Place, family: Family) -> Iterable[Address]:
    return (address for address in place.addresses if address.version == family)


def _trial(phone: TrialPhone, service: Service, place: Place, address: Address, attempt: Attempt) -> Trial:
    return Trial(phone=phone, service=service, place=place.name, side=place.side, address=address, attempt=attempt)
