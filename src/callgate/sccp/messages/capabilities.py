"""What codecs a phone has."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.devices import IpAddrMode
from callgate.sccp.enums.media import (
    Layout,
    MediaEncryptionCapability,
    MediaG723BitRate,
    MediaPayloadType,
    TransmitOrReceive,
)
from callgate.sccp.fields import ANY, U32, Array, Case, Choice, Enum32, Integer, Named, only
from callgate.sccp.message import Message, Sender, Structure, message
from callgate.sccp.messages.structures import (
    CodecParameters,
    H261VideoCapability,
    H263VideoCapability,
    H264VideoCapability,
    ModemRelay,
    SprtPayload,
    SseCapability,
    VieoVideoCapability,
)

PayloadChoice = Annotated[
    MediaG723BitRate | ModemRelay | SprtPayload | SseCapability | CodecParameters | int | bytes | None,
    Choice(
        "payload_capability",
        8,
        (
            Case("g723BitRate", MediaG723BitRate, only(MediaPayloadType.G7231)),
            Case("modemRelay", ModemRelay, only(MediaPayloadType.V150_LC_MODEM_RELAY)),
            Case("sprtPayload", SprtPayload, only(MediaPayloadType.V150_LC_SPRT)),
            Case("sse", SseCapability, only(MediaPayloadType.V150_LC_SSE)),
            Case("codecParams", CodecParameters, ANY),
        ),
    ),
]


class MediaCapability(Structure, frozen=True):
    """TODO."""

    payload_capability: Enum32[MediaPayloadType] = None
    max_frames_per_packet: U32 = None
    payloads: Annotated[PayloadChoice, Named("PAYLOADS")] = None


class CustomPictureFormat(Structure, frozen=True):
    """TODO."""

    picture_width: U32 = None
    picture_height: U32 = None
    pixel_aspect_ratio: U32 = None
    clock_conversion_code: U32 = None
    clock_divisor: U32 = None


class ServiceResource(Structure, frozen=True):
    """TODO."""

    layout_count: U32 = None
    layouts: Annotated[tuple[Layout | int, ...] | None, Array(5, "layout_count", of=Integer(4))] = None
    service_num: U32 = None
    max_streams: U32 = None
    max_conferences: U32 = None
    active_conference_on_registration: U32 = None


class ConfResources(Structure, frozen=True):
    """TODO."""

    active_streams_on_registration: U32 = None
    max_bw: Annotated[U32, Named("maxBW")] = None
    service_resource_count: U32 = None
    service_resource: Annotated[tuple[ServiceResource, ...] | None, Array(4, "service_resource_count")] = None


class LevelPreference(Structure, frozen=True):
    """TODO."""

    transmit_preference: U32 = None
    format: U32 = None
    max_bit_rate: U32 = None
    min_bit_rate: U32 = None
    mpi: Annotated[U32, Named("MPI")] = None
    service_number: U32 = None


VideoChoice8 = Annotated[
    H261VideoCapability | H263VideoCapability | VieoVideoCapability | int | bytes | None,
    Choice(
        "payload_capability",
        8,
        (
            Case("h261VideoCapability", H261VideoCapability, only(MediaPayloadType.H261)),
            Case("h263VideoCapability", H263VideoCapability, only(MediaPayloadType.H263)),
            Case("vieoVideoCapability", VieoVideoCapability, only(MediaPayloadType.VIEO)),
        ),
    ),
]


class VideoCapability(Structure, frozen=True):
    """TODO."""

    payload_capability: Enum32[MediaPayloadType] = None
    video_capability_direction: Enum32[TransmitOrReceive] = None
    level_preference_count: U32 = None
    level_preference: Annotated[tuple[LevelPreference, ...] | None, Array(4, "level_preference_count")] = None
    capability: VideoChoice8 = None


class DataApplicationCapability(Structure, frozen=True):
    """TODO."""

    payload_capability: Enum32[MediaPayloadType] = None
    data_capability_direction: Enum32[TransmitOrReceive] = None
    protocol_dependent_data: U32 = None
    max_bit_rate: U32 = None


VideoChoice24 = Annotated[
    H261VideoCapability | H263VideoCapability | H264VideoCapability | VieoVideoCapability | int | bytes | None,
    Choice(
        "payload_capability",
        24,
        (
            Case("h261VideoCapability", H261VideoCapability, only(MediaPayloadType.H261)),
            Case("h263VideoCapability", H263VideoCapability, only(MediaPayloadType.H263)),
            Case("h264VideoCapability", H264VideoCapability, only(MediaPayloadType.H264)),
            Case("vieoVideoCapability", VieoVideoCapability, only(MediaPayloadType.VIEO)),
        ),
    ),
]


class VideoCapabilityV2(Structure, frozen=True):
    """TODO."""

    payload_capability: Enum32[MediaPayloadType] = None
    video_capability_direction: Enum32[TransmitOrReceive] = None
    level_preference_count: U32 = None
    level_preference: Annotated[tuple[LevelPreference, ...] | None, Array(4, "level_preference_count")] = None
    capability: VideoChoice24 = None


class VideoCapabilityV3(Structure, frozen=True):
    """TODO."""

    payload_capability: Enum32[MediaPayloadType] = None
    video_capability_direction: Enum32[TransmitOrReceive] = None
    level_preference_count: U32 = None
    level_preference: Annotated[tuple[LevelPreference, ...] | None, Array(4, "level_preference_count")] = None
    encryption_capability: Enum32[MediaEncryptionCapability] = None
    capability: VideoChoice24 = None
    ip_addressing_mode: Enum32[IpAddrMode] = None


class DataApplicationCapabilityV2(Structure, frozen=True):
    """TODO."""

    payload_capability: Enum32[MediaPayloadType] = None
    data_capability_direction: Enum32[TransmitOrReceive] = None
    protocol_dependent_data: U32 = None
    max_bit_rate: U32 = None
    encryption_capability: Enum32[MediaEncryptionCapability] = None


@message(0x009B, lengths=(0, 0), sender=Sender.SERVER)
class CapabilitiesReq(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """


@message(0x0010, lengths=(4, 804), sender=Sender.PHONE, answers=0x009B)
class CapabilitiesResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 292 at header 0, 18.
    """

    cap_count: U32 = None
    caps: Annotated[tuple[MediaCapability, ...] | None, Array(18, "cap_count", last=True)] = None


@message(0x0030, lengths=(1840, 2000), sender=Sender.PHONE)
class UpdateCapabilitiesMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 1840 at header 0.
    """

    audio_cap_count: U32 = None
    video_cap_count: U32 = None
    data_cap_count: U32 = None
    rtp_payload_format: U32 = None
    custom_picture_format_count: U32 = None
    custom_picture_format: Annotated[
        tuple[CustomPictureFormat, ...] | None, Array(6, "custom_picture_format_count")
    ] = None
    conf_resources: ConfResources | None = None
    audiocaps: Annotated[tuple[MediaCapability, ...] | None, Array(18, "audio_cap_count")] = None
    vid_caps: Annotated[tuple[VideoCapability, ...] | None, Array(10, "video_cap_count")] = None
    data_caps: Annotated[tuple[DataApplicationCapability, ...] | None, Array(5, "data_cap_count")] = None


@message(0x0043, lengths=(2000, 2000), sender=Sender.PHONE, answers=0x009B)
class CapabilitiesV2ResMessage(Message, frozen=True):
    """TODO. Not captured."""

    audio_cap_count: U32 = None
    video_cap_count: U32 = None
    data_cap_count: U32 = None
    rtp_payload_format: U32 = None
    custom_picture_format_count: U32 = None
    custom_picture_format: Annotated[
        tuple[CustomPictureFormat, ...] | None, Array(6, "custom_picture_format_count")
    ] = None
    conf_resources: ConfResources | None = None
    audiocaps: Annotated[tuple[MediaCapability, ...] | None, Array(18, "audio_cap_count")] = None
    vid_caps: Annotated[tuple[VideoCapabilityV2, ...] | None, Array(10, "video_cap_count")] = None
    data_caps: Annotated[tuple[DataApplicationCapability, ...] | None, Array(5, "data_cap_count")] = None


@message(0x0044, lengths=(2100, 2380), sender=Sender.PHONE, answers=0x009B, spare=280)
class CapabilitiesV3ResMessage(Message, frozen=True):
    """TODO. Not captured."""

    audio_cap_count: U32 = None
    video_cap_count: U32 = None
    data_cap_count: U32 = None
    rtp_payload_format: U32 = None
    custom_picture_format_count: U32 = None
    custom_picture_format: Annotated[
        tuple[CustomPictureFormat, ...] | None, Array(6, "custom_picture_format_count")
    ] = None
    conf_resources: ConfResources | None = None
    audiocaps: Annotated[tuple[MediaCapability, ...] | None, Array(18, "audio_cap_count")] = None
    vid_caps: Annotated[tuple[VideoCapabilityV3, ...] | None, Array(10, "video_cap_count")] = None
    data_caps: Annotated[tuple[DataApplicationCapabilityV2, ...] | None, Array(5, "data_cap_count")] = None
