"""Persistence: what the host's rules are after its next boot, and whether that is what runs now.

The saved rules are loaded with the real tools in namespaces of their own, and compared by what they mean.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callgate.audit.boot import booted_target
from callgate.audit.exposure import balanced
from callgate.audit.lockout import lock_out
from callgate.audit.persistence import advice, drift, exposed_after_boot, judged_from, untold
from callgate.audit.persistence_saved import loading, starting
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.plugin import NotDetermined, control

Attest = Callable[[str], None]


@control("PER-01")
def test_no_stranger_reaches_the_service_after_a_boot(target: Target, service: Service, attest: Attest) -> None:
    _need_boot_evidence(target)
    straight, around = exposed_after_boot(target, service)
    attest(judged_from(target))
    attest(straight.judged_from)
    # What is certain comes first: asking for the truth of what is in doubt raises NotDetermined.
    led = not around.strangers.surely.empty and straight.strangers.surely.empty
    assert led or not straight, f"after a boot strangers reach {service.title}:\n{straight.explain()}{advice(target)}"
    assert not around, f"after a boot strangers are led to {service.title}:\n{around.explain()}{advice(target)}"
    balanced(target)


@control("PER-02")
def test_every_trusted_network_reaches_the_service_after_a_boot(
    target: Target, service: Service, attest: Attest
) -> None:
    _need_boot_evidence(target)
    found = lock_out(booted_target(target), service)
    if found.skipped:
        pytest.skip(found.skipped)
    attest(judged_from(target))
    attest("\n".join(found.judged_from))
    assert not found.locked_out, (
        f"after a boot phones are locked out of {service.title}:\n{found.explain()}{advice(target)}"
    )
    if found.doubtful:
        raise NotDetermined(f"whether phones reach {service.title} after a boot is not certain:\n{found.explain()}")


@control("PER-03")
def test_what_is_saved_loads(target: Target, attest: Attest) -> None:
    _need_boot_evidence(target)
    found = loading(target)
    if found.skipped:
        pytest.skip(found.skipped)
    attest(judged_from(target))
    assert not found.wrong, "saved rules do not load at boot as they should:\n" + "\n".join(found.wrong)


@control("PER-04")
def test_what_holds_the_rules_starts_at_boot(target: Target, attest: Attest) -> None:
    _need_boot_evidence(target)
    found = starting(target)
    attest("\n".join(found.seen))
    assert not found.wrong, "the rules do not outlive a boot as they are:\n" + "\n".join(found.wrong)
    if found.open:
        raise NotDetermined("whether what holds the rules starts at boot is not told: " + "; ".join(found.open))
    if found.skipped:
        pytest.skip(found.skipped)


@control("PER-05")
def test_a_boot_changes_nothing_about_who_gets_in(target: Target, service: Service, attest: Attest) -> None:
    _need_boot_evidence(target)
    changed = drift(target, service)
    attest(judged_from(target))
    assert not changed, f"a boot changes who reaches {service.title}:\n{changed.explain()}{advice(target)}"


def _need_boot_evidence(target: Target) -> None:
    """Skip where nobody collected how the host boots; a bundle with a manifest has to tell."""
    if reason := untold(target):
        pytest.skip(reason)
