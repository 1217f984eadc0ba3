"""DTMF in and out of the RTP stream."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.fields import U32, Enum32, Named
from callgate.sccp.message import Message, Sender, message


@message(0x0127, lengths=(12, 12), sender=Sender.SERVER)
class NotifyDtmfToneMessage(Message, frozen=True):
    """TODO. Not captured."""

    tone: Enum32[DeviceTone] = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x0128, lengths=(12, 12), sender=Sender.SERVER)
class SendDtmfToneMessage(Message, frozen=True):
    """TODO. Not captured."""

    tone: Enum32[DeviceTone] = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x0129, lengths=(16, 16), sender=Sender.SERVER)
class SubscribeDtmfPayloadReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    payload_dtmf: U32 = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    dtmf_type: U32 = None


@message(0x012A, lengths=(12, 12), sender=Sender.PHONE, answers=0x0129)
class SubscribeDtmfPayloadResMessage(Message, frozen=True):
    """TODO. Not captured."""

    payload_dtmf: U32 = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x012B, lengths=(12, 12), sender=Sender.SERVER, answers=0x0129)
class SubscribeDtmfPayloadErrMessage(Message, frozen=True):
    """TODO. Not captured."""

    payload_dtmf: U32 = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x012C, lengths=(16, 16), sender=Sender.SERVER)
class UnSubscribeDtmfPayloadReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    payload_dtmf: U32 = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
    dtmf_type: U32 = None


@message(0x012D, lengths=(12, 12), sender=Sender.PHONE, answers=0x012D)
class UnSubscribeDtmfPayloadResMessage(Message, frozen=True):
    """TODO. Not captured."""

    payload_dtmf: U32 = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None


@message(0x012E, lengths=(12, 12), sender=Sender.SERVER, answers=0x012D)
class UnSubscribeDtmfPayloadErrMessage(Message, frozen=True):
    """TODO. Not captured."""

    payload_dtmf: U32 = None
    conference_id: U32 = None
    passthru_party_id: Annotated[U32, Named("passthruPartyID")] = None
