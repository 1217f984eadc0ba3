"""What to ask a port, and what its answer proves. Pure: the prober does the asking.

What was sent decides what counts as an answer: a KeepAliveAck to a KeepAlive, a SIP response to that very
OPTIONS request, a TLS handshake to a ClientHello. Nothing else is one, however it looks.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from callgate.endpoint.exchange import Closed, Contact, Exchange, IcmpError, Observation, Transport
from callgate.sccp.framing import KeepaliveReply, judge_keepalive_reply, keepalive
from callgate.sip.options import options_request, response_to

CONNECT_ONLY_WAIT_SECONDS: Final = 0.5
"""Wait after a TCP connection over which nothing is asked: long enough to see it closed or a banner."""
SHOWN_BYTES: Final = 32


class Application(StrEnum):
    """The applications a probe speaks. Of any other it learns only whether the port is open."""

    SCCP = "sccp"
    """Over TCP and TLS: an unregistered KeepAlive, which changes nothing on the server."""
    SIP = "sip"
    """Over UDP, TCP and TLS: an OPTIONS request."""


class Answer(StrEnum):
    """What a port did, and how much that proves about this vantage and this moment."""

    ANSWERS = "answers"
    """The service is there and talks: a KeepAliveAck, a SIP response (a refusal too), or a TLS server.
    TLS proves no application by itself; what was heard inside it stands in the finding's text."""
    SILENT = "silent"
    """Open: TCP connected or a datagram came back, but nothing of the protocol. Does not prove that the service
    is absent: it may be full, ban the vantage, or want something else first."""
    REFUSED = "refused"
    """RST or ICMP port unreachable. Closed to this vantage. Does not prove that nothing listens: a firewall can
    send either."""
    UNREACHABLE = "unreachable"
    """Another ICMP error from the target or from a router. Closed to this vantage. Does not prove a rule: the host
    may be down or the way to it broken."""
    FILTERED = "filtered"
    """TCP only: nothing came back. Closed to this vantage. Does not prove where packets were dropped, be it at the
    target (a listener with a full queue drops too), on the way or at the vantage, nor that the host is up."""
    NO_REPLY = "no-reply"
    """UDP only: nothing came back. Proves nothing: a server may ignore what it was asked."""
    NO_ROUTE = "no-route"
    """Nothing left the vantage, or no neighbour took it. Proves nothing about the target."""
    INCONCLUSIVE = "inconclusive"
    """The exchange failed in another way. Proves nothing."""

    @property
    def is_open(self) -> bool:
        """Whether packets of this vantage certainly reached a listener, or a proxy before it, and answers came back."""
        return self in (Answer.ANSWERS, Answer.SILENT)

    @property
    def is_closed(self) -> bool:
        """Whether this vantage was certainly kept out. Neither open nor closed means undetermined."""
        return self in (Answer.REFUSED, Answer.UNREACHABLE, Answer.FILTERED)


@dataclass(frozen=True, slots=True)
class Finding:
    """What an observation means."""

    answer: Answer
    text: str
    """What was seen, in one line of printable ASCII."""


def exchange_for(
    application: str,
    transport: str,
    address: IPv4Address | IPv6Address,
    port: int,
    *,
    key: str | None = None,
    server_name: str | None = None,
    token: str | None = None,
) -> Exchange:
    """The exchange that asks one service.

    `transport` is `tcp`, `udp` or `tls`. Of an application that is neither `sccp` nor `sip`, TCP is only
    connected, TLS only set up, and UDP sent one empty datagram at a time. `key` defaults to application,
    transport, address and port; `token` makes a SIP request unique (see `options_request`) and is random by
    default. ValueError if the arguments cannot be, like SCCP over UDP.
    """
    way = Transport(transport)
    payload = b""
    wait_seconds = 2.0
    if application == Application.SCCP:
        if way is Transport.UDP:
            raise ValueError("SCCP does not run over UDP")
        payload = keepalive()
    elif application == Application.SIP:
        payload = options_request(address, port, way, token or secrets.token_hex(12))
    elif way is Transport.TCP:
        wait_seconds = CONNECT_ONLY_WAIT_SECONDS
    return Exchange(
        key=f"{application}/{way} {address} {port}" if key is None else key,
        address=address,
        port=port,
        transport=way,
        payload=payload,
        wait_seconds=wait_seconds,
        server_name=server_name,
    )


def judge(exchange: Exchange, observation: Observation) -> Finding:
    """Say what the observation of this exchange means; never raises, whatever was received."""
    match observation.contact:
        case Contact.CONNECTED if exchange.transport is Transport.UDP:
            return _judge_datagrams(exchange, observation)
        case Contact.CONNECTED if exchange.transport is Transport.TLS:
            return _judge_tls(exchange, observation)
        case Contact.CONNECTED:
            return _judge_stream(exchange, observation)
        case Contact.REFUSED:
            sign = "port unreachable" if exchange.transport is Transport.UDP else "connection refused (RST)"
            return Finding(Answer.REFUSED, icmp_cause(observation.icmp, sign))
        case Contact.UNREACHABLE:
            return Finding(Answer.UNREACHABLE, icmp_cause(observation.icmp, observation.detail))
        case Contact.NO_ROUTE:
            cause = icmp_cause(observation.icmp, observation.detail)
            return Finding(Answer.NO_ROUTE, f"nothing left the sending machine: {cause}")
        case Contact.TIMEOUT if exchange.transport is Transport.UDP:
            text = f"no reply to {exchange.attempts} datagrams in {exchange.wait_seconds:g} s"
            return Finding(Answer.NO_REPLY, text)
        case Contact.TIMEOUT:
            return Finding(Answer.FILTERED, f"no reply to the connection request in {exchange.connect_seconds:g} s")
        case _:
            return Finding(Answer.INCONCLUSIVE, f"the exchange failed: {observation.detail or 'no reason given'}")


def _judge_datagrams(exchange: Exchange, observation: Observation) -> Finding:
    for datagram in observation.received:
        heard = _recognise(exchange.payload, datagram)
        if heard is not None:
            return Finding(Answer.ANSWERS, f"{heard} in {observation.milliseconds} ms")
    if not observation.received:
        return Finding(Answer.INCONCLUSIVE, "a reply was announced, but none was recorded")
    return Finding(Answer.SILENT, f"replied with {_describe(exchange.payload, observation.received[0])}")


def _judge_stream(exchange: Exchange, observation: Observation) -> Finding:
    heard = _recognise(exchange.payload, b"".join(observation.received))
    if heard is not None:
        return Finding(Answer.ANSWERS, f"{heard} in {observation.milliseconds} ms")
    return Finding(Answer.SILENT, f"connected, then {_account(exchange, observation)}")


def _judge_tls(exchange: Exchange, observation: Observation) -> Finding:
    received = b"".join(observation.received)
    if observation.tls is not None:
        text = f"{observation.tls.version} with {observation.tls.cipher}"
        if exchange.payload:
            heard = _recognise(exchange.payload, received)
            text = f"{text}, then {_account(exchange, observation) if heard is None else heard}"
        elif observation.tls_error is not None:
            text = f"{text}, then {observation.tls_error}"
        return Finding(Answer.ANSWERS, text)
    failure = f"the TLS handshake failed: {observation.tls_error or observation.detail or 'no reason given'}"
    if _is_tls_server(received):  # it may want a certificate of us, or a version or cipher we lack
        return Finding(Answer.ANSWERS, f"a TLS server, but {failure}")
    return Finding(Answer.SILENT, f"connected, but {failure}; {_account(exchange, observation)}")


def _recognise(payload: bytes, received: bytes) -> str | None:
    """Name the answer to what was sent; None if what was received is not one."""
    if payload == keepalive():
        acknowledged = judge_keepalive_reply(received) is KeepaliveReply.ACK
        return f"KeepAliveAck, {len(received)} bytes" if acknowledged else None
    response = response_to(payload, received) if payload else None
    if response is None:
        return None
    product = f" from {response.product}" if response.product else ""
    return f"SIP/2.0 {response.status} {response.reason}".rstrip() + product


def _account(exchange: Exchange, observation: Observation) -> str:
    """What a stream did that gave no answer."""
    received = b"".join(observation.received)
    end = {Closed.EOF: "closed by the peer", Closed.RESET: "RST"}.get(observation.closed or Closed.OPEN)
    if observation.tls_error is not None and observation.tls is not None:
        end = f"ended by the peer: {observation.tls_error}"
    if received:
        return _describe(exchange.payload, received) + (f", {end}" if end else "")
    return end or f"silence for {exchange.wait_seconds:g} s"


def _describe(payload: bytes, received: bytes) -> str:
    if payload and received == payload:
        return "what was sent, unchanged (an echo)"
    more = " ..." if len(received) > SHOWN_BYTES else ""
    return f"{len(received)} bytes that are no answer: {received[:SHOWN_BYTES]!r}{more}"


def _is_tls_server(received: bytes) -> bool:
    """Whether the bytes begin with a fatal or warning alert, or with a ServerHello (RFC 8446, sections 5.1, 6, 4)."""
    content_type, version, length, rest = received[:1], received[1:2], received[3:5], received[5:]
    if version != b"\x03":
        return False
    if content_type == b"\x15":
        return length == b"\x00\x02" and len(rest) >= 2 and rest[:1] in (b"\x01", b"\x02")
    return content_type == b"\x16" and rest[:1] == b"\x02"


_ICMP_NAMES: Final = {
    (4, 3, 0): "network unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 2): "protocol unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 9): "network administratively prohibited",
    (4, 3, 10): "host administratively prohibited",
    (4, 3, 13): "communication administratively prohibited",
    (6, 1, 0): "no route to destination",
    (6, 1, 1): "administratively prohibited",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 1, 5): "source address failed policy",
    (6, 1, 6): "route rejected",
}
"""By IP version, type and code: RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1; RFC 4443 section 3.1."""


def icmp_cause(icmp: IcmpError | None, without: str) -> str:
    """An ICMP error in words, with its sender; `without` says it where there was none."""
    if icmp is None:
        return without or "no reason given"
    unnamed = f"type {icmp.type} code {icmp.code}"
    return f"ICMP {_ICMP_NAMES.get((icmp.sender.version, icmp.type, icmp.code), unnamed)} from {icmp.sender}"
