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
    """TODO."""

    payload_rfc_number: Annotated[U32, Named("payload_rfc_number")] = None
    payload_type: U32 = None


class MediaAudioIncomingParameters(Structure, frozen=True):
    """TODO."""

    milli_second_packet_size: U32 = None
    qualifier_in: MediaQualifierIncoming | None = None


class PictureFormatSupport(Structure, frozen=True):
    """TODO."""

    format: U32 = None
    mpi: Annotated[U32, Named("MPI")] = None


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
    """TODO."""

    bit_rate: U32 = None
    picture_format_count: U32 = None
    picture_format: Annotated[tuple[PictureFormatSupport, ...] | None, Array(5, "picture_format_count")] = None
    conf_service_num: U32 = None
    capability: ChannelVideoChoice = None


class ChannelDataParameters(Structure, frozen=True):
    """TODO."""

    protocol_dependent_data: U32 = None
    max_bit_rate: U32 = None


class VideoFastUpdateGOB(Structure, frozen=True):
    """TODO."""

    first_gob: Annotated[U32, Named("firstGOB")] = None
    number_of_gobs: Annotated[U32, Named("numberOfGOBs")] = None


class VideoFastUpdateMB(Structure, frozen=True):
    """TODO."""

    first_gob: Annotated[U32, Named("firstGOB")] = None
    first_mb: Annotated[U32, Named("firstMB")] = None
    number_of_mbs: Annotated[U32, Named("numberOfMBs")] = None


class PictureReference(Structure, frozen=True):
    """TODO."""

    picture_number: U32 = None
    long_term_picture_index: U32 = None


class LostPartialPicture(Structure, frozen=True):
    """TODO."""

    picture_reference: PictureReference | None = None
    first_mb: Annotated[U32, Named("firstMB")] = None
    number_of_mbs: Annotated[U32, Named("numberOfMBs")] = None


class PictureReferenceValues(Structure, frozen=True):
    """TODO."""

    recovery_reference_picture_count: U32 = None
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
    """TODO. Not captured."""

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    compression_type: Enum32[MediaPayloadType] = None
    line_instance: U32 = None
    call_reference: U32 = None
    payload_type: RTPPayloadType | None = None
    is_conference_creator: U32 = None
    capability: ChannelChoice = None
    m_rx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None
    source_ip_addr: Annotated[Address, Since(11)] = None
    source_port_number: Annotated[U32, Since(11)] = None
    requested_ip_addr_type: Annotated[Enum32[IpAddrType], Since(16)] = None


@message(0x0031, lengths=(20, 36), sender=Sender.PHONE, answers=0x0131)
class OpenMultiMediaReceiveChannelAckMessage(Message, frozen=True):
    """TODO. Not captured."""

    multimedia_reception_status: Enum32[OpenReceiveChanStatus] = None
    ip_addr: Address = None
    port_number: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None


@message(0x0136, lengths=(16, 16), sender=Sender.SERVER)
class CloseMultiMediaReceiveChannelMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    port_handling_flag: Enum32[PortHandling] = None


@message(0x0132, lengths=(140, 212), sender=Sender.SERVER, spare=28)
class StartMultiMediaTransmissionMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    compression_type: Enum32[MediaPayloadType] = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    call_reference: U32 = None
    payload_type: RTPPayloadType | None = None
    dscp_value: Annotated[U32, Named("DSCPValue")] = None
    capability: ChannelChoice = None
    m_tx_media_encryption_key_info: MediaEncryptionKeyInfo | None = None
    stream_pass_through_id: U32 = None
    associated_stream_id: U32 = None


@message(0x0155, lengths=(24, 44), sender=Sender.PHONE, answers=0x0132, spare=4)
class StartMultiMediaTransmissionAckMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    transmit_ip_addr: Address = None
    port_number: U32 = None
    multimedia_transmission_status: Enum32[MediaStatus] = None


@message(0x0133, lengths=(16, 16), sender=Sender.SERVER)
class StopMultiMediaTransmissionMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
    port_handling_flag: Enum32[PortHandling] = None


@message(0x0134, lengths=(52, 52), sender=Sender.BOTH)
class MiscellaneousCommandMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    call_reference: U32 = None
    command: Enum32[MiscCommandType] = None
    u: CommandChoice = None


@message(0x0135, lengths=(16, 16), sender=Sender.SERVER)
class FlowControlCommandMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    call_reference: U32 = None
    maximum_bit_rate: U32 = None


@message(0x0141, lengths=(16, 16), sender=Sender.SERVER)
class FlowControlNotifyMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    call_reference: U32 = None
    maximum_bit_rate: U32 = None


@message(0x0140, lengths=(12, 12), sender=Sender.SERVER)
class VideoDisplayCommandMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None
    layout_id: Annotated[U32, Named("layoutID")] = None
