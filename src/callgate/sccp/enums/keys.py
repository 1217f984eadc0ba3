"""Keys and buttons of a phone.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class KeyPadButton(IntEnum):
    """The key that was pressed, in KeypadButtonMessage."""

    ZERO = 0
    ONE = 1
    TWO = 2
    THREE = 3
    FOUR = 4
    FIVE = 5
    SIX = 6
    SEVEN = 7
    EIGHT = 8
    NINE = 9
    A = 10
    B = 11
    C = 12
    D = 13
    STAR = 14
    POUND = 15
    PLUS = 16


class DeviceStimulus(IntEnum):
    """A button: pressed, in StimulusMessage, or one whose lamp is set, in SetLampMessage.

    Numbered like ButtonType, but 19 is privacy here (in chan-sccp a feature, as there).
    """

    UNUSED = 0
    LAST_NUMBER_REDIAL = 1
    SPEED_DIAL = 2
    HOLD = 3
    TRANSFER = 4
    FORWARD_ALL = 5
    FORWARD_BUSY = 6
    FORWARD_NO_ANSWER = 7
    DISPLAY = 8
    LINE = 9
    T120_CHAT = 10
    T120_WHITEBOARD = 11
    T120_APPLICATION_SHARING = 12
    T120_FILE_TRANSFER = 13
    VIDEO = 14
    VOICE_MAIL = 15
    ANSWER_RELEASE = 16
    AUTO_ANSWER = 17
    SELECT = 18
    PRIVACY = 19
    SERVICE_URL = 20
    BLF_SPEED_DIAL = 21
    D_PARK = 22
    INTERCOM = 23
    MALICIOUS_CALL = 27
    GENERIC_APP_B1 = 33
    GENERIC_APP_B2 = 34
    GENERIC_APP_B3 = 35
    GENERIC_APP_B4 = 36
    GENERIC_APP_B5 = 37
    MULTIBLINK_FEATURE = 38
    MEET_ME_CONFERENCE = 123
    CONFERENCE = 125
    CALL_PARK = 126
    CALL_PICK_UP = 127
    GROUP_CALL_PICK_UP = 128
    MOBILITY = 129
    DO_NOT_DISTURB = 130
    CONF_LIST = 131
    REMOVE_LAST_PARTICIPANT = 132
    QRT = 133
    CALL_BACK = 134
    OTHER_PICKUP = 135
    VIDEO_MODE = 136
    NEW_CALL = 137
    END_CALL = 138
    H_LOG = 139
    QUEUING = 143
    PARKING_LOT = 192
    TEST_F = 193
    MESSAGES = 194
    DIRECTORY = 195
    TEST_I = 196
    APPLICATION = 197
    HEADSET = 198
    KEYPAD = 240
    AEC = 253
    MAX_STIMULUS_VALUE = 255
    """Not a button: Wireshark's end of the list; undefined in chan-sccp."""


class ButtonType(IntEnum):
    """What a button of the phone is for, in ButtonTemplateResMessage and the messages of features."""

    UNUSED = 0
    LAST_NUMBER_REDIAL = 1
    SPEED_DIAL = 2
    HOLD = 3
    TRANSFER = 4
    FORWARD_ALL = 5
    FORWARD_BUSY = 6
    FORWARD_NO_ANSWER = 7
    DISPLAY = 8
    LINE = 9
    T120_CHAT = 10
    T120_WHITEBOARD = 11
    T120_APPLICATION_SHARING = 12
    T120_FILE_TRANSFER = 13
    VIDEO = 14
    VOICEMAIL = 15
    ANSWER_RELEASE = 16
    AUTO_ANSWER = 17
    SELECT = 18
    FEATURE = 19
    SERVICE_URL = 20
    BUSY_LAMP_FIELD_SPEEDDIAL = 21
    MALICIOUS_CALL = 27
    GENERIC_APP_B1 = 33
    GENERIC_APP_B2 = 34
    GENERIC_APP_B3 = 35
    GENERIC_APP_B4 = 36
    GENERIC_APP_B5 = 37
    MONITOR_MULTIBLINK = 38
    MEET_ME_CONFERENCE = 123
    CONFERENCE = 125
    CALL_PARK = 126
    CALL_PICKUP = 127
    GROUP_CALL_PICKUP = 128
    MOBILITY = 129
    DO_NOT_DISTURB = 130
    CONF_LIST = 131
    REMOVE_LAST_PARTICIPANT = 132
    QRT = 133
    CALL_BACK = 134
    OTHER_PICKUP = 135
    VIDEO_MODE = 136
    NEW_CALL = 137
    END_CALL = 138
    H_LOG = 139
    QUEUING = 143
    TEST_E = 192
    TEST_F = 193
    MESSAGES = 194
    DIRECTORY = 195
    TEST_I = 196
    APPLICATION = 197
    HEADSET = 198
    KEYPAD = 240
    AEC = 253
    UNDEFINED = 255
    """What chan-sccp fills unused entries with."""


class LineTypeBits(IntFlag):
    """Which parties a line shows, as bits, in LineStatV2ResMessage."""

    ORIG_DIALED = 0x1
    REDIR_DIALED = 0x2
    CALLING_PARTY_NUMBER = 0x4
    CALLING_PARTY_NAME = 0x8


class SoftKeyMask(IntFlag):
    """Which keys of a soft key set are shown, as bits, in SelectSoftKeysMessage."""

    SOFT_KEY1 = 0x1
    SOFT_KEY2 = 0x2
    SOFT_KEY3 = 0x4
    SOFT_KEY4 = 0x8
    SOFT_KEY5 = 0x10
    SOFT_KEY6 = 0x20
    SOFT_KEY7 = 0x40
    SOFT_KEY8 = 0x80
    SOFT_KEY9 = 0x100
    SOFT_KEY10 = 0x200
    SOFT_KEY11 = 0x400
    SOFT_KEY12 = 0x800
    SOFT_KEY13 = 0x1000
    SOFT_KEY14 = 0x2000
    SOFT_KEY15 = 0x4000
    SOFT_KEY16 = 0x8000


class SoftKeySet(IntEnum):
    """The state of the phone that a soft key set belongs to, in SelectSoftKeysMessage.

    chan-sccp 4.3 has 12 for a conference on hold.
    """

    ON_HOOK = 0
    CONNECTED = 1
    ON_HOLD = 2
    RINGIN = 3
    OFF_HOOK = 4
    CONN_TRANS = 5
    DIGITS_FOLL = 6
    CONN_CONF = 7
    RING_OUT = 8
    OFF_HOOK_FEAT = 9
    IN_USE_HINT = 10
    ON_HOOK_STEALABLE = 11
