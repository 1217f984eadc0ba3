"""Video and data channels, and their control."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.devices import IpAddrType
from callgate.sccp.enums.media import (
    MediaPayloadType,
    MediaStatus,
    MiscCommandType,
    OpenReceiveChanStatus,
    PortHandling,
)
from callgate.sccp.fields import ANY, U32, Address, Array, Case, Choice, Enum32, Named, Since, only
from callgate.sccp.message import Message, Sender, Structure, message
from callgate.sccp.messages.structures import (
    H261VideoCapability,
    H263VideoCapability,
    H264VideoCapability,
    MediaEncryptionKeyInfo,
    MediaQualifierIncoming,
    VieoVideoCapability,
)


class RTPPayloadType(Structure, frozen=True):
    """The RTP payload type of a channel, and the RFC that defines it."""

    payload_rfc_number: Annotated[U32, Named("payload_rfc_number")] = None
    payload_type: U32 = None
    """Selects the member of the capability unions, as in Wireshark 4.0. In chan-sccp's dump of a real frame it is an
    RTP payload type, 97, beside H.264 (103) as compression_type: the union is then read as audio."""


class MediaAudioIncomingParameters(Structure, frozen=True):
    """How audio is to come in."""

    milli_second_packet_size: U32 = None
    """Milliseconds of audio in one RTP packet."""
    qualifier_in: MediaQualifierIncoming | None = None


class PictureFormatSupport(Structure, frozen=True):
    """One picture format of a video channel."""

    format: U32 = None
    mpi: Annotated[U32, Named("MPI")] = None
    """Minimum picture interval."""


ChannelVideoChoice = Annotated[
    H261VideoCapability | H263VideoCapability | H264VideoCapability | VieoVideoCapability | int | bytes | None,
    Choice(
        "payload_type.payload_type",
        24,
        (
            Case("h261VideoCapability", H261VideoCapability, only(MediaPayloadType.H261)),
            Case("h263VideoCapability", H263VideoCapability, only(MediaPayloadType.H263)),
            Case("h264VideoCapability", H264VideoCapability, only(MediaPayloadType.H264)),
            Case("vieoVideoCapability", VieoVideoCapability, only(MediaPayloadType.VIEO)),
        ),
    ),
]


class ChannelVideoParameters(Structure, frozen=True):
    """How video is to be sent on a channel."""

    bit_rate: U32 = None
    """384 by default in chan-sccp; 3840 in its dump of a real frame."""
    picture_format_count: U32 = None
    """How many entries are valid; the array takes its full room of 5."""
    picture_format: Annotated[tuple[PictureFormatSupport, ...] | None, Array(5, "picture_format_count")] = None
    conf_service_num: U32 = None
    capability: ChannelVideoChoice = None


class ChannelDataParameters(Structure, frozen=True):
    """How data is to be sent on a channel."""

    protocol_dependent_data: U32 = None
    max_bit_rate: U32 = None


class VideoFastUpdateGOB(Structure, frozen=True):
    """Groups of blocks that the encoder is to send anew."""

    first_gob: Annotated[U32, Named("firstGOB")] = None
    number_of_gobs: Annotated[U32, Named("numberOfGOBs")] = None


class VideoFastUpdateMB(Structure, frozen=True):
    """Macroblocks that the encoder is to send anew."""

    first_gob: Annotated[U32, Named("firstGOB")] = None
    first_mb: Annotated[U32, Named("firstMB")] = None
    number_of_mbs: Annotated[U32, Named("numberOfMBs")] = None


class PictureReference(Structure, frozen=True):
    """One picture, by its number or as a long-term reference."""

    picture_number: U32 = None
    long_term_picture_index: U32 = None


class LostPartialPicture(Structure, frozen=True):
    """Macroblocks of a picture that the decoder has lost."""

    picture_reference: PictureReference | None = None
    first_mb: Annotated[U32, Named("firstMB")] = None
    number_of_mbs: Annotated[U32, Named("numberOfMBs")] = None


class PictureReferenceValues(Structure, frozen=True):
    """Pictures to recover from, as references."""

    recovery_reference_picture_count: U32 = None
    """How many entries are valid; the array takes its full room of 4."""
    recovery_reference_picture: Annotated[
        tuple[PictureReference, ...] | None, Array(4, "recovery_reference_picture_count")
    ] = None


ChannelChoice = Annotated[
    MediaAudioIncomingParameters | ChannelVideoParameters | ChannelDataParameters | int | bytes | None,
    Choice(
        "payload_type.payload_type",
        76,
        (
            Case("audioParameters", MediaAudioIncomingParameters, range(MediaPayloadType.AMR_WB + 1)),
            Case("vidParameters", ChannelVideoParameters, range(MediaPayloadType.H261, MediaPayloadType.H264_FEC + 1)),
            Case("dataParameters", ChannelDataParameters, range(MediaPayloadType.CLEAR_CHAN, 1 << 32)),
        ),
    ),
]


CommandChoice = Annotated[
    VideoFastUpdateGOB
    | VideoFastUpdateMB
    | PictureReference
    | LostPartialPicture
    | PictureReferenceValues
    | int
    | bytes
    | None,
    Choice(
        "command",
        36,
        (
            Case("videoFastUpdatePicture", VideoFastUpdateGOB, only(MiscCommandType.VIDEO_FAST_UPDATE_PICTURE)),
            Case("videoFastUpdateGOB", VideoFastUpdateGOB, only(MiscCommandType.VIDEO_FAST_UPDATE_GOB)),
            Case("videoFastUpdateMB", VideoFastUpdateMB, only(MiscCommandType.VIDEO_FAST_UPDATE_MB)),
            Case("lostPicture", PictureReference, only(MiscCommandType.LOST_PICTURE)),
            Case("lostPartialPicture", LostPartialPicture, only(MiscCommandType.LOST_PARTIAL_PICTURE)),
            Case(
                "recoveryReferencePictureValue",
                PictureReferenceValues,
                only(MiscCommandType.RECOVERY_REFERENCE_PICTURE),
            ),
            Case("temporalSpatialTradeOff", int, only(MiscCommandType.TEMPORAL_SPATIAL_TRADE_OFF)),
            Case("none", int, ANY),
        ),
    ),
]


@message(0x0131, lengths=(164, 192), sender=Sender.SERVER)
class OpenMultiMediaReceiveChannelMessage(Message, frozen=True):
    """The server tells the phone to open a port and receive video or data there.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3 (164 bytes, 172 from version 12, 192 from 17). Fields are there
    until the body ends.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    """To be sent back as given."""
    compression_type: Enum32[MediaPayloadType] = None
    line_instance: U32 = None
    call_reference: U32 = None
    payload_type: RTPPayloadType | None = None
    is_conference_creator: U32 = None
    capability: ChannelChoice = None
    """Audio, video or data parameters; payload_type selects."""
    m_rx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None
    source_ip_addr: Annotated[Address, Since(11)] = None
    source_port_number: Annotated[U32, Since(11)] = None
    requested_ip_addr_type: Annotated[Enum32[IpAddrType], Since(16)] = None


@message(0x0031, lengths=(20, 36), sender=Sender.PHONE, answers=0x0131)
class OpenMultiMediaReceiveChannelAckMessage(Message, frozen=True):
    """The phone says where it receives video or data, in answer to OpenMultiMediaReceiveChannelMessage.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    multimedia_reception_status: Enum32[OpenReceiveChanStatus] = None
    ip_addr: Address = None
    port_number: U32 = None
    """RTP port."""
    pass_through_party_id: U32 = None
    """As given by the server."""
    call_reference: U32 = None


@message(0x0136, lengths=(16, 16), sender=Sender.SERVER)
class CloseMultiMediaReceiveChannelMessage(Message, frozen=True):
    """The server tells the phone to receive no more video or data.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    port_handling_flag: Enum32[PortHandling] = None


@message(0x0132, lengths=(140, 212), sender=Sender.SERVER, spare=28)
class StartMultiMediaTransmissionMessage(Message, frozen=True):
    """The server tells the phone where to send video or data.

    Not captured; after Wireshark 4.0 (168 bytes, 184 from version 17). chan-sccp 4.3 has 140, or from version 17 212
    with 28 bytes more that nobody has named.
    """

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    """To be sent back as given."""
    compression_type: Enum32[MediaPayloadType] = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    """RTP port."""
    call_reference: U32 = None
    payload_type: RTPPayloadType | None = None
    dscp_value: Annotated[U32, Named("DSCPValue")] = None
    """136 in chan-sccp's dump of a real frame: the traffic class byte, DSCP 34 shifted by two bits."""
    capability: ChannelChoice = None
    """Audio, video or data parameters; payload_type selects."""
    m_tx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None


@message(0x0155, lengths=(24, 44), sender=Sender.PHONE, answers=0x0132, spare=4)
class StartMultiMediaTransmissionAckMessage(Message, frozen=True):
    """The phone says where it sends video or data from, in answer to StartMultiMediaTransmissionMessage.

    Not captured; after Wireshark 4.0, which has it sent by the server, and chan-sccp 4.3, which receives it, four bytes
    longer.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    """As given by the server."""
    call_reference: U32 = None
    transmit_ip_addr: Address = None
    port_number: U32 = None
    """RTP port."""
    multimedia_transmission_status: Enum32[MediaStatus] = None


@message(0x0133, lengths=(16, 16), sender=Sender.SERVER)
class StopMultiMediaTransmissionMessage(Message, frozen=True):
    """The server tells the phone to send no more video or data.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    port_handling_flag: Enum32[PortHandling] = None


@message(0x0134, lengths=(52, 52), sender=Sender.BOTH)
class MiscellaneousCommandMessage(Message, frozen=True):
    """One side tells the other what to do about the video stream, such as to send a whole picture.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3, which both sends and receives it.
    """

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    call_reference: U32 = None
    command: Enum32[MiscCommandType] = None
    u: CommandChoice = None
    """What it holds, the command selects."""


@message(0x0135, lengths=(16, 16), sender=Sender.SERVER)
class FlowControlCommandMessage(Message, frozen=True):
    """The server tells the phone the largest bit rate to send at.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    call_reference: U32 = None
    maximum_bit_rate: U32 = None


@message(0x0141, lengths=(16, 16), sender=Sender.SERVER)
class FlowControlNotifyMessage(Message, frozen=True):
    """The server tells the phone that the largest bit rate has changed.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    call_reference: U32 = None
    maximum_bit_rate: U32 = None


@message(0x0140, lengths=(12, 12), sender=Sender.SERVER)
class VideoDisplayCommandMessage(Message, frozen=True):
    """The server tells the phone which video layout to show.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    layout_id: Annotated[U32, Named("layoutID")] = None
    """Index of a layout."""
