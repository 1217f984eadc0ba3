"""The whole way of a packet, against the naive reading of the same rules."""

from __future__ import annotations

from hypothesis import given
from tests.firewall.concrete_packet import Concrete, TooManyWaysError
from tests.firewall.oracle import possible
from tests.firewall.policy_strategies import Garden, Taste, gardens

from callgate.firewall.policy import Policy
from callgate.firewall.trace import Packet


def asked(packet: Concrete) -> Packet:
    return Packet(
        str(packet.iif), packet.family, packet.source, packet.destination, packet.protocol, packet.sport,
        packet.dport, packet.tcp_flags, packet.ttl,
    )  # fmt: skip


def fates(policy: Policy, packet: Concrete) -> set[str]:
    one = asked(packet)
    view = policy.view(one, (packet.sport, packet.sport), (packet.dport, packet.dport))
    return {outcome.fate for outcome in policy.outcomes(view).at(packet.source)}


def judged(garden: Garden, exactly: bool) -> None:
    ruleset, host = garden.ruleset(), garden.host()
    policy = Policy(ruleset, host)
    for _ in range(12):
        packet = garden.packet()
        packet.pkttype = policy.packet_type(packet.family, packet.destination)
        try:
            truth = possible(ruleset, host, packet)
        except TooManyWaysError:
            continue
        found = fates(policy, packet)
        verdict = policy.trace(asked(packet)).verdict
        if exactly:
            assert found == truth, (packet, truth, found)
        else:
            assert "unknown" in found or truth <= found, (packet, truth, found)
        # What is rejected counts as dropped where the answer gets nowhere.
        assert verdict == "unknown" or truth == {verdict} or (verdict == "drop" and "accept" not in truth)


@given(gardens())
def test_whatever_may_happen_is_among_the_outcomes(garden: Garden) -> None:
    judged(garden, exactly=False)


@given(gardens(Taste(doubt=False)))
def test_what_rests_on_nothing_unknown_is_said_exactly(garden: Garden) -> None:
    judged(garden, exactly=True)


@given(gardens(Taste(doubt=False, translates=False, marks=False)))
def test_plain_filters_are_said_exactly(garden: Garden) -> None:
    judged(garden, exactly=True)
