"""The transaction layer of one phone: which transaction a message belongs to (RFC 3261, 17.1.3 and 17.2.3).

Sans-IO: every call takes the time, and returns what is to be done, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from callgate.errors import ProtocolError
from callgate.sip.fields import Hop
from callgate.sip.message import Request, Response
from callgate.sip.options import BRANCH_COOKIE
from callgate.sip.transaction import (
    InviteClient,
    InviteServer,
    NonInviteClient,
    NonInviteServer,
    State,
    Timers,
)

MAXIMUM_SERVER_TRANSACTIONS: Final = 64
"""A peer that asks more at once gets no answer to the rest."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send these bytes: to `hop`, or to the server if it is None (and over a stream always there)."""

    data: bytes
    hop: Hop | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A response to a request of ours. Of a 2xx to INVITE, every one."""

    key: Key
    response: Response


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response came to a request of ours (to an INVITE: none at all), or no ACK to our response."""

    key: Key


@dataclass(frozen=True, slots=True)
class Asked:
    """A new request of the peer's. `key` is None for ACK, which is not answered."""

    key: Key | None
    request: Request
    source: Hop


@dataclass(frozen=True, slots=True)
class Stray:
    """A response that belongs to no request of ours."""

    response: Response


Action = Transmit | Arrived | TimedOut | Asked | Stray


class TransactionLayer:
    """The transactions of one phone."""

    def __init__(self, *, reliable: bool, timers: Timers | None = None) -> None:
        self._reliable = reliable
        self._timers = timers or Timers()
        self._clients: dict[Key, InviteClient | NonInviteClient] = {}
        self._servers: dict[Key, tuple[InviteServer | NonInviteServer, Hop]] = {}

    @property
    def due(self) -> float | None:
        """When `expire` must be called; None if there is nothing to wait for."""
        machines = (*self._clients.values(), *(server for server, _ in self._servers.values()))
        return min((due for machine in machines if (due := machine.due) is not None), default=None)

    def request(self, request: Request, now: float, timers: Timers | None = None) -> tuple[Key, list[Action]]:
        """Start a transaction for a request of ours (not ACK, which has none)."""
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        client = kind(request, now, reliable=self._reliable, timers=timers or self._timers)
        key = (request.via.branch or "", request.method)
        self._clients[key] = client
        return key, [Transmit(client.data)]

    def respond(self, key: Key, response: Response, now: float) -> list[Action]:
        """Answer a request of the peer's; nothing happens if its transaction is over."""
        if key not in self._servers:
            return []
        server, hop = self._servers[key]
        sent: list[Action] = [Transmit(data, hop) for data in server.respond(response, now)]
        self._forget()
        return sent

    def acknowledged(self, key: Key, now: float) -> None:
        """The ACK of our 2xx response to an INVITE has come."""
        if key in self._servers and isinstance(server := self._servers[key][0], InviteServer):
            server.acknowledged(now)

    def receive(self, message: Request | Response, source: Hop, now: float) -> list[Action]:
        """Take a message that arrived."""
        try:
            if isinstance(message, Response):
                return self._response(message, now)
            return self._request(message, source, now)
        finally:
            self._forget()

    def expire(self, now: float) -> list[Action]:
        """Do what is due."""
        actions: list[Action] = []
        for key, client in self._clients.items():
            while (due := client.due) is not None and due <= now:
                actions += [Transmit(data) for data in client.expire(now)]
            if client.timed_out:
                actions.append(TimedOut(key))
        for key, (server, hop) in self._servers.items():
            while (due := server.due) is not None and due <= now:
                actions += [Transmit(data, hop) for data in server.expire(now)]
            if server.timed_out:
                actions.append(TimedOut(key))
        self._forget()
        return actions

    def abandon(self, key: Key) -> None:
        """Give up a request of ours; later responses to it are stray."""
        self._clients.pop(key, None)

    def _response(self, response: Response, now: float) -> list[Action]:
        key = (response.via.branch or "", response.cseq.method)
        client = self._clients.get(key)
        if client is None or not _of_call(client.request, response):
            return [Stray(response)]
        sent, seen = client.receive(response, now)
        return [*map(Transmit, sent), *([Arrived(key, response)] if seen else [])]

    def _request(self, request: Request, source: Hop, now: float) -> list[Action]:
        key = _server_key(request)
        if request.method == "ACK":
            server, _ = self._servers.get(key, (None, None))
            if isinstance(server, InviteServer) and server.state in (State.COMPLETED, State.CONFIRMED):
                server.acknowledged(now)
                return []
            return [Asked(None, request, source)]
        hop = request.via.response_hop(source)
        if key in self._servers:
            return [Transmit(data, hop) for data in self._servers[key][0].retransmitted()]
        if len(self._servers) >= MAXIMUM_SERVER_TRANSACTIONS:
            return []
        kind = InviteServer if request.method == "INVITE" else NonInviteServer
        self._servers[key] = kind(request, now, reliable=self._reliable, timers=self._timers), hop
        return [Asked(key, request, source)]

    def _forget(self) -> None:
        over = [key for key, client in self._clients.items() if client.state is State.TERMINATED]
        for key in over:
            del self._clients[key]
        for key in [key for key, (server, _) in self._servers.items() if server.state is State.TERMINATED]:
            del self._servers[key]


def server_key_of(cancel: Request) -> Key:
    """The key of the INVITE that a CANCEL is about (section 9.2)."""
    return _server_key(cancel, "INVITE")


def _server_key(request: Request, method: str | None = None) -> Key:
    """What makes two requests the same one (section 17.2.3); an ACK belongs to its INVITE."""
    via = request.via
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    if (via.branch or "").startswith(BRANCH_COOKIE):
        return (via.branch or "", via.host, str(via.port), method)
    # A peer of RFC 2543. The To tag is left out: an ACK has the one of our response.
    sender = request.sender.tag or ""
    sequence = str(request.cseq.sequence)
    return ("", request.uri, sender, request.call_id, sequence, request.values("Via")[0], method)


def _of_call(request: Request, response: Response) -> bool:
    """Whether a response with our branch is to this request: a peer that mixes calls up is not believed."""
    try:
        return (
            response.call_id == request.call_id
            and response.cseq == request.cseq
            and response.sender.tag == request.sender.tag
        )
    except ProtocolError:
        return False
