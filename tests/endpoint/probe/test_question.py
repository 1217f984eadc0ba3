"""Targets times services."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.exchange import Transport
from callgate.endpoint.probe.question import MAXIMUM_QUESTIONS, ProbedService, Question, questions
from callgate.endpoint.probe.target import parse_target
from callgate.errors import UsageMistake

SCCP = ProbedService("sccp", "sccp", Transport.TCP, range(2000, 2001))
SCCP_TLS = ProbedService("sccp-tls", "sccp", Transport.TLS, range(2443, 2444))
SIP_UDP = ProbedService("sip-udp", "sip", Transport.UDP, range(5060, 5061))
SIP_TCP = ProbedService("sip-tcp", "sip", Transport.TCP, range(5060, 5061))
SIP_TLS = ProbedService("sip-tls", "sip", Transport.TLS, range(5061, 5062))
DEFAULT = (SCCP, SCCP_TLS, SIP_UDP, SIP_TCP, SIP_TLS)


def shown(asked: list[Question]) -> list[tuple[str, int, str]]:
    return [(str(one.address), one.port, one.service.name) for one in asked]


def test_each_service_is_asked_at_its_own_port() -> None:
    assert shown(questions([parse_target("192.0.2.1")], {}, DEFAULT)) == [
        ("192.0.2.1", 2000, "sccp"),
        ("192.0.2.1", 2443, "sccp-tls"),
        ("192.0.2.1", 5060, "sip-udp"),
        ("192.0.2.1", 5060, "sip-tcp"),
        ("192.0.2.1", 5061, "sip-tls"),
    ]


def test_a_port_of_a_target_gets_the_services_that_belong_there() -> None:
    assert [name for _, _, name in shown(questions([parse_target("192.0.2.1:5060")], {}, DEFAULT))] == [
        "sip-udp",
        "sip-tcp",
    ]


def test_a_port_where_no_service_belongs_gets_all() -> None:
    found = shown(questions([parse_target("192.0.2.1:8080")], {}, DEFAULT))
    assert [name for _, _, name in found] == [service.name for service in DEFAULT]
    assert {port for _, port, _ in found} == {8080}


def test_a_service_that_was_named_is_asked_at_every_port_that_was() -> None:
    found = questions(
        [parse_target("192.0.2.1"), parse_target("192.0.2.2:9")],
        {},
        [SCCP, SIP_TCP],
        ports=[range(5060, 5062)],
        every_service=True,
    )
    assert shown(found) == [
        ("192.0.2.1", 5060, "sccp"),
        ("192.0.2.1", 5060, "sip-tcp"),
        ("192.0.2.1", 5061, "sccp"),
        ("192.0.2.1", 5061, "sip-tcp"),
        ("192.0.2.2", 9, "sccp"),
        ("192.0.2.2", 9, "sip-tcp"),
    ]


def test_what_repeats_is_asked_once() -> None:
    targets = [parse_target(text) for text in ("192.0.2.0/30", "192.0.2.1", "::ffff:192.0.2.2", "192.0.2.1:2000")]
    found = questions(targets, {}, [SCCP])
    assert shown(found) == [("192.0.2.1", 2000, "sccp"), ("192.0.2.2", 2000, "sccp")]
    assert {one.target.text for one in found} == {"192.0.2.0/30"}


def test_a_name_is_asked_at_each_of_its_addresses_of_the_families() -> None:
    resolved = {"pbx.example": (ip_address("192.0.2.1"), ip_address("2001:db8::1"))}
    target = parse_target("pbx.example")
    assert [address for address, _, _ in shown(questions([target], resolved, [SCCP]))] == ["192.0.2.1", "2001:db8::1"]
    only = questions([target], resolved, [SCCP], families=frozenset({6}))
    assert [address for address, _, _ in shown(only)] == ["2001:db8::1"]


def test_a_name_that_did_not_resolve_is_asked_nothing() -> None:
    assert questions([parse_target("pbx.example")], {"pbx.example": "no such name"}, DEFAULT) == []


def test_the_name_is_what_tls_asks_for() -> None:
    for name, asked_for in (("pbx.example", "pbx.example"), ("my_pbx.example", None), ("192.0.2.1", None)):
        resolved = {name: (ip_address("192.0.2.1"),)}
        (question,) = questions([parse_target(name)], resolved, [SIP_TLS])
        assert question.exchange().server_name == asked_for


def test_a_time_limit_replaces_both_waits() -> None:
    (question,) = questions([parse_target("192.0.2.1")], {}, [SCCP])
    exchange = question.exchange(seconds=0.5)
    assert (exchange.connect_seconds, exchange.wait_seconds) == (0.5, 0.5)
    assert (question.exchange().connect_seconds, question.exchange().wait_seconds) == (4.0, 2.0)


@pytest.mark.parametrize("texts", [["10.1.0.0/16", "10.2.0.0/16"], ["10.1.0.0/24"]])
def test_too_many_questions_are_refused_before_they_are_made(texts: list[str]) -> None:
    ports = [range(1, 65536)] if len(texts) == 1 else []
    with pytest.raises(UsageMistake, match=f"at most {MAXIMUM_QUESTIONS:,} questions"):
        questions([parse_target(text) for text in texts], {}, DEFAULT, ports=ports)


def test_a_network_of_the_largest_size_fits() -> None:
    assert len(questions([parse_target("10.1.0.0/16")], {}, [SCCP])) == 65534


@given(
    st.lists(st.sampled_from(["192.0.2.0/29", "192.0.2.3", "192.0.2.4:2000", "2001:db8::/126", "192.0.2.9:99"])),
    st.lists(st.sampled_from(DEFAULT), min_size=1, unique=True),
    st.booleans(),
)
def test_no_question_repeats_and_none_is_lost(texts: list[str], services: list[ProbedService], every: bool) -> None:
    found = shown(questions([parse_target(text) for text in texts], {}, services, every_service=every))
    assert len(found) == len(set(found))
    alone = {
        entry for text in texts for entry in shown(questions([parse_target(text)], {}, services, every_service=every))
    }
    assert set(found) == alone
