from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.specimens import INVITE, REGISTER

from callgate.sip.message import Request, Response, read_message
from callgate.sip.transaction import (
    InviteClient,
    InviteServer,
    NonInviteClient,
    NonInviteServer,
    State,
    Timers,
    Transaction,
    cancellation,
)

TIMERS = Timers()
SOURCE = (ip_address("192.168.1.10"), 5060)


def request(data: bytes = REGISTER) -> Request:
    read = read_message(data)
    assert isinstance(read, Request)
    return read


def response(to: Request, status: int, tag: str = "t") -> Response:
    return to.response(status, "Reason", SOURCE, tag=tag)


def instants(machine: Transaction, until: float = 100.0) -> list[float]:
    """When it sends, asked whenever it is due."""
    sent: list[float] = []
    while (due := machine.due) is not None and due <= until:
        sent += [due for _ in machine.expire(due)]
    return sent


def client(*, reliable: bool = False, invite: bool = False) -> InviteClient | NonInviteClient:
    kind = InviteClient if invite else NonInviteClient
    return kind(request(INVITE if invite else REGISTER), 0.0, reliable=reliable, timers=TIMERS)


def test_a_request_is_repeated_at_the_instants_of_rfc_3261() -> None:
    """Timer E doubles up to T2; F ends it at 64*T1."""
    machine = client()
    assert instants(machine) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert machine.timed_out
    assert machine.state is State.TERMINATED


def test_an_invite_is_repeated_at_intervals_that_go_on_doubling() -> None:
    machine = client(invite=True)
    assert instants(machine) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert machine.timed_out


@pytest.mark.parametrize("invite", [True, False])
def test_nothing_is_repeated_over_a_reliable_transport(invite: bool) -> None:
    machine = client(reliable=True, invite=invite)
    assert machine.due == 32.0
    assert instants(machine) == []
    assert machine.timed_out


def test_after_a_provisional_response_a_request_is_repeated_every_t2() -> None:
    machine = client()
    assert machine.expire(0.5)
    assert machine.receive(response(machine.request, 100), 0.7) == ([], True)
    assert instants(machine) == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert machine.timed_out


def test_after_a_provisional_response_an_invite_waits_without_repeating() -> None:
    machine = client(invite=True)
    assert machine.receive(response(machine.request, 180), 0.2) == ([], True)
    assert machine.due is None
    assert instants(machine) == []
    assert not machine.timed_out


@pytest.mark.parametrize(("reliable", "kept"), [(False, 5.0), (True, None)])
def test_a_final_response_is_seen_once_and_its_repetitions_absorbed(reliable: bool, kept: float | None) -> None:
    machine = client(reliable=reliable)
    assert machine.receive(response(machine.request, 200), 1.0) == ([], True)
    assert machine.receive(response(machine.request, 200), 1.1) == ([], False)
    assert machine.due == (None if kept is None else 1.0 + kept)
    assert instants(machine) == []
    assert machine.state is State.TERMINATED
    assert not machine.timed_out


def test_a_refused_invite_is_acknowledged_each_time_the_refusal_comes() -> None:
    machine = client(invite=True)
    sent, seen = machine.receive(response(machine.request, 486), 1.0)
    assert seen
    again, seen = machine.receive(response(machine.request, 486), 2.0)
    assert not seen
    assert again == sent
    acknowledged = read_message(sent[0])
    assert isinstance(acknowledged, Request)
    assert (acknowledged.method, acknowledged.uri) == ("ACK", machine.request.uri)
    assert acknowledged.values("Via") == [machine.request.values("Via")[0]]
    assert (acknowledged.recipient.tag, acknowledged.sender) == ("t", machine.request.sender)
    assert (acknowledged.cseq.sequence, acknowledged.cseq.method) == (7, "ACK")
    assert instants(machine) == []
    assert machine.state is State.TERMINATED


def test_every_acceptance_of_an_invite_is_seen_and_none_acknowledged_here() -> None:
    machine = client(invite=True)
    assert machine.receive(response(machine.request, 200, "a"), 1.0) == ([], True)
    assert machine.receive(response(machine.request, 200, "b"), 1.1) == ([], True)
    assert machine.receive(response(machine.request, 486, "c"), 1.2) == ([], False)
    assert machine.due == 33.0


def test_a_cancellation_is_of_the_invites_transaction() -> None:
    routed = replace(request(INVITE), fields=(*request(INVITE).fields, ("Route", "<sip:a;lr>")))
    cancel = read_message(cancellation(routed).encode())
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.uri, cancel.cseq.sequence) == ("CANCEL", routed.uri, 7)
    assert cancel.via == routed.via
    assert (cancel.sender, cancel.recipient, cancel.call_id) == (routed.sender, routed.recipient, routed.call_id)
    assert cancel.values("Route") == ["<sip:a;lr>"]


def test_a_servers_response_is_repeated_when_the_request_is() -> None:
    machine = NonInviteServer(request(), 0.0, reliable=False, timers=TIMERS)
    assert machine.retransmitted() == []
    sent = machine.respond(response(machine.request, 200), 1.0)
    assert machine.retransmitted() == sent
    assert machine.respond(response(machine.request, 500), 2.0) == []
    assert machine.due == 33.0
    assert instants(machine) == []
    assert machine.state is State.TERMINATED


def test_an_acceptance_is_repeated_until_it_is_acknowledged() -> None:
    for reliable in (False, True):  # RFC 3261, 13.3.1.4: whatever the transport
        machine = InviteServer(request(INVITE), 0.0, reliable=reliable, timers=TIMERS)
        assert machine.respond(response(machine.request, 180), 0.0)
        assert machine.retransmitted()
        assert machine.due is None
        assert machine.respond(response(machine.request, 200), 10.0)
        assert machine.retransmitted() == []
        assert instants(machine, 20.0) == [10.5, 11.5, 13.5, 17.5]
        machine.acknowledged(20.0)
        assert instants(machine) == []
        assert not machine.timed_out


def test_an_acceptance_that_nobody_acknowledges_times_out() -> None:
    machine = InviteServer(request(INVITE), 0.0, reliable=True, timers=TIMERS)
    machine.respond(response(machine.request, 200), 0.0)
    assert instants(machine) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert machine.timed_out


def test_a_refusal_is_repeated_over_udp_until_it_is_acknowledged() -> None:
    machine = InviteServer(request(INVITE), 0.0, reliable=False, timers=TIMERS)
    sent = machine.respond(response(machine.request, 486), 0.0)
    assert instants(machine, 4.0) == [0.5, 1.5, 3.5]
    assert machine.retransmitted() == sent
    machine.acknowledged(5.0)
    assert machine.state is State.CONFIRMED
    assert machine.retransmitted() == []
    assert instants(machine) == []
    assert (machine.state, machine.timed_out) == (State.TERMINATED, False)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from([100, 180, 200, 302, 486])), max_size=8),
    st.booleans(),
    st.booleans(),
)
def test_every_client_ends_and_shows_one_final_response_at_most(
    script: list[tuple[float, int]], reliable: bool, invite: bool
) -> None:
    machine, now, finals = client(reliable=reliable, invite=invite), 0.0, 0
    for wait, status in script:
        now += wait
        while (due := machine.due) is not None and due <= now:
            machine.expire(due)
        _, seen = machine.receive(response(machine.request, status), now)
        finals += seen and status >= 300
    instants(machine, 1000.0)
    assert finals <= 1
    waits_for_ever = invite and machine.state is State.PROCEEDING
    assert (machine.state is State.TERMINATED) != waits_for_ever
