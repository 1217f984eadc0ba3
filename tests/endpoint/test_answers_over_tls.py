from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from callgate.endpoint.answer import Answer, Finding, exchange_for, judge
from callgate.endpoint.exchange import Closed, Observation
from callgate.endpoint.vantage import run_here

Serve = Callable[..., int]
Talk = Callable[[ssl.SSLSocket], None]
KEEPALIVE = bytes.fromhex("040000000000000000000000")
ACKNOWLEDGEMENT = bytes.fromhex("040000000000000000010000")


def ask(application: str, host: str, port: int, **fields: str) -> tuple[Finding, Observation]:
    exchange = exchange_for(application, "tls", ip_address(host), port, **fields)
    exchange = replace(exchange, wait_seconds=0.8)
    (observation,) = run_here([exchange])
    return judge(exchange, observation), observation


@pytest.fixture
def serve_tls(serve: Serve, certificate: tuple[Path, Path]) -> Callable[..., int]:
    """`serve_tls(talk, host, context=...)` starts a TLS server with the test's certificate."""

    def start(talk: Talk, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> int:
        terms = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        terms.load_cert_chain(*certificate)

        def behave(connection: socket.socket) -> None:
            with terms.wrap_socket(connection, server_side=True) as channel:
                talk(channel)

        return serve(behave, host)

    return start


def sccp_server(channel: ssl.SSLSocket) -> None:
    while message := channel.recv(4096):
        if message == KEEPALIVE:
            channel.sendall(ACKNOWLEDGEMENT)


def echo(channel: ssl.SSLSocket) -> None:
    while data := channel.recv(4096):
        channel.sendall(data)


def say_nothing(channel: ssl.SSLSocket) -> None:
    while channel.recv(4096):
        pass


def end_at_once(channel: ssl.SSLSocket) -> None:
    channel.recv(4096)
    with suppress(OSError):
        channel.unwrap()


def test_an_sccp_server_answers_inside_tls(serve_tls: Serve, loopback: str, certificate: tuple[Path, Path]) -> None:
    finding, observation = ask("sccp", loopback, serve_tls(sccp_server, loopback))
    assert finding.answer is Answer.ANSWERS
    assert finding.text.startswith("TLSv1.3 with TLS_")
    assert finding.text.endswith(", then KeepAliveAck, 12 bytes")
    assert observation.received == (ACKNOWLEDGEMENT,)
    assert observation.tls is not None
    assert observation.tls.certificate == ssl.PEM_cert_to_DER_cert(certificate[0].read_text())


@pytest.mark.parametrize(
    ("talk", "text"),
    [
        (echo, "then what was sent, unchanged (an echo)"),
        (say_nothing, "then silence for 0.8 s"),
        (end_at_once, "then closed by the peer"),
    ],
)
def test_a_tls_server_answers_and_the_text_says_what_was_heard_inside(serve_tls: Serve, talk: Talk, text: str) -> None:
    finding, _ = ask("sccp", "127.0.0.1", serve_tls(talk))
    assert finding.answer is Answer.ANSWERS
    assert finding.text.endswith(text)


def test_a_sip_server_answers_inside_tls(serve_tls: Serve) -> None:
    def talk(channel: ssl.SSLSocket) -> None:
        request = channel.recv(4096)
        assert b"Via: SIP/2.0/TLS " in request
        channel.sendall(request.replace(b"OPTIONS sip:127.0.0.1", b"SIP/2.0 200 OK\r\nX: ", 1))
        say_nothing(channel)

    finding, _ = ask("sip", "127.0.0.1", serve_tls(talk))
    assert finding.answer is Answer.ANSWERS
    assert ", then SIP/2.0 200 OK from callgate/" in finding.text


def test_a_tls_server_of_another_application_answers(serve_tls: Serve) -> None:
    finding, observation = ask("capf", "127.0.0.1", serve_tls(say_nothing))
    assert finding.answer is Answer.ANSWERS
    assert observation.received == ()


def test_the_server_name_is_asked_for(serve_tls: Serve) -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _, name, __: asked.append(name)
    port = serve_tls(say_nothing, context=context)
    ask("capf", "127.0.0.1", port, server_name="pbx.example.net")
    ask("capf", "127.0.0.1", port)
    assert asked == ["pbx.example.net", None]


@pytest.mark.parametrize(
    ("newest", "text"),
    [
        (ssl.TLSVersion.TLSv1_3, "TLSv1.3 with "),  # the refusal comes after the handshake
        (ssl.TLSVersion.TLSv1_2, "a TLS server, but the TLS handshake failed: "),
    ],
)
def test_a_server_that_demands_a_client_certificate_answers(
    serve_tls: Serve, certificate: tuple[Path, Path], newest: ssl.TLSVersion, text: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate[0])
    context.maximum_version = newest
    finding, _ = ask("sccp", "127.0.0.1", serve_tls(say_nothing, context=context))
    assert finding.answer is Answer.ANSWERS
    assert finding.text.startswith(text)
    assert "KeepAliveAck" not in finding.text


def test_an_alert_alone_is_a_tls_server(serve: Serve) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(bytes.fromhex("15030100020228"))  # fatal, handshake_failure

    finding, observation = ask("sccp", "127.0.0.1", serve(refuse))
    assert finding.answer is Answer.ANSWERS
    assert finding.text.startswith("a TLS server, but the TLS handshake failed: ")
    assert observation.tls is None


def hello_echo(connection: socket.socket) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


def plain_sccp(connection: socket.socket) -> None:
    if connection.recv(4096) == KEEPALIVE:
        connection.sendall(ACKNOWLEDGEMENT)


def silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    silent(connection)


@pytest.mark.parametrize(
    ("behave", "text"),
    [
        (hello_echo, "\\x16\\x03\\x01"),
        (plain_sccp, "closed by the peer"),
        (silent, "no handshake in 0.8 s; silence for 0.8 s"),
        (ssh, "21 bytes that are no answer: b'SSH-2.0-OpenSSH_9.2\\r\\n'"),
    ],
)
def test_a_listener_without_tls_is_open_and_no_answer(
    serve: Serve, behave: Callable[[socket.socket], None], text: str
) -> None:
    finding, observation = ask("sccp", "127.0.0.1", serve(behave))
    assert finding.answer is Answer.SILENT
    assert finding.text.startswith("connected, but the TLS handshake failed: ")
    assert text in finding.text
    assert observation.tls is None
    assert observation.closed is not None


def test_old_protocol_versions_answer_too(certificate: tuple[Path, Path], closed_port: Callable[..., int]) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is missing")
    made, key = map(str, certificate)
    command = [openssl, "s_server", "-accept", "127.0.0.1:0", "-cert", made, "-key", key, "-tls1"]
    server = subprocess.Popen(
        [*command, "-cipher", "DEFAULT@SECLEVEL=0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        first = next(line for line in server.stdout if line.startswith("ACCEPT"))
        finding, observation = ask("capf", "127.0.0.1", int(first.rsplit(":", 1)[1]))
    finally:
        server.terminate()
        server.communicate(timeout=5)
    assert finding.answer is Answer.ANSWERS
    assert observation.tls is not None
    assert observation.tls.version == "TLSv1"
    assert observation.closed in (Closed.OPEN, Closed.EOF)


def test_a_port_nothing_listens_on_refuses_tls(closed_port: Callable[..., int]) -> None:
    finding, _ = ask("sccp", "127.0.0.1", closed_port())
    assert finding == Finding(Answer.REFUSED, "connection refused (RST)")
