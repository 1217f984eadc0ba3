"""Entries, union members and counted bytes that cannot be encoded: the error leads to what is wrong inside."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from callgate.sccp import FieldError, Message, encode
from callgate.sccp.messages.capabilities import CapabilitiesResMessage, MediaCapability
from callgate.sccp.messages.media import (
    MediaPortListMessage,
    OpenReceiveChannelMessage,
)
from callgate.sccp.messages.registration import (
    ServerAddress,
    ServerIdentifier,
    ServerResMessage,
)
from callgate.sccp.messages.structures import (
    CodecParameters,
    MediaEncryptionKeyInfo,
    MediaQualifierIncoming,
)
from callgate.sccp.messages.templates import (
    ButtonDefinition,
    ButtonTemplate,
    ButtonTemplateResMessage,
    SoftKeyDefinition,
    SoftKeyTemplate,
    SoftKeyTemplateResMessage,
)
from callgate.sccp.messages.user_data import UserAndDeviceData, UserToDeviceDataMessage

V4 = IPv4Address("192.0.2.7")
OPEN: dict[str, Any] = {
    "conference_id": 1,
    "pass_through_party_id": 2,
    "milli_second_packet_size": 20,
    "compression_type": 4,
    "qualifier_in": MediaQualifierIncoming(0, CodecParameters(0, 0, 0, 0)),
    "call_reference": 5,
    "header_version": 11,
}
SERVERS: dict[str, Any] = {
    "server": (ServerIdentifier(b"cm"),) * 5,
    "server_tcp_listen_port": (1, 2, 3, 4, 5),
    "server_ip_addr": (ServerAddress(V4),) * 5,
}


def opened(**changes: Any) -> Message:
    return OpenReceiveChannelMessage(**{**OPEN, **changes})


def keyed(keylen: int, key: bytes) -> Message:
    return opened(m_rx_media_encryption_key_info=MediaEncryptionKeyInfo(0, keylen, 0, key, b""))


UNENCODABLE: dict[str, tuple[Message, str]] = {
    "a number where parameters belong": (
        opened(qualifier_in=MediaQualifierIncoming(0, 7)),
        "SCCP OpenReceiveChannelMessage qualifierIn.codecParamsUnion (body offset 20): "
        "4 chooses codecParams, a CodecParameters",
    ),
    "parameters where a bit rate belongs": (
        opened(compression_type=9),
        "SCCP OpenReceiveChannelMessage qualifierIn.codecParamsUnion (body offset 20): 9 chooses g723BitRate, a number",
    ),
    "fewer entries than counted": (
        CapabilitiesResMessage(cap_count=2, caps=(MediaCapability(4, 20, CodecParameters(0, 0, 0, 0)),)),
        "SCCP CapabilitiesResMessage caps (body offset 4): 1 entries, where the count says 2",
    ),
    "more entries than counted": (
        CapabilitiesResMessage(cap_count=0, caps=(MediaCapability(4, 20, CodecParameters(0, 0, 0, 0)),)),
        "SCCP CapabilitiesResMessage caps (body offset 4): 1 entries, where the count says 0",
    ),
    "more numbers than counted": (
        MediaPortListMessage(port_count=1, rtp_media_port=(1, 2)),
        "SCCP MediaPortListMessage rtpMediaPort (body offset 4): 2 entries, where the count says 1",
    ),
    "fewer entries than the room has": (
        ServerResMessage(**{**SERVERS, "server": SERVERS["server"][:4]}),
        "SCCP ServerResMessage server (body offset 0): 4 entries, where the count says 5",
    ),
    "a wrong entry": (
        ServerResMessage(**{**SERVERS, "server": (*SERVERS["server"][:4], ServerIdentifier(b"x" * 49))}),
        "SCCP ServerResMessage server[4].ServerName (body offset 0): 49 bytes do not fit in 48",
    ),
    "a string with a NUL in an entry": (
        SoftKeyTemplateResMessage(soft_key_template=SoftKeyTemplate(0, 1, 1, (SoftKeyDefinition(b"\0", 1),))),
        "SCCP SoftKeyTemplateResMessage softKeyTemplate.definition[0].softKeyLabel (body offset 12): "
        "a string holds no NUL",
    ),
    "a number too large in an entry": (
        ButtonTemplateResMessage(
            button_template=ButtonTemplate(0, 2, 2, (ButtonDefinition(1, 9), ButtonDefinition(256, 9)))
        ),
        "SCCP ButtonTemplateResMessage buttonTemplate.definition[1].instanceNumber (body offset 12): "
        "256 does not fit in 8 bits",
    ),
    "a missing field in an entry": (
        ButtonTemplateResMessage(button_template=ButtonTemplate(0, 1, 1, (ButtonDefinition(1),))),
        "SCCP ButtonTemplateResMessage buttonTemplate.definition[0].buttonDefinition (body offset 12): is missing",
    ),
    "a number too large in the union of an entry": (
        CapabilitiesResMessage(cap_count=1, caps=(MediaCapability(4, 20, CodecParameters(0, 0, 0, 256)),)),
        "SCCP CapabilitiesResMessage caps[0].PAYLOADS.codecParam2 (body offset 4): 256 does not fit in 8 bits",
    ),
    "a number too large in a list of numbers": (
        MediaPortListMessage(port_count=2, rtp_media_port=(1, 1 << 32)),
        "SCCP MediaPortListMessage rtpMediaPort[1] (body offset 4): 4294967296 does not fit in 32 bits",
    ),
    "a number where entries belong": (
        CapabilitiesResMessage(cap_count=1, caps=5),  # type: ignore[arg-type]
        "SCCP CapabilitiesResMessage caps (body offset 4): 5 is no tuple",
    ),
    "a number where an entry belongs": (
        CapabilitiesResMessage(cap_count=1, caps=(5,)),  # type: ignore[arg-type]
        "SCCP CapabilitiesResMessage caps[0] (body offset 4): 5 is no entry of this array",
    ),
    "entries in a list": (
        MediaPortListMessage(port_count=1, rtp_media_port=[-1]),  # type: ignore[arg-type]
        "SCCP MediaPortListMessage rtpMediaPort[0] (body offset 4): -1 does not fit in 32 bits",
    ),
    "a bit rate too large": (
        opened(compression_type=9, qualifier_in=MediaQualifierIncoming(0, 1 << 32)),
        "SCCP OpenReceiveChannelMessage qualifierIn.codecParamsUnion (body offset 20): "
        "4294967296 does not fit in 32 bits",
    ),
    "less key than counted": (
        keyed(16, b"k" * 15),
        "SCCP OpenReceiveChannelMessage mRxMediaEncryptionKeyInfo.key (body offset 36): takes 16 bytes, not 15",
    ),
    "more key than there is room for": (
        keyed(17, b"k" * 17),
        "SCCP OpenReceiveChannelMessage mRxMediaEncryptionKeyInfo.key (body offset 36): takes 16 bytes, not 17",
    ),
    "more data than counted": (
        UserToDeviceDataMessage(user_to_device_data=UserAndDeviceData(1, 2, 3, 4, 3, b"data")),
        "SCCP UserToDeviceDataMessage userToDeviceData.xmldata (body offset 20): 4 bytes, where the count says 3",
    ),
}


@pytest.mark.parametrize(("message", "reason"), UNENCODABLE.values(), ids=UNENCODABLE)
def test_what_is_wrong_inside_a_field_is_named(message: Message, reason: str) -> None:
    with pytest.raises(FieldError) as raised:
        encode(message)
    assert str(raised.value) == reason
    assert raised.value.__cause__ is None
