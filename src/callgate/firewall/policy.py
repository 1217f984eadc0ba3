"""The policy of one host: its rules, its routing, and what they make of packets."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from callgate.errors import EvidenceError
from callgate.firewall.allocation import without_collection
from callgate.firewall.host import Host
from callgate.firewall.outcome import Outcome, OutcomeMap, Outcomes
from callgate.firewall.path import Path
from callgate.firewall.rule import Family, FieldName, Rule, Ruleset, Verdict
from callgate.firewall.survey import survey
from callgate.firewall.trace import Packet
from callgate.firewall.view import PEER, Span, View

KEPT: Final = 1024
"""How many answers for whole classes of packets are kept; then all are dropped and computed anew."""

_OWN_TTL: Final = 64
"""What the host itself sends begins with it (ip-sysctl.rst, ip_default_ttl; RFC 1700)."""
FRAMES: Final = 12_000
"""Python frames one evaluation may nest. Since CPython 3.11 they cost memory, not the stack of the process."""

PacketVerdict = Literal["accept", "drop", "reject", "unknown"]


class Traced(NamedTuple):
    """What happens to one packet, and through which rules."""

    verdict: PacketVerdict
    rules: tuple[str, ...]


class Policy:
    """Answers for one host. Building it surveys the rules, and raises EvidenceError where they cannot be."""

    def __init__(self, ruleset: Ruleset, host: Host) -> None:
        self.ruleset = ruleset
        self.host = host
        self.survey = survey(ruleset)
        self._path = Path(ruleset, host, self.survey)
        self._answers: dict[tuple[object, ...], OutcomeMap] = {}
        self._traced: dict[Outcomes, Traced] = {}
        self._replied: dict[Outcomes, tuple[OutcomeMap, ...]] = {}

    def span(self, field: FieldName, number: int, last: int) -> Span:
        """The numbers around this one that no rule tells apart from it."""
        if field in self.survey.masked:
            return number, number
        bounds = self.survey.bounds.get(field, ())
        at = bisect_right(bounds, number)
        return (bounds[at - 1] if at else 0), (bounds[at] - 1 if at < len(bounds) else last)

    def trace(self, packet: Packet) -> Traced:
        """What happens to this packet; `unknown` where it rests on something the evidence does not tell."""
        if packet.iif not in self.host.interfaces:
            return Traced("unknown", (f"the host has no interface {packet.iif}",))
        outcomes = self._answer(packet).at(packet.source)
        if len({outcome.fate for outcome in outcomes}) > 1 and self.survey.masked & {"saddr4", "saddr6"}:
            # A mask with holes in it may be too wide for all sources together, but not for one.
            view = self.view(
                packet, self._port("sport", packet.source_port), self._port("dport", packet.destination_port)
            )
            outcomes = self.outcomes(replace(view, saddr=(packet.source, packet.source))).at(0)
        traced = self._traced.get(outcomes)
        if traced is None:
            if len(self._traced) > KEPT * 64:
                self._traced.clear()
            traced = self._traced[outcomes] = _summed_up(outcomes)
        if traced.verdict == "reject":
            return self._answered(packet, outcomes, traced)
        if traced.verdict == "accept":
            return self._delivered(packet, outcomes, traced)
        return traced

    def _answered(self, packet: Packet, outcomes: Outcomes, traced: Traced) -> Traced:
        """A rejection is one only if its answer leaves the host; within it, a packet refused is a packet dropped."""
        if packet.iif == self.host.loopback or packet.source in self.host.own(packet.family):
            return Traced("drop", (*traced.rules, "no answer to it leaves the host"))
        known = self._replied.get(outcomes)
        if known is None:
            with _deep():
                known = tuple(
                    self._path.sent(answer_to(outcome.view, reset_by(outcome.because)))
                    for outcome in outcomes
                    if outcome.view is not None
                )
            self._replied[outcomes] = known
        fates = {one.fate for answer in known for one in answer.at(packet.source)}
        if fates == {"accept"}:
            return traced
        verdict: PacketVerdict = "unknown" if "accept" in fates or "unknown" in fates else "drop"
        return Traced(verdict, (*traced.rules, "the answer to it is dropped on its way out"))

    def _delivered(self, packet: Packet, outcomes: Outcomes, traced: Traced) -> Traced:
        """A packet that leaves for a host behind a router has not arrived yet."""
        attached = self.host.attached(packet.family)
        for outcome in outcomes:
            view = outcome.view
            if view is not None and view.oif is not None and view.oif != self.host.loopback:
                where = view.daddr
                if not isinstance(where, tuple) or not attached.covers(*where):
                    said = f"it leaves by {view.oif} towards a router: whether it arrives is not told"
                    return Traced("unknown", (*traced.rules, said))
        return traced

    def _answer(self, packet: Packet) -> OutcomeMap:
        sport = self._port("sport", packet.source_port)
        dport = self._port("dport", packet.destination_port)
        key = (packet.iif, packet.destination, packet.protocol, sport, dport, packet.tcp_flags, packet.ttl,
               packet.state, packet.family)  # fmt: skip
        known = self._answers.get(key)
        if known is None:
            if len(self._answers) >= KEPT:
                self.forget()
            known = self._answers[key] = self.outcomes(self.view(packet, sport, dport))
        return known

    def forget(self) -> None:
        """Drop what was computed so far; the next question computes it anew."""
        self._answers.clear()
        self._replied.clear()
        self._path = Path(self.ruleset, self.host, self.survey)

    def _port(self, field: Literal["sport", "dport"], port: int | None) -> Span | None:
        if port is None:
            return None
        first, last = self.span(field, port, 0xFFFF)
        other_first, other_last = self.span("orig_dport" if field == "dport" else "orig_sport", port, 0xFFFF)
        return max(first, other_first), min(last, other_last)

    def view(self, packet: Packet, sport: Span | None, dport: Span | None) -> View:
        """The packet with its source left open."""
        return View(
            family=packet.family,
            protocol=packet.protocol,
            iif=packet.iif,
            saddr=PEER,
            daddr=(packet.destination, packet.destination),
            sport=sport,
            dport=dport,
            tcp_flags=packet.tcp_flags,
            ttl=(packet.ttl, packet.ttl),
            told=packet.state,
            pkttype=self.packet_type(packet.family, packet.destination),
        )

    def packet_type(self, family: Family, destination: int) -> int:
        """How the link layer carries it: 0 to the host, 1 broadcast, 2 multicast."""
        if destination in self.host.of_kind(family, "multicast"):
            return 2
        return int(destination in self.host.of_kind(family, "broadcast"))

    def outcomes(self, view: View) -> OutcomeMap:
        """What becomes of a class of packets, for every source at once."""
        with _deep():
            return self._path.sent(view) if view.iif == self.host.loopback else self._path.arriving(view)

    def replies(self, view: View) -> OutcomeMap:
        """What becomes of the host's replies to a class of packets that came in, for every peer at once.

        Replies belong to an established flow, so nothing translates them anew.
        """
        reply = replace(
            view,
            iif=None,
            oif=view.iif,
            saddr=view.daddr,
            daddr=PEER,
            sport=view.dport,
            dport=view.sport,
            orig_saddr=PEER,
            tcp_flags=0x12,
            ttl=(_OWN_TTL, _OWN_TTL),
            pkttype=0,
            told="established",
            direction=1,
        )
        with _deep():
            return self._path.sent(reply)


@contextmanager
def _deep() -> Iterator[None]:
    """Chains are followed by recursion: as deep as they nest and as often as they change marks, within a bound."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        with without_collection():
            yield
    except RecursionError:
        raise EvidenceError("ruleset", "chains and changes of marks nest too deep to follow") from None
    finally:
        sys.setrecursionlimit(before)


def answer_to(view: View, reset: bool) -> View:
    """What REJECT sends back for a packet: related to its flow, so that it is not translated as a new one."""
    protocol = view.protocol if reset else 1 if view.family == 4 else 58
    return replace(
        view,
        protocol=protocol,
        iif=None,
        oif=view.iif,
        saddr=view.daddr,
        daddr=PEER,
        sport=view.dport if reset else None,
        dport=view.sport if reset else None,
        orig_saddr=PEER,
        tcp_flags=0x14,
        ttl=(_OWN_TTL, _OWN_TTL),
        pkttype=0,
        mark=0,
        state=None,
        told="related",
        direction=1,
        bound=frozenset({"source", "destination"}),
    )


def reset_by(because: tuple[Rule | str, ...]) -> bool:
    """Whether the rule that rejected does so with a TCP RST."""
    last = because[-1] if because else None
    steps = last.steps if isinstance(last, Rule) else ()
    return any(isinstance(step, Verdict) and step.reset for step in steps)


def _summed_up(outcomes: Outcomes) -> Traced:
    fates = {outcome.fate for outcome in outcomes}
    rules = dict.fromkeys(str(one) for outcome in sorted(outcomes, key=_order) for one in outcome.because)
    if fates == {"accept"}:
        return Traced("accept", tuple(rules) or ("no rule refuses it",))
    if fates == {"drop"}:
        return Traced("drop", tuple(rules))
    if fates == {"reject"}:
        return Traced("reject", tuple(rules))
    return Traced("unknown", tuple(rules))


def _order(outcome: Outcome) -> tuple[str, tuple[str, ...]]:
    return outcome.fate, tuple(str(one) for one in outcome.because)
