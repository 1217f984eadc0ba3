"""Conferences, announcements, reservations (RSVP) and the data of applications.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum


class ResourceType(IntEnum):
    """ResourceType."""

    CONFERENCE = 0
    IVR = 1


class CreateConfResult(IntEnum):
    """CreateConfResult."""

    OK = 0
    RESOURCE_NOT_AVAILABLE = 1
    CONFERENCE_ALREADY_EXIST = 2
    SYSTEM_ERR = 3


class DeleteConfResult(IntEnum):
    """DeleteConfResult."""

    OK = 0
    CONFERENCE_NOT_EXIST = 1
    SYSTEM_ERR = 2


class ModifyConfResult(IntEnum):
    """ModifyConfResult."""

    OK = 0
    RESOURCE_NOT_AVAILABLE = 1
    CONFERENCE_NOT_EXIST = 2
    INVALID_PARAMETER = 3
    MORE_ACTIVE_CALLS_THAN_RESERVED = 4
    INVALID_RESOURCE_TYPE = 5
    SYSTEM_ERR = 6


class AddParticipantResult(IntEnum):
    """AddParticipantResult."""

    OK = 0
    RESOURCE_NOT_AVAILABLE = 1
    CONFERENCE_NOT_EXIST = 2
    DUPLICATE_CALL_REF = 3
    SYSTEM_ERR = 4


class AuditParticipantResult(IntEnum):
    """AuditParticipantResult."""

    OK = 0
    CONFERENCE_NOT_EXIST = 1


class SessionType(IntEnum):
    """SessionType."""

    CHAT = 1
    WHITEBOARD = 2
    APPLICATION_SHARING = 4
    FILE_TRANSFER = 8
    VIDEO = 16


class SequenceFlag(IntEnum):
    """SequenceFlag."""

    FIRST = 0
    MORE = 1
    LAST = 2


class EndOfAnnAck(IntEnum):
    """EndOfAnnAck."""

    NO_ANN_ACK_REQUIRED = 0
    ANN_ACK_REQUIRED = 1


class AnnPlayMode(IntEnum):
    """AnnPlayMode."""

    XML_CONFIG_MODE = 0
    ONE_SHOT_MODE = 1
    CONTINUOUS_MODE = 2


class PlayAnnStatus(IntEnum):
    """PlayAnnStatus."""

    OK = 0
    ERR = 1


class RSVPDirection(IntEnum):
    """RSVPDirection."""

    SEND = 1
    RECV = 2
    SENDRECV = 3


class RSVPErrorCode(IntEnum):
    """RSVPErrorCode."""

    CONFIRM = 0
    ADMISSION = 1
    ADMINISTRATIVE = 2
    NO_PATH_INFORMATION = 3
    NO_SENDER_INFORMATION = 4
    CONFLICTING_STYLE = 5
    UNKNOWN_STYLE = 6
    CONFLICTING_DST_PORTS = 7
    CONFLICTING_SRC_PORTS = 8
    SERVICE_PREEMPTED = 12
    UNKNOWN_OBJECT_CLASS = 13
    UNKNOWN_CLASS_TYPE = 14
    API = 20
    TRAFFIC = 21
    TRAFFIC_SYSTEM = 22
    SYSTEM = 23
    ROUTING_PROBLEM = 24


class QoSErrorCode(IntEnum):
    """QoSErrorCode."""

    RESERVATION_TIMEOUT = 0
    PATH_FAIL = 1
    RESV_FAIL = 2
    LISTEN_FAIL = 3
    RESOURCE_UNAVAILABLE = 4
    LISTEN_TIMEOUT = 5
    RESV_RETRIES_FAIL = 6
    PATH_RETRIES_FAIL = 7
    RESV_PREEMPTION = 8
    PATH_PREEMPTION = 9
    RESV_MODIFY_FAIL = 10
    PATH_MODIFY_FAIL = 11
    RESV_TEAR = 12


class ResvStyle(IntEnum):
    """ResvStyle."""

    FF = 1
    SE = 2
    WF = 3
