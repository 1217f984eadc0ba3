"""What a device tells of itself and is told: alarms, location, configuration, time."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.devices import DeviceAlarmSeverity, DeviceType
from callgate.sccp.fields import U32, CString, Enum32, LastText, Named, Text, Text40
from callgate.sccp.message import Message, Sender, Structure, message
from callgate.sccp.messages.structures import StationIdentifier


class Time(Structure, frozen=True):
    """TODO."""

    w_year: U32 = None
    w_month: U32 = None
    w_day_of_week: U32 = None
    w_day: U32 = None
    w_hour: U32 = None
    w_minute: U32 = None
    w_second: U32 = None
    w_milliseconds: U32 = None


@message(0x0020, lengths=(92, 92), sender=Sender.PHONE)
class AlarmMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 92 at header 0.
    """

    alarm_severity: Enum32[DeviceAlarmSeverity] = None
    text: Annotated[bytes | None, Text(80)] = None
    parm1: U32 = None
    parm2: U32 = None


@message(0x015A, lengths=(0, 2048), sender=Sender.PHONE)
class EnhancedAlarmMessage(Message, frozen=True):
    """TODO. Not captured."""

    alarm_info: Annotated[bytes | None, LastText(2048, whole=False)] = None


@message(0x0157, lengths=(0, 2404), sender=Sender.PHONE)
class LocationInfoMessage(Message, frozen=True):
    """TODO. Not captured."""

    location_info: Annotated[bytes | None, LastText(2401)] = None


@message(0x0159, lengths=(12, 172), sender=Sender.PHONE, spare=8)
class AddOnDeviceCapabilitiesMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 164 at header 0; 172 at header 0.
    """

    unknown1_0159: Annotated[U32, Named("unknown1_0159")] = None
    unknown2_0159: Annotated[U32, Named("unknown2_0159")] = None
    unknown3_0159: Annotated[U32, Named("unknown3_0159")] = None
    unknown_string_0159: Annotated[bytes | None, LastText(152), Named("unknownString_0159")] = None


@message(0x000C, lengths=(0, 0), sender=Sender.PHONE)
class ConfigStatReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """


@message(0x0093, lengths=(112, 112), sender=Sender.SERVER, answers=0x000C)
class ConfigStatResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 112 at header 0.
    """

    sid: StationIdentifier | None = None
    user_name: Text40 = None
    server_name: Text40 = None
    number_of_lines: U32 = None
    number_of_speed_dials: U32 = None


@message(0x0142, lengths=(32, 276), sender=Sender.SERVER, answers=0x000C)
class ConfigStatV2ResMessage(Message, frozen=True):
    """TODO. Not captured."""

    sid: StationIdentifier | None = None
    number_of_lines: U32 = None
    number_of_speed_dials: U32 = None
    user_name: Annotated[bytes | None, CString(121)] = None
    server_name: Annotated[bytes | None, CString(121)] = None


@message(0x000D, lengths=(0, 0), sender=Sender.PHONE)
class TimeDateReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """


@message(0x0094, lengths=(36, 36), sender=Sender.SERVER, answers=0x000D)
class TimeDateResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 36 at header 0, 18.
    """

    time_data_info: Time | None = None
    system_time: U32 = None


@message(0x002D, lengths=(4, 4), sender=Sender.PHONE)
class RegisterAvailableLinesMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0, 22.
    """

    max_num_of_avail_lines: U32 = None


@message(0x002C, lengths=(16, 16), sender=Sender.PHONE)
class MediaResourceNotificationMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 16 at header 18.
    """

    device_type: Enum32[DeviceType] = None
    number_of_in_service_streams: U32 = None
    max_streams_per_conf: U32 = None
    number_of_out_of_service_streams: U32 = None
