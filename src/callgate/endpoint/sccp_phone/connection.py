"""The connection of one phone: messages over a stream, each whole and in one write; what comes is bounded."""

from __future__ import annotations

import asyncio
from typing import Final

from callgate.endpoint.attempt import AttemptFailed, Ending, printable
from callgate.endpoint.network import ByteStream
from callgate.errors import ProtocolError
from callgate.sccp import AnyMessage, Decoder, Negotiation, UnknownMessage, encode
from callgate.sccp.messages.calls import CallStateMessage
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.registration import RegisterRejectMessage
from callgate.sccp.messages.signals import StartToneMessage

MESSAGES_AT_ONCE: Final = 5000
MESSAGES_A_SECOND: Final = 200
"""What a server may send: a registration takes some 20 messages, a call some 60."""
TRANSCRIPT_LIMIT: Final = 1000
BEGINNING: Final = 24
"""Bytes of what is no SCCP that are shown."""


class Connection:
    """Sends and receives messages over a stream, and keeps a transcript. `within` bounds each write, seconds."""

    def __init__(self, stream: ByteStream, negotiation: Negotiation, transcript: list[str], *, within: float) -> None:
        self.failure: AttemptFailed | None = None
        """Why nothing can be received any more."""
        self.can_send = True
        self._stream = stream
        self._decoder = Decoder(negotiation=negotiation)
        self._transcript = transcript
        self._within = within
        self._sending: asyncio.Task[None] | None = None
        self._begun = asyncio.get_running_loop().time()
        self._count = 0
        self._heard = b""

    def begin(self, message: AnyMessage) -> None:
        """Begin to send a message; await `settle` before the next. Being cancelled then tears no message apart."""
        if self._sending is not None:
            raise RuntimeError("a message is still being sent")
        frame = encode(message)
        self._note(">", message)
        self._sending = asyncio.ensure_future(self._stream.send(frame))

    async def settle(self) -> None:
        """Wait until what was begun is handed over. AttemptFailed when the stream breaks, or takes nothing in."""
        if self._sending is None:
            return
        await asyncio.wait({self._sending}, timeout=self._within)
        if not self._sending.done():
            self.can_send = False
            raise self._fail(AttemptFailed(Ending.SILENT, "the server takes in nothing of what is sent"))
        sending, self._sending = self._sending, None
        try:
            sending.result()
        except AttemptFailed as failure:
            self.can_send = False
            raise self._fail(failure) from None

    async def receive(self, within: float) -> list[AnyMessage]:
        """The messages that come next; none when the time is over or no message is whole yet.

        AttemptFailed: CLOSED, RESET or GARBLED, now and ever after.
        """
        if self.failure is not None:
            raise self.failure
        try:
            async with asyncio.timeout(max(within, 0.0)):
                data = await self._stream.receive()
        except TimeoutError:
            return []
        except AttemptFailed as failure:
            self.can_send = False
            raise self._fail(failure) from None
        if not data:
            self.can_send = False
            rest = f" after {self._decoder.pending} bytes of a message" if self._decoder.pending else ""
            raise self._fail(AttemptFailed(Ending.CLOSED, f"the server closed the connection{rest}"))
        self._heard = (self._heard + data)[:BEGINNING]
        return self._decoded(data)

    def _decoded(self, data: bytes) -> list[AnyMessage]:
        messages: list[AnyMessage] = []
        try:
            messages = self._decoder.feed(data)
        except ProtocolError as error:
            self._garbled(str(error))
        if self._decoder.error is not None:
            self._garbled(str(self._decoder.error))
        for message in messages:
            self._note("<", message)
        self._count += len(messages)
        seconds = asyncio.get_running_loop().time() - self._begun
        if self._count > MESSAGES_AT_ONCE + MESSAGES_A_SECOND * seconds:
            self._garbled(f"{self._count} messages in {seconds:.0f} s")
        if self.failure is not None and not messages:
            raise self.failure
        return messages

    async def close(self) -> None:
        """End the connection at the end of a message. Never raises."""
        sending, self._sending = self._sending, None
        try:
            if sending is not None:
                await asyncio.wait({sending}, timeout=self._within)
        finally:
            if sending is not None:
                if not sending.done():
                    sending.cancel()
                elif not sending.cancelled():
                    sending.exception()
            await self._stream.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._stream.abort()

    def _garbled(self, text: str) -> None:
        if self.failure is None:
            begins = "" if self._count else f"; it begins {self._heard!r}"
            self._fail(AttemptFailed(Ending.GARBLED, f"the server does not speak SCCP: {text}{begins}"))

    def _fail(self, failure: AttemptFailed) -> AttemptFailed:
        self.failure = self.failure or failure
        return self.failure

    def _note(self, direction: str, message: AnyMessage) -> None:
        if len(self._transcript) < TRANSCRIPT_LIMIT:
            self._transcript.append(f"{direction} {described(message)}")
        elif len(self._transcript) == TRANSCRIPT_LIMIT:
            self._transcript.append("...")


def described(message: AnyMessage) -> str:
    """A message in a few words."""
    match message:
        case UnknownMessage():
            return f"unknown message {message.message_id:#06x}"
        case CallStateMessage():
            return f"{message.name} {_name(message.call_state)}"
        case StartToneMessage():
            return f"{message.name} {_name(message.tone)}"
        case KeypadButtonMessage():
            return f"{message.name} {_name(message.kp_button)}"
        case RegisterRejectMessage():
            return f'{message.name} "{printable(message.text or b"")}"'
    return message.name


def _name(value: int | None) -> str:
    return str(getattr(value, "name", value))
