"""Packets as `trace` takes them, and answers that do not depend on the order of questions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firewall.built import Built, only
from tests.firewall.policy_strategies import Garden, gardens
from tests.firewall.test_path import asked

from callgate.errors import EvidenceError
from callgate.firewall.policy import Policy
from callgate.firewall.rule import Unknown, Verdict
from callgate.firewall.trace import Packet, read_packet, write_address

PLAIN = {
    "iif": "eth0",
    "source": "203.0.113.9",
    "destination": "198.51.100.10",
    "protocol": "tcp",
    "destination_port": 2000,
}


def test_what_is_left_out_is_a_new_flow_with_a_syn() -> None:
    packet = read_packet(PLAIN)
    assert (packet.tcp_flags, packet.ttl, packet.state, packet.source_port) == (2, 64, None, None)
    assert read_packet({**PLAIN, "tcp_flags": "SYN,ACK"}).tcp_flags == 18
    assert read_packet({**PLAIN, "tcp_flags": ["fin", "psh", "urg"]}).tcp_flags == 41
    assert read_packet({**PLAIN, "tcp_flags": "none"}).tcp_flags == 0
    assert read_packet({**PLAIN, "protocol": 132}).protocol == 132
    assert read_packet({**PLAIN, "more": 1}) == packet


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"source": "203.0.113"}, "source"),
        ({"source": None}, "source"),
        ({"source": "203.0.113.9/32"}, "source"),
        ({"source": "fe80::1%eth0"}, "source"),
        ({"source": "\ud800"}, "source"),
        ({"destination": "::1"}, "different families"),
        ({"iif": ""}, "iif"),
        ({"iif": "a" * 16}, "iif"),
        ({"iif": 7}, "iif"),
        ({"protocol": "quic"}, "protocol"),
        ({"protocol": 256}, "protocol"),
        ({"protocol": True}, "protocol"),
        ({"source_port": 65536}, "source_port"),
        ({"destination_port": "2000"}, "destination_port"),
        ({"destination_port": 2000.5}, "destination_port"),
        ({"ttl": 256}, "ttl"),
        ({"ttl": -1}, "ttl"),
        ({"state": "snat"}, "state"),
        ({"state": ["new"]}, "state"),
        ({"tcp_flags": "sin"}, "tcp_flags"),
        ({"tcp_flags": 256}, "tcp_flags"),
        ({"tcp_flags": [2]}, "tcp_flags"),
    ],
)
def test_a_packet_that_is_wrong_is_refused_by_the_name_of_its_field(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(EvidenceError, match=said):
        read_packet({**PLAIN, **wrong})


def test_a_ttl_of_nothing_is_nothing() -> None:
    assert read_packet({**PLAIN, "ttl": 0}).ttl == 0


@given(st.sampled_from((4, 6)), st.data())
def test_addresses_are_read_as_they_are_written(family: int, data: st.DataObject) -> None:
    source = data.draw(st.integers(0, 2 ** (32 if family == 4 else 128) - 1))
    text = write_address(family, source)  # type: ignore[arg-type]
    packet = read_packet({**PLAIN, "source": text, "destination": text})
    assert (packet.family, packet.source, packet.destination) == (family, source, source)


@given(
    st.dictionaries(
        st.sampled_from([*PLAIN, "ttl", "state", "tcp_flags"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text())),
    )
)
def test_any_object_is_read_or_refused(data: dict[str, Any]) -> None:
    refusals: list[str] = []
    try:
        refusals += [] if isinstance(read_packet({**PLAIN, **data}), Packet) else ["no packet"]
    except EvidenceError as refused:
        refusals += [] if refused.file == "packet" else [str(refused)]
    assert not refusals


@given(gardens())
def test_an_answer_does_not_depend_on_the_questions_before_it(garden: Garden) -> None:
    ruleset, host = garden.ruleset(), garden.host()
    packets = [asked(garden.packet()) for _ in range(10)]
    one = Policy(ruleset, host)
    together = [one.trace(packet).verdict for packet in packets]
    assert together == [Policy(ruleset, host).trace(packet).verdict for packet in packets]
    assert together == [one.trace(packet).verdict for packet in packets]


def test_the_rules_that_decide_are_named() -> None:
    built = Built().base("input", "drop", (only("dport", 2000), Unknown("limit 3/min"), Verdict("accept")))
    traced = built.policy().trace(read_packet(PLAIN))
    assert traced.verdict == "unknown"
    assert any("rule 1" in rule for rule in traced.rules)
    assert any("policy drop" in rule for rule in traced.rules)


def test_a_port_that_is_not_told_leaves_doubt() -> None:
    policy = Built().base("input", "drop", (only("sport", 5), Verdict("accept"))).policy()
    assert policy.trace(read_packet(PLAIN)).verdict == "unknown"
    assert policy.trace(read_packet({**PLAIN, "source_port": 5})).verdict == "accept"
    assert policy.trace(read_packet({**PLAIN, "source_port": 6})).verdict == "drop"


def test_an_interface_the_host_does_not_have_is_unknown() -> None:
    assert Built().policy().trace(read_packet({**PLAIN, "iif": "eth9"})).verdict == "unknown"
