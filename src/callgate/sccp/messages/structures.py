"""Structures that messages of several subjects share."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.media import (
    GenericBitfield32,
    MediaEchoCancellation,
    MediaEncryptionAlgorithmType,
    MediaG723BitRate,
    MediaPayloadType,
    MediaSilenceSuppression,
)
from callgate.sccp.fields import (
    ANY,
    RATE,
    U8,
    U16,
    U32,
    ByForm,
    Case,
    Choice,
    CountedOctets,
    Enum32,
    Flags32,
    Named,
    Text16,
    only,
)
from callgate.sccp.message import Structure


class StationIdentifier(Structure, frozen=True):
    """Who a phone is."""

    device_name: Annotated[Text16, Named("DeviceName")] = None
    """Three letters and the MAC address for phones: `SEP001122334455`."""
    reserved_for_future_use: Annotated[U32, Named("reserved_for_future_use")] = None
    """A user id in Wireshark 4.0 and chan-sccp 4.3, not in use."""
    instance: U32 = None


class CodecParameters(Structure, frozen=True):
    """Parameters of an audio codec, one byte each."""

    codec_mode: U8 = None
    dynamic_payload: U8 = None
    """RTP payload type, where it is dynamic."""
    codec_param1: U8 = None
    codec_param2: U8 = None


_BIT_RATE = Case("g723BitRate", MediaG723BitRate, only(MediaPayloadType.G7231))

CodecChoice = Annotated[
    MediaG723BitRate | CodecParameters | int | bytes | None,
    ByForm(
        RATE,
        {
            10: Choice("compression_type", 4, (Case("g723BitRate", MediaG723BitRate, ANY),)),
            11: Choice("compression_type", 4, (_BIT_RATE, Case("codecParams", CodecParameters, ANY))),
        },
    ),
]
"""Below version 11 the G.723 bit rate; from 11 that of G.723, and the parameters of other codecs."""


class MediaQualifierIncoming(Structure, frozen=True):
    """How audio comes in."""

    ec_value: Enum32[MediaEchoCancellation] = None
    """Echo cancellation; chan-sccp calls it voice activity detection."""
    codec_params_union: CodecChoice = None


class MediaEncryptionKeyInfo(Structure, frozen=True):
    """The key of an encrypted stream; all zero where nothing is encrypted."""

    algorithm_id: Annotated[Enum32[MediaEncryptionAlgorithmType], Named("algorithmID")] = None
    keylen: U16 = None
    """Bytes of key that are valid, at most 16."""
    saltlen: U16 = None
    """Bytes of salt that are valid, at most 16."""
    key: Annotated[bytes | None, CountedOctets(16, "keylen")] = None
    salt: Annotated[bytes | None, CountedOctets(16, "saltlen")] = None
    is_mki_present: Annotated[U32, Named("isMKIPresent")] = None
    """Whether packets carry a master key identifier."""
    key_derivation_rate: U32 = None


class ModemRelay(Structure, frozen=True):
    """Modem relay (V.150.1): what is supported."""

    cap_and_ver: U32 = None
    mod_and2833: U32 = None


class SprtPayload(Structure, frozen=True):
    """Transport of modem relay (SPRT): largest payloads and window."""

    chan0_max_payload: U16 = None
    chan2_max_payload: U16 = None
    chan3_max_payload: U16 = None
    chan2_max_window: U16 = None


class SseCapability(Structure, frozen=True):
    """State signalling events (V.150.1): what is supported."""

    standard: U32 = None
    vendor: U32 = None


class MediaQualifierOutgoing(Structure, frozen=True):
    """How audio goes out."""

    precedence_value: U32 = None
    """Traffic class byte of the IP header: 184 (DSCP 46) from chan-sccp; chan_skinny sends 127."""
    ss_value: Enum32[MediaSilenceSuppression] = None
    max_frames_per_packet: U16 = None
    """0 from chan_skinny and chan-sccp."""
    padding: U16 = None
    codec_params_union: CodecChoice = None


class H261VideoCapability(Structure, frozen=True):
    """What an H.261 codec can do."""

    temporal_spatial_trade_off_capability: U32 = None
    still_image_transmission: U32 = None


class H263VideoCapability(Structure, frozen=True):
    """What an H.263 codec can do."""

    h263_capability_bitfield: Annotated[Flags32[GenericBitfield32], Named("h263_capability_bitfield")] = None
    """Bits whose meaning is not known."""
    annex_nand_w_future_use: U32 = None


class H264VideoCapability(Structure, frozen=True):
    """What an H.264 codec can do."""

    profile: U32 = None
    """64 in real frames."""
    level: U32 = None
    """50 in real frames."""
    custom_max_mbps: Annotated[U32, Named("customMaxMBPS")] = None
    """Macroblocks a second."""
    custom_max_fs: Annotated[U32, Named("customMaxFS")] = None
    """Macroblocks of a frame."""
    custom_max_dpb: Annotated[U32, Named("customMaxDPB")] = None
    """Room for decoded pictures."""
    custom_max_br_and_cpb: Annotated[U32, Named("customMaxBRandCPB")] = None


class VieoVideoCapability(Structure, frozen=True):
    """What a Vieo codec (chan-sccp: H.263+) can do."""

    model_number: U32 = None
    bandwidth: U32 = None
