from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate import __version__
from callgate.endpoint.answer import Answer, Finding, exchange_for, judge
from callgate.endpoint.exchange import Closed, Contact, Exchange, IcmpError, Observation, TlsSession, Transport
from callgate.sip.options import options_request

HERE = IPv4Address("192.0.2.1")
ACKNOWLEDGEMENT = bytes.fromhex("040000000000000000010000")
TOKEN = "0123456789abcdef"
OK = options_request(HERE, 5060, "udp", TOKEN).replace(b"OPTIONS sip:192.0.2.1:5060 SIP/2.0", b"SIP/2.0 200 OK", 1)

WAYS = [
    ("sccp", "tcp"),
    ("sccp", "tls"),
    ("sip", "udp"),
    ("sip", "tcp"),
    ("sip", "tls"),
    ("h323", "tcp"),
    ("capf", "tls"),
    ("tftp", "udp"),
]
EXCHANGES = st.sampled_from([exchange_for(*way, HERE, 5060, key="k", token=TOKEN) for way in WAYS])
ADDRESSES = st.sampled_from([HERE, IPv6Address("2001:db8::1")])
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
OBSERVATIONS = st.builds(
    Observation,
    key=st.just("k"),
    source=st.none() | ADDRESSES,
    contact=st.sampled_from(Contact),
    detail=TEXT,
    icmp=st.none() | st.builds(IcmpError, st.integers(0, 255), st.integers(0, 255), ADDRESSES),
    received=st.lists(st.binary(max_size=40) | st.sampled_from([ACKNOWLEDGEMENT, OK]), max_size=3).map(tuple),
    closed=st.none() | st.sampled_from(Closed),
    tls=st.none() | st.builds(TlsSession, TEXT, TEXT, st.none() | st.binary(max_size=4)),
    tls_error=st.none() | TEXT,
    milliseconds=st.integers(0, 9999),
)


def seen(contact: Contact, **fields: Any) -> Observation:
    return replace(Observation(key="k", source=HERE, contact=contact), **fields)


@pytest.mark.parametrize(
    ("application", "transport", "payload"),
    [
        ("sccp", "tcp", bytes(12).replace(b"\x00", b"\x04", 1)),
        ("sccp", "tls", bytes(12).replace(b"\x00", b"\x04", 1)),
        ("sip", "udp", options_request(HERE, 5060, "udp", TOKEN)),
        ("sip", "tcp", options_request(HERE, 5060, "tcp", TOKEN)),
        ("sip", "tls", options_request(HERE, 5060, "tls", TOKEN)),
        ("h323", "tcp", b""),
        ("mgcp", "udp", b""),
        ("capf", "tls", b""),
    ],
)
def test_each_service_is_asked_in_its_own_words(application: str, transport: str, payload: bytes) -> None:
    asked = exchange_for(application, transport, HERE, 5060, token=TOKEN)
    assert asked.payload == payload
    assert (asked.address, asked.port, asked.transport) == (HERE, 5060, Transport(transport))
    connect_only = transport == "tcp" and payload == b""
    assert asked.wait_seconds == (0.5 if connect_only else 2.0)


def test_exchanges_are_named_and_requests_are_never_the_same() -> None:
    first, second = (exchange_for("sip", "udp", ip_address("2001:db8::1"), 5060) for _ in range(2))
    assert first.key == second.key == "sip/udp 2001:db8::1 5060"
    assert first.payload != second.payload
    assert exchange_for("sccp", "tls", HERE, 2443, key="mine", server_name="pbx").server_name == "pbx"


@pytest.mark.parametrize(
    ("application", "transport", "port"), [("sccp", "udp", 2000), ("sip", "sctp", 5060), ("sip", "udp", 0)]
)
def test_what_cannot_be_asked_is_refused(application: str, transport: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"UDP|sctp|0 is not a port"):
        exchange_for(application, transport, HERE, port)


@pytest.mark.parametrize(
    ("way", "observation", "finding"),
    [
        (
            ("sccp", "tcp"),
            seen(Contact.CONNECTED, received=(ACKNOWLEDGEMENT,), milliseconds=1),
            Finding(Answer.ANSWERS, "KeepAliveAck, 12 bytes in 1 ms"),
        ),
        (
            ("sip", "udp"),
            seen(Contact.CONNECTED, received=(b"", OK), milliseconds=7),
            Finding(Answer.ANSWERS, f"SIP/2.0 200 OK from callgate/{__version__} in 7 ms"),
        ),
        (
            ("sip", "udp"),
            seen(Contact.CONNECTED, received=(OK[:100], OK[100:])),
            Finding(Answer.SILENT, "replied with 100 bytes that are no answer: "),
        ),
        (
            ("sip", "udp"),
            seen(Contact.CONNECTED, received=(ACKNOWLEDGEMENT,)),
            Finding(Answer.SILENT, "replied with 12 bytes that are no answer: "),
        ),
        (
            ("tftp", "udp"),
            seen(Contact.CONNECTED, received=(b"",)),
            Finding(Answer.SILENT, "replied with 0 bytes that are no answer: b''"),
        ),
        (
            ("sip", "udp"),
            seen(Contact.CONNECTED),
            Finding(Answer.INCONCLUSIVE, "a reply was announced, but none was recorded"),
        ),
        (
            ("sccp", "tcp"),
            seen(Contact.CONNECTED, received=(OK,), closed=Closed.RESET),
            Finding(Answer.SILENT, "connected, then "),
        ),
        (
            ("capf", "tls"),
            seen(Contact.CONNECTED, tls=TlsSession("TLSv1.2", "AES128-SHA", None), tls_error="ALERT"),
            Finding(Answer.ANSWERS, "TLSv1.2 with AES128-SHA, then ALERT"),
        ),
        (
            ("sccp", "tls"),
            seen(
                Contact.CONNECTED,
                tls=TlsSession("TLSv1.3", "TLS_AES_256_GCM_SHA384", b"0"),
                tls_error="TLSV13_ALERT_CERTIFICATE_REQUIRED",
            ),
            Finding(
                Answer.ANSWERS,
                "TLSv1.3 with TLS_AES_256_GCM_SHA384, then ended by the peer: TLSV13_ALERT_CERTIFICATE_REQUIRED",
            ),
        ),
        (("sccp", "tcp"), seen(Contact.REFUSED), Finding(Answer.REFUSED, "connection refused (RST)")),
        (("sip", "udp"), seen(Contact.REFUSED), Finding(Answer.REFUSED, "port unreachable")),
        (
            ("sccp", "tcp"),
            seen(Contact.UNREACHABLE, icmp=IcmpError(3, 10, ip_address("198.51.100.1"))),
            Finding(Answer.UNREACHABLE, "ICMP host administratively prohibited from 198.51.100.1"),
        ),
        (
            ("sccp", "tcp"),
            seen(Contact.UNREACHABLE, icmp=IcmpError(3, 99, ip_address("198.51.100.1"))),
            Finding(Answer.UNREACHABLE, "ICMP type 3 code 99 from 198.51.100.1"),
        ),
        (
            ("sccp", "tcp"),
            seen(Contact.NO_ROUTE, detail="ENETUNREACH"),
            Finding(Answer.NO_ROUTE, "nothing left the sending machine: ENETUNREACH"),
        ),
        (
            ("sccp", "tcp"),
            seen(Contact.TIMEOUT),
            Finding(Answer.FILTERED, "no reply to the connection request in 4 s"),
        ),
        (("sip", "udp"), seen(Contact.TIMEOUT), Finding(Answer.NO_REPLY, "no reply to 3 datagrams in 2 s")),
        (
            ("sip", "udp"),
            seen(Contact.ERROR, detail="EMFILE"),
            Finding(Answer.INCONCLUSIVE, "the exchange failed: EMFILE"),
        ),
    ],
)
def test_what_was_seen_is_told_in_plain_words(way: tuple[str, str], observation: Observation, finding: Finding) -> None:
    found = judge(exchange_for(*way, HERE, 5060, token=TOKEN), observation)
    assert found.answer is finding.answer
    assert found.text.startswith(finding.text)


@given(EXCHANGES, OBSERVATIONS)
def test_only_the_protocol_answers(exchange: Exchange, observation: Observation) -> None:
    finding = judge(exchange, observation)
    if exchange.transport is Transport.TLS:
        return
    whole = b"".join(observation.received)
    if exchange.payload[:7] == b"OPTIONS":
        # OK was made for UDP; the transport in its Via is no part of the transaction.
        spoken = OK in observation.received if exchange.transport is Transport.UDP else whole.startswith(OK)
    else:
        spoken = exchange.payload != b"" and whole == ACKNOWLEDGEMENT
    assert (finding.answer is Answer.ANSWERS) == (spoken and observation.contact is Contact.CONNECTED)


@given(EXCHANGES.filter(lambda exchange: exchange.transport is Transport.TLS), OBSERVATIONS)
def test_only_a_handshake_or_tls_records_answer_over_tls(exchange: Exchange, observation: Observation) -> None:
    finding = judge(exchange, observation)
    whole = b"".join(observation.received)
    if finding.answer is Answer.ANSWERS:
        assert observation.contact is Contact.CONNECTED
        assert observation.tls is not None or (whole[0] in (0x15, 0x16) and whole[1] == 3)
    elif observation.contact is Contact.CONNECTED:
        assert observation.tls is None


@given(EXCHANGES, OBSERVATIONS)
def test_a_finding_is_one_printable_line_and_never_both_open_and_closed(
    exchange: Exchange, observation: Observation
) -> None:
    finding = judge(exchange, observation)
    assert finding.text
    assert finding.text.isascii()
    assert finding.text.isprintable()
    assert not (finding.answer.is_open and finding.answer.is_closed)
    if observation.contact is Contact.CONNECTED:
        assert not finding.answer.is_closed, "what was connected is never closed"
    else:
        assert not finding.answer.is_open


def test_open_and_closed_are_each_proven_by_few_answers() -> None:
    assert {answer for answer in Answer if answer.is_open} == {Answer.ANSWERS, Answer.SILENT}
    assert {answer for answer in Answer if answer.is_closed} == {
        Answer.REFUSED,
        Answer.UNREACHABLE,
        Answer.FILTERED,
    }


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("15030100020228", Answer.ANSWERS),  # fatal alert
        ("1503030002010a", Answer.ANSWERS),  # warning alert
        ("160303007a020000760303", Answer.ANSWERS),  # ServerHello
        ("16030100c8010000c40303", Answer.SILENT),  # ClientHello: our own, echoed
        ("1503010002", Answer.SILENT),  # half an alert
        ("15030100020928", Answer.SILENT),  # no such level
        ("15020100020228", Answer.SILENT),  # no such version
        ("17030300100000", Answer.SILENT),  # data before any handshake
        ("", Answer.SILENT),
    ],
)
def test_tls_is_told_by_its_records_when_the_handshake_failed(raw: str, answer: Answer) -> None:
    observation = seen(Contact.CONNECTED, received=(bytes.fromhex(raw),), tls_error="WRONG_VERSION_NUMBER")
    assert judge(exchange_for("sccp", "tls", HERE, 2443), observation).answer is answer
