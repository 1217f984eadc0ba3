"""What a phone does and does not do for a server that asks for audio."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from tests.endpoint.sccp_phone.phones import (
    HOST,
    MEDIA,
    SERVER,
    connected,
    device_at,
    kinds,
    sent,
)
from tests.endpoint.sccp_phone.scripted import (
    LOOPBACK,
    NAME,
    PARTY,
    REFERENCE,
    CallManager,
    opening,
    starting,
    state,
    template,
)

from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sccp_phone import Device, Identity
from callgate.endpoint.sccp_phone.actions import (
    MediaRefused,
    MediaStart,
    Send,
)
from callgate.endpoint.sccp_phone.device import Stage
from callgate.endpoint.sccp_phone.leg import STARTS_LIMIT
from callgate.sccp import Message, decode, encode
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.enums.media import MediaPayloadType, MediaStatus
from callgate.sccp.messages import media, registration
from callgate.sccp.messages.structures import MediaEncryptionKeyInfo

# Audio


@pytest.mark.parametrize("party", [0, 1, 77, 0xFFFFFFFE, 0xFFFFFFFF])
@pytest.mark.parametrize(("version", "length"), [(3, 24), (11, 24), (16, 24), (17, 40), (22, 40)])
def test_the_party_id_is_given_back_as_it_came(party: int, version: int, length: int) -> None:
    device = device_at(Stage.REGISTERING, version=version)
    for answer in CallManager(version=version).take(registration.RegisterReqMessage(protocol_ver=version)):
        device.receive(answer)
    device.receive(template(ButtonType.LINE))
    device.place_call("6", MEDIA)
    device.receive(state(DCallState.OFF_HOOK))
    device.receive(state(DCallState.CONNECTED))
    (message, *_) = sent(device.receive(opening(party=party)))
    frame = encode(message)
    assert int.from_bytes(frame[:4], "little") == length
    again = decode(frame, negotiated=version)
    assert isinstance(again, media.OpenReceiveChannelAckMessage)
    assert again.pass_through_party_id == party
    assert again.media_reception_status == MediaStatus.OK
    assert (again.ip_addr, again.port_number) == (HOST, 40000)
    assert again.call_reference == REFERENCE


def test_a_channel_is_not_opened_for_a_phone_on_hook() -> None:
    device = device_at()
    (answer,) = sent(device.receive(opening()))
    assert isinstance(answer, media.OpenReceiveChannelAckMessage)
    assert answer.media_reception_status == MediaStatus.DEVICE_ON_HOOK
    assert answer.port_number == 0
    assert answer.pass_through_party_id == PARTY


def test_a_channel_of_another_call_is_not_opened() -> None:
    (answer,) = sent(connected().receive(opening(reference=REFERENCE + 1)))
    assert isinstance(answer, media.OpenReceiveChannelAckMessage)
    assert answer.media_reception_status == MediaStatus.INVALID_CALL_REF


@pytest.mark.parametrize(
    ("message", "status", "says"),
    [
        (opening(MediaPayloadType.G729), MediaStatus.INVALID_CODEC, "G729"),
        (opening(milliseconds=0), MediaStatus.INVALID_CODEC, "packets of 0 ms"),
        (opening(milliseconds=1), MediaStatus.INVALID_CODEC, "packets of 1 ms"),
        (opening(key=MediaEncryptionKeyInfo(1, 0, 0, b"", b"", 0, 0)), MediaStatus.UNKNOWN, "encrypted"),
    ],
)
def test_what_the_phone_does_not_do_is_refused(message: Message, status: MediaStatus, says: str) -> None:
    answer, refused = connected().receive(message)
    assert isinstance(answer, Send)
    assert isinstance(answer.message, media.OpenReceiveChannelAckMessage)
    assert answer.message.media_reception_status == status
    assert isinstance(refused, MediaRefused)
    assert says in refused.text


@pytest.mark.parametrize(
    ("address", "port", "says"),
    [
        ("224.0.0.1", 20000, "multicast"),
        ("239.255.255.255", 20000, "multicast"),
        ("255.255.255.255", 20000, "broadcast"),
        ("127.0.0.1", 20000, "loopback"),
        ("127.255.255.255", 20000, "loopback"),
        ("169.254.1.1", 20000, "link-local"),
        ("240.0.0.1", 20000, "reserved"),
        ("0.1.2.3", 20000, "no host"),
        ("10.0.0.1", 0, "port 0"),
        ("10.0.0.1", 53, "port 53"),
        ("10.0.0.1", 70000, "port 70000"),
        ("2001:db8::1", 20000, "IPv4"),
    ],
)
def test_audio_is_sent_to_no_such_place(address: str, port: int, says: str) -> None:
    device = connected()
    device.receive(opening())
    (refused,) = device.receive(starting(ip_address(address), port))
    assert isinstance(refused, MediaRefused)
    assert says in refused.text


@pytest.mark.parametrize(
    ("address", "says"),
    [("ff02::1", "multicast"), ("::1", "loopback"), ("fe80::1", "link-local"), ("::ffff:127.0.0.1", "loopback"),
     ("::ffff:224.0.0.1", "multicast"), ("10.0.0.1", "IPv6")],
)  # fmt: skip
def test_audio_over_ipv6_is_sent_to_no_such_place(address: str, says: str) -> None:
    device = connected(local=IPv6Address("2001:db8::7"), server=IPv6Address("2001:db8::1"))
    (refused,) = device.receive(starting(ip_address(address), 20000))
    assert isinstance(refused, MediaRefused)
    assert says in refused.text


def test_a_server_on_loopback_may_name_loopback() -> None:
    device = connected(local=LOOPBACK, server=LOOPBACK)
    assert device.receive(starting(LOOPBACK, 20000)) == [MediaStart(TransportAddress(LOOPBACK, 20000), 0, "PCMU", 20)]


def test_an_ipv6_phone_tells_and_takes_ipv6_addresses() -> None:
    local = IPv6Address("2001:db8::7")
    device = connected(local=local, server=IPv6Address("2001:db8::1"))
    answer = sent(device.receive(opening()))[0]
    assert isinstance(answer, media.OpenReceiveChannelAckMessage)
    assert answer.ip_addr == local
    assert kinds(device.receive(starting(IPv6Address("2001:db8::9"), 20000))) == [MediaStart]


def test_an_ipv6_phone_says_so_where_the_version_has_no_room() -> None:
    local = IPv6Address("2001:db8::7")
    request = sent(Device(Identity(device_name=NAME, version=17), local, SERVER).register())[0]
    assert isinstance(request, registration.RegisterReqMessage)
    assert (request.station_ip_addr, request.station_ip_v6_addr) == (IPv4Address(0), local)
    assert isinstance(decode(encode(request)), registration.RegisterReqMessage)
    device = device_at(version=11, local=local)
    with pytest.raises(ValueError, match="no room for the phone's IPv6 address"):
        device.place_call("600", TransportAddress(local, 40000))


def test_no_address_is_no_place_to_send_to() -> None:
    assert connected().receive(starting(IPv4Address(0), 0)) == [MediaStart(None, 0, "PCMU", 20)]


def test_a_second_stream_is_refused() -> None:
    device = connected()
    assert kinds(device.receive(starting(SERVER, 20000))) == [MediaStart]
    assert kinds(device.receive(starting(SERVER, 20002, party=1))) == [MediaRefused]


def test_audio_may_be_sent_elsewhere_but_not_everywhere() -> None:
    device = connected()
    found = [kinds(device.receive(starting(SERVER, 20000 + 2 * n))) for n in range(1000)]
    assert found[:STARTS_LIMIT] == [[MediaStart]] * STARTS_LIMIT
    assert found[STARTS_LIMIT:] == [[MediaRefused]] + [[]] * (999 - STARTS_LIMIT)


def test_after_hanging_up_nothing_is_sent() -> None:
    device = connected()
    device.hang_up()
    assert device.receive(starting(SERVER, 20000)) == []


@pytest.mark.parametrize(("version", "length"), [(11, 28), (17, 44), (19, 48), (22, 48)])
def test_a_port_that_is_asked_for_is_that_of_the_call(version: int, length: int) -> None:
    device = device_at(Stage.REGISTERING, version=version)
    for answer in CallManager(version=version).take(registration.RegisterReqMessage(protocol_ver=version)):
        device.receive(answer)
    device.receive(template(ButtonType.LINE))
    asked = media.PortReqMessage(
        conference_id=1, call_reference=REFERENCE, pass_through_party_id=PARTY, media_transport_type=1,
        ip_address_type=0, media_type=1
    )  # fmt: skip
    assert device.receive(asked) == []
    device.place_call("6", MEDIA)
    (answer,) = sent(device.receive(asked))
    frame = encode(answer)
    assert int.from_bytes(frame[:4], "little") == length
    again = decode(frame, negotiated=version)
    assert isinstance(again, media.PortResMessage)
    assert (again.ip_addr, again.port_number, again.pass_through_party_id) == (HOST, 40000, PARTY)
