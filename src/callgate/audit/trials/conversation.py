"""What a test phone does at one server: each is an attempt that ends in bounded time and is cleaned up after."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final

from callgate.audit.target import Target
from callgate.audit.trials.overhearing import OverhearingNetwork
from callgate.audit.trials.trial import (
    SIP_EXPIRES,
    account_of,
    account_without,
    identity_of,
    phone_at,
    server_at,
    tls_of,
)
from callgate.baseline.service import Service
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint import sccp_phone, sip_phone
from callgate.endpoint.attempt import Attempt, AttemptFailed, CallRecord, Ending, printable
from callgate.endpoint.network import Network
from callgate.endpoint.sip_phone import Refusal, SipTransport
from callgate.errors import NotDetermined, UsageMistake
from callgate.evidence.listener import Address

TRIAL_SECONDS: Final = 60.0
"""What one attempt may take, its cleaning up included; the phones' own limits are lower."""
CONNECT_SECONDS: Final = 4.0
"""Linux needs 3.1 s to find that a neighbour does not answer: less looks like a filter."""
TALK_SECONDS: Final = 1.0
"""How long a test call stands: 50 packets each way."""
RING_SECONDS: Final = 20.0
COUNT_SECONDS: Final = 3.0
"""For a test phone that was called to learn that the call has ended, and count."""
_LETTERS: Final = "bcdfghjklmnpqrstvwxz"


@dataclass(frozen=True, slots=True)
class Guarded:
    """How a registrar refuses a known and an unknown user, each without a password and with a wrong one."""

    known: Refusal
    unknown: Refusal


@dataclass(frozen=True, slots=True)
class Called:
    """A call, and whether what was sent arrived anywhere."""

    attempt: Attempt
    heard: int | None = None
    """Packets that the test phone at the other end counted; None: there is none, or it could not count."""
    itself: bool = False
    """The server had the phone send its audio to itself: none of it says anything."""


def nobody_like(user: str, others: Iterable[str] = ()) -> str:
    """A SIP user that nobody has, as long as a given one (servers repeat it in their answers), and none of `others`.

    Consonants by chance: neither an extension nor a name.
    """
    taken = {name.casefold() for name in (user, *others)}
    while (name := "".join(secrets.choice(_LETTERS) for _ in user)) in taken:
        pass
    return name


async def register(target: Target, phone: TrialPhone, service: Service, network: Network, address: Address) -> Attempt:
    """Register and leave. FAILED_HERE where the phone's own password or certificate cannot be had."""
    server = server_at(service, address)
    try:
        tls = tls_of(target, phone)
        if phone.application == "sccp":
            return await bounded(sccp_phone.register_once(network, server, identity_of(phone), tls=tls))
        account, transport = account_of(target, phone), SipTransport(phone.way)
        return await bounded(
            sip_phone.register_once(network, server, account, transport=transport, tls=tls, expires=SIP_EXPIRES)
        )
    except (NotDetermined, UsageMistake) as wanting:
        return Attempt(ending=Ending.FAILED_HERE, text=printable(str(wanting)))


async def register_unknown(
    target: Target, phone: TrialPhone, service: Service, network: Network, address: Address
) -> Attempt:
    """Try to register the device that nobody has."""
    identity = identity_of(phone, phone.unknown)
    server, tls = server_at(service, address), tls_of(target, phone)
    return await bounded(sccp_phone.register_once(network, server, identity, tls=tls))


async def guarded(
    target: Target,
    phone: TrialPhone,
    service: Service,
    network: Network,
    address: Address,
    *,
    nobody: str,
    guess: bool,
) -> Guarded:
    """Ask the registrar as the phone's user and as nobody, without a password and, with `guess`, with a wrong one.

    Who guards a registrar counts wrong passwords, and shuts out whoever sends many.
    """
    server, tls, transport = server_at(service, address), tls_of(target, phone), SipTransport(phone.way)
    wrong = secrets.token_hex(12) if guess else None
    async with asyncio.timeout(TRIAL_SECONDS):
        known, unknown = [
            await sip_phone.refusal(network, server, account_without(phone, user, wrong), transport=transport, tls=tls)
            for user in (str(phone.user), nobody)
        ]
    return Guarded(known, unknown)


async def call(
    target: Target,
    phone: TrialPhone,
    service: Service,
    network: Network,
    address: Address,
    callee: tuple[TrialPhone, Service, Address] | None = None,
) -> Called:
    """Register, call, talk and leave. `callee` is another test phone, that registers, answers and sends audio back."""
    own = OverhearingNetwork(network)
    heard: int | None = None
    if callee is None:
        attempt = await bounded(_call(target, phone, service, own, address))
        return Called(attempt, itself=_to_itself(attempt, own))
    other, its_service, its_address = callee
    try:
        async with (
            asyncio.timeout(TRIAL_SECONDS),
            phone_at(target, other, network, server_at(its_service, its_address)) as called,
        ):
            await called.register()
            answering = asyncio.ensure_future(called.answer(within=RING_SECONDS, echo=True))
            try:
                attempt = await _call(target, phone, service, own, address)
                heard = await _counted(answering)
            finally:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
    except TimeoutError:
        return Called(_endless())
    except AttemptFailed as failed:
        return Called(Attempt(ending=failed.ending, text=f"{other.name}, whom it calls: {failed.text}"))
    return Called(attempt, heard=heard, itself=_to_itself(attempt, own))


async def _counted(answering: asyncio.Future[CallRecord]) -> int | None:
    """What the test phone at the other end received; it ends with the call."""
    await asyncio.wait({answering}, timeout=COUNT_SECONDS)
    if not answering.done() or answering.cancelled() or answering.exception() is not None:
        return None
    return answering.result().audio.received


def _to_itself(attempt: Attempt, own: OverhearingNetwork) -> bool:
    return attempt.call is not None and attempt.call.far_end in own.own


async def _call(target: Target, phone: TrialPhone, service: Service, network: Network, address: Address) -> Attempt:
    server, tls = server_at(service, address), tls_of(target, phone)
    number = str(phone.dials)
    if phone.application == "sccp":
        return await sccp_phone.call_once(network, server, identity_of(phone), number, seconds=TALK_SECONDS, tls=tls)
    account, transport = account_of(target, phone), SipTransport(phone.way)
    return await sip_phone.call_once(
        network, server, account, number=number, seconds=TALK_SECONDS, transport=transport, tls=tls
    )


async def bounded(attempt: Awaitable[Attempt]) -> Attempt:
    """The attempt, within `TRIAL_SECONDS`."""
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            return await attempt
    except TimeoutError:
        return _endless()


def _endless() -> Attempt:
    return Attempt(ending=Ending.FAILED_HERE, text=f"did not end within {TRIAL_SECONDS:g} s")
