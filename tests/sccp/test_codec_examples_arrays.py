"""Arrays: they take their full room whatever the count says, and what stands behind the counted entries is kept.

Put together after Wireshark 4.0, chan-sccp 4.3 and the lengths that were seen on the wire.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.sccp.wire import address, assert_carries, family_v4, halves, text, words

from callgate.sccp import AsSent, Message, decode, encode
from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.enums.media import Layout, MediaG723BitRate, MediaPayloadType, TransmitOrReceive
from callgate.sccp.enums.soft_keys import SoftKeyEvent, SoftKeyInfoIndex, SoftKeyTemplateIndex
from callgate.sccp.framing import frame
from callgate.sccp.messages.capabilities import (
    CapabilitiesResMessage,
    ConfResources,
    CustomPictureFormat,
    DataApplicationCapability,
    LevelPreference,
    MediaCapability,
    ServiceResource,
    UpdateCapabilitiesMessage,
    VideoCapability,
)
from callgate.sccp.messages.media import MediaPortListMessage
from callgate.sccp.messages.registration import ServerAddress, ServerIdentifier, ServerResMessage
from callgate.sccp.messages.structures import (
    CodecParameters,
    H261VideoCapability,
    H264VideoCapability,
    ModemRelay,
    SprtPayload,
    SseCapability,
)
from callgate.sccp.messages.templates import (
    ButtonDefinition,
    ButtonTemplate,
    ButtonTemplateResMessage,
    SoftKeyDefinition,
    SoftKeySetDefinition,
    SoftKeySetResMessage,
    SoftKeySets,
    SoftKeyTemplate,
    SoftKeyTemplateResMessage,
)

CAPS = (
    MediaCapability(MediaPayloadType.G711_ULAW64K, 40, CodecParameters(1, 2, 3, 4)),
    MediaCapability(MediaPayloadType.G7231, 30, MediaG723BitRate.RATE_6_3),
    MediaCapability(MediaPayloadType.V150_LC_MODEM_RELAY, 20, ModemRelay(5, 6)),
    MediaCapability(MediaPayloadType.V150_LC_SPRT, 20, SprtPayload(7, 8, 9, 10)),
    MediaCapability(MediaPayloadType.V150_LC_SSE, 20, SseCapability(11, 12)),
    MediaCapability(0xFFFF, 10, CodecParameters(0, 0, 0, 0)),
)
CAPS_BYTES = (
    words(4, 40)
    + bytes([1, 2, 3, 4])
    + bytes(4)
    + words(9, 30, 2, 0)
    + words(300, 20, 5, 6)
    + words(301, 20)
    + halves(7, 8, 9, 10)
    + words(302, 20, 11, 12)
    + words(0xFFFF, 10, 0, 0)
)
BUTTONS = (ButtonDefinition(1, ButtonType.LINE), ButtonDefinition(2, ButtonType.SPEED_DIAL), ButtonDefinition(0, 200))
BUTTON_BYTES = bytes([1, 9, 2, 2, 0, 200])
KEYS = (SoftKeyDefinition(b"\x80\x01", SoftKeyEvent.REDIAL), SoftKeyDefinition(b"0123456789abcdef", 99))
KEY_BYTES = text(b"\x80\x01", 16) + words(1) + b"0123456789abcdef" + words(99)
SET = SoftKeySetDefinition((SoftKeyTemplateIndex(1), *range(101, 116)), (SoftKeyInfoIndex(301), *range(1001, 1016)))
SET_BYTES = bytes([1, *range(101, 116)]) + halves(301, *range(1001, 1016))


def keys(room: int) -> dict[str, Any]:
    return {
        "soft_key_template": SoftKeyTemplate(0, 2, 2, KEYS),
        "as_sent": None if room == 640 else AsSent(room=room),
    }


ARRAYS: dict[str, tuple[Message, bytes, int]] = {
    "codecs, 292 bytes: room for 18": (
        CapabilitiesResMessage(cap_count=6, caps=CAPS),
        words(6) + CAPS_BYTES + bytes(12 * 16),
        0x10,
    ),
    "codecs, 292 bytes, junk behind them": (
        CapabilitiesResMessage(cap_count=6, caps=CAPS, as_sent=AsSent(junk=(("caps", b"\xcc" * 12 * 16),))),
        words(6) + CAPS_BYTES + b"\xcc" * 12 * 16,
        0x10,
    ),
    "codecs, 52 bytes: room for 3, which count": (
        CapabilitiesResMessage(cap_count=3, caps=CAPS[:3], as_sent=AsSent(room=48)),
        words(3) + CAPS_BYTES[:48],
        0x10,
    ),
    "codecs, 52 bytes: room for 3, and 6 counted": (
        CapabilitiesResMessage(cap_count=6, caps=CAPS[:3], as_sent=AsSent(room=48)),
        words(6) + CAPS_BYTES[:48],
        0x10,
    ),
    "codecs, 804 bytes: room for 50": (
        CapabilitiesResMessage(cap_count=6, caps=CAPS, as_sent=AsSent(room=800)),
        words(6) + CAPS_BYTES + bytes(44 * 16),
        0x10,
    ),
    "codecs, 804 bytes: 20 of 50": (
        CapabilitiesResMessage(cap_count=20, caps=CAPS[:1] * 20, as_sent=AsSent(room=800)),
        words(20) + CAPS_BYTES[:16] * 20 + bytes(30 * 16),
        0x10,
    ),
    "codecs, 4 bytes: none": (CapabilitiesResMessage(cap_count=0), words(0), 0x10),
    "buttons, 96 bytes: room for 42": (
        ButtonTemplateResMessage(button_template=ButtonTemplate(0, 3, 3, BUTTONS)),
        words(0, 3, 3) + BUTTON_BYTES + bytes(2 * 39),
        0x97,
    ),
    "buttons, 124 bytes: room for 56": (
        ButtonTemplateResMessage(button_template=ButtonTemplate(0, 3, 3, BUTTONS), as_sent=AsSent(room=112)),
        words(0, 3, 3) + BUTTON_BYTES + bytes(2 * 53),
        0x97,
    ),
    "buttons, 12 bytes: no room at all": (
        ButtonTemplateResMessage(button_template=ButtonTemplate(0, 0, 0)),
        words(0, 0, 0),
        0x97,
    ),
    "soft keys, 652 bytes: room for 32": (
        SoftKeyTemplateResMessage(**keys(640)),
        words(0, 2, 2) + KEY_BYTES + bytes(30 * 20),
        0x108,
    ),
    "soft keys, 1292 bytes: room for 64": (
        SoftKeyTemplateResMessage(**keys(1280)),
        words(0, 2, 2) + KEY_BYTES + bytes(62 * 20),
        0x108,
    ),
    "soft keys, junk in a label of an entry": (
        SoftKeyTemplateResMessage(
            soft_key_template=SoftKeyTemplate(0, 2, 2, (KEYS[1], KEYS[0])),
            as_sent=AsSent(junk=(("softKeyTemplate.definition[1].softKeyLabel", b"\xee" * 13),)),
        ),
        words(0, 2, 2) + KEY_BYTES[20:] + b"\x80\x01\0" + b"\xee" * 13 + words(1) + bytes(30 * 20),
        0x108,
    ),
    "soft key sets, 780 bytes": (
        SoftKeySetResMessage(soft_key_sets=SoftKeySets(0, 2, 2, (SET, SET))),
        words(0, 2, 2) + SET_BYTES * 2 + bytes(14 * 48),
        0x109,
    ),
    "soft key sets, 784 bytes: four more": (
        SoftKeySetResMessage(soft_key_sets=SoftKeySets(0, 2, 2, (SET, SET)), as_sent=AsSent(tail=bytes(4))),
        words(0, 2, 2) + SET_BYTES * 2 + bytes(14 * 48 + 4),
        0x109,
    ),
    "ports, 12 bytes": (
        MediaPortListMessage(port_count=2, rtp_media_port=(16384, 16386), as_sent=AsSent(room=8)),
        words(2, 16384, 16386),
        0x11,
    ),
    "ports, 68 bytes": (
        MediaPortListMessage(port_count=2, rtp_media_port=(16384, 16386)),
        words(2, 16384, 16386, *[0] * 14),
        0x11,
    ),
}


@pytest.mark.parametrize(("message", "body", "message_id"), ARRAYS.values(), ids=ARRAYS)
def test_an_array_takes_the_room_that_the_body_has(message: Message, body: bytes, message_id: int) -> None:
    assert_carries(frame(message_id, body), message)


def test_more_entries_than_usual_make_room_for_themselves() -> None:
    message = CapabilitiesResMessage(cap_count=20, caps=CAPS[:1] * 20)
    assert_carries(frame(0x10, words(20) + CAPS_BYTES[:16] * 20), message)


def servers(*addresses: str) -> dict[str, Any]:
    names = tuple(ServerIdentifier(b"cm%d" % number) for number in range(5))
    found = tuple(ServerAddress(decode_address(text_)) for text_ in addresses)
    return {"server": names, "server_tcp_listen_port": (2000, 2001, 2002, 2003, 2004), "server_ip_addr": found}


def decode_address(text_: str) -> Any:
    from ipaddress import ip_address

    return ip_address(text_)


NAMES = b"".join(text(b"cm%d" % number, 48) for number in range(5)) + words(2000, 2001, 2002, 2003, 2004)
HOSTS = [f"192.0.2.{number}" for number in range(1, 6)]


def test_five_servers_with_narrow_and_wide_addresses() -> None:
    narrow = ServerResMessage(**servers(*HOSTS))
    assert_carries(frame(0x9E, NAMES + b"".join(map(address, HOSTS))), narrow)
    wide = ServerResMessage(**servers(*HOSTS), header_version=17)
    assert_carries(frame(0x9E, NAMES + b"".join(map(family_v4, HOSTS)), 17), wide)


def test_junk_behind_a_narrow_address_in_a_wide_place_is_kept_by_its_entry() -> None:
    hosts = [family_v4(host) for host in HOSTS]
    hosts[3] = hosts[3][:8] + b"\xdd" * 12
    message = ServerResMessage(
        **servers(*HOSTS),
        header_version=17,
        as_sent=AsSent(junk=(("serverIpAddr[3].stationIpAddr", b"\xdd" * 12),)),
    )
    assert_carries(frame(0x9E, NAMES + b"".join(hosts), 17), message)


LEVELS = (LevelPreference(1, 2, 15000, 500, 3, 4), LevelPreference(5, 6, 7, 8, 9, 10))
LEVEL_BYTES = words(1, 2, 15000, 500, 3, 4, 5, 6, 7, 8, 9, 10) + bytes(2 * 24)
CONFERENCES = ConfResources(
    active_streams_on_registration=1,
    max_bw=2,
    service_resource_count=1,
    service_resource=(ServiceResource(2, (Layout(1), 77), 5, 6, 7, 8),),
)
CONFERENCE_BYTES = words(1, 2, 1) + words(2, 1, 77, 0, 0, 0, 5, 6, 7, 8) + bytes(3 * 40)
PICTURES = (CustomPictureFormat(352, 288, 1, 2, 3),)
DATA = (DataApplicationCapability(257, TransmitOrReceive.RECEIVE_ONLY, 1, 2),)
H261 = H261VideoCapability(30, 31)
H264 = H264VideoCapability(64, 50, 1, 2, 3, 4)


def capabilities(video: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "audio_cap_count": 6,
        "video_cap_count": len(video),
        "data_cap_count": 1,
        "rtp_payload_format": 9,
        "custom_picture_format_count": 1,
        "custom_picture_format": PICTURES,
        "conf_resources": CONFERENCES,
        "audiocaps": CAPS,
        "vid_caps": video,
        "data_caps": DATA,
    }


def capability_bytes(count: int, video: bytes) -> bytes:
    body = words(6, count, 1, 9, 1) + words(352, 288, 1, 2, 3) + bytes(5 * 20)
    return body + CONFERENCE_BYTES + CAPS_BYTES + bytes(12 * 16) + video + words(257, 1, 1, 2) + bytes(4 * 16)


@pytest.mark.parametrize(("version", "sent"), [(0, None), (15, None), (22, AsSent(form=0))])
def test_capabilities_of_1840_bytes_have_video_without_h264(version: int, sent: AsSent | None) -> None:
    video = (
        VideoCapability(MediaPayloadType.H261, TransmitOrReceive.BOTH, 2, LEVELS, H261),
        VideoCapability(MediaPayloadType.H264, TransmitOrReceive.TRANSMIT_ONLY, 2, LEVELS, words(64, 50)),
    )
    entries = words(100, 3, 2) + LEVEL_BYTES + words(30, 31) + words(103, 2, 2) + LEVEL_BYTES + words(64, 50)
    body = capability_bytes(2, entries + bytes(8 * 116))
    assert len(body) == 1840
    message = UpdateCapabilitiesMessage(**capabilities(video), header_version=version, as_sent=sent)
    assert_carries(frame(0x30, body, version), message)


@pytest.mark.parametrize(("version", "sent"), [(0, AsSent(form=1)), (16, None), (22, None)])
def test_capabilities_of_2000_bytes_have_h264(version: int, sent: AsSent | None) -> None:
    video = (
        VideoCapability(MediaPayloadType.H261, TransmitOrReceive.BOTH, 2, LEVELS, H261),
        VideoCapability(MediaPayloadType.H264, TransmitOrReceive.TRANSMIT_ONLY, 2, LEVELS, H264),
    )
    entries = words(100, 3, 2) + LEVEL_BYTES + words(30, 31, 0, 0, 0, 0)
    entries += words(103, 2, 2) + LEVEL_BYTES + words(64, 50, 1, 2, 3, 4)
    body = capability_bytes(2, entries + bytes(8 * 132))
    assert len(body) == 2000
    message = UpdateCapabilitiesMessage(**capabilities(video), header_version=version, as_sent=sent)
    assert_carries(frame(0x30, body, version), message)


def test_with_all_counts_zero_the_fields_behind_arrays_are_where_they_were() -> None:
    body = bytearray(1840)
    body[12:16] = words(9)
    body[20 + 6 * 20 : 20 + 6 * 20 + 4] = words(41)
    found = decode(frame(0x30, bytes(body)))
    assert isinstance(found, UpdateCapabilitiesMessage)
    assert found.conf_resources is not None
    assert (found.rtp_payload_format, found.conf_resources.active_streams_on_registration) == (9, 41)
    assert (found.custom_picture_format, found.audiocaps, found.vid_caps, found.data_caps) == ((), (), (), ())
    assert encode(found) == frame(0x30, bytes(body))


def test_equal_entries_are_one_object() -> None:
    frames = [frame(0x97, words(0, 2, 2) + bytes([1, 9]) * 2 + bytes(80)) for _ in range(2)]
    templates = [found.button_template for found in map(decode, frames) if isinstance(found, ButtonTemplateResMessage)]
    entries = [entry for template in templates if template for entry in template.definition or ()]
    assert len(entries) == 4
    assert len({id(entry) for entry in entries}) == 1
