"""Data of applications (XML) between phone and server."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.conferences import SequenceFlag
from callgate.sccp.fields import U32, Blob, Enum32, Named
from callgate.sccp.message import Message, Sender, Structure, message


class UserAndDeviceData(Structure, frozen=True):
    """TODO."""

    application_id: U32 = None
    line_instance: U32 = None
    call_reference: U32 = None
    transaction_id: U32 = None
    data_length: U32 = None
    xmldata: Annotated[bytes | None, Blob("data_length", 2000)] = None


class UserAndDeviceDataVersion1(Structure, frozen=True):
    """TODO."""

    application_id: U32 = None
    line_instance: U32 = None
    call_reference: U32 = None
    transaction_id: U32 = None
    data_length: U32 = None
    sequence_flag: Enum32[SequenceFlag] = None
    display_priority: U32 = None
    conference_id: U32 = None
    app_instance_id: Annotated[U32, Named("appInstanceID")] = None
    routing_id: Annotated[U32, Named("routingID")] = None
    xmldata: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x002E, lengths=(20, 2020), sender=Sender.PHONE)
class DeviceToUserDataMessage(Message, frozen=True):
    """TODO. Not captured."""

    device_to_user_data: UserAndDeviceData | None = None


@message(0x002F, lengths=(20, 2020), sender=Sender.PHONE, answers=0x002E)
class DeviceToUserDataResponseMessage(Message, frozen=True):
    """TODO. Not captured."""

    device_to_user_data: UserAndDeviceData | None = None


@message(0x0041, lengths=(40, 2040), sender=Sender.PHONE)
class DeviceToUserDataMessageVersion1(Message, frozen=True):
    """TODO. Not captured."""

    device_to_user_data_version1: UserAndDeviceDataVersion1 | None = None


@message(0x0042, lengths=(40, 2040), sender=Sender.PHONE, answers=0x0041)
class DeviceToUserDataResponseMessageVersion1(Message, frozen=True):
    """TODO. Not captured."""

    device_to_user_data_version1: UserAndDeviceDataVersion1 | None = None


@message(0x011E, lengths=(20, 2020), sender=Sender.SERVER)
class UserToDeviceDataMessage(Message, frozen=True):
    """TODO. Not captured."""

    user_to_device_data: UserAndDeviceData | None = None


@message(0x013F, lengths=(40, 2040), sender=Sender.SERVER)
class UserToDeviceDataMessageVersion1(Message, frozen=True):
    """TODO. Not captured."""

    user_to_device_data_version1: UserAndDeviceDataVersion1 | None = None
