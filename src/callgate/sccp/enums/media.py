"""Media: payload types, status, encryption, video layouts and commands.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class MediaPayloadType(IntEnum):
    """The codec of a stream, in all messages about media.

    Not RTP payload types; those of dynamic codecs come beside it.
    """

    NONE = 0
    NONSTANDARD = 1
    G711_ALAW64K = 2
    G711_ALAW56K = 3
    G711_ULAW64K = 4
    G711_ULAW56K = 5
    G722_64K = 6
    G722_56K = 7
    G722_48K = 8
    G7231 = 9
    G728 = 10
    G729 = 11
    G729_ANNEX_A = 12
    IS11172 = 13
    IS13818 = 14
    G729_ANNEX_B = 15
    G729_ANNEX_A_WITH_ANNEX_B = 16
    GSM_FULL_RATE = 18
    GSM_HALF_RATE = 19
    GSM_ENHANCED_FULL_RATE = 20
    WIDE_BAND_256K = 25
    DATA64 = 32
    DATA56 = 33
    G7221_32K = 40
    G7221_24K = 41
    AAC = 42
    MP4ALATM_128 = 43
    MP4ALATM_64 = 44
    MP4ALATM_56 = 45
    MP4ALATM_48 = 46
    MP4ALATM_32 = 47
    MP4ALATM_24 = 48
    MP4ALATM_NA = 49
    GSM = 80
    ACTIVEVOICE = 81
    G726_32K = 82
    G726_24K = 83
    G726_16K = 84
    G729_ANNEX_B_2 = 85
    ILBC = 86
    ISAC = 89
    OPUS = 90
    AMR = 97
    AMR_WB = 98
    H261 = 100
    H263 = 101
    VIEO = 102
    H264 = 103
    H264_SVC = 104
    T120 = 105
    H224 = 106
    T38_FAX = 107
    TOTE = 108
    H265 = 109
    H264_UC = 110
    XV150_MR_711U = 111
    NSE_VBD_711U = 112
    XV150_MR_729A = 113
    NSE_VBD_729A = 114
    H264_FEC = 115
    CLEAR_CHAN = 120
    UNIVERSAL_XCODER = 222
    RFC2833_DYN_PAYLOAD = 257
    PASS_THROUGH = 258
    DYNAMIC_PAYLOAD_PASS_THRU = 259
    DTMF_OOB = 260
    INBAND_DTMF_RFC2833 = 261
    CFB_TONES = 262
    NO_AUDIO = 299
    V150_LC_MODEM_RELAY = 300
    V150_LC_SPRT = 301
    V150_LC_SSE = 302
    MAX = 303
    """Not a codec: Wireshark's end of the list."""


class MediaG723BitRate(IntEnum):
    """The bit rate of G.723.1, kbit/s, in capabilities and media messages."""

    RATE_5_3 = 1
    RATE_6_3 = 2


class MediaStatus(IntEnum):
    """How opening a channel or starting a transmission went, in the acknowledgements of both."""

    OK = 0
    UNKNOWN = 1
    NOT_ENOUGH_CHANNELS = 2
    CODEC_TOO_COMPLEX = 3
    INVALID_PARTY_ID = 4
    INVALID_CALL_REF = 5
    INVALID_CODEC = 6
    INVALID_PACKET_SIZE = 7
    OUT_OF_SOCKETS = 8
    ENCODER_OR_DECODER_FAILED = 9
    INVALID_DYNAMIC_PAYLOAD_TYPE = 10
    REQUESTED_IP_ADDR_TYPE_UNAVAILABLE = 11
    DEVICE_ON_HOOK = 255
    """12 in chan-sccp 4.3."""


class OpenReceiveChanStatus(IntEnum):
    """How opening a channel for video went, in OpenMultiMediaReceiveChannelAckMessage."""

    OK = 0
    ERROR = 1


class MulticastMediaReceptionStatus(IntEnum):
    """How joining a multicast group went, in MulticastMediaReceptionAckMessage."""

    OK = 0
    ERROR = 1


class MediaEchoCancellation(IntEnum):
    """Whether the receiver cancels echo, in MediaQualifierIncoming."""

    OFF = 0
    ON = 1


class MediaSilenceSuppression(IntEnum):
    """Whether the sender leaves silence out, in MediaQualifierOutgoing."""

    OFF = 0
    ON = 1


class MediaEncryptionAlgorithmType(IntEnum):
    """How a stream is encrypted (SRTP), in MediaEncryptionKeyInfo."""

    NO_ENCRYPTION = 0
    CCM_AES_CM_128_HMAC_SHA1_32 = 1
    CCM_AES_CM_128_HMAC_SHA1_80 = 2
    CCM_F8_128_HMAC_SHA1_32 = 3
    CCM_F8_128_HMAC_SHA1_80 = 4
    CCM_AEAD_AES_128_GCM = 5
    CCM_AEAD_AES_256_GCM = 6


class MediaEncryptionCapability(IntEnum):
    """Whether a codec can be encrypted, in CapabilitiesV3ResMessage."""

    NOT_ENCRYPTION_CAPABLE = 0
    ENCRYPTION_CAPABLE = 1


class MediaTransportType(IntEnum):
    """What a media port is for, in PortReqMessage."""

    RTP = 1
    UDP = 2
    TCP = 3


class MediaType(IntEnum):
    """Which stream of a call a port is for, in PortReqMessage, PortResMessage and PortCloseMessage."""

    INVALID = 0
    AUDIO = 1
    MAIN_VIDEO = 2
    FECC = 3
    PRESENTATION_VIDEO = 4
    DATA_APP_BFCP = 5
    DATA_APP_IX_CHANNEL = 6
    T38 = 7
    MAX = 8
    """Not a stream: Wireshark's end of the list."""


class PortHandling(IntEnum):
    """Whether the phone keeps the port of a stream that ends, in the messages that close channels."""

    CLOSE_PORT = 0
    KEEP_PORT = 1


class TransmitOrReceive(IntEnum):
    """Which way a codec works, in capabilities."""

    NONE = 0
    RECEIVE_ONLY = 1
    TRANSMIT_ONLY = 2
    BOTH = 3


class Layout(IntEnum):
    """How a conference arranges its pictures, in capabilities."""

    NO_LAYOUT = 0
    ONE_BY_ONE = 1
    ONE_BY_TWO = 2
    TWO_BY_TWO = 3
    TWO_BY_TWO3_ALT1 = 4
    TWO_BY_TWO3_ALT2 = 5
    THREE_BY_THREE = 6
    THREE_BY_THREE6_ALT1 = 7
    THREE_BY_THREE6_ALT2 = 8
    THREE_BY_THREE4_ALT1 = 9
    THREE_BY_THREE4_ALT2 = 10


class MiscCommandType(IntEnum):
    """What to do about a video stream, in MiscellaneousCommandMessage."""

    VIDEO_FREEZE_PICTURE = 0
    VIDEO_FAST_UPDATE_PICTURE = 1
    VIDEO_FAST_UPDATE_GOB = 2
    VIDEO_FAST_UPDATE_MB = 3
    LOST_PICTURE = 4
    LOST_PARTIAL_PICTURE = 5
    RECOVERY_REFERENCE_PICTURE = 6
    TEMPORAL_SPATIAL_TRADE_OFF = 7


class GenericBitfield32(IntFlag):
    """Thirty-two bits whose meaning is not known, in the H.263 capability."""

    BIT1 = 0x1
    BIT2 = 0x2
    BIT3 = 0x4
    BIT4 = 0x8
    BIT5 = 0x10
    BIT6 = 0x20
    BIT7 = 0x40
    BIT8 = 0x80
    BIT9 = 0x100
    BIT10 = 0x200
    BIT11 = 0x400
    BIT12 = 0x800
    BIT13 = 0x1000
    BIT14 = 0x2000
    BIT15 = 0x4000
    BIT16 = 0x8000
    BIT17 = 0x10000
    BIT18 = 0x20000
    BIT19 = 0x40000
    BIT20 = 0x80000
    BIT21 = 0x100000
    BIT22 = 0x200000
    BIT23 = 0x400000
    BIT24 = 0x800000
    BIT25 = 0x1000000
    BIT26 = 0x2000000
    BIT27 = 0x4000000
    BIT28 = 0x8000000
    BIT29 = 0x10000000
    BIT30 = 0x20000000
    BIT31 = 0x40000000
    BIT32 = 0x80000000
