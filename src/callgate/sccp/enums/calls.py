"""Calls: states, parties, security, history, message waiting.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class DCallState(IntEnum):
    """The state of a call, in CallStateMessage.

    chan-sccp 4.3 names 15 hold yellow, 16 one-way intercom, 17 hold red.
    """

    IDLE = 0
    OFF_HOOK = 1
    ON_HOOK = 2
    RING_OUT = 3
    RING_IN = 4
    CONNECTED = 5
    BUSY = 6
    CONGESTION = 7
    HOLD = 8
    CALL_WAITING = 9
    CALL_TRANSFER = 10
    CALL_PARK = 11
    PROCEED = 12
    CALL_REMOTE_MULTILINE = 13
    INVALID_NUMBER = 14
    HOLD_REVERT = 15
    WHISPER = 16
    REMOTE_HOLD = 17
    MAX_STATE = 18
    """Not a state: Wireshark's end of the list."""


class CallPrivacy(IntEnum):
    """How much of a call other phones on the line may see, in CallStateMessage."""

    NONE = 0
    LIMITED = 1
    FULL = 2


class CallType(IntEnum):
    """Whether a call comes in, goes out or is passed on, in CallInfoMessage and CallInfoV2Message."""

    IN_BOUND_CALL = 1
    OUT_BOUND_CALL = 2
    FORWARD_CALL = 3


class CallSecurityStatusType(IntEnum):
    """How far a call is protected, in CallInfoMessage and CallInfoV2Message."""

    UNKNOWN = 0
    NOT_AUTHENTICATED = 1
    AUTHENTICATED = 2
    ENCRYPTED = 3
    MAX = 4
    """Not a status: Wireshark's end of the list."""


class RestrictInformationType(IntFlag):
    """Which names and numbers are not to be shown, as bits, in call information and conference messages."""

    CALLING_PARTY_NAME = 0x1
    CALLING_PARTY_NUMBER = 0x2
    CALLING_PARTY = 0x3
    CALLED_PARTY_NAME = 0x4
    CALLED_PARTY_NUMBER = 0x8
    CALLED_PARTY = 0xC
    ORIGINAL_CALLED_PARTY_NAME = 0x10
    ORIGINAL_CALLED_PARTY_NUMBER = 0x20
    ORIGINAL_CALLED_PARTY = 0x30
    LAST_REDIRECT_PARTY_NAME = 0x40
    LAST_REDIRECT_PARTY_NUMBER = 0x80
    LAST_REDIRECT_PARTY = 0xC0
    BITS_RESERVED = 0xFFFFFF00


class CallHistoryDisposition(IntEnum):
    """Into which list of the call history a call goes, in CallHistoryInfoMessage."""

    IGNORE = 0
    PLACED_CALLS = 1
    RECEIVED_CALLS = 2
    MISSED_CALLS = 3
    UNKNOWN_DISP = 65535


class StatsProcessingType(IntEnum):
    """Whether the phone clears its counters once it has reported them, in ConnectionStatisticsReqMessage."""

    CLEAR_STATS = 0
    DO_NOT_CLEAR_STATS = 1


class RecordingStatus(IntEnum):
    """Whether a call is being recorded, in RecordingStatusMessage."""

    OFF = 0
    ON = 1


class SubscriptionFeatureID(IntEnum):
    """What is subscribed to, in SubscriptionStatReqMessage and its kin: busy lamp fields."""

    BLF = 1


class SubscribeCause(IntEnum):
    """How a subscription went, in SubscriptionStatResMessage."""

    OK = 0
    ROUTE_FAIL = 1
    AUTH_FAIL = 2
    TIMEOUT = 3
    TRUNK_TERM = 4
    TRUNK_FORBIDDEN = 5
    THROTTLE = 6


class MwiNotificationResult(IntEnum):
    """How the number of waiting messages was taken, in MwiResMessage."""

    OK = 0
    GENERAL_ERROR = 1
    REQUEST_REJECTED = 2
    VM_COUNT_OUT_OF_BOUNDS = 3
    FAX_COUNT_OUT_OF_BOUNDS = 4
    INVALID_PRIORITY_VM_COUNT = 5
    INVALID_PRIORITY_FAX_COUNT = 6
