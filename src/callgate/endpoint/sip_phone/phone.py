"""A SIP phone: asks, registers, calls and is called, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from callgate.endpoint.attempt import AttemptFailed, CallRecord, Ending, RegistrationTerms, printable
from callgate.endpoint.audio import AudioChannel
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sip_phone.account import Account, Patience, SipTransport
from callgate.endpoint.sip_phone.call import ALLOW, Call
from callgate.endpoint.sip_phone.placed_call import PlacedCall
from callgate.endpoint.sip_phone.registration import Registration
from callgate.endpoint.sip_phone.taken_call import TakenCall
from callgate.endpoint.sip_phone.user_agent import PRODUCT, UserAgent
from callgate.endpoint.sip_phone.wire import open_wire
from callgate.endpoint.tls import TlsOptions
from callgate.errors import ProtocolError
from callgate.sip.message import Field, Request
from callgate.sip.options import Response
from callgate.sip.transaction import Timers
from callgate.sip.transactions import Asked, Key


class SipPhone:
    """One phone at one server, to which alone it speaks SIP, whatever Contact, Record-Route and redirections say.

    An async context manager: entering connects; leaving hangs up, takes the registration back (its own contact only)
    and closes, within bounded time, also when it is cancelled. Methods raise AttemptFailed; its text and the
    `transcript` never hold the password. One call at a time.
    """

    def __init__(
        self,
        network: Network,
        server: TransportAddress,
        account: Account,
        *,
        transport: SipTransport = SipTransport.UDP,
        tls: TlsOptions | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.server, self.account, self.transport = server, account, SipTransport(transport)
        self._network, self._tls, self._patience = network, tls, patience or Patience()
        self._agent: UserAgent | None = None
        self._registration: Registration | None = None
        self._call: Call | None = None
        self._waiting: tuple[TakenCall, asyncio.Future[None]] | None = None

    @property
    def local(self) -> TransportAddress | None:
        """Where it sends its signalling from; None before it is entered."""
        return None if self._agent is None else self._agent.wire.local

    @property
    def bound(self) -> bool:
        """Whether the registrar has this phone's contact, or may have it; after leaving too, if it did not answer."""
        return self._registration is not None and self._registration.bound

    @property
    def transcript(self) -> tuple[str, ...]:
        """What was sent (`>`) and received (`<`), a line for each message; `!` for what went wrong."""
        return () if self._agent is None else tuple(self._agent.transcript)

    async def __aenter__(self) -> Self:
        wire = await open_wire(self._network, self.server, self.transport, self._tls, self._patience)
        self._agent = UserAgent(wire, self.transport, timers=Timers(give_up=self._patience.answer))
        self._agent.asked, self._agent.unacknowledged = self._asked, self._unacknowledged
        self._agent.start()
        self._registration = Registration(self._agent, self.server, self.account)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._agent is not None
        try:
            if self._call is not None:
                await self._call.hang_up()
            with suppress(AttemptFailed, ProtocolError):
                await self.unregister()
        finally:
            await self._agent.close()

    async def options(self) -> Response:
        """Ask the server who it is (RFC 3261, section 11); any final response is an answer."""
        agent = self._entered()
        uri, record = f"sip:{self.account.domain_at(self.server)}", self.account.uri_at(self.server)
        fields: list[Field] = [("Via", agent.via()), ("Max-Forwards", "70")]
        fields += [("From", f"<{record}>;tag={secrets.token_hex(6)}"), ("To", f"<{uri}>")]
        fields += [("Call-ID", secrets.token_hex(12)), ("CSeq", "1 OPTIONS")]
        fields += [("Contact", f"<{self._contact(agent)}>"), ("Accept", "application/sdp")]
        fields += [("User-Agent", PRODUCT), ("Content-Length", "0")]
        with _described():
            request = Request(method="OPTIONS", uri=uri, fields=tuple(fields))
            response = await agent.transact(request, self._patience.answer)
        return Response(response.status, printable(response.reason, 120), response.product)

    async def register(self, *, expires: int = 300) -> RegistrationTerms:
        """Register this phone's contact for `expires` seconds (423 may make it longer); challenges are answered."""
        if not 0 < expires < 1 << 31:
            raise ValueError(f"a registration of {expires} seconds")
        self._entered()
        assert self._registration is not None
        with _described():
            return await self._registration.register(expires, self._patience.answer)

    async def unregister(self) -> None:
        """Take the registration back; nothing is sent if there is none."""
        self._entered()
        assert self._registration is not None
        if self._registration.bound:
            with _described():
                await self._registration.unregister(self._patience.leave)

    async def call(self, number: str, *, seconds: float = 3.0) -> CallRecord:
        """Call a number, send a tone for `seconds` from the answer on, count audio both ways, hang up.

        `number` becomes the user part of a URI at the account's domain. REJECTED with status and reason when the call
        is refused, SILENT when nobody answers; a call that stood returns its record, with audio or without.
        """
        if not (0 < len(number) <= 128 and number.isprintable()):
            raise ValueError("a number has 1 to 128 printable characters")
        agent = self._idle()
        channel = AudioChannel(await self._network.datagrams(toward=self.server))
        credentials = self.account.credentials
        call = PlacedCall(agent, channel, self._contact(agent), printable(number), credentials, self._patience)
        self._call = call
        try:
            with _described():
                record, uri = self.account.uri_at(self.server), self.account.uri_at(self.server, number)
                return await call.run(record, uri, seconds)
        finally:
            self._call = None
            await channel.close()

    async def answer(self, *, within: float, seconds: float | None = None, echo: bool = True) -> CallRecord:
        """Wait for a call and answer it; send its audio back, or with `echo` off the tone.

        Ends when the caller hangs up, or `seconds` after the answer (None: `Patience.call`). SILENT when no call comes
        `within` seconds.
        """
        agent = self._idle()
        channel = AudioChannel(await self._network.datagrams(toward=self.server))
        call = TakenCall(agent, channel, self._contact(agent), "", self.account.credentials, self._patience)
        try:
            with _described():
                await self._ringing(call, within)
                return await call.run(seconds, echo=echo)
        finally:
            call.abandon()
            self._call = None
            await channel.close()

    async def _ringing(self, call: TakenCall, within: float) -> None:
        rings = asyncio.get_running_loop().create_future()
        self._waiting = call, rings
        try:
            async with asyncio.timeout(within):
                await rings
        except TimeoutError:
            heard = self._entered().heard
            ending = Ending.GARBLED if heard else Ending.SILENT
            raise AttemptFailed(ending, f"no call came within {within:g} s{heard and '; '}{heard}") from None
        finally:
            self._waiting = None

    def _asked(self, asked: Asked) -> None:
        """A request of the server's."""
        agent, method = self._entered(), asked.request.method
        if self._call is not None and self._call.asked(asked):
            return
        if method == "INVITE" and asked.request.recipient.tag is None:
            if self._waiting is not None and self._call is None:
                call, rings = self._waiting
                call.take(asked)
                self._call = call
                if not rings.done():
                    rings.set_result(None)
            else:
                agent.respond(asked, 486, "Busy Here")
        elif method in ("INVITE", "BYE"):
            agent.respond(asked, 481, "Call/Transaction Does Not Exist")
        elif method == "CANCEL":
            if not (isinstance(self._call, TakenCall) and self._call.cancelled(asked)):
                agent.respond(asked, 481, "Call/Transaction Does Not Exist")
        elif method == "OPTIONS":
            agent.respond(asked, 200, "OK", more=(("Allow", ALLOW), ("Accept", "application/sdp")))
        elif method != "ACK":
            agent.respond(asked, 405, "Method Not Allowed", more=(("Allow", ALLOW),))

    def _unacknowledged(self, key: Key) -> None:
        if isinstance(self._call, TakenCall):
            self._call.unacknowledged(key)

    def _contact(self, agent: UserAgent) -> str:
        return agent.contact(self.account.uri_at(self.server).removeprefix("sip:").rpartition("@")[0])

    def _idle(self) -> UserAgent:
        agent = self._entered()
        if self._call is not None or self._waiting is not None:
            raise RuntimeError("this phone has a call, or waits for one")
        agent.check()
        return agent

    def _entered(self) -> UserAgent:
        if self._agent is None:
            raise RuntimeError("enter the phone first: async with")
        return self._agent


@contextmanager
def _described() -> Iterator[None]:
    """What breaks the protocol becomes an ending."""
    try:
        yield
    except ProtocolError as error:
        raise AttemptFailed(Ending.GARBLED, str(error)) from error
