"""Service: the site's test phones register and call from inside, and get nothing from outside.

The phones are the site's own (`test_phones:`); each registers under its own name, and leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from callgate.audit.trials import serving
from callgate.audit.trials.serving import Judgement
from callgate.audit.trials.trials import Trials
from callgate.plugin import NotDetermined, control

Attest = Callable[[str], None]
TOLD = 4


@control("SVC-01")
def test_phones_register_from_every_trusted_network(
    trials: Trials, parameters: Mapping[str, Any], attest: Attest
) -> None:
    _need(trials, lambda: trials.phones, "the site file names no test phone of this host (`test_phones:`)")
    _settle(serving.registering(trials, every_network=parameters["every_network"]), attest)


@control("SVC-02")
def test_call_completes_with_audio_both_ways(trials: Trials, attest: Attest) -> None:
    _need(
        trials,
        lambda: [phone for phone, _ in trials.phones if phone.dials is not None],
        "no test phone of this host has a number to call (`dials:`)",
    )
    _settle(serving.calling(trials), attest)


@control("SVC-03")
def test_same_phone_gets_nothing_as_a_stranger(trials: Trials, attest: Attest) -> None:
    _need(trials, lambda: trials.phones, "the site file names no test phone of this host (`test_phones:`)")
    if not trials.at("stranger"):
        pytest.skip("there is no stranger's vantage: the site file names none (`vantages:`)")
    _settle(serving.strangers_turned_away(trials), attest)


@control("SVC-04")
def test_unknown_device_is_refused(trials: Trials, attest: Attest) -> None:
    _need(
        trials,
        lambda: _with_unknown(trials),
        "no SCCP test phone of this host names a device that nobody has (`unknown:`)",
    )
    _settle(serving.unknown_refused(trials), attest)


@control("SVC-07")
def test_tls_is_offered_with_a_valid_certificate(
    trials: Trials, parameters: Mapping[str, Any], audit_started: datetime, attest: Attest
) -> None:
    _need(trials, trials.tls_services, "the site demands TLS for no service that this host speaks (`tls_only:`)")
    _settle(serving.tls_offered(trials, now=audit_started, days=parameters["days"]), attest)


@control("SVC-08")
def test_phones_are_told_to_come_again_within_bounds(
    trials: Trials, parameters: Mapping[str, Any], attest: Attest
) -> None:
    _need(trials, lambda: trials.phones, "the site file names no test phone of this host (`test_phones:`)")
    sccp, sip = (tuple(parameters[name]) for name in ("sccp_keepalive", "sip_expires"))
    _settle(serving.intervals(trials, sccp, sip), attest)


# Last: a guard that counts wrong passwords shuts this vantage out, and none of the others must suffer by that.


@control("SVC-05")
def test_registration_demands_the_password(trials: Trials, attest: Attest) -> None:
    _need(trials, lambda: _sip(trials), "the site file names no SIP test phone of this host (`test_phones:`)")
    _settle(serving.credentials_demanded(trials), attest)


@control("SVC-06")
def test_known_and_unknown_users_are_refused_alike(trials: Trials, attest: Attest) -> None:
    _need(trials, lambda: _sip(trials), "the site file names no SIP test phone of this host (`test_phones:`)")
    _settle(serving.users_hidden(trials), attest)


def _with_unknown(trials: Trials) -> list[object]:
    return [phone for phone, _ in trials.phones if phone.application == "sccp" and phone.unknown is not None]


def _sip(trials: Trials) -> list[object]:
    return [phone for phone, _ in trials.phones if phone.application == "sip"]


def _need(trials: Trials, subject: Callable[[], object], without: str) -> None:
    """Skip where there is nobody to ask, or nowhere to ask from. Of a bundle nothing is asked, not even `subject`."""
    if not trials.target.live:
        pytest.skip("an evidence bundle cannot be called")
    if not subject():
        pytest.skip(without)
    if not trials.at("trusted"):
        pytest.skip("there is no trusted vantage: the site file names none (`vantages:`)")


def _settle(judged: Judgement, attest: Attest) -> None:
    attest("\n".join(judged.seen))
    assert not judged.failed, _told(judged.failed)
    if judged.doubtful:
        raise NotDetermined(_told(judged.doubtful))
    if not judged.seen:
        raise NotDetermined("no attempt was made")


def _told(reasons: list[str]) -> str:
    """The first reasons, a line each; the evidence has every attempt."""
    different = list(dict.fromkeys(reasons))
    more = [f"and {len(different) - TOLD} more"] if len(different) > TOLD else []
    return "\n".join(different[:TOLD] + more)
