"""Real servers on loopback, asked and judged as an audit does it."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from queue import Queue

import pytest

from callgate.endpoint.answer import Answer, Finding, exchange_for, judge
from callgate.endpoint.vantage import run_here

Behaviour = Callable[[socket.socket], None]
Serve = Callable[..., int]
KEEPALIVE = bytes.fromhex("040000000000000000000000")
ACKNOWLEDGEMENT = bytes.fromhex("040000000000000000010000")


def ask(application: str, transport: str, host: str, port: int, wait_seconds: float = 0.6) -> Finding:
    exchange = replace(exchange_for(application, transport, ip_address(host), port), wait_seconds=wait_seconds)
    (observation,) = run_here([exchange])
    return judge(exchange, observation)


def until_closed(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def sccp_server(connection: socket.socket) -> None:
    while message := connection.recv(4096):
        if message == KEEPALIVE:
            connection.sendall(ACKNOWLEDGEMENT)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


def chargen(connection: socket.socket) -> None:
    line = bytes(range(32, 104)) + b"\r\n"
    while True:
        connection.sendall(line * 100)


def trickle(connection: socket.socket) -> None:
    for _ in range(30):
        connection.sendall(b"\x04")
        time.sleep(0.05)
    until_closed(connection)


def http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
    until_closed(connection)


def end_at_once(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    until_closed(connection)


def close_at_once(connection: socket.socket) -> None:
    connection.close()


def reset_at_once(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_on_data(connection: socket.socket) -> None:
    connection.recv(4096)
    reset_at_once(connection)


def acknowledge_twice(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ACKNOWLEDGEMENT)
    time.sleep(0.1)
    connection.sendall(ACKNOWLEDGEMENT)


def half_an_acknowledgement(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ACKNOWLEDGEMENT[:6])


def test_an_sccp_server_answers(serve: Serve, loopback: str) -> None:
    finding = ask("sccp", "tcp", loopback, serve(sccp_server, loopback))
    assert finding.answer is Answer.ANSWERS
    assert finding.text.startswith("KeepAliveAck, 12 bytes in ")


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        (echo, "connected, then what was sent, unchanged (an echo)"),
        (chargen, "connected, then 65536 bytes that are no answer: b' !\"#$%&"),
        (trickle, "bytes that are no answer: b'\\x04\\x04"),
        (until_closed, "connected, then silence for 0.6 s"),
        (http, "connected, then 47 bytes that are no answer: b'HTTP/1.1 400 Bad Request"),
        (ssh, "connected, then 40 bytes that are no answer: b'SSH-2.0-OpenSSH_9.2p1 Debian-2+d' ..."),
        (end_at_once, "connected, then closed by the peer"),
        (close_at_once, "connected, then "),  # RST if our bytes come after the close, else EOF
        (reset_at_once, "connected, then RST"),
        (reset_on_data, "connected, then RST"),
        (acknowledge_twice, "connected, then 24 bytes that are no answer"),
        (half_an_acknowledgement, "6 bytes that are no answer: b'\\x04\\x00\\x00\\x00\\x00\\x00', closed by the peer"),
    ],
)
def test_no_other_listener_answers_and_none_is_called_closed(
    serve: Serve, loopback: str, behaviour: Behaviour, text: str
) -> None:
    finding = ask("sccp", "tcp", loopback, serve(behaviour, loopback))
    assert finding.answer is Answer.SILENT
    assert text in finding.text
    assert finding.answer.is_open
    assert not finding.answer.is_closed


@pytest.mark.parametrize("application", ["sccp", "sip", "h323"])
def test_a_port_nothing_listens_on_refuses(closed_port: Callable[..., int], loopback: str, application: str) -> None:
    finding = ask(application, "tcp", loopback, closed_port(loopback))
    assert finding == Finding(Answer.REFUSED, "connection refused (RST)")
    assert finding.answer.is_closed


def test_a_datagram_port_nothing_listens_on_refuses(closed_port: Callable[..., int], loopback: str) -> None:
    finding = ask("sip", "udp", loopback, closed_port(loopback))
    assert finding == Finding(Answer.REFUSED, f"ICMP port unreachable from {loopback}")


def sip_reply(request: bytes, status: str = "200 OK", call: bytes | None = None) -> bytes:
    """A response as a server makes it: the request's own Via, From, To, Call-ID and CSeq."""
    copied = [line for line in request.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
    if call is not None:
        copied = [b"Call-ID: " + call if line.startswith(b"Call-ID") else line for line in copied]
    return b"\r\n".join([b"SIP/2.0 " + status.encode(), *copied, b"Server: test", b"Content-Length: 0", b"", b""])


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "404 Not Found", "500 Server Error"])
def test_a_sip_server_answers_whatever_its_status(
    serve: Serve, serve_datagrams: Serve, loopback: str, status: str
) -> None:
    def on_stream(connection: socket.socket) -> None:
        connection.sendall(sip_reply(connection.recv(4096), status))
        until_closed(connection)

    for transport, port in (
        ("udp", serve_datagrams(lambda request: [sip_reply(request, status)], loopback)),
        ("tcp", serve(on_stream, loopback)),
    ):
        finding = ask("sip", transport, loopback, port)
        assert finding.answer is Answer.ANSWERS
        assert finding.text.startswith(f"SIP/2.0 {status} from test in ")


def test_a_response_to_another_call_is_not_an_answer(serve_datagrams: Serve) -> None:
    finding = ask("sip", "udp", "127.0.0.1", serve_datagrams(lambda request: [sip_reply(request, call=b"other")]))
    assert finding.answer is Answer.SILENT
    assert "bytes that are no answer: b'SIP/2.0 200 OK" in finding.text


def test_the_response_is_found_behind_a_stray_datagram(serve_datagrams: Serve) -> None:
    finding = ask("sip", "udp", "127.0.0.1", serve_datagrams(lambda request: [b"\r\n\r\n", sip_reply(request)]))
    assert finding.answer is Answer.ANSWERS


def test_the_response_to_a_later_datagram_is_found(serve_datagrams: Serve) -> None:
    seen: list[bytes] = []

    def replies(request: bytes) -> list[bytes]:
        seen.append(request)
        return [sip_reply(request)] if len(seen) == 3 else []

    finding = ask("sip", "udp", "127.0.0.1", serve_datagrams(replies))
    assert finding.answer is Answer.ANSWERS
    assert len(seen) == 3
    assert len(set(seen)) == 1, "a retransmission is the same request"


def test_a_datagram_echo_is_open_and_no_answer(serve_datagrams: Serve, loopback: str) -> None:
    finding = ask("sip", "udp", loopback, serve_datagrams(lambda request: [request], loopback))
    assert finding == Finding(Answer.SILENT, "replied with what was sent, unchanged (an echo)")


def test_datagram_silence_is_neither_open_nor_closed(serve_datagrams: Serve, loopback: str) -> None:
    finding = ask("sip", "udp", loopback, serve_datagrams(lambda _: [], loopback))
    assert finding == Finding(Answer.NO_REPLY, "no reply to 3 datagrams in 0.6 s")
    assert not finding.answer.is_open
    assert not finding.answer.is_closed


def test_a_flood_of_datagrams_is_bounded(serve_datagrams: Serve) -> None:
    finding = ask("sip", "udp", "127.0.0.1", serve_datagrams(lambda _: [b"x" * 60000] * 50))
    assert finding.answer is Answer.SILENT


@pytest.mark.parametrize("application", ["h323", "capf", "other"])
def test_other_applications_are_only_connected(serve: Serve, application: str) -> None:
    got: Queue[bytes] = Queue()

    def listen(connection: socket.socket) -> None:
        with suppress(OSError):
            got.put(connection.recv(4096))

    finding = ask(application, "tcp", "127.0.0.1", serve(listen), wait_seconds=0.1)
    assert finding == Finding(Answer.SILENT, "connected, then silence for 0.1 s")
    assert got.get(timeout=5) == b"", "nothing was sent, and the connection was ended in order"


def test_a_full_accept_queue_looks_filtered() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            exchange = exchange_for("sccp", "tcp", ip_address("127.0.0.1"), listener.getsockname()[1])
            exchange = replace(exchange, connect_seconds=0.5)
            finding = judge(exchange, run_here([exchange])[0])
    assert finding == Finding(Answer.FILTERED, "no reply to the connection request in 0.5 s")
    assert finding.answer.is_closed
