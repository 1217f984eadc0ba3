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
    """TODO."""

    device_name: Annotated[Text16, Named("DeviceName")] = None
    reserved_for_future_use: Annotated[U32, Named("reserved_for_future_use")] = None
    instance: U32 = None


class CodecParameters(Structure, frozen=True):
    """TODO."""

    codec_mode: U8 = None
    dynamic_payload: U8 = None
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
    """TODO."""

    ec_value: Enum32[MediaEchoCancellation] = None
    codec_params_union: CodecChoice = None


class MediaEncryptionKeyInfo(Structure, frozen=True):
    """TODO."""

    algorithm_id: Annotated[Enum32[MediaEncryptionAlgorithmType], Named("algorithmID")] = None
    keylen: U16 = None
    saltlen: U16 = None
    key: Annotated[bytes | None, CountedOctets(16, "keylen")] = None
    salt: Annotated[bytes | None, CountedOctets(16, "saltlen")] = None
    is_mki_present: Annotated[U32, Named("isMKIPresent")] = None
    key_derivation_rate: U32 = None


class ModemRelay(Structure, frozen=True):
    """TODO."""

    cap_and_ver: U32 = None
    mod_and2833: U32 = None


class SprtPayload(Structure, frozen=True):
    """TODO."""

    chan0_max_payload: U16 = None
    chan2_max_payload: U16 = None
    chan3_max_payload: U16 = None
    chan2_max_window: U16 = None


class SseCapability(Structure, frozen=True):
    """TODO."""

    standard: U32 = None
    vendor: U32 = None


class MediaQualifierOutgoing(Structure, frozen=True):
    """TODO."""

    precedence_value: U32 = None
    ss_value: Enum32[MediaSilenceSuppression] = None
    max_frames_per_packet: U16 = None
    padding: U16 = None
    codec_params_union: CodecChoice = None


class H261VideoCapability(Structure, frozen=True):
    """TODO."""

    temporal_spatial_trade_off_capability: U32 = None
    still_image_transmission: U32 = None


class H263VideoCapability(Structure, frozen=True):
    """TODO."""

    h263_capability_bitfield: Annotated[Flags32[GenericBitfield32], Named("h263_capability_bitfield")] = None
    annex_nand_w_future_use: U32 = None


class H264VideoCapability(Structure, frozen=True):
    """TODO."""

    profile: U32 = None
    level: U32 = None
    custom_max_mbps: Annotated[U32, Named("customMaxMBPS")] = None
    custom_max_fs: Annotated[U32, Named("customMaxFS")] = None
    custom_max_dpb: Annotated[U32, Named("customMaxDPB")] = None
    custom_max_br_and_cpb: Annotated[U32, Named("customMaxBRandCPB")] = None


class VieoVideoCapability(Structure, frozen=True):
    """TODO."""

    model_number: U32 = None
    bandwidth: U32 = None
