"""Devices: models, alarms, resets, features, address kinds.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class DeviceType(IntEnum):
    """The model of a device, in RegisterReqMessage, the token requests and MediaResourceNotificationMessage.

    A model that has no name here stays a number.
    """

    UNDEFINED = 0
    STATION_30SP_PLUS = 1
    STATION_12SP_PLUS = 2
    STATION_12SP = 3
    STATION_12 = 4
    STATION_30VIP = 5
    CISCO_7910 = 6
    STATION_TELECASTER_MGR = 7
    """What a 7960 sends."""
    CISCO_7940 = 8
    CISCO_7935 = 9
    STATION_VGC = 10
    VGC_VIRTUAL_PHONE = 11
    STATION_ATA186 = 12
    STATION_ATA188 = 13
    EMCC_BASE = 15
    VIRTUAL_30SP_PLUS = 20
    STATION_PHONE_APPLICATION = 21
    ANALOG_ACCESS = 30
    DIGITAL_ACCESS_TITAN1 = 40
    DIGITAL_ACCESS_T1 = 41
    DIGITAL_ACCESS_TITAN2 = 42
    DIGITAL_ACCESS_LENNON = 43
    ANALOG_ACCESS_ELVIS = 47
    VGC_GATEWAY = 48
    CONFERENCE_BRIDGE = 50
    CONFERENCE_BRIDGE_YOKO = 51
    CONFERENCE_BRIDGE_DIXIE_LAND = 52
    CONFERENCE_BRIDGE_SUMMIT = 53
    H225 = 60
    H323_PHONE = 61
    H323_GATEWAY = 62
    MUSIC_ON_HOLD = 70
    PILOT = 71
    TAPI_PORT = 72
    TAPI_ROUTE_POINT = 73
    VOICE_IN_BOX = 80
    VOICE_INBOX_ADMIN = 81
    LINE_ANNUNCIATOR = 82
    SOFTWARE_MTP_DIXIE_LAND = 83
    CISCO_MEDIA_SERVER = 84
    CONFERENCE_BRIDGE_FLINT = 85
    CONFERENCE_BRIDGE_HETRO_GEN = 86
    CONFERENCE_BRIDGE_AUD_VID = 87
    CONFERENCE_H_VIDEO_BRIDGE = 88
    ROUTE_LIST = 90
    LOAD_SIMULATOR = 100
    MEDIA_TERMINATION_POINT = 110
    MEDIA_TERMINATION_POINT_YOKO = 111
    MEDIA_TERMINATION_POINT_DIXIE_LAND = 112
    MEDIA_TERMINATION_POINT_SUMMIT = 113
    CISCO_7941G = 115
    CISCO_7971 = 119
    MGCP_STATION = 120
    MGCP_TRUNK = 121
    RAS_PROXY = 122
    CISCO_7914_ADD_ON = 124
    TRUNK = 125
    ANNUNCIATOR = 126
    MONITOR_BRIDGE = 127
    RECORDER = 128
    MONITOR_BRIDGE_YOKO = 129
    SIP_TRUNK = 131
    SIP_GATEWAY = 132
    WSM_TRUNK = 133
    REMOTE_DESTINATION = 134
    CISCO_7915_ADD_ON = 227
    CISCO_7915_ADD_ON_24 = 228
    CISCO_7916_ADD_ON = 229
    CISCO_7916_ADD_ON_24 = 230
    GENERIC_DEVICE = 253
    UNKNOWN_MGCP_GATEWAY = 254
    NOT_DEFINED = 255
    NOKIA_E_SERIES = 275
    CISCO_7985 = 302
    CISCO_7911 = 307
    CISCO_7961_GE = 308
    CISCO_7961G_GE = 309
    MOTOROLA_CN622 = 335
    THIRD_PARTY_SIP_BASIC = 336
    CISCO_7931 = 348
    UNIFIED_COMMUNICATOR = 358
    CISCO_7921 = 365
    CISCO_7906 = 369
    THIRD_PARTY_SIP_ADV = 374
    TELEPRESENCE = 375
    NOKIA_ICC_CLIENT = 376
    CISCO_7962 = 404
    CISCO_3951 = 412
    CISCO_7937 = 431
    CISCO_7942 = 434
    CISCO_7945 = 435
    CISCO_7965 = 436
    CISCO_7975 = 437
    UNIFIED_MOBILE_COMMUNICATOR = 468
    CISCO_7925 = 484
    CISCO_9971_CE = 493
    CISCO_6921 = 495
    CISCO_6941 = 496
    CISCO_6961 = 497
    CSF = 503
    CISCO_6901 = 547
    CISCO_6911 = 548
    CISCO_6945 = 564
    CISCO_7926 = 577
    CISCO_8945 = 585
    CISCO_8941 = 586
    CISCO_TELEPRESENCE_MCU = 597
    CISCO_TELEPRESENCE_EXCHANGE = 599
    CISCO_TELEPRESENCE_SOFTWARE_CONFERENCE_BRIDGE = 600
    AS_SIP = 631
    CTI_REMOTE_DEVICE = 635
    CISCO_7905 = 20000
    CISCO_7920 = 30002
    CISCO_7970 = 30006
    CISCO_7912 = 30007
    CISCO_7902 = 30008
    CISCO_IP_COMMUNICATOR = 30016
    CISCO_7961G = 30018
    CISCO_7936 = 30019
    ANALOG_PHONE = 30027
    ISDN_BRI_PHONE = 30028
    SCCP_GW_VIRTUAL_PHONE = 30032
    IP_STE = 30035
    CISCO_TELEPRESENCE_CONDUCTOR = 36041
    INTERACTIVE_VOICE_RESPONSE = 36219
    CISCO_SPA_521S = 80000
    SPA_524SG = 80001
    CISCO_SPA_502G = 80003
    CISCO_SPA_504G = 80004
    CISCO_SPA_525G = 80005
    SPA_508G = 80006
    CISCO_SPA_509G = 80007
    CISCO_SPA_525G2 = 80009
    CISCO_SPA_303G = 80011
    SPA_512G = 80012
    SPA_514G = 80013


class DeviceAlarmSeverity(IntEnum):
    """How grave an alarm is, in AlarmMessage."""

    CRITICAL = 0
    WARNING = 1
    INFORMATIONAL = 2
    UNKNOWN = 4
    MAJOR = 7
    MINOR = 8
    MARGINAL = 10
    TRACE_INFO = 20


class DeviceResetType(IntEnum):
    """What a phone is to do, in Reset."""

    RESET = 1
    RESTART = 2
    APPLY_CONFIG = 3


class DeviceUnregisterStatus(IntEnum):
    """Whether a phone may leave, in UnregisterAckMessage."""

    OK = 0
    ERROR = 1
    NAK = 2
    """It may not: a call is on (chan-sccp)."""


class UnRegReasonCode(IntEnum):
    """Why a phone leaves, in UnregisterReqMessage."""

    UNKNOWN = 0
    POWER_SAVE_MODE = 1


class PhoneFeatures(IntFlag):
    """What a phone or server can do, as bits, in RegisterReqMessage and RegisterAckMessage.

    Named as in Wireshark 4.0. chan-sccp 4.3 has UTF-8 at 0x20 and dynamic messages at 0x100, which the phones in its
    dumps set (0x8560, 0x8570, 0x8572); none of them sets 0x80.
    """

    BIT1 = 0x1
    BIT2 = 0x2
    BIT3 = 0x4
    BIT4 = 0x8
    UTF8 = 0x10
    BIT6 = 0x20
    BIT7 = 0x40
    DYNAMIC_MESSAGES = 0x80
    BIT9 = 0x100
    RFC2833 = 0x200
    BIT11 = 0x400
    BIT12 = 0x800
    BIT13 = 0x1000
    BIT14 = 0x2000
    BIT15 = 0x4000
    ABBREVIATED_DIAL = 0x8000


class IpAddrType(IntEnum):
    """The kind of an address: in front of it from version 17, and where one is asked for."""

    IPV4 = 0
    IPV6 = 1
    IPV4_V6 = 2
    IP_INVALID = 3


class IpAddrMode(IntEnum):
    """Which kinds of address a phone uses for a codec, in CapabilitiesV3ResMessage."""

    MODE_IPV4 = 0
    MODE_IPV6 = 1
    MODE_IPV4_AND_IPV6 = 2
