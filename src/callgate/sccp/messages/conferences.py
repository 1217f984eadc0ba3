"""Conferences between call manager and bridge."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.calls import RestrictInformationType
from callgate.sccp.enums.conferences import (
    AddParticipantResult,
    AuditParticipantResult,
    CreateConfResult,
    DeleteConfResult,
    ModifyConfResult,
    ResourceType,
)
from callgate.sccp.fields import U32, Array, Blob, Enum32, Flags32, Integer, LastText, Named, Text24, Text32, Text40
from callgate.sccp.message import Message, Sender, Structure, message


class AuditConferenceEntry(Structure, frozen=True):
    """One conference on a bridge."""

    conference_id: U32 = None
    resource_type: Enum32[ResourceType] = None
    number_of_reserved_participants: U32 = None
    number_of_active_participants: U32 = None
    application_id: U32 = None
    app_conf_id: Annotated[Text32, Named("appConfID")] = None
    app_data: Text24 = None


@message(0x0032, lengths=(8, 8), sender=Sender.NODE)
class ClearConferenceMessage(Message, frozen=True):
    """A conference service is to be cleared, or has been.

    Not captured. Wireshark 4.0 has it sent by the device, chan-sccp 4.3 by the server, sccp-rs by the node.
    """

    conference_id: U32 = None
    service_num: U32 = None


@message(0x0035, lengths=(12, 2012), sender=Sender.NODE, answers=0x0137)
class CreateConferenceResMessage(Message, frozen=True):
    """The bridge says whether it has created the conference, in answer to CreateConferenceReqMessage.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    result: Enum32[CreateConfResult] = None
    data_length: U32 = None
    """Bytes of pass_thru_data, at most 2000."""
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x0036, lengths=(8, 8), sender=Sender.NODE, answers=0x0138)
class DeleteConferenceResMessage(Message, frozen=True):
    """The bridge says whether it has deleted the conference, in answer to DeleteConferenceReqMessage.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    delete_conf_result: Annotated[Enum32[DeleteConfResult], Named("delete_conf_result")] = None


@message(0x0037, lengths=(12, 2012), sender=Sender.NODE, answers=0x0139)
class ModifyConferenceResMessage(Message, frozen=True):
    """The bridge says whether it has changed the conference, in answer to ModifyConferenceReqMessage.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    modify_conf_result: Annotated[Enum32[ModifyConfResult], Named("modify_conf_result")] = None
    data_length: U32 = None
    """Bytes of pass_thru_data, at most 2000."""
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x0038, lengths=(12, 272), sender=Sender.NODE, answers=0x013A)
class AddParticipantResMessage(Message, frozen=True):
    """The bridge says whether it has added the participant, in answer to AddParticipantReqMessage.

    Not captured. The participant is a string of 257 bytes in Wireshark 4.0, a number in chan-sccp 4.3.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    add_participant_result: Annotated[Enum32[AddParticipantResult], Named("add_participant_result")] = None
    bridge_participant_id: Annotated[bytes | None, LastText(257)] = None


@message(0x0039, lengths=(8, 2440), sender=Sender.NODE, answers=0x013C)
class AuditConferenceResMessage(Message, frozen=True):
    """The bridge lists its conferences, in answer to AuditConferenceReqMessage.

    Not captured; after Wireshark 4.0. With 2440 bytes the largest body that any source defines.
    """

    last: U32 = None
    """Whether it is the last message of the list."""
    number_of_entries: U32 = None
    """How many of the entries are valid."""
    conference_entry: Annotated[tuple[AuditConferenceEntry, ...] | None, Array(32, "number_of_entries", last=True)] = (
        None
    )


@message(0x0040, lengths=(16, 1040), sender=Sender.NODE, answers=0x013D)
class AuditParticipantResMessage(Message, frozen=True):
    """The bridge lists the participants of a conference, in answer to AuditParticipantReqMessage.

    Not captured; after Wireshark 4.0.
    """

    audit_participant_result: Annotated[Enum32[AuditParticipantResult], Named("audit_participant_result")] = None
    last: U32 = None
    """Whether it is the last message of the list."""
    conference_id: U32 = None
    number_of_entries: U32 = None
    """How many of the entries are valid."""
    participant_entry: Annotated[tuple[int, ...] | None, Array(256, "number_of_entries", of=Integer(4), last=True)] = (
        None
    )


@message(0x0137, lengths=(76, 2076), sender=Sender.NODE)
class CreateConferenceReqMessage(Message, frozen=True):
    """The call manager asks a bridge to create a conference.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    number_of_reserved_participants: U32 = None
    resource_type: Enum32[ResourceType] = None
    application_id: U32 = None
    app_conf_id: Annotated[Text32, Named("appConfID")] = None
    app_data: Text24 = None
    data_length: U32 = None
    """Bytes of pass_thru_data, at most 2000."""
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x0138, lengths=(4, 4), sender=Sender.NODE)
class DeleteConferenceReqMessage(Message, frozen=True):
    """The call manager asks the bridge to delete a conference.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None


@message(0x0139, lengths=(72, 2072), sender=Sender.NODE)
class ModifyConferenceReqMessage(Message, frozen=True):
    """The call manager asks the bridge to change how many participants a conference reserves, or its application.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    number_of_reserved_participants: U32 = None
    application_id: U32 = None
    app_conf_id: Annotated[Text32, Named("appConfID")] = None
    app_data: Text24 = None
    data_length: U32 = None
    """Bytes of pass_thru_data, at most 2000."""
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x013A, lengths=(108, 108), sender=Sender.NODE)
class AddParticipantReqMessage(Message, frozen=True):
    """The call manager asks the bridge to add a call to a conference.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None
    """Which names and numbers not to show."""
    participant_name: Text40 = None
    participant_number: Text24 = None
    conference_name: Text32 = None


@message(0x013B, lengths=(8, 8), sender=Sender.NODE)
class DropParticipantReqMessage(Message, frozen=True):
    """The call manager asks the bridge to drop a call from a conference.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    call_reference: U32 = None


@message(0x013C, lengths=(0, 0), sender=Sender.NODE)
class AuditConferenceReqMessage(Message, frozen=True):
    """The call manager asks the bridge to list its conferences.

    Not captured; after Wireshark 4.0.
    """


@message(0x013D, lengths=(4, 4), sender=Sender.NODE)
class AuditParticipantReqMessage(Message, frozen=True):
    """The call manager asks the bridge to list the participants of a conference.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None


@message(0x013E, lengths=(108, 108), sender=Sender.NODE)
class ChangeParticipantReqMessage(Message, frozen=True):
    """The call manager tells the bridge the new name or number of a participant.

    Not captured; after Wireshark 4.0 and sccp-rs.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None
    """Which names and numbers not to show."""
    participant_name: Text40 = None
    participant_number: Text24 = None
    conference_name: Text32 = None
