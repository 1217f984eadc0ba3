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
from callgate.sccp.fields import ANY, U32, VIDEO, Array, ByForm, Case, Choice, Enum32, Integer, Named, only
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
    """One audio codec the phone has, and what belongs to it."""

    payload_capability: Enum32[MediaPayloadType] = None
    max_frames_per_packet: U32 = None
    """Most milliseconds of audio in one RTP packet, whatever the name says: 40 to 120 from a 7960."""
    payloads: Annotated[PayloadChoice, Named("PAYLOADS")] = None
    """What it holds, the codec selects: the bit rate of G.723, modem relay data, or parameters of other codecs."""


class CustomPictureFormat(Structure, frozen=True):
    """One picture format of the phone's own."""

    picture_width: U32 = None
    """Pixels."""
    picture_height: U32 = None
    """Pixels."""
    pixel_aspect_ratio: U32 = None
    clock_conversion_code: U32 = None
    clock_divisor: U32 = None


class ServiceResource(Structure, frozen=True):
    """What the phone can do for one conference service."""

    layout_count: U32 = None
    """How many layouts are valid; the array takes its full room of 5."""
    layouts: Annotated[tuple[Layout | int, ...] | None, Array(5, "layout_count", of=Integer(4))] = None
    service_num: U32 = None
    max_streams: U32 = None
    max_conferences: U32 = None
    active_conference_on_registration: U32 = None


class ConfResources(Structure, frozen=True):
    """What the phone can do for conferences."""

    active_streams_on_registration: U32 = None
    max_bw: Annotated[U32, Named("maxBW")] = None
    """Largest bandwidth."""
    service_resource_count: U32 = None
    """How many entries are valid; the array takes its full room of 4."""
    service_resource: Annotated[tuple[ServiceResource, ...] | None, Array(4, "service_resource_count")] = None


class LevelPreference(Structure, frozen=True):
    """One picture format of a video codec and its bit rates."""

    transmit_preference: U32 = None
    format: U32 = None
    max_bit_rate: U32 = None
    """15000 from a 7960 with video."""
    min_bit_rate: U32 = None
    """500 from a 7960 with video."""
    mpi: Annotated[U32, Named("MPI")] = None
    """Minimum picture interval."""
    service_number: U32 = None


_H261 = Case("h261VideoCapability", H261VideoCapability, only(MediaPayloadType.H261))
_H263 = Case("h263VideoCapability", H263VideoCapability, only(MediaPayloadType.H263))
_H264 = Case("h264VideoCapability", H264VideoCapability, only(MediaPayloadType.H264))
_VIEO = Case("vieoVideoCapability", VieoVideoCapability, only(MediaPayloadType.VIEO))
_WITH_H264 = Choice("payload_capability", 24, (_H261, _H263, _H264, _VIEO))

VideoChoice = Annotated[
    H261VideoCapability | H263VideoCapability | H264VideoCapability | VieoVideoCapability | int | bytes | None,
    ByForm(VIDEO, {8: Choice("payload_capability", 8, (_H261, _H263, _VIEO)), 24: _WITH_H264}),
]
"""Below version 16 without H.264, from 16 with it; whichever the length of the body shows."""


class VideoCapability(Structure, frozen=True):
    """One video codec the phone has: 116 bytes without H.264, 132 with it."""

    payload_capability: Enum32[MediaPayloadType] = None
    video_capability_direction: Enum32[TransmitOrReceive] = None
    level_preference_count: U32 = None
    """How many entries are valid; the array takes its full room of 4."""
    level_preference: Annotated[tuple[LevelPreference, ...] | None, Array(4, "level_preference_count")] = None
    capability: VideoChoice = None
    """What it holds, the codec selects; for H.264 (103), which has no member in 116 bytes, a 7960 sends 64 and 50."""


class DataApplicationCapability(Structure, frozen=True):
    """One data application the phone has."""

    payload_capability: Enum32[MediaPayloadType] = None
    data_capability_direction: Enum32[TransmitOrReceive] = None
    protocol_dependent_data: U32 = None
    max_bit_rate: U32 = None


VideoChoice24 = Annotated[
    H261VideoCapability | H263VideoCapability | H264VideoCapability | VieoVideoCapability | int | bytes | None,
    _WITH_H264,
]


class VideoCapabilityV2(Structure, frozen=True):
    """One video codec the phone has: the form of 132 bytes, with H.264."""

    payload_capability: Enum32[MediaPayloadType] = None
    video_capability_direction: Enum32[TransmitOrReceive] = None
    level_preference_count: U32 = None
    """How many entries are valid; the array takes its full room of 4."""
    level_preference: Annotated[tuple[LevelPreference, ...] | None, Array(4, "level_preference_count")] = None
    capability: VideoChoice24 = None
    """What it holds, the codec selects."""


class VideoCapabilityV3(Structure, frozen=True):
    """One video codec the phone has: the form of 140 bytes, with encryption."""

    payload_capability: Enum32[MediaPayloadType] = None
    video_capability_direction: Enum32[TransmitOrReceive] = None
    level_preference_count: U32 = None
    """How many entries are valid; the array takes its full room of 4."""
    level_preference: Annotated[tuple[LevelPreference, ...] | None, Array(4, "level_preference_count")] = None
    encryption_capability: Enum32[MediaEncryptionCapability] = None
    capability: VideoChoice24 = None
    """What it holds, the codec selects."""
    ip_addressing_mode: Enum32[IpAddrMode] = None
    """There once, after chan-sccp 4.3; Wireshark 4.0 reads it twice from version 16."""


class DataApplicationCapabilityV2(Structure, frozen=True):
    """One data application the phone has, and whether it can be encrypted."""

    payload_capability: Enum32[MediaPayloadType] = None
    data_capability_direction: Enum32[TransmitOrReceive] = None
    protocol_dependent_data: U32 = None
    max_bit_rate: U32 = None
    encryption_capability: Enum32[MediaEncryptionCapability] = None


@message(0x009B, lengths=(0, 0), sender=Sender.SERVER)
class CapabilitiesReq(Message, frozen=True):
    """The server asks the phone which codecs it has.

    Captured bodies, bytes: 0.
    """


@message(0x0010, lengths=(4, 804), sender=Sender.PHONE, answers=0x009B)
class CapabilitiesResMessage(Message, frozen=True):
    """The phone says which audio codecs it has, in answer to CapabilitiesReq.

    Captured bodies, bytes: 292, which is room for 18 codecs; what follows the counted ones is junk. mod_skinny has room
    for 50 (804 bytes), sccp-rs accepts up to 24.
    """

    cap_count: U32 = None
    """How many of the entries are valid."""
    caps: Annotated[tuple[MediaCapability, ...] | None, Array(18, "cap_count", last=True)] = None


@message(0x0030, lengths=(1840, 2000), sender=Sender.PHONE)
class UpdateCapabilitiesMessage(Message, frozen=True):
    """The phone says which audio, video and data codecs it has.

    Captured bodies, bytes: 1840 (a 7940, a 7960, a 7970). 2000 with H.264, from version 16 (chan-sccp 4.3); a 7961
    sends 1840 under header 22 (sccp-rs). Wireshark 4.0 does not skip the room of an array whose count is 0 and misreads
    all three real frames.
    """

    audio_cap_count: U32 = None
    """How many of audiocaps are valid; all arrays here take their full room whatever their count."""
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
    """The phone says which audio, video and data codecs it has, H.264 among them.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    audio_cap_count: U32 = None
    """How many of audiocaps are valid; all arrays here take their full room whatever their count."""
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
    """The phone says which audio, video and data codecs it has, and which of them it can encrypt.

    Not captured; after chan-sccp 4.3, which has 280 bytes more at the end that nobody has named. Wireshark 4.0 reads
    the addressing mode of a video codec twice.
    """

    audio_cap_count: U32 = None
    """How many of audiocaps are valid; all arrays here take their full room whatever their count."""
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
