"""What a device tells of itself and is told: alarms, location, configuration, time."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.devices import DeviceAlarmSeverity, DeviceType
from callgate.sccp.fields import U32, CString, Enum32, LastText, LeadingCString, Named, Text, Text40
from callgate.sccp.message import Message, Sender, Structure, message
from callgate.sccp.messages.structures import StationIdentifier


class Time(Structure, frozen=True):
    """A local date and time, in the fields of Windows' SYSTEMTIME."""

    w_year: U32 = None
    """Four digits."""
    w_month: U32 = None
    """1 to 12."""
    w_day_of_week: U32 = None
    """0 is Sunday, as both chan_skinny and chan-sccp send it."""
    w_day: U32 = None
    """Day of the month, from 1."""
    w_hour: U32 = None
    w_minute: U32 = None
    w_second: U32 = None
    w_milliseconds: U32 = None
    """chan-sccp sends 0."""


@message(0x0020, lengths=(92, 92), sender=Sender.PHONE)
class AlarmMessage(Message, frozen=True):
    """The phone reports an alarm in words; some send one before they register.

    Captured bodies, bytes: 92.
    """

    alarm_severity: Enum32[DeviceAlarmSeverity] = None
    text: Annotated[bytes | None, Text(80)] = None
    """May fill the field."""
    parm1: U32 = None
    parm2: U32 = None


@message(0x015A, lengths=(0, 2048), sender=Sender.PHONE)
class EnhancedAlarmMessage(Message, frozen=True):
    """The phone reports an alarm as XML, with firmware later than 9.1.

    Not captured; after Wireshark 4.0, which has it sent by the server, and chan-sccp 4.3 and mod_skinny, which receive
    it.
    """

    alarm_info: Annotated[bytes | None, LastText(2048, whole=False)] = None
    """XML, at most 2048 bytes."""


@message(0x0157, lengths=(0, 2404), sender=Sender.PHONE)
class LocationInfoMessage(Message, frozen=True):
    """A wireless phone says which access point it is at.

    Captured: none in full; a dump shows a body of 2404 bytes. That is more than chan_skinny (2000), mod_skinny (2048)
    and wazo (2048) can receive. Wireshark 4.0 has it sent by the server.
    """

    location_info: Annotated[bytes | None, LastText(2401)] = None
    """XML in room of 2401 bytes."""


@message(0x0159, lengths=(12, 172), sender=Sender.PHONE, spare=8)
class AddOnDeviceCapabilitiesMessage(Message, frozen=True):
    """The phone describes an extension module: how many may be chained and how many lines each has.

    Captured bodies, bytes: 164, 172. Names are Wireshark's; chan-sccp 4.3 reads instance, type and number allowed, six
    words and a text of 128 bytes.
    """

    unknown1_0159: Annotated[U32, Named("unknown1_0159")] = None
    """Instance, after chan-sccp."""
    unknown2_0159: Annotated[U32, Named("unknown2_0159")] = None
    """Type, after chan-sccp."""
    unknown3_0159: Annotated[U32, Named("unknown3_0159")] = None
    """How many are allowed, after chan-sccp."""
    unknown_string_0159: Annotated[bytes | None, LastText(152), Named("unknownString_0159")] = None
    """24 bytes of zero, then text such as `max-chained=2 deviceLine=14`."""


@message(0x000C, lengths=(0, 0), sender=Sender.PHONE)
class ConfigStatReqMessage(Message, frozen=True):
    """The phone asks for its user, its server and how many lines and speed dials it has.

    Captured bodies, bytes: 0.
    """


@message(0x0093, lengths=(112, 112), sender=Sender.SERVER, answers=0x000C)
class ConfigStatResMessage(Message, frozen=True):
    """The server tells the phone its user, its server, and how many lines and speed dials it has.

    Captured bodies, bytes: 112.
    """

    sid: StationIdentifier | None = None
    user_name: Text40 = None
    server_name: Text40 = None
    number_of_lines: U32 = None
    number_of_speed_dials: U32 = None


class DynamicStationIdentifier(Structure, frozen=True):
    """A device's name, which takes its own bytes, and which of its instances it is."""

    device_name: Annotated[bytes | None, LeadingCString(16), Named("DeviceName")] = None
    reserved_for_future_use: Annotated[U32, Named("reserved_for_future_use")] = None
    instance: U32 = None


@message(0x0142, lengths=(19, 276), sender=Sender.SERVER, answers=0x000C)
class ConfigStatV2ResMessage(Message, frozen=True):
    """The server tells the phone its user, its server, and how many lines and speed dials it has, with longer names.

    Not captured, and unproven: after Wireshark 4.0. The name begins the body and takes its own bytes, so the numbers
    behind it stand where it ends.
    """

    sid: DynamicStationIdentifier | None = None
    number_of_lines: U32 = None
    number_of_speed_dials: U32 = None
    user_name: Annotated[bytes | None, CString(121)] = None
    server_name: Annotated[bytes | None, CString(121)] = None


@message(0x0142, sender=Sender.SERVER, answers=0x000C, name="ConfigStatV2ResMessage", body=276)
class ConfigStatV2FixedResMessage(Message, frozen=True):
    """As chan-sccp 4.3 declares it: strings of 121 bytes before the counts; the length tells. Not captured."""

    sid: StationIdentifier | None = None
    user_name: Annotated[bytes | None, Text(121)] = None
    server_name: Annotated[bytes | None, Text(121, pad=2)] = None
    number_of_lines: U32 = None
    number_of_speed_dials: U32 = None


@message(0x000D, lengths=(0, 0), sender=Sender.PHONE)
class TimeDateReqMessage(Message, frozen=True):
    """The phone asks for date and time.

    Captured bodies, bytes: 0.
    """


@message(0x0094, lengths=(36, 36), sender=Sender.SERVER, answers=0x000D)
class TimeDateResMessage(Message, frozen=True):
    """The server sets the phone's clock, asked or not.

    Captured bodies, bytes: 36. There is no time zone: the phone shows time_data_info as it comes.
    """

    time_data_info: Time | None = None
    system_time: U32 = None
    """Seconds since 1970, UTC."""


@message(0x002D, lengths=(4, 4), sender=Sender.PHONE)
class RegisterAvailableLinesMessage(Message, frozen=True):
    """The phone says how many lines it has room for, towards the end of its registration.

    Captured bodies, bytes: 4.
    """

    max_num_of_avail_lines: U32 = None
    """0 from a 7960, 2 from a 7962 and a 7970 (chan-sccp's dumps)."""


@message(0x002C, lengths=(16, 16), sender=Sender.PHONE)
class MediaResourceNotificationMessage(Message, frozen=True):
    """A media resource (transcoder, conference bridge) says how many streams it serves.

    Captured bodies, bytes: 16. sccp-rs has it sent by nodes only.
    """

    device_type: Enum32[DeviceType] = None
    number_of_in_service_streams: U32 = None
    max_streams_per_conf: U32 = None
    number_of_out_of_service_streams: U32 = None
