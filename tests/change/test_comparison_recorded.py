"""Every two of the recorded hosts: what a comparison says, beside what clients really saw of each on a real kernel."""

from __future__ import annotations

import json
from functools import cache
from ipaddress import ip_address
from itertools import product
from pathlib import Path

import pytest
from tests.change.policies import plan_of

from callgate.change.access import Access, Snapped, gain
from callgate.change.comparison import compare
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import read_bundle
from callgate.firewall.sources import Door, Entrance

HOSTS = Path(__file__).parents[1] / "data" / "hosts"
ALIKE = sorted(path.name for path in HOSTS.iterdir() if path.name != "gw01-forward")
"""The hosts of one topology; the gateway has another."""
SERVICES = {("tcp", 2000): "sccp", ("udp", 5060): "sip-udp", ("tcp", 5060): "sip-tcp"}
LED_AROUND = "fw10-nat-redirect"
"""It lets clients in by another port than the service's own, beside those listed here."""

Client = tuple[str, Entrance, int]
"""Service, entrance and source address."""


@cache
def snapped(name: str) -> Snapped:
    return Snapped(target_of(read_bundle(HOSTS / name), plan_of()))


@cache
def access(name: str, service: str) -> Access:
    known = next(one for one in plan_of().services if one.name == service)
    return snapped(name).access(known, (), ())


@cache
def observed(name: str) -> dict[Client, bool]:
    """Which clients got in to which service, at some address of the host."""
    seen: dict[Client, bool] = {}
    for packet in json.loads((HOSTS / name / "expected.json").read_text())["packets"]:
        service = SERVICES.get((packet["protocol"], packet["destination_port"]))
        if service is not None:
            source = ip_address(packet["source"])
            client = (service, Entrance(4 if source.version == 4 else 6, packet["iif"]), int(source))
            seen[client] = seen.get(client, False) or packet["observed"] == "accept"
    return seen


def test_who_got_in_after_and_not_before_has_gained_and_nobody_else_surely() -> None:
    # All in one test: the hosts' access is worked out once, and not by every worker.
    compared = changed = 0
    for before, after in product(ALIKE, repeat=2):
        gained = {service: gain(access(after, service), access(before, service)) for service in SERVICES.values()}
        for client in observed(before).keys() & observed(after).keys():
            service, entrance, source = client
            door = gained[service].doors.get(entrance, Door())
            then, now = observed(before)[client], observed(after)[client]
            if now and not then:
                assert source in door.any, (before, after, client)
                changed += 1
            elif then or (not now and after != LED_AROUND):
                assert source not in door.surely, (before, after, client)
            compared += 1
    assert compared > 10_000
    assert changed > 2_000


@pytest.mark.parametrize(
    ("before", "after", "widened", "locked_out"),
    [
        ("ipt17-compliant", "ipt17-compliant", False, False),
        ("ipt17-compliant", "nft01-compliant", False, False),
        ("ipt01-given", "ipt17-compliant", False, False),
        ("ipt17-compliant", "ipt01-given", True, False),
        ("ipt17-compliant", "nft03-vmap-leak", True, True),
        ("ipt17-compliant", "ipt06-redirect-away", True, False),
        ("ipt17-compliant", "ipt09-v4-tight-v6-open", True, False),
        ("ipt09-v4-tight-v6-open", "ipt17-compliant", False, False),
        ("ipt17-compliant", "dk01-published", True, False),
        ("ipt17-compliant", "ipt11-split-halves", True, True),
        ("nft01-compliant", "ipt25-legacy-drop", True, True),
        ("ans-B-before", "ans-B-after", False, True),
    ],
)
def test_change_from_one_recorded_host_to_another_is_judged(
    before: str, after: str, widened: bool, locked_out: bool
) -> None:
    found = compare(snapped(before).target, snapped(after).target)
    assert (found.widened, found.locked_out) == (widened, locked_out)
    assert found.nothing == (before == after)


def test_two_ways_to_write_the_right_rules_let_in_the_same() -> None:
    found = compare(snapped("ipt17-compliant").target, snapped("nft01-compliant").target)
    offered = [shift for shift in (*found.gained, *found.lost) if shift.offered]
    assert not offered
    assert found.regression is False
    assert found.same_rules is False
