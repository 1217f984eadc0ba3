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
    """RTP payload types of the latent capabilities, one byte each."""

    nse: U8 = None
    rfc2833: U8 = None
    sse: U8 = None
    v150sprt: U8 = None
    noaudio: U8 = None
    future_use1: Annotated[U8, Named("FutureUse1")] = None
    future_use2: Annotated[U8, Named("FutureUse2")] = None
    future_use3: Annotated[U8, Named("FutureUse3")] = None


class LatentCapsInfo(Structure, frozen=True):
    """Capabilities kept ready for modem relay and the like; all zero from chan_skinny and chan-sccp."""

    active: U32 = None
    modem_relay: ModemRelay | None = None
    sprt_payload: SprtPayload | None = None
    sse: SseCapability | None = None
    payload_param: PayloadParam | None = None


@message(0x0105, lengths=(68, 168), sender=Sender.SERVER)
class OpenReceiveChannelMessage(Message, frozen=True):
    """The server tells the phone to open a port and receive audio there.

    Captured bodies, bytes: 68 (CallManager 4), 92 and 108 (header 0), 128 (headers 17, 18, 20), 168 (header 22).
    chan_skinny sends 168 at every version, chan-sccp 108, 128 or 168, mod_skinny 92. Fields are there until the body
    ends: Wireshark 4.0 gates the tail from mixing_mode by version and skips it in frames with header 0.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    """To be sent back as given. chan_skinny sends the call reference, chan-sccp counts down from 0xFFFFFFFE."""
    milli_second_packet_size: U32 = None
    """Milliseconds of audio in one RTP packet."""
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_in: MediaQualifierIncoming | None = None
    call_reference: U32 = None
    """chan_skinny sends 0."""
    m_rx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None
    rfc2833_payload_type: Annotated[U32, Named("RFC2833PayloadType")] = None
    """RTP payload type of DTMF, often 101; 0 for none."""
    dtmf_type: U32 = None
    """10 from CallManager and chan-sccp."""
    mixing_mode: Annotated[U32, Since(11)] = None
    party_direction: Annotated[U32, Since(11)] = None
    source_ip_addr: Annotated[Address, Since(11)] = None
    """Where the audio is to come from."""
    source_port_number: Annotated[U32, Since(11)] = None
    """4000 in frames of CallManager; chan-sccp sends its own."""
    requested_ip_addr_type: Annotated[Enum32[IpAddrType], Since(16)] = None
    audio_level_adjustment: Annotated[I32, Since(17)] = None
    """Signed."""
    latent_caps_info: Annotated[LatentCapsInfo | None, Since(21)] = None


@message(0x0022, lengths=(16, 36), sender=Sender.PHONE, answers=0x0105)
class OpenReceiveChannelAckMessage(Message, frozen=True):
    """The phone says where it receives audio, in answer to OpenReceiveChannelMessage.

    Captured bodies, bytes: 16 (CallManager 4), 20 (header 0), 36 (headers 17, 18, 20, 22). chan_skinny keeps
    pass_through_party_id under the name of the call reference.
    """

    media_reception_status: Enum32[MediaStatus] = None
    ip_addr: Address = None
    """The phone's own address, as it sees it."""
    port_number: U32 = None
    """RTP port."""
    pass_through_party_id: U32 = None
    """As given by the server."""
    call_reference: U32 = None
    """Missing in the shortest form."""


@message(0x0106, lengths=(12, 16), sender=Sender.SERVER)
class CloseReceiveChannelMessage(Message, frozen=True):
    """The server tells the phone to receive no more audio.

    Captured bodies, bytes: 12 (header 0), 16 (header 17; chan_skinny and chan-sccp).
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    """As in OpenReceiveChannelMessage."""
    call_reference: U32 = None
    """chan_skinny sends 0."""
    port_handling_flag: Enum32[PortHandling] = None


@message(0x008A, lengths=(36, 168), sender=Sender.SERVER)
class StartMediaTransmissionMessage(Message, frozen=True):
    """The server tells the phone where to send audio.

    Captured bodies, bytes: 36 (CallManager 2), 84 (CallManager 4), 116 (header 0), 132 (headers 17, 18, 20), 168
    (header 22). chan_skinny and chan-sccp send 116 below version 17, mod_skinny 40. Fields are there until the body
    ends: Wireshark 4.0 skips party_direction in frames with header 0.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    """To be sent back as given, if the phone answers."""
    remote_ip_addr: Address = None
    """Where to send to; of the other phone, or of the server."""
    remote_port_number: U32 = None
    """RTP port."""
    milli_second_packet_size: U32 = None
    """Milliseconds of audio in one RTP packet."""
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_out: MediaQualifierOutgoing | None = None
    call_reference: U32 = None
    """chan_skinny sends 0."""
    m_tx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None
    rfc2833_payload_type: Annotated[U32, Named("RFC2833PayloadType")] = None
    """RTP payload type of DTMF, often 101; 0 for none."""
    dtmf_type: U32 = None
    """10 from CallManager and chan-sccp."""
    mixing_mode: U32 = None
    party_direction: Annotated[U32, Since(15)] = None
    latent_caps_info: Annotated[LatentCapsInfo | None, Since(21)] = None


@message(0x0154, lengths=(24, 48), sender=Sender.PHONE, answers=0x008A, spare=8)
class StartMediaTransmissionAckMessage(Message, frozen=True):
    """The phone says where it sends audio from, in answer to StartMediaTransmissionMessage.

    Captured bodies, bytes: 24 (header 0), 40 (headers 17, 18, 20, 22), 48 (header 20: a 6901 adds two words that nobody
    has named). Wireshark 4.0 has it sent by the server; every captured one comes from a phone.
    """

    conference_id: U32 = None
    """A 6901 and a 6911 leave it 0, and pass_through_party_id too."""
    pass_through_party_id: U32 = None
    """As given by the server."""
    call_reference: U32 = None
    transmit_ip_addr: Address = None
    port_number: U32 = None
    """RTP port."""
    media_transmission_status: Enum32[MediaStatus] = None


@message(0x008B, lengths=(4, 20), sender=Sender.SERVER, spare=4)
class StopMediaTransmissionMessage(Message, frozen=True):
    """The server tells the phone to send no more audio.

    Captured bodies, bytes: 4 (CallManager 2), 12 (CallManager 4), 16 (header 17; chan-sccp), 20 (chan_skinny, four zero
    bytes more). mod_skinny sends 12.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    """As in StartMediaTransmissionMessage."""
    call_reference: U32 = None
    port_handling_flag: Enum32[PortHandling] = None


@message(0x002A, lengths=(20, 36), sender=Sender.PHONE, answers=0x008A)
class MediaTransmissionFailureMessage(Message, frozen=True):
    """The phone reports that it cannot send audio where StartMediaTransmissionMessage told it to.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    """RTP port."""
    call_reference: U32 = None


@message(0x011C, lengths=(28, 28), sender=Sender.SERVER)
class StartMediaFailureDetectionMessage(Message, frozen=True):
    """The server has the phone watch whether audio arrives.

    Not captured; after Wireshark 4.0.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    milli_second_packet_size: U32 = None
    """Milliseconds of audio in one RTP packet."""
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_in: MediaQualifierIncoming | None = None
    call_reference: U32 = None


@message(0x014B, lengths=(24, 24), sender=Sender.SERVER)
class PortReqMessage(Message, frozen=True):
    """The server asks the phone for a media port.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3, which sends it from version 11.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    media_transport_type: Enum32[MediaTransportType] = None
    ip_address_type: Enum32[IpAddrType] = None
    media_type: Enum32[MediaType] = None


@message(0x0045, lengths=(24, 44), sender=Sender.PHONE, answers=0x014B)
class PortResMessage(Message, frozen=True):
    """The phone names a media port, in answer to PortReqMessage.

    Not captured. 24 bytes, from version 17 with the wider address 40, from 19 with the media type 44 (chan-sccp 4.3;
    sccp-rs has that from 20). The length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    ip_addr: Address = None
    port_number: U32 = None
    """RTP port."""
    rtcp_port_number: Annotated[U32, Named("RTCPPortNumber")] = None
    """RTCP port."""
    media_type: Annotated[Enum32[MediaType], Since(19)] = None


@message(0x014C, lengths=(16, 16), sender=Sender.SERVER)
class PortCloseMessage(Message, frozen=True):
    """The server tells the phone to close a media port it named in PortResMessage.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3, which sends it from version 11.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    media_type: Enum32[MediaType] = None


@message(0x0002, lengths=(2, 4), sender=Sender.PHONE)
class IpPortMessage(Message, frozen=True):
    """The phone says on which port it receives audio, as it registers.

    Captured bodies, bytes: 4; mod_skinny reads 2. OpenReceiveChannelAckMessage has superseded it.
    """

    rtp_media_port: U32 = None
    """RTP port."""


@message(0x0011, lengths=(4, 68), sender=Sender.PHONE)
class MediaPortListMessage(Message, frozen=True):
    """A device of several RTP streams says on which ports it receives audio.

    Not captured; after chan-sccp 4.3 and sccp-rs. Not in Wireshark 4.0.
    """

    port_count: U32 = None
    """How many of the ports are valid."""
    rtp_media_port: Annotated[tuple[int, ...] | None, Array(16, "port_count", of=Integer(4), last=True)] = None


@message(0x008C, lengths=(24, 24), sender=Sender.SERVER)
class StartMediaReceptionMessage(Message, frozen=True):
    """The server tells the phone to receive audio, before there was OpenReceiveChannelMessage.

    Captured bodies, bytes: 24 (CallManager 2). Not in Wireshark 4.0; empty in chan-sccp 4.3 and sccp-rs.
    """

    ip_addr: IPv4 = None
    """The first word of the captured frames is an IPv4 address."""
    milli_second_packet_size: U32 = None
    """Milliseconds of audio in one RTP packet; 30 in the captured frames."""
    compression_type: U32 = None
    """Payload type; 4 in the captured frames."""
    uninitialised: Annotated[bytes | None, Octets(12)] = None
    """Whatever the server had in memory."""


@message(0x008D, lengths=(4, 8), sender=Sender.SERVER)
class StopMediaReceptionMessage(Message, frozen=True):
    """The server tells the phone to receive no more audio, before there was CloseReceiveChannelMessage.

    Captured bodies, bytes: 4 (CallManager 2; junk). Not in Wireshark 4.0; chan-sccp 4.3 and sccp-rs have 8.
    """

    conference_id: U32 = None
    pass_thru_party_id: U32 = None
