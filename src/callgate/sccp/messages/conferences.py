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
    """TODO."""

    conference_id: U32 = None
    resource_type: Enum32[ResourceType] = None
    number_of_reserved_participants: U32 = None
    number_of_active_participants: U32 = None
    application_id: U32 = None
    app_conf_id: Annotated[Text32, Named("appConfID")] = None
    app_data: Text24 = None


@message(0x0032, lengths=(8, 8), sender=Sender.NODE)
class ClearConferenceMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    service_num: U32 = None


@message(0x0035, lengths=(12, 2012), sender=Sender.NODE, answers=0x0137)
class CreateConferenceResMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    result: Enum32[CreateConfResult] = None
    data_length: U32 = None
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x0036, lengths=(8, 8), sender=Sender.NODE, answers=0x0138)
class DeleteConferenceResMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    delete_conf_result: Annotated[Enum32[DeleteConfResult], Named("delete_conf_result")] = None


@message(0x0037, lengths=(12, 2012), sender=Sender.NODE, answers=0x0139)
class ModifyConferenceResMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    modify_conf_result: Annotated[Enum32[ModifyConfResult], Named("modify_conf_result")] = None
    data_length: U32 = None
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x0038, lengths=(12, 272), sender=Sender.NODE, answers=0x013A)
class AddParticipantResMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None
    add_participant_result: Annotated[Enum32[AddParticipantResult], Named("add_participant_result")] = None
    bridge_participant_id: Annotated[bytes | None, LastText(257)] = None


@message(0x0039, lengths=(8, 2440), sender=Sender.NODE, answers=0x013C)
class AuditConferenceResMessage(Message, frozen=True):
    """TODO. Not captured."""

    last: U32 = None
    number_of_entries: U32 = None
    conference_entry: Annotated[tuple[AuditConferenceEntry, ...] | None, Array(32, "number_of_entries", last=True)] = (
        None
    )


@message(0x0040, lengths=(16, 1040), sender=Sender.NODE, answers=0x013D)
class AuditParticipantResMessage(Message, frozen=True):
    """TODO. Not captured."""

    audit_participant_result: Annotated[Enum32[AuditParticipantResult], Named("audit_participant_result")] = None
    last: U32 = None
    conference_id: U32 = None
    number_of_entries: U32 = None
    participant_entry: Annotated[tuple[int, ...] | None, Array(256, "number_of_entries", of=Integer(4), last=True)] = (
        None
    )


@message(0x0137, lengths=(76, 2076), sender=Sender.NODE)
class CreateConferenceReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    number_of_reserved_participants: U32 = None
    resource_type: Enum32[ResourceType] = None
    application_id: U32 = None
    app_conf_id: Annotated[Text32, Named("appConfID")] = None
    app_data: Text24 = None
    data_length: U32 = None
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x0138, lengths=(4, 4), sender=Sender.NODE)
class DeleteConferenceReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None


@message(0x0139, lengths=(72, 2072), sender=Sender.NODE)
class ModifyConferenceReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    number_of_reserved_participants: U32 = None
    application_id: U32 = None
    app_conf_id: Annotated[Text32, Named("appConfID")] = None
    app_data: Text24 = None
    data_length: U32 = None
    pass_thru_data: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x013A, lengths=(108, 108), sender=Sender.NODE)
class AddParticipantReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None
    participant_name: Text40 = None
    participant_number: Text24 = None
    conference_name: Text32 = None


@message(0x013B, lengths=(8, 8), sender=Sender.NODE)
class DropParticipantReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None


@message(0x013C, lengths=(0, 0), sender=Sender.NODE)
class AuditConferenceReqMessage(Message, frozen=True):
    """TODO. Not captured."""


@message(0x013D, lengths=(4, 4), sender=Sender.NODE)
class AuditParticipantReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None


@message(0x013E, lengths=(108, 108), sender=Sender.NODE)
class ChangeParticipantReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    call_reference: U32 = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None
    participant_name: Text40 = None
    participant_number: Text24 = None
    conference_name: Text32 = None
