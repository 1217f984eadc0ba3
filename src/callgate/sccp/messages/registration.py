"""Registration: announcing a device, keeping it alive, turning it away, sending it elsewhere."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from callgate.sccp.enums.devices import (
    DeviceResetType,
    DeviceType,
    DeviceUnregisterStatus,
    PhoneFeatures,
    UnRegReasonCode,
)
from callgate.sccp.fields import (
    ADDRESS,
    U8,
    U16,
    U32,
    V4,
    V6,
    Address,
    Array,
    ByForm,
    Enum32,
    Flags16,
    Integer,
    IPv4,
    IPv6,
    Mac,
    Named,
    Text6,
    Text16,
    Text32,
    Text48,
)
from callgate.sccp.message import Message, Sender, Structure, message
from callgate.sccp.messages.structures import StationIdentifier


class ServerIdentifier(Structure, frozen=True):
    """TODO."""

    server_name: Annotated[Text48, Named("ServerName")] = None


class ServerAddress(Structure, frozen=True):
    """TODO."""

    station_ip_addr: Address = None


@message(0x0000, lengths=(0, 0), sender=Sender.PHONE)
class KeepAliveReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """


@message(0x0100, lengths=(0, 0), sender=Sender.SERVER, answers=0x0000)
class KeepAliveAckMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """


@message(0x0001, lengths=(36, 172), sender=Sender.PHONE)
class RegisterReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 44 at header 0; 52 at header 0; 64 at header 0; 124 at header 0.
    """

    sid: StationIdentifier | None = None
    station_ip_addr: IPv4 = None
    device_type: Enum32[DeviceType] = None
    max_streams: U32 = None
    active_streams: U32 = None
    protocol_ver: U8 = None
    unknown: U8 = None
    phone_features: Flags16[PhoneFeatures] = None
    max_conferences: U32 = None
    active_conferences: U32 = None
    mac_address: Mac = None
    ip_v4_address_scope: U32 = None
    max_number_of_lines: U32 = None
    station_ip_v6_addr: IPv6 = None
    ip_v6_address_scope: U32 = None
    firmware_load_name: Text32 = None
    config_version_stamp: Text48 = None


@message(0x0081, lengths=(12, 20), sender=Sender.SERVER, answers=0x0001)
class RegisterAckMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 12 at header 0; 20 at header 0.
    """

    keep_alive_interval: U32 = None
    date_template: Text6 = None
    alignment_padding: U16 = None
    secondary_keep_alive_interval: U32 = None
    max_protocol_ver: U8 = None
    unknown: U8 = None
    phone_features: Flags16[PhoneFeatures] = None


@message(0x009D, lengths=(32, 36), sender=Sender.SERVER, spare=4)
class RegisterRejectMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 36 at header 0.
    """

    text: Text32 = None


@message(0x0027, lengths=(0, 4), sender=Sender.PHONE)
class UnregisterReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """

    un_reg_reason_code: Enum32[UnRegReasonCode] = None


@message(0x0118, lengths=(4, 4), sender=Sender.SERVER, answers=0x0027)
class UnregisterAckMessage(Message, frozen=True):
    """TODO. Not captured."""

    status: Enum32[DeviceUnregisterStatus] = None


@message(0x0029, lengths=(36, 52), sender=Sender.PHONE)
class RegisterTokenReq(Message, frozen=True):
    """TODO. Not captured."""

    sid: StationIdentifier | None = None
    station_ip_addr: IPv4 = None
    device_type: Enum32[DeviceType] = None
    station_ip_v6_addr: Annotated[IPv4Address | IPv6Address | None, ByForm(ADDRESS, {4: V4(), 20: V6()})] = None
    unknown: U32 = None


@message(0x011A, lengths=(0, 0), sender=Sender.SERVER, answers=0x0029)
class RegisterTokenAck(Message, frozen=True):
    """TODO. Not captured."""


@message(0x011B, lengths=(4, 4), sender=Sender.SERVER, answers=0x0029)
class RegisterTokenReject(Message, frozen=True):
    """TODO. Not captured."""

    wait_time_before_next_req: U32 = None


@message(0x8000, lengths=(36, 36), sender=Sender.PHONE)
class SPCPRegisterTokenReq(Message, frozen=True):
    """TODO. Not captured."""

    sid: StationIdentifier | None = None
    station_ip_addr: IPv4 = None
    device_type: Enum32[DeviceType] = None
    max_streams: U32 = None


@message(0x8100, lengths=(4, 4), sender=Sender.SERVER, answers=0x8000)
class SPCPRegisterTokenAck(Message, frozen=True):
    """TODO. Not captured."""

    features: U32 = None


@message(0x8101, lengths=(4, 4), sender=Sender.SERVER, answers=0x8000)
class SPCPRegisterTokenReject(Message, frozen=True):
    """TODO. Not captured."""

    wait_time_before_next_req: U32 = None


@message(0x0012, lengths=(0, 0), sender=Sender.PHONE)
class ServerReqMessage(Message, frozen=True):
    """TODO. Not captured."""


@message(0x009E, lengths=(280, 360), sender=Sender.SERVER, answers=0x0012)
class ServerResMessage(Message, frozen=True):
    """TODO. Not captured."""

    server: Annotated[tuple[ServerIdentifier, ...] | None, Array(5)] = None
    server_tcp_listen_port: Annotated[tuple[int, ...] | None, Array(5, of=Integer(4))] = None
    server_ip_addr: Annotated[tuple[ServerAddress, ...] | None, Array(5)] = None


@message(0x009F, lengths=(4, 4), sender=Sender.SERVER)
class Reset(Message, frozen=True):
    """TODO. Not captured."""

    reset_type: Enum32[DeviceResetType] = None


@message(0x000F, lengths=(0, 0), sender=Sender.PHONE)
class VersionReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 18.
    """


@message(0x0098, lengths=(16, 16), sender=Sender.SERVER, answers=0x000F)
class VersionResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 16 at header 0.
    """

    version_str: Text16 = None
