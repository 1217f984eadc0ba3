"""A call this phone places."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Final

from callgate.endpoint.attempt import AttemptFailed, CallRecord, Ending
from callgate.endpoint.sip_phone.authorization import Authorization, rejected
from callgate.endpoint.sip_phone.call import ALLOW, Call
from callgate.endpoint.sip_phone.exchange import Exchange
from callgate.endpoint.sip_phone.user_agent import PRODUCT
from callgate.errors import ProtocolError
from callgate.sip import sdp
from callgate.sip.dialog import Dialog
from callgate.sip.message import Field, Request, Response, long_name
from callgate.sip.transaction import cancellation

MAXIMUM_FORKS: Final = 8
"""Answers of other phones to one INVITE that are hung up on; more are left alone."""


class PlacedCall(Call):
    """A call of this phone's."""

    async def run(self, record: str, uri: str, seconds: float) -> CallRecord:
        """Call `uri` as `record` (our address of record), talk for `seconds`, hang up. Raises AttemptFailed."""
        self._channel.listen()
        self._call_id = f"{secrets.token_hex(12)}@{self._agent.host.rpartition(':')[0].strip('[]')}"
        self._sender = f"<{record}>;tag={secrets.token_hex(6)}"
        self._others: dict[str | None, Dialog] = {}
        self._exchange: Exchange | None = None
        try:
            answered = sdp.read_description((await self._invited(uri)).body).audio
            remote = self._agree(answered)
            if remote is not None and answered is not None and answered.direction.receives:
                self._channel.transmit(remote, answered.payload_type, answered.packet_milliseconds)
            talked = await self._talk(seconds)
            self._agent.check()
        finally:
            await self.hang_up()
            if self._exchange is not None:
                self._agent.end(self._exchange)
        return await self._record(talked)

    async def _invited(self, uri: str) -> Response:
        """Send INVITE, with credentials where they are asked for, until it is answered or refused (AttemptFailed)."""
        authorization = Authorization(self._credentials)
        body = sdp.offer(self._channel.local.address, self._channel.local.port, self._session)
        sequence = 0
        while True:
            sequence += 1
            self._credited = authorization.fields("INVITE", uri, body)
            if self._exchange is not None:
                self._agent.end(self._exchange)
            self._exchange = self._agent.begin(self._invite(uri, sequence, body), self._patience.answer)
            response = await self._answered(self._exchange)
            if response.success:
                return response
            if not authorization.again(response):
                raise rejected("INVITE", response, authorization)

    async def _answered(self, exchange: Exchange) -> Response:
        """The final response to an INVITE; a call nobody answers is cancelled, as is one that we give up."""
        response: Response | None = None
        try:
            async with asyncio.timeout(self._patience.answer + 1) as timer:  # its timer comes first
                while response is None or not response.final:
                    first = response is None
                    response = await exchange.next()
                    if first:
                        timer.reschedule(asyncio.get_running_loop().time() + self._patience.ring)
        except TimeoutError:
            if response is None:
                raise self._agent.silence("INVITE", exchange) from None
            text = f"INVITE: {response.shown}, but not answered within {self._patience.ring:g} s"
            raise AttemptFailed(Ending.SILENT, text) from None
        finally:
            if response is None or not response.final:
                await self._cancel(exchange)
        if response.success:
            self._established(exchange, response)
        return response

    def _established(self, exchange: Exchange, response: Response) -> None:
        """Acknowledge the answer; ProtocolError if nothing can be made of it, and then it is hung up on too."""
        try:
            self._dialog = Dialog.of_caller(exchange.request, response)
        except ProtocolError:
            kept = tuple(field for field in response.fields if long_name(field[0]) not in ("contact", "record-route"))
            self._dialog = Dialog.of_caller(exchange.request, replace(response, fields=kept))
            raise
        finally:
            if self._dialog is not None:
                self._acknowledge(self._dialog)
                exchange.hand_over(lambda more: self._again(exchange, more))

    def _again(self, exchange: Exchange, response: Response) -> None:
        """One more 2xx to our INVITE: the same again, or of another phone, which is hung up on (section 13.2.2.4)."""
        tag = response.recipient.tag
        if self._dialog is not None and tag == self._dialog.remote_tag:
            self._acknowledge(Dialog.of_caller(exchange.request, response))
        elif tag in self._others:
            self._acknowledge(self._others[tag])
        elif len(self._others) < MAXIMUM_FORKS:
            dialog = self._others[tag] = Dialog.of_caller(exchange.request, response)
            self._acknowledge(dialog)
            bye = dialog.next().request("BYE", self._agent.via())
            if (hanging_up := self._agent.begin_quietly(bye, self._patience.leave)) is not None:
                self._agent.end(hanging_up)

    def _acknowledge(self, dialog: Dialog) -> None:
        self._agent.send(dialog.request("ACK", self._agent.via(), more=self._credited))

    async def _cancel(self, exchange: Exchange) -> None:
        """Call it off if it may be under way; an answer that crosses is acknowledged and hung up."""
        cancel: Exchange | None = None
        try:
            with suppress(AttemptFailed, ProtocolError, TimeoutError):
                async with asyncio.timeout(self._patience.leave):
                    while exchange.provisional or not exchange.over:
                        if exchange.provisional and cancel is None:  # not before (section 9.1)
                            cancel = self._agent.begin(cancellation(exchange.request), self._patience.leave)
                        if (response := await exchange.next()).success:
                            self._established(exchange, response)
                        if response.final:
                            break
        finally:
            if cancel is not None:
                self._agent.end(cancel)

    def _invite(self, uri: str, sequence: int, body: bytes) -> Request:
        fields: list[Field] = [
            ("Via", self._agent.via()),
            ("Max-Forwards", "70"),
            ("From", self._sender),
            ("To", f"<{uri}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{sequence} INVITE"),
            ("Contact", f"<{self._contact}>"),
            *self._credited,
            ("Allow", ALLOW),
            ("Accept", "application/sdp"),
            ("User-Agent", PRODUCT),
            ("Content-Type", "application/sdp"),
            ("Content-Length", str(len(body))),
        ]
        return Request(method="INVITE", uri=uri, fields=tuple(fields), body=body)
