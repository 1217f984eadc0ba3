"""Listeners: what waits on the host's sockets, and for whom.

Judged from the socket evidence, and LSN-04 from the rules as well; testinfra's `host.socket` misses listeners and
serves as proof of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from callgate.audit.accounting import AccountedFor, let_in, unaccounted
from callgate.audit.exposure import every_table
from callgate.audit.standing import bindings, evidence_lines, listening
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.baseline.site import Site
from callgate.plugin import NotDetermined, control

RULES_ALONE = "the bundle is a ruleset without its host: nothing is known of its sockets"


@control("LSN-02")
def test_service_is_offered_over_tls_only(
    target: Target, service: Service, site: Site, attest: Callable[[str], None]
) -> None:
    if service.tls or not site.wants_tls(service):
        pytest.skip(f"{service.title} is TLS itself" if service.tls else "the site does not demand TLS for it")
    if target.evidence.rules_alone:
        pytest.skip(RULES_ALONE)
    found = [listener for listener in listening(target, service) if target.beyond(listener)]
    attest(evidence_lines(found) or f"nothing listens on {service.ports} beyond this host")
    assert not found, f"the site demands TLS, but {service.title} is offered in plain: {bindings(found)}"


@control("LSN-03")
def test_service_is_one_the_site_expects(target: Target, service: Service, attest: Callable[[str], None]) -> None:
    if target.expected is None:
        pytest.skip("the site file does not say which services it expects (`expected:`)")
    if target.evidence.rules_alone:
        pytest.skip(RULES_ALONE)
    found = [listener for listener in listening(target, service) if target.beyond(listener)]
    attest(evidence_lines(found) or f"nothing listens on {service.ports} beyond this host")
    expected = ", ".join(target.expected) or "no service at all"
    assert service.name in target.expected or not found, (
        f"{service.title} runs here, but the site expects {expected}: {bindings(found)}"
    )


@control("LSN-04")
def test_every_listener_strangers_reach_is_accounted_for(
    target: Target, services: tuple[Service, ...], parameters: Mapping[str, Any], attest: Callable[[str], None]
) -> None:
    if target.evidence.rules_alone:
        pytest.skip(RULES_ALONE)
    accounts = AccountedFor.of(target, services, parameters["accounted"])
    reached = let_in(target, target.evidence.listeners)
    attest(evidence_lines(reached.surely + reached.perhaps) or "strangers reach no listener")
    wrong = accounts.held_by_another(reached.surely)
    assert not wrong, f"held by another process than the one accounted for: {'; '.join(wrong)}"
    loose = unaccounted(accounts, reached.surely)
    assert not loose, f"strangers reach what nothing accounts for: {bindings(loose)}\n{reached.explain(loose)}"
    if unseen := accounts.not_shown(reached.surely + reached.perhaps):
        raise NotDetermined(f"which process holds it is not shown (collect as root): {bindings(unseen)}")
    if doubtful := accounts.in_doubt(reached.perhaps):
        raise NotDetermined(f"strangers perhaps reach it: {bindings(doubtful)}\n{reached.explain(doubtful)}")
    every_table(target)
