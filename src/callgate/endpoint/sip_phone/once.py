"""One phone, one deed, and what became of it. Never raises for what the peer does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from callgate.endpoint.attempt import Attempt, AttemptFailed, CallRecord, Ending, RegistrationTerms
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sip_phone.account import Account, Patience, SipTransport
from callgate.endpoint.sip_phone.phone import SipPhone
from callgate.endpoint.tls import TlsOptions


@dataclass(slots=True)
class _Learnt:
    """What is filled in on the way."""

    text: str = ""
    ending: Ending = Ending.DONE
    registration: RegistrationTerms | None = None
    call: CallRecord | None = None
    begun: float = field(default_factory=time.monotonic)
    decided: float | None = None

    def decide(self) -> None:
        """Now it is known what becomes of it; only the first time counts."""
        self.decided = self.decided or time.monotonic()

    @property
    def milliseconds(self) -> int:
        return round(1000 * ((self.decided or time.monotonic()) - self.begun))


async def options_once(
    network: Network,
    server: TransportAddress,
    account: Account,
    *,
    transport: SipTransport = SipTransport.UDP,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
) -> Attempt:
    """Ask who the server is. DONE with 2xx, REJECTED with any other final response. UsageMistake for TLS files."""

    async def act(phone: SipPhone, learnt: _Learnt) -> None:
        answer = await phone.options()
        learnt.ending = Ending.DONE if 200 <= answer.status < 300 else Ending.REJECTED
        learnt.text = f"OPTIONS: {answer.status} {answer.reason}"
        if answer.product:
            learnt.text += f", from {answer.product}"

    return await _once(SipPhone(network, server, account, transport=transport, tls=tls, patience=patience), act)


async def register_once(
    network: Network,
    server: TransportAddress,
    account: Account,
    *,
    expires: int = 300,
    stay: float = 0.0,
    transport: SipTransport = SipTransport.UDP,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
) -> Attempt:
    """Register, stay so many seconds, and take it back. UsageMistake for TLS files that cannot be used."""

    async def act(phone: SipPhone, learnt: _Learnt) -> None:
        await _register(phone, learnt, expires)
        learnt.decide()
        end = time.monotonic() + stay
        while (left := end - time.monotonic()) > 0 and learnt.registration is not None:
            await asyncio.sleep(min(left, max(1.0, learnt.registration.interval_seconds / 2)))
            if time.monotonic() < end:
                learnt.registration = await phone.register(expires=expires)

    return await _once(SipPhone(network, server, account, transport=transport, tls=tls, patience=patience), act)


async def call_once(
    network: Network,
    server: TransportAddress,
    account: Account,
    *,
    number: str,
    seconds: float = 3.0,
    register: bool = True,
    expires: int = 300,
    transport: SipTransport = SipTransport.UDP,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
) -> Attempt:
    """Register (unless `register` is off), call `number` for `seconds`, hang up, unregister.

    The ending is the call's own if it stood: DONE with audio both ways, else ONE_WAY or NO_AUDIO.
    """

    async def act(phone: SipPhone, learnt: _Learnt) -> None:
        if register:
            await _register(phone, learnt, expires)
        learnt.call = await phone.call(number, seconds=seconds)
        learnt.decided = time.monotonic() - learnt.call.seconds
        learnt.ending, learnt.text = learnt.call.ending, f"called {learnt.call.number}: {_audio(learnt.call)}"

    return await _once(SipPhone(network, server, account, transport=transport, tls=tls, patience=patience), act)


async def answer_once(
    network: Network,
    server: TransportAddress,
    account: Account,
    *,
    within: float,
    seconds: float | None = None,
    echo: bool = True,
    expires: int = 300,
    transport: SipTransport = SipTransport.UDP,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
) -> Attempt:
    """Register, answer one call that comes `within` seconds, unregister. The ending is the call's own."""

    async def act(phone: SipPhone, learnt: _Learnt) -> None:
        await _register(phone, learnt, expires)
        learnt.call = await phone.answer(within=within, seconds=seconds, echo=echo)
        learnt.ending, learnt.text = learnt.call.ending, f"called by {learnt.call.number}: {_audio(learnt.call)}"

    return await _once(SipPhone(network, server, account, transport=transport, tls=tls, patience=patience), act)


async def _register(phone: SipPhone, learnt: _Learnt, expires: int) -> None:
    terms = learnt.registration = await phone.register(expires=expires)
    learnt.text = f"registered for {terms.interval_seconds} s"
    if terms.server:
        learnt.text += f" with {terms.server}"


def _audio(call: CallRecord) -> str:
    audio = call.audio
    counts = f"{audio.sent} packets sent, {audio.received} received, {audio.echoed} of them our own"
    return f"{call.seconds:.1f} s of {call.codec or 'no audio'}, {counts}"


async def _once(phone: SipPhone, act: Callable[[SipPhone, _Learnt], Awaitable[None]]) -> Attempt:
    learnt = _Learnt()
    try:
        async with phone:
            try:
                await act(phone, learnt)
            finally:
                learnt.decide()
    except AttemptFailed as failure:
        learnt.ending, learnt.text = failure.ending, failure.text
    if phone.bound and learnt.registration is not None:
        learnt.text += "; the registrar did not confirm that it took the registration back"
    return Attempt(
        ending=learnt.ending,
        text=learnt.text,
        source=phone.local,
        milliseconds=learnt.milliseconds,
        registration=learnt.registration,
        call=learnt.call,
        transcript=phone.transcript,
    )
