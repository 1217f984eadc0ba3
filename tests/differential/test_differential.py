"""Random rulesets, a real kernel, real packets: what the engine says is what the kernel does.

In CI the examples are always the same. `CALLGATE_DIFFERENTIAL_RULESETS=N` tries N new ones per test, and prints how to
try a failing one again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st
from tests.differential.kernel_host import ADDRESSES, KernelHost, RulesetError
from tests.differential.observer import BATCH, Observed
from tests.differential.packet_strategies import batches
from tests.differential.probe import RST, Probe
from tests.differential.ruleset import Ruleset
from tests.differential.ruleset_strategies import (
    doubtful_rulesets,
    iptables_rulesets,
    mixed_rulesets,
    nft_rulesets,
)

from callgate.evidence.policy import policy_of
from callgate.firewall.policy import Traced
from callgate.firewall.trace import read_packet

pytestmark = pytest.mark.lab

RULESETS: Final = os.environ.get("CALLGATE_DIFFERENTIAL_RULESETS")
UNKNOWN_SHARE: Final = 0.02
"""Of the packets through rulesets in which every match can be decided."""
SIDE_BY_SIDE_UNKNOWN_SHARE: Final = 0.12
"""Legacy and nf_tables iptables hook in at the same priorities, and the dumps do not tell which runs first: where one
drops and the other rejects, or both mark or translate, either may be."""
BROADCAST: Final = {
    IPv4Address("255.255.255.255"),
    *(own.network.broadcast_address for all_own in ADDRESSES.values() for own in all_own if own.version == 4),
}
REFUSED_SHARE: Final = 0.05
"""Of the rulesets, by their own tools."""


class Tally:
    """What happened over all rulesets of one test."""

    def __init__(self) -> None:
        self.rulesets: Counter[str] = Counter()
        self.packets: Counter[str] = Counter()

    def unknown_share(self) -> float:
        return self.packets["unknown"] / max(1, self.packets.total())

    def refused_share(self) -> float:
        return self.rulesets["refused"] / max(1, self.rulesets.total())


def compare(host: KernelHost, rulesets: st.SearchStrategy[Ruleset], usual: int) -> Tally:
    """Load each ruleset, send packets, and fail where the engine's verdict is neither the kernel's nor unknown."""
    tally = Tally()

    dumps: dict[str, str] = {}
    loaded: Ruleset | None = None

    @settings(
        database=None,
        deadline=None,
        max_examples=int(RULESETS) if RULESETS else usual,
        derandomize=not RULESETS,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(rulesets, batches(BATCH))
    def the_engine_says_what_the_kernel_does(ruleset: Ruleset, probes: list[Probe]) -> None:
        nonlocal dumps, loaded
        if ruleset != loaded:  # while packets are shrunk, it stays
            loaded = None
            try:
                dumps = host.load(ruleset)
            except RulesetError as refusal:
                note(f"refused: {refusal}")
                tally.rulesets["refused"] += 1
                assume(False)
            if "dormant" in ruleset.nft and not complete(dumps["nft.json"]):
                tally.rulesets["damaged dump"] += 1
                assume(False)
            loaded = ruleset
            tally.rulesets["loaded"] += 1
        policy = policy_of(dumps)
        traces = [policy.trace(read_packet(probe.describe())) for probe in probes]
        observed = host.observer.verdicts(probes)
        if not all(map(agree, traces, observed, probes)):
            # An answer can be lost on a busy machine. What the rules do, they do to the same batch again.
            observed = host.observer.verdicts(probes)
        for probe, seen, traced in zip(probes, observed, traces, strict=True):
            tally.packets[traced.verdict] += 1
            if not agree(traced, seen, probe):
                rules = "\n".join(f"  {rule}" for rule in traced.rules) or "  none"
                pytest.fail(
                    f"{probe.describe()}\nthe kernel: {seen}; the engine: {traced.verdict}, by\n{rules}\n{ruleset}",
                    pytrace=False,
                )

    the_engine_says_what_the_kernel_does()
    return tally


def agree(traced: Traced, seen: Observed, probe: Probe) -> bool:
    """Whether the engine says what was observed, or that it does not know."""
    return traced.verdict == "unknown" or same(traced.verdict, seen, probe, traced.rules)


def complete(dump: str) -> bool:
    """Whether it is JSON: nft 1.0.6 prints a stray pointer as the flags of a dormant table, and may stop there."""
    try:
        json.loads(dump)
    except json.JSONDecodeError:
        return False
    return True


def same(said: str, seen: Observed, probe: Probe, rules: tuple[str, ...]) -> bool:
    """Whether verdict and observation agree; some packets are rejected without an answer.

    Where no rule but routing drops a packet, the kernel may say so with an ICMP error: the engine calls it dropped.

    Linux sends no RST to a RST or to an IPv4-mapped source (nf_reject_ip6_tcphdr_get, nf_send_reset6), and no ICMP
    error about what was sent to a group of hosts or by nobody (RFC 1122, 3.2.2; RFC 4443, 2.4). A link-local source
    beyond fe80::/64 has no way back through its interface.
    """
    if said == "drop" and seen == "reject":
        return bool(rules) and rules[-1].startswith("routing: ")
    return said == seen or (said == "reject" and seen == "drop" and unanswerable(probe))


def unanswerable(probe: Probe) -> bool:
    """Whether a REJECT may go without an answer."""
    source = probe.source
    return bool(
        probe.flag_byte & RST
        or probe.destination.is_multicast
        or probe.destination in BROADCAST
        or source.is_unspecified
        or (isinstance(source, IPv6Address) and (source.is_link_local or source.ipv4_mapped is not None))
    )


def few_unknown_and_refused(tally: Tally, unknown_share: float = UNKNOWN_SHARE) -> None:
    assert tally.rulesets["loaded"] > 0
    assert tally.refused_share() <= REFUSED_SHARE, tally.rulesets
    assert tally.unknown_share() <= unknown_share, tally.packets


def test_iptables_and_ipset(kernel_host: KernelHost) -> None:
    few_unknown_and_refused(compare(kernel_host, iptables_rulesets(), 100))


def test_nft(kernel_host: KernelHost) -> None:
    few_unknown_and_refused(compare(kernel_host, nft_rulesets(), 140))


def test_several_tools_side_by_side(kernel_host: KernelHost) -> None:
    few_unknown_and_refused(compare(kernel_host, mixed_rulesets(), 50), SIDE_BY_SIDE_UNKNOWN_SHARE)


def test_matches_that_cannot_be_decided(kernel_host: KernelHost) -> None:
    """Rate, chance, history and size: there the engine may not know, but never be wrong."""
    tally = compare(kernel_host, doubtful_rulesets(), 50)
    assert tally.refused_share() <= REFUSED_SHARE, tally.rulesets
    assert tally.packets["unknown"] > 0, tally.packets
