from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.sip.specimens import INVITE, REGISTER

from callgate.sip.fields import Hop
from callgate.sip.message import Request, Response, read_message
from callgate.sip.transactions import (
    MAXIMUM_SERVER_TRANSACTIONS,
    Arrived,
    Asked,
    Stray,
    TimedOut,
    TransactionLayer,
    Transmit,
    server_key_of,
)

SERVER: Hop = (ip_address("192.168.1.10"), 5060)


def request(data: bytes) -> Request:
    read = read_message(data)
    assert isinstance(read, Request)
    return read


def answer(to: bytes, status: int, *changes: tuple[bytes, bytes]) -> Response:
    data = request(to).response(status, "X", SERVER, tag="t").encode()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new, 1)
    read = read_message(data)
    assert isinstance(read, Response)
    return read


def ack(branch: bytes = b"z9hG4bKproxy") -> Request:
    data = INVITE.replace(b"INVITE sip", b"ACK sip").replace(b"7 INVITE", b"7 ACK")
    return request(data.replace(b"z9hG4bKproxy", branch))


def test_a_response_reaches_its_request() -> None:
    layer = TransactionLayer(reliable=False)
    key, actions = layer.request(request(REGISTER), 0.0)
    assert actions == [Transmit(REGISTER)]
    response = answer(REGISTER, 200)
    assert layer.receive(response, SERVER, 0.1) == [Arrived(key, response)]
    assert layer.receive(response, SERVER, 0.2) == []  # absorbed while timer K runs


@pytest.mark.parametrize(
    "change",
    [
        (b"z9hG4bKabc", b"z9hG4bKabd"),
        (b"CSeq: 1 REGISTER", b"CSeq: 1 INVITE"),
        (b"CSeq: 1 REGISTER", b"CSeq: 2 REGISTER"),
        (b"Call-ID: 1@", b"Call-ID: 2@"),
        (b";tag=a1", b";tag=a2"),
        (b";tag=a1", b""),
        (b";branch=z9hG4bKabc", b""),
    ],
    ids=["branch", "method", "sequence", "call", "tag", "no tag", "no branch"],
)
def test_a_response_to_something_else_reaches_nobody(change: tuple[bytes, bytes]) -> None:
    layer = TransactionLayer(reliable=False)
    layer.request(request(REGISTER), 0.0)
    response = answer(REGISTER, 200, change)
    assert layer.receive(response, SERVER, 0.1) == [Stray(response)]
    assert layer.due == 0.5  # the request goes on


def test_only_the_topmost_via_counts() -> None:
    layer = TransactionLayer(reliable=False)
    layer.request(request(REGISTER), 0.0)
    response = answer(REGISTER, 200, (b"Via: ", b"Via: SIP/2.0/UDP x;branch=z9hG4bKother\r\nVia: "))
    assert layer.receive(response, SERVER, 0.1) == [Stray(response)]


def test_a_request_that_times_out_is_named() -> None:
    layer = TransactionLayer(reliable=True)
    key, _ = layer.request(request(REGISTER), 0.0)
    assert layer.expire(31.9) == []
    assert layer.expire(32.0) == [TimedOut(key)]
    assert layer.due is None


def test_what_was_missed_is_made_up_for_in_order() -> None:
    layer = TransactionLayer(reliable=False)
    key, _ = layer.request(request(REGISTER), 0.0)
    assert layer.expire(3.6) == 3 * [Transmit(REGISTER)]
    assert layer.due == 7.5
    assert layer.expire(1000.0)[-1] == TimedOut(key)


def test_a_repeated_request_gets_the_same_response_and_is_asked_once() -> None:
    layer = TransactionLayer(reliable=False)
    bye = request(INVITE.replace(b"INVITE sip", b"BYE sip").replace(b"7 INVITE", b"7 BYE"))
    (asked,) = layer.receive(bye, SERVER, 0.0)
    assert isinstance(asked, Asked)
    assert asked.key is not None
    assert layer.receive(bye, SERVER, 0.1) == []  # not answered yet
    (sent,) = layer.respond(asked.key, bye.response(200, "OK", SERVER), 0.2)
    assert isinstance(sent, Transmit)
    assert sent.hop == (SERVER[0], 5060)
    assert layer.receive(bye, SERVER, 0.3) == [sent]
    layer.expire(40.0)
    assert len(layer.receive(bye, SERVER, 40.0)) == 1  # forgotten: a new request


def test_the_response_goes_to_where_an_rport_request_came_from() -> None:
    layer = TransactionLayer(reliable=False)
    behind_nat: Hop = (ip_address("198.51.100.7"), 1024)
    (asked,) = layer.receive(request(REGISTER), behind_nat, 0.0)
    assert isinstance(asked, Asked)
    assert asked.key is not None
    (sent,) = layer.respond(asked.key, asked.request.response(200, "OK", behind_nat), 0.0)
    assert isinstance(sent, Transmit)
    assert sent.hop == behind_nat
    assert b";rport=1024;received=198.51.100.7\r\n" in sent.data


def test_requests_of_other_hosts_with_the_same_branch_are_others() -> None:
    layer = TransactionLayer(reliable=False)
    for host in (b"192.168.1.50:40000", b"192.168.1.51:40000", b"192.168.1.50:40001"):
        (asked,) = layer.receive(request(REGISTER.replace(b"192.168.1.50:40000;b", host + b";b")), SERVER, 0.0)
        assert isinstance(asked, Asked)


def test_the_ack_of_a_refusal_is_absorbed_and_that_of_an_acceptance_is_not() -> None:
    layer = TransactionLayer(reliable=False)
    (asked,) = layer.receive(request(INVITE), SERVER, 0.0)
    assert isinstance(asked, Asked)
    assert asked.key is not None
    layer.respond(asked.key, asked.request.response(486, "Busy Here", SERVER, tag="t"), 0.0)
    assert layer.receive(ack(), SERVER, 0.1) == []
    assert layer.expire(1.0) == []  # no longer repeated
    (other,) = layer.receive(ack(b"z9hG4bKother"), SERVER, 0.1)
    assert isinstance(other, Asked)
    assert other.key is None


def test_a_peer_of_rfc_2543_is_matched_by_its_fields() -> None:
    layer = TransactionLayer(reliable=False)
    old = request(INVITE.replace(b"z9hG4bKproxy", b"1"))
    (asked,) = layer.receive(old, SERVER, 0.0)
    assert isinstance(asked, Asked)
    assert asked.key is not None
    layer.respond(asked.key, old.response(486, "Busy Here", SERVER, tag="t"), 0.0)
    assert len(layer.receive(old, SERVER, 0.1)) == 1
    assert layer.receive(ack(b"1"), SERVER, 0.1) == []
    assert layer.expire(1.0) == []


def test_a_cancel_names_its_invite() -> None:
    layer = TransactionLayer(reliable=False)
    (asked,) = layer.receive(request(INVITE), SERVER, 0.0)
    cancel = request(INVITE.replace(b"INVITE sip", b"CANCEL sip").replace(b"7 INVITE", b"7 CANCEL"))
    (asked_again,) = layer.receive(cancel, SERVER, 0.0)
    assert isinstance(asked, Asked)
    assert isinstance(asked_again, Asked)
    assert server_key_of(cancel) == asked.key != asked_again.key


def test_a_flood_of_requests_is_bounded() -> None:
    layer = TransactionLayer(reliable=False)
    asked = [
        layer.receive(request(REGISTER.replace(b"z9hG4bKabc", f"z9hG4bK{number}".encode())), SERVER, 0.0)
        for number in range(MAXIMUM_SERVER_TRANSACTIONS + 10)
    ]
    assert [len(actions) for actions in asked] == MAXIMUM_SERVER_TRANSACTIONS * [1] + 10 * [0]


def test_what_is_given_up_is_stray() -> None:
    layer = TransactionLayer(reliable=False)
    key, _ = layer.request(request(REGISTER), 0.0)
    layer.abandon(key)
    assert layer.due is None
    assert isinstance(layer.receive(answer(REGISTER, 200), SERVER, 0.1)[0], Stray)
