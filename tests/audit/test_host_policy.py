"""What a check of a user's own gets when it asks the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from callgate.audit.host_policy import HostPolicy
from callgate.baseline.service import CATALOGUE
from callgate.baseline.site import Site
from callgate.errors import EvidenceError, NotDetermined
from callgate.evidence.bundle import read_bundle

from .conftest import QUIET_HOST, SERVING_HOST, bundle, target_of

HOSTS = Path(__file__).parents[1] / "data" / "hosts"
SITE = Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]})
SCCP, SIP_UDP = CATALOGUE["sccp"], CATALOGUE["sip-udp"]


def recorded(name: str) -> HostPolicy:
    return HostPolicy(target_of(read_bundle(HOSTS / name), SITE))


@pytest.mark.parametrize(
    ("name", "exposed"), [("ipt17-compliant", False), ("ipt01-given", True), ("gw01-forward", None)]
)
def test_strangers_are_those_who_reach_it_without_being_trusted(name: str, exposed: bool | None) -> None:
    policy = recorded(name)
    if exposed is None:  # its sockets are not known
        with pytest.raises(EvidenceError):
            policy.sources_reaching(SCCP)
    else:
        assert bool(policy.sources_reaching(SCCP) - SITE.trusted) is exposed


def test_translated_ways_count() -> None:
    found = recorded("fw10-nat-redirect").sources_reaching(SCCP) - SITE.trusted
    assert found
    assert "12000/tcp" in found.explain()


def test_service_that_nothing_provides_is_reached_by_nobody() -> None:
    assert HostPolicy(target_of(bundle(QUIET_HOST), SITE)).sources_reaching(SCCP).empty


def test_interface_that_leads_to_trusted_networks_alone_lets_no_stranger_in_but_is_served() -> None:
    policy = HostPolicy(target_of(bundle(SERVING_HOST), SITE))
    assert policy.entrances == ("eth1",)
    assert not policy.sources_reaching(SCCP)
    assert policy.sources_served(SCCP) & SITE.trusted


def test_doubt_is_neither_true_nor_false() -> None:
    found = recorded("nft14-reject-rst").sources_reaching(SCCP) - SITE.trusted
    with pytest.raises(NotDetermined, match="perhaps"):
        bool(found)


def test_packet_is_traced() -> None:
    packet = {"iif": "eth1", "source": "203.0.113.66", "destination": "203.0.113.10", "protocol": "udp"}
    traced = recorded("ipt01-given").trace({**packet, "destination_port": SIP_UDP.port[0]})
    assert traced.verdict == "drop"
    assert "INPUT rule 2" in traced.rules[0]
    with pytest.raises(EvidenceError):
        recorded("ipt01-given").trace({**packet, "source": "somewhere"})
