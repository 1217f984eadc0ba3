"""Call states, parties, dialled numbers, statistics."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.calls import (
    CallHistoryDisposition,
    CallPrivacy,
    CallSecurityStatusType,
    CallType,
    DCallState,
    RecordingStatus,
    RestrictInformationType,
    StatsProcessingType,
)
from callgate.sccp.fields import (
    PARTIES,
    STATISTICS,
    U32,
    Blob,
    ByForm,
    CString,
    DirectoryNumber,
    Enum32,
    Flags32,
    Integer,
    Named,
    Since,
    Text,
    Text24,
    Text40,
)
from callgate.sccp.message import Message, Sender, Structure, message


class Precedence(Structure, frozen=True):
    """TODO."""

    precedence_level: U32 = None
    precedence_domain: U32 = None


@message(0x0111, lengths=(12, 24), sender=Sender.SERVER)
class CallStateMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 24 at header 0, 18, 20.
    """

    call_state: Enum32[DCallState] = None
    line_instance: U32 = None
    call_reference: U32 = None
    privacy: Enum32[CallPrivacy] = None
    precedence: Precedence | None = None


@message(0x008F, lengths=(128, 384), sender=Sender.SERVER)
class CallInfoMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 128 at header 0; 384 at header 0.
    """

    calling_party_name: Text40 = None
    calling_party: Text24 = None
    called_party_name: Text40 = None
    called_party: Text24 = None
    line_instance: U32 = None
    call_reference: U32 = None
    call_type: Enum32[CallType] = None
    original_called_party_name: Text40 = None
    original_called_party: Text24 = None
    last_redirecting_party_name: Text40 = None
    last_redirecting_party: Text24 = None
    original_cdpn_redirect_reason: U32 = None
    last_redirecting_reason: U32 = None
    cgpn_voice_mailbox: Text24 = None
    cdpn_voice_mailbox: Text24 = None
    original_cdpn_voice_mailbox: Text24 = None
    last_redirecting_voice_mailbox: Text24 = None
    call_instance: U32 = None
    call_security_status: Enum32[CallSecurityStatusType] = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None


@message(0x014A, lengths=(32, 888), sender=Sender.SERVER)
class CallInfoV2Message(Message, frozen=True):
    """TODO.

    Captured bodies: 108 at header 17; 128 at header 18; 120 at header 20.
    """

    line_instance: U32 = None
    call_reference: U32 = None
    call_type: Enum32[CallType] = None
    original_cdpn_redirect_reason: U32 = None
    last_redirecting_reason: U32 = None
    call_instance: U32 = None
    call_security_status: Enum32[CallSecurityStatusType] = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None
    calling_party: Annotated[bytes | None, CString(25)] = None
    alternate_calling_party: Annotated[
        bytes | None, ByForm(PARTIES, {12: None, 13: CString(25)}), Named("AlternateCallingParty")
    ] = None
    called_party: Annotated[bytes | None, CString(25)] = None
    original_called_party: Annotated[bytes | None, CString(25)] = None
    last_redirecting_party: Annotated[bytes | None, CString(25)] = None
    cgpn_voice_mailbox: Annotated[bytes | None, CString(25)] = None
    cdpn_voice_mailbox: Annotated[bytes | None, CString(25)] = None
    original_cdpn_voice_mailbox: Annotated[bytes | None, CString(25)] = None
    last_redirecting_voice_mailbox: Annotated[bytes | None, CString(25)] = None
    calling_party_name: Annotated[bytes | None, CString(121)] = None
    called_party_name: Annotated[bytes | None, CString(121)] = None
    original_called_party_name: Annotated[bytes | None, CString(121)] = None
    last_redirecting_party_name: Annotated[bytes | None, CString(121)] = None
    hunt_pilot_number: Annotated[bytes | None, CString(25), Named("HuntPilotNumber"), Since(17)] = None
    hunt_pilot_name: Annotated[bytes | None, CString(121), Named("HuntPilotName"), Since(17)] = None


@message(0x011D, lengths=(32, 40), sender=Sender.SERVER, spare=4)
class DialedNumberMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 32 at header 18; 36 at header 20.
    """

    dialed_number: DirectoryNumber = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0130, lengths=(12, 12), sender=Sender.SERVER)
class CallSelectStatResMessage(Message, frozen=True):
    """TODO. Not captured."""

    call_select_stat: U32 = None
    call_reference: U32 = None
    line_instance: U32 = None


@message(0x0156, lengths=(12, 12), sender=Sender.SERVER)
class CallHistoryInfoMessage(Message, frozen=True):
    """TODO. Not captured."""

    call_history_disposition: Enum32[CallHistoryDisposition] = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0160, lengths=(8, 8), sender=Sender.SERVER)
class RecordingStatusMessage(Message, frozen=True):
    """TODO. Not captured."""

    call_reference: U32 = None
    recording_status: Annotated[Enum32[RecordingStatus], Named("recording_status")] = None


@message(0x0107, lengths=(32, 36), sender=Sender.SERVER)
class ConnectionStatisticsReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    directory_num: DirectoryNumber = None
    call_reference: U32 = None
    stats_processing_mode: Enum32[StatsProcessingType] = None


@message(0x0023, lengths=(60, 668), sender=Sender.PHONE, answers=0x0107)
class ConnectionStatisticsResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 664 at header 0; 176 at header 17, 18, 22; 668 at header 20.
    """

    directory_num: Annotated[bytes | None, ByForm(STATISTICS, {1: Text(24), 2: Text(28), 3: Text(28)})] = None
    call_reference: U32 = None
    stats_processing_mode: Annotated[
        StatsProcessingType | int | None, ByForm(STATISTICS, {1: Integer(4), 2: Integer(4), 3: Integer(1)})
    ] = None
    number_packets_sent: U32 = None
    number_octets_sent: U32 = None
    number_packets_received: U32 = None
    number_octets_received: U32 = None
    number_packets_lost: U32 = None
    jitter: U32 = None
    latency: U32 = None
    data_size: U32 = None
    data: Annotated[bytes | None, Blob("data_size", 600)] = None
