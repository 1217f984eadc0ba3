"""Data of applications (XML) between phone and server."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.conferences import SequenceFlag
from callgate.sccp.fields import U32, Blob, Enum32, Named
from callgate.sccp.message import Message, Sender, Structure, message


class UserAndDeviceData(Structure, frozen=True):
    """Data of an application on the phone."""

    application_id: U32 = None
    line_instance: U32 = None
    call_reference: U32 = None
    transaction_id: U32 = None
    """Ties answers to requests."""
    data_length: U32 = None
    """Bytes of xmldata, at most 2000."""
    xmldata: Annotated[bytes | None, Blob("data_length", 2000)] = None


class UserAndDeviceDataVersion1(Structure, frozen=True):
    """Data of an application on the phone, in parts if it is long."""

    application_id: U32 = None
    line_instance: U32 = None
    call_reference: U32 = None
    transaction_id: U32 = None
    """Ties answers to requests."""
    data_length: U32 = None
    """Bytes of xmldata, at most 2000."""
    sequence_flag: Enum32[SequenceFlag] = None
    """Which part of the data this is: first, more, last."""
    display_priority: U32 = None
    conference_id: U32 = None
    app_instance_id: Annotated[U32, Named("appInstanceID")] = None
    routing_id: Annotated[U32, Named("routingID")] = None
    xmldata: Annotated[bytes | None, Blob("data_length", 2000)] = None


@message(0x002E, lengths=(20, 2020), sender=Sender.PHONE)
class DeviceToUserDataMessage(Message, frozen=True):
    """An application on the phone sends data to the server.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    device_to_user_data: UserAndDeviceData | None = None


@message(0x002F, lengths=(20, 2020), sender=Sender.PHONE, answers=0x002E)
class DeviceToUserDataResponseMessage(Message, frozen=True):
    """An application on the phone sends a response to the server.

    Not captured; after Wireshark 4.0, which pairs it with DeviceToUserDataMessage although both come from the phone,
    and chan-sccp 4.3.
    """

    device_to_user_data: UserAndDeviceData | None = None


@message(0x0041, lengths=(40, 2040), sender=Sender.PHONE)
class DeviceToUserDataMessageVersion1(Message, frozen=True):
    """An application on the phone sends data to the server, in parts if it is long.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    device_to_user_data_version1: UserAndDeviceDataVersion1 | None = None


@message(0x0042, lengths=(40, 2040), sender=Sender.PHONE, answers=0x0041)
class DeviceToUserDataResponseMessageVersion1(Message, frozen=True):
    """An application on the phone sends a response to the server, in parts if it is long.

    Not captured; after Wireshark 4.0, which pairs it with DeviceToUserDataMessageVersion1 although both come from the
    phone, and chan-sccp 4.3.
    """

    device_to_user_data_version1: UserAndDeviceDataVersion1 | None = None


@message(0x011E, lengths=(20, 2020), sender=Sender.SERVER)
class UserToDeviceDataMessage(Message, frozen=True):
    """The server sends data to an application on the phone.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    user_to_device_data: UserAndDeviceData | None = None


@message(0x013F, lengths=(40, 2040), sender=Sender.SERVER)
class UserToDeviceDataMessageVersion1(Message, frozen=True):
    """The server sends data to an application on the phone, in parts if it is long.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3, whose struct has room for four bytes of data (44).
    """

    user_to_device_data_version1: UserAndDeviceDataVersion1 | None = None
