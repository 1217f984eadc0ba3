"""What the sockets of a host say about strangers, with what the probes add.

Rules are not weighed here. A service is open when its binding lets everyone in and nothing at all is filtered;
it is closed when its binding confines it, or when every stranger's vantage was turned away. All else is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from callgate.audit.answers import Answers
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.errors import NotDetermined
from callgate.evidence.listener import Listener

LINE_SHOWN = 160


def listening(target: Target, service: Service) -> tuple[Listener, ...]:
    """The sockets on the service's ports."""
    return tuple(listener for listener in target.evidence.listeners if service.claims(listener))


def unconfined(target: Target, listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    """The listeners whose binding alone keeps nobody away."""
    return tuple(listener for listener in listeners if not target.confined(listener))


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


def why_open(target: Target, listeners: Sequence[Listener]) -> str | None:
    """Why strangers surely get to these sockets, or None when that is not certain."""
    if listeners and target.evidence.filtering.nothing_filtered:
        return f"{bindings(listeners)}, and no firewall rule is loaded at all"
    return None


def why_let_in(service: Service, listeners: Sequence[Listener], answers: Answers) -> str | None:
    """The probe by which a stranger got to these sockets, or None."""
    answered = answers.answered(service, "stranger")
    return f"{bindings(listeners)}, and a stranger was let in: {answered[0]}" if listeners and answered else None


def why_closed(target: Target, service: Service, listeners: Sequence[Listener], answers: Answers) -> str:
    """Why strangers are turned away from these sockets, which their binding leaves open.

    Raises NotDetermined when nothing shows it.
    """
    where = bindings(listeners)
    if not answers.vantages("stranger"):
        rules = target.evidence.filtering.rules
        lacking = "the site names no stranger's vantage to probe from" if target.live else "a bundle cannot be probed"
        raise NotDetermined(
            f"{where}; {rules} firewall rules are loaded, which this version does not weigh, and {lacking}"
        )
    return f"{where}; {answers.turned_away(service)}"
