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
    """The name of one server."""

    server_name: Annotated[Text48, Named("ServerName")] = None


class ServerAddress(Structure, frozen=True):
    """The address of one server."""

    station_ip_addr: Address = None


@message(0x0000, lengths=(0, 0), sender=Sender.PHONE)
class KeepAliveReqMessage(Message, frozen=True):
    """The phone says it is still there.

    Captured bodies, bytes: 0. Phones send it at the interval of RegisterAckMessage. chan_skinny drops a registered
    phone after 360 seconds without one, chan-sccp after 96. A server answers even before registration, which tells SCCP
    servers from others without changing their state.
    """


@message(0x0100, lengths=(0, 0), sender=Sender.SERVER, answers=0x0000)
class KeepAliveAckMessage(Message, frozen=True):
    """The server says it is still there.

    Captured bodies, bytes: 0. Its header version is 0 whatever was negotiated. chan-sccp sends it in answer to most
    unknown messages too.
    """


@message(0x0001, lengths=(36, 172), sender=Sender.PHONE)
class RegisterReqMessage(Message, frozen=True):
    """The phone introduces itself: name, address, model, and the newest protocol version it speaks.

    Captured bodies, bytes: 44, 52, 64, 124; 172 with a configuration stamp. Fields are there until the body ends:
    Wireshark 4.0 gates them by length, and shows no protocol_ver in bodies of 44 and 48, which do have it. A name
    already in use is rejected after 2 seconds by chan_skinny and makes chan-sccp drop both phones.
    """

    sid: StationIdentifier | None = None
    station_ip_addr: IPv4 = None
    """The phone's own address, as it sees it."""
    device_type: Enum32[DeviceType] = None
    """A 7960 sends 7."""
    max_streams: U32 = None
    """RTP streams the phone can have at a time."""
    active_streams: U32 = None
    """RTP streams it has as it registers."""
    protocol_ver: U8 = None
    """Highest protocol version the phone speaks, up to 22; analogue adapters send 33."""
    unknown: U8 = None
    """Part of the version in Wireshark 4.0; 0x20 from a 6961."""
    phone_features: Flags16[PhoneFeatures] = None
    """0x8560 from a 7960, 0x8570 from a 6961, 0x8572 from a 7941."""
    max_conferences: U32 = None
    """Conferences the phone can have at a time."""
    active_conferences: U32 = None
    """Conferences it has as it registers."""
    mac_address: Mac = None
    """Six bytes, then six of room; a 6961 sends twelve hexadecimal characters instead."""
    ip_v4_address_scope: U32 = None
    max_number_of_lines: U32 = None
    station_ip_v6_addr: IPv6 = None
    ip_v6_address_scope: U32 = None
    firmware_load_name: Text32 = None
    """Such as `SCCP41.8-5-3S`."""
    config_version_stamp: Text48 = None
    """New with CallManager 11.5 (chan-sccp)."""


@message(0x0081, lengths=(12, 20), sender=Sender.SERVER, answers=0x0001)
class RegisterAckMessage(Message, frozen=True):
    """The server accepts the phone and sets its keepalive interval, date format and protocol version.

    Captured bodies, bytes: 12 (CallManager 2: up to the date format), 20. Its header version is 0 whatever was
    negotiated. chan_skinny sends SetLampMessage twice before it.
    """

    keep_alive_interval: U32 = None
    """Seconds between keepalives: 120 from chan_skinny, 46 to 57 from chan-sccp."""
    date_template: Text6 = None
    """Order of day, month and year and what stands between, such as `D.M.Y` or `M/D/YA`. The latter fills the field."""
    alignment_padding: U16 = None
    """0; chan_skinny sends 48, the character zero."""
    secondary_keep_alive_interval: U32 = None
    """Seconds between keepalives to the standby server."""
    max_protocol_ver: U8 = None
    """The protocol version from here on. chan_skinny sends 48, the character zero."""
    unknown: U8 = None
    """0x20 from chan-sccp."""
    phone_features: Flags16[PhoneFeatures] = None
    """0xFFF1 from chan-sccp."""


@message(0x009D, lengths=(32, 36), sender=Sender.SERVER, spare=4)
class RegisterRejectMessage(Message, frozen=True):
    """The server turns the phone away, and says why.

    Captured bodies, bytes: 36 (CallManager 2), 33 (chan_skinny). chan_skinny says `No Authority: ` and keeps the
    connection open. chan-sccp says `Device Unknown`, but with its default settings registers strangers.
    """

    text: Text32 = None
    """May fill the field."""


@message(0x0027, lengths=(0, 4), sender=Sender.PHONE)
class UnregisterReqMessage(Message, frozen=True):
    """The phone leaves.

    Captured bodies, bytes: 0 (CallManager 2); with a reason 4. chan_skinny closes without an answer. Wireshark 4.0
    gates the reason so that a body of 4 never shows it.
    """

    un_reg_reason_code: Enum32[UnRegReasonCode] = None


@message(0x0118, lengths=(4, 4), sender=Sender.SERVER, answers=0x0027)
class UnregisterAckMessage(Message, frozen=True):
    """The server says whether the phone may leave.

    Captured bodies, bytes: 4 (chan-sccp). Its header version is 0 whatever was negotiated.
    """

    status: Enum32[DeviceUnregisterStatus] = None


@message(0x0029, lengths=(36, 52), sender=Sender.PHONE)
class RegisterTokenReq(Message, frozen=True):
    """The phone asks a server of higher priority whether it may register there.

    Not captured. Wireshark 4.0 reads the IPv4 address as a little-endian number, and the IPv6 one as four bytes below
    version 17; chan-sccp 4.3 has four bytes, sixteen and a word more: 52.
    """

    sid: StationIdentifier | None = None
    station_ip_addr: IPv4 = None
    """The phone's own address, as it sees it."""
    device_type: Enum32[DeviceType] = None
    station_ip_v6_addr: Annotated[IPv4Address | IPv6Address | None, ByForm(ADDRESS, {4: V4(), 20: V6()})] = None
    unknown: U32 = None
    """Only in chan-sccp."""


@message(0x011A, lengths=(0, 0), sender=Sender.SERVER, answers=0x0029)
class RegisterTokenAck(Message, frozen=True):
    """The server lets the phone register.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """


@message(0x011B, lengths=(4, 4), sender=Sender.SERVER, answers=0x0029)
class RegisterTokenReject(Message, frozen=True):
    """The server tells the phone to ask for a token again later.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    wait_time_before_next_req: U32 = None
    """Seconds, as chan-sccp uses it."""


@message(0x8000, lengths=(36, 36), sender=Sender.PHONE)
class SPCPRegisterTokenReq(Message, frozen=True):
    """A Cisco SPA phone asks whether it may register.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    sid: StationIdentifier | None = None
    station_ip_addr: IPv4 = None
    """The phone's own address, as it sees it."""
    device_type: Enum32[DeviceType] = None
    max_streams: U32 = None
    """RTP streams the phone can have at a time."""


@message(0x8100, lengths=(4, 4), sender=Sender.SERVER, answers=0x8000)
class SPCPRegisterTokenAck(Message, frozen=True):
    """The server lets a Cisco SPA phone register.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    features: U32 = None


@message(0x8101, lengths=(4, 4), sender=Sender.SERVER, answers=0x8000)
class SPCPRegisterTokenReject(Message, frozen=True):
    """The server tells a Cisco SPA phone to ask for a token again later.

    Not captured; after Wireshark 4.0. chan-sccp 4.3 calls the word features.
    """

    wait_time_before_next_req: U32 = None


@message(0x0012, lengths=(0, 0), sender=Sender.PHONE)
class ServerReqMessage(Message, frozen=True):
    """The phone asks for the list of servers.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """


@message(0x009E, lengths=(280, 360), sender=Sender.SERVER, answers=0x0012)
class ServerResMessage(Message, frozen=True):
    """The server lists up to five servers: names, ports, addresses.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3: 280 bytes, 360 with the wider addresses.
    """

    server: Annotated[tuple[ServerIdentifier, ...] | None, Array(5)] = None
    server_tcp_listen_port: Annotated[tuple[int, ...] | None, Array(5, of=Integer(4))] = None
    """TCP ports."""
    server_ip_addr: Annotated[tuple[ServerAddress, ...] | None, Array(5)] = None


@message(0x009F, lengths=(4, 4), sender=Sender.SERVER)
class Reset(Message, frozen=True):
    """The server tells the phone to start again, or to read its configuration again.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3. pyskinny has it at 0x0029, which is RegisterTokenReq.
    """

    reset_type: Enum32[DeviceResetType] = None


@message(0x000F, lengths=(0, 0), sender=Sender.PHONE)
class VersionReqMessage(Message, frozen=True):
    """The phone asks which firmware it should run.

    Captured bodies, bytes: 0.
    """


@message(0x0098, lengths=(16, 16), sender=Sender.SERVER, answers=0x000F)
class VersionResMessage(Message, frozen=True):
    """The server tells the phone which firmware it should run.

    Captured bodies, bytes: 16.
    """

    version_str: Text16 = None
    """Name of the firmware load."""
