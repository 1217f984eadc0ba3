"""firewalld's listings, compared by meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from callgate.errors import EvidenceError
from callgate.evidence.boot.zones import Zones, bound_now, differences, read_zones

HOSTS = Path(__file__).parents[1] / "data" / "hosts"


def listings(host: str) -> tuple[Zones, Zones]:
    files = ("firewalld-runtime.txt", "firewalld-permanent.txt")
    runtime, permanent = (read_zones((HOSTS / host / file).read_text(), file) for file in files)
    return runtime, permanent


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("fw01-default-public", []),
        ("fw10-nat-redirect", []),
        ("fw23-nft-behind", []),
        ("ans-B-after", ["ports 2000/tcp", "ports 5060/tcp"]),
        ("ans-B-before", ["ports 2000/tcp", "ports 5060/tcp", "ports 5060/udp"]),
    ],
)
def test_recorded_listings_differ_in_what_was_set_at_runtime_only(host: str, expected: list[str]) -> None:
    told = [f"zone public has {one} now, and not in the permanent settings" for one in expected]
    assert list(differences(*listings(host))) == told


def test_rich_rules_are_compared_as_lines() -> None:
    said = differences(*listings("fw05-rich"))
    assert len(said) == 2
    assert 'rule family="ipv4" source address="192.168.1.0/24" port port="2000" protocol="tcp" accept now' in said[0]


def test_the_other_way_round_is_told_too() -> None:
    runtime, permanent = listings("ans-B-after")
    assert all(said.endswith("in the permanent settings, and not now") for said in differences(permanent, runtime))


def test_order_of_lists_means_nothing() -> None:
    one, other = (read_zones(f"public\n  ports: {ports}\n", "x") for ports in ("1/tcp 2/tcp", "2/tcp 1/tcp"))
    assert differences(one, other) == ()


def test_a_binding_that_is_not_permanent_is_told_unless_the_default_zone_takes_it() -> None:
    runtime, permanent = listings("ans-D-after")
    assert bound_now(runtime, permanent, "public") == (("eth1", "trusted"),)
    assert bound_now(*listings("fw05-rich"), "public") == ()
    assert bound_now(*listings("fw05-rich"), "drop") == (("eth0", "public"), ("eth1", "public"))


@pytest.mark.parametrize("text", ["  ports: 1/tcp\n", "public\n???: x y\n", "public zone of mine\n"])
def test_what_is_no_listing_raises(text: str) -> None:
    with pytest.raises(EvidenceError):
        read_zones(text, "firewalld-runtime.txt")
