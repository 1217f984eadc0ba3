"""The way of a packet through a host, from the wire to a socket, another host or its end."""

from __future__ import annotations

from dataclasses import replace

from callgate.firewall.hooks import Hooks, on
from callgate.firewall.host import Host
from callgate.firewall.outcome import Outcome, OutcomeMap
from callgate.firewall.routing import Routing
from callgate.firewall.rule import Ruleset
from callgate.firewall.survey import Survey
from callgate.firewall.view import View


class Path:
    """Follows views through one host."""

    def __init__(self, ruleset: Ruleset, host: Host, found: Survey) -> None:
        self._host = host
        self._hooks = Hooks(ruleset, host, found)
        self._routing = Routing(host, self._hooks)
        self._bridged = any(base.chain.name.family == "bridge" for base in ruleset.base_chains)

    def arriving(self, view: View) -> OutcomeMap:
        """What becomes of packets that come in from outside by `view.iif`.

        `accept` is the last word: without `oif` a socket of the host may have it, with one it left by that.
        """
        if view.iif in self._host.programs:
            text = f"programs attached to {view.iif} see packets before any rule (XDP or tc)"
            return OutcomeMap.constant(Outcome("unknown", None, (text,)))
        arrived = self._hooks.cross("ingress", view).then(
            on(lambda seen: self._hooks.cross("prerouting", seen).then(on(self._routing.route)))
        )
        if view.iif in self._host.bridges and self._bridged:
            text = f"tables of family bridge filter what comes in by {view.iif}: they are not weighed"
            return arrived.union(OutcomeMap.constant(Outcome("drop", None, (text,))))
        return arrived

    def _entered(self, view: View) -> OutcomeMap:
        return self._hooks.cross("prerouting", view).then(on(self._routing.route))

    def sent(self, view: View) -> OutcomeMap:
        """What becomes of packets that a program on the host sends to one of its own addresses, or to a peer."""
        start = replace(view, iif=None, oif=view.oif or self._host.loopback)
        return self._hooks.cross("output", start).then(on(self._routing.leave))
