"""Audio: receive channels, transmissions, ports."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.devices import IpAddrType
from callgate.sccp.enums.media import MediaPayloadType, MediaStatus, MediaTransportType, MediaType, PortHandling
from callgate.sccp.fields import I32, U8, U32, Address, Array, Enum32, Integer, IPv4, Named, Octets, Since
from callgate.sccp.message import Message, Sender, Structure, message
from callgate.sccp.messages.structures import (
    MediaEncryptionKeyInfo,
    MediaQualifierIncoming,
    MediaQualifierOutgoing,
    ModemRelay,
    SprtPayload,
    SseCapability,
)


class PayloadParam(Structure, frozen=True):
    """TODO."""

    nse: U8 = None
    rfc2833: U8 = None
    sse: U8 = None
    v150sprt: U8 = None
    noaudio: U8 = None
    future_use1: Annotated[U8, Named("FutureUse1")] = None
    future_use2: Annotated[U8, Named("FutureUse2")] = None
    future_use3: Annotated[U8, Named("FutureUse3")] = None


class LatentCapsInfo(Structure, frozen=True):
    """TODO."""

    active: U32 = None
    modem_relay: ModemRelay | None = None
    sprt_payload: SprtPayload | None = None
    sse: SseCapability | None = None
    payload_param: PayloadParam | None = None


@message(0x0105, lengths=(68, 168), sender=Sender.SERVER)
class OpenReceiveChannelMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 68 at header 0; 92 at header 0; 108 at header 0; 128 at header 17, 18, 20; 168 at header 22.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    milli_second_packet_size: U32 = None
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_in: MediaQualifierIncoming | None = None
    call_reference: U32 = None
    m_rx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None
    rfc2833_payload_type: Annotated[U32, Named("RFC2833PayloadType")] = None
    dtmf_type: U32 = None
    mixing_mode: Annotated[U32, Since(11)] = None
    party_direction: Annotated[U32, Since(11)] = None
    source_ip_addr: Annotated[Address, Since(11)] = None
    source_port_number: Annotated[U32, Since(11)] = None
    requested_ip_addr_type: Annotated[Enum32[IpAddrType], Since(16)] = None
    audio_level_adjustment: Annotated[I32, Since(17)] = None
    latent_caps_info: Annotated[LatentCapsInfo | None, Since(21)] = None


@message(0x0022, lengths=(16, 36), sender=Sender.PHONE, answers=0x0105)
class OpenReceiveChannelAckMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 16 at header 0; 20 at header 0; 36 at header 17, 18, 20, 22.
    """

    media_reception_status: Enum32[MediaStatus] = None
    ip_addr: Address = None
    port_number: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None


@message(0x0106, lengths=(12, 16), sender=Sender.SERVER)
class CloseReceiveChannelMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 12 at header 0; 16 at header 17.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    port_handling_flag: Enum32[PortHandling] = None


@message(0x008A, lengths=(36, 168), sender=Sender.SERVER)
class StartMediaTransmissionMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 36 at header 0; 84 at header 0; 116 at header 0; 132 at header 17, 18, 20; 168 at header 22.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    milli_second_packet_size: U32 = None
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_out: MediaQualifierOutgoing | None = None
    call_reference: U32 = None
    m_tx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None
    rfc2833_payload_type: Annotated[U32, Named("RFC2833PayloadType")] = None
    dtmf_type: U32 = None
    mixing_mode: U32 = None
    party_direction: Annotated[U32, Since(15)] = None
    latent_caps_info: Annotated[LatentCapsInfo | None, Since(21)] = None


@message(0x0154, lengths=(24, 48), sender=Sender.PHONE, answers=0x008A, spare=8)
class StartMediaTransmissionAckMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 24 at header 0; 40 at header 17, 18, 20, 22; 48 at header 20.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    transmit_ip_addr: Address = None
    port_number: U32 = None
    media_transmission_status: Enum32[MediaStatus] = None


@message(0x008B, lengths=(4, 20), sender=Sender.SERVER, spare=4)
class StopMediaTransmissionMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0; 12 at header 0; 16 at header 17.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    port_handling_flag: Enum32[PortHandling] = None


@message(0x002A, lengths=(20, 36), sender=Sender.PHONE, answers=0x008A)
class MediaTransmissionFailureMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    call_reference: U32 = None


@message(0x011C, lengths=(28, 28), sender=Sender.SERVER)
class StartMediaFailureDetectionMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    milli_second_packet_size: U32 = None
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_in: MediaQualifierIncoming | None = None
    call_reference: U32 = None


@message(0x014B, lengths=(24, 24), sender=Sender.SERVER)
class PortReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    media_transport_type: Enum32[MediaTransportType] = None
    ip_address_type: Enum32[IpAddrType] = None
    media_type: Enum32[MediaType] = None


@message(0x0045, lengths=(24, 44), sender=Sender.PHONE, answers=0x014B)
class PortResMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    ip_addr: Address = None
    port_number: U32 = None
    rtcp_port_number: Annotated[U32, Named("RTCPPortNumber")] = None
    media_type: Annotated[Enum32[MediaType], Since(19)] = None


@message(0x014C, lengths=(16, 16), sender=Sender.SERVER)
class PortCloseMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    media_type: Enum32[MediaType] = None


@message(0x0002, lengths=(2, 4), sender=Sender.PHONE)
class IpPortMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0.
    """

    rtp_media_port: U32 = None


@message(0x0011, lengths=(4, 68), sender=Sender.PHONE)
class MediaPortListMessage(Message, frozen=True):
    """TODO. Not captured."""

    port_count: U32 = None
    rtp_media_port: Annotated[tuple[int, ...] | None, Array(16, "port_count", of=Integer(4), last=True)] = None


@message(0x008C, lengths=(24, 24), sender=Sender.SERVER)
class StartMediaReceptionMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 24 at header 0.
    """

    ip_addr: IPv4 = None
    milli_second_packet_size: U32 = None
    compression_type: U32 = None
    uninitialised: Annotated[bytes | None, Octets(12)] = None


@message(0x008D, lengths=(4, 8), sender=Sender.SERVER)
class StopMediaReceptionMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0.
    """

    conference_id: U32 = None
    pass_thru_party_id: U32 = None
