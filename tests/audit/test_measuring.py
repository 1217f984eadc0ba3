"""Probing from vantages: one that cannot be used becomes a doubt, within bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
import testinfra

from callgate.audit import answers
from callgate.audit.plan import AuditPlan
from callgate.audit.target import Target
from callgate.baseline.library import load_baseline
from callgate.baseline.service import CATALOGUE, Service
from callgate.baseline.site import Site
from callgate.endpoint.answer import Answer
from callgate.endpoint.exchange import Contact, Exchange, Observation
from callgate.errors import NotDetermined
from callgate.evidence.logins import SharedLogins

from .conftest import QUIET_HOST, bundle, target_of


@pytest.fixture
def logins() -> Iterator[SharedLogins]:
    with SharedLogins() as shared:
        yield shared


def live(*vantages: dict[str, str], **site: object) -> Target:
    """A host that counts as a machine, with the quiet host's evidence."""
    values = {"trusted": ["192.168.1.0/24"], "auditor": "none", "vantages": list(vantages), **site}
    plan = AuditPlan(load_baseline("voip-core"), Site.model_validate(values), None, ())
    return Target(testinfra.get_host("local://"), plan, bundle(QUIET_HOST))


def stranger(host: str) -> dict[str, str]:
    return {"name": "internet", "host": host, "side": "stranger"}


def test_vantage_that_cannot_be_reached_is_a_doubt(logins: SharedLogins) -> None:
    got = answers.measure(live(stranger("ssh://nobody@127.0.0.1:1")), logins)
    assert got.vantages("stranger") == ("internet",)
    (doubt,) = got.doubts("stranger")
    assert doubt.startswith("internet: ")
    assert "Connection refused" in doubt
    with pytest.raises(NotDetermined, match="Connection refused"):
        got.turned_away(CATALOGUE["sccp"])


@pytest.mark.parametrize(("host", "said"), [("gopher://x", "no back end"), ("bundle://x", "no command can be run")])
def test_vantage_that_is_no_host_is_a_doubt(logins: SharedLogins, host: str, said: str) -> None:
    assert said in answers.measure(live(stranger(host)), logins).doubts("stranger")[0]


def test_vantage_that_hangs_is_given_up(logins: SharedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(answers, "VANTAGE_SECONDS", 0.5)
    monkeypatch.setattr(answers, "run_through", lambda *_: released.wait(20))
    began = time.monotonic()
    got = answers.measure(live(stranger("local://")), logins)
    released.set()
    assert time.monotonic() - began < 10
    assert got.doubts("stranger") == ["internet: did not answer within 0.5 seconds"]


def refused_from(source: str) -> object:
    def run(_: object, exchanges: list[Exchange]) -> list[Observation]:
        return [Observation(key=one.key, source=ip_address(source), contact=Contact.REFUSED) for one in exchanges]

    return run


def test_each_service_is_probed_at_each_address(logins: SharedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "run_through", refused_from("198.51.100.7"))
    got = answers.measure(live(stranger("local://")), logins)
    seen = got.of(CATALOGUE["sccp-tls"], "stranger")
    assert [(str(one.address), one.port) for one in seen] == [("192.168.1.10", 2443), ("203.0.113.10", 2443)]
    assert {one.finding.answer for one in seen} == {Answer.REFUSED}


def test_addresses_of_the_site_file_come_first(logins: SharedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "run_through", refused_from("198.51.100.7"))
    target = live(stranger("local://"), hosts={"localhost": {"addresses": ["192.0.2.1"]}})
    seen = answers.measure(target, logins).of(CATALOGUE["sccp"], "stranger")
    assert [str(one.address) for one in seen] == ["192.0.2.1"]


def test_stranger_in_a_trusted_network_is_a_doubt_and_its_probes_count_nothing(
    logins: SharedLogins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "run_through", refused_from("192.168.1.77"))
    got = answers.measure(live(stranger("local://")), logins)
    assert got.of(CATALOGUE["sccp"], "stranger") == ()
    assert "sends from 192.168.1.77, which is in a trusted network" in got.doubts("stranger")[0]


def test_wide_range_of_ports_is_never_turned_away(logins: SharedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "run_through", refused_from("198.51.100.7"))
    target = live(stranger("local://"), services={"rtp": True})
    rtp: Service = CATALOGUE["rtp"]
    with pytest.raises(NotDetermined, match="only 4 are probed"):
        answers.measure(target, logins).turned_away(rtp)


def test_bundle_is_not_probed(logins: SharedLogins) -> None:

    got = answers.measure(target_of(bundle(QUIET_HOST)), logins)
    assert got.vantages("stranger") == got.vantages("trusted") == ()
