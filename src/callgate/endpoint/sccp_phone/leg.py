"""The one call that a phone has in hand. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Final, Protocol

from callgate.endpoint.network import Address, TransportAddress
from callgate.endpoint.sccp_phone.actions import (
    Action,
    CallEnded,
    CallProceeds,
    DialTone,
    MediaOpen,
    MediaRefused,
    MediaStart,
    MediaStop,
    Send,
)
from callgate.endpoint.sccp_phone.dialling import KEYS
from callgate.endpoint.sccp_phone.media_request import RefusedMedia, coding_of, destination, refuse_encryption
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.message import AnyMessage, Message
from callgate.sccp.messages import calls, keys, media, signals

USUAL_LINE: Final = 1
NOWHERE: Final = IPv4Address(0)
"""Where a phone receives no audio; every form of a message has room for it."""
MEDIA_TYPE_SINCE: Final = 19
"""The protocol version from which PortResMessage names the kind of stream (chan-sccp)."""
STARTS_LIMIT: Final = 10
"""Times a server may send the audio of one call elsewhere."""

_NOT_OURS: Final = frozenset(
    {
        DCallState.IDLE,
        DCallState.ON_HOOK,
        DCallState.RING_IN,
        DCallState.CALL_WAITING,
        DCallState.HOLD,
        DCallState.CALL_REMOTE_MULTILINE,
    }
)
"""States that never begin a call which this phone places."""

_PROCEEDS: Final = frozenset({DCallState.PROCEED, DCallState.RING_OUT, DCallState.CONNECTED})
_REFUSALS: Final[Mapping[int, str]] = {
    DCallState.BUSY: "busy",
    DCallState.CONGESTION: "congestion",
    DCallState.INVALID_NUMBER: "invalid number",
}
_REFUSING_TONES: Final[Mapping[int, str]] = {
    DeviceTone.LINE_BUSY_TONE: "busy tone",
    DeviceTone.REORDER_TONE: "reorder tone",
    DeviceTone.NO_SUCH_NUMBER_TONE: "no such number",
    DeviceTone.RECEIVER_OFF_HOOK_TONE: "off-hook tone",
}
_DIAL_TONES: Final = frozenset({DeviceTone.INSIDE_DIAL_TONE, DeviceTone.OUTSIDE_DIAL_TONE})


class Write(Protocol):
    """Makes a message as the connection's protocol version has it."""

    def __call__(self, cls: type[Message], /, **fields: object) -> Send:
        """The message, to be sent."""
        ...


class Leg:
    """A call that the phone places (`number`, no `reference`) or takes (`reference`), and its one stream of audio.

    `local` is where the phone receives audio, `server` where it is registered. What is said late of the calls `past`
    does not name this one.
    """

    def __init__(
        self,
        write: Write,
        *,
        local: TransportAddress,
        server: Address,
        number: str = "",
        line: int = 0,
        reference: int = 0,
        past: frozenset[int] = frozenset(),
    ) -> None:
        self.line = line
        self.reference = reference
        """0 until the server has named the call."""
        self.number = number
        self.outgoing = not reference
        self.rest = ""
        """The keys that are still to be pressed."""
        self.off_hook = False
        self.dial_tone = False
        self.state: int | None = None
        self.connected = False
        self.stood = False
        """It was answered, and set up for audio both ways."""
        self.ended: CallEnded | None = None
        self.refused_media: MediaRefused | None = None
        self.receiving: int | None = None
        """The party id of the channel it receives on."""
        self.sending: int | None = None
        self.started: MediaStart | None = None
        """What the server last said on where to send audio."""
        self._write = write
        self._local = local
        self._server = server
        self._past = past
        self._starts = 0

    # What the user does

    def lift(self) -> list[Action]:
        """Open a line, or answer the call."""
        self.off_hook = True
        return [self._write(keys.OffHookMessage, line_instance=self.line, call_reference=self.reference)]

    def dial_at_once(self) -> list[Action]:
        """Send the whole number."""
        self.off_hook = True
        return [
            self._write(
                keys.EnblocCallMessage, called_party=self.number.encode("ascii"), line_instance=self.line or USUAL_LINE
            )
        ]

    def press_next(self) -> list[Action]:
        """Press the next key, if the call still takes any."""
        if not self.rest or self.ended is not None or not self.off_hook:
            return []
        key, self.rest = self.rest[0], self.rest[1:]
        line = self.line or USUAL_LINE
        return [
            self._write(
                keys.KeypadButtonMessage, kp_button=KEYS[key], line_instance=line, call_reference=self.reference
            )
        ]

    def hang_up(self) -> list[Action]:
        """Put the handset down, if it is up."""
        if not self.off_hook:
            return []
        self.off_hook = False
        self.rest = ""
        return [self._write(keys.OnHookMessage, line_instance=self.line, call_reference=self.reference)]

    # What the server says

    def take(self, message: AnyMessage) -> list[Action]:
        """Take a message; one of another call changes nothing."""
        if not self._is_ours(message):
            return []
        actions = self._take(message)
        self.stood = self.stood or (self.connected and self.receiving is not None and self.sending is not None)
        return actions

    def _take(self, message: AnyMessage) -> list[Action]:
        match message:
            case calls.CallStateMessage():
                return self._call_state(message)
            case signals.StartToneMessage():
                return self._tone(message)
            case media.OpenReceiveChannelMessage():
                return self._open(message)
            case media.StartMediaTransmissionMessage():
                return self._start(message)
            case media.CloseReceiveChannelMessage():
                return self._close(message)
            case media.StopMediaTransmissionMessage():
                return self._stop(message)
        return []

    def _is_ours(self, message: AnyMessage) -> bool:
        reference: int = getattr(message, "call_reference", None) or 0
        if not reference or reference == self.reference:
            # chan_skinny's code says with reference 0 what another phone's line does; its media has 0 too.
            return bool(reference) or not isinstance(message, calls.CallStateMessage)
        return not self.reference and self.off_hook and self._may_name(message, reference)

    def _may_name(self, message: AnyMessage, reference: int) -> bool:
        """Whether that reference may be the one that the server gives the call which the phone has begun."""
        match message:
            case calls.CallStateMessage(call_state=DCallState.OFF_HOOK):
                return True
            case calls.CallStateMessage():
                return message.call_state not in _NOT_OURS and reference not in self._past
            case signals.StartToneMessage() if message.tone in _DIAL_TONES:
                return True
            case media.CloseReceiveChannelMessage() | media.StopMediaTransmissionMessage():
                return False
        return reference not in self._past

    def _name(self, message: Message) -> None:
        """The server names the call that the phone has begun."""
        if not self.reference:
            self.reference = getattr(message, "call_reference", None) or 0
            self.line = getattr(message, "line_instance", None) or self.line

    def _call_state(self, message: calls.CallStateMessage) -> list[Action]:
        self._name(message)
        state = message.call_state
        self.state = state
        if state in _PROCEEDS:
            self.connected = self.connected or state == DCallState.CONNECTED
            if self.rest.strip("#") and not self.ended:
                dialled = len(self.number) - len(self.rest)
                text = f"the server went on after {dialled} of {len(self.number)} keys: it called another number"
                return self._end(text, refused=True)
            self.rest = ""
            return [CallProceeds(DCallState(state))]
        if state is not None and state in _REFUSALS:
            return self._end(_REFUSALS[state], refused=not self.connected)
        if state == DCallState.ON_HOOK:
            return self._end("the server ended the call", refused=not self.connected)
        return []

    def _tone(self, message: signals.StartToneMessage) -> list[Action]:
        if message.tone in _DIAL_TONES and self.outgoing and not self.connected:
            self._name(message)
            if self.dial_tone:
                return []
            self.dial_tone = True
            return [DialTone()]
        if message.tone is not None and message.tone in _REFUSING_TONES:
            return self._end(_REFUSING_TONES[message.tone], refused=not self.connected)
        return []

    def _end(self, text: str, *, refused: bool) -> list[Action]:
        if self.ended is not None:
            return []
        self.ended = CallEnded(text, refused)
        self.rest = ""
        return [self.ended]

    # Audio

    def _open(self, message: media.OpenReceiveChannelMessage) -> list[Action]:
        if not self.off_hook:
            return [refusal(self._write, message, MediaStatus.DEVICE_ON_HOOK, self.reference)]
        self._name(message)
        try:
            coding_of(message)
        except RefusedMedia as error:
            refused = refusal(self._write, message, MediaStatus.INVALID_CODEC, self.reference)
            return [refused, *self._refuse(str(error))]
        try:
            refuse_encryption(message.m_rx_media_encryption_key_info)
        except RefusedMedia as error:
            refused = refusal(self._write, message, MediaStatus.UNKNOWN, self.reference)
            return [refused, *self._refuse(str(error))]
        self.receiving = party = message.pass_through_party_id or 0
        answer = self._write(
            media.OpenReceiveChannelAckMessage,
            media_reception_status=MediaStatus.OK,
            ip_addr=self._local.address,
            port_number=self._local.port,
            pass_through_party_id=party,
            call_reference=self.reference,
        )
        return [answer, MediaOpen(party)]

    def _start(self, message: media.StartMediaTransmissionMessage) -> list[Action]:
        party = message.pass_through_party_id or 0
        if not self.off_hook or self.ended is not None:
            return []
        self._starts += 1
        if self._starts > STARTS_LIMIT:
            return self._refuse(f"the server has sent the audio elsewhere {STARTS_LIMIT} times")
        if self.sending not in (None, party):
            return self._refuse("the server wants a second stream of audio")
        self._name(message)
        try:
            coding = coding_of(message)
            refuse_encryption(message.m_tx_media_encryption_key_info)
            remote = destination(message.remote_ip_addr, message.remote_port_number, self._local.address, self._server)
        except RefusedMedia as error:
            return self._refuse(str(error))
        self.sending = party
        self.started = MediaStart(remote, coding.payload_type, coding.codec, coding.packet_milliseconds)
        return [self.started]

    def port_answer(self, message: media.PortReqMessage, version: int) -> Send:
        """The port on which the phone receives audio; it has none for RTCP."""
        return self._write(
            media.PortResMessage,
            conference_id=message.conference_id or 0,
            call_reference=message.call_reference or 0,
            pass_through_party_id=message.pass_through_party_id or 0,
            ip_addr=self._local.address,
            port_number=self._local.port,
            rtcp_port_number=0,
            media_type=message.media_type if version >= MEDIA_TYPE_SINCE else None,
        )

    def _refuse(self, text: str) -> list[Action]:
        if self.refused_media is not None:
            return []
        self.refused_media = MediaRefused(text)
        return [self.refused_media]

    def _close(self, message: media.CloseReceiveChannelMessage) -> list[Action]:
        if message.pass_through_party_id in (None, self.receiving):
            self.receiving = None
        return []

    def _stop(self, message: media.StopMediaTransmissionMessage) -> list[Action]:
        if self.sending is None or message.pass_through_party_id not in (None, self.sending):
            return []
        self.sending = None
        return [MediaStop()]


def refusal(
    write: Write,
    message: media.OpenReceiveChannelMessage,
    status: MediaStatus,
    reference: int = 0,
) -> Send:
    """The answer to a channel that the phone does not open."""
    return write(
        media.OpenReceiveChannelAckMessage,
        media_reception_status=status,
        ip_addr=NOWHERE,
        port_number=0,
        pass_through_party_id=message.pass_through_party_id or 0,
        call_reference=reference or message.call_reference or 0,
    )
