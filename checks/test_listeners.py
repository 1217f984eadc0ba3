"""Listeners: what waits on the host's sockets, and for whom.

Judged from the socket evidence alone; testinfra's `host.socket` misses listeners and serves as proof of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from callgate.audit.accounting import AccountedFor, unaccounted
from callgate.audit.answers import Answers
from callgate.audit.exposure import bindings, evidence_lines, listening, unconfined, why_closed, why_let_in, why_open
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.baseline.site import Site
from callgate.plugin import NotDetermined, control


@control("LSN-01")
def test_service_listens_for_trusted_networks_only(
    target: Target, service: Service, answers: Answers, attest: Callable[[str], None]
) -> None:
    found = listening(target, service)
    attest(evidence_lines(found) or f"nothing listens on {service.ports}")
    open_to_all = unconfined(target, found)
    exposed = why_open(target, open_to_all) or why_let_in(service, open_to_all, answers)
    assert not exposed, f"strangers reach {service.title}: {exposed}"
    if open_to_all:
        attest(why_closed(target, service, open_to_all, answers))


@control("LSN-02")
def test_service_is_offered_over_tls_only(
    target: Target, service: Service, site: Site, attest: Callable[[str], None]
) -> None:
    if service.tls or not site.wants_tls(service):
        pytest.skip(f"{service.title} is TLS itself" if service.tls else "the site does not demand TLS for it")
    found = [listener for listener in listening(target, service) if target.beyond(listener)]
    attest(evidence_lines(found) or f"nothing listens on {service.ports} beyond this host")
    assert not found, f"the site demands TLS, but {service.title} is offered in plain: {bindings(found)}"


@control("LSN-03")
def test_service_is_one_the_site_expects(target: Target, service: Service, attest: Callable[[str], None]) -> None:
    if target.expected is None:
        pytest.skip("the site file does not say which services it expects (`expected:`)")
    found = [listener for listener in listening(target, service) if target.beyond(listener)]
    attest(evidence_lines(found) or f"nothing listens on {service.ports} beyond this host")
    expected = ", ".join(target.expected) or "no service at all"
    assert service.name in target.expected or not found, (
        f"{service.title} runs here, but the site expects {expected}: {bindings(found)}"
    )


@control("LSN-04")
def test_every_listener_is_accounted_for(
    target: Target, services: tuple[Service, ...], parameters: Mapping[str, Any], attest: Callable[[str], None]
) -> None:
    accounts = AccountedFor.of(target, services, parameters["accounted"])
    beyond = unconfined(target, target.evidence.listeners)
    attest(evidence_lines(beyond) or "nothing listens to strangers")
    wrong = accounts.held_by_another(beyond)
    assert not wrong, f"held by another process than the one accounted for: {'; '.join(wrong)}"
    loose = unaccounted(accounts, beyond)
    exposed = why_open(target, loose)
    assert not exposed, f"nothing accounts for {exposed}"
    if loose:
        raise NotDetermined(
            f"nothing accounts for {bindings(loose)}; whether the firewall rules keep strangers from it is not weighed"
        )
    if unseen := accounts.not_shown(beyond):
        raise NotDetermined(f"which process holds it is not shown (collect as root): {bindings(unseen)}")


@control("LSN-05")
def test_nothing_is_translated_or_forwarded(target: Target, attest: Callable[[str], None]) -> None:
    filtering, forwards = target.evidence.filtering, target.evidence.forwards()
    networks = target.networks()
    attest(f"forwarding is {'on' if forwards else 'off'}; {filtering.rules} rules are loaded")
    assert not (forwards and filtering.nothing_filtered and len(networks) > 1), (
        f"strangers are forwarded to whatever lies behind: no firewall rule is loaded at all, "
        f"and the host forwards between {', '.join(networks)}"
    )
    if target.evidence.translates():
        raise NotDetermined(
            "rules or virtual services (IPVS) translate or redirect packets; where to, this version does not weigh"
        )
    if forwards:
        raise NotDetermined("the host forwards packets; what the rules let through, this version does not weigh")
