"""DTMF in and out of the RTP stream."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.fields import U32, Enum32, Named
from callgate.sccp.message import Message, Sender, message


@message(0x0127, lengths=(12, 12), sender=Sender.SERVER)
class NotifyDtmfToneMessage(Message, frozen=True):
    """The server notifies the phone of a DTMF tone.

    Not captured; after Wireshark 4.0.
    """

    tone: Enum32[DeviceTone] = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x0128, lengths=(12, 12), sender=Sender.SERVER)
class SendDtmfToneMessage(Message, frozen=True):
    """The server has the phone send a DTMF tone.

    Not captured; after Wireshark 4.0.
    """

    tone: Enum32[DeviceTone] = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x0129, lengths=(16, 16), sender=Sender.SERVER)
class SubscribeDtmfPayloadReqMessage(Message, frozen=True):
    """The server subscribes to DTMF that comes as a payload of the RTP stream.

    Not captured; after Wireshark 4.0.
    """

    payload_dtmf: U32 = None
    """RTP payload type of the DTMF."""
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    dtmf_type: U32 = None


@message(0x012A, lengths=(12, 12), sender=Sender.PHONE, answers=0x0129)
class SubscribeDtmfPayloadResMessage(Message, frozen=True):
    """The phone accepts what SubscribeDtmfPayloadReqMessage asked.

    Not captured. chan-sccp 4.3 and sccp-rs have it sent by the phone, Wireshark 4.0 by the server.
    """

    payload_dtmf: U32 = None
    """RTP payload type of the DTMF."""
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x012B, lengths=(12, 12), sender=Sender.SERVER, answers=0x0129)
class SubscribeDtmfPayloadErrMessage(Message, frozen=True):
    """What SubscribeDtmfPayloadReqMessage asked cannot be done.

    Not captured; after Wireshark 4.0. Which side sends it is unproven.
    """

    payload_dtmf: U32 = None
    """RTP payload type of the DTMF."""
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x012C, lengths=(16, 16), sender=Sender.SERVER)
class UnSubscribeDtmfPayloadReqMessage(Message, frozen=True):
    """The server ends its subscription to DTMF that comes as a payload of the RTP stream.

    Not captured; after Wireshark 4.0.
    """

    payload_dtmf: U32 = None
    """RTP payload type of the DTMF."""
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    dtmf_type: U32 = None


@message(0x012D, lengths=(12, 12), sender=Sender.PHONE, answers=0x012C)
class UnSubscribeDtmfPayloadResMessage(Message, frozen=True):
    """The phone accepts what UnSubscribeDtmfPayloadReqMessage asked.

    Not captured. chan-sccp 4.3 pairs it with 0x012c; Wireshark 4.0 has it answer itself, and has it sent by the server.
    """

    payload_dtmf: U32 = None
    """RTP payload type of the DTMF."""
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x012E, lengths=(12, 12), sender=Sender.SERVER, answers=0x012C)
class UnSubscribeDtmfPayloadErrMessage(Message, frozen=True):
    """What UnSubscribeDtmfPayloadReqMessage asked cannot be done.

    Not captured. chan-sccp 4.3 pairs it with 0x012c, Wireshark 4.0 with 0x012d. Which side sends it is unproven.
    """

    payload_dtmf: U32 = None
    """RTP payload type of the DTMF."""
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
