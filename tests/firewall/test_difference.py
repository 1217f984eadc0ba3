from __future__ import annotations

import json

import pytest

from callgate.errors import NotDetermined
from callgate.evidence.policy import policy_of
from callgate.firewall.difference import difference
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.sources import Entrance, cidrs

SCCP = Question("tcp", (2000, 2000), "SCCP")
LINKS = [{"ifname": "eth0", "flags": ["UP"], "addr_info": [{"local": "192.168.1.10", "prefixlen": 24}]}]


def policy(*rules: str) -> Policy:
    lines = ["*filter", ":INPUT DROP [0:0]", *(f"-A INPUT {rule}" for rule in rules), "COMMIT", ""]
    return policy_of({"iptables-save.txt": "\n".join(lines), "ip-addr.json": json.dumps(LINKS) + "\n"})


def test_order_and_form_are_no_difference() -> None:
    before = policy("-s 10.0.0.0/8 -p tcp -j ACCEPT", "-s 192.168.0.0/16 -p tcp --dport 2000 -j ACCEPT")
    after = policy(
        "-s 192.168.128.0/17 -p tcp -m multiport --dports 2000,2443 -j ACCEPT",
        "-s 192.168.0.0/17 -p tcp -j ACCEPT",
        "-p tcp -s 10.0.0.0/8 -j ACCEPT",
    )
    assert difference(before, after, SCCP, (4,)).nothing


def test_gained_and_lost_are_named_exactly_and_turn_round() -> None:
    before = policy("-s 10.0.0.0/8 -p tcp --dport 2000 -j ACCEPT")
    after = policy("-s 10.0.0.0/9 -p tcp --dport 2000 -j ACCEPT", "-s 203.0.113.0/24 -p tcp --dport 2000 -j ACCEPT")
    found, reverse = difference(before, after, SCCP, (4,)), difference(after, before, SCCP, (4,))
    entrance = Entrance(4, "eth0")
    assert cidrs(4, found.gained.doors[entrance].surely) == [("203.0.113.0/24", 256)]
    assert cidrs(4, found.lost.doors[entrance].surely) == [("10.128.0.0/9", 2**23)]
    assert "rule 2" in found.gained.explain()
    assert found.gained.doors[entrance].surely == reverse.lost.doors[entrance].surely
    assert found.lost.doors[entrance].surely == reverse.gained.doors[entrance].surely


def test_a_doubt_that_is_new_is_a_doubt_and_one_that_stays_is_nothing() -> None:
    plain = policy("-s 10.0.0.0/8 -p tcp --dport 2000 -j ACCEPT")
    doubtful = policy(
        "-s 10.0.0.0/8 -p tcp --dport 2000 -j ACCEPT",
        "-s 203.0.113.0/24 -p tcp -m string --string x --algo bm -j ACCEPT",
    )
    with pytest.raises(NotDetermined, match=r"203\.0\.113\.0/24"):
        bool(difference(plain, doubtful, SCCP, (4,)).gained)
    assert difference(doubtful, doubtful, SCCP, (4,)).nothing
