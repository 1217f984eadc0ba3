"""Answers: what a probe gets from the host's services, as a stranger and as a phone.

SCCP is asked with a KeepAlive, SIP with OPTIONS, TLS with a handshake; nothing is registered.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callgate.audit.answers import Answers
from callgate.audit.phones import must_answer, not_answered
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.plugin import NotDetermined, control


@control("ANS-01")
def test_no_stranger_is_answered(
    target: Target, service: Service, answers: Answers, attest: Callable[[str], None]
) -> None:
    if not target.live:
        pytest.skip("an evidence bundle cannot be probed")
    if not answers.vantages("stranger"):
        pytest.skip("there is no stranger's vantage: the site file names none (`vantages:`)")
    attest("\n".join(str(one) for one in answers.of(service, "stranger")))
    answered = answers.answered(service, "stranger")
    assert not answered, f"strangers are let in to {service.title}: {answered[0]}"
    attest(answers.turned_away(service))


@control("ANS-02")
def test_trusted_networks_are_answered(
    target: Target, service: Service, answers: Answers, attest: Callable[[str], None]
) -> None:
    if not target.live:
        pytest.skip("an evidence bundle cannot be probed")
    if not answers.vantages("trusted"):
        pytest.skip("there is no trusted vantage: the site file names none (`vantages:`)")
    families = must_answer(target, service)
    if not families:
        pytest.skip(f"{service.title} is neither offered nor expected here")
    attest("\n".join(str(one) for one in answers.of(service, "trusted")))
    locked_out, doubtful = not_answered(service, answers, families)
    assert not locked_out, f"phones get no answer from {service.title}: {locked_out[0]}"
    if doubts := answers.doubts("trusted") + doubtful:
        raise NotDetermined("; ".join(doubts))
