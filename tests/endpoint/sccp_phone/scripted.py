"""A scripted call manager that answers a phone as chan-sccp does, or as a test wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from callgate.endpoint.network import Address, TransportAddress
from callgate.sccp import AnyMessage, Message
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.enums.media import MediaPayloadType
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.messages import calls, capabilities, devices, keys, lines, media, registration, signals, templates
from callgate.sccp.messages.structures import MediaEncryptionKeyInfo, MediaQualifierIncoming

LOOPBACK = IPv4Address("127.0.0.1")
NAME = "SEP001122334455"
LINE, REFERENCE, PARTY = 1, 77, 0xFFFFFFF0

Answer = Callable[[AnyMessage], list[Message] | None]


@dataclass
class CallManager:
    """Answers a phone as chan-sccp does. `instead` may answer a message otherwise; None leaves it to the script."""

    number: str = "600"
    interval: int = 60
    audio: TransportAddress = field(default_factory=lambda: TransportAddress(LOOPBACK, 20000))
    instead: Answer | None = None
    early: tuple[Message, ...] = ()
    """Sent before RegisterAck."""
    heard: list[AnyMessage] = field(default_factory=list)
    dialled: str = ""
    accepted: bool = False
    version: int = 0

    def take(self, message: AnyMessage) -> list[Message]:
        self.heard.append(message)
        other = None if self.instead is None else self.instead(message)
        return self._script(message) if other is None else other

    def _script(self, message: AnyMessage) -> list[Message]:
        match message:
            case registration.RegisterReqMessage():
                self.version = message.protocol_ver or 0
                self.accepted = True
                return [*self.early, self.ack(), capabilities.CapabilitiesReq()]
            case registration.KeepAliveReqMessage():
                return [registration.KeepAliveAckMessage()]
            case templates.ButtonTemplateReqMessage():
                return [template(ButtonType.LINE)]
            case templates.SoftKeyTemplateReqMessage():
                return [templates.SoftKeyTemplateResMessage(soft_key_template=templates.SoftKeyTemplate(0, 0, 0, ()))]
            case templates.SoftKeySetReqMessage():
                return [templates.SoftKeySetResMessage(soft_key_sets=templates.SoftKeySets(0, 0, 0, ()))]
            case lines.LineStatReqMessage():
                return [lines.LineStatResMessage(line_number=message.line_number, line_dir_number=b"1001")]
            case lines.SpeedDialStatReqMessage():
                return [lines.SpeedDialStatResMessage(speed_dial_number=message.speed_dial_number)]
            case devices.TimeDateReqMessage():
                return [devices.TimeDateResMessage(time_data_info=devices.Time(*range(8)), system_time=0)]
            case registration.UnregisterReqMessage():
                return [registration.UnregisterAckMessage(status=0)]
            case keys.OffHookMessage() if message.call_reference:
                return [state(DCallState.CONNECTED), self.open(), self.start()]
            case keys.OffHookMessage():
                return [state(DCallState.OFF_HOOK), tone(DeviceTone.INSIDE_DIAL_TONE)]
            case keys.KeypadButtonMessage():
                self.dialled += "0123456789ABCD*#"[message.kp_button or 0]
                return self._connected() if self.dialled == self.number else []
            case keys.EnblocCallMessage():
                self.dialled = (message.called_party or b"").decode()
                return [state(DCallState.OFF_HOOK), *self._connected()]
            case media.OpenReceiveChannelAckMessage():
                return [self.start()]
            case keys.OnHookMessage():
                return [*closing(), state(DCallState.ON_HOOK)]
        return []

    def ack(self) -> Message:
        return registration.RegisterAckMessage(
            keep_alive_interval=self.interval,
            date_template=b"D.M.Y",
            alignment_padding=0,
            secondary_keep_alive_interval=self.interval,
            max_protocol_ver=self.version,
        )

    def _connected(self) -> list[Message]:
        return [state(DCallState.PROCEED), state(DCallState.CONNECTED), self.open()]

    def open(self) -> Message:
        return opening()

    def start(self) -> Message:
        return starting(self.audio.address, self.audio.port)


def opening(
    codec: int = MediaPayloadType.G711_ULAW64K,
    milliseconds: int = 20,
    reference: int = REFERENCE,
    party: int = PARTY,
    key: MediaEncryptionKeyInfo | None = None,
) -> media.OpenReceiveChannelMessage:
    return media.OpenReceiveChannelMessage(
        conference_id=1,
        pass_through_party_id=party,
        milli_second_packet_size=milliseconds,
        compression_type=codec,
        qualifier_in=MediaQualifierIncoming(0, 0),
        call_reference=reference,
        m_rx_media_encryption_key_info=key,
    )


def starting(
    address: Address,
    port: int,
    codec: int = MediaPayloadType.G711_ULAW64K,
    milliseconds: int = 20,
    party: int = PARTY,
) -> media.StartMediaTransmissionMessage:
    return media.StartMediaTransmissionMessage(
        header_version=17 if address.version == 6 else 0,
        conference_id=1,
        pass_through_party_id=party,
        remote_ip_addr=address,
        remote_port_number=port,
        milli_second_packet_size=milliseconds,
        compression_type=codec,
    )


def closing() -> list[Message]:
    return [
        media.CloseReceiveChannelMessage(conference_id=1, pass_through_party_id=PARTY, call_reference=REFERENCE),
        media.StopMediaTransmissionMessage(conference_id=1, pass_through_party_id=PARTY, call_reference=REFERENCE),
    ]


def state(which: DCallState, reference: int = REFERENCE) -> Message:
    return calls.CallStateMessage(call_state=which, line_instance=LINE, call_reference=reference)


def tone(which: DeviceTone) -> Message:
    return signals.StartToneMessage(tone=which, tone_output_direction=0, line_instance=LINE, call_reference=REFERENCE)


def template(*buttons: ButtonType) -> templates.ButtonTemplateResMessage:
    definitions = tuple(
        templates.ButtonDefinition(buttons[: place + 1].count(kind), kind) for place, kind in enumerate(buttons)
    )
    return templates.ButtonTemplateResMessage(
        button_template=templates.ButtonTemplate(0, len(buttons), len(buttons), definitions)
    )
