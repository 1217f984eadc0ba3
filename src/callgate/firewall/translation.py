"""NAT: what a translation makes of a view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from callgate.firewall.host import Host
from callgate.firewall.rule import Translate
from callgate.firewall.view import PORTED, Value, View


def translated(action: Translate, view: View, host: Host) -> Iterator[View | None]:
    """The views a packet may become; None stands for one that cannot be told.

    Once translated, a flow is not translated again on the same side, and what is not tracked never is: then the
    view comes back as it is.
    """
    if action.side in view.translated or view.state in (None, "invalid", "untracked"):
        yield view
        return
    if action.family is not None and action.family != view.family:
        yield None
        return
    if action.side == "source":
        yield _source(action, view)
        return
    address: Value = view.daddr
    if action.to_itself:
        address = _own(view, host)
        if address is None:
            yield None
            return
    elif action.addresses is not None:
        address = action.addresses
    port = view.dport
    if action.ports is not None and view.protocol in PORTED:
        port = action.ports
    yield replace(view, daddr=address, dport=port, translated=view.translated | {"destination"})


def _own(view: View, host: Host) -> Value:
    """Where REDIRECT leads: the first address of the ingress interface, or the loopback address for local senders."""
    if view.iif is None or view.iif == host.loopback:
        number = 127 << 24 | 1 if view.family == 4 else 1
        return (number, number)
    first = host.first_address(view.family, view.iif)
    return None if first is None else (first, first)


def _source(action: Translate, view: View) -> View:
    """A new source address; the port may be changed too, to one nobody can tell beforehand."""
    address: Value = None if action.to_itself else view.saddr if action.addresses is None else action.addresses
    port: Value = action.ports if action.ports is not None else view.sport
    return replace(view, saddr=address, sport=port, translated=view.translated | {"source"})
