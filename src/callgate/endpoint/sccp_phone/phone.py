"""An SCCP phone that registers, calls and answers over a network."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from callgate.endpoint.attempt import AttemptFailed, CallRecord, Ending, RegistrationTerms
from callgate.endpoint.audio import AudioChannel
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sccp_phone.actions import Event, MediaOpen, MediaStart, MediaStop
from callgate.endpoint.sccp_phone.connection import Connection
from callgate.endpoint.sccp_phone.conversation import Conversation
from callgate.endpoint.sccp_phone.device import Device
from callgate.endpoint.sccp_phone.dialling import checked
from callgate.endpoint.sccp_phone.identity import LONGEST, Identity, Patience
from callgate.endpoint.sccp_phone.leg import Leg
from callgate.endpoint.sccp_phone.settling import Step
from callgate.endpoint.sccp_phone.uninterrupted import uninterrupted
from callgate.endpoint.tls import TlsOptions, secure
from callgate.errors import UsageMistake
from callgate.sccp.session import Violation

LEAVING: Final = 4.0
"""Seconds that leaving takes at most, whatever the server does."""
POLITE: Final = 2.0
"""Seconds of these for hanging up and unregistering."""
EVENTS_LIMIT: Final = 1000


class SccpPhone:
    """One phone. `async with` it: leaving hangs up, unregisters, and closes all it has opened, in 4 s at most.

    That holds for exceptions and cancellation too. One task uses it at a time; keepalives go out while one of its
    methods waits.
    """

    def __init__(
        self,
        network: Network,
        server: TransportAddress,
        identity: Identity,
        *,
        tls: TlsOptions | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.identity = identity
        self.patience = patience or Patience()
        self.transcript: list[str] = []
        """`> RegisterReqMessage`, `< RegisterAckMessage`: the first 1000 messages."""
        self.events: deque[Event] = deque(maxlen=EVENTS_LIMIT)
        """What happened, the newest 1000."""
        self.source: TransportAddress | None = None
        """Where its signalling comes from; None before it has connected."""
        self.decided: float | None = None
        """The loop's time of the last answer that it waited for."""
        self._network = network
        self._server = server
        self._tls = tls
        self._talk: Conversation | None = None
        self._device: Device | None = None
        self._audio: AudioChannel | None = None
        self._echo = False

    @property
    def terms(self) -> RegistrationTerms | None:
        """What the server granted with RegisterAck, whatever became of it then; None if there was none."""
        return None if self._device is None else self._device.terms

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What was out of order in what either side sent; the first 100."""
        return () if self._device is None else self._device.violations

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def register(self) -> RegistrationTerms:
        """Connect and register. AttemptFailed: whatever keeps the phone from being registered."""
        if self._talk is not None:
            raise UsageMistake("the phone has registered already")
        stream = await self._network.connect(self._server, within=self.patience.connect)
        self.source = stream.local
        if self._tls is not None:
            stream = await secure(stream, self._tls, within=self.patience.connect)
        self._device = device = Device(self.identity, stream.local.address, self._server.address)
        connection = Connection(stream, device.negotiation, self.transcript, within=self.patience.answer)
        self._talk = talk = Conversation(device, connection, self.patience, self._heed)
        await talk.perform(device.register())
        if not await talk.wait_until(lambda: device.terms is not None, self.patience.answer) or device.terms is None:
            talk.overdue = True
            raise AttemptFailed(Ending.SILENT, f"no answer to RegisterReq in {self.patience.answer:g} s")
        self.decided = _now()
        await self._settle(talk)
        return device.terms

    async def call(self, number: str, *, seconds: float = 3.0, enbloc: bool = False) -> CallRecord:
        """Call a number and talk for so long, or until the far end hangs up.

        AttemptFailed: REJECTED where the call is refused, SILENT where it is not answered or no audio is set up,
        GARBLED where audio is asked for that no phone does, or what became of the connection. UsageMistake for a
        number that cannot be dialled.
        """
        checked(number, enbloc=enbloc)
        talk, audio = await self._take_up(echo=False)
        device = talk.device
        try:
            await talk.perform(device.place_call(number, audio.local, enbloc=enbloc))
            leg = _in_hand(device)
            if not enbloc:
                await self._dial(talk, leg)
            patience = self.patience.ring
            await self._await(talk, leg, lambda: leg.connected, patience, f"{number} was not answered")
            return await self._converse(talk, leg, audio, seconds)
        finally:
            await self._put_down()

    async def answer(self, *, within: float, seconds: float | None = None, echo: bool = True) -> CallRecord:
        """Wait for a call, answer it, and talk for so long; None: until the far end hangs up, an hour at most.

        With `echo` the phone sends back what it hears, else a tone. AttemptFailed: SILENT where no call comes, else as
        with `call`.
        """
        talk, audio = await self._take_up(echo=echo)
        device = talk.device
        try:
            if not await talk.wait_until(lambda: bool(device.ringing), within):
                raise AttemptFailed(Ending.SILENT, f"no call came in {within:g} s")
            await talk.perform(device.accept_call(device.ringing[0], audio.local))
            leg = _in_hand(device)
            patience = self.patience.answer
            await self._await(talk, leg, lambda: leg.connected, patience, "the call that was answered did not stand")
            return await self._converse(talk, leg, audio, LONGEST if seconds is None else seconds)
        finally:
            await self._put_down()

    async def stay(self, seconds: float) -> None:
        """Stay registered, keeping alive. AttemptFailed when the server ends it, or answers no keepalive."""
        await self._registered().wait_until(lambda: False, seconds)

    async def unregister(self) -> None:
        """Hang up, unregister, and close the connection. The phone may register again."""
        await self._leave()

    # Registering

    async def _settle(self, talk: Conversation) -> None:
        """Ask for buttons and lines; what the server does not answer in time is done without."""
        end = _now() + self.patience.settle
        while (step := talk.device.step) is not None:
            if not await self._answered(talk, step, min(self.patience.step, end - _now())):
                await talk.perform(talk.device.skip_step())

    async def _answered(self, talk: Conversation, step: Step, within: float) -> bool:
        return await talk.wait_until(lambda: talk.device.step is not step, within)

    def _registered(self) -> Conversation:
        if self._talk is None:
            raise UsageMistake("the phone is not registered")
        self._talk.check()
        return self._talk

    # Calls

    async def _take_up(self, *, echo: bool) -> tuple[Conversation, AudioChannel]:
        """Make ready for a call: nothing of another one is left, and there is a port for audio."""
        talk = self._registered()
        await self._put_down()
        if talk.device.cannot_call:
            ending = Ending.FAILED_HERE if talk.device.has_buttons else Ending.SILENT
            raise AttemptFailed(ending, talk.device.cannot_call)
        self._echo = echo
        self._audio = audio = AudioChannel(await self._network.datagrams(toward=self._server))
        return talk, audio

    async def _dial(self, talk: Conversation, leg: Leg) -> None:
        """Press the keys, once the server has a dial tone for them."""
        await self._await(talk, leg, lambda: leg.dial_tone or leg.connected, self.patience.answer, "no dial tone came")
        while leg.rest and leg.ended is None:
            await talk.perform(talk.device.press_next())
            if leg.rest:
                await talk.wait_until(lambda: leg.ended is not None, self.patience.digit)

    async def _await(
        self, talk: Conversation, leg: Leg, done: Callable[[], bool], within: float, otherwise: str
    ) -> None:
        """Wait for a step of a call. AttemptFailed if it came to nothing, or does not come in time."""
        in_time = await talk.wait_until(lambda: done() or _over(leg), within)
        self.decided = _now()
        if leg.refused_media is not None:
            raise AttemptFailed(Ending.GARBLED, leg.refused_media.text)
        if done():
            return
        if leg.ended is not None:
            what = f"the call to {leg.number} is refused: " if leg.outgoing else ""
            raise AttemptFailed(Ending.REJECTED, what + leg.ended.text)
        if not in_time:
            raise AttemptFailed(Ending.SILENT, f"{otherwise} in {within:g} s")

    async def _converse(self, talk: Conversation, leg: Leg, audio: AudioChannel, seconds: float) -> CallRecord:
        """Talk, and hang up."""
        text = "the server opened no audio for the call that was answered"
        await self._await(talk, leg, lambda: leg.stood, self.patience.answer, text)
        begun = _now()
        await talk.wait_until(lambda: _over(leg), seconds)
        ended = _now()
        if leg.refused_media is not None:
            raise AttemptFailed(Ending.GARBLED, leg.refused_media.text)
        await audio.pause()
        with suppress(AttemptFailed):  # the call has been; what follows finds the connection broken
            await talk.hang_up(self.patience.hang_up)
        started = leg.started
        return CallRecord(
            number=leg.number,
            audio=await audio.close(),
            far_end=None if started is None else started.remote,
            codec="" if started is None else started.codec,
            seconds=ended - begun,
        )

    async def _heed(self, event: Event) -> None:
        """Keep an event, and let the audio follow."""
        self.events.append(event)
        audio = self._audio
        if audio is None:
            return
        match event:
            case MediaOpen():
                audio.listen()
            case MediaStart(remote=None) | MediaStop():
                await audio.pause()
            case MediaStart(remote=TransportAddress() as remote):
                if self._echo:
                    audio.echo(remote)
                else:
                    audio.transmit(remote, event.payload_type, event.packet_milliseconds)

    # Cleaning up

    async def _put_down(self) -> None:
        """Leave nothing of a call: neither a handset that is up nor an open port."""
        if self._audio is not None or (self._device is not None and self._device.leg is not None):
            await uninterrupted(self._end_call(), POLITE)

    async def _end_call(self) -> None:
        try:
            if self._audio is not None:
                await self._audio.pause()
            if self._talk is not None:
                with suppress(AttemptFailed):
                    await self._talk.hang_up(self.patience.hang_up)
                leg = self._talk.device.leg
                if leg is not None and not leg.off_hook:
                    self._talk.device.put_away()
        finally:
            await self._close_audio()

    async def _leave(self) -> None:
        if self._talk is not None or self._audio is not None:
            await uninterrupted(self._depart(), LEAVING)

    async def _depart(self) -> None:
        talk = self._talk
        try:
            if talk is not None and talk.connection.can_send:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLITE):
                        await talk.take_leave()
        finally:
            self._talk = None
            try:
                if talk is not None:
                    await talk.connection.close()
            finally:
                await self._close_audio()

    async def _close_audio(self) -> None:
        audio, self._audio = self._audio, None
        if audio is not None:
            await audio.close()


def _in_hand(device: Device) -> Leg:
    if device.leg is None:
        raise RuntimeError("no call is in hand")
    return device.leg


def _over(leg: Leg) -> bool:
    return leg.ended is not None or leg.refused_media is not None


def _now() -> float:
    return asyncio.get_running_loop().time()
