"""One phone, one thing to do, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from callgate.endpoint.attempt import Attempt, AttemptFailed, CallRecord, Ending
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sccp_phone.dialling import checked
from callgate.endpoint.sccp_phone.identity import Identity, Patience
from callgate.endpoint.sccp_phone.phone import SccpPhone
from callgate.endpoint.tls import TlsOptions


async def register_once(
    network: Network,
    server: TransportAddress,
    identity: Identity,
    *,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
    stay: float = 0.0,
) -> Attempt:
    """Register, stay so many seconds, and leave. Whatever the server does is an ending; UsageMistake is raised."""

    async def staying(phone: SccpPhone) -> None:
        await phone.stay(stay)

    phone = SccpPhone(network, server, identity, tls=tls, patience=patience)
    return await _attempt(phone, staying)


async def call_once(
    network: Network,
    server: TransportAddress,
    identity: Identity,
    number: str,
    *,
    seconds: float = 3.0,
    enbloc: bool = False,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
) -> Attempt:
    """Register, call a number, talk for so long, and leave. UsageMistake for a number that cannot be dialled."""
    checked(number, enbloc=enbloc)

    async def calling(phone: SccpPhone) -> CallRecord:
        return await phone.call(number, seconds=seconds, enbloc=enbloc)

    phone = SccpPhone(network, server, identity, tls=tls, patience=patience)
    return await _attempt(phone, calling)


async def answer_once(
    network: Network,
    server: TransportAddress,
    identity: Identity,
    *,
    within: float,
    seconds: float | None = None,
    echo: bool = True,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
) -> Attempt:
    """Register, wait for a call, answer it, and leave."""

    async def answering(phone: SccpPhone) -> CallRecord:
        return await phone.answer(within=within, seconds=seconds, echo=echo)

    phone = SccpPhone(network, server, identity, tls=tls, patience=patience)
    return await _attempt(phone, answering)


async def _attempt(phone: SccpPhone, act: Callable[[SccpPhone], Awaitable[CallRecord | None]]) -> Attempt:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    call: CallRecord | None = None
    failure: AttemptFailed | None = None
    async with phone:
        try:
            await phone.register()
            call = await act(phone)
        except AttemptFailed as error:
            failure = error
            phone.decided = loop.time()
    if failure is not None:
        ending, text = failure.ending, failure.text
    elif call is not None:
        ending, text = call.ending, _told(call)
    else:
        ending, text = Ending.DONE, "registered"
    return Attempt(
        ending=ending,
        text=text,
        source=phone.source,
        milliseconds=round(1000 * ((phone.decided or loop.time()) - begun)),
        registration=phone.terms,
        call=call,
        transcript=tuple(phone.transcript),
    )


def _told(call: CallRecord) -> str:
    audio = call.audio
    text = f"call with {call.number or 'an unnamed caller'}: {audio.sent} packets sent, {audio.received} received"
    return text if call.far_end is not None else f"{text}; the server named no address to send audio to"
