"""What the calls of a SIP phone share: the dialog, its audio, and hanging up."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from callgate.endpoint.attempt import AttemptFailed, CallRecord, Ending
from callgate.endpoint.audio import AudioChannel
from callgate.endpoint.failure import without_zone
from callgate.endpoint.network import Address, TransportAddress
from callgate.endpoint.sip_phone.account import Patience
from callgate.endpoint.sip_phone.authorization import Authorization
from callgate.endpoint.sip_phone.user_agent import UserAgent
from callgate.errors import ProtocolError
from callgate.sip import sdp
from callgate.sip.dialog import Dialog
from callgate.sip.digest import Credentials
from callgate.sip.message import Request
from callgate.sip.transactions import Asked

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS"
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")


class Call:
    """What placed and taken calls share."""

    def __init__(
        self,
        agent: UserAgent,
        channel: AudioChannel,
        contact: str,
        number: str,
        credentials: Credentials | None,
        patience: Patience,
    ) -> None:
        self.number = number
        self.ended = asyncio.Event()
        """The other side has hung up, or has called it off before it was answered."""
        self._agent, self._channel, self._patience = agent, channel, patience
        self._contact = contact
        self._credentials = credentials
        self._session = secrets.randbits(31)
        self._dialog: Dialog | None = None
        self._far_end: TransportAddress | None = None
        self._codec = ""

    def asked(self, asked: Asked) -> bool:
        """Take a request of the peer's; False if it is not about this call."""
        dialog = self._dialog
        if dialog is None or not dialog.holds(asked.request):
            return False
        match asked.request.method:
            case "ACK":
                self._acknowledged(asked.request)
            case "BYE":
                self._agent.respond(asked, 200, "OK")
                self.ended.set()
            case "INVITE":  # the session stays as it is (RFC 3261, section 14.2)
                self._agent.respond(asked, 488, "Not Acceptable Here")
            case _:
                return False
        return True

    async def hang_up(self) -> None:
        """Send BYE if the call stands; the wait for its answer is bounded, and whatever comes ends the call."""
        if self._dialog is None or self.ended.is_set():
            return
        self.ended.set()
        authorization = Authorization(self._credentials)
        with suppress(AttemptFailed, ProtocolError):
            while True:
                self._dialog = self._dialog.next()
                request = self._dialog.request("BYE", self._agent.via())
                more = authorization.fields("BYE", request.uri)
                if more:
                    request = self._dialog.request("BYE", request.values("Via")[0], more=more)
                if not authorization.again(await self._agent.transact(request, self._patience.leave)):
                    return

    async def _talk(self, seconds: float) -> float:
        """Wait until the other side hangs up, `seconds` at most; returns how long it was."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        await self._channel.pause()
        return loop.time() - begin

    async def _record(self, seconds: float) -> CallRecord:
        return CallRecord(
            number=self.number,
            audio=await self._channel.close(),
            far_end=self._far_end,
            codec=self._codec,
            seconds=seconds,
        )

    def _agree(self, audio: sdp.Audio | None) -> TransportAddress | None:
        """Take in where the other side wants audio; None if it wants none. GARBLED if it makes no sense."""
        if audio is None or not audio.port:
            return None
        number = audio.payload_type
        if audio.protocol.upper() != "RTP/AVP" or number is None:
            raise AttemptFailed(Ending.GARBLED, f"the answer is {audio.protocol} without a codec that was offered")
        if audio.address is None:
            raise AttemptFailed(Ending.GARBLED, "the session description has no address for audio")
        self._codec = sdp.CODECS[number]
        self._far_end = TransportAddress(audio.address, audio.port)
        if audio.address == IPv4Address(0):
            return None  # on hold, the way of RFC 2543
        if reason := unfit(audio.address, self._agent.wire.local.address):
            raise AttemptFailed(Ending.GARBLED, f"audio is wanted at {self._far_end}, {reason}: none is sent")
        self._channel.expect(self._far_end)
        return self._far_end

    def _acknowledged(self, request: Request) -> None:
        """ACK has come."""


def unfit(address: Address, own: Address) -> str:
    """Why no audio may be sent to an address that a peer names; empty if it may. `own` is this phone's address.

    A hostile peer could aim the phone at a group, a whole network, or what listens on the phone's own machine.
    """
    if address.version != own.version:
        return f"an address of IPv{address.version} to a phone of IPv{own.version}"
    if address.is_unspecified:
        return "no address"
    if address.is_multicast:
        return "a group"
    if isinstance(address, IPv4Address) and (address == IPv4Address(0xFFFFFFFF) or address in _THIS_NETWORK):
        return "a broadcast address"
    if address.is_loopback and not without_zone(own).is_loopback:
        return "the phone's own machine"
    mapped = getattr(address, "ipv4_mapped", None)
    return "an IPv4 address in disguise" if mapped is not None else ""
