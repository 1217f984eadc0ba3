"""SCCP and SIP in a capture: which streams they are, whose they are, and what is not decoded."""

from __future__ import annotations

import io
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.records.connection import Connection
from tests.records.packets import Record, ethernet, ipv4, pcap, udp

from callgate.records.account import Account, id_of, name_of
from callgate.records.capture import open_capture, read_packets
from callgate.records.flow import conversation_events
from callgate.records.signalling import (
    FROM_PHONE,
    FROM_SERVER,
    SccpMessage,
    SessionEnd,
    Signalling,
    SipMessage,
    signalling_of,
)
from callgate.sccp import Message, UnknownMessage, encode
from callgate.sccp.enums.devices import DeviceType
from callgate.sccp.messages.keys import OffHookMessage
from callgate.sccp.messages.media import OpenReceiveChannelMessage
from callgate.sccp.messages.registration import (
    KeepAliveAckMessage,
    KeepAliveReqMessage,
    RegisterAckMessage,
    RegisterReqMessage,
)
from callgate.sccp.messages.structures import CodecParameters, StationIdentifier
from callgate.sccp.session import Rule

CAPTURES = Path(__file__).parents[1] / "data" / "sccp" / "captures"
ASK, ACK = encode(KeepAliveReqMessage()), encode(KeepAliveAckMessage())
REGISTER = encode(
    RegisterReqMessage(StationIdentifier(b"SEP0011", 0, 1), None)
)  # stops behind the identifier: as short as one can be and still name the device
OPTIONS = b"OPTIONS sip:pbx SIP/2.0\r\nVia: x\r\n\r\n"
BUSY = b"SIP/2.0 486 Busy Here\r\n\r\n"


def found(records: Iterable[Record], account: Account | None = None, *, sessions: bool = False) -> list[Signalling]:
    packets = read_packets(io.BytesIO(pcap(records)))
    return list(signalling_of(conversation_events(packets), account, sessions=sessions))


def messages(records: Iterable[Record], account: Account | None = None) -> list[SccpMessage]:
    return [one for one in found(records, account) if isinstance(one, SccpMessage)]


def named(records: Iterable[Record]) -> list[tuple[str, str | None, str]]:
    return [(one.direction, one.device, name_of(one.message)) for one in messages(records)]


def test_messages_have_their_direction_and_from_registration_on_their_device() -> None:
    talk = Connection().phone(ASK).server(ACK).phone(REGISTER).phone(ASK).server(ACK).close()
    assert named(talk.records) == [
        (FROM_PHONE, None, "KeepAliveReqMessage"),
        (FROM_SERVER, None, "KeepAliveAckMessage"),
        (FROM_PHONE, "SEP0011", "RegisterReqMessage"),
        (FROM_PHONE, "SEP0011", "KeepAliveReqMessage"),
        (FROM_SERVER, "SEP0011", "KeepAliveAckMessage"),
    ]


def test_a_message_has_the_time_of_the_packet_that_completed_it() -> None:
    talk = Connection().phone(ASK[:5]).phone(ASK[5:] + ASK[:4]).phone(ASK[4:])
    assert [one.time for one in messages(talk.records)] == [talk.records[3].time, talk.records[4].time]


def test_one_device_is_not_taken_for_another_connection() -> None:
    first, second = Connection(40000).phone(REGISTER), Connection(40001).phone(ASK)
    assert [one.device for one in messages([*first.records, *second.records])] == ["SEP0011", None]


@pytest.mark.parametrize(("handshake", "direction"), [(True, FROM_PHONE), (False, FROM_PHONE)])
def test_sccp_is_found_on_another_port(handshake: bool, direction: str) -> None:
    talk = Connection(server_port=12000, handshake=handshake).phone(ASK + ASK)
    assert [one.direction for one in messages(talk.records)] == [direction, direction]


def test_on_another_port_what_a_server_alone_sends_tells_the_server() -> None:
    talk = Connection(server_port=12000, handshake=False).server(ACK + ACK)
    assert [one.direction for one in messages(talk.records)] == [FROM_SERVER, FROM_SERVER]


@pytest.mark.parametrize(
    "stream", [b"GET / HTTP/1.0\r\n\r\n" * 8, bytes(range(256)), b"\x04\0\0\0\0\0\0\0\x77\x07\0\0"]
)
def test_what_is_not_sccp_on_another_port_is_left_alone(stream: bytes) -> None:
    account = Account()
    assert not found(Connection(server_port=8080).phone(stream).close().records, account)
    assert not account.undecoded


def test_a_strange_stream_on_the_call_managers_port_is_counted() -> None:
    account = Account()
    stream = b"GET / HTTP/1.0\r\n\r\n"
    assert not found(Connection().phone(stream).close().records, account)
    assert account.undecoded == {"bytes of SCCP streams skipped": len(stream)}


def test_tls_is_counted_and_not_decoded() -> None:
    account = Account()
    hello = b"\x16\x03\x01\x00\xc8\x01" + bytes(60)
    assert not found(Connection(server_port=2443).phone(hello).close().records, account)
    assert account.undecoded == {"TLS streams": 1}


def test_sip_is_named_as_sip_over_tcp_and_udp() -> None:
    account = Account()
    datagrams = [Record(ethernet(ipv4(udp(data), protocol=17))) for data in (OPTIONS, BUSY, b"RTP" * 20)]
    seen = found([*Connection().phone(OPTIONS).server(BUSY).records, *datagrams], account)
    assert [one.start_line for one in seen if isinstance(one, SipMessage)] == [
        "OPTIONS sip:pbx SIP/2.0",
        "SIP/2.0 486 Busy Here",
    ] * 2
    assert account.sip == 4
    assert len(seen) == 4


def test_bytes_the_capture_lacks_are_counted_and_decoding_goes_on() -> None:
    account = Account()
    talk = Connection().server(ACK + ACK[:3]).lost(9).server(ACK + ACK).phone(ASK).close()
    assert [name_of(one.message) for one in messages(talk.records, account)].count("KeepAliveAckMessage") == 3
    assert account.undecoded == {"bytes missing from SCCP streams": 9, "bytes of SCCP streams skipped": 3}


def test_a_beginning_cut_off_by_a_gap_is_counted() -> None:
    account = Account()
    assert len(messages(Connection().server(ACK[:5]).lost(7).server(ACK).phone(ASK).close().records, account)) == 2
    assert account.undecoded == {"bytes missing from SCCP streams": 7, "bytes of SCCP streams skipped": 5}


def test_a_stream_whose_beginning_is_missing_is_read_from_its_first_message_on() -> None:
    account = Account()
    talk = Connection(handshake=False).server(ACK[7:] + ACK + ACK).close()
    assert len(messages(talk.records, account)) == 2
    assert account.undecoded == {"bytes of SCCP streams skipped": 5}


@pytest.mark.parametrize("message", [UnknownMessage(0x777, b"\1\2\3\4"), UnknownMessage(0x9D, bytes(33))])
def test_a_segment_of_whole_messages_is_read_though_the_one_before_was_not_seen(message: UnknownMessage) -> None:
    account = Account()
    frame = encode(message)
    seen = messages(
        Connection(handshake=False).server(frame).lost(100).server(frame).server(ACK).close().records, account
    )
    assert [id_of(one.message) for one in seen] == [message.message_id, message.message_id, 0x100]
    assert account.undecoded == {"bytes missing from SCCP streams": 100}


@pytest.mark.parametrize(("version", "kind"), [(17, CodecParameters), (9, int)])
def test_the_negotiated_version_tells_what_header_and_length_do_not(version: int, kind: type) -> None:
    """chan_skinny says header 0 at every version."""
    station = StationIdentifier(b"SEP0011", 0, 1)
    register = RegisterReqMessage(station, IPv4Address("10.0.0.1"), DeviceType.STATION_TELECASTER_MGR, 0, 0, version)
    accept = RegisterAckMessage(30, b"D/M/Y", 0, 30, version, 0, 0)
    channel = UnknownMessage(0x0105, bytes(92))
    talk = Connection().phone(encode(register)).server(encode(accept) + encode(channel))
    opened = messages(talk.records)[-1].message
    assert isinstance(opened, OpenReceiveChannelMessage)
    assert opened.qualifier_in is not None
    assert isinstance(opened.qualifier_in.codec_params_union, kind)


def test_counts_are_by_message_and_unknown_ids_are_told_apart_up_to_a_limit() -> None:
    account = Account()
    unknown = b"".join(encode(UnknownMessage(0x9000 + number)) for number in range(300))
    seen = messages(Connection().phone(ASK + unknown).records, account)
    assert account.messages == {KeepAliveReqMessage: 1}
    assert account.unknown["0x9000"] == 1
    assert account.unknown["other"] == 300 - 256
    assert account.total == 301
    assert {id_of(one.message) for one in seen} == {0, *range(0x9000, 0x9000 + 300)}
    assert {name_of(one.message) for one in seen} == {"KeepAliveReqMessage", "Unknown"}


def test_a_tail_that_no_source_explains_is_counted_by_name() -> None:
    account = Account()
    tail = b"\x0c\0\0\0" + ASK[4:] + b"behind a"
    assert len(messages(Connection().phone(tail + ASK).records, account)) == 2
    assert account.unexplained_tails == {"KeepAliveReqMessage": 1}


def test_what_is_out_of_order_is_told_where_sessions_are_followed() -> None:
    talk = Connection().phone(encode(OffHookMessage(1, 0))).close()
    account = Account()
    (followed,) = found(talk.records, account, sessions=True)
    assert isinstance(followed, SccpMessage)
    assert [violation.rule for violation in followed.violations] == [Rule.UNREGISTERED]
    assert account.violations == 1
    (alone,) = found(talk.records)
    assert isinstance(alone, SccpMessage)
    assert alone.violations == ()


def test_after_a_gap_nothing_is_out_of_order_that_the_gap_may_explain() -> None:
    talk = Connection().phone(REGISTER).lost(40, by_phone=True).phone(encode(OffHookMessage(1, 0)) + ASK + ASK)
    seen = found(talk.server(encode(RegisterAckMessage(30, b"D/M/Y"))).close().records, sessions=True)
    assert [
        one for one in seen if isinstance(one, SessionEnd) or (isinstance(one, SccpMessage) and one.violations)
    ] == []
    assert len(seen) == 5


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.stem)
def test_real_captures_are_decoded_whole_and_rebuilt(path: Path) -> None:
    account = Account()
    seen = list(signalling_of(conversation_events(open_capture(path)), account, sessions=True))
    for one in seen:
        if isinstance(one, SccpMessage) and isinstance(one.message, Message):
            assert encode(one.message)
    if "malformed" not in path.name:
        assert not account.undecoded
        assert not account.unexplained_tails
        assert not account.unknown
        assert account.violations == 0
    assert account.total == len([one for one in seen if isinstance(one, SccpMessage)])


def test_the_malformed_capture_is_accounted_for_to_the_byte() -> None:
    account = Account()
    seen = list(signalling_of(conversation_events(open_capture(CAPTURES / "skinny-malformed.pcap")), account))
    assert account.total == 51
    assert account.sip == 1
    assert account.undecoded == {"bytes of SCCP streams skipped": 66341, "TLS streams": 1}
    assert account.unexplained_tails == {"KeepAliveReqMessage": 2, "AlarmMessage": 2, "RegisterReqMessage": 2}
    assert account.unknown == {"0x0777": 1, "0x8001": 1, "0xffff": 1, "0xffffffff": 1, "0x80000000": 1}
    assert len(seen) == 52
