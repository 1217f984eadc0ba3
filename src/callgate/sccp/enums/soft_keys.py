"""Soft keys: events, and their indices in templates.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum


class SoftKeyEvent(IntEnum):
    """What a soft key does, in SoftKeyEventMessage and SoftKeyTemplateResMessage; the rest are labels of the display.

    chan-sccp and chan_skinny give the keys of their templates numbers from 1 up, and so use 19 and later otherwise.
    """

    REDIAL = 1
    NEW_CALL = 2
    HOLD = 3
    TRANSFER = 4
    CFWD_ALL = 5
    CFWD_BUSY = 6
    CFWD_NO_ANSWER = 7
    BACK_SPACE = 8
    END_CALL = 9
    RESUME = 10
    ANSWER = 11
    INFO = 12
    CONFRN = 13
    PARK = 14
    JOIN = 15
    MEET_ME = 16
    PICK_UP = 17
    GRP_PICKUP = 18
    YOUR_CURRENT_OPTIONS = 19
    OFF_HOOK = 20
    ON_HOOK = 21
    RING_OUT = 22
    FROM = 23
    CONNECTED = 24
    BUSY = 25
    LINE_IN_USE = 26
    CALL_WAITING = 27
    CALL_TRANSFER = 28
    CALL_PARK = 29
    CALL_PROCEED = 30
    IN_USE_REMOTE = 31
    ENTER_NUMBER = 32
    CALL_PARK_AT = 33
    PRIMARY_ONLY = 34
    TEMP_FAIL = 35
    YOU_HAVE_A_VOICE_MAIL = 36
    FORWARDED_TO = 37
    CAN_NOT_COMPLETE_CONFERENCE = 38
    NO_CONFERENCE_BRIDGE = 39
    CAN_NOT_HOLD_PRIMARY_CONTROL = 40
    INVALID_CONFERENCE_PARTICIPANT = 41
    IN_CONFERENCE_ALREADY = 42
    NO_PARTICIPANT_INFO = 43
    EXCEED_MAXIMUM_PARTIES = 44
    KEY_IS_NOT_ACTIVE = 45
    ERROR_NO_LICENSE = 46
    ERROR_DB_CONFIG = 47
    ERROR_DATABASE = 48
    ERROR_PASS_LIMIT = 49
    ERROR_UNKNOWN = 50
    ERROR_MISMATCH = 51
    CONFERENCE = 52
    PARK_NUMBER = 53
    PRIVATE = 54
    NOT_ENOUGH_BANDWIDTH = 55
    UNKNOWN_NUMBER = 56
    RM_LST_C = 57
    VOICEMAIL = 58
    IMM_DIV = 59
    INTRCPT = 60
    SET_WTCH = 61
    TRNSF_VM = 62
    DND = 63
    DIV_ALL = 64
    CALL_BACK = 65
    NETWORK_CONGESTION_REROUTING = 66
    BARGE = 67
    FAILED_TO_SETUP_BARGE = 68
    ANOTHER_BARGE_EXISTS = 69
    INCOMPATIBLE_DEVICE_TYPE = 70
    NO_PARK_NUMBER_AVAILABLE = 71
    CALL_PARK_REVERSION = 72
    SERVICE_IS_NOT_ACTIVE = 73
    HIGH_TRAFFIC_TRY_AGAIN_LATER = 74
    QRT = 75
    MCID = 76
    DIR_TRFR = 77
    SELECT = 78
    CONF_LIST = 79
    I_DIVERT = 80
    C_BARGE = 81
    CAN_NOT_COMPLETE_TRANSFER = 82
    CAN_NOT_JOIN_CALLS = 83
    MCID_SUCCESSFUL = 84
    NUMBER_NOT_CONFIGURED = 85
    SECURITY_ERROR = 86
    VIDEO_BANDWIDTH_UNAVAILABLE = 87
    VIDEO_MODE = 88
    DIAL = 201
    RECORD = 202


class SoftKeyTemplateIndex(IntEnum):
    """A key's place in the soft key template, from 1, in SoftKeySetResMessage."""

    REDIAL = 1
    NEW_CALL = 2
    HOLD = 3
    TRANSFER = 4
    CFWD_ALL = 5
    CFWD_BUSY = 6
    CFWD_NO_ANSWER = 7
    BACK_SPACE = 8
    END_CALL = 9
    RESUME = 10
    ANSWER = 11
    INFO = 12
    CONFRN = 13
    PARK = 14
    JOIN = 15
    MEET_ME = 16
    PICK_UP = 17
    GRP_PICKUP = 18
    MONITOR = 19
    CALL_BACK = 20
    BARGE = 21
    DND = 22
    CONF_LIST = 23
    SELECT = 24
    PRIVATE = 25
    TRNSFVM = 26
    DIR_TRFR = 27
    I_DIVERT = 28
    VIDEO_MODE = 29
    INTRCPT = 30
    EMPTY = 31
    DIAL = 32
    C_BARGE = 33


class SoftKeyInfoIndex(IntEnum):
    """A key's place in the soft key template, from 301, in SoftKeySetResMessage."""

    REDIAL = 301
    NEW_CALL = 302
    HOLD = 303
    TRANSFER = 304
    CFWD_ALL = 305
    CFWD_BUSY = 306
    CFWD_NO_ANSWER = 307
    BACK_SPACE = 308
    END_CALL = 309
    RESUME = 310
    ANSWER = 311
    INFO = 312
    CONFRN = 313
    PARK = 314
    JOIN = 315
    MEET_ME = 316
    PICK_UP = 317
    GRP_PICKUP = 318
    MONITOR = 319
    CALL_BACK = 320
    BARGE = 321
    DND = 322
    CONF_LIST = 323
    SELECT = 324
    PRIVATE = 325
    TRNSFVM = 326
    DIR_TRFR = 327
    I_DIVERT = 328
    VIDEO_MODE = 329
    INTRCPT = 330
    EMPTY = 331
    DIAL = 332
    C_BARGE = 333
