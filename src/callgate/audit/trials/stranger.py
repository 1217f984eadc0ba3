"""What a test phone gets as a stranger. It keeps its password to itself: any answer is one too many."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from callgate.audit.target import Target
from callgate.audit.trials.conversation import CONNECT_SECONDS, bounded
from callgate.audit.trials.overhearing import OverhearingNetwork
from callgate.audit.trials.placing import source_toward
from callgate.audit.trials.trial import account_without, identity_of, server_at, tls_of
from callgate.baseline.service import Service
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint import sccp_phone, sip_phone
from callgate.endpoint.attempt import Attempt, AttemptFailed, Ending
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sip_phone import SipTransport
from callgate.evidence.listener import Address

Result = TypeVar("Result")

LEAST_SECONDS: Final = 4.0
"""A request is sent four times in that (RFC 3261 section 17.1.2.1)."""
MOST_SECONDS: Final = 20.0
EXPIRES: Final = 60
"""Seconds: should one be let in and the way back be cut, its registration is gone soon."""


async def together(jobs: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results of jobs done side by side; raises what the first that failed raised, once all have ended.

    Not before: a phone that is still registered would lose its network, and could not leave.
    """
    found: list[Result] = []
    failed: BaseException | None = None
    for got in await asyncio.gather(*jobs, return_exceptions=True):
        if isinstance(got, BaseException):
            failed = failed or got
        else:
            found.append(got)
    if failed is not None:
        raise failed
    return found


def patience(slowest: float) -> float:
    """Seconds that a stranger waits for an answer where a phone inside waited `slowest` seconds for its own.

    Twice as long and more: a slow answer must not be taken for none.
    """
    return min(max(LEAST_SECONDS, 2 * slowest + 2), MOST_SECONDS)


async def register_as_stranger(
    target: Target,
    phone: TrialPhone,
    service: Service,
    network: Network,
    addresses: Sequence[Address],
    *,
    slowest: float = 0.0,
) -> list[Attempt]:
    """Try to register at each address.

    An SCCP phone knocks at all of them at once, and registers at those that open one after another: it must not be
    there twice.
    """
    servers = [server_at(service, address) for address in addresses]
    if phone.application == "sip":
        return await together(_sip(target, phone, network, server, slowest) for server in servers)
    knocks = await together(_knock(network, server) for server in servers)
    tls, identity = tls_of(target, phone), identity_of(phone)
    found = []
    for server, failed in zip(servers, knocks, strict=True):
        if failed is None:
            got = await bounded(sccp_phone.register_once(network, server, identity, tls=tls))
            found.append(got if got.ending.let_in else await _opened(network, server, got))
        else:
            found.append(failed)
    return found


async def _sip(
    target: Target, phone: TrialPhone, network: Network, server: TransportAddress, slowest: float
) -> Attempt:
    account, transport = account_without(phone, str(phone.user), None), SipTransport(phone.way)
    heard = OverhearingNetwork(network)
    got = await bounded(
        sip_phone.register_once(
            heard,
            server,
            account,
            transport=transport,
            tls=tls_of(target, phone),
            expires=EXPIRES,
            patience=sip_phone.Patience(answer=patience(slowest)),
        )
    )
    if heard.elsewhere and not got.ending.let_in:
        return replace(got, ending=Ending.GARBLED, text=f"{server} is answered from {heard.elsewhere[0]}")
    return got


async def _opened(network: Network, server: TransportAddress, got: Attempt) -> Attempt:
    """What followed upon a connection that opened: whatever it was, the stranger had been let in."""
    source = got.source or await source_toward(network, server)
    text = f"the connection opened; a second one did not: {got.text}"
    return replace(got, ending=Ending.CLOSED, text=text, source=source)


async def _knock(network: Network, server: TransportAddress) -> Attempt | None:
    """Connect and part; None when it opens, else why not."""
    try:
        stream = await network.connect(server, within=CONNECT_SECONDS)
    except AttemptFailed as failed:
        return Attempt(ending=failed.ending, text=failed.text, source=await source_toward(network, server))
    await stream.close()
    return None
