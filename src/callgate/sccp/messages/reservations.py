"""Bandwidth reservation (RSVP), DSCP, and session transmissions."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.conferences import QoSErrorCode, ResvStyle, RSVPDirection, RSVPErrorCode, SessionType
from callgate.sccp.enums.media import MediaPayloadType
from callgate.sccp.fields import I32, U32, Address, Enum32, Named, Text16, Text32
from callgate.sccp.message import Message, Sender, Structure, message


class RSVPApplicationID(Structure, frozen=True):
    """The application that a reservation is made for."""

    vendor_id: Annotated[Text32, Named("vendorID")] = None
    version: Text16 = None
    app_name: Text32 = None
    sub_app_id: Annotated[Text32, Named("subAppID")] = None


@message(0x0046, lengths=(24, 40), sender=Sender.NODE)
class QoSResvNotifyMessage(Message, frozen=True):
    """The agent tells the call manager that a reservation stands.

    Not captured; after Wireshark 4.0. sccp-rs has four bytes for the address at every version; the length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    direction: Enum32[RSVPDirection] = None


@message(0x0047, lengths=(44, 60), sender=Sender.NODE)
class QoSErrorNotifyMessage(Message, frozen=True):
    """The agent tells the call manager that a reservation has failed.

    Not captured; after Wireshark 4.0. sccp-rs has four bytes for the address at every version; the length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    direction: Enum32[RSVPDirection] = None
    error_code: Enum32[QoSErrorCode] = None
    failure_node_ip_addr: U32 = None
    """IPv4 address of the node that failed; its first byte is the number's lowest."""
    rsvp_error_code: Enum32[RSVPErrorCode] = None
    rsvp_error_sub_code_val: U32 = None
    rsvp_error_flag: U32 = None


@message(0x014D, lengths=(172, 188), sender=Sender.NODE)
class QoSListenMessage(Message, frozen=True):
    """The call manager tells the agent to wait for a path and reserve bandwidth for what comes in.

    Not captured; after Wireshark 4.0. sccp-rs has four bytes for the address at every version; the length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    resv_style: Enum32[ResvStyle] = None
    max_retry_number: I32 = None
    """Signed."""
    retry_timer: U32 = None
    confirm_required: U32 = None
    preemption_priority: U32 = None
    defending_priority: U32 = None
    compression_type: Enum32[MediaPayloadType] = None
    average_bit_rate: U32 = None
    burst_size: U32 = None
    peak_rate: U32 = None
    application_id: Annotated[RSVPApplicationID | None, Named("applicationID")] = None


@message(0x014E, lengths=(168, 184), sender=Sender.NODE)
class QoSPathMessage(Message, frozen=True):
    """The call manager tells the agent to announce a path for what it sends.

    Not captured; after Wireshark 4.0. sccp-rs has four bytes for the address at every version; the length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    resv_style: Enum32[ResvStyle] = None
    max_retry_number: I32 = None
    """Signed."""
    retry_timer: U32 = None
    preemption_priority: U32 = None
    defending_priority: U32 = None
    compression_type: Enum32[MediaPayloadType] = None
    average_bit_rate: U32 = None
    burst_size: U32 = None
    peak_rate: U32 = None
    application_id: Annotated[RSVPApplicationID | None, Named("applicationID")] = None


@message(0x014F, lengths=(24, 40), sender=Sender.NODE)
class QoSTeardownMessage(Message, frozen=True):
    """The call manager tells the agent to give a reservation up.

    Not captured; after Wireshark 4.0. sccp-rs has four bytes for the address at every version; the length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    direction: Enum32[RSVPDirection] = None


@message(0x0150, lengths=(24, 40), sender=Sender.NODE)
class UpdateDSCPMessage(Message, frozen=True):
    """The call manager tells the agent to mark a stream's packets with another DSCP.

    Not captured; after Wireshark 4.0. sccp-rs has four bytes for the address at every version; the length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    dscp_value: Annotated[U32, Named("DSCPValue")] = None


@message(0x0151, lengths=(152, 168), sender=Sender.NODE)
class QoSModifyMessage(Message, frozen=True):
    """The call manager tells the agent to change what a reservation reserves.

    Not captured; after Wireshark 4.0. sccp-rs has four bytes for the address at every version; the length decides.
    """

    conference_id: U32 = None
    call_reference: U32 = None
    pass_through_party_id: U32 = None
    remote_ip_addr: Address = None
    remote_port_number: U32 = None
    direction: Enum32[RSVPDirection] = None
    compression_type: Enum32[MediaPayloadType] = None
    average_bit_rate: U32 = None
    burst_size: U32 = None
    peak_rate: U32 = None
    application_id: Annotated[RSVPApplicationID | None, Named("applicationID")] = None


@message(0x0095, lengths=(8, 24), sender=Sender.NODE)
class StartSessionTransmissionMessage(Message, frozen=True):
    """The call manager has a data session (chat, whiteboard, file transfer) begin.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    remote_ip_addr: Address = None
    session_type: Enum32[SessionType] = None


@message(0x0096, lengths=(8, 24), sender=Sender.NODE)
class StopSessionTransmissionMessage(Message, frozen=True):
    """The call manager has a data session end.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    remote_ip_addr: Address = None
    session_type: Enum32[SessionType] = None
