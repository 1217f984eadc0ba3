"""A call this phone takes."""

from __future__ import annotations

import asyncio
import secrets

from callgate.endpoint.attempt import AttemptFailed, CallRecord, Ending, printable
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone.call import ALLOW, Call
from callgate.errors import ProtocolError
from callgate.sip import sdp
from callgate.sip.dialog import Dialog
from callgate.sip.fields import read_uri
from callgate.sip.message import Field, Request
from callgate.sip.transactions import Asked, Key, server_key_of


class TakenCall(Call):
    """A call to this phone."""

    _asked: Asked | None = None
    _tag = ""
    _answered = False

    def take(self, asked: Asked) -> None:
        """Make the INVITE this call's, and ring; ProtocolError if it is malformed."""
        tag = secrets.token_hex(6)
        self._dialog = Dialog.of_called(asked.request, tag)
        self._asked, self._tag = asked, tag
        self.number = caller_of(asked.request)
        self._came: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        self._agent.respond(asked, 180, "Ringing", tag=self._tag, more=self._terms(asked))

    def cancelled(self, asked: Asked) -> bool:
        """Take a CANCEL; False if it is not of this call. Once that is answered it changes nothing (section 9.2)."""
        if self._asked is None or server_key_of(asked.request) != self._asked.key:
            return False
        self._agent.respond(asked, 200, "OK", tag=self._tag)
        if not self._answered:
            self._decline(487, "Request Terminated")
        return True

    def unacknowledged(self, key: Key) -> None:
        """No ACK came for our answer."""
        if self._asked is not None and key == self._asked.key and not self._came.done():
            self._came.set_exception(AttemptFailed(Ending.SILENT, "no ACK came for our answer to INVITE"))

    def abandon(self) -> None:
        """Decline the call if it rings still."""
        if self._asked is not None and not self._answered and not self.ended.is_set():
            self._decline(480, "Temporarily Unavailable")

    async def run(self, seconds: float | None, *, echo: bool) -> CallRecord:
        """Answer, talk until the other side hangs up (or for `seconds`), hang up. Raises AttemptFailed."""
        asked = self._asked
        assert asked is not None
        try:
            offered = self._offer(asked.request)
            local = self._channel.local
            self._channel.listen()
            if offered is None:  # then ours is the offer, and ACK brings the answer
                body: bytes | None = sdp.offer(local.address, local.port, self._session)
            else:
                body = sdp.answer(offered, local.address, local.port, self._session)
            if body is None:
                self._decline(488, "Not Acceptable Here")
                raise AttemptFailed(Ending.REJECTED, f"a call of {self.number} offers no audio this phone speaks")
            remote = None if offered is None else self._agree_or_decline(offered.audio)
            terms = (*self._terms(asked), ("Content-Type", "application/sdp"))
            self._answered = True
            self._agent.respond(asked, 200, "OK", tag=self._tag, more=terms, body=body)
            acknowledgement = await self._acknowledgement()
            audio = None if offered is None else offered.audio
            if offered is None:
                audio = sdp.read_description(acknowledgement.body).audio
                remote = self._agree(audio)
            if remote is not None and audio is not None and audio.direction.receives:
                if echo:
                    self._channel.echo(remote)
                else:
                    self._channel.transmit(remote, audio.payload_type, audio.packet_milliseconds)
            talked = await self._talk(self._patience.call if seconds is None else seconds)
            self._agent.check()
        finally:
            if self._answered:
                await self.hang_up()
            self.abandon()
        return await self._record(talked)

    def _offer(self, request: Request) -> sdp.Description | None:
        if self.ended.is_set():
            raise AttemptFailed(Ending.CLOSED, f"{self.number} called it off before it was answered")
        if not request.body:
            return None
        try:
            if request.media_type != "application/sdp":
                raise ProtocolError(f"INVITE with a body of {printable(request.media_type or 'no type', 60)}")
            return sdp.read_description(request.body)
        except ProtocolError as error:
            self._decline(400, "Bad Request")
            raise AttemptFailed(Ending.GARBLED, str(error)) from error

    def _agree_or_decline(self, audio: sdp.Audio | None) -> TransportAddress | None:
        try:
            return self._agree(audio)
        except AttemptFailed:
            self._decline(488, "Not Acceptable Here")
            raise

    async def _acknowledgement(self) -> Request:
        ended = asyncio.create_task(self.ended.wait())
        try:
            await asyncio.wait((self._came, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        if self._came.done():
            return self._came.result()
        raise AttemptFailed(Ending.CLOSED, f"{self.number} hung up before ACK")

    def _acknowledged(self, request: Request) -> None:
        if self._asked is None or self._asked.key is None:
            return
        if request.cseq.sequence == self._asked.request.cseq.sequence:
            self._agent.acknowledged(self._asked.key)
            if not self._came.done():
                self._came.set_result(request)

    def _decline(self, status: int, reason: str) -> None:
        self.ended.set()
        assert self._asked is not None
        self._agent.respond(self._asked, status, reason, tag=self._tag)

    def _terms(self, asked: Asked) -> tuple[Field, ...]:
        routes = tuple(("Record-Route", value) for value in asked.request.values("Record-Route"))
        return (*routes, ("Contact", f"<{self._contact}>"), ("Allow", ALLOW))


def caller_of(invite: Request) -> str:
    """The caller's number as INVITE shows it: the user of From, else the whole URI; printable."""
    sender = invite.sender
    try:
        return printable(read_uri(sender.uri, "From").user or sender.uri, 120)
    except ProtocolError:
        return printable(sender.uri, 120)
