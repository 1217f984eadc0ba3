"""Where a service stands on a host: its sockets, the addresses and the device each is bound to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.errors import NotDetermined
from callgate.evidence.listener import Listener
from callgate.firewall.host import EVERYONE
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.question import Question
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.view import Span

LINE_SHOWN = 160

Addresses = tuple[tuple[Family, Intervals], ...]
"""Addresses by family, as a `Question` takes them."""


def listening(target: Target, service: Service) -> tuple[Listener, ...]:
    """The sockets on the service's ports. Raises EvidenceError where the evidence does not tell."""
    return tuple(listener for listener in target.evidence.listeners if service.claims(listener))


def bindings(listeners: Sequence[Listener]) -> str:
    """The listeners in words, like `2000/tcp (asterisk) on every IPv4 address`."""
    where: dict[str, list[str]] = {}
    for listener in listeners:
        where.setdefault(listener.endpoint, []).append(listener.binding)
    shown = [f"{endpoint} on {', '.join(dict.fromkeys(places))}" for endpoint, places in list(where.items())[:6]]
    more = f" and {len(where) - 6} more" if len(where) > 6 else ""
    return "; ".join(shown) + more


def evidence_lines(listeners: Sequence[Listener]) -> str:
    """The listeners as the host's tools printed them, one a line, without padding and shortened."""
    lines = [" ".join(listener.line.split()) for listener in listeners]
    return "\n".join(line if len(line) <= LINE_SHOWN else line[:LINE_SHOWN] + " ..." for line in lines)


@dataclass(frozen=True, slots=True)
class Standing:
    """Sockets that the rules cannot tell apart: one range of ports, one binding."""

    ports: Span
    addresses: Addresses
    """Where packets must arrive, by family; a wildcard is every address, loopback's too."""
    device: str | None
    listeners: tuple[Listener, ...]

    @property
    def loopback(self) -> bool:
        """Whether only packets to loopback addresses arrive here."""
        return all(listener.loopback for listener in self.listeners)

    def ask(self, question: Question) -> Question:
        """The question, about these sockets alone."""
        return replace(question, ports=self.ports, addresses=self.addresses)


def standings(target: Target, listeners: Iterable[Listener]) -> Iterator[Standing]:
    """The listeners in groups that one question answers for.

    Raises NotDetermined for a socket bound to a device that the evidence does not show.
    """
    policy = target.evidence.policy
    groups: dict[tuple[str, Span, Addresses, str | None], list[Listener]] = {}
    for listener in listeners:
        port = listener.port
        if policy.survey.translates:
            ports = (port, port)
        else:
            # No rule can tell these ports apart, neither as they are sent nor as they arrive.
            here, sent = policy.span("dport", port, 0xFFFF), policy.span("orig_dport", port, 0xFFFF)
            ports = max(here[0], sent[0]), min(here[1], sent[1])
        if listener.device is not None and listener.device not in policy.host.interfaces:
            raise NotDetermined(
                f"{listener.endpoint} is bound to {listener.device}, an interface that ip-addr.json does not show"
            )
        groups.setdefault((listener.transport, ports, _addresses(listener), listener.device), []).append(listener)
    for (_, ports, addresses, device), members in groups.items():
        # Any port of the class will do; the first that is listened on reads best in an explanation.
        shown = ports if ports[0] == ports[1] else (members[0].port,) * 2
        yield Standing(shown, addresses, device, tuple(members))


def _addresses(listener: Listener) -> Addresses:
    families: list[Family] = [family for family in FAMILIES if family in listener.families]
    if listener.address is None:
        return tuple((family, EVERYONE[family]) for family in families)
    return tuple((family, Intervals.single(int(listener.address))) for family in families)


def joined(standing: Iterable[Standing]) -> Addresses:
    """The addresses of several groups together."""
    total: dict[Family, Intervals] = dict.fromkeys(FAMILIES, NOTHING)
    for one in standing:
        for family, members in one.addresses:
            total[family] |= members
    return tuple(total.items())
