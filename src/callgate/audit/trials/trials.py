"""What the site's test phones got of one host, from every place they can stand at.

Nothing is sent before a check asks for it. A phone is at one place at a time: a call manager that sees a device name
twice may drop both (chan-sccp does).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import Final

from callgate.audit.phones import must_answer
from callgate.audit.trials import conversation
from callgate.audit.trials.conversation import Called, Guarded
from callgate.audit.trials.handshake import Handshake, handshake
from callgate.audit.trials.places import Place
from callgate.audit.trials.placing import misplaced
from callgate.audit.trials.standing import Standing
from callgate.audit.trials.stranger import register_as_stranger, together
from callgate.audit.trials.trial import Trial, not_here
from callgate.baseline.service import Service
from callgate.baseline.trial_phone import TrialPhone, clashes
from callgate.endpoint.attempt import Attempt, Ending
from callgate.endpoint.network import Network
from callgate.errors import NotDetermined
from callgate.evidence.listener import Address, Family

STRANGERS_AT_ONCE: Final = 4
"""Phones of a stranger's place: a relay has 64 sockets."""


class Trials(Standing):
    """The attempts of a host's test phones, made when first asked for and then remembered."""

    @cached_property
    def phones(self) -> tuple[tuple[TrialPhone, Service], ...]:
        """The site's test phones that this host knows, with the service each uses.

        Raises NotDetermined when one uses a service that is not judged, or two have one name.
        """
        found = []
        for phone in self.target.plan.site.test_phones:
            if phone.belongs_to(self.target.uri, self.target.name):
                service = next((one for one in self.target.plan.services if phone.uses(one)), None)
                if service is None:
                    raise not_here(phone)
                found.append((phone, service))
        if clash := clashes(phone for phone, _ in found):
            raise NotDetermined(clash)
        return tuple(found)

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
                    for address in await self._stood(network, place, service, _of(place, family)):
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
        """Each phone that has somebody to call does so, from every place and at every address where it registered.

        A test phone that is called registers where it did so before, from the same place.
        """

        async def call(network: Network, place: Place) -> list[Trial]:
            found = []
            for phone, service in self.phones:
                for before in self.registered(phone):
                    if phone.dials is not None and before.place == place.name:
                        called = await self._call(before, network)
                        made = _trial(phone, service, place, before.address, called.attempt)
                        found.append(replace(made, heard=called.heard, itself=called.itself))
            return found

        return tuple(self.at_each("trusted", call))

    async def _call(self, before: Trial, network: Network) -> Called:
        phone = before.phone
        other = next((one for one, _ in self.phones if one.number == phone.dials and one != phone), None)
        callee = None
        if other is not None:
            there = [one for one in self.registered(other) if one.place == before.place]
            if not there:
                text = f"{other.name}, whom it calls, does not register from there"
                return Called(Attempt(ending=Ending.FAILED_HERE, text=text, source=before.attempt.source))
            near = next((one for one in there if one.address == before.address), there[0])
            callee = other, near.service, near.address
        return await conversation.call(self.target, phone, before.service, network, before.address, callee)

    @cached_property
    def strangers(self) -> tuple[Trial, ...]:
        """Each phone tries from each stranger's place, at every address; a SIP phone without its password."""

        async def try_in(network: Network, place: Place) -> list[Trial]:
            """Phones side by side: most of what they meet is silence."""
            turns = asyncio.Semaphore(STRANGERS_AT_ONCE)

            async def one(phone: TrialPhone, service: Service) -> list[Trial]:
                slowest = max((one.attempt.milliseconds / 1000 for one in self.registered(phone)), default=0.0)
                async with turns:
                    stood = await self._stood(network, place, service, place.addresses)
                    got = await register_as_stranger(self.target, phone, service, network, stood, slowest=slowest)
                return [_trial(phone, service, place, *pair) for pair in zip(stood, got, strict=True)]

            found = await together(one(*phone) for phone in self.phones)
            return [one for each in found for one in each]

        return self._rightly_placed(self.at_each("stranger", try_in))

    @cached_property
    def after_strangers(self) -> tuple[Trial, ...]:
        """Whether each phone still registers inside once strangers were turned away: else the server may be gone."""
        first = {(one.phone.name, one.family): one for one in reversed(self.registrations) if one.done}
        return self._again(first.values()) if self.strangers else ()

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
    def after_unknown(self) -> tuple[Trial, ...]:
        """Whether the phones still register where the device that nobody has was refused."""
        return self._again(self.unknown_devices)

    @cached_property
    def guarded(self) -> tuple[tuple[Trial, Guarded], ...]:
        """Where a SIP phone registered: how it, and a user that nobody has, are refused without the password.

        A wrong password is tried once for each phone, not at every place and address: registrars count them.
        """
        guessed: set[str] = set()

        async def refuse(network: Network, place: Place) -> list[tuple[Trial, Guarded]]:
            found = []
            for phone, service in self.phones:
                for before in self.registered(phone):
                    if phone.application == "sip" and before.place == place.name:
                        users = [one.user for one, _ in self.phones if one.user is not None]
                        nobody = phone.unknown or conversation.nobody_like(str(phone.user), users)
                        guess = phone.name not in guessed
                        guessed.add(phone.name)
                        got = await conversation.guarded(
                            self.target, phone, service, network, before.address, nobody=nobody, guess=guess
                        )
                        found.append((before, got))
            return found

        return tuple(self.at_each("trusted", refuse))

    @cached_property
    def after_guarded(self) -> tuple[Trial, ...]:
        """Whether the phones still register after the wrong passwords: else nothing tells a ban from a refusal."""
        return self._again(before for before, _ in self.guarded)

    def tls_services(self) -> tuple[Service, ...]:
        """The services that the site demands TLS for and this host speaks, by what it offers or a phone uses."""
        plan = self.target.plan
        wanted = [one for one in plan.services if one.tls and plan.site.wants_tls(one)]
        if not wanted:
            return ()
        spoken = {one.application for one in plan.services if must_answer(self.target, one)}
        spoken |= {phone.application for phone, _ in self.phones}
        return tuple(one for one in wanted if one.application in spoken)

    @cached_property
    def handshakes(self) -> tuple[Handshake, ...]:
        """From each trusted place, a TLS handshake with each service that the site demands TLS for."""

        async def shake_hands(network: Network, place: Place) -> list[Handshake]:
            found = []
            for service in self.tls_services():
                own = [phone for phone, its in self.phones if its == service and phone.certificate is not None]
                phone = next(iter(own), None)
                for family in sorted(self.families(service)):
                    stood = await self._stood(network, place, service, _of(place, family))
                    found += [
                        await handshake(self.target, service, place.name, network, address, phone) for address in stood
                    ]
            return found

        return tuple(self.at_each("trusted", shake_hands))

    def _again(self, before: Iterable[Trial]) -> tuple[Trial, ...]:
        """The phones register once more, each where it did."""
        wanted = tuple(dict.fromkeys((one.phone.name, one.place, one.address) for one in before))

        async def register(network: Network, place: Place) -> list[Trial]:
            found = []
            for phone, service in self.phones:
                for name, at, address in wanted:
                    if (name, at) == (phone.name, place.name):
                        attempt = await conversation.register(self.target, phone, service, network, address)
                        found.append(_trial(phone, service, place, address, attempt))
            return found

        return tuple(self.at_each("trusted", register, {place for _, place, _ in wanted}))

    def _rightly_placed(self, found: Iterable[Trial]) -> tuple[Trial, ...]:
        """Without those whose place stands on the other side than the site says: they prove nothing for theirs."""
        kept = []
        for one in found:
            source = None if one.learnt_nothing or one.attempt.source is None else one.attempt.source.address
            reason = None if source is None else misplaced(self.target, one.side, source, one.address)
            if reason is not None:
                self._failures[one.place] = reason
            else:
                kept.append(one)
        return tuple(kept)


def _of(place: Place, family: Family) -> Iterable[Address]:
    return (address for address in place.addresses if address.version == family)


def _trial(phone: TrialPhone, service: Service, place: Place, address: Address, attempt: Attempt) -> Trial:
    return Trial(phone=phone, service=service, place=place.name, side=place.side, address=address, attempt=attempt)
