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
    """Multilevel precedence (MLPP) of a call."""

    precedence_level: U32 = None
    """0 highest to 4 normal, after chan-sccp, which sends 3; chan_skinny sends 0."""
    precedence_domain: U32 = None


@message(0x0111, lengths=(12, 24), sender=Sender.SERVER)
class CallStateMessage(Message, frozen=True):
    """The server tells the phone which state a call is in.

    Captured bodies, bytes: 24. FreeSWITCH's mod_skinny stops after call_reference: 12.
    """

    call_state: Enum32[DCallState] = None
    """4 (ring in) is what the called phone answers with OffHookMessage, which then names line and call."""
    line_instance: U32 = None
    """Button of the line, from 1."""
    call_reference: U32 = None
    privacy: Enum32[CallPrivacy] = None
    precedence: Precedence | None = None


@message(0x008F, lengths=(128, 384), sender=Sender.SERVER)
class CallInfoMessage(Message, frozen=True):
    """The server tells the phone who calls whom: names and numbers, for the display.

    Captured bodies, bytes: 128 (CallManager 2: the first four strings), 384. Servers send CallInfoV2Message instead
    from version 8 (chan-sccp) or 17 (chan_skinny).
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
    """Why the party called first redirected the call."""
    last_redirecting_reason: U32 = None
    """Why the last party that redirected the call did; 4 forward, 5 pickup (chan-sccp)."""
    cgpn_voice_mailbox: Text24 = None
    cdpn_voice_mailbox: Text24 = None
    original_cdpn_voice_mailbox: Text24 = None
    last_redirecting_voice_mailbox: Text24 = None
    call_instance: U32 = None
    """Which of the line's calls it is."""
    call_security_status: Enum32[CallSecurityStatusType] = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None
    """Which names and numbers not to show."""


@message(0x014A, lengths=(32, 888), sender=Sender.SERVER)
class CallInfoV2Message(Message, frozen=True):
    """The server tells the phone who calls whom, as strings that take only their own bytes.

    Captured bodies, bytes: 64 (chan_skinny), 76 (chan-sccp), 108 (header 17), 128 (header 18), 120 (header 20). 13
    strings; two more, of the hunt pilot, from version 17, which chan_skinny leaves out. chan-sccp below 16 has no
    alternate_calling_party: 12. The trailing strings may be missing, and the last one's NUL too.
    """

    line_instance: U32 = None
    call_reference: U32 = None
    call_type: Enum32[CallType] = None
    original_cdpn_redirect_reason: U32 = None
    """Why the party called first redirected the call."""
    last_redirecting_reason: U32 = None
    """Why the last party that redirected the call did; 4 forward, 5 pickup (chan-sccp)."""
    call_instance: U32 = None
    """Which of the line's calls it is; chan_skinny sends 0."""
    call_security_status: Enum32[CallSecurityStatusType] = None
    party_pi_restriction_bits: Annotated[Flags32[RestrictInformationType], Named("partyPIRestrictionBits")] = None
    """Which names and numbers not to show."""
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
    """The server tells the phone the number it has dialled.

    Captured bodies, bytes: 32 (header 18; chan_skinny), 36 (header 20; chan-sccp at 11 and 22). Wireshark 4.0 takes 25
    bytes for the number from version 18; real frames do from 19.
    """

    dialed_number: DirectoryNumber = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0130, lengths=(12, 12), sender=Sender.SERVER)
class CallSelectStatResMessage(Message, frozen=True):
    """The server tells the phone whether a call is selected.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    call_select_stat: U32 = None
    call_reference: U32 = None
    line_instance: U32 = None


@message(0x0156, lengths=(12, 12), sender=Sender.SERVER)
class CallHistoryInfoMessage(Message, frozen=True):
    """The server tells the phone into which list of its call history a call goes.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    call_history_disposition: Enum32[CallHistoryDisposition] = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0160, lengths=(8, 8), sender=Sender.SERVER)
class RecordingStatusMessage(Message, frozen=True):
    """The server tells the phone whether a call is being recorded.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    call_reference: U32 = None
    recording_status: Annotated[Enum32[RecordingStatus], Named("recording_status")] = None


@message(0x0107, lengths=(32, 36), sender=Sender.SERVER)
class ConnectionStatisticsReqMessage(Message, frozen=True):
    """The server asks the phone for the RTP statistics of a call, at its end.

    Captured bodies, bytes, both of chan-sccp: 32 (header 11), 36 (header 22). chan-sccp takes 25 bytes for the number
    from version 19, Wireshark 4.0 takes 28 from 18.
    """

    directory_num: DirectoryNumber = None
    """The other party's number."""
    call_reference: U32 = None
    stats_processing_mode: Enum32[StatsProcessingType] = None


@message(0x0023, lengths=(60, 668), sender=Sender.PHONE, answers=0x0107)
class ConnectionStatisticsResMessage(Message, frozen=True):
    """The phone reports the RTP statistics of a call, in answer to ConnectionStatisticsReqMessage.

    Captured bodies, bytes: 664 (header 0: data in room of 600 bytes, full of junk), 176 (headers 17, 18, 22: data cut
    at its size), 668 (header 20). Three layouts are about (number 24 or 28 bytes, mode u32 or u8), and versions do not
    tell them apart: the one whose data_size fits the body is right.
    """

    directory_num: Annotated[bytes | None, ByForm(STATISTICS, {1: Text(24), 2: Text(28), 3: Text(28)})] = None
    call_reference: U32 = None
    stats_processing_mode: Annotated[
        StatsProcessingType | int | None, ByForm(STATISTICS, {1: Integer(4), 2: Integer(4), 3: Integer(1)})
    ] = None
    """What the phone does with the counters afterwards; a single byte in the newest layout."""
    number_packets_sent: U32 = None
    number_octets_sent: U32 = None
    """Bytes: some phones count RTP headers (172 a packet of G.711), some do not (160)."""
    number_packets_received: U32 = None
    number_octets_received: U32 = None
    """Bytes, counted like those sent."""
    number_packets_lost: U32 = None
    jitter: U32 = None
    latency: U32 = None
    data_size: U32 = None
    """Bytes of `data`, at most 600."""
    data: Annotated[bytes | None, Blob("data_size", 600)] = None
    """The phone's own quality report: text such as `MLQK=0.0000;MLQKav=0.0000;CS=0`."""
