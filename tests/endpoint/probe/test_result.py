"""What is detected behind real ports: on loopback, over each transport."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from callgate.endpoint.answer import Answer, Application
from callgate.endpoint.exchange import Closed, Contact, Exchange, Observation, TlsSession, Transport
from callgate.endpoint.probe.question import ProbedService, Question
from callgate.endpoint.probe.result import Result, result_of
from callgate.endpoint.probe.sip_fingerprint import Basis
from callgate.endpoint.probe.sweep import sweep
from callgate.endpoint.probe.target import Target
from callgate.sccp.framing import frame, keepalive

Serve = Callable[..., int]
ACK = frame(0x0100)


def question(application: str, transport: Transport, host: str, port: int) -> Question:
    service = ProbedService(f"{application}-{transport}", application, transport, range(port, port + 1))
    return Question(Target(host, ip_address(host)), ip_address(host), port, service)


def ask(application: str, transport: Transport, host: str, port: int, seconds: float = 0.8) -> Result:
    (result,) = sweep([question(application, transport, host, port)], seconds=seconds)
    return result


def until_closed(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def sccp_server(connection: socket.socket) -> None:
    while connection.recv(4096) == keepalive():
        connection.sendall(ACK)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


def two_acks(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ACK)
    time.sleep(0.1)
    connection.sendall(ACK)
    until_closed(connection)


def ack_and_more(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ACK + b"\0")
    until_closed(connection)


def ack_of_another_version(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(frame(0x0100, version=11))
    until_closed(connection)


def half_an_ack(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ACK[:6])
    until_closed(connection)


def reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close(connection: socket.socket) -> None:
    connection.recv(4096)


def endless(connection: socket.socket) -> None:
    while True:
        connection.sendall(ACK * 1000)


def drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"\x04")
        time.sleep(0.02)


def test_exactly_the_ack_detects_sccp(serve: Serve, loopback: str) -> None:
    result = ask("sccp", Transport.TCP, loopback, serve(sccp_server, loopback))
    assert (result.finding.answer, result.detected) == (Answer.ANSWERS, Application.SCCP)


@pytest.mark.parametrize(
    "behaviour",
    [echo, two_acks, ack_and_more, ack_of_another_version, half_an_ack, reset, close, until_closed, endless, drip],
)
def test_anything_else_is_open_and_inconclusive(serve: Serve, behaviour: Callable[[socket.socket], None]) -> None:
    result = ask("sccp", Transport.TCP, "127.0.0.1", serve(behaviour))
    assert (result.finding.answer, result.detected, result.undetermined) == (Answer.SILENT, None, False)


def tls(certificate: tuple[Path, Path], behaviour: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            behaviour(inside)

    return serve_tls


def test_sccp_inside_tls_is_detected(serve: Serve, certificate: tuple[Path, Path]) -> None:
    result = ask("sccp", Transport.TLS, "127.0.0.1", serve(tls(certificate, sccp_server)))
    assert (result.finding.answer, result.detected) == (Answer.ANSWERS, Application.SCCP)


def test_tls_alone_detects_no_sccp(serve: Serve, certificate: tuple[Path, Path]) -> None:
    result = ask("sccp", Transport.TLS, "127.0.0.1", serve(tls(certificate, until_closed)))
    assert (result.finding.answer, result.detected) == (Answer.ANSWERS, None)


def test_an_ack_in_place_of_a_handshake_detects_no_sccp_over_tls(serve: Serve) -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(ACK)
        until_closed(connection)

    result = ask("sccp", Transport.TLS, "127.0.0.1", serve(plain))
    assert result.detected is None


def sip_reply(request: bytes, tag: str = "985SIPpTag011") -> bytes:
    copied = [line for line in request.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
    tagged = [line + f";tag={tag}".encode() if line.startswith(b"To") else line for line in copied]
    return b"\r\n".join([b"SIP/2.0 200 OK", *tagged, b"Content-Length: 0", b"", b""])


def test_a_sip_server_is_detected_and_its_product_told(
    serve: Serve, serve_datagrams: Serve, certificate: tuple[Path, Path]
) -> None:
    def on_stream(connection: socket.socket) -> None:
        connection.sendall(sip_reply(connection.recv(4096)))
        until_closed(connection)

    for transport, port in (
        (Transport.UDP, serve_datagrams(lambda request: [b"stray", sip_reply(request)])),
        (Transport.TCP, serve(on_stream)),
        (Transport.TLS, serve(tls(certificate, on_stream))),
    ):
        result = ask("sip", transport, "127.0.0.1", port)
        assert result.detected is Application.SIP
        assert result.fingerprint is not None
        assert (result.fingerprint.family, result.fingerprint.basis) == ("SIPp", Basis.HEADERS)


def test_a_datagram_echo_is_no_sip_server(serve_datagrams: Serve) -> None:
    result = ask("sip", Transport.UDP, "127.0.0.1", serve_datagrams(lambda request: [request]))
    assert (result.finding.answer, result.detected, result.fingerprint) == (Answer.SILENT, None, None)


def observed(exchange: Exchange, contact: Contact, received: tuple[bytes, ...] = (), **more: object) -> Observation:
    return Observation(key=exchange.key, source=None, contact=contact, received=received, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("contact", "detail", "undetermined", "nobody"),
    [
        (Contact.REFUSED, "ECONNREFUSED", False, False),
        (Contact.TIMEOUT, "ETIMEDOUT", False, False),
        (Contact.UNREACHABLE, "EHOSTUNREACH", False, False),
        (Contact.NO_ROUTE, "EHOSTUNREACH", True, True),
        (Contact.NO_ROUTE, "ENETUNREACH", True, False),
        (Contact.NO_ROUTE, "EPERM", True, False),
        (Contact.ERROR, "EMFILE", True, False),
    ],
)
def test_only_a_way_that_is_missing_leaves_a_port_undetermined(
    contact: Contact, detail: str, undetermined: bool, nobody: bool
) -> None:
    one = question("sccp", Transport.TCP, "192.0.2.1", 2000)
    result = result_of(one, one.exchange(), observed(one.exchange(), contact, detail=detail))
    assert (result.undetermined, result.nobody, result.detected) == (undetermined, nobody, None)


def test_the_ack_counts_inside_tls_only_when_tls_stands() -> None:
    one = question("sccp", Transport.TLS, "192.0.2.1", 2443)
    exchange = one.exchange()
    without = observed(exchange, Contact.CONNECTED, (ACK,), closed=Closed.OPEN, tls_error="WRONG_VERSION_NUMBER")
    within = observed(exchange, Contact.CONNECTED, (ACK,), closed=Closed.OPEN, tls=TlsSession("TLSv1.3", "x", None))
    assert result_of(one, exchange, without).detected is None
    assert result_of(one, exchange, within).detected is Application.SCCP
