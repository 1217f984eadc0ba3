"""One registration over UDP, and the server that saw it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.endpoint.sip_phone.scripted_server import ACCOUNT, HASTE, Server, over_udp, run

from callgate.endpoint.attempt import Attempt
from callgate.endpoint.sip_phone import Account, register_once
from callgate.endpoint.sockets import LocalNetwork
from callgate.sip.message import Request, Response

Sent = Iterable[Response | Request | bytes]


def at_udp(script: Callable[[Server, Request], Sent], account: Account = ACCOUNT) -> tuple[Attempt, Server]:
    async def act() -> tuple[Attempt, Server]:
        async with over_udp(script) as server:
            return await register_once(LocalNetwork(), server.address, account, patience=HASTE), server

    return run(act)
