"""Audio over multicast."""

from __future__ import annotations

from callgate.sccp.enums.media import MediaPayloadType, MulticastMediaReceptionStatus
from callgate.sccp.fields import U32, Address, Enum32
from callgate.sccp.message import Message, Sender, message
from callgate.sccp.messages.structures import MediaQualifierIncoming, MediaQualifierOutgoing


@message(0x0101, lengths=(32, 52), sender=Sender.SERVER)
class StartMulticastMediaReceptionMessage(Message, frozen=True):
    """The server tells the phone to receive audio from a multicast group.

    Not captured; after Wireshark 4.0. chan-sccp 4.3 has no call reference (32 or 48 bytes) and the wider address from
    version 16.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    multicast_ip_addr: Address = None
    multicast_port_number: U32 = None
    """RTP port."""
    milli_second_packet_size: U32 = None
    """Milliseconds of audio in one RTP packet."""
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_in: MediaQualifierIncoming | None = None
    call_reference: U32 = None


@message(0x0021, lengths=(8, 12), sender=Sender.PHONE, answers=0x0101)
class MulticastMediaReceptionAckMessage(Message, frozen=True):
    """The phone says whether it receives from the multicast group, in answer to StartMulticastMediaReceptionMessage.

    Not captured; after Wireshark 4.0. chan-sccp 4.3 has no call reference (8 bytes).
    """

    multicast_reception_status: Enum32[MulticastMediaReceptionStatus] = None
    pass_through_party_id: U32 = None
    """As given by the server."""
    call_reference: U32 = None


@message(0x0102, lengths=(40, 60), sender=Sender.SERVER)
class StartMulticastMediaTransmissionMessage(Message, frozen=True):
    """The server tells the phone to send audio to a multicast group.

    Not captured; after Wireshark 4.0. chan-sccp 4.3 has no call reference (40 or 56 bytes) and the wider address from
    version 16.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    multicast_ip_addr: Address = None
    multicast_port_number: U32 = None
    """RTP port."""
    milli_second_packet_size: U32 = None
    """Milliseconds of audio in one RTP packet."""
    compression_type: Enum32[MediaPayloadType] = None
    qualifier_out: MediaQualifierOutgoing | None = None
    call_reference: U32 = None


@message(0x0103, lengths=(12, 12), sender=Sender.SERVER)
class StopMulticastMediaReceptionMessage(Message, frozen=True):
    """The server tells the phone to receive no more from the multicast group.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None


@message(0x0104, lengths=(12, 12), sender=Sender.SERVER)
class StopMulticastMediaTransmissionMessage(Message, frozen=True):
    """The server tells the phone to send no more to the multicast group.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    pass_through_party_id: U32 = None
    call_reference: U32 = None
