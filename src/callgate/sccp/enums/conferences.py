"""Conferences, announcements, reservations (RSVP) and the data of applications.

Values as Wireshark 4.0 names them; those it lacks are from chan-sccp 4.3.
"""

from __future__ import annotations

from enum import IntEnum


class ResourceType(IntEnum):
    """What a conference is for, in CreateConferenceReqMessage and AuditConferenceResMessage."""

    CONFERENCE = 0
    IVR = 1


class CreateConfResult(IntEnum):
    """How creating a conference went, in CreateConferenceResMessage."""

    OK = 0
    RESOURCE_NOT_AVAILABLE = 1
    CONFERENCE_ALREADY_EXIST = 2
    SYSTEM_ERR = 3


class DeleteConfResult(IntEnum):
    """How deleting a conference went, in DeleteConferenceResMessage."""

    OK = 0
    CONFERENCE_NOT_EXIST = 1
    SYSTEM_ERR = 2


class ModifyConfResult(IntEnum):
    """How changing a conference went, in ModifyConferenceResMessage."""

    OK = 0
    RESOURCE_NOT_AVAILABLE = 1
    CONFERENCE_NOT_EXIST = 2
    INVALID_PARAMETER = 3
    MORE_ACTIVE_CALLS_THAN_RESERVED = 4
    INVALID_RESOURCE_TYPE = 5
    SYSTEM_ERR = 6


class AddParticipantResult(IntEnum):
    """How adding a participant went, in AddParticipantResMessage."""

    OK = 0
    RESOURCE_NOT_AVAILABLE = 1
    CONFERENCE_NOT_EXIST = 2
    DUPLICATE_CALL_REF = 3
    SYSTEM_ERR = 4


class AuditParticipantResult(IntEnum):
    """Whether there is such a conference, in AuditParticipantResMessage."""

    OK = 0
    CONFERENCE_NOT_EXIST = 1


class SessionType(IntEnum):
    """What a data session carries, in StartSessionTransmissionMessage and StopSessionTransmissionMessage."""

    CHAT = 1
    WHITEBOARD = 2
    APPLICATION_SHARING = 4
    FILE_TRANSFER = 8
    VIDEO = 16


class SequenceFlag(IntEnum):
    """Which part of an application's data a message holds, in the messages of version 1 for user data."""

    FIRST = 0
    MORE = 1
    LAST = 2


class EndOfAnnAck(IntEnum):
    """Whether the end of an announcement is to be reported, in StartAnnouncementMessage."""

    NO_ANN_ACK_REQUIRED = 0
    ANN_ACK_REQUIRED = 1


class AnnPlayMode(IntEnum):
    """How often an announcement is played, in StartAnnouncementMessage."""

    XML_CONFIG_MODE = 0
    ONE_SHOT_MODE = 1
    CONTINUOUS_MODE = 2


class PlayAnnStatus(IntEnum):
    """How an announcement went, in AnnouncementFinishMessage."""

    OK = 0
    ERR = 1


class RSVPDirection(IntEnum):
    """Which way a reservation is, in the messages of reservations."""

    SEND = 1
    RECV = 2
    SENDRECV = 3


class RSVPErrorCode(IntEnum):
    """What RSVP itself said of a failure, in QoSErrorNotifyMessage; numbers of RFC 2205, 24 of RFC 3209."""

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
    """Which step of a reservation failed, in QoSErrorNotifyMessage."""

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
    """How senders share a reservation, in QoSListenMessage and QoSPathMessage."""

    FF = 1
    """Fixed filter."""
    SE = 2
    """Shared explicit."""
    WF = 3
    """Wildcard filter."""
