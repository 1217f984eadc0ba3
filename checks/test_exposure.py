"""Exposure: whom the firewall rules and the routing let in to the host's services, and whom they lock out.

Every source, source port, address of the host and translation is weighed; what the evidence does not tell is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from callgate.audit.default_deny import not_refused
from callgate.audit.exposure import balanced, exposure, roundabout
from callgate.audit.flows import kept_ports, strange_flows, told
from callgate.audit.lockout import lock_out
from callgate.audit.spoofing import spoofable
from callgate.audit.target import Target
from callgate.audit.told import who_gets_in
from callgate.baseline.service import Service
from callgate.plugin import NotDetermined, control


@control("EXP-01")
def test_no_stranger_reaches_the_service(
    target: Target, service: Service, parameters: Mapping[str, Any], attest: Callable[[str], None]
) -> None:
    exposed = exposure(target, service, demanded=bool(parameters.get("demanded")))
    attest(exposed.judged_from)
    assert not exposed, f"strangers reach {service.title}:\n{exposed.explain()}"


@control("EXP-02")
def test_every_trusted_network_reaches_the_service(
    target: Target, service: Service, attest: Callable[[str], None]
) -> None:
    found = lock_out(target, service)
    if found.skipped:
        pytest.skip(found.skipped)
    attest("\n".join(found.judged_from))
    assert not found.locked_out, f"phones are locked out of {service.title}:\n{found.explain()}"
    if found.doubtful:
        raise NotDetermined(f"whether phones reach {service.title} is not certain:\n{found.explain()}")


@control("EXP-03")
def test_nothing_leads_strangers_around_to_the_service(
    target: Target, service: Service, parameters: Mapping[str, Any], attest: Callable[[str], None]
) -> None:
    # Plain forwarding into trusted networks is not judged where the host offers VoIP itself: phones stand there.
    # The site names call managers behind the host (`behind:`); `into_trusted` judges every network.
    exposed = roundabout(target, service, into_trusted=bool(parameters.get("into_trusted")))
    attest(exposed.judged_from)
    assert not exposed, f"strangers are led to {service.title}:\n{exposed.explain()}"
    balanced(target)


@control("EXP-04")
def test_trusted_source_is_believed_only_from_its_own_side(
    target: Target, service: Service, attest: Callable[[str], None]
) -> None:
    if target.evidence.rules_alone:
        pytest.skip("the bundle is a ruleset without its host: which interface leads where is not known")
    attest("a trusted address belongs to the interface that the way back to it leads by")
    spoofed = spoofable(target, service)
    assert not spoofed, f"a forged source is let in to {service.title}: {spoofed}"


@control("EXP-05")
def test_what_no_rule_names_is_refused(target: Target, attest: Callable[[str], None]) -> None:
    open_to, asked = not_refused(target)
    attest(asked)
    assert not open_to, f"strangers reach ports that no rule names:\n{who_gets_in(target, open_to, None)}"


@control("EXP-06")
def test_no_stranger_has_a_live_flow(
    target: Target, services: tuple[Service, ...], attest: Callable[[str], None]
) -> None:
    flows = target.evidence.flows
    if flows is None:
        pytest.skip("the bundle was made by hand without conntrack.txt: which flows live is not known")
    attest(f"{len(flows)} flows on VoIP ports are tracked")
    strange = strange_flows(target, services, flows)
    assert not strange, f"strangers have live flows, which outlive any rule that is added now:\n{told(strange)}"
    kept_ports(target, services)
