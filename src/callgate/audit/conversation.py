"""What a test phone does at one server: each is an attempt that ends in bounded time and is cleaned up after."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from callgate.audit.target import Target
from callgate.audit.trial import (
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
from callgate.endpoint.attempt import Attempt, AttemptFailed, Ending
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sip_phone import Refusal, SipTransport
from callgate.evidence.listener import Address

TRIAL_SECONDS: Final = 60.0
"""What one attempt may take, its cleaning up included; the phones' own limits are lower."""
CONNECT_SECONDS: Final = 4.0
"""Linux needs 3.1 s to find that a neighbour does not answer: less looks like a filter."""
TALK_SECONDS: Final = 1.0
"""How long a test call stands: 50 packets each way."""
_AS_STRANGER: Final = sip_phone.Patience(answer=4.0)
"""A request is sent four times in that (RFC 3261 section 17.1.2.1)."""
RING_SECONDS: Final = 20.0
_NOBODY: Final = "callgate-nobody-"


@dataclass(frozen=True, slots=True)
class Guarded:
    """How a registrar refuses a known and an unknown user, each without a password and with a wrong one."""

    known: Refusal
    unknown: Refusal


def nobody_like(user: str) -> str:
    """A SIP user that nobody has, as long as a given one: servers repeat the name in their answers."""
    return (_NOBODY * (1 + len(user) // len(_NOBODY)))[: len(user)]


async def register(target: Target, phone: TrialPhone, service: Service, network: Network, address: Address) -> Attempt:
    """Register and leave."""
    server, tls = server_at(service, address), tls_of(target, phone)
    if phone.application == "sccp":
        return await _bounded(sccp_phone.register_once(network, server, identity_of(phone), tls=tls))
    account, transport = account_of(target, phone), SipTransport(phone.way)
    return await _bounded(
        sip_phone.register_once(network, server, account, transport=transport, tls=tls, expires=SIP_EXPIRES)
    )


async def register_as_stranger(
    target: Target, phone: TrialPhone, service: Service, network: Network, addresses: Sequence[Address]
) -> list[Attempt]:
    """Try to register at each address. A SIP phone keeps its password to itself, as any answer is one too many.

    An SCCP phone knocks at all of them at once, and registers at those that open one after another: it must not be
    there twice.
    """
    tls = tls_of(target, phone)
    if phone.application == "sip":
        account, transport = account_without(phone, str(phone.user), None), SipTransport(phone.way)
        return await asyncio.gather(
            *(
                _bounded(
                    sip_phone.register_once(
                        network,
                        server_at(service, address),
                        account,
                        transport=transport,
                        tls=tls,
                        patience=_AS_STRANGER,
                    )
                )
                for address in addresses
            )
        )
    knocks = await asyncio.gather(*(_knock(network, server_at(service, address)) for address in addresses))
    return [
        failed
        or await _bounded(sccp_phone.register_once(network, server_at(service, address), identity_of(phone), tls=tls))
        for address, failed in zip(addresses, knocks, strict=True)
    ]


async def _knock(network: Network, server: TransportAddress) -> Attempt | None:
    """Connect and part; None when it opens, else why not."""
    source = None
    try:
        with suppress(AttemptFailed):
            source = await _source(network, server)
        stream = await network.connect(server, within=CONNECT_SECONDS)
    except AttemptFailed as failed:
        return Attempt(ending=failed.ending, text=failed.text, source=source)
    await stream.close()
    return None


async def _source(network: Network, server: TransportAddress) -> TransportAddress:
    """The address that packets to the server leave by: a connection that fails does not tell."""
    sock = await network.datagrams(toward=server)
    await sock.close()
    return sock.local


async def register_unknown(
    target: Target, phone: TrialPhone, service: Service, network: Network, address: Address
) -> Attempt:
    """Try to register the device that nobody has."""
    identity = identity_of(phone, phone.unknown)
    server, tls = server_at(service, address), tls_of(target, phone)
    return await _bounded(sccp_phone.register_once(network, server, identity, tls=tls))


async def guarded(target: Target, phone: TrialPhone, service: Service, network: Network, address: Address) -> Guarded:
    """Ask the registrar as the phone's user and as nobody, without a password and with a wrong one."""
    server, tls, transport = server_at(service, address), tls_of(target, phone), SipTransport(phone.way)
    wrong = secrets.token_hex(12)
    async with asyncio.timeout(TRIAL_SECONDS):
        known, unknown = [
            await sip_phone.refusal(network, server, account_without(phone, user, wrong), transport=transport, tls=tls)
            for user in (str(phone.user), phone.unknown or nobody_like(str(phone.user)))
        ]
    return Guarded(known, unknown)


async def call(
    target: Target,
    phone: TrialPhone,
    phones: Sequence[tuple[TrialPhone, Service]],
    network: Network,
    address: Address,
) -> Attempt:
    """Register, call, talk and leave. Another test phone whose number is dialled answers, from the same place."""
    service = next(its for one, its in phones if one == phone)
    dialled = next(((one, its) for one, its in phones if one.number == phone.dials and one != phone), None)
    if dialled is None:
        return await _bounded(_call(target, phone, service, network, address))
    other, its_service = dialled
    async with asyncio.timeout(TRIAL_SECONDS):
        try:
            async with phone_at(target, other, network, server_at(its_service, address)) as callee:
                await callee.register()
                answering = asyncio.ensure_future(callee.answer(within=RING_SECONDS, echo=True))
                try:
                    return await _call(target, phone, service, network, address)
                finally:
                    answering.cancel()
                    await asyncio.gather(answering, return_exceptions=True)
        except AttemptFailed as failed:
            return Attempt(ending=failed.ending, text=f"{other.name}, whom it calls: {failed.text}")


async def _call(target: Target, phone: TrialPhone, service: Service, network: Network, address: Address) -> Attempt:
    server, tls = server_at(service, address), tls_of(target, phone)
    number = str(phone.dials)
    if phone.application == "sccp":
        return await sccp_phone.call_once(network, server, identity_of(phone), number, seconds=TALK_SECONDS, tls=tls)
    account, transport = account_of(target, phone), SipTransport(phone.way)
    return await sip_phone.call_once(
        network, server, account, number=number, seconds=TALK_SECONDS, transport=transport, tls=tls
    )


async def _bounded(attempt: Awaitable[Attempt]) -> Attempt:
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            return await attempt
    except TimeoutError:
        return Attempt(ending=Ending.FAILED_HERE, text=f"did not end within {TRIAL_SECONDS:g} s")
