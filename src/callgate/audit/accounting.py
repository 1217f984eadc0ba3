"""Who answers for a listener that strangers reach: a judged service, the site file, or the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from callgate.audit.exposure import strangers
from callgate.audit.standing import standings
from callgate.audit.target import Target
from callgate.audit.told import who_gets_in
from callgate.audit.ways_in import reaching_sockets
from callgate.baseline.service import Service
from callgate.baseline.site import AccountedListener
from callgate.errors import NotDetermined
from callgate.evidence.listener import Listener
from callgate.firewall.sources import Sources

_ENTRIES = TypeAdapter(tuple[AccountedListener, ...])


@dataclass(frozen=True, slots=True)
class AccountedFor:
    """The services and the listeners that somebody answers for on one host."""

    services: Sequence[Service]
    entries: Sequence[AccountedListener]

    @classmethod
    def of(cls, target: Target, services: Sequence[Service], parameter: Any) -> AccountedFor:
        """Join the site's and the baseline's entries. Raises NotDetermined for a parameter of another shape."""
        try:
            shipped = _ENTRIES.validate_python(parameter)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise NotDetermined(f"the control's parameter `accounted` is wrong at {where}: {first['msg']}") from None
        return cls(services, (*target.accounted, *shipped))

    def of_service(self, listener: Listener) -> bool:
        """Whether a judged service claims it: other controls judge it then."""
        return any(service.claims(listener) for service in self.services)

    def entries_for(self, listener: Listener) -> list[AccountedListener]:
        """The entries that name its port."""
        return [entry for entry in self.entries if entry.covers(listener)]

    def held_by_another(self, listeners: Iterable[Listener]) -> list[str]:
        """The listeners on accounted ports that none of the processes named for the port holds."""
        wrong = []
        for listener in listeners:
            entries = [] if self.of_service(listener) else self.entries_for(listener)
            named = [entry.process for entry in entries if entry.process]
            if not named or len(named) < len(entries) or not listener.processes:
                continue
            if not all(process.name in named for process in listener.processes):
                wrong.append(f"{listener.endpoint}, not {' or '.join(dict.fromkeys(named))}")
        return wrong

    def not_shown(self, listeners: Iterable[Listener]) -> list[Listener]:
        """The listeners whose process is named for their port but not visible in the evidence."""
        return [
            listener
            for listener in listeners
            if not listener.processes
            and not self.of_service(listener)
            and (entries := self.entries_for(listener))
            and all(entry.process for entry in entries)
        ]

    def in_doubt(self, listeners: Iterable[Listener]) -> list[Listener]:
        """The listeners that would fail if strangers reached them."""
        held = list(listeners)
        wrong = [listener for listener in held if self.held_by_another([listener])]
        return unaccounted(self, held) + wrong


@dataclass(frozen=True, slots=True)
class LetIn:
    """The listeners that strangers surely reach, those that they perhaps reach, and how."""

    target: Target
    surely: tuple[Listener, ...]
    perhaps: tuple[Listener, ...]
    ways: dict[Listener, Sources]

    def explain(self, listeners: Sequence[Listener]) -> str:
        """Who gets to the first of these listeners."""
        return who_gets_in(self.target, self.ways[listeners[0]], None)


def let_in(target: Target, listeners: Iterable[Listener]) -> LetIn:
    """Which listeners strangers reach, straight or by translation. Listeners that no rule tells apart are asked once.

    Raises EvidenceError for evidence that is damaged or missing.
    """
    surely: list[Listener] = []
    perhaps: list[Listener] = []
    ways: dict[Listener, Sources] = {}
    for standing in standings(target, listeners):
        reached = strangers(target, reaching_sockets(target, standing))
        if not reached.empty:
            (perhaps if reached.surely.empty else surely).extend(standing.listeners)
            ways |= dict.fromkeys(standing.listeners, reached)
    return LetIn(target, tuple(surely), tuple(perhaps), ways)


def unaccounted(accounts: AccountedFor, listeners: Iterable[Listener]) -> list[Listener]:
    """The listeners that no service claims and nobody answers for."""
    return [
        listener for listener in listeners if not accounts.of_service(listener) and not accounts.entries_for(listener)
    ]
