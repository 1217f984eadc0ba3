"""Transactions (RFC 3261, section 17, with the corrections of RFC 6026) as state machines without sockets or clocks.

Times are seconds of any clock that does not go back, given with each call. A machine returns what to send; `due` says
when it wants to be asked again through `expire`. `callgate.sip.transactions` keeps many of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from callgate.sip.message import Field, Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Table 4 of RFC 3261, in seconds; what takes 64*T1 there (and D with its 32 s) takes `give_up` here."""

    t1: float = 0.5
    """Round trip, and the first wait before a retransmission."""
    t2: float = 4.0
    """The longest wait between retransmissions, but for a client's INVITE, whose waits double on."""
    t4: float = 5.0
    """How long a message stays in the network."""
    give_up: float = 32.0


class State(Enum):
    """Where a transaction stands."""

    TRYING = "trying"
    """Calling, for a client's INVITE."""
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    """INVITE only, after 2xx."""
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    """A server's INVITE only, after ACK."""
    TERMINATED = "terminated"


class Transaction:
    """What the four kinds share: one or two times at which something is due."""

    def __init__(self, request: Request, *, reliable: bool, timers: Timers) -> None:
        self.request = request
        self.state = State.TRYING
        self.timed_out = False
        """A client: no final response came (to an INVITE: none at all). A server's INVITE: no ACK came."""
        self._timers, self._reliable = timers, reliable
        self._interval = timers.t1
        self._again: float | None = None
        self._end: float | None = None

    @property
    def due(self) -> float | None:
        """When `expire` has something to do; None if nothing is to come."""
        times = [time for time in (self._again, self._end) if time is not None]
        return min(times) if times and self.state is not State.TERMINATED else None

    def expire(self, now: float) -> list[bytes]:
        """What to send again because its time has come; may end the transaction and set `timed_out`."""
        if self.state is State.TERMINATED:
            return []
        if self._end is not None and now >= self._end:
            self.timed_out = self._unfinished()
            self.state = State.TERMINATED
            return []
        if self._again is None or now < self._again:
            return []
        self._interval = self._next_interval()
        self._again += self._interval
        return [self._repeated()]

    def _unfinished(self) -> bool:
        raise NotImplementedError

    def _next_interval(self) -> float:
        return min(2 * self._interval, self._timers.t2)

    def _repeated(self) -> bytes:
        raise NotImplementedError


class ClientTransaction(Transaction):
    """A request of ours, which goes out when this is made."""

    def __init__(self, request: Request, now: float, *, reliable: bool, timers: Timers) -> None:
        super().__init__(request, reliable=reliable, timers=timers)
        self.data = request.encode()
        """What is sent now."""
        self._again = None if reliable else now + timers.t1
        self._end = now + timers.give_up

    def receive(self, response: Response, now: float) -> tuple[list[bytes], bool]:
        """What to send upon a response of this transaction, and whether the caller should see it."""
        raise NotImplementedError

    def _unfinished(self) -> bool:
        return self.state in (State.TRYING, State.PROCEEDING)

    def _repeated(self) -> bytes:
        return self.data


class ServerTransaction(Transaction):
    """A request of the peer's."""

    _response = b""

    def retransmitted(self) -> list[bytes]:
        """What to send when the request has come again."""
        raise NotImplementedError

    def respond(self, response: Response, now: float) -> list[bytes]:
        """What to send to answer the request; nothing after a final response."""
        raise NotImplementedError

    def _repeated(self) -> bytes:
        return self._response


class NonInviteClient(ClientTransaction):
    """A request other than INVITE and ACK (section 17.1.2): timers E, F and K."""

    def receive(self, response: Response, now: float) -> tuple[list[bytes], bool]:
        """As of every client transaction."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return [], False
        self.state = State.PROCEEDING
        if response.final:
            self._again = None
            self._end = now + self._timers.t4
            self.state = State.TERMINATED if self._reliable else State.COMPLETED
        return [], True

    def _next_interval(self) -> float:
        return self._timers.t2 if self.state is State.PROCEEDING else super()._next_interval()


class InviteClient(ClientTransaction):
    """An INVITE (section 17.1.1; RFC 6026, section 7.2): timers A, B, D and M.

    A refusal is acknowledged here; 2xx responses, one or several (forks, retransmissions), are the caller's to
    acknowledge. After a provisional response only the caller's patience ends it.
    """

    _acknowledgement = b""

    def receive(self, response: Response, now: float) -> tuple[list[bytes], bool]:
        """As of every client transaction."""
        if self.state in (State.TRYING, State.PROCEEDING):
            self._again, self._end = None, None
            if not response.final:
                self.state = State.PROCEEDING
                return [], True
            self._end = now + self._timers.give_up
            if response.success:
                self.state = State.ACCEPTED
                return [], True
            self.state = State.TERMINATED if self._reliable else State.COMPLETED
            self._acknowledgement = acknowledgement(self.request, response).encode()
            return [self._acknowledgement], True
        if self.state is State.COMPLETED and response.final and not response.success:
            return [self._acknowledgement], False
        return [], self.state is State.ACCEPTED and response.success

    def _next_interval(self) -> float:
        return 2 * self._interval


class NonInviteServer(ServerTransaction):
    """A request of the peer's other than INVITE and ACK (section 17.2.2): timer J. It ends unanswered too."""

    def __init__(self, request: Request, now: float, *, reliable: bool, timers: Timers) -> None:
        super().__init__(request, reliable=reliable, timers=timers)
        self._end = now + timers.give_up

    def retransmitted(self) -> list[bytes]:
        """The last response."""
        return [self._response] if self._response else []

    def respond(self, response: Response, now: float) -> list[bytes]:
        """As of every server transaction."""
        if self.state in (State.COMPLETED, State.TERMINATED):
            return []
        self._response = response.encode()
        self.state = State.PROCEEDING
        if response.final:
            self.state = State.TERMINATED if self._reliable else State.COMPLETED
            self._end = now + self._timers.give_up
        return [self._response]

    def _unfinished(self) -> bool:
        return False


class InviteServer(ServerTransaction):
    """A peer's INVITE (section 17.2.1; RFC 6026, section 7.1): timers G, H, I and L.

    A 2xx response is repeated until `acknowledged`, over reliable transports too (section 13.3.1.4). As long as it is
    neither answered nor cancelled it stands.
    """

    def __init__(self, request: Request, _now: float, *, reliable: bool, timers: Timers) -> None:
        super().__init__(request, reliable=reliable, timers=timers)
        self.state = State.PROCEEDING
        self._acknowledged = False

    def retransmitted(self) -> list[bytes]:
        """The last response; nothing after 2xx, which is repeated anyway."""
        return [self._response] if self._response and self.state in (State.PROCEEDING, State.COMPLETED) else []

    def respond(self, response: Response, now: float) -> list[bytes]:
        """As of every server transaction."""
        if self.state is not State.PROCEEDING:
            return []
        self._response = response.encode()
        if response.final:
            self._end = now + self._timers.give_up
            self.state = State.ACCEPTED if response.success else State.COMPLETED
            if response.success or not self._reliable:
                self._again = now + self._timers.t1
        return [self._response]

    def acknowledged(self, now: float) -> None:
        """ACK has come: of this transaction after a refusal, of the dialog after 2xx."""
        self._again = None
        if self.state is State.ACCEPTED:
            self._acknowledged = True
        elif self.state is State.COMPLETED:
            self.state = State.TERMINATED if self._reliable else State.CONFIRMED
            self._end = now + self._timers.t4

    def _unfinished(self) -> bool:
        return self.state is State.COMPLETED or (self.state is State.ACCEPTED and not self._acknowledged)


def acknowledgement(invite: Request, response: Response) -> Request:
    """The ACK for a refusal (section 17.1.1.3); it is of the INVITE's transaction and has its branch."""
    return _same_transaction("ACK", invite, response.values("To")[0])


def cancellation(invite: Request) -> Request:
    """The CANCEL of an INVITE that has had a provisional response and no final one (section 9.1)."""
    return _same_transaction("CANCEL", invite, invite.values("To")[0])


def _same_transaction(method: str, invite: Request, to: str) -> Request:
    fields: list[Field] = [("Via", invite.values("Via")[0])]
    fields += [("Route", route) for route in invite.values("Route")]
    fields += [("Max-Forwards", "70"), ("From", invite.values("From")[0]), ("To", to), ("Call-ID", invite.call_id)]
    fields += [("CSeq", f"{invite.cseq.sequence} {method}"), ("Content-Length", "0")]
    return Request(method=method, uri=invite.uri, fields=tuple(fields))
