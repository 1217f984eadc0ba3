"""What a probe learnt of one port: the answer, the protocol detected, the product."""

from __future__ import annotations

from dataclasses import dataclass

from callgate.endpoint.answer import Answer, Application, Finding, judge
from callgate.endpoint.exchange import Exchange, Observation, Transport
from callgate.endpoint.probe.question import Question
from callgate.endpoint.probe.scanner import Replay
from callgate.endpoint.probe.sip_fingerprint import Fingerprint, fingerprint
from callgate.sccp.framing import KeepaliveReply, judge_keepalive_reply

NO_NEIGHBOUR = "EHOSTUNREACH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One question and what came of it."""

    question: Question
    observation: Observation
    finding: Finding
    detected: Application | None
    """The protocol that surely speaks there. None is never "not there": silence, RST and other bytes prove nothing."""
    fingerprint: Fingerprint | None
    """Of a SIP response."""
    replay: Replay | None = None
    """Of the scanner's exchange, if it was asked for."""

    @property
    def undetermined(self) -> bool:
        """Whether nothing was learnt of the port, for want of a way to it."""
        return self.finding.answer in (Answer.NO_ROUTE, Answer.INCONCLUSIVE)

    @property
    def nobody(self) -> bool:
        """Whether no neighbour has the address, or a router's table says so: no news where a network is swept."""
        return self.finding.answer is Answer.NO_ROUTE and self.observation.detail == NO_NEIGHBOUR


def result_of(question: Question, exchange: Exchange, observation: Observation) -> Result:
    """Judge one observation; never raises, whatever was received."""
    seen = None
    detected = None
    # Before TLS is set up, the bytes are the handshake's.
    if exchange.transport is not Transport.TLS or observation.tls is not None:
        if question.service.application == Application.SCCP:
            if judge_keepalive_reply(b"".join(observation.received)) is KeepaliveReply.ACK:
                detected = Application.SCCP
        elif question.service.application == Application.SIP:
            datagrams = exchange.transport is Transport.UDP
            chunks = observation.received if datagrams else (b"".join(observation.received),)
            found = (fingerprint(exchange.payload, chunk) for chunk in chunks)
            seen = next((one for one in found if one is not None), None)
            detected = None if seen is None else Application.SIP
    return Result(
        question=question,
        observation=observation,
        finding=judge(exchange, observation),
        detected=detected,
        fingerprint=seen,
    )
