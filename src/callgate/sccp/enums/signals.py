"""What a phone signals: tones, rings, lamps, speaker and headset.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum


class DeviceTone(IntEnum):
    """The tone to play, in StartToneMessage, StopToneMessage, announcements and DTMF messages."""

    SILENCE = 0
    DTMF1 = 1
    DTMF2 = 2
    DTMF3 = 3
    DTMF4 = 4
    DTMF5 = 5
    DTMF6 = 6
    DTMF7 = 7
    DTMF8 = 8
    DTMF9 = 9
    DTMF0 = 10
    DTMF_STAR = 14
    DTMF_POUND = 15
    DTMF_A = 16
    DTMF_B = 17
    DTMF_C = 18
    DTMF_D = 19
    INSIDE_DIAL_TONE = 33
    OUTSIDE_DIAL_TONE = 34
    LINE_BUSY_TONE = 35
    ALERTING_TONE = 36
    REORDER_TONE = 37
    RECORDER_WARNING_TONE = 38
    RECORDER_DETECTED_TONE = 39
    REVERTING_TONE = 40
    RECEIVER_OFF_HOOK_TONE = 41
    MESSAGE_WAITING_INDICATOR_TONE = 42
    NO_SUCH_NUMBER_TONE = 43
    BUSY_VERIFICATION_TONE = 44
    CALL_WAITING_TONE = 45
    CONFIRMATION_TONE = 46
    CAMP_ON_INDICATION_TONE = 47
    RECALL_DIAL_TONE = 48
    ZIP_ZIP = 49
    ZIP = 50
    BEEP_BONK = 51
    MUSIC_TONE = 52
    HOLD_TONE = 53
    TEST_TONE = 54
    DT_MONITOR_WARNING_TONE = 55
    MONITOR_WARNING_TONE = 56
    SECURE_WARNING_TONE = 57
    ADD_CALL_WAITING = 64
    PRIORITY_CALL_WAIT = 65
    RECALL_DIAL = 66
    BARGE_IN = 67
    DISTINCT_ALERT = 68
    PRIORITY_ALERT = 69
    REMINDER_RING = 70
    PRECEDENCE_RING_BACK = 71
    PREEMPTION_TONE = 72
    NON_SECURE_WARNING_TONE = 73
    MF1 = 80
    MF2 = 81
    MF3 = 82
    MF4 = 83
    MF5 = 84
    MF6 = 85
    MF7 = 86
    MF8 = 87
    MF9 = 88
    MF0 = 89
    MFKP1 = 90
    MFST = 91
    MFKP2 = 92
    MFSTP = 93
    MFST3P = 94
    MILLIWATT = 95
    MILLIWATT_TEST = 96
    HIGH_TONE = 97
    FLASH_OVERRIDE = 98
    FLASH = 99
    PRIORITY = 100
    IMMEDIATE = 101
    PREAMP_WARN = 102
    TONE2105HZ = 103
    TONE2600HZ = 104
    TONE440HZ = 105
    TONE300HZ = 106
    MOBILITY_WP = 107
    MOBILITY_UAC = 108
    MOBILITY_WTDN = 109
    MOBILITY_MON = 110
    MOBILITY_MOFF = 111
    MOBILITY_UKC = 112
    MOBILITY_VMA = 113
    MOBILITY_FAC = 114
    MOBILITY_CMC = 115
    MLPP_PALA = 119
    MLPP_ICA = 120
    MLPP_VCA = 121
    MLPP_BPA = 122
    MLPP_BNEA = 123
    MLPP_UPA = 124
    TUA = 125
    GONE = 126
    NO_TONE = 127
    MEET_ME_GREETING = 128
    MEET_ME_NUMBER_INVALID = 129
    MEET_ME_NUMBER_FAILED = 130
    MEET_ME_ENTER_PIN = 131
    MEET_ME_INVALID_PIN = 132
    MEET_ME_FAILED_PIN = 133
    MEET_ME_CFB_FAILED = 134
    MEET_ME_ENTER_ACCESS_CODE = 135
    MEET_ME_ACCESS_CODE_INVALID = 136
    MEET_ME_ACCESS_CODE_FAILED = 137
    MAX = 138
    """Not a tone: Wireshark's end of the list."""


class ToneOutputDirection(IntEnum):
    """Who hears a tone, in StartToneMessage."""

    USER = 0
    NETWORK = 1
    ALL = 2


class RingMode(IntEnum):
    """How the phone rings, in SetRingerMessage."""

    RING_OFF = 1
    INSIDE_RING = 2
    OUTSIDE_RING = 3
    FEATURE_RING = 4
    FLASH_ONLY = 5
    """Silent, in chan-sccp."""
    PRECEDENCE_RING = 6
    """Urgent, in chan-sccp."""
    BELLCORE_1 = 7
    BELLCORE_2 = 8
    BELLCORE_3 = 9
    BELLCORE_4 = 10
    BELLCORE_5 = 11


class RingDuration(IntEnum):
    """How long the phone rings, in SetRingerMessage."""

    NORMAL_RING = 1
    SINGLE_RING = 2


class LampMode(IntEnum):
    """What a lamp does, in SetLampMessage."""

    OFF = 1
    ON = 2
    WINK = 3
    FLASH = 4
    BLINK = 5


class SpeakerMode(IntEnum):
    """Whether the loudspeaker is on, in SetSpeakerModeMessage."""

    ON = 1
    OFF = 2


class MicrophoneMode(IntEnum):
    """Whether the microphone is on, in SetMicroModeMessage."""

    ON = 1
    OFF = 2


class HeadsetMode(IntEnum):
    """Whether the headset is on, in HeadsetStatusMessage."""

    ON = 1
    OFF = 2


class MediaPathID(IntEnum):
    """What the user hears with, in MediaPathEventMessage and MediaPathCapabilityMessage."""

    HEADSET = 1
    HANDSET = 2
    SPEAKER = 3


class MediaPathEvent(IntEnum):
    """Whether it went on or off, in MediaPathEventMessage; chan-sccp has on for off hook, off for on hook."""

    ON = 1
    OFF = 2


class MediaPathCapabilities(IntEnum):
    """What can be done with it, in MediaPathCapabilityMessage."""

    ENABLE = 1
    DISABLE = 2
    MONITOR = 3
